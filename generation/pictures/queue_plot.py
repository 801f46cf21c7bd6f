"""The plot of the queue's statistics: throughput, waiting time, failures by reason, share per person, in one PNG.

Reasons go by letters and people by numbers, which whoever shows the plot explains beside it. Knows no
jobs and nobody's name.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from PIL import Image, ImageDraw

from generation.pictures import draw
from generation.stats import HOUR, Stats

WIDTH, HEIGHT = 1100, 900  # pixels
MARGIN, GAP = 40, 30
HEAD = 48  # pixels for a panel's title
SMALL = 22  # pixels of type on axes
MADE_COLOUR, LOST_COLOUR, WAIT_COLOUR = (87, 171, 122), (214, 93, 93), draw.ACCENT

Canvas = ImageDraw.ImageDraw
Box = tuple[int, int, int, int]  # left, top, right, bottom


def draw_stats(stats: Stats) -> bytes:
    """The four panels as PNG."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    middle = WIDTH // 2
    right = WIDTH - MARGIN
    _throughput(canvas, (MARGIN, MARGIN, right, 290), stats)
    _waits(canvas, (MARGIN, 320, right, 570), stats)
    letters = list(zip(string.ascii_uppercase, (count for _, count in stats.reasons), strict=False))
    failures = [(letter, float(count), f"{count:,}") for letter, count in letters]
    _bars(canvas, (MARGIN, 600, middle - GAP, HEIGHT - MARGIN), "failures by reason", failures, LOST_COLOUR)
    shares = [(str(place), share, draw.percent(share)) for place, (_, share) in enumerate(stats.shares, 1)]
    _bars(canvas, (middle + GAP, 600, right, HEIGHT - MARGIN), "share per person", shares, draw.ACCENT)
    return draw.png(sheet)


def _throughput(canvas: Canvas, box: Box, stats: Stats) -> None:
    most = max(1, *(made + lost for made, lost in zip(stats.made, stats.lost, strict=True)))
    area = _panel(canvas, box, f"pictures made (and failed), most {most:,} in {_length(stats)}", stats)
    for index, (made, lost) in enumerate(zip(stats.made, stats.lost, strict=True)):
        left, wide, bottom = _column(area, index, len(stats.made))
        for count, colour in ((made, MADE_COLOUR), (lost, LOST_COLOUR)):
            height = round((area[3] - area[1]) * count / most)
            if count:
                canvas.rectangle((left, bottom - max(2, height), left + wide, bottom - 1), fill=colour)
            bottom -= height


def _waits(canvas: Canvas, box: Box, stats: Stats) -> None:
    known = [wait for wait in stats.waits if wait is not None]
    longest = max(known, default=0.0)
    area = _panel(canvas, box, f"waiting time, median, longest {_time(longest)}", stats)
    for index, wait in enumerate(stats.waits):
        left, wide, bottom = _column(area, index, len(stats.waits))
        if wait is not None:
            height = round((area[3] - area[1]) * (wait / longest if longest else 0))
            canvas.rectangle((left, bottom - max(2, height), left + wide, bottom - 1), fill=WAIT_COLOUR)


def _panel(canvas: Canvas, box: Box, title: str, stats: Stats) -> Box:
    """Title, base line and ends of the time axis; returns the area for columns."""
    left, top, right, bottom = box
    canvas.text((left, top), title, draw.TEXT, draw.font_for(title, right - left, draw.CAPTION), "la")
    base = bottom - SMALL - 6
    canvas.line((left, base, right, base), draw.TRACK, 2)
    ago = "1 day ago" if stats.seconds <= 24 * HOUR else f"{round(stats.seconds / 24 / HOUR)} days ago"
    canvas.text((left, base + 6), ago, draw.QUIET_TEXT, draw.font(SMALL), "la")
    canvas.text((right, base + 6), "now", draw.QUIET_TEXT, draw.font(SMALL), "ra")
    return left, top + HEAD, right, base


def _column(area: Box, index: int, count: int) -> tuple[int, int, int]:
    """Left, width and bottom of a column."""
    pitch = (area[2] - area[0]) / count
    return round(area[0] + pitch * index + pitch * 0.15), round(pitch * 0.7), area[3]


def _bars(
    canvas: Canvas, box: Box, title: str, bars: Sequence[tuple[str, float, str]], colour: tuple[int, int, int]
) -> None:
    """Horizontal bars with a name before and a figure behind each."""
    left, top, right, bottom = box
    canvas.text((left, top), title, draw.TEXT, draw.font(draw.CAPTION), "la")
    if not bars:
        canvas.text((left, top + HEAD), "none", draw.QUIET_TEXT, draw.font(SMALL), "la")
        return
    pitch = min(40, (bottom - top - HEAD) // len(bars))
    largest = max(value for _, value, _ in bars)
    start, room = left + 40, right - left - 140
    for place, (name, value, figure) in enumerate(bars):
        middle = top + HEAD + pitch * place + pitch // 2
        end = start + max(3, round(room * value / largest if largest else 0))
        canvas.text((left, middle), name, draw.TEXT, draw.font(SMALL), "lm")
        canvas.rectangle((start, middle - pitch // 3, end, middle + pitch // 3), fill=colour)
        canvas.text((end + 10, middle), figure, draw.QUIET_TEXT, draw.font(SMALL), "lm")


def _length(stats: Stats) -> str:
    hours = stats.seconds / len(stats.made) / HOUR
    return "one hour" if round(hours) == 1 else f"{hours:g} hours"


def _time(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
