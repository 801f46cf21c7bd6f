"""A part of a picture is made anew, and the rest stays, in every kind of scheduler."""

from __future__ import annotations

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from PIL import Image

from generation.errors import WorkerError
from generation.worker.capture import Recorder
from generation.worker.masking import cells_of, keep_outside

KINDS = (DDIMScheduler, EulerDiscreteScheduler, DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler)


def left_half() -> Image.Image:
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    return mask


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_black_in_the_mask_is_at_the_end_what_it_was_at_the_beginning(kind: type) -> None:
    scheduler = kind()
    keep_outside(scheduler, left_half())
    recorder = Recorder(scheduler, lambda step: None, keep=True)
    scheduler.set_timesteps(8)
    before, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    first = scheduler.timesteps[2:3]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(2)
    is_flow = kind is FlowMatchEulerDiscreteScheduler
    latents = scheduler.scale_noise(before, first, noise) if is_flow else scheduler.add_noise(before, noise, first)
    for timestep in scheduler.timesteps[2:]:
        latents = scheduler.step(torch.randn_like(latents), timestep, latents, return_dict=False)[0]
    assert torch.allclose(latents[..., 4:], before[..., 4:], atol=1e-5)
    assert not torch.allclose(latents[..., :4], before[..., :4], atol=1e-1)
    assert recorder.steps == 6 and len(recorder.noise_levels) == 6


def test_cells_follow_the_mask_in_pictures_and_in_sequences() -> None:
    assert cells_of(left_half(), torch.zeros(1, 4, 2, 4)).tolist() == [[[[1, 1, 0, 0], [1, 1, 0, 0]]]]
    assert cells_of(left_half(), torch.zeros(1, 16, 64)).reshape(4, 4)[0].tolist() == [1, 1, 0, 0]
    with pytest.raises(WorkerError, match="no part can be kept"):
        cells_of(left_half(), torch.zeros(1, 4, 3, 8, 8))
