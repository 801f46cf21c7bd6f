"""Tells from a model's files and names whether it was distilled to take few steps, and what suits it then.

A distilled model (LCM, Turbo, Lightning, Hyper, DMD, TCD, schnell, Sprint) asked for 25 steps with guidance paints
badly and slowly. What its files say comes first: the classes of pipeline and scheduler, flags in the configurations.
Names (of the model, of its LoRAs, and those that its files remember) come second, as many say it there alone. Loads
nothing: the bot asks for the steps and the guidance, the worker for the scheduler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from generation import model_files
from generation.models import ModelInfo

DENOISERS = ("transformer", "unet", "prior")
STEPS_IN_NAME = re.compile(r"(?<!\d)(\d{1,2})[-_ ]?steps?(?![a-z])", re.IGNORECASE)
EMBEDDED_LCM_GUIDANCE = 8.5  # as diffusers' own pipeline for LCM has it
EMBEDDED_SPRINT_GUIDANCE = 4.5  # the same for Sana Sprint
NO_GUIDANCE = 1.0  # a distilled model has it within
TRAILING: dict[str, Any] = {"timestep_spacing": "trailing"}


@dataclass(frozen=True)
class Method:
    """One way of distilling. `scheduler` and `options` are for models that are not of the flow-matching kind."""

    steps: int
    scheduler: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


METHODS = {  # by the word that names show; the values are those of the papers' and the authors' model cards
    "lcm": Method(4, "LCMScheduler"),  # arXiv:2310.04378
    "tcd": Method(4, "TCDScheduler"),  # arXiv:2402.19159
    "dmd": Method(4, "LCMScheduler"),  # arXiv:2405.14867
    "lightning": Method(4, "EulerDiscreteScheduler", TRAILING),  # arXiv:2402.13929
    "hyper": Method(8, "DDIMScheduler", TRAILING),  # arXiv:2404.13686
    "turbo": Method(4, None, TRAILING),  # arXiv:2311.17042
    "schnell": Method(4),
    "sprint": Method(2),  # arXiv:2503.09641
    "distilled": Method(4),
}
ALIASES = {"dmd2": "dmd", "hypersd": "hyper"}
FLOW_TURBO_STEPS = 8
OF_CLASSES = {  # what the class of a pipeline or of a scheduler says
    "LatentConsistency": "lcm",
    "LCMScheduler": "lcm",
    "TCDScheduler": "tcd",
    "SCMScheduler": "sprint",
    "SanaSprint": "sprint",
    "DMD": "dmd",
}


@dataclass(frozen=True)
class FewSteps:
    """What suits a distilled model."""

    method: str  # a key of METHODS
    steps: int
    guidance_scale: float
    scheduler: str | None  # a class name; None: the model's own
    scheduler_options: dict[str, Any]


@dataclass(frozen=True)
class _Signs:
    """What the files say."""

    pipeline: str
    is_distilled: bool
    scheduler: dict[str, Any]
    denoiser: dict[str, Any]
    names: tuple[str, ...]

    @property
    def is_flow(self) -> bool:
        name = str(self.scheduler.get("_class_name", ""))
        return name.startswith("FlowMatch") or bool(self.scheduler.get("use_flow_sigmas"))


def few_steps(info: ModelInfo, folder: Path | None) -> FewSteps | None:
    """What suits the model if it is distilled, else None. `folder`: its files; None: they are not here yet."""
    signs = _read(info, folder)
    method = _method_of_files(signs) or _method_of_names(signs.names)
    if method is None:
        return None
    way = METHODS[method]
    steps = FLOW_TURBO_STEPS if method == "turbo" and signs.is_flow else way.steps
    for name in signs.names:
        if match := STEPS_IN_NAME.search(name):
            steps = max(1, int(match[1]))
            break
    scheduler, options = _scheduler(way, signs)
    return FewSteps(method, steps, _guidance(method, signs), scheduler, options)


def with_fitting_defaults(info: ModelInfo, given: frozenset[str]) -> ModelInfo:
    """The model with the steps and the guidance that suit it, as far as nobody has `given` them by name."""
    if {"steps", "guidance_scale"} <= given:
        return info
    found = few_steps(info, model_files.locate(info))
    if found is None:
        return info
    fitting = {"steps": found.steps, "guidance_scale": found.guidance_scale}
    return msgspec.structs.replace(info, **{name: value for name, value in fitting.items() if name not in given})


def _read(info: ModelInfo, folder: Path | None) -> _Signs:
    index: dict[str, Any] = {}
    scheduler: dict[str, Any] = {}
    denoiser: dict[str, Any] = {}
    if folder is not None:
        index = model_files.read_json(folder / model_files.INDEX)
        scheduler = model_files.read_json(folder / "scheduler" / "scheduler_config.json")
        denoiser = next((found for part in DENOISERS if (found := _config(folder, part))), {})
    remembered = [str(each["_name_or_path"]) for each in (index, denoiser) if each.get("_name_or_path")]
    loras = [text for lora in info.loras for text in (lora.file, lora.source) if text]
    return _Signs(
        pipeline=str(index.get("_class_name", "")),
        is_distilled=index.get("is_distilled") is True,
        scheduler=scheduler,
        denoiser=denoiser,
        names=tuple(map(_last_parts, [*loras, info.source, *remembered])),
    )


def _config(folder: Path, part: str) -> dict[str, Any]:
    return model_files.read_json(folder / part / "config.json")


def _last_parts(name: str) -> str:
    """The two last parts of a path or a hub id: folders above them belong to somebody's machine."""
    return "/".join(name.replace("\\", "/").split("/")[-2:])


def _method_of_files(signs: _Signs) -> str | None:
    for text in (signs.pipeline, str(signs.scheduler.get("_class_name", ""))):
        for part, method in OF_CLASSES.items():
            if part in text:
                return method
    if signs.is_distilled:
        return "turbo" if _method_of_names(signs.names) == "turbo" else "distilled"
    # Flux takes guidance as an input where it was distilled for guidance alone, and none where for steps too
    without_guidance = signs.denoiser.get("guidance_embeds") is False
    fixed_shift = signs.scheduler.get("use_dynamic_shifting") is False
    if signs.pipeline.startswith("Flux") and without_guidance and fixed_shift:
        return "schnell"
    return None


def _method_of_names(names: tuple[str, ...]) -> str | None:
    for name in names:
        for word in re.split(r"[^a-z0-9]+", name.lower()):
            if (method := ALIASES.get(word, word)) in METHODS:
                return method
    return None


def _guidance(method: str, signs: _Signs) -> float:
    """Distilled guidance is within the model; some take its strength as an input."""
    if method == "lcm" and signs.denoiser.get("time_cond_proj_dim"):
        return EMBEDDED_LCM_GUIDANCE
    if method == "sprint":
        return EMBEDDED_SPRINT_GUIDANCE
    if signs.denoiser.get("guidance_embeds"):
        return 3.5  # Flux.1 dev under a LoRA of few steps
    return NO_GUIDANCE


def _scheduler(way: Method, signs: _Signs) -> tuple[str | None, dict[str, Any]]:
    """The scheduler and its options, where the model's own is not right already."""
    own = str(signs.scheduler.get("_class_name", ""))
    if not own or signs.is_flow or own in {"LCMScheduler", "TCDScheduler", "SCMScheduler"}:
        return None, {}
    missing = {name: value for name, value in way.options.items() if signs.scheduler.get(name) != value}
    if way.scheduler is not None:
        return (None if own == way.scheduler else way.scheduler), missing
    if way.options and not own.startswith("Euler"):
        return "EulerAncestralDiscreteScheduler", missing
    return None, missing
