"""What was asked for, whole and validated, and what came of it, fact by fact.

A `GenerationRequest` is made once, at the door, by `make_request`; from then on it travels whole
from command to queue to pipeline to button, and nothing downstream checks it again. `RunFacts` is
the record of one execution. Both are frozen, serialise to JSON and know nothing of torch.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable

import msgspec

from generation.errors import RequestError
from generation.models import ModelInfo
from generation.touches import checked_touches

MAX_PROMPT = 1_000  # characters
MAX_SEED = 2**32 - 1
MIN_GUIDANCE, MAX_GUIDANCE = 0.0, 30.0


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One picture to make. Every field has its final value: nothing is left to a default later."""

    prompt: str
    negative_prompt: str = ""
    seed: int
    steps: int
    guidance_scale: float
    width: int  # pixels
    height: int  # pixels
    model: str
    scheduler: str | None = None  # a diffusers scheduler class name; None: the model's own
    init_image: str | None = None  # content hash of the picture to start from
    strength: float | None = None  # 0..1, how much of `init_image` is noised away; None without one
    mask: str | None = None  # content hash of a picture whose white part alone is made anew of `init_image`
    touches: tuple[str, ...] = ()  # final touches wanted after diffusion, by name (`generation.touches`)

    def again(self, seed: int | None = None) -> GenerationRequest:
        """The same request with another seed."""
        return msgspec.structs.replace(self, seed=random_seed() if seed is None else seed)


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one run: enough to make the picture again and to answer questions about it."""

    request: GenerationRequest
    tokens: tuple[str, ...]  # of the prompt, as the tokenizer split it, without padding
    scheduler: str  # class name
    scheduler_config: dict[str, object]
    prediction_type: str  # epsilon, v_prediction, sample, flow
    timesteps: tuple[float, ...]  # one per step, as the scheduler gave them
    noise_levels: tuple[float, ...]  # one per step: share of noise left in the latent, 1 to 0
    seconds: float  # from first forward to decoded picture
    model: str
    weights_sha256: str
    image_sha256: str  # of the decoded RGB pixels, row by row
    width: int
    height: int
    dtype: str
    device: str
    versions: dict[str, str]  # darkroom, torch, diffusers, transformers, python
    model_options: tuple[str, ...] = ()  # what beside the model's weights was set of it: LoRAs, fewer bits, ...
    final_touches: tuple[str, ...] = ()  # what was done after diffusion, as `name: how`; it is not part of it
    changes: tuple[float, ...] = ()  # one per step: how much the predicted clean latent changed into it (RMS)
    latent_shape: tuple[int, ...] = ()  # of one picture


def random_seed() -> int:
    """A seed that nobody chose, uniform over 0..MAX_SEED."""
    return secrets.randbelow(MAX_SEED + 1)


def make_request(
    model: ModelInfo,
    *,
    prompt: str,
    negative_prompt: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
    guidance_scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    init_image: str | None = None,
    strength: float | None = None,
    mask: str | None = None,
    touches: Iterable[str] = (),
) -> GenerationRequest:
    """Check what a person asked for against what `model` can do, and fill in the rest.

    Raises:
        RequestError: with one sentence that says which value is wrong and what would be right.
    """
    text = clean_text(prompt)
    if not any(character.isalnum() or unicodedata.category(character) == "So" for character in text):
        raise RequestError("The prompt is empty; say in a few words what the picture should show.")
    negative = clean_text(negative_prompt or "")
    for name, value in (("prompt", text), ("negative prompt", negative)):
        if len(value) > MAX_PROMPT:
            raise RequestError(
                f"The {name} has {len(value):,} characters; {MAX_PROMPT:,} are the most I take, so please shorten it."
            )
    if strength is not None and init_image is None:
        raise RequestError("A strength goes with a picture to start from; give one, or leave the strength out.")
    if init_image is not None and strength is None:
        strength = 0.6
    request = GenerationRequest(
        prompt=text,
        negative_prompt=negative,
        seed=_within("seed", random_seed() if seed is None else seed, 0, MAX_SEED),
        steps=_within("number of steps", model.steps if steps is None else steps, 1, model.max_steps),
        guidance_scale=_within_float(
            "guidance scale",
            model.guidance_scale if guidance_scale is None else guidance_scale,
            MIN_GUIDANCE,
            MAX_GUIDANCE,
        ),
        width=_side("width", model.width if width is None else width, model),
        height=_side("height", model.height if height is None else height, model),
        model=model.name,
        scheduler=model.scheduler,
        init_image=init_image,
        strength=None if strength is None else _within_float("strength", strength, 0.05, 1.0),
        mask=None if init_image is None else mask,
        touches=checked_touches(touches),
    )
    if request.strength is not None and int(request.steps * request.strength) < 1:
        raise RequestError(
            f"A strength of {request.strength:g} over {request.steps} steps leaves no step to take; raise either."
        )
    return request


def parse_size(text: str) -> tuple[int, int]:
    """`"512x768"` as (width, height) in pixels.

    Raises:
        RequestError: the text is not two whole numbers with an x between them.
    """
    width, cross, height = text.lower().replace("×", "x").replace(" ", "").partition("x")
    if not cross or not width.isascii() or not height.isascii() or not width.isdigit() or not height.isdigit():
        raise RequestError(f"“{text[:40]}” is not a size; write width x height in pixels, like 512x512.")
    if len(width) > 6 or len(height) > 6:
        raise RequestError(f"“{text[:40]}” is far too large a size; write width x height in pixels, like 512x512.")
    return int(width), int(height)


def clean_text(text: str) -> str:
    """The text with control characters (NUL among them) gone and white space folded to single spaces."""
    kept = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in {"Cc", "Cs"}
    )
    return " ".join(kept.split())


def _within(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise RequestError(f"The {name} must be between {low:,} and {high:,}; {value:,} is not.")
    return value


def _within_float(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:  # also catches NaN
        raise RequestError(f"The {name} must be between {low:g} and {high:g}; {value:g} is not.")
    return float(value)


def _side(name: str, value: int, model: ModelInfo) -> int:
    low, high, multiple = model.min_side, model.max_side, model.size_multiple
    if low == high and value != low:
        raise RequestError(
            f"The {model.name} model paints {low}x{low} pixels only; leave the size out or ask for {low}x{low}."
        )
    if not low <= value <= high:
        raise RequestError(
            f"The {name} must be between {low} and {high} pixels for the {model.name} model; {value:,} is not."
        )
    if value % multiple:
        near = max(low, round(value / multiple) * multiple)
        raise RequestError(
            f"The {name} must be a multiple of {multiple} pixels for the {model.name} model; "
            f"{near} is the nearest to {value}."
        )
    return value
