"""From latents to pictures and from pictures to bytes: decode, encode, hash. Knows nothing of jobs."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from generation.errors import RequestError, WorkerError

MAX_INIT_PIXELS = 64 * 10**6
PNG_LEVEL = 6
FRAME_PNG_LEVEL = 1  # of frames, which are drawn from and thrown away
DECODED_TOGETHER = 4  # frames; more gain nothing where it was tried
PIXELS_TOGETHER = 2**20  # a decoder needs far more memory for each than the denoiser


class UndecodableLatents(WorkerError):
    """This model's latents have a shape that only its pipeline can decode."""


def to_image(array: np.ndarray[Any, np.dtype[np.float32]]) -> Image.Image:
    """Height x width x 3 values of 0..1 as a picture, rounded as diffusers rounds.

    Raises:
        WorkerError: some values are no numbers.
    """
    if not np.isfinite(array).all():
        raise WorkerError(
            "The model lost its numbers (NaN) and painted nothing; try again with another seed, or a lower guidance."
        )
    return Image.fromarray((array * 255).round().astype("uint8")).convert("RGB")


def image_sha256(image: Image.Image) -> str:
    """Of the RGB pixels, row by row: independent of how the file is compressed."""
    return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def png(image: Image.Image, level: int = PNG_LEVEL) -> bytes:
    """The picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def open_own(data: bytes) -> Image.Image:
    """A picture that Darkroom made, from its file.

    Raises:
        WorkerError: the file is damaged.
    """
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise WorkerError("The file of this picture is damaged.") from error


def open_init_image(data: bytes, width: int, height: int) -> Image.Image:
    """A person's picture, turned upright and cut and scaled to `width` x `height`.

    Raises:
        RequestError: the bytes are no picture that can be read, or one far too large.
    """
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_INIT_PIXELS:
            raise RequestError("The picture to start from is larger than 64 megapixels; please scale it down.")
        upright = ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RequestError("The picture to start from cannot be read; send a PNG, JPEG or WebP file.") from error
    return ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)


def spatial(pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """Latents as rows x channels x height x width; some transformers keep them as a sequence of patches.

    Raises:
        UndecodableLatents: they have another shape.
    """
    if latents.ndim == 3 and hasattr(pipeline, "_unpack_latents"):
        latents = pipeline._unpack_latents(latents, height, width, pipeline.vae_scale_factor)
    if latents.ndim != 4:
        raise UndecodableLatents("This model's steps cannot be shown one by one.")
    return latents


def decode(pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents (rows x channels x height x width) as rows x 3 x height x width, float32, on the CPU.

    A picture is what lies within 0..1; decoders overshoot.
    """
    together = max(1, min(DECODED_TOGETHER, PIXELS_TOGETHER // _pixels(pipeline, latents)))
    return torch.cat([decode_together(pipeline, chunk) for chunk in torch.split(latents, together)])


def decode_together(pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
    """As `decode`, in one call of the decoder."""
    vae = pipeline.vae
    parameter = next(vae.parameters())
    with torch.inference_mode():
        latents = latents.to(parameter.device, parameter.dtype)
        scaled = latents / vae.config.scaling_factor + (getattr(vae.config, "shift_factor", None) or 0.0)
        # channels last: faster in a decoder's many layers of few channels, and equal to some 1e-5
        pictures = vae.decode(scaled.contiguous(memory_format=torch.channels_last), return_dict=False)[0]
        result: torch.Tensor = (pictures.float() * 0.5 + 0.5).cpu().contiguous()
        return result


def _pixels(pipeline: Any, latents: torch.Tensor) -> int:
    scale = int(getattr(pipeline, "vae_scale_factor", 8))
    return int(latents.shape[-1] * latents.shape[-2]) * scale**2


def decode_images(pipeline: Any, latents: torch.Tensor) -> list[Image.Image]:
    """Latents (rows x channels x height x width) as pictures.

    Raises:
        WorkerError: some values are no numbers.
    """
    return [to_image(picture.permute(1, 2, 0).numpy()) for picture in decode(pipeline, latents).clamp(0, 1)]
