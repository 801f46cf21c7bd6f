"""Families of models share forwards with no code of their own: tiny random networks, made from their configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtAlphaPipeline,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from generation.models import ModelInfo
from generation.worker.capture import Recorder
from generation.worker.hub import Hub
from generation.worker.pipelines import LoadedModel

SIDE = 64


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def vae(channels: int) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=8,
        layers_per_block=1,
        scaling_factor=1.0,
        shift_factor=0.0,
    ).eval()


def sdxl() -> tuple[Any, dict[str, Any]]:
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        norm_num_groups=8,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=80,
    ).eval()
    pipeline = StableDiffusionXLPipeline(
        vae=vae(4),
        text_encoder=None,
        text_encoder_2=None,
        tokenizer=None,
        tokenizer_2=None,
        unet=unet,
        scheduler=DPMSolverMultistepScheduler(steps_offset=1),
    )
    return pipeline, {
        "prompt_embeds": random(1, 7, 32),
        "negative_prompt_embeds": random(1, 7, 32) / 2,
        "pooled_prompt_embeds": random(1, 32),
        "negative_pooled_prompt_embeds": random(1, 32) / 2,
    }


def sd3() -> tuple[Any, dict[str, Any]]:
    transformer = SD3Transformer2DModel(
        sample_size=32,
        patch_size=2,
        in_channels=16,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=32,
        pooled_projection_dim=32,
        out_channels=16,
    ).eval()
    nothing = dict.fromkeys(
        ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "text_encoder_3", "tokenizer_3")
    )
    pipeline = StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae(16), **nothing
    )
    return pipeline, {
        "prompt_embeds": random(1, 7, 32),
        "negative_prompt_embeds": random(1, 7, 32) / 2,
        "pooled_prompt_embeds": random(1, 32),
        "negative_pooled_prompt_embeds": random(1, 32) / 2,
    }


def flux() -> tuple[Any, dict[str, Any]]:
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(4, 6, 6),
    ).eval()
    pipeline = FluxPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(4),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
    )
    return pipeline, {"prompt_embeds": random(1, 7, 32), "pooled_prompt_embeds": random(1, 32)}


def pixart() -> tuple[Any, dict[str, Any]]:
    transformer = PixArtTransformer2DModel(
        sample_size=8,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        in_channels=4,
        out_channels=8,
        caption_channels=32,
        cross_attention_dim=32,
        norm_type="ada_norm_single",
        patch_size=2,
        use_additional_conditions=False,
    ).eval()
    pipeline = PixArtAlphaPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=vae(4),
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(steps_offset=1),
    )
    return pipeline, {
        "prompt": None,
        "negative_prompt": None,
        "prompt_embeds": random(1, 7, 32),
        "prompt_attention_mask": torch.ones(1, 7),
        "negative_prompt_embeds": random(1, 7, 32) / 2,
        "negative_prompt_attention_mask": torch.ones(1, 7),
        "use_resolution_binning": False,
    }


@pytest.mark.parametrize("family", [sdxl, sd3, flux, pixart], ids=lambda family: family.__name__)
def test_jobs_of_this_family_share_forwards_and_get_what_each_gets_alone(
    family: Callable[[], tuple[Any, dict[str, Any]]],
) -> None:
    torch.manual_seed(0)
    pipeline, prompt = family()
    pipeline.set_progress_bar_config(disable=True)
    info = ModelInfo(name="random", source="nowhere", width=SIDE, height=SIDE)
    model = LoadedModel(info, pipeline, "0" * 64, torch.float32, "cpu", max_rows=16)

    def paint(each: Any, seed: int, steps: int, guidance: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        wishes = {"num_inference_steps": steps, "guidance_scale": guidance, "height": SIDE, "width": SIDE}
        latents: torch.Tensor = each(**prompt, **wishes, generator=generator, output_type="latent").images
        return latents

    wishes = [(1, 4, 4.0), (2, 6, 1.0), (3, 3, 2.5)]
    alone = [paint(model.pipeline_for_job(None), *wish) for wish in wishes]
    hub = Hub()
    tasks = []
    for wish in wishes:
        job = model.pipeline_for_job(None)
        recorder = Recorder(job.scheduler, lambda step: None, keep=True)
        tasks.append((hub.spawn(lambda job=job, wish=wish: paint(job, *wish)), recorder))
    while hub.tasks:
        hub.step()

    assert hub.forwards < sum(steps for _, steps, _ in wishes), "nothing was shared"
    for expected, (task, recorder) in zip(alone, tasks, strict=True):
        if task.error is not None:
            raise task.error
        largest = float(expected.abs().max())
        assert float((task.result - expected).abs().max()) < 1e-4 * largest
        trajectory = recorder.trajectory(SIDE, SIDE)
        assert trajectory is not None
        assert float((trajectory.clean[-1].float() - expected[0]).abs().max()) < 2e-3 * largest
