"""Puts the trained parts together as a diffusers pipeline, the form in which the pocket model ships.

Matrices and kernels of the denoiser and of the text encoder are written as eight-bit floats
(docs/decisions/0009), the rest in half precision: diffusers and transformers turn all of them into what they
are asked to load, single precision by default. Everything is safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from generation.training import autoencoder, text
from generation.training.diffusion import Training, recipe
from generation.training.vocabulary import Thing, taught_words

EIGHT_BITS = torch.float8_e4m3fn
IN_EIGHT_BITS = ("unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors")


def assemble(folder: Path, target: Path, taught: list[Thing], seed: int) -> dict[str, object]:
    """Write the pipeline, its vocabulary and its recipe to `target`; returns the recipe."""
    tokenizer = text.load_tokenizer(folder / "tokenizer")
    training = Training(tokenizer, seed)
    training.resume(folder / "diffusion.safetensors")
    training.swap_average()
    pipeline = StableDiffusionPipeline(
        vae=autoencoder.load_decoder(folder).to(torch.float16),
        text_encoder=training.encoder,
        tokenizer=tokenizer,
        unet=training.unet.to(memory_format=torch.contiguous_format),
        scheduler=training.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(target, safe_serialization=True)
    for file in IN_EIGHT_BITS:
        _store_in_eight_bits(target / file)
    _write(target / "vocabulary.json", taught_words(taught))
    facts = {**recipe(), "seed": seed, "pictures_seen": training.pictures, "things": len(taught)}
    _write(target / "recipe.json", facts)
    return facts


def _store_in_eight_bits(path: Path) -> None:
    """Store matrices and kernels as eight-bit floats, and vectors, which are few and matter more, as half ones.

    The configuration beside the file goes on naming single precision, which is what transformers loads by it.
    """
    tensors = {
        name: tensor.to(EIGHT_BITS if tensor.ndim > 1 else torch.float16) for name, tensor in load_file(path).items()
    }
    save_file(tensors, path, metadata={"format": "pt"})


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
