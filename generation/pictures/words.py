"""Word maps over the picture: where each word of the prompt was attended to, all on one scale. Knows no torch.

The scale is common to all words, so that one that had little effect looks weak beside the others, not bright.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from generation.pictures import draw
from generation.word_maps import WordMap, WordMaps, content_words, titles

SHEET_WIDTH = 720  # pixels; a phone leaves a message some 300 of its own
MARGIN = 16
TYPE, SMALL = 28, 23  # pixels
LINE = SMALL + 6
MOST_MAPS = 9  # of the words that got most
COLD, WARM, HOT = (28, 34, 74), (214, 62, 78), (255, 226, 120)
DIMMED = 0.55  # brightness of the picture beneath
FAINT, STRONG = 30, 225  # of 255: how much the heat covers the picture where there is none, and most, of it
MASK_AT = 0.5  # of the way from a word's mean to its strongest place: there the masked part begins
LEGEND = "where the words were attended to, one scale for all"


def draw_word_maps(picture: bytes, maps: WordMaps, wanted: Sequence[str] = ()) -> bytes:
    """One panel for each word that names something (or is `wanted`), with its share and mass, as PNG.

    Args:
        picture: as diffusion left it.
        wanted: words to show, as they are called in `titles`; none: the content words, the strongest where many.

    Raises:
        PictureError: the picture cannot be read.
    """
    image = draw.open_rgb(picture)
    shown = _chosen(maps, wanted)
    columns = 1 if len(shown) == 1 else 2 if len(shown) in (2, 4) else 3
    rows = -(-len(shown) // columns)
    side = (SHEET_WIDTH - (columns + 1) * MARGIN) // columns
    width = min(side, SHEET_WIDTH // 2)
    size = (width, max(1, round(width * image.height / image.width)))
    cell = size[1] + TYPE + 2 * LINE + 8
    head = TYPE + 22
    sheet = Image.new("RGB", (SHEET_WIDTH, head + rows * (cell + MARGIN) + MARGIN // 2), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    canvas.text(
        (SHEET_WIDTH / 2, 12), LEGEND, draw.QUIET_TEXT, draw.font_for(LEGEND, SHEET_WIDTH - 2 * MARGIN, SMALL), "ma"
    )
    most = _most([word for _, word in shown])
    beneath = dimmed(draw.resized(image, size))
    for index, (title, word) in enumerate(shown):
        row, column = divmod(index, columns)
        left = MARGIN + column * (side + MARGIN) + (side - size[0]) // 2
        top = head + row * (cell + MARGIN)
        sheet.paste(heated(beneath, word, most), (left, top))
        _caption(canvas, title, word, (left + size[0] // 2, top + size[1] + 4), side)
    return draw.png(sheet)


def heated(beneath: Image.Image, word: WordMap, most: float) -> Image.Image:
    """The dimmed picture with the word's heat over it; `most` is what the hottest colour stands for."""
    heat = _heat(word, most).resize(beneath.size, Image.Resampling.BICUBIC)
    colours = ImageOps.colorize(heat, COLD, HOT, WARM)
    cover = heat.point([round(FAINT + (STRONG - FAINT) * level / 255) for level in range(256)])
    return Image.composite(colours, beneath, cover)


def dimmed(image: Image.Image) -> Image.Image:
    """The picture, pale and dark enough for heat to be seen over it."""
    return ImageEnhance.Brightness(ImageEnhance.Color(image).enhance(0.35)).enhance(DIMMED)


def word_mask(word: WordMap, width: int, height: int, at: float = MASK_AT) -> Image.Image:
    """Where the word is, as white on black, for a masked edit of a picture of that size; its rim is soft.

    Args:
        at: how far from the word's mean (0) to its strongest place (1) the masked part begins.
    """
    mean, most = word.mass, max(word.values, default=0.0)
    if most <= mean:  # the same everywhere
        return Image.new("L", (width, height), 255)
    edge = mean + at * (most - mean)
    soft = (most - mean) * 0.15
    shares = [min(1.0, max(0.0, (value - edge) / soft + 0.5)) for value in word.values]
    mask = Image.frombytes("L", (word.columns, word.rows), bytes(round(255 * share) for share in shares))
    return mask.resize((width, height), Image.Resampling.BICUBIC)


def _chosen(maps: WordMaps, wanted: Sequence[str]) -> list[tuple[str, WordMap]]:
    named = list(zip(titles(maps.words), maps.words, strict=True))
    if wanted:
        asked = {name.strip().casefold() for name in wanted}
        return [(title, word) for title, word in named if title.casefold() in asked][:MOST_MAPS]
    telling = content_words(maps.words)
    shown = [(title, word) for title, word in named if any(word is each for each in telling)]
    strongest = sorted(shown, key=lambda each: -each[1].mass)[:MOST_MAPS]
    return [each for each in shown if any(each[1] is kept[1] for kept in strongest)]


def _most(words: Sequence[WordMap]) -> float:
    """What the hottest colour stands for: few places of the strongest word have more."""
    highest = [sorted(word.values)[int(len(word.values) * 0.98)] for word in words if word.values]
    return max([*highest, 1e-9])


def _heat(word: WordMap, most: float) -> Image.Image:
    levels = bytes(round(255 * min(1.0, max(0.0, value) / most)) for value in word.values)
    return Image.frombytes("L", (word.columns, word.rows), levels)


def _caption(canvas: ImageDraw.ImageDraw, title: str, word: WordMap, place: tuple[int, int], width: int) -> None:
    middle, top = place
    canvas.text((middle, top), title, draw.TEXT, draw.font_for(title, width, TYPE), "ma")
    if not word.tokens:
        lines = ("beyond what the", "encoder reads")
    else:
        lines = (f"{draw.percent(word.share)} of all words", f"mass {word.mass:.3f}")
    for number, line in enumerate(lines):
        font = draw.font_for(line, width, SMALL)
        canvas.text((middle, top + TYPE + 8 + number * LINE), line, draw.QUIET_TEXT, font, "ma")
