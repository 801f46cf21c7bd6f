"""The four figures of the backstage tour: noise, words, steps, final touches. Knows no runs and no worker.

Each is drawn for a phone, where a message leaves it some 300 pixels of width: type of 28 pixels is 12 there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

from generation.events import Frame
from generation.pictures import draw

WIDTH = 720  # pixels
MARGIN = 18
TYPE = 28  # pixels
SMALL = 23  # pixels; figures in cells and on axes
CELL_WITH_FIGURE = 52  # pixels
LABELS = 190  # pixels left of rows for the words
MOST_WORDS = 10
ROW = 50  # pixels of a row of numbers
PLOT_HEIGHT = 280
CHANGE = (96, 110, 160)  # how much the picture changed
CHANGE_SHOWN = (140, 165, 255)  # the same at a step of which a frame is shown
NEGATIVE, POSITIVE = (74, 132, 255), (255, 150, 60)
NEAR, FAR = (44, 60, 92), (250, 214, 120)
HEIGHT_LIMIT = 860  # pixels of pictures side by side


LEGEND = TYPE + 34  # pixels above the plot
Colour = tuple[int, int, int]


def draw_pair(pictures: Sequence[tuple[bytes, str]]) -> bytes:
    """One or two pictures with what they are called beneath, side by side, each as large as fits.

    Raises:
        PictureError: one cannot be read.
    """
    opened = [(draw.open_rgb(content), words) for content, words in pictures]
    column = (WIDTH - (len(opened) + 1) * MARGIN) // len(opened)
    height = min(max(image.height * column // image.width for image, _ in opened), HEIGHT_LIMIT)
    sheet = Image.new("RGB", (WIDTH, height + 2 * MARGIN + TYPE + 16), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    for index, (image, words) in enumerate(opened):
        scale = min(column / image.width, height / image.height)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        left = MARGIN + index * (column + MARGIN)
        enlarged = image.resize(size, _resampling(image.width, size[0]))
        sheet.paste(enlarged, (left + (column - size[0]) // 2, MARGIN + (height - size[1]) // 2))
        canvas.text(
            (left + column / 2, MARGIN + height + 12), words, draw.TEXT, draw.font_for(words, column, TYPE), "ma"
        )
    return draw.png(sheet)


def draw_words(words: Sequence[str], numbers: Sequence[Sequence[float]], distances: Sequence[Sequence[float]]) -> bytes:
    """The first words of a prompt as rows of coloured numbers, and a table of how far apart they lie."""
    words, numbers = words[:MOST_WORDS], [list(row) for row in numbers[:MOST_WORDS]]
    count = len(words)
    cell = min(84, (WIDTH - 2 * MARGIN - LABELS) // max(1, count))
    head = TYPE + 18
    table = count * cell + head + TYPE + 20 if count > 1 else 0
    sheet = Image.new("RGB", (WIDTH, MARGIN + head + count * ROW + MARGIN + table + MARGIN // 2), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    dimensions = len(numbers[0]) if numbers else 0
    _heading(canvas, MARGIN, f"each word as numbers (the first {dimensions})")
    top = MARGIN + head
    largest = _high(abs(value) for row in numbers for value in row)
    for index, (word, row) in enumerate(zip(words, numbers, strict=True)):
        y = top + index * ROW
        _label(canvas, f"{index + 1} {word}", y, ROW)
        width = (WIDTH - 2 * MARGIN - LABELS) / max(1, len(row))
        for place, value in enumerate(row):
            left = MARGIN + LABELS + place * width
            colour = _diverging(value / largest)
            canvas.rectangle((left, y + 4, left + width - 1, y + ROW - 6), colour)
    if count > 1:
        _table(canvas, top + count * ROW + MARGIN, cell, words, distances)
    return draw.png(sheet)


def draw_steered(words: Sequence[str], distances: Sequence[Sequence[float]], maps: bytes) -> bytes:
    """The table of how far apart the first words lie, and beneath it the sheet of word maps (PNG).

    Raises:
        PictureError: the sheet cannot be read.
    """
    words, below = words[:MOST_WORDS], draw.open_rgb(maps)
    count = len(words)
    cell = min(64, (WIDTH - 2 * MARGIN - LABELS) // max(1, count))
    table = MARGIN + count * cell + 2 * (TYPE + 18) + MARGIN if count > 1 else 0
    sheet = Image.new("RGB", (WIDTH, table + below.height), draw.BACKGROUND)
    if count > 1:
        _table(ImageDraw.Draw(sheet), MARGIN, cell, words, distances)
    sheet.paste(below, (0, table))
    return draw.png(sheet)


def draw_steps(noise_levels: Sequence[float], changes: Sequence[float], frames: Sequence[Frame]) -> bytes:
    """Frames above a plot of all steps: the noise left as a line, and how much the picture changed as bars."""
    shown = {frame.step for frame in frames}
    top = MARGIN
    pictures = [draw.open_rgb(frame.picture) for frame in frames]
    side = (WIDTH - (len(frames) + 1) * MARGIN) // len(frames) if frames else 0
    size = draw.fitted_size(*pictures[0].size, side) if frames else (0, 0)
    if frames and size[0] > side:
        size = (side, max(1, size[1] * side // size[0]))
    row = size[1] + TYPE + 30 if frames else 0
    height = top + row + LEGEND + PLOT_HEIGHT + TYPE + 2 * MARGIN
    sheet = Image.new("RGB", (WIDTH, height), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    for index, (frame, picture) in enumerate(zip(frames, pictures, strict=True)):
        left = MARGIN + index * (side + MARGIN)
        sheet.paste(draw.resized(picture, size), (left + (side - size[0]) // 2, top))
        canvas.text((left + side / 2, top + size[1] + 8), f"step {frame.step}", draw.TEXT, draw.font(TYPE), "ma")
    _plot(canvas, top + row, noise_levels, changes, shown)
    return draw.png(sheet)


def _plot(
    canvas: ImageDraw.ImageDraw, top: int, noise_levels: Sequence[float], changes: Sequence[float], shown: set[int]
) -> None:
    type_ = draw.font(TYPE)
    known = len(changes) == len(noise_levels) and any(changes)
    _key(canvas, MARGIN, top, "noise left", draw.ACCENT, thickness=6)
    if known:
        _key(canvas, WIDTH // 2 - 20, top, "change in the picture", CHANGE_SHOWN, thickness=22)
    upper = top + LEGEND
    lower, left, right = upper + PLOT_HEIGHT, MARGIN + 86, WIDTH - MARGIN
    for share, words in ((1.0, "100 %"), (0.5, "50 %"), (0.0, "0 %")):
        y = lower - share * PLOT_HEIGHT
        canvas.line((left, y, right, y), draw.TRACK, 2)
        canvas.text((left - 10, y), words, draw.QUIET_TEXT, draw.font(SMALL), "rm")
    count = len(noise_levels)
    width = (right - left) / count
    most = max(changes) if known else 0.0
    for step in range(1, count + 1):
        x = left + (step - 1) * width
        if known:
            bar = changes[step - 1] / most * PLOT_HEIGHT
            gap = min(4.0, width * 0.15)
            box = (x + gap, lower - bar, max(x + gap + 1, x + width - gap), lower)
            canvas.rectangle(box, CHANGE_SHOWN if step in shown else CHANGE)
    line = [(left + (i + 0.5) * width, lower - min(1.0, max(0.0, n)) * PLOT_HEIGHT) for i, n in enumerate(noise_levels)]
    if len(line) > 1:
        canvas.line(line, draw.ACCENT, 6, joint="curve")
    for x, y in line if count <= 12 else ():
        canvas.ellipse((x - 7, y - 7, x + 7, y + 7), draw.ACCENT)
    canvas.text((left, lower + 8), "step 1", draw.QUIET_TEXT, type_, "la")
    if count > 1:
        canvas.text((right, lower + 8), f"step {count}", draw.QUIET_TEXT, type_, "ra")


def _table(
    canvas: ImageDraw.ImageDraw, top: int, cell: int, words: Sequence[str], distances: Sequence[Sequence[float]]
) -> None:
    count = len(words)
    _heading(canvas, top, "how far apart their vectors lie")
    top += TYPE + 18
    figures = [[distances[row][column] for column in range(count)] for row in range(count)]
    apart = [figures[row][column] for row in range(count) for column in range(count) if row != column]
    low, high = min(apart), max(apart)
    for column in range(count):
        x = MARGIN + LABELS + column * cell + cell / 2
        canvas.text((x, top), str(column + 1), draw.QUIET_TEXT, draw.font(TYPE), "ma")
    top += TYPE + 10
    for row, word in enumerate(words):
        y = top + row * cell
        _label(canvas, f"{row + 1} {word}", y, cell)
        for column in range(count):
            left = MARGIN + LABELS + column * cell
            box = (left + 1, y + 1, left + cell - 2, y + cell - 2)
            if row == column:
                canvas.rectangle(box, outline=draw.TRACK)
                continue
            share = (figures[row][column] - low) / (high - low) if high > low else 0.5
            canvas.rectangle(box, _between(NEAR, FAR, share))
            if cell >= CELL_WITH_FIGURE:
                ink = (20, 22, 26) if share > 0.5 else draw.TEXT
                canvas.text((left + cell / 2, y + cell / 2), f"{figures[row][column]:.2f}", ink, draw.font(SMALL), "mm")


def _key(canvas: ImageDraw.ImageDraw, left: int, top: int, words: str, colour: Colour, *, thickness: int) -> None:
    """A mark as in the plot, and what it stands for."""
    middle = top + TYPE * 0.62
    canvas.rectangle((left, middle - thickness / 2, left + 24, middle + thickness / 2), colour)
    canvas.text((left + 36, top), words, colour, draw.font(TYPE))


def _heading(canvas: ImageDraw.ImageDraw, top: int, words: str) -> None:
    canvas.text((MARGIN, top), words, draw.QUIET_TEXT, draw.font_for(words, WIDTH - 2 * MARGIN, TYPE), "la")


def _label(canvas: ImageDraw.ImageDraw, words: str, top: int, height: int) -> None:
    width = LABELS - 14
    font = draw.font(TYPE)
    while font.getlength(words) > width and len(words) > 4:
        words = words[:-2] + "…"
    canvas.text((MARGIN, top + height / 2), words, draw.TEXT, font, "lm")


def _high(values: Iterable[float]) -> float:
    """A figure that few of the values lie above, so that one outlier does not make all others pale."""
    ordered = sorted(values)
    return max(ordered[int(len(ordered) * 0.97)], 1e-9) if ordered else 1.0


def _diverging(share: float) -> tuple[int, int, int]:
    return _between(draw.BACKGROUND, POSITIVE if share > 0 else NEGATIVE, min(1.0, abs(share)))


def _between(one: tuple[int, int, int], other: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _resampling(before: int, after: int) -> Image.Resampling:
    return Image.Resampling.LANCZOS if after < before * 4 else Image.Resampling.BICUBIC
