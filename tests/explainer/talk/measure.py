"""The labelled sets, and how a message's reading is held against them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from explainer.intent import IntentClassifier, Said, read_said
from explainer.language import content
from explainer.messages import Question, SeenPicture
from explainer.revise import Reviser
from tests.explainer.exam.scenes import picture

FOLDER = Path(__file__).parent
Case = tuple[str, str, list[str]]  # prompt, message, the prompts that are right


def reported() -> list[Said]:
    """The half of the labelled messages that nothing was tuned on."""
    return read_said((FOLDER / "intents.txt").read_text(encoding="utf-8").splitlines())


def intent_share(classifier: IntentClassifier, said: Sequence[Said]) -> tuple[float, list[str]]:
    """The share of right intents, and what was wrong; asking back between the right one and another counts as half."""
    points, wrong = 0.0, list[str]()
    for one in said:
        guess = classifier.guess(one.text, one.around)
        within = one.intent in (guess.intent, guess.second)
        points += (guess.intent == one.intent) if guess.sure else 0.5 * within
        if guess.intent != one.intent or not guess.sure:
            taken = guess.intent if guess.sure else (guess.intent, guess.second)
            wrong.append(f"{one.intent}: {one.text} -> {taken}")
    return points / len(said), wrong


def targets() -> list[tuple[Question, int]]:
    """Changes said among several people's pictures, and the picture that is meant. Nothing was tuned on them."""
    found = []
    for row in _rows("targets.tsv"):
        pictures, asker, about, message, wanted = row.split("\t")
        seen = [
            _seen(number, owner, prompt, asker)
            for number, (owner, prompt) in enumerate((one.split(": ", 1) for one in pictures.split("|")), 1)
        ]
        question = Question(text=message, asker=asker, about=None if about == "-" else int(about), pictures=tuple(seen))
        found.append((question, int(wanted)))
    return found


def _seen(number: int, owner: str, prompt: str, asker: str) -> SeenPicture:
    return msgspec.structs.replace(picture(number, prompt), owner=owner, mine=owner == asker)


def revisions(half: int) -> list[Case]:
    """Prompt, message and the prompts that are right, of one half of the set; half 1 was not tuned on."""
    parted = [row.split("\t") for row in _rows("revisions.tsv")]
    return [
        (prompt, message, right.split("|"))
        for prompt, message, right in parted
        if zlib.crc32((prompt + message).encode()) % 2 == half
    ]


def exactness(reviser: Reviser, cases: Sequence[Case]) -> tuple[float, float]:
    """The shares of usable prompts (they name the same things in whatever order) and of exactly right ones."""
    made = [(reviser.revise(prompt, message).prompt, right) for prompt, message, right in cases]
    exact = [prompt in right for prompt, right in made]
    usable = [set(content(prompt)) in [set(content(one)) for one in right] for prompt, right in made]
    return sum(usable) / len(made), sum(exact) / len(made)


def _rows(name: str) -> list[str]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
