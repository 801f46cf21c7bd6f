"""Every option of a model's settings is carried out when it is loaded, or refused in one sentence."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    ModularPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_dispatch import _AttentionBackendRegistry
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import CLIPTextModelWithProjection

from generation.errors import ModelError
from generation.models import Lora, ModelInfo
from generation.worker import loading
from generation.worker.calibrate import calibrate
from generation.worker.hub import Hub
from generation.worker.machine import Machine
from generation.worker.memory import held_bytes
from generation.worker.pipelines import LoadedModel
from tests.tiny_models import DISCRETE, tiny_info, tiny_pipeline, tokenizer


def load(info: ModelInfo, machine: Machine, **options: Any) -> LoadedModel:
    return loading.load(msgspec.structs.replace(info, **options), machine, lambda what, done, total: None)


def refused(info: ModelInfo, machine: Machine, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load(info, machine, **options)
    assert "\n" not in str(caught.value)
    assert "“tiny”" in str(caught.value)
    return str(caught.value)


def paint(model: LoadedModel, pipeline: Any = None, **wishes: Any) -> np.ndarray:
    arguments = {
        "num_inference_steps": 3,
        "height": 32,
        "width": 32,
        "output_type": "np",
        "guidance_scale": 3.0,
    } | wishes
    generator = torch.Generator().manual_seed(1)
    return model.run(
        pipeline or model.pipeline_for_job(None), {"prompt": "a red fox", "generator": generator} | arguments
    )[0]


@pytest.fixture(scope="session")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one LoRA for the tiny model."""
    folder = Path(tmp_path_factory.mktemp("lora"))
    unet = tiny_pipeline().unet
    torch.manual_seed(5)
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_v"]), "one")
    layers = get_peft_model_state_dict(unet, adapter_name="one")
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    return folder


def test_a_lora_changes_the_picture_by_its_scale_and_the_fingerprint(
    tiny: ModelInfo, machine: Machine, lora: Path
) -> None:
    plain = load(tiny, machine)
    none = load(tiny, machine, loras=(Lora(source=str(lora), scale=0.0),))
    half = load(tiny, machine, loras=(Lora(source=str(lora), scale=0.5),))
    whole = load(tiny, machine, loras=(Lora(source=str(lora / "pytorch_lora_weights.safetensors")),))
    picture = paint(plain)
    assert np.abs(paint(none) - picture).max() < 1e-5
    assert np.abs(paint(half) - picture).max() > 0.01
    assert np.abs(paint(whole) - paint(half)).max() > 0.01
    assert len({model.weights_sha256 for model in (plain, none, half, whole)}) == 4
    assert loading.options_of(half.info) == (f"LoRA {lora.name} at 0.5",)


