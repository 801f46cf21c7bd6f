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
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from diffusers.modular_pipelines.flux.modular_blocks_flux import FluxCoreDenoiseStep

from generation.models import ModelInfo
from generation.worker.capture import Recorder
from generation.worker.hub import Hub, SharedModule
from generation.worker.pipelines import LoadedModel

SIDE = 64  # pixels
VAE_SCALE = 8


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


def flux_transformer() -> FluxTransformer2DModel:
    return FluxTransformer2DModel(
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


def flux() -> tuple[Any, dict[str, Any]]:
    pipeline = FluxPipeline(
        transformer=flux_transformer(),
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


def sana() -> tuple[Any, dict[str, Any]]:
    transformer = SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=16,
        num_cross_attention_heads=2,
        cross_attention_head_dim=16,
        cross_attention_dim=32,
        caption_channels=32,
        sample_size=2,
    ).eval()
    scheduler = DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, final_sigmas_type="zero"
    )
    pipeline = SanaPipeline(tokenizer=None, text_encoder=None, vae=None, transformer=transformer, scheduler=scheduler)
    return pipeline, {
        "prompt": None,
        "negative_prompt": None,
        "prompt_embeds": random(1, 7, 32),
        "prompt_attention_mask": torch.ones(1, 7),
        "negative_prompt_embeds": random(1, 7, 32) / 2,
        "negative_prompt_attention_mask": torch.ones(1, 7),
        "use_resolution_binning": False,
    }


def qwen_image() -> tuple[Any, dict[str, Any]]:
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 6, 6),
    ).eval()
    pipeline = QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=None,
        text_encoder=None,
        tokenizer=None,
        transformer=transformer,
    )
    return pipeline, {
        "prompt_embeds": random(1, 7, 32),
        "prompt_embeds_mask": torch.ones(1, 7, dtype=torch.int64),
        "negative_prompt_embeds": random(1, 7, 32) / 2,
        "negative_prompt_embeds_mask": torch.ones(1, 7, dtype=torch.int64),
    }


def z_image() -> tuple[Any, dict[str, Any]]:
    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[4, 6, 6],
        axes_lens=[256, 32, 32],
    ).eval()
    # what the training would have filled in
    torch.nn.init.normal_(transformer.x_pad_token, std=0.02)
    torch.nn.init.normal_(transformer.cap_pad_token, std=0.02)
    pipeline = ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(16),
        text_encoder=None,
        tokenizer=None,
        transformer=transformer,
    )
    return pipeline, {"prompt_embeds": [random(7, 32)], "negative_prompt_embeds": [random(5, 32) / 2]}


def modular_flux() -> tuple[Any, dict[str, Any]]:
    pipeline = FluxCoreDenoiseStep().init_pipeline()
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    pipeline.update_components(transformer=flux_transformer(), scheduler=scheduler)
    return pipeline, {"prompt_embeds": random(1, 7, 32), "pooled_prompt_embeds": random(1, 32)}


SHARED = (sdxl, sd3, flux, pixart, sana, qwen_image, z_image, modular_flux)


@pytest.mark.parametrize("family", SHARED, ids=lambda family: family.__name__)
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
        wishes: dict[str, Any] = {"num_inference_steps": steps, "height": SIDE, "width": SIDE, "generator": generator}
        wishes[model.guidance_argument()] = guidance
        if family is modular_flux:
            return each(**prompt, **wishes, output="latents")
        latents: torch.Tensor = each(**prompt, **wishes, output_type="latent").images
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
        last = trajectory.clean[-1:].float()
        if last.shape != expected.shape:  # this family's pipeline ends with unpacking its sequence of patches
            last = FluxPipeline._unpack_latents(last, SIDE, SIDE, VAE_SCALE)
        assert float((last - expected).abs().max()) < 2e-3 * largest


@pytest.mark.parametrize(
    ("family", "name"), [(sdxl, "guidance_scale"), (flux, "guidance_scale"), (qwen_image, "true_cfg_scale")]
)
def test_guidance_goes_where_the_family_takes_it(family: Callable[[], tuple[Any, dict[str, Any]]], name: str) -> None:
    model = LoadedModel(ModelInfo(name="random", source="nowhere"), family()[0], "0" * 64, torch.float32, "cpu")
    assert model.guidance_argument() == name


def test_prompts_of_different_lengths_share_where_a_family_takes_them_as_a_list() -> None:
    """Z-Image; the others pad their prompts to one length, or (Qwen-Image) share only between equal lengths."""
    torch.manual_seed(0)
    transformer = z_image()[0].transformer
    shared = SharedModule(transformer, 16, ("forward",))

    def call(length: int) -> torch.Tensor:
        latents = random(16, 1, 8, 8) + length
        return shared([latents], torch.tensor([0.5]), [random(length, 32)], return_dict=False)[0][0]

    with torch.inference_mode():
        alone = [call(7), call(40)]
    hub = Hub()
    tasks = [hub.spawn(lambda: call(7)), hub.spawn(lambda: call(40))]
    while hub.tasks:
        hub.step()
    assert hub.forwards == 1
    for expected, task in zip(alone, tasks, strict=True):
        assert float((task.result - expected).abs().max()) < 1e-5
