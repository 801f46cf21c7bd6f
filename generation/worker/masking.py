"""Keeps a part of a picture while the rest is made anew, for any family of pipelines that can begin with a picture.

After each step the latent outside of the mask is replaced by the picture's own latent with as much noise as the step
has left (blended latent diffusion; Avrahami, Lischinski and Fried 2022, arXiv:2111.14818). It all happens in the job's
own scheduler: what the pipeline put in, and with which noise, is seen when the pipeline asks for it to be noised.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from PIL import Image

from generation.errors import WorkerError

PART_OF_CELL = 0.25  # of a latent's cell that must be in the mask for the cell to be made anew
NOISING = ("add_noise", "scale_noise")  # what schedulers call it


def keep_outside(scheduler: Any, mask: Image.Image) -> None:
    """Make the scheduler keep what is black in the mask. It must be a job's own, and is changed."""
    _Keeper(scheduler, mask)


class _Keeper:
    """What the scheduler's wrapped methods share."""

    def __init__(self, scheduler: Any, mask: Image.Image) -> None:
        self._scheduler = scheduler
        self._mask = mask
        self._noised: Any = None  # the picture's latent with the noise of a timestep
        self._kept: torch.Tensor | None = None  # the picture's latent
        self._cells: torch.Tensor | None = None  # 1 where the latent is made anew
        for name in NOISING:
            if (method := getattr(scheduler, name, None)) is not None:
                setattr(scheduler, name, self._noising(name, method))
        self._step = scheduler.step

        @functools.wraps(self._step)  # pipelines look at its parameters to know what to pass
        def step(*args: Any, **kwargs: Any) -> Any:
            return self._step_and_keep(*args, **kwargs)

        scheduler.step = step

    def _noising(self, name: str, method: Any) -> Any:
        @functools.wraps(method)
        def noising(sample: torch.Tensor, first: Any, second: Any) -> Any:
            if self._kept is None:
                self._kept, self._cells = sample, cells_of(self._mask, sample)
                if name == "add_noise":
                    self._noised = lambda at: method(sample, first, at)
                else:
                    self._noised = lambda at: method(sample, at, second)
            return method(sample, first, second)

        return noising

    def _step_and_keep(self, model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        result = self._step(model_output, timestep, sample, *args, **{**kwargs, "return_dict": True})
        if self._kept is None or self._cells is None:
            raise WorkerError("This model does not show what it begins with, so no part of a picture can be kept.")
        result.prev_sample = self._blended(result.prev_sample, self._as_noisy_as_after(timestep))
        for name in ("pred_original_sample", "denoised"):
            if isinstance(getattr(result, name, None), torch.Tensor):
                setattr(result, name, self._blended(getattr(result, name), self._kept))
        return result.to_tuple() if kwargs.get("return_dict") is False else result

    def _as_noisy_as_after(self, timestep: Any) -> torch.Tensor:
        """The picture's latent with the noise that the step from `timestep` has left."""
        timesteps = self._scheduler.timesteps
        later = timesteps[timesteps < torch.as_tensor(timestep).to(timesteps)]
        if len(later) == 0:
            assert self._kept is not None
            return self._kept
        noised: torch.Tensor = self._noised(later.max().reshape(1))
        return noised

    def _blended(self, made: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        assert self._cells is not None
        cells = self._cells.to(made.device, made.dtype)
        return cells * made + (1 - cells) * kept.to(made.device, made.dtype)


def cells_of(mask: Image.Image, latents: torch.Tensor) -> torch.Tensor:
    """Which cells of latents (rows x channels x height x width, or rows x cells x channels) the mask has made anew.

    Raises:
        WorkerError: the latents have another shape.
    """
    if latents.ndim == 4:
        rows, columns = latents.shape[-2:]
        return _shares(mask, columns, rows)[None, None]
    if latents.ndim == 3:
        rows = round(math.sqrt(latents.shape[1] * mask.height / mask.width))
        columns = latents.shape[1] // max(1, rows)
        if rows * columns == latents.shape[1]:
            return _shares(mask, columns, rows).reshape(1, -1, 1)
    raise WorkerError("This model keeps its latents in a shape of which no part can be kept.")


def _shares(mask: Image.Image, columns: int, rows: int) -> torch.Tensor:
    small = np.asarray(mask.convert("L").resize((columns, rows), Image.Resampling.BOX), np.float32) / 255
    return torch.from_numpy((small >= PART_OF_CELL).astype(np.float32))
