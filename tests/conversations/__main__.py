"""`python -m tests.conversations`: plays all written conversations and prints how they went; 1 where any went wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conversations.play import FOLDER, play, read


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these")
    wanted: list[str] = parser.parse_args().names
    paths = sorted(path for path in FOLDER.glob("*.txt") if not wanted or path.stem in wanted)
    # a reply names a picture by its number, which is known beforehand only where nothing has gone otherwise before
    paths.sort(key=lambda path: all(turn.about is None for turn in read(path)))
    with tempfile.TemporaryDirectory(prefix="darkroom-talk-") as folder:
        played = play(paths, Path(folder))
    faults = [fault for conversation in played for fault in conversation.faults()]
    turns = sum(len(conversation.turns) for conversation in played)
    slowest = sorted((answer["seconds"] for one in played for answer in one.answers), reverse=True)
    print("\n".join(faults))
    print(f"{len(played)} conversations, {turns} turns, {len(faults)} faults; slowest turn {slowest[0]:.1f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
