"""The judge learns from composed scenes, the one of colours twice, and is taught only once per folder."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from generation.training.compose import Composer, Mixture
from generation.training.judge import train_judge, whole
from generation.training.latents import HALF, fit
from generation.training.vocabulary import ACCESSORIES, things
from tests.generation.sprites import discs

FEW = {"fox", "cat face", "rocket", *ACCESSORIES}


@pytest.fixture
def composer() -> Composer:
    return Composer([thing for thing in things(1) if thing.label in FEW or thing.mount], discs())


@pytest.fixture
def folder(tmp_path: Path, composer: Composer) -> Path:
    """A working folder with the latent code, which is all that a judge needs of it."""
    draw = random.Random(0)
    seen = [composer.paint(composer.scene(draw, Mixture(single=1.0)), HALF) for _ in range(40)]
    fit(np.stack(seen)).save(tmp_path / "code.npz")
    return tmp_path


@pytest.mark.parametrize(("grey", "lessons"), [(False, [4, 2]), (True, [4])])
def test_only_the_judge_of_colours_learns_a_second_time(
    folder: Path, composer: Composer, grey: bool, lessons: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    def taught() -> list[int]:
        return [int(steps) for steps in re.findall(r"judge: step 0 of (\d+)", capsys.readouterr().out)]

    judge = train_judge(folder, composer, grey=grey, steps=4)
    assert taught() == lessons
    again = train_judge(folder, composer, grey=grey, steps=4)
    assert taught() == [], "what is in the folder is not taught anew"
    for one, other in zip(judge.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_judge_learns_to_tell_things_apart(folder: Path, composer: Composer) -> None:
    judge = train_judge(folder, composer, grey=False, steps=24)
    draw = random.Random(5)
    scenes = [composer.scene(draw, Mixture(canonical=1.0)) for _ in range(40)]
    rankings = judge.ranking([whole(composer.paint(scene, 128)) for scene in scenes], "thing")
    right = sum(ranks[0] == scene.placements[0].label for ranks, scene in zip(rankings, scenes, strict=True))
    assert right > 20, "of forty, among fewer than ten things"
