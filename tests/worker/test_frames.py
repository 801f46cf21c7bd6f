"""Frames are decoded ahead of being asked, only where nothing waits, and are the same either way."""

from __future__ import annotations

import queue

import pytest

from generation.events import Configure, DecodeFrames, Event, Finished, Frames, Generate, Order, QueryFailed, Stop
from generation.models import ModelInfo
from generation.pictures.strip import choose_steps
from generation.request import make_request
from generation.worker import frames as frames_module
from generation.worker import main as main_module
from generation.worker.frames import FrameDecoder


class Patient:
    """Orders one after the other, each when the worker has nothing left to do."""

    def __init__(self, *orders: Order) -> None:
        self.orders = list(orders)
        self.said: list[Event] = []

    def get(self, block: bool = True) -> Order:
        if not block:
            raise queue.Empty
        order = self.orders.pop(0)
        if isinstance(order, DecodeFrames):
            made = next(event for event in self.said if isinstance(event, Finished))
            assert made.trajectory is not None
            return DecodeFrames(
                query=order.query, model=order.model, steps=order.steps, noisy=order.noisy, trajectory=made.trajectory
            )
        return order


def run(model: ModelInfo, *orders: Order) -> list[Event]:
    patient = Patient(*orders, Stop())
    main_module.Worker(Configure(models=(model,), device="cpu", threads=1), patient.said.append).run(patient)
    return patient.said


def ask(model: ModelInfo, query: int, *steps: int, noisy: bool = False) -> DecodeFrames:
    return DecodeFrames(query=query, model=model.name, trajectory=b"", steps=steps, noisy=noisy)


def test_a_strip_that_is_asked_for_later_was_decoded_ahead(tiny: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, ...]] = []
    plain = frames_module._decoded
    monkeypatch.setattr(
        frames_module,
        "_decoded",
        lambda model, trajectory, steps, noisy: (
            decoded.append(tuple(steps)) if steps else None,
            plain(model, trajectory, steps, noisy=noisy),
        )[1],
    )
    order = Generate(job=1, attempt=1, request=make_request(tiny, prompt="a red fox", seed=3, steps=12))
    said = run(tiny, order, ask(tiny, 1, 0, 1, 12), ask(tiny, 2, 0, 1, 12, noisy=True))
    made = next(event for event in said if isinstance(event, Finished))
    chosen = choose_steps(made.facts.noise_levels, changes=made.facts.changes)
    assert decoded[: len(chosen)] == [(step,) for step in chosen], "one at a time, so that nobody waits for long"
    assert decoded[len(chosen) :] == [(0,), (0, 1, 12)], "of the strip's frames none again"
    first, second = (event for event in said if isinstance(event, Frames))
    assert [frame.picture for frame in first.frames] == [frame.picture for frame in second.frames]
    assert all(frame.noisy for frame in second.frames)


def test_a_model_with_a_slow_decoder_decodes_nothing_ahead(tiny: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "SLOW_FRAME", 0.0)
    asked: list[str] = []
    foresee = FrameDecoder.decode_ahead
    monkeypatch.setattr(FrameDecoder, "decode_ahead", lambda self, models: (asked.append("one"), foresee(self, models)))
    orders = [Generate(job=job, attempt=1, request=make_request(tiny, prompt="a fox", seed=job)) for job in (1, 2)]
    run(tiny, *orders)
    assert asked == ["one"], "the first told how slow it is"


def test_what_was_damaged_or_lost_is_said(tiny: ModelInfo) -> None:
    damaged = DecodeFrames(query=1, model=tiny.name, trajectory=b"nothing of ours", steps=(1,))
    patient: queue.SimpleQueue[Order] = queue.SimpleQueue()
    said: list[Event] = []
    for order in (damaged, Stop()):
        patient.put(order)
    main_module.Worker(Configure(models=(tiny,), device="cpu", threads=1), said.append).run(patient)
    failed = next(event for event in said if isinstance(event, QueryFailed))
    assert "is damaged, so its steps cannot be shown" in failed.sentence
