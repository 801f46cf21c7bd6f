"""Pictures side by side, each with a caption. Knows nothing of what they show."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from generation.pictures import draw

SIDE = 384  # pixels; a frame has the area of such a square
GAP = 16  # pixels between frames and around them
ROOM = draw.CAPTION + 16  # pixels for a caption


def draw_side_by_side(pictures: Sequence[tuple[bytes, str]]) -> bytes:
    """The pictures as one PNG, in the order given.

    Raises:
        PictureError: there are none, or one that cannot be read.
    """
    if not pictures:
        raise draw.PictureError("There are no pictures to put side by side.")
    images = [draw.open_rgb(content) for content, _ in pictures]
    images = [draw.resized(image, draw.fitted_size(*image.size, SIDE)) for image in images]
    height = max(image.height for image in images)
    sheet = Image.new(
        "RGB", (sum(image.width + GAP for image in images) + GAP, height + ROOM + 2 * GAP), draw.BACKGROUND
    )
    canvas = ImageDraw.Draw(sheet)
    left = GAP
    for image, (_, caption) in zip(images, pictures, strict=True):
        sheet.paste(image, (left, GAP + (height - image.height) // 2))
        font = draw.font_for(caption, image.width, draw.CAPTION)
        canvas.text((left + image.width / 2, GAP + height + 6), caption, draw.TEXT, font, "ma")
        left += image.width + GAP
    return draw.png(sheet)
