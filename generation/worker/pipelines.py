"""A model in memory as a diffusers pipeline, of which each job gets its own light copy.

A copy shares every weight with the original but has its own scheduler and its own state, and shared modules
(`generation.worker.hub`) where the denoiser and the decoder were. Knows no model family by name.
"""

from __future__ import annotations

import copy
import inspect
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import diffusers
import torch
from diffusers import ModularPipeline

from generation.errors import RequestError
from generation.models import ModelInfo
from generation.worker import finish
from generation.worker.hub import SharedModule, StandIn
from generation.worker.packing import Packing
from generation.worker.preview import PreviewMap

log = logging.getLogger(__name__)

DENOISERS = ("transformer", "transformer_2", "unet", "prior")
GUIDANCE = "guidance_scale"
ELSEWHERE = frozenset(
    {"LCMScheduler", "TCDScheduler"}
)  # right for models of noise prediction; diffusers lists them not
ENCODINGS_KEPT = 64
Report = Callable[[str, int, int], None]  # what, done, total


@dataclass(eq=False)
class LoadedModel:
    """A model in memory. What is measured (`generation.worker.calibrate`) is filled in after loading."""

    info: ModelInfo
    pipeline: Any
    weights_sha256: str
    dtype: torch.dtype
    device: str
    size: int = 0  # bytes of its weights in memory
    pad_rows: bool = False  # compiled: forwards have 1, 2, 4 or 8 rows, as each new number is compiled anew
    max_rows: int = 1  # of one shared forward of pictures of the default size; 1: jobs do not share
    rows_at: dict[int, int] = field(default_factory=dict)  # the same for other sizes, by pixels, where measured
    decode_rows: int = 1  # of one shared call of the decoder
    sharing: str = "not measured"  # for people: whether jobs share forwards, and why
    seconds_per_step: float = 0.0  # of one picture with guidance
    together: tuple[int, float] = (1, 0.0)  # such pictures in one forward, and its seconds for each
    preview: PreviewMap | None = None
    _image_to_image: Any = None
    _stand_ins: dict[tuple[str, int], StandIn] = field(default_factory=dict)
    _packings: dict[str, Packing] = field(default_factory=dict)

    def packing(self, name: str) -> Packing:
        """Of the pipeline's part of that name: how its convolutions are packed for stacked calls."""
        if name not in self._packings:
            self._packings[name] = Packing(getattr(self.pipeline, name))
        return self._packings[name]

    def rows_for(self, pixels: int) -> int:
        """Rows of one shared forward for pictures of so many pixels.

        As measured at the nearest size that is not smaller; beyond the largest one, fewer in proportion.
        """
        if self.max_rows == 1:
            return 1
        measured = self.rows_at | {self.info.width * self.info.height: self.max_rows}
        if pixels > (largest := max(measured)):
            return max(1, measured[largest] * largest // pixels)
        return measured[min(size for size in measured if size >= pixels)]

    @property
    def packed_bytes(self) -> int:
        """What packed convolutions take beside the weights."""
        return sum(packing.bytes for packing in self._packings.values())

    def pipeline_for_job(
        self, scheduler: str | None, *, from_image: bool = False, pixels: int | None = None, max_rows: int | None = None
    ) -> Any:
        """A copy for one job, with a fresh scheduler of that class name (None: the model's own).

        `pixels` of the picture (None: the model's default size) and `max_rows` (None: as measured, at that size)
        limit what is put into one forward.

        Raises:
            RequestError: this model knows no such scheduler, or cannot start from a picture.
        """
        original = self._from_image() if from_image else self.pipeline
        pixels = pixels or self.info.width * self.info.height
        rows = max_rows or self.rows_for(pixels)
        job = object.__new__(type(original))
        state = job.__dict__
        # not by setattr, which diffusers overloads to rewrite the pipeline's common configuration
        state.update(original.__dict__)
        state["scheduler"] = make_scheduler(self.pipeline.scheduler, scheduler, self.info.name)
        if self._guider is not None:
            state["guider"] = copy.deepcopy(self._guider)  # it counts the steps
        for name, part in original.components.items():
            if isinstance(part, torch.nn.Module) and (stand_in := self._stand_in(name, part, rows, pixels)):
                state[name] = stand_in
        return job

    def _stand_in(self, name: str, part: torch.nn.Module, rows: int, pixels: int) -> StandIn | None:
        """What jobs have in the place of a part of the pipeline; None: the part itself."""
        make: Callable[[torch.nn.Module], StandIn]
        if name.startswith("text_encoder"):
            rows, make = 1, CachedEncoder
        elif name in DENOISERS:
            make = partial(
                SharedModule, max_rows=rows, methods=("forward",), pad=self.pad_rows, packing=self.packing(name)
            )
        elif name == "vae" and not _is_recast_in_flight(part):
            rows = max(1, min(rows, self.decode_rows, finish.PIXELS_TOGETHER // pixels))
            make = partial(SharedModule, max_rows=rows, methods=("decode",), packing=self.packing(name))
        else:
            return None
        return self._stand_ins.setdefault((name, rows), make(part))

    def accepts(self, argument: str, *, from_image: bool = False) -> bool:
        """Whether the pipeline takes an argument of that name."""
        original = self._from_image() if from_image else self.pipeline
        if isinstance(original, ModularPipeline):
            return argument in original.blocks.input_names or (argument == GUIDANCE and self._guider is not None)
        return argument in _parameters(type(original).__call__)

    def run(self, pipeline: Any, arguments: dict[str, Any]) -> Any:
        """The pictures, or latents, that a job's `pipeline` makes of these arguments."""
        if not isinstance(pipeline, ModularPipeline):
            return pipeline(**arguments).images
        if GUIDANCE in arguments and GUIDANCE not in pipeline.blocks.input_names:
            # a part of its own does it there; below 1 it would guide away from the prompt, which others never do
            pipeline.guider.guidance_scale = max(1.0, arguments.pop(GUIDANCE))
        return pipeline(**arguments, output="images")

    @property
    def _guider(self) -> Any:
        """The part that guides, of a modular pipeline that has one."""
        return getattr(self.pipeline, "guider", None) if isinstance(self.pipeline, ModularPipeline) else None

    def guidance_argument(self, *, from_image: bool = False) -> str:
        """What the pipeline calls the strength of guidance by a negative prompt.

        Pipelines with a guidance that was distilled into the model call that one `guidance_scale`, and this one
        `true_cfg_scale`; it is the one meant where the model has no other, as with Qwen-Image.
        """
        config = getattr(getattr(self.pipeline, "transformer", None), "config", None)
        distilled = bool(getattr(config, "guidance_embeds", False))
        is_true = not distilled and self.accepts("true_cfg_scale", from_image=from_image)
        return "true_cfg_scale" if is_true else GUIDANCE

    def _from_image(self) -> Any:
        if isinstance(self.pipeline, ModularPipeline):
            if not {"image", "strength"} <= set(self.pipeline.blocks.input_names):
                raise RequestError(f"The model “{self.info.name}” cannot start from a picture.")
            return self.pipeline
        if self._image_to_image is None:
            # here, because it imports every family of pipelines there is, which takes more than a second
            from diffusers import AutoPipelineForImage2Image

            try:
                self._image_to_image = AutoPipelineForImage2Image.from_pipe(self.pipeline)
            except ValueError as error:
                raise RequestError(f"The model “{self.info.name}” cannot start from a picture.") from error
            self._image_to_image.set_progress_bar_config(disable=True)
        return self._image_to_image


class CachedEncoder(StandIn):
    """Remembers what a text encoder said of recent inputs.

    It always encodes alone: what a person gets must not depend on whose prompt was encoded along with it.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__(module)
        self.__dict__["_kept"] = OrderedDict()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        key = (_exact(args), _exact(kwargs))
        if key not in self._kept:
            self._kept[key] = self._module(*args, **kwargs)
            if len(self._kept) > ENCODINGS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return _cloned(self._kept[key])


def make_scheduler(own: Any, name: str | None, model: str) -> Any:
    """A fresh scheduler: a copy of the model's own, or one of class `name` with the same configuration.

    Raises:
        RequestError: the model cannot be run with a scheduler of that name.
    """
    if name is None or name == type(own).__name__:
        return copy.deepcopy(own)
    fitting = {kind.__name__: kind for kind in own.compatibles}
    kind = fitting.get(name)
    if kind is None and name in ELSEWHERE and not type(own).__name__.startswith("FlowMatch"):
        kind = getattr(diffusers, name)
    if kind is None:
        raise RequestError(
            f"The model “{model}” cannot use the scheduler “{name[:60]}”; choose one of: {', '.join(sorted(fitting))}."
        )
    return kind.from_config(own.config)


@cache  # of classes' methods, of which there are few
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def _is_recast_in_flight(vae: torch.nn.Module) -> bool:
    """Whether pipelines turn this decoder to float32 and back around each call, which jobs must not interleave."""
    config = getattr(vae, "config", None)
    return bool(getattr(config, "force_upcast", False)) and getattr(vae, "dtype", None) == torch.float16


def _exact(value: Any) -> Any:
    """A key that is equal for equal input, tensors by their bytes."""
    if isinstance(value, torch.Tensor):
        return (
            tuple(value.shape),
            str(value.dtype),
            value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes(),
        )
    if isinstance(value, dict):
        return tuple((name, _exact(item)) for name, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(_exact(item) for item in value)
    return repr(value)


def _cloned(value: Any) -> Any:
    """A copy that the caller may change."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return type(value)(**{name: _cloned(item) for name, item in value.items()})
    if isinstance(value, list | tuple):
        return type(value)(_cloned(item) for item in value)
    return value
