"""Which things the training scenes hold, and how often."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from generation.training.compose import Composer, Mixture
from generation.training.diffusion import CURRICULUM, Stage
from generation.training.vocabulary import things

SCENES = 6_000


def drawn(composer: Composer) -> Counter[str]:
    rng = random.Random(1)
    return Counter(composer.scene(rng, Mixture(single=1.0)).placements[0].label for _ in range(SCENES))


def test_favoured_things_are_drawn_as_many_times_as_often_as_was_said() -> None:
    taught = things(1)
    favoured = tuple(thing.label for thing in taught[:10])
    count = drawn(Composer(taught, {}, favour=3, favoured=favoured))
    among = sum(count[label] for label in favoured) / SCENES
    assert among == pytest.approx(30 / (30 + len(taught) - 10), abs=0.03)


def test_where_none_are_named_the_last_wave_is_favoured() -> None:
    taught, before = things(2), len(things(1))
    count = drawn(Composer(taught, {}, favour=3))
    among = sum(count[thing.label] for thing in taught if thing.wave == 2) / SCENES
    newest = len(taught) - before
    assert among == pytest.approx(3 * newest / (3 * newest + before), abs=0.03)


@pytest.mark.parametrize("stage", CURRICULUM, ids=lambda stage: str(stage.until))
def test_a_stage_favours_things_that_it_shows_and_its_shares_are_a_whole(stage: Stage) -> None:
    assert set(stage.favoured) <= {thing.label for thing in things(stage.wave)}
    assert sum(vars(stage.mixture).values()) == pytest.approx(1)
