"""The models that are measured: the pocket model, and two with random weights made on the spot.

A forward of the small one costs mostly Python and kernel launches; one of the saturated one, shaped like SDXL,
keeps the processor busy with a single picture. Their pictures are noise; how long they take is real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from generation.models import POCKET_FOLDER, ModelInfo

TEXT_WIDTH = 64
BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def small_model(folder: Path) -> ModelInfo:
    """Stable Diffusion's parts, at 64 x 64 pixels and a fraction of its width."""
    torch.manual_seed(0)
    words = _tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=8,
    )
    pipeline = StableDiffusionPipeline(
        vae=_vae(8),
        text_encoder=CLIPTextModel(_text(words)),
        tokenizer=words,
        unet=unet.eval(),
        scheduler=DDIMScheduler(**BETAS, clip_sample=False, steps_offset=1, timestep_spacing="trailing"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _saved(pipeline, folder, "small", 64)


def saturated_model(folder: Path) -> ModelInfo:
    """SDXL's parts at 256 x 256 pixels: two text encoders, size conditioning, deep transformers in the middle."""
    torch.manual_seed(0)
    words = _tokenizer()
    unet = UNet2DConditionModel(
        sample_size=32,
        block_out_channels=(64, 128, 192),
        layers_per_block=2,
        cross_attention_dim=2 * TEXT_WIDTH,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 3),
        attention_head_dim=(2, 4, 6),
        norm_num_groups=16,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * 16,
    )
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(16),
        text_encoder=CLIPTextModel(_text(words)),
        text_encoder_2=CLIPTextModelWithProjection(_text(words)),
        tokenizer=words,
        tokenizer_2=words,
        unet=unet.eval(),
        scheduler=EulerDiscreteScheduler(**BETAS, steps_offset=1, timestep_spacing="leading"),
        add_watermarker=False,
    )
    return _saved(pipeline, folder, "saturated", 256)


def _tokenizer() -> CLIPTokenizer:
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(POCKET_FOLDER / "tokenizer")
    return tokenizer


def _text(words: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=TEXT_WIDTH,
        max_position_embeddings=words.model_max_length,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )


def _vae(width: int) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(width, width, 2 * width, 2 * width),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=8,
        layers_per_block=1,
        mid_block_add_attention=False,
    ).eval()


def _saved(pipeline: Any, folder: Path, name: str, side: int) -> ModelInfo:
    pipeline.save_pretrained(folder, safe_serialization=True)
    return ModelInfo(
        name=name, source=str(folder), steps=20, width=side, height=side, min_side=side, max_side=side, max_steps=1_000
    )
