"""The lineage shows who came from whom, also in large and odd families."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from generation.pictures import draw
from generation.pictures.lineage import CELL_HEIGHT, CELL_WIDTH, COLUMNS, MARGIN, THUMB, Node, draw_lineage

RED, GREEN, BLUE = (200, 30, 30), (30, 180, 60), (40, 60, 220)


def painted(colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def drawn(*nodes: Node, chosen: int | None = None) -> Image.Image:
    return Image.open(io.BytesIO(draw_lineage(nodes, chosen))).convert("RGB")


def at(image: Image.Image, column: float, row: int) -> tuple[int, ...]:
    """The colour in the middle of a cell's picture."""
    x = MARGIN + round(column * CELL_WIDTH) + CELL_WIDTH // 2
    pixel = image.getpixel((x, MARGIN + row * CELL_HEIGHT + THUMB // 2))
    assert isinstance(pixel, tuple)
    return pixel


def test_children_stand_below_their_parent_and_it_above_their_middle() -> None:
    image = drawn(
        Node(id=1, parent=None, picture=painted(RED)),
        Node(id=2, parent=1, picture=painted(GREEN), method="again"),
        Node(id=3, parent=1, picture=painted(BLUE), method="seed"),
    )
    assert (at(image, 0.5, 0), at(image, 0, 1), at(image, 1, 1)) == (RED, GREEN, BLUE)


def test_families_stand_side_by_side_and_wrap() -> None:
    image = drawn(*(Node(id=number, parent=None, picture=painted(RED)) for number in range(1, COLUMNS + 2)))
    assert image.width == COLUMNS * CELL_WIDTH + 2 * MARGIN
    assert at(image, COLUMNS - 1, 0) == at(image, 0, 1) == RED and at(image, 1, 1) == draw.BACKGROUND


def test_a_hidden_picture_is_a_gap_and_a_parent_that_is_gone_is_none() -> None:
    image = drawn(Node(id=5, parent=2, picture=None), Node(id=7, parent=5, picture=painted(BLUE, (20, 64))))
    assert at(image, 0, 1) == BLUE and at(image, 0, 0) != RED


def test_the_chosen_picture_is_framed() -> None:
    node = Node(id=1, parent=None, picture=painted(RED))
    corner = (MARGIN + (CELL_WIDTH - THUMB) // 2 - 4, MARGIN + THUMB // 2)
    assert drawn(node, chosen=1).getpixel(corner) == draw.ACCENT and drawn(node).getpixel(corner) == draw.BACKGROUND


def test_a_long_chain_and_a_wide_family_are_drawn_whole() -> None:
    chain = [Node(id=n, parent=n - 1 or None, picture=painted(RED)) for n in range(1, 41)]
    assert drawn(*chain).height > 40 * THUMB
    wide = [Node(id=1, parent=None, picture=painted(RED))]
    wide += [Node(id=n, parent=1, picture=painted(BLUE)) for n in range(2, 14)]
    assert at(drawn(*wide), 11, 1) == BLUE


def test_nothing_to_draw_is_said_and_a_damaged_picture_too() -> None:
    with pytest.raises(draw.PictureError, match="no lineage"):
        draw_lineage([])
    with pytest.raises(draw.PictureError, match="damaged"):
        draw_lineage([Node(id=1, parent=None, picture=b"no picture")])
