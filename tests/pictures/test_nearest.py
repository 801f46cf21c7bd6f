"""Pictures are traced back to the training pictures that they resemble."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation.pictures.nearest import NAMES, NoTrainingSetError, TrainingSet
from generation.vocabulary import VOCABULARY_FILE

GRID = Path(__file__).parents[2] / "docs" / "images" / "pocket-grid"


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    return TrainingSet.load(pocket_folder())


def pocket_folder() -> Path:
    return Path(__file__).parents[2] / "generation" / "pocket"


def grid_pictures() -> list[tuple[str, Image.Image]]:
    """What the released pocket model painted, with the prompts."""
    sheet = Image.open(GRID.with_suffix(".jpg"))
    prompts = GRID.with_suffix(".txt").read_text().splitlines()
    cut = [sheet.crop((i % 8 * 128, i // 8 * 128, i % 8 * 128 + 128, i // 8 * 128 + 128)) for i in range(48)]
    return list(zip(prompts, cut, strict=True))


def test_a_kept_picture_is_found_again_with_hardly_any_distance(training_set: TrainingSet) -> None:
    for name, colour in (("fox", None), ("rocket", None), ("cat", "green")):
        canvas = Image.new("RGB", (128, 128), "white")
        canvas.paste(training_set.thumbnail(name, colour, 96), (16, 16))
        first = training_set.nearest(canvas)[0]
        assert (first.name, first.colour) == (name, colour)
        assert first.distance < 20  # of 255; enlarging blurs
        assert first.box == (0.125, 0.125, 0.875, 0.875)


def test_two_things_side_by_side_are_both_found_where_they_are(training_set: TrainingSet) -> None:
    canvas = Image.new("RGB", (128, 128), "white")
    canvas.paste(training_set.thumbnail("pizza", None, 64), (0, 32))
    canvas.paste(training_set.thumbnail("penguin", None, 64), (64, 32))
    boxes = {found.name: found.box for found in training_set.nearest(canvas)}
    assert boxes["pizza"][0] < 0.2 and boxes["penguin"][0] > 0.4


def test_what_the_model_paints_resembles_the_thing_it_was_asked_for(training_set: TrainingSet) -> None:
    singles = grid_pictures()[:24]
    right = [training_set.nearest(picture)[0].name == prompt.split(" ", 1)[-1] for prompt, picture in singles]
    assert np.mean(right) > 0.75


def test_an_empty_picture_resembles_nothing(training_set: TrainingSet) -> None:
    assert training_set.nearest(Image.new("RGB", (128, 128), (200, 220, 250))) == []


def test_the_record_names_every_taught_thing_and_how_often_it_was_seen(training_set: TrainingSet) -> None:
    taught = [thing["name"] for thing in json.loads((pocket_folder() / VOCABULARY_FILE).read_text())["things"]]
    record = json.loads((pocket_folder() / NAMES).read_text())
    assert [thing["name"] for thing in record["things"]] == taught
    assert all(0 < thing["views"]["plain"] < training_set.seen for thing in record["things"])


def test_a_model_without_a_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoTrainingSetError, match="no record of what this model was trained on"):
        TrainingSet.load(tmp_path)