def test_jobs_of_different_lora_sets_do_not_share_a_forward(tiny: ModelInfo, machine: Machine, lora: Path) -> None:
    models = [load(tiny, machine), load(tiny, machine, loras=(Lora(source=str(lora)),))]
    hub = Hub()
    tasks = []
    for model in (*models, *models):
        model.max_rows = 16
        pipeline = model.pipeline_for_job(None)
        tasks.append((model, hub.spawn(lambda model=model, pipeline=pipeline: paint(model, pipeline))))
    while hub.tasks:
        hub.step()
    for model, task in tasks:
        assert np.abs(task.result - paint(model)).max() < 1 / 255
    forwards = [3 * 2, 2 * 4]  # two jobs of each set share three steps; then each picture is decoded alone
    assert hub.forwards <= sum(forwards)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "/nowhere/at/all"}, "is not there"),
        ({"file": "other.safetensors"}, "has no other.safetensors"),
        ({"source": "pickled"}, "no safetensors file"),
        ({"source": "misfit"}, "does not fit"),
        ({"source": "cut"}, "damaged"),
    ],
)
def test_a_lora_that_is_of_no_use_says_why(
    tiny: ModelInfo, machine: Machine, lora: Path, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    from safetensors.torch import save_file

    (tmp_path / "l.bin").write_bytes(b"c__builtin__\neval\n(S'1/0'\ntR.")
    save_file({"some.other.layer": torch.zeros(3)}, tmp_path / "misfit.safetensors")
    whole = (lora / "pytorch_lora_weights.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-9])
    files = {
        "pickled": tmp_path / "l.bin",
        "misfit": tmp_path / "misfit.safetensors",
        "cut": tmp_path / "cut.safetensors",
    }
    settings = {"source": str(lora)} | change
    settings["source"] = str(files.get(settings["source"], settings["source"]))
    assert words in refused(tiny, machine, loras=(Lora(**settings),))


def test_the_scheduler_of_the_settings_and_its_options_are_the_models_own_from_then_on(
    tiny: ModelInfo, machine: Machine
) -> None:
    model = load(tiny, machine, scheduler="DPMSolverMultistepScheduler", scheduler_options={"use_karras_sigmas": True})
    scheduler = model.pipeline_for_job(None).scheduler
    assert type(scheduler).__name__ == "DPMSolverMultistepScheduler"
    assert scheduler.config.use_karras_sigmas is True
    assert "choose one of" in refused(tiny, machine, scheduler="NoSuchScheduler")
    assert "“warmth”" in refused(tiny, machine, scheduler_options={"warmth": 3})


def test_a_model_of_few_steps_gets_its_scheduler(tiny: ModelInfo, machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "tiny-lcm"
    shutil.copytree(tiny.source, folder)
    model = load(tiny_info(folder), machine)
    assert type(model.pipeline.scheduler).__name__ == "LCMScheduler"
    assert paint(model).std() > 0.01
    assert (
        type(load(tiny_info(folder), machine, scheduler="DDIMScheduler").pipeline.scheduler).__name__ == "DDIMScheduler"
    )


def test_an_attention_backend_is_set_for_its_model_alone(tiny: ModelInfo, machine: Machine) -> None:
    before = _AttentionBackendRegistry.get_active_backend()
    model = load(tiny, machine, attention="_native_math")
    assert _AttentionBackendRegistry.get_active_backend() == before
    assert np.abs(paint(model) - paint(load(tiny, machine))).max() < 1e-4
    assert "choose one of" in refused(tiny, machine, attention="telepathy")
    assert "cannot be used here" in refused(tiny, machine, attention="flash")


def test_what_needs_a_package_that_is_not_installed_names_it(
    tiny: ModelInfo, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install torchao" in refused(tiny, machine, quantize="float8")
    assert "pip install torchao" in refused(tiny, machine, quantize="int8")


def test_four_bits_need_a_gpu(tiny: ModelInfo, machine: Machine) -> None:
    assert "choose int8" in refused(tiny, machine, quantize="nf4")


def test_no_picture_changes_a_weight_so_the_fingerprint_stays_true(tiny: ModelInfo, machine: Machine) -> None:
    def weights(model: LoadedModel) -> str:
        digest = hashlib.sha256()
        for _, part in sorted(model.pipeline.components.items()):
            for tensor in part.state_dict().values() if isinstance(part, torch.nn.Module) else ():
                digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    model = load(tiny, machine)
    before = weights(model)
    calibrate(model, lambda what, done, total: None)
    hub = Hub()
    for scheduler in (None, "EulerAncestralDiscreteScheduler", "LCMScheduler"):
        pipeline = model.pipeline_for_job(scheduler)
        hub.spawn(lambda pipeline=pipeline: paint(model, pipeline))
    start = model.pipeline_for_job(None, from_image=True)
    hub.spawn(lambda: start("a red fox", image=torch.rand(1, 3, 32, 32), num_inference_steps=4))
    while hub.tasks:
        assert all(task.error is None for task in hub.step())
    assert weights(model) == before


def test_offload_needs_a_gpu_and_paints_the_same_picture(tiny: ModelInfo, machine: Machine) -> None:
    assert "none here" in refused(tiny, machine, offload=True)
    model = load(tiny, machine)
    before = paint(model)
    loading.offload(model.pipeline, torch.device("cpu"))  # brought to the place where they are already
    hub = Hub()
    pipelines = [model.pipeline_for_job(None) for _ in range(2)]
    model.max_rows = 16
    tasks = [hub.spawn(lambda pipeline=pipeline: paint(model, pipeline)) for pipeline in pipelines]
    while hub.tasks:
        hub.step()
    for task in tasks:
        assert np.abs(task.result - before).max() < 1 / 255


def test_memory_is_counted_before_and_after_loading(tiny: ModelInfo, machine: Machine) -> None:
    model = load(tiny, machine)
    needed = loading.needed_bytes(tiny, Path(tiny.source), machine)
    assert model.size == held_bytes(model.pipeline)
    assert 0.98 < needed / model.size <= 1.0  # beside its weights a model holds a few tables
    half = loading.needed_bytes(msgspec.structs.replace(tiny, dtype="bfloat16"), Path(tiny.source), machine)
    assert half == needed // 2
    few = loading.needed_bytes(msgspec.structs.replace(tiny, quantize="int8"), Path(tiny.source), machine)
    assert needed / 2 < few < needed, "only matrices, and only the denoiser's"
    sentence = str(loading.too_large(tiny, 13_400_000_000, 8_000_000_000))
    assert "13.4 GB" in sentence and "8.0 GB" in sentence and "DARKROOM_MEMORY" in sentence


def test_a_model_that_brings_code_of_its_own_is_not_run(tiny: ModelInfo, machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.source, folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": ["pipeline", "Mine"]}))
    assert "never run here" in refused(tiny_info(folder), machine)


@pytest.fixture(scope="module")
def modular(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    """A modular SDXL on disk, moved away from where it was saved."""
    folder = Path(tmp_path_factory.mktemp("modular"))
    parts = tiny_pipeline()
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=64,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        norm_num_groups=8,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=8 * 6 + 32,
    ).eval()
    config = type(parts.text_encoder.config)(**parts.text_encoder.config.to_dict() | {"projection_dim": 32})
    StableDiffusionXLPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        text_encoder_2=CLIPTextModelWithProjection(config).eval(),
        tokenizer=parts.tokenizer,
        tokenizer_2=tokenizer(),
        unet=unet,
        scheduler=EulerDiscreteScheduler(**DISCRETE),
        add_watermarker=False,
    ).save_pretrained(folder / "plain")
    pipeline = ModularPipeline.from_pretrained(str(folder / "plain"), local_files_only=True)
    names = ["text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae", "scheduler"]
    pipeline.load_components(names, dtype=torch.float32, local_files_only=True)
    pipeline.save_pretrained(str(folder / "saved"), overwrite_modular_index=True)
    (folder / "saved").rename(folder / "moved")
    shutil.rmtree(folder / "plain")
    return tiny_info(folder / "moved")


def test_a_modular_pipeline_is_loaded_from_disk_guides_and_shares(modular: ModelInfo, machine: Machine) -> None:
    model = load(modular, machine)
    assert isinstance(model.pipeline, ModularPipeline)
    calibrate(model, lambda what, done, total: None)
    assert model.max_rows > 1, model.sharing
    model.max_rows = 16
    plain = load(modular, machine).pipeline
    wishes = [(1, 3, 4.0), (2, 4, 1.0), (3, 2, 0.0)]
    hub = Hub()
    tasks = []
    for seed, steps, guidance in wishes:
        pipeline = model.pipeline_for_job(None)
        asked = {
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "generator": torch.Generator().manual_seed(seed),
        }
        tasks.append(hub.spawn(lambda pipeline=pipeline, asked=asked: paint(model, pipeline, **asked)))
    while hub.tasks:
        hub.step()
    for (seed, steps, guidance), task in zip(wishes, tasks, strict=True):
        if task.error is not None:
            raise task.error
        plain.guider.guidance_scale = max(1.0, guidance)
        expected = plain(
            prompt="a red fox", num_inference_steps=steps, height=32, width=32, output_type="np", output="images",
            generator=torch.Generator().manual_seed(seed),
        )[0]  # fmt: skip
        assert np.abs(task.result - expected).max() <= 1.01 / 255
    assert np.abs(tasks[0].result - tasks[1].result).max() > 0.01
