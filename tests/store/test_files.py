"""Files by content hash: whole or not there, once, and clear about what stops them."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from store.errors import FolderUnusable
from store.files import Files
from tests.store.conftest import make_readonly


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_was_put_is_got_by_the_hash_of_its_content_until_it_is_deleted(tmp_path: Path) -> None:
    files = Files(tmp_path)
    name = files.put(b"a picture", ".png")
    assert name == hashlib.sha256(b"a picture").hexdigest()
    assert files.get(name, ".png") == files.path(name, ".png").read_bytes() == b"a picture"
    files.delete(name, ".png")
    files.delete(name, ".png")
    assert files.get(name, ".png") is None


def test_equal_content_is_kept_once(tmp_path: Path) -> None:
    files = Files(tmp_path)
    first = files.put(b"a picture", ".png")
    written = files.path(first, ".png").stat().st_mtime_ns
    assert files.put(b"a picture", ".png") == first
    assert len(kept(tmp_path)) == 1 and files.path(first, ".png").stat().st_mtime_ns == written


def test_a_full_disk_is_named_and_nothing_is_left_on_it(small_disk: Path) -> None:
    files = Files(small_disk)
    with pytest.raises(FolderUnusable, match=r"^Nothing can be saved under .*: No space left on device\.$"):
        files.put(os.urandom(1_000_000), ".png")
    assert kept(small_disk) == []
    name = files.put(b"small enough", ".png")
    assert files.get(name, ".png") == b"small enough"


def test_a_read_only_disk_is_named_and_what_is_on_it_can_still_be_read(small_disk: Path) -> None:
    files = Files(small_disk)
    name = files.put(b"a picture", ".png")
    make_readonly(small_disk)
    with pytest.raises(FolderUnusable, match=r"^Nothing can be saved under .*: Read-only file system\.$"):
        files.put(b"another", ".png")
    with pytest.raises(FolderUnusable, match=r"^Nothing can be deleted from .*: Read-only file system\.$"):
        files.delete(name, ".png")
    assert files.get(name, ".png") == b"a picture"


def test_a_disk_that_fails_at_the_last_moment_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FolderUnusable, match="Input/output error"):
        Files(tmp_path).put(b"a picture", ".png")
    assert kept(tmp_path) == []


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way")
    files = Files(tmp_path)
    with pytest.raises(FolderUnusable, match=r"Nothing can be saved under .*files: "):
        files.put(b"a picture", ".png")
    with pytest.raises(FolderUnusable, match="Nothing can be read from"):
        files.get("ab" * 32, ".png")
    with pytest.raises(FolderUnusable, match="Nothing can be deleted from"):
        files.delete("ab" * 32, ".png")
