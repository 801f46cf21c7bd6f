"""Takes a person's id out of the log files that this process writes.

Ours never hold what people say; but a library's line may name an id. Knows nothing of people beyond that id.
"""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

SHORTEST = 5  # characters of an id; a shorter one stands in the log by chance
FORGOTTEN = b"(forgotten)"


class LogTrace:
    """The files of the rotating log handlers of the root logger."""

    def remove(self, external_id: str) -> None:
        """Replace the id wherever it stands, in the present file and in those kept. Blocks."""
        if len(external_id) < SHORTEST:
            return
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.handlers.RotatingFileHandler):
                self._clean(handler, external_id.encode())

    def _clean(self, handler: logging.handlers.RotatingFileHandler, mark: bytes) -> None:
        path = Path(handler.baseFilename)
        handler.acquire()
        try:
            handler.flush()
            for file in (path, *path.parent.glob(f"{path.name}.*")):
                content = file.read_bytes() if file.is_file() else b""
                if mark in content:
                    # in place: the handler goes on writing at the end of the same file
                    file.write_bytes(content.replace(mark, FORGOTTEN))
        finally:
            handler.release()
