"""Files named by the hash of their content: pictures, and the recorded steps of runs.

A file is written under a temporary name, flushed to the disk and renamed, so that a name stands for
whole content or for nothing. Equal content is kept once. Knows no database: whoever deletes a file
must know that nothing refers to it any more. All calls block; the event loop calls them in a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from store.errors import FolderUnusable


class Files:
    """The files under `folder`/files, spread over 256 folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "files"

    def put(self, content: bytes, suffix: str) -> str:
        """Keep the content and return its hash (SHA-256, 64 hexadecimal digits).

        Raises:
            FolderUnusable: the folder cannot be written to or the disk is full; nothing is left behind.
        """
        name = hashlib.sha256(content).hexdigest()
        path = self.path(name, suffix)
        draft = path.with_name(f".{name[:16]}-{secrets.token_hex(4)}.part")
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(draft, content)
                draft.replace(path)
                _flush(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise self._unusable("Nothing can be saved under", error) from error
        return name

    def path(self, name: str, suffix: str) -> Path:
        """Where the content with this hash is kept, whether or not it is there."""
        return self._folder / name[:2] / f"{name}{suffix}"

    def get(self, name: str, suffix: str) -> bytes | None:
        """The content, or None if it is not kept (any more).

        Raises:
            FolderUnusable: it is there but cannot be read.
        """
        try:
            return self.path(name, suffix).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable("Nothing can be read from", error) from error

    def delete(self, name: str, suffix: str) -> None:
        """Forget the content; it need not be there.

        Raises:
            FolderUnusable: it is there but cannot be deleted.
        """
        try:
            self.path(name, suffix).unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable("Nothing can be deleted from", error) from error

    def _unusable(self, what: str, error: OSError) -> FolderUnusable:
        return FolderUnusable(f"{what} {self._folder}: {error.strerror or error}.")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Make the names in a folder outlast a power failure, as `os.fsync` does for what is in a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
