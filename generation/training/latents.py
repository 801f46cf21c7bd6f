"""The latent space of the pocket model: principal components of picture patches.

A picture of 128x128 pixels is halved to 64x64, cut into an 8x8 grid of patches of 8x8 pixels, and
each patch (192 numbers) is written as its first 40 principal components: a latent of 40x8x8. The
basis is found once from training scenes; the encoder of the shipped `AutoencoderKL` does the same
by its weights (see `vae`). A fixed linear code is what a CPU can afford: training encoder, decoder
and code together reached 19 dB in the time in which this code with a trained decoder passed 30.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHANNELS = 40
GRID = 8  # latent cells a side
PATCH = 8  # pixels a side of a patch of the halved picture
HALF = GRID * PATCH  # pixels a side of the halved picture
FULL = 2 * HALF

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8] | Floats  # 0..255


@dataclass(frozen=True)
class Code:
    """The linear code of one patch: `(patch - mean) @ encode`, and back by `@ decode`."""

    mean: Floats  # [192]
    encode: Floats  # [192, CHANNELS], scaled so that latents have about unit deviation
    decode: Floats  # [CHANNELS, 192]

    deviation: Floats  # [CHANNELS], of latents of training pictures

    def save(self, path: Path) -> None:
        np.savez(path, mean=self.mean, encode=self.encode, decode=self.decode, deviation=self.deviation)

    @classmethod
    def load(cls, path: Path) -> Code:
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["mean"], arrays["encode"], arrays["decode"], arrays["deviation"])

    def latents(self, halves: Pixels) -> Floats:
        """Pictures [n, 64, 64, 3] as latents [n, CHANNELS, 8, 8]."""
        coded = (patches(halves) - self.mean) @ self.encode
        return np.ascontiguousarray(coded.transpose(0, 3, 1, 2))

    def halves(self, latents: Floats) -> NDArray[np.uint8]:
        """Latents [n, CHANNELS, 8, 8] decoded linearly to pictures [n, 64, 64, 3]."""
        flat = latents.transpose(0, 2, 3, 1) @ self.decode + self.mean
        count = len(latents)
        grid = flat.reshape(count, GRID, GRID, PATCH, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
        return ((grid.reshape(count, HALF, HALF, 3).clip(-1, 1) + 1) * 127.5).astype(np.uint8)


def patches(halves: Pixels) -> Floats:
    """Pictures [n, 64, 64, 3] as patches [n, 8, 8, 192] in -1..1, a patch's rows first, colours last."""
    count = len(halves)
    scaled = halves.astype(np.float32) / 127.5 - 1
    cut = scaled.reshape(count, GRID, PATCH, GRID, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(count, GRID, GRID, PATCH * PATCH * 3)


def fit(halves: Pixels) -> Code:
    """Principal components of these pictures' patches.

    Each component is brought towards unit deviation, later ones less so (their deviation falls with
    the fifth root of their variance): fully whitened, the fine ones would drown the coarse in the loss.
    Latents far from unit deviation make the noise schedule wrong, so this is checked by the caller.
    """
    flat = patches(halves).reshape(-1, PATCH * PATCH * 3)
    mean = flat.mean(0)
    centred = flat - mean
    variance, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(-variance)[:CHANNELS]
    variance, vectors = variance[order], vectors[:, order]
    scale = 1 / np.sqrt(np.maximum(variance, 1e-6)) * (variance / variance[0]) ** 0.2
    return Code(
        mean.astype(np.float32),
        (vectors * scale).astype(np.float32),
        (vectors / scale).T.astype(np.float32).copy(),
        (np.sqrt(variance) * scale).astype(np.float32),
    )
