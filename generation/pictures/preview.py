"""A live preview as people see it: the predicted clean picture, the blurrier the more noise is left.

The worker's previews are small and, early in a run, blotchy; enlarged under a blur that fades with the
noise they read as a picture coming into focus. Knows no worker and no message.
"""

from __future__ import annotations

import io

from PIL import Image, ImageFilter

MAX_SIDE = 512  # pixels; a preview is replaced in two seconds, so it need not be larger
BLUR_SHARE = 0.05  # of the longer side, at full noise
WEBP_QUALITY = 70


def render_preview(preview: bytes, *, width: int, height: int, noise_level: float) -> bytes:
    """The preview (any format Pillow reads) at the shape of the final picture, as WebP.

    `noise_level` is the share of noise left, 1 to 0.
    """
    scale = min(1.0, MAX_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    with Image.open(io.BytesIO(preview)) as small:
        picture = small.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    radius = max(size) * BLUR_SHARE * min(1.0, max(0.0, noise_level))
    out = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(radius)).save(out, "WEBP", quality=WEBP_QUALITY)
    return out.getvalue()
