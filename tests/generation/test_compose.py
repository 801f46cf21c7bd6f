"""Which things the training scenes hold, and how often."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from generation.training.compose import BACKDROP, Composer, Mixture
from generation.training.diffusion import CURRICULUM, Stage
from generation.training.vocabulary import BACKGROUND, COLOURS, things

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


def test_favoured_colours_are_drawn_as_many_times_as_often_as_was_said() -> None:
    composer, rng = Composer(things(1), {}, 2, favoured_colours=("gray", "brown"), backdrop=0), random.Random(1)
    count = Counter(composer.scene(rng, Mixture(coloured=1.0)).placements[0].colour for _ in range(SCENES))
    del count["white"]  # some of the near-white backgrounds are called white, and no thing has its background's colour
    often = [count.pop("gray"), count.pop("brown")]
    assert set(count) == set(COLOURS) - {"gray", "brown", "white"}
    assert sum(often) / 2 == pytest.approx(2 * sum(count.values()) / len(count), rel=0.1)


@pytest.mark.parametrize("backdrop", [0.0, BACKDROP, 0.6, 1.0])
def test_so_many_backgrounds_have_a_colour_that_can_be_named(backdrop: float) -> None:
    composer, rng = Composer(things(1), {}, backdrop=backdrop), random.Random(1)
    captions = [composer.scene(rng, Mixture(single=1.0)).caption for _ in range(SCENES)]
    named = [caption for caption in captions if caption.endswith(BACKGROUND) and f"white {BACKGROUND}" not in caption]
    assert len(named) / SCENES == pytest.approx(backdrop * 10 / 11, abs=0.03)  # white is named for near-white too


@pytest.mark.parametrize("stage", CURRICULUM, ids=lambda stage: str(stage.until))
def test_a_stage_favours_things_that_it_shows_and_its_shares_are_a_whole(stage: Stage) -> None:
    assert set(stage.favoured) <= {thing.label for thing in things(stage.wave)}
    assert sum(vars(stage.mixture).values()) == pytest.approx(1)
