"""Decodes chosen steps of a stored trajectory. Knows no jobs, and keeps nothing: `generation.kept_frames` does."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from generation.events import Frame
from generation.worker import finish
from generation.worker.capture import Trajectory, unpack_trajectory
from generation.worker.pipelines import LoadedModel


def decode_frames(model: LoadedModel, data: bytes, wanted: Sequence[int], *, noisy: bool) -> tuple[Frame, ...]:
    """The frames of these steps; before the first nothing is predicted yet, so step 0 shows the noise.

    Raises:
        RequestError: the trajectory is damaged.
        UndecodableLatents: this model's steps cannot be shown one by one.
    """
    trajectory = unpack_trajectory(data)
    steps = [step for step in dict.fromkeys(wanted) if 0 <= step <= trajectory.steps]
    clean = _decoded(model, trajectory, steps, noisy=False)
    rough = _decoded(model, trajectory, steps, noisy=True) if noisy else [None] * len(steps)
    return tuple(
        Frame(step=step, noise_level=float(trajectory.noise_levels[step]), picture=picture, noisy=noise)
        for step, picture, noise in zip(steps, clean, rough, strict=True)
    )


def _decoded(model: LoadedModel, trajectory: Trajectory, steps: Sequence[int], *, noisy: bool) -> list[bytes]:
    """PNGs."""
    if not steps:
        return []
    latents = trajectory.latents[list(steps)]
    if not noisy:
        latents = torch.cat([trajectory.clean[step - 1 : step] if step else trajectory.latents[:1] for step in steps])
    whole = finish.spatial(model.pipeline, latents, trajectory.width, trajectory.height)
    with model.packing("vae").on():
        images = finish.decode_images(model.pipeline, whole)
    return [finish.png(image, finish.FRAME_PNG_LEVEL) for image in images]
