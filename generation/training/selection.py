"""Which of the things that a training has shown a model are painted well enough to be released.

A word that a model does not paint recognisably is better named as unknown (`generation.vocabulary`) than listed. Each
thing is painted a few times, with other seeds than the evaluation's, so that the card's figures are not picked by luck.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from generation.training.judge import Judge, Paint, whole
from generation.training.vocabulary import ACCESSORIES, Thing, things, with_article

CHOSEN = "chosen.json"  # in the working folder: the labels
SEEDS = (21_000, 22_000, 23_000)
ENOUGH = 2  # of the pictures, for which both judges must be right at their first guess


def choose(paint: Paint, judges: Sequence[Judge], taught: Sequence[Thing]) -> list[str]:
    """The labels of the things that are recognised in most pictures, in their order."""
    right = dict.fromkeys((thing.label for thing in taught), 0)
    for seed in SEEDS:
        pictures = [whole(picture) for picture in paint([with_article(thing.name) for thing in taught], seed)]
        rankings = [judge.ranking(pictures, "thing") for judge in judges]
        for thing, *guesses in zip(taught, *rankings, strict=True):
            right[thing.label] += all(guess[0] == thing.label for guess in guesses)
    return [label for label, count in right.items() if count >= ENOUGH]


def save_chosen(folder: Path, labels: list[str]) -> None:
    """Write them where `released_things` finds them."""
    (folder / CHOSEN).write_text(json.dumps(labels, indent=1) + "\n")


def released_things(folder: Path, wave: int) -> list[Thing]:
    """The things up to this wave that were chosen, and what is worn or ridden; all where there was no choice."""
    path = folder / CHOSEN
    everything = things(wave)
    if not path.exists():
        return everything
    chosen = set(json.loads(path.read_text()))
    return [thing for thing in everything if thing.label in chosen or thing.label in ACCESSORIES or thing.mount]
