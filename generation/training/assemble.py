"""Puts the trained parts together as a diffusers pipeline, the form in which the pocket model ships.

Matrices and kernels of the denoiser are written as eight-bit floats (docs/decisions/0009), the rest of it and
the decoder in half precision: diffusers turns all of them into what it is asked to load, single precision by
default. The text encoder stays in single precision: transformers keeps what it finds in a file, and a pipeline
of mixed precision fails. Its matrices are rounded to `MANTISSA_BITS` (0006). Everything is safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from generation.training import autoencoder, text
from generation.training.diffusion import Training, recipe
from generation.training.vocabulary import Thing, taught_words

MANTISSA_BITS = 5  # kept of the 23 of single precision
EIGHT_BITS = torch.float8_e4m3fn


def assemble(folder: Path, target: Path, taught: list[Thing], seed: int) -> dict[str, object]:
    """Write the pipeline, its vocabulary and its recipe to `target`; returns the recipe."""
    tokenizer = text.load_tokenizer(folder / "tokenizer")
    training = Training(tokenizer, seed)
    training.resume(folder / "diffusion.safetensors")
    training.swap_average()
    _round(training.encoder)
    unet = training.unet.to(torch.float16, memory_format=torch.contiguous_format)
    for weight in _matrices(unet):
        weight.data = weight.data.to(EIGHT_BITS)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder.load_decoder(folder).to(torch.float16),
        text_encoder=training.encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=training.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(target, safe_serialization=True)
    _write(target / "vocabulary.json", taught_words(taught))
    facts = {**recipe(), "seed": seed, "pictures_seen": training.pictures, "things": len(taught)}
    _write(target / "recipe.json", facts)
    return facts


@torch.no_grad()
def _round(module: torch.nn.Module) -> None:
    """Round the matrices of a module in single precision to `MANTISSA_BITS`.

    Halves go away from zero; a carry goes into the exponent, as it should.
    """
    dropped = 23 - MANTISSA_BITS
    for weight in _matrices(module):
        pattern = weight.contiguous().view(torch.int32)
        weight.copy_((((pattern + (1 << (dropped - 1))) >> dropped) << dropped).view(torch.float32))


def _matrices(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    """What takes the room; the vectors of norms and biases are few, and matter more."""
    return [weight for weight in module.parameters() if weight.ndim > 1]


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
