"""Listens to a scheduler: noise levels, the latents and the predicted clean picture (x0) of every step.

diffusers shows a callback the *noisy* latents, after the step. The clean prediction is taken where it is made, around
`scheduler.step`: as the scheduler returns it, or else computed from the model's output, by the model's prediction type:

    x = alpha * x0 + sigma * eps        (flow: alpha = 1 - sigma)
    epsilon:       x0 = (x - sigma * output) / alpha
    v_prediction:  x0 = alpha * x - sigma * output          (Salimans & Ho 2022, arXiv:2202.00512)
    sample:        x0 = output
    flow:          x0 = x - sigma * output                  (Lipman et al. 2022, arXiv:2210.02747)

Euler, Heun and their kin keep x at variance 1 + sigma**2; here everything is brought to variance 1, so that a noisy
frame looks alike whichever scheduler made it. The noise level of a step is sigma at variance 1: the share of noise left
in the latents *after* the step, so that the first frame stands near 1 and the finished picture at 0.

A trajectory is stored as safetensors, deflated:
    latents        float16 (n + 1, ...)   the noise it began with, then what each step left
    clean          float16 (n, ...)       the predicted clean latents of each step; the last are those of the picture
    noise_levels   float32 (n + 1,)       of `latents`
    timesteps      float32 (n,)
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from generation.errors import RequestError

DEFLATE_LEVEL = 1  # fp16 noise hardly shrinks; the cheapest level takes what there is
MAX_TRAJECTORY = 2**30  # bytes unpacked


@dataclass(frozen=True)
class Noise:
    """Where a latent stands between picture and noise: x = alpha * x0 + sigma * eps, at variance 1 unless flow."""

    alpha: float
    sigma: float
    scale: float = 1.0  # what brings the scheduler's own latents to this


@dataclass(frozen=True)
class StepTaken:
    """One call of `scheduler.step` that has returned."""

    step: int  # from 1
    steps: int  # how many there will be: twice as many, less one, for a second-order scheduler
    noise_level: float
    clean: torch.Tensor | None  # predicted clean latents, on the device; None when not asked for


@dataclass(frozen=True)
class Trajectory:
    """What is kept of a run, in memory; shapes as in the module's docstring."""

    latents: torch.Tensor
    clean: torch.Tensor
    noise_levels: torch.Tensor
    timesteps: torch.Tensor
    width: int  # pixels of the finished picture
    height: int

    @property
    def steps(self) -> int:
        return int(self.clean.shape[0])


