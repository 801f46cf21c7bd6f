"""The grid of an experiment: every picture with what was changed, and how far it lies from the original."""

from __future__ import annotations

from PIL import Image, ImageDraw

from generation.experiments import CellResult, Study
from generation.pictures import draw
from generation.pictures.strip import columns_for

FRAME_SIDE = 256  # pixels; a picture has the area of such a square
GAP = 16
MIN_CELL_WIDTH = 200
TYPE = 28
CELL_TEXT = 2 * (TYPE + 4) + 8
FRAME = 5  # pixels around the original
HEAD = TYPE + 22
LEGEND = "number: mean difference to the original, in grey levels of 255"


def draw_experiment(study: Study) -> bytes:
    """All cells of a study side by side, the original framed, as PNG.

    Raises:
        PictureError: a picture cannot be read.
    """
    pictures = [draw.open_rgb(cell.picture) for cell in study.cells]
    size = draw.fitted_size(*pictures[0].size, FRAME_SIDE)
    cell = (max(size[0], MIN_CELL_WIDTH), size[1] + CELL_TEXT)
    columns = columns_for(len(pictures), *cell)
    rows = -(-len(pictures) // columns)
    width = columns * (cell[0] + GAP) + GAP
    sheet = Image.new("RGB", (width, HEAD + rows * (cell[1] + GAP) + GAP // 2), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    canvas.text((width / 2, 12), LEGEND, draw.QUIET_TEXT, draw.font_for(LEGEND, width - 2 * GAP, TYPE - 4), "ma")
    for index, (result, picture) in enumerate(zip(study.cells, pictures, strict=True)):
        row, column = divmod(index, columns)
        left = GAP + column * (cell[0] + GAP) + (cell[0] - size[0]) // 2
        top = HEAD + row * (cell[1] + GAP)
        if result.facts is None:
            box = (left - FRAME, top - FRAME, left + size[0] + FRAME - 1, top + size[1] + FRAME - 1)
            canvas.rectangle(box, outline=draw.ACCENT, width=FRAME)
        sheet.paste(_fitted(picture, size), (left, top))
        _caption(canvas, result, (left + size[0] // 2, top + size[1] + 8), cell[0])
    return draw.png(sheet)


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture within that size, whatever its own proportions."""
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inside = draw.resized(picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    if inside.size == size:
        return inside
    whole = Image.new("RGB", size, draw.BACKGROUND)
    whole.paste(inside, ((size[0] - inside.width) // 2, (size[1] - inside.height) // 2))
    return whole


def _caption(canvas: ImageDraw.ImageDraw, result: CellResult, place: tuple[int, int], width: int) -> None:
    middle, top = place
    canvas.text((middle, top), result.label, draw.TEXT, draw.font_for(result.label, width, TYPE), "ma")
    if result.facts is None:
        number, colour = "original", draw.ACCENT
    elif result.difference is None:
        number, colour = "another size", draw.QUIET_TEXT
    else:
        number, colour = f"Δ {result.difference.mean:.1f}", draw.QUIET_TEXT
    canvas.text((middle, top + TYPE + 4), number, colour, draw.font(TYPE), "ma")
