"""A person's own drawing or photo, made fit to start from: checked, upright, without metadata, not too large, as PNG.

Whatever somebody sends is met here first, so nothing of it is believed: neither its name nor what it says of itself.
Knows no model: cutting it to a picture's size is the worker's.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from generation.errors import RequestError
from generation.pictures.draw import png

MOST_BYTES: Final = 20 * 2**20
MOST_PIXELS: Final = 64 * 10**6
LONGEST_SIDE: Final = 2_048  # pixels of what is kept
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
READABLE: Final = "send a PNG, JPEG or WebP"
_BROKEN: Final = (
    UnidentifiedImageError,
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def check_size(size: int) -> None:
    """Before a file is fetched: whether it may be of so many bytes.

    Raises:
        RequestError: it is too large.
    """
    if size > MOST_BYTES:
        raise RequestError(
            f"That file has {size / 2**20:.0f} MB; a picture to start from may have {MOST_BYTES // 2**20} MB at most."
        )


def starting_picture(content: bytes) -> bytes:
    """The file's picture as PNG, RGB, with sides of at most `LONGEST_SIDE` pixels; transparent parts are white.

    Raises:
        RequestError: it is too large, moves, or is no picture that can be read.
    """
    check_size(len(content))
    head = content[:512].lstrip().lower()
    if head.startswith((b"<svg", b"<?xml", b"<!doctype")):
        raise RequestError(f"I cannot read SVG drawings; {READABLE} to start from.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return png(_flat(_still(image)))
    except _BROKEN as error:
        raise RequestError(f"That file is no picture that I can read; {READABLE} to start from.") from error


def _still(image: Image.Image) -> Image.Image:
    if image.width * image.height > MOST_PIXELS:
        raise RequestError(f"That picture is larger than {MOST_PIXELS // 10**6} megapixels; please scale it down.")
    if getattr(image, "is_animated", False):
        raise RequestError(f"That picture moves, and I can start from a still one only; {READABLE}.")
    return image


def _flat(image: Image.Image) -> Image.Image:
    """Upright, opaque, and small enough; decoding is done here."""
    image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded no larger than that, which saves memory
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    coloured = upright.convert("RGBA")
    flat = Image.new("RGB", coloured.size, "white")
    flat.paste(coloured, mask=coloured.getchannel("A"))
    return flat
