"""Files go where they were told to go, whole or not at all, and what will not do is said before the work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import UserMistake
from bot.output_files import check_targets, write_whole

# In a process of its own: the limit also holds for whatever file the tests' own output goes to.
WRITE_UNDER_A_LIMIT = """
import resource, sys
from pathlib import Path
from bot.errors import UserMistake
from bot.output_files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
try:
    write_whole(Path(sys.argv[1]), bytes(2_000))
except UserMistake as error:
    sys.stderr.write(str(error))
"""


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "fox.png", b"picture")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("fox.png", b"picture")]


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"older and longer")
    write_whole(tmp_path / "fox.png", b"new")
    assert (tmp_path / "fox.png").read_bytes() == b"new"


def test_a_disk_that_refuses_keeps_the_older_file_and_leaves_no_scrap(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"older")
    command = [sys.executable, "-c", WRITE_UNDER_A_LIMIT, str(tmp_path / "fox.png")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert said.endswith("fox.png cannot be written: File too large.")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("fox.png", b"older")]


def test_good_targets_pass_and_nothing_is_made_yet(tmp_path: Path) -> None:
    check_targets(
        [("--out", tmp_path / "a.PNG", ".png"), ("--strip", None, ".png"), ("--facts", tmp_path / "f.json", ".json")]
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing/fox.png", "does not exist; make it first"),
        ("fox.jpg", r"--out writes \.png files"),
        ("fox", r"--out writes \.png files"),
        ("folder.png", "--out names the folder"),
        ("file.txt/fox.png", "does not exist"),
        ("n" * 300 + ".png", "does not work"),
        ("f\0x.png", "NUL"),
    ],
)
def test_a_target_that_will_not_do_is_said_in_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.txt").write_bytes(b"")
    with pytest.raises(UserMistake, match=sentence):
        check_targets([("--out", tmp_path / name, ".png")])


def test_a_folder_that_cannot_be_written_to_is_said_before_the_work() -> None:
    with pytest.raises(UserMistake, match="cannot be written to"):
        check_targets([("--out", Path("/proc/self/fox.png"), ".png")])


def test_two_options_may_not_name_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UserMistake, match="--out and --strip name the same file"):
        check_targets([("--out", tmp_path / "a.png", ".png"), ("--strip", tmp_path / "link" / "a.png", ".png")])