class Recorder:
    """Wraps `step` of one job's own scheduler. Without `keep` and `clean` it only counts."""

    def __init__(
        self, scheduler: Any, on_step: Callable[[StepTaken], None], *, keep: bool = False, clean: bool = False
    ) -> None:
        self.timesteps: list[float] = []
        self.noise_levels: list[float] = []
        self.prediction_type = prediction_type(scheduler)
        self.latent_shape: tuple[int, ...] = ()  # of one picture
        self._changes: list[torch.Tensor] = []
        self._last_clean: torch.Tensor | None = None
        self._scheduler = scheduler
        self._on_step = on_step
        self._keep = keep
        self._clean = keep or clean
        self._first_index = 0
        self._first_level = 1.0
        self._kept_latents: list[torch.Tensor] = []
        self._kept_clean: list[torch.Tensor] = []
        self._step = scheduler.step

        @functools.wraps(self._step)  # pipelines look at its parameters to know what to pass
        def step(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            return self._step_and_listen(model_output, timestep, sample, *args, **kwargs)

        scheduler.step = step

    @property
    def steps(self) -> int:
        """How many steps this run takes; 0 before the pipeline has set its timesteps."""
        timesteps = getattr(self._scheduler, "timesteps", None)
        return 0 if timesteps is None else len(timesteps) - self._first_index

    @property
    def changes(self) -> list[float]:
        """How much the predicted clean latent changed into each step (root mean square); the first from nothing: 0."""
        return [float(change) for change in self._changes]

    def _step_and_listen(self, model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.timesteps:
            self._first_index = _first_index(self._scheduler, timestep)
        wants_tuple = kwargs.get("return_dict") is False
        # as a named record, because the second item of the tuple is not the clean picture everywhere
        result = self._step(model_output, timestep, sample, *args, **{**kwargs, "return_dict": True})
        self._listen(result, model_output, timestep, sample)
        return result.to_tuple() if wants_tuple else result

    def _listen(self, result: Any, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor) -> None:
        position = self._first_index + len(self.timesteps)
        before = noise_before(self._scheduler, timestep)
        after = noise_after(self._scheduler, position, made_clean=getattr(result, "denoised", None) is not None)
        self.timesteps.append(float(timestep))
        self.noise_levels.append(after.sigma)
        clean = None
        if self._clean:
            clean = _returned_clean(result)
            if clean is None:
                clean = predicted_clean(model_output, sample, before, self.prediction_type)
        self.latent_shape = tuple(sample.shape[1:])
        if clean is not None:
            before_it = clean if self._last_clean is None else self._last_clean
            # stays on the device: asking for its value would wait for the step
            self._changes.append((clean.float() - before_it.float()).square().mean().sqrt())
            self._last_clean = clean
        if self._keep and clean is not None:
            if not self._kept_latents:
                self._first_level = before.sigma
                self._kept_latents.append(_off_device(sample * before.scale))
            self._kept_latents.append(_off_device(result.prev_sample * after.scale))
            # some schedulers stop a hair's breadth above zero noise; the last frame is the picture all the same
            is_last = len(self.timesteps) == self.steps
            self._kept_clean.append(_off_device(result.prev_sample if is_last else clean))
        self._on_step(StepTaken(len(self.timesteps), self.steps, after.sigma, clean))

    def trajectory(self, width: int, height: int) -> Trajectory | None:
        """What was kept; None without `keep`, or before the first step."""
        if not self._kept_clean:
            return None
        if self._kept_clean[0].is_pinned():
            torch.cuda.synchronize()
        return Trajectory(
            latents=torch.cat(self._kept_latents),
            clean=torch.cat(self._kept_clean),
            noise_levels=torch.tensor([self._first_level, *self.noise_levels]),
            timesteps=torch.tensor(self.timesteps),
            width=width,
            height=height,
        )


def prediction_type(scheduler: Any) -> str:
    """epsilon, v_prediction, sample or flow."""
    if _is_flow(scheduler):
        return "flow"
    return str(getattr(scheduler.config, "prediction_type", "epsilon"))


def predicted_clean(output: torch.Tensor, sample: torch.Tensor, noise: Noise, kind: str) -> torch.Tensor:
    """x0 as the model's output implies it; `sample` is the scheduler's own latent before the step."""
    x = sample * noise.scale
    if kind == "sample":
        return output
    if kind == "flow":
        return x - noise.sigma * output
    if kind == "v_prediction":
        return noise.alpha * x - noise.sigma * output
    return (x - noise.sigma * output) / max(noise.alpha, 1e-4)  # at pure noise epsilon says nothing of the picture


def noise_before(scheduler: Any, timestep: Any) -> Noise:
    """The noise in the latent that the step just taken began from."""
    if hasattr(scheduler, "sigmas"):
        return _noise_of_sigma(scheduler, scheduler.sigmas[scheduler.step_index - 1])
    return _noise_of_alpha_bar(scheduler.alphas_cumprod[int(timestep)])


def noise_after(scheduler: Any, position: int, *, made_clean: bool) -> Noise:
    """The noise in the latent that the step at `position` of the schedule has left.

    `made_clean`: at the end of the schedule this scheduler returns its clean prediction itself.
    """
    if hasattr(scheduler, "sigmas"):
        return _noise_of_sigma(scheduler, scheduler.sigmas[min(scheduler.step_index, len(scheduler.sigmas) - 1)])
    if position + 1 < len(scheduler.timesteps):
        return _noise_of_alpha_bar(scheduler.alphas_cumprod[int(scheduler.timesteps[position + 1])])
    if made_clean or not hasattr(scheduler, "final_alpha_cumprod"):
        return _noise_of_alpha_bar(1.0)
    # DDIM steps down by a whole number of timesteps, which with some numbers of steps does not lead below zero
    last = int(scheduler.timesteps[-1]) - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    return _noise_of_alpha_bar(scheduler.alphas_cumprod[last] if last >= 0 else scheduler.final_alpha_cumprod)


def _noise_of_sigma(scheduler: Any, sigma: Any) -> Noise:
    value = float(sigma)
    if _is_flow(scheduler):
        return Noise(1.0 - value, value)
    alpha = 1.0 / math.sqrt(1.0 + value**2)
    # the solvers of the DPM family keep their latents at variance 1 and only count in sigmas
    at_variance_1 = hasattr(scheduler, "_sigma_to_alpha_sigma_t")
    return Noise(alpha, value * alpha, 1.0 if at_variance_1 else alpha)


def _noise_of_alpha_bar(alpha_bar: Any) -> Noise:
    value = float(alpha_bar)
    return Noise(math.sqrt(value), math.sqrt(max(0.0, 1.0 - value)))


def _is_flow(scheduler: Any) -> bool:
    config = scheduler.config
    return (
        type(scheduler).__name__.startswith("FlowMatch")
        or bool(getattr(config, "use_flow_sigmas", False))
        or getattr(config, "prediction_type", None) == "flow_prediction"
    )


def _returned_clean(result: Any) -> torch.Tensor | None:
    for name in ("pred_original_sample", "denoised"):
        clean = getattr(result, name, None)
        if isinstance(clean, torch.Tensor):
            return clean
    return None


def _first_index(scheduler: Any, timestep: Any) -> int:
    """Where in the schedule a run begins: picture-to-picture leaves the noisiest part out."""
    begin = getattr(scheduler, "begin_index", None)
    if begin is not None:
        return int(begin)
    matches = (scheduler.timesteps == torch.as_tensor(timestep).to(scheduler.timesteps.device)).nonzero()
    return int(matches[0]) if len(matches) else 0


def _off_device(tensor: torch.Tensor) -> torch.Tensor:
    """A float16 copy in main memory, without waiting for the device."""
    half = tensor.detach().to(torch.float16)
    if half.device.type != "cuda":
        return half.cpu().clone() if half.data_ptr() == tensor.data_ptr() else half.cpu()
    pinned = torch.empty(half.shape, dtype=half.dtype, pin_memory=True)
    return pinned.copy_(half, non_blocking=True)


def pack_trajectory(trajectory: Trajectory) -> bytes:
    """The trajectory as bytes to store."""
    tensors = {
        "latents": trajectory.latents.contiguous(),
        "clean": trajectory.clean.contiguous(),
        "noise_levels": trajectory.noise_levels.to(torch.float32),
        "timesteps": trajectory.timesteps.to(torch.float32),
    }
    plain = save_tensors(tensors | {"size": torch.tensor([trajectory.width, trajectory.height])})
    return zlib.compress(plain, DEFLATE_LEVEL)


def unpack_trajectory(data: bytes) -> Trajectory:
    """The trajectory in stored bytes.

    Raises:
        RequestError: the bytes are damaged, or no trajectory.
    """
    try:
        inflater = zlib.decompressobj()
        plain = inflater.decompress(data, MAX_TRAJECTORY)
        tensors = load_tensors(plain)
        width, height = (int(side) for side in tensors["size"])
        return Trajectory(
            latents=tensors["latents"],
            clean=tensors["clean"],
            noise_levels=tensors["noise_levels"],
            timesteps=tensors["timesteps"],
            width=width,
            height=height,
        )
    except (zlib.error, SafetensorError, KeyError, ValueError) as error:
        raise RequestError("What was kept of this picture is damaged, so its steps cannot be shown.") from error
