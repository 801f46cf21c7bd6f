"""A picture beside the training pictures that it resembles most, each with its place in the picture and its distance.

Draws what was found (`generation.pictures.nearest`) and searches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from generation.pictures import draw
from generation.pictures.nearest import Resemblance

SIDE = 256  # pixels of each frame
GAP = 16  # pixels between frames and around them
LINES = 2  # of caption
MARKS = ((240, 178, 50), (88, 200, 250), (240, 110, 170))  # of the places, in order
HEAD = "closest in the training set · distance in grey levels of 255"
NOTHING = "nothing in the training set is like it"


def draw_resemblance(picture: bytes, found: Sequence[tuple[Resemblance, Image.Image]]) -> bytes:
    """The figure as PNG: the picture with the places marked, then each training picture with its name and distance.

    Args:
        picture: the encoded picture.
        found: what it resembles, the most telling first, each with its training picture.

    Raises:
        PictureError: the picture cannot be read.
    """
    whole = draw.open_rgb(picture)
    columns = 1 + max(1, len(found))
    caption = LINES * (draw.CAPTION + 2) + 8
    head = draw.CAPTION + GAP
    sheet = Image.new("RGB", (columns * (SIDE + GAP) + GAP, head + SIDE + caption + 2 * GAP), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    title = HEAD if found else NOTHING
    canvas.text(
        (GAP, GAP // 2), title, draw.QUIET_TEXT, draw.font_for(title, sheet.width - 2 * GAP, draw.CAPTION), "la"
    )
    top = head + GAP // 2
    width, height = draw.fitted_size(*whole.size, SIDE)
    scale = min(1.0, SIDE / max(width, height))
    size = (round(width * scale), round(height * scale))
    sheet.paste(draw.resized(whole, size), (GAP, top))
    _caption(canvas, 0, top, ("your picture", ""))
    for column, (one, thumbnail) in enumerate(found, 1):
        mark = MARKS[(column - 1) % len(MARKS)]
        left = GAP + column * (SIDE + GAP)
        sheet.paste(draw.resized(thumbnail, (SIDE, SIDE)), (left, top))
        canvas.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), outline=mark, width=4)
        edges = (edge * side for edge, side in zip(one.box, (size[0], size[1]) * 2, strict=True))
        x0, y0, x1, y1 = edges
        canvas.rectangle((GAP + x0, top + y0, GAP + x1 - 1, top + y1 - 1), outline=mark, width=3)
        _caption(canvas, column, top, (one.full_name, f"distance {one.distance:.1f}"))
    return draw.png(sheet)


def _caption(canvas: ImageDraw.ImageDraw, column: int, top: int, lines: tuple[str, str]) -> None:
    middle = GAP + column * (SIDE + GAP) + SIDE / 2
    for row, (line, colour) in enumerate(zip(lines, (draw.TEXT, draw.QUIET_TEXT), strict=True)):
        below = top + SIDE + 6 + row * (draw.CAPTION + 2)
        canvas.text((middle, below), line, colour, draw.font_for(line, SIDE, draw.CAPTION), "ma")
