"""The figures that answers bring: the schedule, pictures side by side, and what a picture resembles."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from generation.likeness import Likenesses
from generation.models import POCKET_FOLDER, Models, pocket_model
from generation.pictures import draw
from generation.pictures.nearest import TrainingSet
from generation.pictures.resemblance import GAP, SIDE, draw_resemblance
from generation.pictures.schedule import CHANGE, LEFT, RIGHT, WIDTH, draw_schedule
from generation.pictures.side_by_side import draw_side_by_side


def opened(content: bytes) -> np.ndarray:  # type: ignore[type-arg]  # of whatever Pillow makes
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def near(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:  # type: ignore[type-arg]
    return np.abs(pixels - np.array(colour)).sum(-1) < 45


def test_the_curve_falls_from_all_noise_to_none() -> None:
    plot = opened(draw_schedule([0.9, 0.5, 0.1, 0.0]))
    rows = [np.flatnonzero(near(plot[90:], draw.ACCENT)[:, x]) for x in range(LEFT + 20, WIDTH - RIGHT - 20, 40)]
    assert all(row.size for row in rows), [row.size for row in rows]
    heights = [row.mean() for row in rows]
    assert heights == sorted(heights) and heights[-1] - heights[0] > 250
    assert not near(plot, CHANGE).any(), "no figures of change, no bars"


def test_the_largest_change_has_the_tallest_bar() -> None:
    plot = opened(draw_schedule([0.75, 0.5, 0.25, 0.0], [9.0, 0.1, 0.4, 0.2]))
    columns = near(plot[100:], CHANGE).sum(0)
    tallest = int(columns.argmax())
    assert abs(tallest - (LEFT + (WIDTH - LEFT - RIGHT) * 3 / 4)) < 90, "step 3; the first step's does not count"


@pytest.mark.parametrize("levels", [[1.0], [0.5] * 150, [float("nan"), 0.2], [2.0, -1.0]])
def test_odd_schedules_are_drawn_too(levels: list[float]) -> None:
    assert opened(draw_schedule(levels, levels)).shape[2] == 3


def test_pictures_stand_side_by_side_whatever_their_form() -> None:
    wide, tall = (draw.png(Image.new("RGB", size, colour)) for size, colour in (((64, 32), "red"), ((32, 64), "blue")))
    both = opened(draw_side_by_side([(wide, "picture 1"), (tall, "picture 2")]))
    assert near(both, (255, 0, 0)).any() and near(both, (0, 0, 255)).any()
    with pytest.raises(draw.PictureError):
        draw_side_by_side([])


async def test_a_picture_is_shown_beside_what_it_resembles(tmp_path) -> None:  # type: ignore[no-untyped-def]
    known = TrainingSet.load(POCKET_FOLDER)
    canvas = Image.new("RGB", (128, 128), "white")
    canvas.paste(known.thumbnail("pizza", None, 96), (16, 16))
    path = tmp_path / "picture.png"
    canvas.save(path)
    figure = opened(await Likenesses(Models((pocket_model(),))).figure("pocket", path))
    assert figure.shape[1] >= 2 * (SIDE + GAP) + GAP
    empty = opened(draw_resemblance(draw.png(Image.new("RGB", (128, 128), "white")), []))
    assert empty.shape[1] == 2 * (SIDE + GAP) + GAP
