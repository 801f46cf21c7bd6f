"""Puts the trained parts together as a diffusers pipeline, the form in which the pocket model ships.

Weights are written in half precision but for the text encoder: transformers keeps the precision it
finds in a file while diffusers loads single precision by default, and a pipeline of mixed precision
fails. Everything is safetensors. Matrices and kernels are rounded to `MANTISSA_BITS`, see docs/decisions/0006.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from generation.training import autoencoder, text
from generation.training.diffusion import Training, recipe
from generation.training.vocabulary import Thing, taught_words

MANTISSA_BITS = 5  # kept of the 10 of half precision and the 23 of single precision


def assemble(folder: Path, target: Path, taught: list[Thing], seed: int) -> dict[str, object]:
    """Write the pipeline, its vocabulary and its recipe to `target`; returns the recipe."""
    tokenizer = text.load_tokenizer(folder / "tokenizer")
    training = Training(tokenizer, seed)
    training.resume(folder / "diffusion.safetensors")
    training.swap_average()
    _round(training.encoder, torch.int32, kept=MANTISSA_BITS, of=23)
    unet = training.unet.to(torch.float16, memory_format=torch.contiguous_format)
    _round(unet, torch.int16, kept=MANTISSA_BITS, of=10)
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
def _round(module: torch.nn.Module, bits: torch.dtype, *, kept: int, of: int) -> None:
    """Round the module's matrices and kernels to `kept` of the `of` bits of their mantissas.

    `bits` is the whole number type as wide as the weights. Halves go away from zero; a carry goes into the exponent,
    as it should.
    """
    dropped = of - kept
    for weight in module.parameters():
        if weight.ndim > 1:
            pattern = weight.contiguous().view(bits)
            weight.copy_((((pattern + (1 << (dropped - 1))) >> dropped) << dropped).view(weight.dtype))


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
