"""Two Darkrooms never share a data folder, and a dead one holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import UserMistake
from bot.lock import LOCK_NAME, DataInUse, hold_lock, lock_holder

HOLD = """
import sys, time, pathlib
from bot.lock import hold_lock
with hold_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_darkroom_is_told_which_process_has_the_folder(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(DataInUse, match=rf"process {holder.pid}\) already runs"), hold_lock(tmp_path):
        pass
    assert lock_holder(tmp_path) == str(holder.pid)


def test_a_killed_darkroom_leaves_the_folder_free(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert lock_holder(tmp_path) is None
    with hold_lock(tmp_path):
        assert lock_holder(tmp_path) == str(os.getpid())
    assert lock_holder(tmp_path) is None


def test_asking_who_holds_a_folder_makes_nothing_in_it(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "missing") is None
    assert lock_holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_on_first_use(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "new" / "data"):
        assert (tmp_path / "new" / "data" / LOCK_NAME).exists()


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserMistake, match="cannot be written to"), hold_lock(tmp_path / "file" / "data"):
        pass
