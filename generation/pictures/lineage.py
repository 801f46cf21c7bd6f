"""The lineage: which picture came from which, as a tree of small pictures in one PNG.

Each generation stands below the one before; families stand side by side and wrap like text. Knows no store:
pictures arrive as bytes, and a picture that may not be shown as none.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from generation.pictures import draw

THUMB = 150  # pixels; the longer side of a picture in the tree
CAPTION = 22  # pixels
CELL_WIDTH, CELL_HEIGHT = THUMB + 26, THUMB + 2 * CAPTION + 52  # with the room for lines between generations
MARGIN = 20  # pixels around everything
COLUMNS = 7  # side by side, unless one family is wider

METHODS = {  # how a picture goes on from its parent, in the figure's words
    "words": "new words",
    "again": "new seed",
    "seed": "same seed",
    "image": "from picture",
    "mask": "one part",
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One picture of a lineage. `picture` None: it is there, but not to be shown."""

    id: int
    parent: int | None
    picture: bytes | None
    method: str | None = None


@dataclass(frozen=True)
class _Spot:
    """Where a node stands, in cells; its column may be a half one."""

    column: float
    row: int


def draw_lineage(nodes: Sequence[Node], chosen: int | None = None) -> bytes:
    """The tree as PNG. A parent that is not among the nodes counts as none.

    Args:
        nodes: parents before children.
        chosen: the picture to frame.

    Raises:
        PictureError: there is nothing to draw, or a picture is damaged.
    """
    if not nodes:
        raise draw.PictureError("There is no picture here yet, so there is no lineage to draw.")
    spots = _placed(nodes)
    columns = max(spot.column for spot in spots.values()) + 1
    rows = max(spot.row for spot in spots.values()) + 1
    size = (round(columns * CELL_WIDTH) + 2 * MARGIN, rows * CELL_HEIGHT - 40 + 2 * MARGIN)
    image = Image.new("RGB", size, draw.BACKGROUND)
    canvas = ImageDraw.Draw(image)
    for node in nodes:
        if node.parent in spots:
            _line(canvas, spots[node.parent], spots[node.id])
    for node in nodes:
        _node(image, canvas, node, spots[node.id], chosen=node.id == chosen)
    return draw.png(image)


def _placed(nodes: Sequence[Node]) -> dict[int, _Spot]:
    """Each family under its first picture, in the middle above its children; families one after another."""
    known = {node.id for node in nodes}
    children: dict[int | None, list[int]] = {}
    for node in nodes:
        children.setdefault(node.parent if node.parent in known else None, []).append(node.id)
    spots: dict[int, _Spot] = {}
    left, top, below = 0.0, 0, 0
    for root in children.get(None, []):
        family = _family(root, children)
        width = max(spot.column for spot in family.values()) + 1
        if left and left + width > COLUMNS:
            left, top = 0.0, below
        for member, spot in family.items():
            spots[member] = _Spot(spot.column + left, spot.row + top)
        left += width
        below = max(below, top + 1 + max(spot.row for spot in family.values()))
    return spots


def _family(root: int, children: dict[int | None, list[int]]) -> dict[int, _Spot]:
    """Leaves take the columns in turn; a parent stands above the middle of its children."""
    spots: dict[int, _Spot] = {}
    free = itertools.count()
    waiting: list[tuple[int, int, bool]] = [(root, 0, False)]
    while waiting:  # no recursion: a chain may be long
        member, row, seen = waiting.pop()
        below = children.get(member, [])
        if below and not seen:
            waiting.append((member, row, True))
            waiting += [(child, row + 1, False) for child in reversed(below)]
        elif below:
            spots[member] = _Spot((spots[below[0]].column + spots[below[-1]].column) / 2, row)
        else:
            spots[member] = _Spot(float(next(free)), row)
    return spots


def _corner(spot: _Spot) -> tuple[int, int]:
    return MARGIN + round(spot.column * CELL_WIDTH) + (CELL_WIDTH - THUMB) // 2, MARGIN + spot.row * CELL_HEIGHT


def _line(canvas: ImageDraw.ImageDraw, parent: _Spot, child: _Spot) -> None:
    from_x, from_y = (value + THUMB // 2 for value in _corner(parent))
    to_x, to_y = _corner(child)
    to_x += THUMB // 2
    turn = to_y - 12
    start = _corner(parent)[1] + THUMB + CAPTION + 16
    assert from_y < start  # the line begins below the parent's caption
    canvas.line(((from_x, start), (from_x, turn), (to_x, turn), (to_x, to_y)), fill=draw.QUIET_TEXT, width=3)


def _node(image: Image.Image, canvas: ImageDraw.ImageDraw, node: Node, spot: _Spot, *, chosen: bool) -> None:
    left, top = _corner(spot)
    box = (left, top, left + THUMB - 1, top + THUMB - 1)
    if node.picture is None:
        canvas.rounded_rectangle(box, 8, outline=draw.TRACK, width=3)
        _caption(canvas, "not shown", left, top + THUMB // 2 - CAPTION // 2, draw.QUIET_TEXT)
        return
    picture = draw.open_rgb(node.picture)
    picture.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
    if max(picture.size) < THUMB:
        scale = THUMB / max(picture.size)
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    image.paste(picture, (left + (THUMB - picture.width) // 2, top + (THUMB - picture.height) // 2))
    if chosen:
        canvas.rounded_rectangle((box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5), 8, outline=draw.ACCENT, width=4)
    how = METHODS.get(node.method or "", "") if node.parent is not None else ""
    words = f"#{node.id}" + (f" {how}" if how else "")
    _caption(canvas, words, left, top + THUMB + 6, draw.TEXT)


def _caption(canvas: ImageDraw.ImageDraw, words: str, left: int, top: int, colour: tuple[int, int, int]) -> None:
    font = draw.font_for(words, THUMB, CAPTION)
    canvas.text((left + (THUMB - font.getlength(words)) / 2, top), words, font=font, fill=colour)
