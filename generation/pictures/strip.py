"""The strip: a run's way from noise to picture as a few labelled frames in one PNG.

Each frame is the *predicted clean picture* (x0) of one denoising step: what the model at that step
expects the picture to become. On request the noisy latent stands beneath it. Which steps are worth
showing is a pure function of the run's figures. Knows no torch: frames arrive decoded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from generation.events import Frame
from generation.pictures import draw
from generation.request import RunFacts

STRIP_FRAMES = 8  # two rows of four read well on a phone
FRAME_SIDE = 256  # pixels; a frame has the area of such a square
GAP = 16  # pixels between frames and around them
MIN_CELL_WIDTH = 176  # pixels; "100 % noise" needs it under the narrowest picture
CAPTION_HEIGHT = 2 * draw.CAPTION + 22  # pixels: a bar and two lines of type
PAIR_GAP = 6  # pixels between the predicted picture and the noisy latent of one step
LEGEND = "top: predicted picture · below: noisy latent"
VIEW_WIDTH, VIEW_HEIGHT = 550, 400  # the box in which Discord shows a picture, in its own pixels


def choose_steps(
    noise_levels: Sequence[float], count: int = STRIP_FRAMES, changes: Sequence[float] | None = None
) -> tuple[int, ...]:
    """The 1-based steps to show of a run: first, last, and in between where the picture changes most.

    The steps cut the run into pieces over which the picture changes equally much, so a fast stretch
    gets many frames and a quiet one few.

    Args:
        noise_levels: share of noise left, one per step of the run.
        count: frames wanted; a shorter run gives one frame per step.
        changes: how much the predicted picture changed *into* each step, in any unit, one per step
            (the first counts for nothing). Without it, or where it has no usable figures, the fall
            of the noise level stands in.
    """
    total = len(noise_levels)
    wanted = min(count, total)
    if wanted <= 0:
        return ()
    if wanted == 1:
        return (total,)
    way = _way(changes, total) or _way(_falls(noise_levels), total) or [float(step) for step in range(total)]
    return _evenly_along(way, wanted)


def strip_steps(run: RunFacts) -> tuple[int, ...]:
    """The 1-based steps of a run that its strip shows."""
    return choose_steps(run.noise_levels, changes=run.changes or None)


def some_of(steps: Sequence[int], count: int) -> tuple[int, ...]:
    """At most so many of the steps, from the first to the last at equal distances in their row."""
    if len(steps) <= count:
        return tuple(steps)
    return tuple(steps[round(place * (len(steps) - 1) / (count - 1))] for place in range(count))


def draw_strip(frames: Sequence[Frame], *, noisy: bool = False) -> bytes:
    """The frames as one PNG, in the order given, each with its step and the noise left.

    Args:
        frames: decoded steps, all of one size.
        noisy: also show the noisy latent under each frame, where the frame has it.

    Raises:
        PictureError: no frames, or one that cannot be read.
    """
    if not frames:
        raise draw.PictureError("There are no recorded steps to make a strip of.")
    clean = [draw.open_rgb(frame.picture) for frame in frames]
    size = draw.fitted_size(*clean[0].size, FRAME_SIDE)
    noisy = noisy and any(frame.noisy for frame in frames)
    figure_height = 2 * size[1] + PAIR_GAP if noisy else size[1]
    cell = (max(size[0], MIN_CELL_WIDTH), figure_height + CAPTION_HEIGHT)
    columns = columns_for(len(frames), *cell)
    rows = math.ceil(len(frames) / columns)
    head = draw.CAPTION + 6 if noisy else 0
    sheet = Image.new(
        "RGB", (columns * (cell[0] + GAP) + GAP, rows * (cell[1] + GAP) + GAP // 2 + head), draw.BACKGROUND
    )
    canvas = ImageDraw.Draw(sheet)
    if noisy:
        legend_font = draw.font_for(LEGEND, sheet.width - 2 * GAP, draw.CAPTION)
        canvas.text((sheet.width / 2, GAP // 2), LEGEND, draw.QUIET_TEXT, legend_font, "ma")
    for index, (frame, picture) in enumerate(zip(frames, clean, strict=True)):
        row, column = divmod(index, columns)
        left = GAP + column * (cell[0] + GAP) + (cell[0] - size[0]) // 2
        top = GAP + head + row * (cell[1] + GAP)
        sheet.paste(draw.resized(picture, size), (left, top))
        if noisy and frame.noisy:
            sheet.paste(draw.resized(draw.open_rgb(frame.noisy), size), (left, top + size[1] + PAIR_GAP))
        _caption(canvas, frame, left, top + figure_height, size[0])
    return draw.png(sheet)


def columns_for(count: int, cell_width: int, cell_height: int) -> int:
    """How many cells stand side by side so that each is seen as large as can be in Discord's box.

    A grid with empty places at its end counts as smaller by that share, so full rows win.
    """

    def seen(columns: int) -> float:
        rows = math.ceil(count / columns)
        scale = min(VIEW_WIDTH / (columns * (cell_width + GAP) + GAP), VIEW_HEIGHT / (rows * (cell_height + GAP) + GAP))
        return scale * count / (columns * rows)

    return max(range(1, count + 1), key=lambda columns: (seen(columns), columns))


def _caption(canvas: ImageDraw.ImageDraw, frame: Frame, left: int, top: int, width: int) -> None:
    """A bar of the noise left and, under it, step and noise level in words."""
    draw.noise_bar(canvas, left, top + 6, width, frame.noise_level)
    step, noise = draw.step_caption(frame.step, frame.noise_level)
    below = top + 6 + draw.BAR_HEIGHT + 4
    for line, colour in ((step, draw.TEXT), (noise, draw.QUIET_TEXT)):
        canvas.text((left + width / 2, below), line, colour, draw.font(draw.CAPTION), anchor="ma")
        below += draw.CAPTION + 2


def _falls(noise_levels: Sequence[float]) -> list[float]:
    return [0.0, *(abs(after - before) for before, after in itertools.pairwise(noise_levels))]


def _way(changes: Sequence[float] | None, total: int) -> list[float] | None:
    """The change summed up to each step; None where the figures say nothing."""
    if changes is None or len(changes) != total:
        return None
    usable = [0.0, *changes[1:]]
    if not all(math.isfinite(change) and change >= 0 for change in usable) or not sum(usable):
        return None
    return list(itertools.accumulate(usable))


def _evenly_along(way: Sequence[float], count: int) -> tuple[int, ...]:
    """`count` distinct 1-based steps, ends included, as near as can be to equal distances along `way`."""
    total, chosen = len(way), [0]
    for place in range(1, count - 1):
        target = way[-1] * place / (count - 1)
        # each step stays behind the one before and leaves one for each that still comes
        candidates = range(chosen[-1] + 1, total - (count - 1 - place))
        chosen.append(min(candidates, key=lambda step: abs(way[step] - target)))
    return tuple(step + 1 for step in [*chosen, total - 1])
