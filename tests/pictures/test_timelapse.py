"""The timelapse plays every step once, holds the picture, and fits under its limit."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from generation.events import Frame
from generation.pictures.draw import PictureError
from generation.pictures.timelapse import FRAME_MS, HOLD_MS, draw_timelapse


def noise_frames(count: int, side: int = 128) -> list[Frame]:
    """Frames of pure noise: the hardest thing to compress."""
    made = []
    for step in range(1, count + 1):
        buffer = io.BytesIO()
        Image.effect_noise((side, side), 100).convert("RGB").save(buffer, "PNG")
        made.append(Frame(step=step, noise_level=1 - step / count, picture=buffer.getvalue()))
    return made


def durations(animation: bytes) -> list[int]:
    with Image.open(io.BytesIO(animation)) as image:
        times = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            times.append(image.info["duration"])
        return times


def test_each_step_shows_equally_long_and_the_last_is_held() -> None:
    assert durations(draw_timelapse(noise_frames(6))) == [FRAME_MS] * 5 + [HOLD_MS]


def test_it_plays_without_end_and_is_webp() -> None:
    with Image.open(io.BytesIO(draw_timelapse(noise_frames(3)))) as image:
        assert (image.format, image.info["loop"]) == ("WEBP", 0)


def test_quality_then_size_are_given_up_to_fit_the_limit() -> None:
    frames = noise_frames(4, 256)
    full = draw_timelapse(frames)
    for limit in (len(full) - 1, len(full) // 2, len(full) // 10):
        assert len(draw_timelapse(frames, max_bytes=limit)) <= limit


def test_a_limit_that_nothing_fits_is_said_in_a_sentence() -> None:
    with pytest.raises(PictureError, match="does not fit into 100 bytes"):
        draw_timelapse(noise_frames(2), max_bytes=100)


def test_no_frames_are_said_in_a_sentence() -> None:
    with pytest.raises(PictureError, match="no recorded steps"):
        draw_timelapse([])


def test_one_step_makes_a_still_picture_that_opens() -> None:
    with Image.open(io.BytesIO(draw_timelapse(noise_frames(1)))) as image:
        image.load()
        assert image.width == 512
