"""What is done to a picture after diffusion, and what is told of it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from generation.errors import ModelError, RequestError
from generation.worker.touch_up import repair, smooth_edges, touch_up
from generation.worker.upscaler import Upscaler


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=np.int16)


def drawing() -> Image.Image:
    """A slanted edge with stairs, a thin line, and a soft texture."""
    image = Image.new("RGB", (96, 64), (40, 60, 80))
    canvas = ImageDraw.Draw(image)
    canvas.polygon([(0, 63), (95, 40), (95, 63)], fill=(230, 200, 90))
    canvas.line([(5, 5), (80, 18)], fill=(250, 250, 250))
    rng = np.random.default_rng(1)
    return Image.fromarray((pixels(image) + rng.integers(-4, 5, (64, 96, 3))).clip(0, 255).astype(np.uint8))


def test_repair_removes_lone_specks_and_leaves_lines_edges_and_texture_alone() -> None:
    clean = drawing()
    spoiled = pixels(clean).copy()
    specks = [(30, 20), (10, 60), (50, 80), (0, 0)]
    for y, x in specks:
        spoiled[y, x] = (0, 255, 0)
    repaired, told = repair(Image.fromarray(spoiled.astype(np.uint8)))
    difference = np.abs(pixels(repaired) - pixels(clean)).max(axis=2)
    assert all(difference[y, x] <= 12 for y, x in specks)
    assert told == "4 isolated specks replaced by the median around"
    assert np.count_nonzero(difference > 12) == 0, "nothing else was touched"
    assert repair(clean)[1] == "no specks found"


def test_smoothing_makes_stairs_flatter_without_blurring_across_the_edge() -> None:
    image = Image.new("L", (200, 60))
    ImageDraw.Draw(image).polygon([(0, 59), (199, 20), (199, 59)], fill=255)
    rough = image.convert("RGB")
    smooth = pixels(smooth_edges(rough))[..., 0].astype(float)
    before = pixels(rough)[..., 0].astype(float)
    true_height = 59 - np.arange(200) * 39 / 199
    inner = slice(10, 190)
    stairs = np.abs(59.5 - before.sum(axis=0) / 255 - true_height)[inner]
    left = np.abs(59.5 - smooth.sum(axis=0) / 255 - true_height)[inner]
    assert left.std() < 0.75 * stairs.std(), "columns end nearer to the true edge"
    assert np.count_nonzero((smooth > 25) & (smooth < 230), axis=0)[inner].max() <= 3, "the edge stays sharp"
    assert np.array_equal(smooth[:5, :100], before[:5, :100]), "what is no edge is left alone"


def test_all_touches_are_done_in_their_order_and_each_says_what_it_did() -> None:
    picture, lines = touch_up(drawing(), ["sharpen", "upscale", "smooth", "repair"], None)
    assert [line.partition(":")[0] for line in lines] == ["repair", "smooth", "upscale", "sharpen"]
    assert picture.size == (192, 128)
    assert "Lanczos resampling, which adds no detail" in lines[2]


def test_sharpening_makes_edges_steeper() -> None:
    soft = drawing().resize((48, 32)).resize((96, 64))
    sharp, _ = touch_up(soft, ["sharpen"], None)
    assert np.abs(np.diff(pixels(sharp), axis=0)).mean() > 1.1 * np.abs(np.diff(pixels(soft), axis=0)).mean()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 50)])
def test_the_smallest_pictures_survive_every_touch(size: tuple[int, int]) -> None:
    picture, _ = touch_up(Image.new("RGB", size, (9, 9, 9)), ["repair", "smooth", "upscale", "sharpen"], None)
    assert picture.size == (size[0] * 2, size[1] * 2)


def test_too_large_a_picture_and_an_unknown_touch_are_refused_with_a_sentence() -> None:
    with pytest.raises(RequestError, match="too large to be upscaled"):
        touch_up(Image.new("RGB", (2049, 8)), ["upscale"], None)
    with pytest.raises(RequestError, match="“polish” is no final touch; there are: repair"):
        touch_up(Image.new("RGB", (8, 8)), ["polish"], None)


def test_a_pickle_is_never_loaded_as_a_model_for_upscaling(tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="no safetensors file"):
        Upscaler(tmp_path / "model.pth", "cpu").enlarged(Image.new("RGB", (8, 8)))


def test_an_operators_model_upscales_and_is_named(tmp_path: Path) -> None:
    """With a small ESRGAN of random weights; its pictures are nonsense, its way through is the real one."""
    spandrel = pytest.importorskip("spandrel", reason="spandrel needs a torchvision that fits torch")
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    torch.manual_seed(0)
    model = RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4)
    save_file(
        {name: part.contiguous() for name, part in model.state_dict().items()}, tmp_path / "tiny-esrgan.safetensors"
    )
    assert spandrel is not None
    upscaler = Upscaler(tmp_path / "tiny-esrgan.safetensors", "cpu")
    assert upscaler.enlarged(Image.new("RGB", (8, 6))).size == (32, 24)
    picture, lines = touch_up(Image.new("RGB", (8, 6)), ["upscale"], upscaler)
    assert picture.size == (16, 12)
    assert lines == ["upscale: 8x6 to 16x12 pixels by the super-resolution model tiny-esrgan, which makes detail up"]


def test_a_damaged_model_for_upscaling_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(io.BytesIO(b"none").getvalue())
    with pytest.raises(ModelError, match=r"cannot be loaded|spandrel, which is not installed"):
        Upscaler(tmp_path / "model.safetensors", "cpu").enlarged(Image.new("RGB", (8, 8)))
