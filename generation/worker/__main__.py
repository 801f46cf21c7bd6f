"""`python -m generation.worker`: orders on standard input, events on standard output, the log on standard error.

The process that starts it owns it: it leaves when its standard input ends, when it is told to stop, and at SIGTERM.
"""

from __future__ import annotations

import logging
import queue
import signal
import sys
from collections.abc import Callable

from generation.events import STARTING, Configure, Event, Loading, Order, Stop, unpack_order
from generation.frames import ParentPipe

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"

log = logging.getLogger("generation.worker")


def main() -> int:
    """Exit status 0 after an ordinary stop, 2 where the first order is not what it must be."""
    pipe: ParentPipe[Order] = ParentPipe(unpack_order, Stop())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=LOG_FORMAT)
    logging.captureWarnings(True)
    signal.signal(signal.SIGTERM, pipe.stop)
    signal.signal(signal.SIGINT, pipe.stop)
    try:
        configure = pipe.first()
        if not isinstance(configure, Configure):
            log.error("the first order must configure the worker")
            return 2
        pipe.start_reading()
        pipe.emit(Loading(what=STARTING, done=0, total=1))
        return _work(configure, pipe.orders, pipe.emit)
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


if __name__ == "__main__":
    sys.exit(main())
