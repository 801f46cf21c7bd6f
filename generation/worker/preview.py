"""A quick look at latents: one linear map from each latent cell to a few pixels, instead of the decoder.

The map is fitted once when a model is loaded, by ridge regression on a few latents that the model itself made, against
what its decoder makes of them. A cell of c channels can tell at most c numbers, so it maps to p x p RGB pixels with
3 * p * p <= c: 4 channels give 1 pixel a cell, 16 give 2 x 2, 40 give 3 x 3.
Reference: "Decoding latents to RGB without upscaling", discuss.huggingface.co/t/23204.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch.nn import functional

RIDGE = 3e-3  # per sample; tried 1e-4 to 3e-2 on pictures that the fit had not seen
MAX_SIDE = 256  # pixels of a preview
WEBP_QUALITY = 70
PAUSE = 0.3  # seconds between two previews of a job, at least; nobody is shown more
SHARE = 0.03  # of the time, that the previews of all jobs may take together
FIRST_GUESS = 0.005  # seconds that a preview takes


@dataclass(frozen=True)
class PreviewMap:
    """weights: (channels + 1) x (3 * p * p), the last row is the bias."""

    weights: torch.Tensor
    pixels_per_cell: int

    def apply(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents 1 x channels x height x width as 3 x (p * height) x (p * width), 0..1."""
        _, _, height, width = latents.shape
        flat = _cells(latents.float().cpu()) @ self.weights
        grid = flat.T.reshape(1, -1, height, width)
        return functional.pixel_shuffle(grid, self.pixels_per_cell)[0].clamp(0, 1)

    def webp(self, latents: torch.Tensor, width: int, height: int) -> bytes:
        """A small WebP with the proportions of the finished picture, `width` x `height` pixels."""
        picture = (self.apply(latents).permute(1, 2, 0) * 255).round().to(torch.uint8)
        scale = min(1.0, MAX_SIDE / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = Image.fromarray(picture.numpy()).resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=WEBP_QUALITY, method=0)
        return buffer.getvalue()


class Pace:
    """How long a job waits from one preview to the next: the more jobs there are and the dearer previews, the longer.

    Else previews of many jobs at once would keep those very jobs waiting.
    """

    def __init__(self, jobs: Callable[[], int]) -> None:
        self._jobs = jobs
        self._cost = FIRST_GUESS

    def took(self, seconds: float) -> None:
        """Note what a preview cost."""
        self._cost += (seconds - self._cost) / 8

    def pause(self) -> float:
        """Seconds until the same job's next preview."""
        return max(PAUSE, self._jobs() * self._cost / SHARE)


def fit(latents: torch.Tensor, pictures: torch.Tensor) -> PreviewMap:
    """The map that best explains `pictures` (n x 3 x H x W) by `latents` (n x channels x h x w).

    Pictures are best given as the decoder left them: cut to 0..1 they are less linear, and previews turn out pale.
    """
    channels, height, width = latents.shape[1:]
    p = max(1, math.isqrt(channels // 3))
    small = functional.interpolate(pictures.float(), size=(height * p, width * p), mode="area")
    target = functional.pixel_unshuffle(small, p)
    x = _cells(latents.float()).double()
    y = _cells(target)[:, :-1].double()
    penalty = RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    penalty[-1, -1] = 0.0  # the bias is free
    weights = torch.linalg.solve(x.T @ x + penalty, x.T @ y)
    return PreviewMap(weights.float(), p)


def _cells(grid: torch.Tensor) -> torch.Tensor:
    """n x c x h x w as (n * h * w) x (c + 1), the last column ones."""
    flat = grid.permute(0, 2, 3, 1).reshape(-1, grid.shape[1])
    return torch.cat([flat, torch.ones(len(flat), 1, dtype=flat.dtype)], dim=1)
