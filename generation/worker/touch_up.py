"""Final touches: what is done to a picture after diffusion, on request, each told of for what it is.

Only upscaling may use a model (`generation.worker.upscaler`); the rest is plain image processing. Knows no jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from generation.errors import RequestError
from generation.touches import checked_touches
from generation.worker.upscaler import Upscaler

Pixels = np.ndarray[Any, np.dtype[np.float32]]

UPSCALING = 2  # times the width and the height
MAX_SIDE = 4096  # pixels after upscaling
SHARPENING = {"radius": 1.5, "percent": 80, "threshold": 2}  # of an unsharp mask
LONE = 28  # grey levels by which an isolated speck differs from all eight pixels around it, at least
AGREEMENT = 3.0  # times more than those differ among themselves
EDGE_FROM, EDGE_TO = 10.0, 40.0  # grey levels per pixel: where smoothing along edges sets in, and is at its full
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def touch_up(image: Image.Image, touches: Sequence[str], upscaler: Upscaler | None) -> tuple[Image.Image, list[str]]:
    """The picture with these touches, and one line on each: its name, a colon, what exactly was done.

    Raises:
        RequestError: unknown touches, or a picture too large for them.
        ModelError: the model for upscaling cannot be used.
    """
    lines = []
    picture = image.convert("RGB")
    for name in checked_touches(touches):
        match name:
            case "repair":
                picture, told = repair(picture)
            case "smooth":
                picture, told = smooth_edges(picture), "jagged edges averaged along their own direction"
            case "upscale":
                picture, told = upscale(picture, upscaler)
            case _:
                picture, told = sharpen(picture)
        lines.append(f"{name}: {told}")
    return picture, lines


def repair(image: Image.Image) -> tuple[Image.Image, str]:
    """Replaces isolated specks by the median around them; lines and textures have pixels like their own beside them."""
    pixels = np.asarray(image, dtype=np.int16).copy()
    padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="reflect" if min(image.size) > 1 else "edge")
    height, width = pixels.shape[:2]
    around = np.stack([padded[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)])
    nearest = np.abs(around - pixels).max(axis=3).min(axis=0)
    median = np.median(around, axis=0)
    spread = np.median(np.abs(around - median), axis=0).max(axis=2)
    lone = (nearest > LONE) & (nearest > AGREEMENT * spread)
    pixels[lone] = median[lone].round().astype(np.int16)
    count = int(lone.sum())
    told = f"{count} isolated speck{'s' * (count != 1)} replaced by the median around" if count else "no specks found"
    return Image.fromarray(pixels.astype(np.uint8)), told


def smooth_edges(image: Image.Image) -> Image.Image:
    """Averages pixels along the edge they lie on, never across it, so stairs go and edges stay sharp."""
    pixels = np.asarray(image, dtype=np.float32)
    if min(image.size) < 3:
        return image
    grey = np.asarray(image.filter(ImageFilter.GaussianBlur(1)), dtype=np.float32) @ GREY
    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    weight = np.clip((strength - EDGE_FROM) / (EDGE_TO - EDGE_FROM), 0, 1)[..., None]
    safe = np.maximum(strength, 1e-6)
    along_y, along_x = right / safe, -down / safe  # at a right angle to the gradient
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    total, weights = pixels.copy(), 1.0
    for distance, share in ((1.0, 0.8), (2.0, 0.4)):
        for way in (-distance, distance):
            total += share * _sampled(pixels, y + way * along_y, x + way * along_x)
            weights += share
    smooth = pixels * (1 - weight) + total / weights * weight
    return Image.fromarray(smooth.round().clip(0, 255).astype(np.uint8))


def upscale(image: Image.Image, upscaler: Upscaler | None) -> tuple[Image.Image, str]:
    """Twice as wide and high: by the operator's model, or else by resampling, which adds no detail."""
    size = (image.width * UPSCALING, image.height * UPSCALING)
    if max(size) > MAX_SIDE:
        raise RequestError(
            f"This picture is too large to be upscaled; its sides may have {MAX_SIDE // UPSCALING} pixels."
        )
    way = f"{image.width}x{image.height} to {size[0]}x{size[1]} pixels"
    if upscaler is None:
        return image.resize(size, Image.Resampling.LANCZOS), f"{way} by Lanczos resampling, which adds no detail"
    large = upscaler.enlarged(image)
    told = f"{way} by the super-resolution model {upscaler.name}, which makes detail up"
    return large if large.size == size else large.resize(size, Image.Resampling.LANCZOS), told


def sharpen(image: Image.Image) -> tuple[Image.Image, str]:
    """An unsharp mask: differences to a blurred copy are made larger."""
    radius, percent, threshold = SHARPENING["radius"], int(SHARPENING["percent"]), int(SHARPENING["threshold"])
    told = f"unsharp mask, radius {radius:g} pixels, {percent} %"
    return image.filter(ImageFilter.UnsharpMask(radius, percent, threshold)), told


def _sampled(pixels: Pixels, y: Pixels, x: Pixels) -> Pixels:
    """The pixels at these places between them, linearly; beyond the border, the border."""
    height, width = pixels.shape[:2]
    y, x = y.clip(0, height - 1), x.clip(0, width - 1)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    v, u = (y - top)[..., None], (x - left)[..., None]
    upper = pixels[top, left] * (1 - u) + pixels[top, right] * u
    lower = pixels[bottom, left] * (1 - u) + pixels[bottom, right] * u
    sampled: Pixels = upper * (1 - v) + lower * v
    return sampled
