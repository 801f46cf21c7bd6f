"""Makes a picture's file small enough for who has to take it, and gives the whole of one that is too large in parts.

`fitting` gives up exactness for size, by as little as it can; `exact_parts` gives up nothing. All calls block.
"""

from __future__ import annotations

import io

from PIL import Image

QUALITIES = (95, 90, 80, 65)  # of WebP, best first
WEBP_SIDE = 16_383  # pixels; the format's limit
MOST_PARTS = 10
LOSSLESS_EFFORT = 40  # 0 to 100; more takes much longer and gains little


class DoesNotFit(Exception):
    """No way is known to give the picture exactly within the limit."""


def fitting(content: bytes, suffix: str, limit: int) -> tuple[bytes, str]:
    """The file itself if it has at most `limit` bytes; else as WebP, as good and as large as fits.

    Returns:
        the content and its suffix.
    """
    if len(content) <= limit:
        return content, suffix
    picture = _opened(content)
    picture.thumbnail((WEBP_SIDE, WEBP_SIDE))
    while True:
        for quality in QUALITIES:
            smaller = _webp(picture, quality=quality)
            if len(smaller) <= limit or max(picture.size) <= 1:
                return smaller, ".webp"
        picture = picture.resize((max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4)))


def exact_parts(content: bytes, suffix: str, limit: int) -> list[tuple[bytes, str]]:
    """The picture with every pixel as it is: the file, else as lossless WebP, else that in bands from top to bottom.

    Raises:
        DoesNotFit: ten bands are not enough.
    """
    if len(content) <= limit:
        return [(content, suffix)]
    picture = _opened(content)
    for count in range(1, MOST_PARTS + 1):
        height = -(-picture.height // count)
        tops = range(0, picture.height, height)
        if max(picture.width, height) > WEBP_SIDE:
            continue
        parts: list[tuple[bytes, str]] = []
        for top in tops:
            band = picture.crop((0, top, picture.width, min(top + height, picture.height)))
            parts.append((_webp(band, lossless=True), ".webp"))
            if len(parts[-1][0]) > limit:
                break
        else:
            return parts
    raise DoesNotFit


def _opened(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    return picture.convert("RGBA" if "A" in picture.getbands() else "RGB")


def _webp(picture: Image.Image, *, quality: int = 100, lossless: bool = False) -> bytes:
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=LOSSLESS_EFFORT if lossless else quality, lossless=lossless, method=2)
    return out.getvalue()
