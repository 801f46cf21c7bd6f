"""Files that a command writes where a person told it to: checked before the work, written whole or not at all.

Knows no pictures and no runs, only paths, suffixes and bytes.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bot.errors import UserMistake


def check_targets(targets: Iterable[tuple[str, Path | None, str]]) -> None:
    """Make sure that each file can be written, before anything is spent on what goes into it.

    Args:
        targets: the option's name, the path given with it, and the suffix that the file must have.

    Raises:
        UserMistake: with one sentence about the first target that will not do.
    """
    seen: dict[Path, str] = {}
    for option, path, suffix in targets:
        if path is None:
            continue
        try:
            _check_name(option, path, suffix)
            _check_folder(option, path.absolute().parent)
            place = path.resolve()
        except (OSError, RuntimeError) as error:  # a name too long for the disk, a link that leads to itself
            raise UserMistake(f"The path given with {option} does not work: {error}.") from error
        if place in seen:
            raise UserMistake(f"{seen[place]} and {option} name the same file, {path}; give each its own.")
        seen[place] = option


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` under a temporary name beside `path`, then put it in place in one move.

    Raises:
        UserMistake: the file system refused (full, read-only, gone); nothing of the file is left behind.
    """
    temporary = path.absolute().parent / f".{secrets.token_hex(8)}.part"
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserMistake(f"{path} cannot be written: {error.strerror or error}.") from error


def _check_name(option: str, path: Path, suffix: str) -> None:
    if "\0" in str(path):
        raise UserMistake(f"The path given with {option} has a NUL character in it; leave it out.")
    if path.suffix.lower() != suffix:
        raise UserMistake(f"{option} writes {suffix} files; “{path}” should end in {suffix}.")
    if path.is_dir():
        raise UserMistake(f"{option} names the folder {path}; name a file in it.")


def _check_folder(option: str, folder: Path) -> None:
    if not folder.is_dir():
        raise UserMistake(f"The folder {folder}, where {option} should go, does not exist; make it first.")
    try:
        # asking beats os.access, which knows nothing of read-only mounts or of who root really is
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserMistake(
            f"The folder {folder}, where {option} should go, cannot be written to: {error.strerror or error}."
        ) from error
