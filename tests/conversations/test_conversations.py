"""A few whole conversations with the real reader, worker and pocket model; `make conversations` plays them all."""

from __future__ import annotations

from pathlib import Path

from tests.conversations.play import FOLDER, play, read

TELLING = ("changes", "two-people", "nothing-there")
FEWEST, SHORTEST, LONGEST = 30, 6, 20


def test_conversations_go_as_they_are_written(tmp_path: Path) -> None:
    played = play([FOLDER / f"{name}.txt" for name in TELLING], tmp_path)
    faults = [fault for conversation in played for fault in conversation.faults()]
    assert faults == [], "\n".join(faults)


def test_every_written_conversation_can_be_read() -> None:
    for path in FOLDER.glob("*.txt"):
        assert SHORTEST <= len(read(path)) <= LONGEST, path.name
