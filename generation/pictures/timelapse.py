"""The timelapse: a run's way from noise to picture as an animated WebP.

Plays the predicted clean picture of each step, with the noise left as a bar beneath, holds the last
frame, and starts over. Knows no torch and no Discord: the limit on size is the caller's.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw

from generation.events import Frame
from generation.pictures import draw

MAX_BYTES = 8_000_000  # under the 10 MB that Discord takes from a bot, with room for the picture itself
FRAME_SIDE = 512  # pixels; a frame has the area of such a square
TIMELAPSE_FRAMES = 48  # as many as are worth asking for: seven seconds of play
FRAME_MS = 140  # how long one step shows
HOLD_MS = 2_500  # how long the finished picture shows
FOOTER = 44  # pixels: the bar and one line of type
SMALLEST_SIDE = 128  # pixels; smaller shows nothing any more


def draw_timelapse(frames: Sequence[Frame], *, max_bytes: int = MAX_BYTES) -> bytes:
    """The frames as an animated WebP of at most `max_bytes`.

    Quality is given up first, then size, until it fits.

    Raises:
        PictureError: no frames, one that cannot be read, or so small a limit that nothing fits.
    """
    if not frames:
        raise draw.PictureError("There are no recorded steps to make a timelapse of.")
    pictures = [draw.open_rgb(frame.picture) for frame in frames]
    for side, quality in _settings():
        animation = _encoded([_drawn(p, f, side) for p, f in zip(pictures, frames, strict=True)], quality)
        if len(animation) <= max_bytes:
            return animation
    raise draw.PictureError(f"A timelapse of {len(frames)} frames does not fit into {max_bytes:,} bytes.")


def _settings() -> Iterator[tuple[int, int]]:
    """Side in pixels and WebP quality, best first."""
    side = FRAME_SIDE
    while side >= SMALLEST_SIDE:
        yield from ((side, quality) for quality in (90, 70, 45))
        side //= 2


def _drawn(picture: Image.Image, frame: Frame, side: int) -> Image.Image:
    """One frame of the animation: the picture, the bar of noise left, step and noise in words."""
    width, height = draw.fitted_size(*picture.size, side)
    sheet = Image.new("RGB", (width, height + FOOTER), draw.BACKGROUND)
    sheet.paste(draw.resized(picture, (width, height)), (0, 0))
    canvas = ImageDraw.Draw(sheet)
    draw.noise_bar(canvas, 0, height + 2, width, frame.noise_level)
    words = " · ".join(draw.step_caption(frame.step, frame.noise_level))
    canvas.text((width / 2, height + 14), words, draw.TEXT, draw.font_for(words, width - 8, 24), anchor="ma")
    return sheet


def _encoded(sheets: Sequence[Image.Image], quality: int) -> bytes:
    buffer = io.BytesIO()
    sheets[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=sheets[1:],
        duration=[FRAME_MS] * (len(sheets) - 1) + [HOLD_MS],
        loop=0,
        quality=quality,
        method=4,
    )
    return buffer.getvalue()
