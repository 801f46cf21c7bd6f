"""What the bot must know of a model without loading it: its name, defaults and limits.

Knows nothing of torch. The worker reads the same record to load the weights; the bot reads it to
validate a request, to fill in what was not asked for, and to offer names in autocomplete.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from generation.errors import UnknownModel

POCKET_NAME = "pocket"
POCKET_FOLDER = Path(__file__).parent / "pocket"


class Lora(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small change to a model's weights, laid over them when the model is loaded."""

    source: str  # a .safetensors file, a folder, or a hub id
    file: str | None = None  # which file of the folder or of the hub's model; None: its only one
    scale: float = 1.0  # how strong; 0 changes nothing


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model that a person may name. Sizes are in pixels, steps in denoising steps."""

    name: str  # what people type and what the record keeps
    source: str  # a folder with a diffusers `model_index.json`, or a hub id
    title: str = ""  # one line for people: what it paints
    steps: Annotated[int, Meta(ge=1)] = 25
    guidance_scale: Annotated[float, Meta(ge=0)] = 4.0
    width: int = 512
    height: int = 512
    size_multiple: int = 8  # width and height must be multiples of this
    min_side: int = 64
    max_side: int = 1024
    max_steps: int = 150
    scheduler: str | None = None  # a diffusers scheduler class name; None: the one that fits the model
    scheduler_options: dict[str, bool | int | float | str] = {}  # of its configuration, like use_karras_sigmas
    dtype: str = "auto"  # auto, float32, bfloat16, float16
    variant: str | None = None  # which of several sets of weights, like fp16
    revision: str | None = None  # of a hub's model: a branch, tag or commit; None: main
    loras: tuple[Lora, ...] = ()
    offload: bool = False  # keep the weights in main memory and bring each layer to the GPU as it is needed
    quantize: Literal["int8", "float8", "nf4"] | None = None  # the denoiser's weights in 8 or 4 bits
    compile: bool = False  # compile the denoiser: slow to start, then faster
    attention: str | None = None  # diffusers' name of an attention backend, like flash or sage; None: torch's own


def pocket_model() -> ModelInfo:
    """The model that ships with the repository. It was trained at 128x128 and knows no other size."""
    return ModelInfo(
        name=POCKET_NAME,
        source=str(POCKET_FOLDER),
        title="Small emoji-like pictures, 128x128; ships with Darkroom, needs no GPU",
        steps=40,  # two seconds on two cores: long enough to be watched
        guidance_scale=2.2,
        width=128,
        height=128,
        size_multiple=128,
        min_side=128,
        max_side=128,
        max_steps=100,
    )


class Models(msgspec.Struct, frozen=True):
    """The configured models by name; the first is the default."""

    all: tuple[ModelInfo, ...]

    @property
    def default(self) -> ModelInfo:
        return self.all[0]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(model.name for model in self.all)

    def get(self, name: str | None) -> ModelInfo:
        """The model of that name (None: the default).

        Raises:
            UnknownModel: no configured model has that name.
        """
        if name is None:
            return self.default
        for model in self.all:
            if model.name == name:
                return model
        known = ", ".join(self.names)
        raise UnknownModel(f"There is no model called “{name[:40]}” here; choose one of: {known}.")
