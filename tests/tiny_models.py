"""A latent diffusion model with random weights, small enough that a picture takes a fraction of a second.

In all its parts an ordinary Stable Diffusion pipeline: tokenizer, CLIP text encoder, UNet with cross-attention, VAE.
Its pictures are 32 x 32 abstract patches; the output layers are scaled so that they have contrast and each step counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from generation.models import ModelInfo

SIDE = 32  # pixels
CHANNELS = 4
WORDS = ("fox", "cat", "star", "red", "blue")

BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
DISCRETE = BETAS | {"steps_offset": 1, "timestep_spacing": "leading"}


def ddim(prediction_type: str = "v_prediction", **changes: Any) -> DDIMScheduler:
    config = {"clip_sample": False, "set_alpha_to_one": True, "timestep_spacing": "trailing", "steps_offset": 1}
    return DDIMScheduler(**(BETAS | config | changes), prediction_type=prediction_type, rescale_betas_zero_snr=False)


def flow_match_euler() -> FlowMatchEulerDiscreteScheduler:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.init_noise_sigma = 1.0  # which pipelines older than flow matching ask for
    return scheduler


SCHEDULERS = {
    "ddim": ddim,
    "euler": lambda kind="epsilon": EulerDiscreteScheduler(**DISCRETE, prediction_type=kind),
    "euler ancestral": lambda kind="epsilon": EulerAncestralDiscreteScheduler(**DISCRETE, prediction_type=kind),
    "heun": lambda kind="epsilon": HeunDiscreteScheduler(**DISCRETE, prediction_type=kind),
    "dpm++ 2m": lambda kind="epsilon": DPMSolverMultistepScheduler(**DISCRETE, prediction_type=kind),
    "unipc": lambda kind="epsilon": UniPCMultistepScheduler(**DISCRETE, prediction_type=kind),
    "lcm": lambda kind="epsilon": LCMScheduler(**BETAS, steps_offset=1, clip_sample=False, prediction_type=kind),
    "flow-match euler": lambda kind="flow": flow_match_euler(),
}


def tokenizer() -> CLIPTokenizer:
    """Knows a few whole words and every byte, as CLIP's does."""
    letters = sorted(ByteLevel.alphabet())
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            if (parts[0], parts[1]) not in merges:
                merges.append((parts[0], parts[1]))
            parts[:2] = [parts[0] + parts[1]]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *dict.fromkeys(a + b for a, b in merges)]
    vocabulary = {token: number for number, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=16)


def tiny_pipeline(scheduler: Any = None) -> StableDiffusionPipeline:
    """The model in memory; the same weights at every call."""
    torch.manual_seed(0)
    words = tokenizer()
    unet = UNet2DConditionModel(
        sample_size=SIDE // 4,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=32,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=8,
    )
    vae = AutoencoderKL(
        block_out_channels=(16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=CHANNELS,
        norm_num_groups=8,
        layers_per_block=1,
        scaling_factor=1.0,
    )
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=16,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    with torch.no_grad():
        unet.conv_out.weight *= 4
        vae.decoder.conv_out.weight *= 3
    pipeline = StableDiffusionPipeline(
        vae=vae.eval(),
        text_encoder=CLIPTextModel(text).eval(),
        tokenizer=words,
        unet=unet.eval(),
        scheduler=ddim() if scheduler is None else scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_model(folder: Path) -> ModelInfo:
    """The model on disk, and what the settings would say of it."""
    tiny_pipeline().save_pretrained(folder, safe_serialization=True)
    return tiny_info(folder)


def tiny_info(folder: Path, name: str = "tiny") -> ModelInfo:
    return ModelInfo(
        name=name,
        source=str(folder),
        steps=6,
        width=SIDE,
        height=SIDE,
        size_multiple=8,
        min_side=SIDE,
        max_side=64,
        max_steps=1_000,
    )
