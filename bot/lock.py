"""One Darkroom per data folder: a lock that the operating system drops when its holder ends, however it ends.

The lock is on an open file, not in it: a number left behind by a crash holds nothing. Knows no database.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bot.errors import UserMistake

LOCK_NAME = "darkroom.lock"


class DataInUse(UserMistake):
    """Another Darkroom runs on the same data folder."""


@contextlib.contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the data folder for this process, making the folder where it is not there yet.

    Raises:
        DataInUse: another process holds it.
        UserMistake: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UserMistake(
            f"The data folder {folder} cannot be written to ({error.strerror or error}); "
            "name another with DARKROOM_DATA, or change its permissions."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataInUse(
                f"A Darkroom (process {_holder(descriptor)}) already runs on the data folder {folder}; "
                "stop it first, or name another folder with DARKROOM_DATA."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def lock_holder(folder: Path) -> str | None:
    """The process number of the Darkroom that runs on the folder; None where none does. Changes nothing."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor)
    except OSError:
        return None  # a file system without locks cannot hold any
    finally:
        os.close(descriptor)
    return None


def _holder(descriptor: int) -> str:
    number = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return number if number.isdigit() else "unknown"
