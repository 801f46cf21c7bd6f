"""The linear look at latents."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from generation.worker import preview


@pytest.mark.parametrize(("channels", "pixels"), [(4, 1), (16, 2), (40, 3), (3, 1), (1, 1)])
def test_a_cell_becomes_as_many_pixels_as_its_channels_can_tell(channels: int, pixels: int) -> None:
    latents = torch.randn(3, channels, 8, 6, generator=torch.Generator().manual_seed(0))
    fitted = preview.fit(latents, torch.rand(3, 3, 128, 96))
    assert fitted.pixels_per_cell == pixels
    assert fitted.apply(latents[:1]).shape == (3, 8 * pixels, 6 * pixels)


def test_a_linear_decoder_is_found_again() -> None:
    """Each 2 x 2 block of pixels is a linear function of its cell: the preview then is the picture."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(8, 16, 8, 8, generator=generator)
    mixing = torch.randn(12, 16, generator=generator) * 0.05
    blocks = torch.einsum("oc,nchw->nohw", mixing, latents) + 0.5
    pictures = torch.nn.functional.pixel_shuffle(blocks, 2)
    fitted = preview.fit(latents[:7], pictures[:7])
    assert (fitted.apply(latents[7:]) - pictures[7].clamp(0, 1)).abs().max() < 0.03


def test_a_preview_is_a_small_webp_with_the_proportions_of_the_picture() -> None:
    fitted = preview.fit(torch.randn(2, 4, 8, 8), torch.rand(2, 3, 64, 64))
    image = Image.open(io.BytesIO(fitted.webp(torch.randn(1, 4, 96, 64), 512, 768)))
    assert image.format == "WEBP"
    assert image.size == (171, 256)
    assert np.asarray(image).std() > 0


def test_previews_of_many_jobs_come_seldom_enough_to_take_a_small_share_of_the_time() -> None:
    jobs = 1
    pace = preview.Pace(lambda: jobs)
    for _ in range(100):
        pace.took(0.006)
    assert pace.pause() == preview.PAUSE
    jobs = 16
    assert jobs * 0.006 / pace.pause() == pytest.approx(preview.SHARE, rel=0.01)
