"""Sprites: the pictures of Microsoft's Fluent Emoji, cut out and ready to be composed.

Reads two npm packages that the person who trains has installed (`npm install
@lobehub/fluent-emoji-3d@1.1.0 emojibase-data@17` in the working folder): WebP pictures of 256x256
pixels with transparency, and the names that go with them. Nothing of either is kept in the
repository. Knows nothing of captions or of training.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 128  # pixels of a stored sprite
PICTURES = Path("node_modules/@lobehub/fluent-emoji-3d/assets")
NAMES = Path("node_modules/emojibase-data/en/data.json")

Rgba = NDArray[np.uint8]  # [SIDE, SIDE, 4], colour already multiplied by alpha


def sprite_image(sprite: Rgba) -> Image.Image:
    """The sprite as a four-channel Pillow image.

    The mode is CMYK, not RGBA: Pillow would divide and multiply by alpha when it resizes RGBA, which
    leaves white halos on colours that are premultiplied already. CMYK is resized as four plain channels.
    """
    return Image.frombytes("CMYK", (sprite.shape[1], sprite.shape[0]), sprite.tobytes())


def load_sprites(folder: Path, labels: list[str]) -> dict[str, Rgba]:
    """The sprites of these emojibase labels (lower case), each cropped to its outline and centred.

    Raises:
        FileNotFoundError: the npm packages are not installed in `folder`.
        KeyError: a label has no picture.
    """
    pictures = {path.stem.replace("-fe0f", ""): path for path in (folder / PICTURES).glob("*.webp")}
    if not pictures:
        raise FileNotFoundError(
            f"no pictures in {folder / PICTURES}; run: npm install @lobehub/fluent-emoji-3d@1.1.0 emojibase-data@17"
        )
    entries = json.loads((folder / NAMES).read_text())
    codes = {entry["label"].lower().replace("’", "'"): entry["hexcode"].lower() for entry in entries}
    return {label: _cut_out(pictures[codes[label].replace("-fe0f", "")]) for label in labels}


def _cut_out(path: Path) -> Rgba:
    """Crop to the visible part, pad to a square, premultiply, resize to SIDE."""
    pixels = np.asarray(Image.open(path).convert("RGBA")).astype(np.float32) / 255
    pixels[..., :3] *= pixels[..., 3:]
    rows, columns = np.where(pixels[..., 3] > 0.04)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    height, width = bottom - top, right - left
    side = max(height, width)
    square = np.zeros((side, side, 4), np.float32)
    y, x = (side - height) // 2, (side - width) // 2
    square[y : y + height, x : x + width] = pixels[top:bottom, left:right]
    image = sprite_image((square * 255).round().astype(np.uint8))
    resized = image.resize((SIDE, SIDE), Image.Resampling.BOX if side >= 2 * SIDE else Image.Resampling.LANCZOS)
    return np.asarray(resized).copy()
