"""Reads written conversations, plays them through one `darkroom chat` process, and tells what did not go as written.

A conversation is a file in `scripts/`. `ann> words` is what Ann says, `ann (2)> words` the same in reply to the
picture that was the second of the conversation. The line below says what is expected, in any of these parts:

    = revise 3<2 seed "a blue fox" ~same seed
      intent  picture<its parent  method  prompt  words of the answer (a regular expression)

Pictures are counted within the conversation. `!1` says that a picture is shown again; `"..." -"..."` adds the negative
prompt. Several intents are written with a bar. What is not written down may be anything.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from generation.models import pocket_model

FOLDER = Path(__file__).parent / "scripts"
CACHE = Path(__file__).parents[2] / ".pytest_cache" / "explainer"
STEPS = 3  # of each picture: what it shows is not looked at
TIMEOUT = 1_200  # seconds for all of them
_SAID = re.compile(r"(?P<user>\w+)(?: \((?P<about>\d+)\))?> (?P<said>.*)")
_EXPECTED = re.compile(
    r"= (?P<intents>[\w|]+)(?: !(?P<again>\d+)| (?P<picture>\d+)(?:<(?P<parent>\d+))?)?"
    r"(?: (?P<method>words|seed|image|mask|again))?"
    r"(?: \"(?P<prompt>[^\"]*)\")?(?: -\"(?P<negative>[^\"]*)\")?(?: ~(?P<words>.+))?"
)


@dataclass(frozen=True)
class Turn:
    """What somebody says, and what is expected of the answer."""

    user: str
    said: str
    about: int | None
    expected: re.Match[str]


@dataclass
class Played:
    """How one conversation went."""

    name: str
    turns: Sequence[Turn]
    answers: list[dict[str, Any]] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What was not as written, each with the turn."""
        numbers = list[int]()  # of the pictures, in the order in which they came
        found = list[str]()
        for place, (turn, answer) in enumerate(zip(self.turns, self.answers, strict=True), 1):
            fresh = [image["picture"] for image in answer["images"] if image["picture"] not in numbers]
            numbers += fresh
            for fault in _faults(turn.expected, answer, numbers, fresh):
                found.append(f"{self.name}, turn {place}, {turn.user}> {turn.said}\n    {fault}")
        return found


def read(path: Path) -> list[Turn]:
    """The turns of a written conversation.

    Raises:
        ValueError: a line is not written as it should be.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    turns = []
    for said, expected in zip(lines[::2], lines[1::2], strict=True):
        one, other = _SAID.fullmatch(said), _EXPECTED.fullmatch(expected)
        if one is None or other is None:
            raise ValueError(f"{path.name}: cannot read “{said}” or “{expected}”")
        about = None if one["about"] is None else int(one["about"])
        turns.append(Turn(one["user"], one["said"], about, other))
    return turns


def play(paths: Iterable[Path], folder: Path) -> list[Played]:
    """Play the conversations in one process on a fresh data folder.

    Raises:
        RuntimeError: the process failed.
    """
    played = [Played(path.stem, read(path)) for path in paths]
    scripts = []
    first = 0  # pictures that the conversations before have made, as each starts at the next number
    for number, conversation in enumerate(played, 1):
        script = folder / f"{conversation.name}.jsonl"
        lines = []
        for turn in conversation.turns:
            line: dict[str, Any] = {"say": turn.said, "user": f"{turn.user}{number}"}  # nobody is in two of them
            if turn.about is not None:
                line["about"] = first + turn.about
            lines.append(json.dumps(line))
        first += max([int(turn.expected["picture"]) for turn in conversation.turns if turn.expected["picture"]] or [0])
        script.write_text("\n".join(lines), encoding="utf-8")
        scripts.append(str(script))
    (folder / "data").mkdir()
    CACHE.mkdir(parents=True, exist_ok=True)
    (folder / "data" / "reader").symlink_to(CACHE)  # what a reader computes once need not be computed here again
    output = _run(["chat", "--json", "--user", "ann", "--script", *scripts], folder)
    answers = iter(json.loads(line) for line in output.splitlines() if line.startswith("{"))
    for conversation in played:
        conversation.answers = [next(answers) for _ in conversation.turns]
    return played


def _run(arguments: Sequence[str], folder: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DARKROOM_", "DISCORD_"))}
    model = msgspec.structs.replace(pocket_model(), steps=STEPS)
    environment: Mapping[str, str] = kept | {
        "DARKROOM_MODELS": msgspec.json.encode([model]).decode(),
        "DARKROOM_DATA": str(folder / "data"),
        "DARKROOM_WAITING_LIMIT": "100",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=dict(environment) | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2_000:])
    return done.stdout


def _faults(expected: re.Match[str], answer: Mapping[str, Any], numbers: list[int], fresh: list[int]) -> Iterable[str]:
    image = answer["images"][0] if answer["images"] else {}
    if answer["intent"] not in expected["intents"].split("|"):
        yield f"intent {answer['intent']}, not {expected['intents']}: {answer['text'][:120]}"
        return
    if expected["again"] is not None:
        if [image.get("picture")] != numbers[int(expected["again"]) - 1 :][:1]:
            yield f"shows {image.get('picture')}, not picture {expected['again']}: {answer['text'][:120]}"
    elif expected["picture"] is None:
        if fresh:
            yield f"makes a picture: {image.get('prompt')}"
    elif not fresh or numbers.index(fresh[0]) + 1 != int(expected["picture"]):
        yield f"makes no picture {expected['picture']}: {answer['text'][:160]}"
        return
    if expected["parent"] is not None:
        parent = image.get("parent")
        if [parent] != numbers[int(expected["parent"]) - 1 :][:1]:
            where = numbers.index(parent) + 1 if parent in numbers else None
            yield f"goes on from {where}, not from {expected['parent']}"
    for name in ("method", "prompt", "negative"):
        if expected[name] is not None and image.get(name) != expected[name]:
            yield f"{name} “{image.get(name)}”, not “{expected[name]}”"
    if expected["words"] is not None and not re.search(expected["words"], answer["text"], re.IGNORECASE):
        yield f"says “{answer['text'][:200]}”, not “{expected['words']}”"
