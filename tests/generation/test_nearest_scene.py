"""A model that gives its training scenes back is found out by how near to them it paints."""

from __future__ import annotations

import random
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from generation.pictures.nearest import TILE
from generation.training import index
from generation.training.compose import Composer
from generation.training.diffusion import BATCH, CURRICULUM, Stage, scenes_of
from generation.training.evaluate import Jury, nearest_scene
from generation.training.judge import Judge, Pixels
from tests.generation.sprites import discs

NOBODY = cast("Judge", None)  # nobody judges here
PICTURES = 40 * BATCH


@pytest.fixture(scope="module")
def composers() -> dict[Stage, Composer]:
    sprites = discs()
    return {stage: stage.composer(sprites) for stage in CURRICULUM}


@pytest.fixture
def trained(composers: dict[Stage, Composer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pixels:
    monkeypatch.setattr(index, "THUMBNAILS", 10 * BATCH)
    return index.thumbnails(tmp_path, composers, pictures=PICTURES, seed=0)


def test_training_scenes_are_drawn_again_as_they_were(composers: dict[Stage, Composer], trained: Pixels) -> None:
    assert trained.shape == (10 * BATCH, TILE, TILE, 3)
    composer, scenes = scenes_of(4, composers, seed=0)
    assert scenes == scenes_of(4, composers, seed=0)[1]
    second = trained[BATCH : 2 * BATCH]  # every fourth step
    assert np.array_equal(second, np.stack([index.thumbnail(composer.paint(scene, 2 * TILE)) for scene in scenes]))


def test_who_gives_training_scenes_back_is_nearer_than_true_scenes(
    composers: dict[Stage, Composer], trained: Pixels
) -> None:
    composer, scenes = scenes_of(4, composers, seed=0)

    def give_back(prompts: list[str], first: int) -> list[Pixels]:
        return [composer.paint(random.Random(i).choice(scenes), 128) for i, _ in enumerate(prompts, first)]

    figures = nearest_scene(give_back, Jury(NOBODY, NOBODY, composer), trained, count=12)
    assert figures["nearest_scene_among"] == len(trained)
    assert figures["nearest_scene_median"] < 2 < figures["true_nearest_scene_median"]
    assert figures["nearest_scene_least"] <= figures["nearest_scene_median"]
