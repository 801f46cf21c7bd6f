"""A distilled model gets the steps, the guidance and the scheduler that suit it, from what its files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.settings import load_settings
from generation.few_steps import few_steps
from generation.models import Lora, ModelInfo

SDXL = "StableDiffusionXLPipeline"
DDIM = {"_class_name": "DDIMScheduler", "timestep_spacing": "leading"}
EULER = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}


def write(
    folder: Path,
    pipeline: str = SDXL,
    scheduler: dict[str, Any] = DDIM,
    denoiser: dict[str, Any] | None = None,
    **index: Any,
) -> Path:
    """The configurations of a model, without its weights."""
    part = "transformer" if scheduler is FLOW or pipeline.startswith("Flux") else "unet"
    for name in ("scheduler", part):
        (folder / name).mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": pipeline} | index))
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    (folder / part / "config.json").write_text(json.dumps(denoiser or {}))
    return folder


def found(folder: Path, source: str = "", **settings: Any) -> tuple[Any, ...] | None:
    info = ModelInfo(name="m", source=source or str(folder), **settings)
    few = few_steps(info, folder)
    return few and (few.method, few.steps, few.guidance_scale, few.scheduler, few.scheduler_options)


def test_an_ordinary_model_is_left_alone(tmp_path: Path) -> None:
    assert found(write(tmp_path / "m")) is None
    assert (
        found(write(tmp_path / "f", "FluxPipeline", FLOW | {"use_dynamic_shifting": True}, {"guidance_embeds": True}))
        is None
    )
    assert found(write(tmp_path / "cryptoturbogold"), "somebody/nanolcmodel") is None, "parts of words say nothing"


def test_the_files_tell_where_the_name_does_not(tmp_path: Path) -> None:
    lcm = {"_class_name": "LCMScheduler"}
    assert found(write(tmp_path / "a", "LatentConsistencyModelPipeline", lcm, {"time_cond_proj_dim": 256})) == (
        "lcm", 4, 8.5, None, {},
    )  # fmt: skip
    assert found(write(tmp_path / "b", scheduler=lcm)) == ("lcm", 4, 1.0, None, {})
    fixed = FLOW | {"use_dynamic_shifting": False, "shift": 1.0}
    assert found(write(tmp_path / "c", "FluxPipeline", fixed, {"guidance_embeds": False})) == (
        "schnell",
        4,
        1.0,
        None,
        {},
    )
    assert found(write(tmp_path / "d", "Flux2KleinPipeline", FLOW, is_distilled=True)) == (
        "distilled",
        4,
        1.0,
        None,
        {},
    )
    assert found(write(tmp_path / "e", "SanaSprintPipeline", {"_class_name": "SCMScheduler"})) == (
        "sprint",
        2,
        4.5,
        None,
        {},
    )
    remembered = {"_name_or_path": "/home/x/models/sdxl-turbo/unet"}
    assert found(write(tmp_path / "f", denoiser=remembered)) == (
        "turbo", 4, 1.0, "EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "scheduler", "expected"),
    [
        ("stabilityai/sdxl-turbo", EULER, ("turbo", 4, 1.0, None, {"timestep_spacing": "trailing"})),
        ("stabilityai/sd-turbo", EULER | {"timestep_spacing": "trailing"}, ("turbo", 4, 1.0, None, {})),
        ("Tongyi-MAI/Z-Image-Turbo", FLOW, ("turbo", 8, 1.0, None, {})),
        ("x/SDXL-Lightning", DDIM, ("lightning", 4, 1.0, "EulerDiscreteScheduler", {"timestep_spacing": "trailing"})),
        ("x/qwen-image-lightning-8steps", FLOW, ("lightning", 8, 1.0, None, {})),
        ("ByteDance/Hyper-SD", EULER, ("hyper", 8, 1.0, "DDIMScheduler", {"timestep_spacing": "trailing"})),
        ("tianweiy/DMD2", DDIM, ("dmd", 4, 1.0, "LCMScheduler", {})),
    ],
)  # fmt: skip
def test_where_only_the_name_tells_the_scheduler_still_follows_the_files(
    tmp_path: Path, source: str, scheduler: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    assert found(write(tmp_path / "m", scheduler=scheduler), source) == expected


def test_a_lora_of_few_steps_makes_its_model_one_and_its_own_number_counts(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    assert found(folder, loras=(Lora(source="latent-consistency/lcm-lora-sdxl"),)) == (
        "lcm",
        4,
        1.0,
        "LCMScheduler",
        {},
    )
    two = Lora(source="x/loras", file="sdxl_lightning_2step_lora.safetensors")
    assert found(folder, loras=(two,))[:2] == ("lightning", 2)  # type: ignore[index]  # it is found


def test_settings_fill_in_what_suits_the_model_and_what_is_said_stands(tmp_path: Path) -> None:
    folder = str(write(tmp_path / "my-model", scheduler={"_class_name": "LCMScheduler"}))
    few, own, ordinary, hub = load_settings(
        models=[
            {"name": "few", "source": folder},
            {"name": "own", "source": folder, "steps": 7},
            {"name": "ordinary", "source": str(write(tmp_path / "plain"))},
            {"name": "hub", "source": "somebody/some-turbo-model"},
        ]
    ).models
    assert (few.steps, few.guidance_scale) == (4, 1.0)
    assert (own.steps, own.guidance_scale) == (7, 1.0)
    assert (ordinary.steps, ordinary.guidance_scale) == (25, 4.0)
    assert (hub.steps, hub.guidance_scale) == (4, 1.0), "before its files are here the name is all there is"
