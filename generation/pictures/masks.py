"""Masks: which part of a picture is made anew (white) and which is kept (black), and how people are shown it.

Made of where words of the prompt were attended to. Knows no model and no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from generation.pictures import draw
from generation.pictures.words import word_mask
from generation.word_maps import WordMap

LEVEL: Final = 0.4  # of the way from a map's mean to its highest value: from there on the word is there
MARGIN: Final = 0.06  # of the shorter side, by which the part is widened: a change seldom ends at the old outline
TINT: Final = 0.55  # how much the kept part is darkened where the mask is shown


def mask_of(maps: Sequence[WordMap], width: int, height: int) -> bytes | None:
    """The part of a picture of that size (pixels) where any of these words is, as PNG; None: there are no words."""
    if not maps:
        return None
    mask = Image.new("L", (width, height), 0)
    for word in maps:
        mask = ImageChops.lighter(mask, word_mask(word, width, height, LEVEL))
    whole = mask.point(lambda value: 255 if value >= 128 else 0)
    reach = max(1, round(MARGIN * min(width, height))) * 2 + 1
    return draw.png(whole.filter(ImageFilter.MaxFilter(reach)))


def draw_mask(picture: bytes, mask: bytes) -> bytes:
    """The picture with all that was kept darkened and the part that was made anew as it is, outlined; PNG.

    Raises:
        PictureError: one of them is damaged.
    """
    image = draw.open_rgb(picture)
    part = draw.open_rgb(mask).convert("L").resize(image.size).point(lambda value: 255 if value >= 128 else 0)
    shaded = Image.blend(image, Image.new("RGB", image.size, draw.BACKGROUND), TINT)
    shaded.paste(image, mask=part)
    width = max(1, round(0.01 * min(image.size))) * 2 + 1
    rim = np.asarray(part.filter(ImageFilter.MaxFilter(width))).astype(int) - np.asarray(part)
    shaded.paste(draw.ACCENT, mask=Image.fromarray(rim.clip(0, 255).astype(np.uint8)))
    return draw.png(shaded)
