"""The plot of a run's noise schedule: the noise left after each step, and how much each step changed the guess.

Draws figures that are on record; knows no runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from generation.pictures import draw

WIDTH, HEIGHT = 900, 520  # pixels
LEFT, RIGHT, TOP, BOTTOM = 96, 24, 96, 64  # margins around the axes
SMALL = 22  # pixels of type on the axes
FINE = 2  # times finer while lines are drawn, so that they come out smooth
CHANGE = (88, 134, 180)
LINES = (0.0, 0.25, 0.5, 0.75, 1.0)  # across the plot
TICKS = 6  # of the step axis, at most

Point = tuple[float, float]


def draw_schedule(noise_levels: Sequence[float], changes: Sequence[float] = ()) -> bytes:
    """The plot as PNG.

    Args:
        noise_levels: share of noise left after each step, 0 to 1.
        changes: how much each step changed the predicted picture, in any unit, one per step; left out where there are
            as many figures as steps are missing.

    Raises:
        PictureError: there are no noise levels.
    """
    if not noise_levels:
        raise draw.PictureError("This run's noise levels were not recorded, so there is no plot of them.")
    steps = len(noise_levels)
    bars = [change for change in changes if math.isfinite(change) and change >= 0]
    bars = bars if len(bars) == steps and max(bars[1:], default=0) > 0 else []
    sheet = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), draw.BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    for share in LINES:
        y = _at(0, share, steps)[1]
        canvas.line((LEFT * FINE, y, (WIDTH - RIGHT) * FINE, y), draw.TRACK, FINE if share else 2 * FINE)
    _bars(canvas, bars)
    _curve(canvas, noise_levels)
    sheet = draw.resized(sheet, (WIDTH, HEIGHT))
    _axes(ImageDraw.Draw(sheet), steps, told=bool(bars))
    return draw.png(sheet)


def _curve(canvas: ImageDraw.ImageDraw, levels: Sequence[float]) -> None:
    points = [_at(0, 1.0, len(levels)), *(_at(step, level, len(levels)) for step, level in enumerate(levels, 1))]
    canvas.line(points, draw.ACCENT, 4 * FINE, joint="curve")
    radius = (5 if len(levels) <= 60 else 2) * FINE
    for x, y in points:
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=draw.ACCENT)


def _bars(canvas: ImageDraw.ImageDraw, changes: Sequence[float]) -> None:
    """The first step's change counts for nothing: there was no guess before it."""
    largest = max(changes[1:], default=0.0)
    for step, change in enumerate(changes[1:], 2):
        x, top = _at(step, 0.6 * change / largest, len(changes))
        wide = 0.35 * (WIDTH - LEFT - RIGHT) / len(changes) * FINE
        canvas.rectangle((x - wide, top, x + wide, (HEIGHT - BOTTOM) * FINE), fill=CHANGE)


def _axes(canvas: ImageDraw.ImageDraw, steps: int, *, told: bool) -> None:
    small = draw.font(SMALL)
    base = HEIGHT - BOTTOM
    for share in LINES:
        y = _at(0, share, steps)[1] / FINE
        canvas.text((LEFT - 10, y), draw.percent(share), draw.QUIET_TEXT, small, "rm")
    every = max(1, math.ceil(steps / (TICKS - 1)))
    ticks = [step for step in range(0, steps + 1, every) if steps - step >= every / 2]
    for step in [*ticks, steps]:
        canvas.text((_at(step, 0, steps)[0] / FINE, base + 8), str(step), draw.QUIET_TEXT, small, "ma")
    canvas.text((WIDTH - RIGHT, HEIGHT - 8), "step", draw.QUIET_TEXT, small, "rs")
    canvas.text((LEFT - 60, 14), "noise left after each step", draw.ACCENT, draw.font(draw.CAPTION), "la")
    if told:
        lower = "blue: how much each step changed the predicted picture"
        canvas.text((LEFT - 60, 54), lower, CHANGE, draw.font(SMALL), "la")


def _at(step: int, share: float, steps: int) -> Point:
    share = min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
    x = LEFT + (WIDTH - LEFT - RIGHT) * step / steps
    y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share
    return x * FINE, y * FINE
