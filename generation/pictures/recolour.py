"""One thing in another colour: its shading kept, its hues replaced.

The same arithmetic makes the training pictures and finds them again, so it lives apart from both.
Knows neither things nor colour words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]  # [height, width, 4], colour already multiplied by alpha
LUMA = np.array([0.3, 0.59, 0.11], np.float32)


def recolour(sprite: Rgba, colour: tuple[int, int, int]) -> Rgba:
    """The sprite in one sRGB colour.

    Pixels darker than the sprite's mean become darker shades of the colour, lighter ones go towards
    white; in black and white, where shades are few, the contrast is softened.
    """
    pixels = sprite.astype(np.float32) / 255
    alpha = pixels[..., 3:]
    plain = pixels[..., :3] / np.maximum(alpha, 1e-3)
    light = plain @ LUMA[:, None]
    mean = float((light * alpha).sum() / max(float(alpha.sum()), 1e-3))
    target = np.array(colour, np.float32) / 255
    extreme = float(target @ LUMA) < 0.2 or float(target @ LUMA) > 0.95
    contrast = (light - mean) * (0.6 if extreme else 0.9)
    shaded = np.where(
        contrast < 0, target * (1 + contrast * 1.6), target + (1 - target) * np.minimum(contrast * 1.5, 1)
    )
    mixed = np.clip(shaded * 0.88 + plain * 0.12, 0, 1)
    result: Rgba = (np.concatenate([mixed * alpha, alpha], axis=-1) * 255).round().astype(np.uint8)
    return result
