"""Pictures of the things that training scenes hold, as far as a test needs any."""

from __future__ import annotations

import numpy as np

from generation.training.sprites import SIDE, Rgba
from generation.training.vocabulary import ALL_WAVES, things


def discs() -> dict[str, Rgba]:
    """A disc in a colour of its own for each thing."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    disc = (rows**2 + columns**2 < (SIDE / 2) ** 2).astype(np.uint8)[..., None]
    draw = np.random.default_rng(0)
    return {thing.label: disc * np.array([*draw.integers(0, 255, 3), 255], np.uint8) for thing in things(ALL_WAVES)}
