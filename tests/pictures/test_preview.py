"""Live previews: at the shape of the final picture, the blurrier the more noise is left."""

import io

import pytest
from PIL import Image, ImageDraw, ImageStat

from generation.pictures.preview import MAX_SIDE, render_preview


def checkerboard() -> bytes:
    picture = Image.new("RGB", (32, 32))
    canvas = ImageDraw.Draw(picture)
    for i in range(64):
        x, y = i % 8, i // 8
        canvas.rectangle((4 * x, 4 * y, 4 * x + 3, 4 * y + 3), "white" if (x + y) % 2 else "black")
    out = io.BytesIO()
    picture.save(out, "WEBP", lossless=True)
    return out.getvalue()


def contrast(preview: bytes) -> float:
    return float(ImageStat.Stat(Image.open(io.BytesIO(preview)).convert("L")).stddev[0])


def test_the_picture_comes_into_focus_as_the_noise_goes() -> None:
    contrasts = [
        contrast(render_preview(checkerboard(), width=128, height=128, noise_level=level)) for level in (1, 0.5, 0)
    ]
    assert contrasts[0] < contrasts[1] < contrasts[2]


@pytest.mark.parametrize("size, shown", [((128, 96), (128, 96)), ((1024, 512), (MAX_SIDE, 256)), ((64, 64), (64, 64))])
def test_it_has_the_shape_of_the_final_picture_up_to_a_limit(size: tuple[int, int], shown: tuple[int, int]) -> None:
    preview = render_preview(checkerboard(), width=size[0], height=size[1], noise_level=0.3)
    assert Image.open(io.BytesIO(preview)).size == shown
