"""The log of a command that a person waits for: held back, and printed only where a fault of ours makes it of use.

So the one sentence that a mistake deserves stands alone, and a reference given with a fault can be looked up
just above it. Knows no command.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterator

from bot.errors import FAULT, exit_status

RECORDS_HELD = 1_000  # the latest


class HeldLog(logging.Handler):
    """Keeps the latest records of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.records: deque[logging.LogRecord] = deque(maxlen=RECORDS_HELD)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)


@contextlib.contextmanager
def held_log(level: str) -> Iterator[None]:
    """Hold back what is logged in the block, unless the level is DEBUG, which asks to see it as it comes."""
    if level == "DEBUG":
        yield
        return
    root = logging.getLogger()
    handlers, held = root.handlers[:], HeldLog()
    root.handlers = [held]
    try:
        yield
    except Exception as error:
        root.handlers = handlers
        if exit_status(error) == FAULT:
            for record in held.records:
                root.handle(record)
        raise
    finally:
        root.handlers = handlers
