"""`python -m generation.worker`: orders on standard input, events on standard output, the log on standard error.

The process that starts it owns it: it leaves when its standard input ends, when it is told to stop, and at SIGTERM.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import struct
import sys
import threading
from collections.abc import Callable
from io import FileIO
from typing import BinaryIO

import msgspec

from generation.events import (
    FRAME_HEADER,
    MAX_FRAME,
    STARTING,
    Configure,
    Event,
    Loading,
    Order,
    Stop,
    pack,
    unpack_order,
)

LEAVE_WITHIN = 5.0  # seconds after the parent is gone; then a forward that still runs is cut short
LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"

log = logging.getLogger("generation.worker")


def main() -> int:
    """Exit status 0 after an ordinary stop, 2 where the first order is not what it must be."""
    events = _claim_stdout()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=LOG_FORMAT)
    logging.captureWarnings(True)
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()

    def emit(event: Event) -> None:
        events.write(pack(event))
        events.flush()

    def stop(*_: object) -> None:
        orders.put(Stop())

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        # unbuffered: a buffer that the reading thread holds at the end makes the interpreter abort
        stream = FileIO(0, closefd=False)
        configure = _read_order(stream)
        if not isinstance(configure, Configure):
            log.error("the first order must configure the worker")
            return 2
        threading.Thread(target=_read_orders, args=(stream, orders), name="orders", daemon=True).start()
        emit(Loading(what=STARTING, done=0, total=1))
        return _work(configure, orders, emit)
    except BrokenPipeError:
        log.info("nobody listens any more")
        return 0


def _work(configure: Configure, orders: queue.SimpleQueue[Order], emit: Callable[[Event], None]) -> int:
    # only now, as it takes seconds: the parent has been told by then that something happens
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    from generation.worker.main import Worker

    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it is typed in part
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # as above
    Worker(configure, emit).run(orders)
    return 0


def _claim_stdout() -> BinaryIO:
    """The real standard output, for events alone: whatever else is printed goes to standard error from here on."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return stream


def _read_order(stream: FileIO) -> Order | None:
    """The next order; None at the end of the stream.

    Raises:
        ValueError: the stream is out of step.
    """
    header = _read(stream, FRAME_HEADER.size)
    if header is None:
        return None
    (length,) = FRAME_HEADER.unpack(header)
    if length > MAX_FRAME:
        raise ValueError(f"an order of {length} bytes")
    body = _read(stream, length)
    return None if body is None else unpack_order(body)


def _read(stream: FileIO, size: int) -> bytes | None:
    """Exactly `size` bytes; None where the stream ends before."""
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _read_orders(stream: FileIO, orders: queue.SimpleQueue[Order]) -> None:
    """Pass orders on until the parent is gone, then see to it that this process goes too."""
    try:
        while (order := _read_order(stream)) is not None:
            orders.put(order)
    except (ValueError, OSError, struct.error, msgspec.MsgspecError) as error:
        log.error("orders are out of step: %r", error)
    orders.put(Stop())
    timer = threading.Timer(LEAVE_WITHIN, os._exit, (0,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main())
