"""Chosen steps of a trajectory are decoded, each as if it were alone."""

from __future__ import annotations

import io
import queue

import numpy as np
from PIL import Image

from generation.events import Configure, DecodeFrames, Event, Finished, Frames, Generate, Order, QueryFailed, Stop
from generation.models import ModelInfo
from generation.request import make_request
from generation.worker.main import Worker


class Later:
    """Orders one after the other, each when the worker has nothing left to do."""

    def __init__(self, *orders: Order) -> None:
        self.orders = list(orders)
        self.said: list[Event] = []

    def get(self, block: bool = True) -> Order:
        if not block:
            raise queue.Empty
        order = self.orders.pop(0)
        if isinstance(order, DecodeFrames) and not order.trajectory:
            made = next(event for event in self.said if isinstance(event, Finished))
            assert made.trajectory is not None
            return DecodeFrames(
                query=order.query, model=order.model, steps=order.steps, noisy=order.noisy, trajectory=made.trajectory
            )
        return order


def run(model: ModelInfo, *orders: Order) -> list[Event]:
    later = Later(*orders, Stop())
    Worker(Configure(models=(model,), device="cpu", threads=1), later.said.append).run(later)
    return later.said


def ask(model: ModelInfo, query: int, *steps: int, noisy: bool = False) -> DecodeFrames:
    return DecodeFrames(query=query, model=model.name, trajectory=b"", steps=steps, noisy=noisy)


def pixels(picture: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB")).astype(np.int16)


def test_frames_are_the_same_together_and_one_by_one(tiny: ModelInfo) -> None:
    order = Generate(job=1, attempt=1, request=make_request(tiny, prompt="a red fox", seed=3, steps=12))
    said = run(tiny, order, ask(tiny, 1, 0, 1, 12), *(ask(tiny, 2 + step, step, noisy=True) for step in (0, 1, 12)))
    together, *single = (event.frames for event in said if isinstance(event, Frames))
    assert [frame.step for frame in together] == [0, 1, 12]
    for one, (other,) in zip(together, single, strict=True):
        assert (one.step, one.noise_level) == (other.step, other.noise_level)
        assert np.abs(pixels(one.picture) - pixels(other.picture)).max() <= 1
        assert one.noisy is None and other.noisy is not None


def test_a_damaged_trajectory_is_said(tiny: ModelInfo) -> None:
    said = run(tiny, DecodeFrames(query=1, model=tiny.name, trajectory=b"nothing of ours", steps=(1,)))
    failed = next(event for event in said if isinstance(event, QueryFailed))
    assert "is damaged, so its steps cannot be shown" in failed.sentence
