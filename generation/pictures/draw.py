"""What every drawn figure shares: colours, type, a resized frame, the words for a noise level.

Colours sit on Discord's dark theme, where the figures are seen, and keep their contrast on the
light one. The type is Noto Sans, which a package brings along, so figures look the same on every machine;
it has Latin, Greek and Cyrillic letters, and an empty box for what it lacks. Knows no runs, files or Discord.
"""

from __future__ import annotations

import functools
import io
import math
import struct
import warnings
import zlib

import fontpkg  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageDraw, ImageFont

from generation.errors import GenerationError

BACKGROUND = (49, 51, 56)  # Discord's dark chat, #313338
TRACK = (78, 80, 88)  # the empty part of a bar
TEXT = (242, 243, 245)
QUIET_TEXT = (181, 186, 193)
ACCENT = (240, 178, 50)  # the noise that is left

CAPTION = 30  # pixels; in a grid four frames wide this is about 10 points on a phone
BAR_HEIGHT = 8  # pixels

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")  # the less is parsed, the less can go wrong
UNREADABLE = (  # what Pillow raises on bytes that are no picture, on damaged and on enormous ones
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

Font = ImageFont.FreeTypeFont


class PictureError(GenerationError):
    """A figure that cannot be drawn from what there is; the sentence says why."""


def open_rgb(picture: bytes) -> Image.Image:
    """The encoded picture as RGB, without its metadata.

    Raises:
        PictureError: the bytes are no picture of a common format that can be read whole.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
                return image.convert("RGB")
    except UNREADABLE as error:
        raise PictureError("A picture is damaged or of an unknown kind, so nothing can be drawn from it.") from error


def fitted_size(width: int, height: int, side: int) -> tuple[int, int]:
    """The size in pixels with the same proportions and the area of a square of `side`."""
    scale = side / math.sqrt(width * height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at that size; Lanczos, as it keeps edges crisp both ways."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


@functools.cache  # of few sizes
def font(size: int) -> Font:
    """The figures' font at `size` pixels."""
    return ImageFont.truetype(str(fontpkg.path("Noto Sans")), size)


def font_for(text: str, width: int, size: int) -> Font:
    """The figures' font at `size` pixels, or as much smaller as lets `text` fit into `width`."""
    natural = font(size).getlength(text)
    return font(size) if natural <= width else font(max(8, int(size * width / natural)))


def percent(share: float) -> str:
    """A share from 0 to 1 as people read it: "71 %"; never "0 %" or "100 %" unless it is that exactly."""
    if not math.isfinite(share):
        return "? %"
    share = min(1.0, max(0.0, share))
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{round(share * 100)} %"


def step_caption(step: int, noise_level: float) -> tuple[str, str]:
    """The two parts of a frame's caption: "step 5" and "71 % noise"."""
    return f"step {step}", f"{percent(noise_level)} noise"


def noise_bar(canvas: ImageDraw.ImageDraw, left: int, top: int, width: int, noise_level: float) -> None:
    """A bar `width` pixels wide whose bright part is the noise left."""
    radius = BAR_HEIGHT // 2
    canvas.rounded_rectangle((left, top, left + width - 1, top + BAR_HEIGHT - 1), radius, fill=TRACK)
    share = min(1.0, max(0.0, noise_level)) if math.isfinite(noise_level) else 0.0
    filled = round(width * share)
    if filled >= BAR_HEIGHT:
        canvas.rounded_rectangle((left, top, left + filled - 1, top + BAR_HEIGHT - 1), radius, fill=ACCENT)


def png(image: Image.Image) -> bytes:
    """The image as PNG."""
    buffer = io.BytesIO()
    # runs only: PNG has filtered the rows before, so that looking for more takes twice as long and saves a few per cent
    image.save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()
