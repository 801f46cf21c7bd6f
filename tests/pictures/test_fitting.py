"""A picture's file is made to fit, or given whole in parts."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image, ImageChops

from generation.pictures.fitting import DoesNotFit, exact_parts, fitting


def noise(side: int, mode: str = "RGB") -> Image.Image:
    """As large in every format as a picture can be."""
    return Image.frombytes(mode, (side, side), random.Random(7).randbytes(side * side * len(mode)))


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def test_a_file_that_fits_is_left_as_it_is() -> None:
    content = png(noise(32))
    assert fitting(content, ".png", len(content)) == (content, ".png")
    assert exact_parts(content, ".png", len(content)) == [(content, ".png")]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_file_that_is_too_large_becomes_a_webp_that_fits(mode: str, share: float) -> None:
    content = png(noise(200, mode))
    limit = int(len(content) * share)
    smaller, suffix = fitting(content, ".png", limit)
    assert len(smaller) <= limit and suffix == ".webp"
    assert Image.open(io.BytesIO(smaller)).format == "WEBP"


def test_no_limit_is_too_small_to_come_to_an_end() -> None:
    smaller, _ = fitting(png(noise(64)), ".png", 1)
    assert Image.open(io.BytesIO(smaller)).size == (1, 1)


@pytest.mark.parametrize("share", [0.9, 0.4])
def test_the_parts_together_are_the_picture_pixel_by_pixel(share: float) -> None:
    picture = noise(128)
    parts = exact_parts(png(picture), ".png", int(len(png(picture)) * share))
    joined, top = Image.new("RGB", picture.size), 0
    for content, suffix in parts:
        band = Image.open(io.BytesIO(content))
        assert suffix == ".webp"
        joined.paste(band, (0, top))
        top += band.height
    assert top == picture.height and ImageChops.difference(joined, picture).getbbox() is None


def test_what_needs_more_than_ten_parts_is_refused() -> None:
    with pytest.raises(DoesNotFit):
        exact_parts(png(noise(64)), ".png", 100)
