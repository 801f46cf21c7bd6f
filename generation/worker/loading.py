"""Builds a model as its settings say: from its folder, with LoRAs, in few bits, compiled, offloaded to main memory.

Knows no model family by name. What a package is needed for that is not installed is said in one sentence.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
from pathlib import Path
from typing import Any

import torch
from diffusers import BitsAndBytesConfig, DiffusionPipeline, ModularPipeline, PipelineQuantizationConfig, TorchAoConfig
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

from generation import few_steps, model_files
from generation.errors import ModelError, RequestError
from generation.models import Lora, ModelInfo
from generation.worker.download import download, lora_file
from generation.worker.machine import Machine, ran_out_of_memory
from generation.worker.memory import as_text, held_bytes
from generation.worker.pipelines import DENOISERS, LoadedModel, Report, make_scheduler

log = logging.getLogger(__name__)

BITS = {"int8": 8, "float8": 8, "nf4": 4}
PACKAGES = {"int8": "torchao", "float8": "torchao", "nf4": "bitsandbytes"}


def load(info: ModelInfo, machine: Machine, report: Report, folder: Path | None = None) -> LoadedModel:
    """The model of `info`, on the machine's device. `folder`: where its files are, if that is known.

    Raises:
        ModelError: with one sentence that says what is wrong with it.
    """
    what = f"loading {info.name}"
    report(what, 0, 1)
    dtype = machine.dtype(info.dtype, info.name)
    _check_options(info, machine.device)
    folder = folder or (download(info) if model_files.is_hub_id(info.source) else Path(info.source))
    files = model_files.check_folder(info, folder)
    total = len(files) + 2  # the files' fingerprints, then the parts, then the way to the device
    digest = model_files.fingerprint(folder, files, lambda done: report(what, done, total))
    pipeline = _build(info, folder, dtype)
    _choose_scheduler(info, folder, pipeline)
    digest = _add_loras(info, pipeline, digest)
    report(what, total - 1, total)
    _place(info, pipeline, machine.device)
    _set_attention(info, pipeline)
    if info.compile:
        for part in _denoisers(pipeline):
            part.compile(dynamic=False)
    report(what, total, total)
    return LoadedModel(info, pipeline, digest, dtype, machine.device, size=held_bytes(pipeline), pad_rows=info.compile)


def needed_bytes(info: ModelInfo, folder: Path, machine: Machine) -> int:
    """Bytes that the model's weights will take on the device, from its files' headers.

    Raises:
        ModelError: its files are not whole, or its number type is of no use here.
    """
    item_size = machine.dtype(info.dtype, info.name).itemsize
    files = model_files.check_folder(info, folder)
    few_bits = {} if info.quantize is None else dict.fromkeys(DENOISERS, BITS[info.quantize])
    sizes = model_files.parameter_bytes(info, folder, files, item_size, few_bits)
    if info.offload:
        return max(sizes.values(), default=0) // 10  # the layers that are on the device at one time
    return sum(sizes.values())


def too_large(info: ModelInfo, needed: int, budget: int) -> ModelError:
    """That the model fits by no means, and what could help."""
    return ModelError(
        f"The model “{info.name}” does not fit: its weights take {as_text(needed)} and {as_text(budget)} may be used; "
        "choose a shorter dtype or quantize, set offload, or raise DARKROOM_MEMORY."
    )


def options_of(info: ModelInfo) -> tuple[str, ...]:
    """What beside the model's own weights has a say in its pictures, for the record."""
    options = [f"LoRA {Path(lora.source).name}{_file(lora)} at {lora.scale:g}" for lora in info.loras]
    options += [f"{info.quantize} weights"] if info.quantize else []
    options += ["compiled"] if info.compile else []
    options += [f"attention by {info.attention}"] if info.attention else []
    return tuple(options)


def _file(lora: Lora) -> str:
    return f"/{lora.file}" if lora.file else ""


def _check_options(info: ModelInfo, device: str) -> None:
    if info.offload and device == "cpu":
        raise ModelError(
            f"The model “{info.name}” asks for offload, which keeps weights out of a GPU's memory; there is none here, "
            "so leave it out."
        )
    if info.quantize == "nf4" and device == "cpu":
        raise ModelError(
            f"The model “{info.name}” asks for nf4 weights, which need a GPU, and there is none here; choose int8."
        )
    if info.quantize is not None and importlib.util.find_spec(PACKAGES[info.quantize]) is None:
        package = PACKAGES[info.quantize]
        raise ModelError(
            f"The model “{info.name}” asks for {info.quantize} weights, which need the package {package}: install it "
            f"with `.venv/bin/pip install {package}`, or leave quantize out."
        )
    if info.quantize is not None and info.loras:
        raise ModelError(f"The model “{info.name}” asks for LoRAs and {info.quantize} weights; choose one of the two.")


