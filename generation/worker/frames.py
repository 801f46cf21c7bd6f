"""Decodes the steps of kept trajectories, and does so ahead of being asked where the worker has nothing else to do.

A decoder is about as heavy as a denoising step, so a strip of eight frames takes longer than several steps whoever
decodes it. Who asks for a strip mostly does so right after the picture came; by then its frames are here. Nothing is
decoded ahead by a model whose decoder is slow: that would keep the next job waiting. Knows no jobs.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from generation.events import Finished, Frame
from generation.pictures.strip import choose_steps
from generation.worker import finish
from generation.worker.capture import Trajectory, unpack_trajectory
from generation.worker.pipelines import LoadedModel

RUNS_AHEAD = 4  # whose frames are decoded ahead; the oldest gives way
FRAMES_KEPT = 256
SLOW_FRAME = 0.25  # seconds; a model that takes longer for a frame decodes none ahead

_Key = tuple[bytes, int, bool]  # digest of the trajectory, step, noisy


@dataclass(frozen=True)
class _Ahead:
    """A run whose strip may be asked for."""

    model: str
    trajectory: bytes
    steps: tuple[int, ...]


class FrameDecoder:
    """The frames of all models, the latest of them kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._ahead: deque[_Ahead] = deque(maxlen=RUNS_AHEAD)
        self._slow: set[str] = set()  # models

    @property
    def has_work_ahead(self) -> bool:
        """Whether `decode_ahead` has anything to do."""
        return bool(self._ahead)

    def foresee(self, made: Finished) -> None:
        """A picture was made, and its strip may be asked for."""
        if made.trajectory is not None and made.facts.model not in self._slow:
            steps = choose_steps(made.facts.noise_levels, changes=made.facts.changes or None)
            self._ahead.append(_Ahead(made.facts.model, made.trajectory, steps))

    def decode_ahead(self, models: Callable[[str], LoadedModel | None]) -> None:
        """Decode one frame of the newest run that lacks any; `models` gives those that are in memory."""
        run = self._ahead[-1]
        missing = [step for step in run.steps if (_digest(run.trajectory), step, False) not in self._kept]
        model = models(run.model)
        if not missing or model is None:
            self._ahead.pop()
            return
        began = time.perf_counter()
        try:
            self.frames(model, run.trajectory, missing[:1], noisy=False)
        except Exception:
            self._ahead.clear()  # whoever asks for them will be told
            raise
        if time.perf_counter() - began > SLOW_FRAME:
            self._slow.add(run.model)
            self._ahead.clear()

    def frames(self, model: LoadedModel, data: bytes, wanted: Sequence[int], *, noisy: bool) -> tuple[Frame, ...]:
        """The frames of these steps; before the first nothing is predicted yet, so step 0 shows the noise.

        Raises:
            RequestError: the trajectory is damaged.
            UndecodableLatents: this model's steps cannot be shown one by one.
        """
        trajectory, digest = unpack_trajectory(data), _digest(data)
        steps = [step for step in dict.fromkeys(wanted) if 0 <= step <= trajectory.steps]
        clean = self._pictures(model, trajectory, digest, steps, noisy=False)
        rough = self._pictures(model, trajectory, digest, steps, noisy=True) if noisy else [None] * len(steps)
        return tuple(
            Frame(step=step, noise_level=float(trajectory.noise_levels[step]), picture=picture, noisy=noise)
            for step, picture, noise in zip(steps, clean, rough, strict=True)
        )

    def _pictures(
        self, model: LoadedModel, trajectory: Trajectory, digest: bytes, steps: Sequence[int], *, noisy: bool
    ) -> list[bytes]:
        """PNGs; those that are not kept are decoded together."""
        missing = [step for step in steps if (digest, step, noisy) not in self._kept]
        made = dict(zip(missing, _decoded(model, trajectory, missing, noisy=noisy), strict=True))
        pictures = [made[step] if step in made else self._kept[digest, step, noisy] for step in steps]
        for step, picture in zip(steps, pictures, strict=True):
            self._kept[digest, step, noisy] = picture
            self._kept.move_to_end((digest, step, noisy))
        while len(self._kept) > FRAMES_KEPT:
            self._kept.popitem(last=False)
        return pictures


def _decoded(model: LoadedModel, trajectory: Trajectory, steps: Sequence[int], *, noisy: bool) -> list[bytes]:
    if not steps:
        return []
    latents = trajectory.latents[list(steps)]
    if not noisy:
        latents = torch.cat([trajectory.clean[step - 1 : step] if step else trajectory.latents[:1] for step in steps])
    whole = finish.spatial(model.pipeline, latents, trajectory.width, trajectory.height)
    with model.packing("vae").on():
        images = finish.decode_images(model.pipeline, whole)
    return [finish.png(image, finish.FRAME_PNG_LEVEL) for image in images]


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
