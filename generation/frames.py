"""How processes of ours talk over a pipe: typed messages, each one frame.

A frame is four bytes of length, big-endian, then the message as MessagePack, tagged by its class name. This module
holds what both ends of a pipe share, and the child's end; the parent's is `generation.dispatch.child`. It knows neither
torch nor what is said.
"""

from __future__ import annotations

import logging
import os
import queue
import struct
import threading
from collections.abc import Callable
from io import FileIO
from typing import Generic, TypeVar

import msgspec

log = logging.getLogger(__name__)

FRAME_HEADER = struct.Struct(">I")
MAX_FRAME = 256 * 2**20  # bytes; a larger length means that the stream is out of step
LEAVE_WITHIN = 5.0  # seconds after the parent is gone; then whatever still runs is cut short

_Order = TypeVar("_Order")
_encoder = msgspec.msgpack.Encoder()


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of everything that crosses a pipe."""


def pack(message: Message) -> bytes:
    """The message as one frame, ready to write to a pipe."""
    body = _encoder.encode(message)
    return FRAME_HEADER.pack(len(body)) + body


def length_of(header: bytes) -> int:
    """The length of the body behind this header.

    Raises:
        ValueError: no message is that long: the stream is out of step.
    """
    (length,) = FRAME_HEADER.unpack(header)
    if length > MAX_FRAME:
        raise ValueError(f"a message of {length} bytes")
    return int(length)


class ParentPipe(Generic[_Order]):
    """The child's end of the pipe: orders on standard input, events on standard output.

    Once it is made, whatever else is printed in this process goes to standard error.

    Args:
        unpack: reads an order from a frame's body.
        stop: the order that stands for the parent's end.
    """

    def __init__(self, unpack: Callable[[bytes], _Order], stop: _Order) -> None:
        self._unpack = unpack
        self._stop = stop
        self.orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        # unbuffered: a buffer that the reading thread holds at the end makes the interpreter abort
        self._stream = FileIO(0, closefd=False)
        self._events = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def emit(self, message: Message) -> None:
        """Send an event.

        Raises:
            BrokenPipeError: the parent is gone.
        """
        self._events.write(pack(message))
        self._events.flush()

    def first(self) -> _Order | None:
        """The first order, waited for; None at the end of the stream.

        Raises:
            ValueError, msgspec.MsgspecError: the stream is out of step.
        """
        return self._read_order()

    def start_reading(self) -> None:
        """From here on a thread puts orders into `orders`, and sees to it that this process ends with its parent."""
        threading.Thread(target=self._read_orders, name="orders", daemon=True).start()

    def stop(self, *_: object) -> None:
        """Put the order to stop; may serve as a signal handler."""
        self.orders.put(self._stop)

    def _read_order(self) -> _Order | None:
        header = self._read(FRAME_HEADER.size)
        body = None if header is None else self._read(length_of(header))
        return None if body is None else self._unpack(body)

    def _read(self, size: int) -> bytes | None:
        """Exactly `size` bytes; None where the stream ends before."""
        parts = []
        while size:
            part = self._stream.read(size)
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _read_orders(self) -> None:
        try:
            while (order := self._read_order()) is not None:
                self.orders.put(order)
        except (ValueError, OSError, struct.error, msgspec.MsgspecError) as error:
            log.error("orders are out of step: %r", error)
        self.stop()
        timer = threading.Timer(LEAVE_WITHIN, os._exit, (0,))
        timer.daemon = True
        timer.start()