def _build(info: ModelInfo, folder: Path, dtype: torch.dtype) -> Any:
    options: dict[str, Any] = {"dtype": dtype, "variant": info.variant, "use_safetensors": True}
    try:
        if not (folder / model_files.INDEX).is_file():
            pipeline = _build_modular(folder, options)
        else:
            if info.quantize is not None:
                options["quantization_config"] = _quantization(info, folder)
            pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # foreign files can fail in any way; what it was goes along
        if ran_out_of_memory(error):
            raise ModelError(f"The model “{info.name}” does not fit into this machine's memory.") from error
        raise ModelError(f"The model “{info.name}” cannot be loaded from {folder}: {_first_line(error)}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _build_modular(folder: Path, options: dict[str, Any]) -> Any:
    """A modular pipeline with the parts that lie in its folder: its index may name the place it was saved to."""
    pipeline = ModularPipeline.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    here = [name for name in pipeline._component_specs if (folder / name).is_dir()]
    pipeline.load_components(here, pretrained_model_name_or_path=str(folder), local_files_only=True, **options)
    if missing := [name for name in here if getattr(pipeline, name, None) is None]:
        raise ValueError(f"its part “{missing[0]}” cannot be read")
    return pipeline


def _quantization(info: ModelInfo, folder: Path) -> PipelineQuantizationConfig:
    parts = [part for part in DENOISERS if (folder / part).is_dir()]
    return PipelineQuantizationConfig(quant_mapping={part: _few_bits(info.quantize) for part in parts})


def _few_bits(kind: str | None) -> Any:
    if kind == "nf4":
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    bits = importlib.import_module("torchao.quantization")  # by name: it is there only where somebody wants it
    return TorchAoConfig(bits.Int8WeightOnlyConfig() if kind == "int8" else bits.Float8WeightOnlyConfig())


def _choose_scheduler(info: ModelInfo, folder: Path, pipeline: Any) -> None:
    """The scheduler of the settings, else the one that suits a model of few steps, else the model's own."""
    found = few_steps.few_steps(info, folder)
    name = info.scheduler or (None if found is None else found.scheduler)
    options = ({} if found is None or info.scheduler else found.scheduler_options) | info.scheduler_options
    if name is None and not options:
        return
    try:
        scheduler = make_scheduler(pipeline.scheduler, name, info.name)
    except RequestError as error:
        raise ModelError(str(error)) from error
    known = set(scheduler.config)
    if unknown := sorted(set(info.scheduler_options) - known):
        raise ModelError(
            f"The model “{info.name}” sets the scheduler option “{unknown[0]}”, which {type(scheduler).__name__} does "
            "not have."
        )
    fitting = {key: value for key, value in options.items() if key in known}
    scheduler = type(scheduler).from_config(scheduler.config, **fitting)
    if isinstance(pipeline, ModularPipeline):
        pipeline.update_components(scheduler=scheduler)
    else:
        pipeline.register_modules(scheduler=scheduler)


def _add_loras(info: ModelInfo, pipeline: Any, digest: str) -> str:
    """Lay the LoRAs over the weights for good; returns the fingerprint with theirs."""
    if not info.loras:
        return digest
    if not hasattr(pipeline, "load_lora_weights"):
        raise ModelError(f"The model “{info.name}” is of a kind that takes no LoRAs.")
    whole = hashlib.sha256(f"{digest}\n".encode())
    names = [f"lora{number}" for number in range(len(info.loras))]
    for name, lora in zip(names, info.loras, strict=True):
        file = lora_file(info, lora)
        model_files.read_header(info, file.parent, file.name)
        _lay(info, pipeline, lora, file, name)
        with file.open("rb") as stream:
            whole.update(f"{hashlib.file_digest(stream, 'sha256').hexdigest()} {lora.scale!r}\n".encode())
    fitting = {adapter for adapters in pipeline.get_list_adapters().values() for adapter in adapters}
    for name, lora in zip(names, info.loras, strict=True):
        if name not in fitting:
            raise _misfit(info, lora, "none of its layers are the model's")
    pipeline.set_adapters(names, [lora.scale for lora in info.loras])
    pipeline.fuse_lora(adapter_names=names)  # into the weights: as fast as the model itself
    pipeline.unload_lora_weights()
    return whole.hexdigest()


def _lay(info: ModelInfo, pipeline: Any, lora: Lora, file: Path, name: str) -> None:
    try:
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True)
    except Exception as error:  # foreign files, as above
        raise _misfit(info, lora, _first_line(error)) from error


def _misfit(info: ModelInfo, lora: Lora, reason: str) -> ModelError:
    return ModelError(f"The LoRA {lora.source} does not fit the model “{info.name}”: {reason}.")


def _place(info: ModelInfo, pipeline: Any, device: str) -> None:
    try:
        if info.offload:
            offload(pipeline, torch.device(device))
        else:
            pipeline.to(device)
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        raise ModelError(f"The model “{info.name}” does not fit into the memory of {device}.") from error


def offload(pipeline: Any, device: torch.device) -> None:
    """Keep all weights in main memory, and bring each layer to `device` when it is its turn.

    Layer by layer rather than part by part: the hub runs jobs that are at different parts at the same time.
    """
    pipeline.enable_group_offload(
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type="leaf_level",
        use_stream=device.type == "cuda",
    )


def _set_attention(info: ModelInfo, pipeline: Any) -> None:
    """Of this model's denoisers alone: diffusers would set it for every model in the process."""
    if info.attention is None:
        return
    known = sorted(each.value for each in AttentionBackendName)
    if info.attention not in known:
        raise ModelError(
            f"The model “{info.name}” asks for the attention backend “{info.attention}”; choose one of: "
            f"{', '.join(known)}."
        )
    before, _ = _AttentionBackendRegistry.get_active_backend()
    try:
        for part in _denoisers(pipeline):
            part.set_attention_backend(info.attention)
    except Exception as error:  # whatever a backend's package raises, it is of no use here
        raise ModelError(
            f"The model “{info.name}” asks for the attention backend “{info.attention}”, which cannot be used here: "
            f"{_first_line(error)}"
        ) from error
    finally:
        _AttentionBackendRegistry.set_active_backend(before)


def _denoisers(pipeline: Any) -> list[Any]:
    return [part for name in DENOISERS if (part := getattr(pipeline, name, None)) is not None]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
