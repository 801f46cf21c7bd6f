"""What is released of a training is what judges recognise."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from generation.training.judge import Judge, Pixels
from generation.training.selection import choose, released_things, save_chosen
from generation.training.vocabulary import ACCESSORIES, Thing, things, with_article

TAUGHT = things(1)[:4]


class Recogniser:
    """Reads the number of the thing off its picture, and is blind to some."""

    def __init__(self, blind: dict[str, int]) -> None:
        self._blind = dict(blind)  # how many pictures of that thing it does not recognise

    def ranking(self, pictures: list[Pixels], answer: str) -> list[list[str]]:
        assert answer == "thing"
        guesses = []
        for picture in pictures:
            label = TAUGHT[int(picture[0, 0, 0])].label
            if self._blind.get(label, 0) > 0:
                self._blind[label] -= 1
                label = "something else"
            guesses.append([label])
        return guesses


def paint(prompts: list[str], _first: int) -> list[Pixels]:
    names = [with_article(thing.name) for thing in TAUGHT]
    return [np.full((128, 128, 3), names.index(prompt), np.uint8) for prompt in prompts]


def chosen(colour: dict[str, int], shape: dict[str, int]) -> list[Thing]:
    judges = [cast(Judge, Recogniser(blind)) for blind in (colour, shape)]
    labels = choose(paint, judges, TAUGHT)
    return [thing for thing in TAUGHT if thing.label in labels]


def test_what_both_judges_recognise_twice_of_three_times_is_chosen() -> None:
    first, second, third, fourth = (thing.label for thing in TAUGHT)
    kept = chosen({first: 1, second: 2}, {third: 1, fourth: 3})
    assert kept == [TAUGHT[0], TAUGHT[2]]


def test_without_a_choice_all_is_released_and_what_is_worn_or_ridden_always(tmp_path: Path) -> None:
    assert released_things(tmp_path, 2) == things(2)
    save_chosen(tmp_path, ["fox"])
    released = released_things(tmp_path, 2)
    assert {"fox", *ACCESSORIES} <= {thing.label for thing in released}
    assert all(thing.label == "fox" or thing.label in ACCESSORIES or thing.mount for thing in released)
    assert len(released) < len(things(1))
