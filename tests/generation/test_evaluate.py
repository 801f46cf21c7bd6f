"""Two things are right where the prompt puts them; where it puts them nowhere, either way round is right."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.training.compose import Composer, Mixture, Scene
from generation.training.evaluate import EVALUATION_SEED, Jury, pairs
from generation.training.judge import Judge, Pixels
from generation.training.sprites import Rgba
from generation.training.vocabulary import RELATIONS, things
from tests.generation.sprites import discs

PAIRS = 40
IN_THE_MIDDLE = {(0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75)}  # of a half


class MiddleColour:
    """A judge of discs: what has the colour in the middle of the picture comes first."""

    def __init__(self, sprites: dict[str, Rgba]) -> None:
        self._colours = {label: middle(pixels) for label, pixels in sprites.items()}

    def ranking(self, pictures: Iterable[Pixels], answer: str) -> list[list[str]]:
        return [sorted(self._colours, key=lambda label: self._far(picture, label)) for picture in pictures]

    def _far(self, picture: Pixels, label: str) -> float:
        return float(np.abs(middle(picture) - self._colours[label]).sum())


def middle(pixels: Pixels) -> NDArray[np.float64]:
    return pixels[pixels.shape[0] // 2, pixels.shape[1] // 2, :3].astype(float)


@pytest.fixture(scope="module")
def jury() -> Jury:
    sprites = discs()
    taught = things(1)
    judge = cast("Judge", MiddleColour({thing.label: sprites[thing.label] for thing in taught}))
    return Jury(judge, judge, UprightPairs(taught, sprites))


class UprightPairs(Composer):
    """Pairs in their own colours, in the middle of their halves."""

    def scene(self, rng: random.Random, mixture: Mixture) -> Scene:
        while True:
            scene = super().scene(rng, mixture)
            apart = {(place.x, place.y) for place in scene.placements} <= IN_THE_MIDDLE
            if apart and not any(place.colour for place in scene.placements):
                return scene


def painted(jury: Jury, *, turned: bool) -> tuple[list[Scene], dict[str, float]]:
    """The scenes that are asked for, and the figures of one who paints them well, or with the places exchanged."""
    asked: list[Scene] = []

    def paint(prompts: list[str], first: int) -> list[Pixels]:
        rng = random.Random(EVALUATION_SEED)
        asked.extend(jury.composer.scene(rng, Mixture(pair=1.0)) for _ in prompts)
        assert [scene.caption for scene in asked] == prompts
        return [jury.composer.paint(exchanged(scene) if turned else scene, 128) for scene in asked]

    return asked, pairs(paint, jury, PAIRS)


def exchanged(scene: Scene) -> Scene:
    under, over = scene.placements
    return replace(scene, placements=(replace(under, x=over.x, y=over.y), replace(over, x=under.x, y=under.y)))


def test_true_pairs_are_right(jury: Jury) -> None:
    _, figures = painted(jury, turned=False)
    assert figures["true_pair_both_top1"] == figures["pair_both_top1"] == 1
    assert figures["true_place_right"] == figures["place_right"] == 1


def test_exchanged_pairs_are_right_only_where_the_prompt_leaves_that_open(jury: Jury) -> None:
    asked, figures = painted(jury, turned=True)
    open_ones = [scene for scene in asked if not scene.says_where]
    assert 0 < len(open_ones) < PAIRS
    assert figures["pair_both_top1"] == pytest.approx(len(open_ones) / PAIRS)
    assert figures["true_pair_both_top1"] == 1
    assert (figures["place_right"], figures["true_place_right"]) == (0, 1)


@pytest.mark.parametrize("relation", RELATIONS)
def test_only_side_by_side_leaves_places_open(relation: str, jury: Jury) -> None:
    scene = jury.composer.scene(random.Random(1), Mixture(pair=1.0))
    for words in RELATIONS[relation]:
        said = replace(scene, caption=f"a cat {words} a dog on a red background")
        assert said.says_where == (relation != "beside")
