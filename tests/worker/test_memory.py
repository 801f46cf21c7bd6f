"""Models come and go within a budget of bytes: the one used longest ago goes first, one in use never."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from generation.events import (
    Cancel,
    Cancelled,
    Configure,
    Event,
    Failed,
    Finished,
    Generate,
    Loading,
    Order,
    Progress,
    Ready,
    Stop,
)
from generation.models import ModelInfo
from generation.request import make_request
from generation.worker import calibrate, loading, memory
from generation.worker.machine import Machine, free_bytes
from generation.worker.main import Worker
from generation.worker.memory import Shelf
from generation.worker.pipelines import LoadedModel
from tests.tiny_models import tiny_info


def shelved(shelf: Shelf, name: str, size: int) -> None:
    shelf.put(LoadedModel(ModelInfo(name=name, source="x"), None, "0" * 64, torch.float32, "cpu", size=size))


def names(shelf: Shelf) -> list[str]:
    return [model.info.name for model in shelf]


def test_the_model_used_longest_ago_makes_room_and_no_more_than_needed() -> None:
    shelf = Shelf(100)
    for name in "abc":
        shelved(shelf, name, 30)
    shelf.take("a")
    assert shelf.make_room(35, in_use=())
    assert names(shelf) == ["c", "a"]
    assert shelf.make_room(30, in_use=()) and names(shelf) == ["c", "a"]


def test_a_model_in_use_stays_and_nothing_is_unloaded_in_vain() -> None:
    shelf = Shelf(100)
    for name in "abc":
        shelved(shelf, name, 30)
    assert not shelf.make_room(80, in_use={"a"})
    assert names(shelf) == ["a", "b", "c"]
    assert shelf.make_room(70, in_use={"a"})
    assert names(shelf) == ["a"]


def test_the_budget_is_what_is_said_or_a_share_of_what_is_free() -> None:
    assert memory.budget("cpu", 12_345) == 12_345
    assert 0.5 * free_bytes("cpu") < memory.budget("cpu", None) < free_bytes("cpu")


class Script:
    """A worker with its orders; `then` is called with everything that it says."""

    def __init__(
        self, models: tuple[ModelInfo, ...], budget: int | None, then: Callable[[Script, Event], None]
    ) -> None:
        self.orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self.said: list[Event] = []
        self._then = then
        self.worker = Worker(Configure(models=models, device="cpu", threads=1, memory=budget), self._hear)

    def _hear(self, event: Event) -> None:
        self.said.append(event)
        self._then(self, event)

    def run(self) -> list[Event]:
        self.worker.run(self.orders)
        return self.said

    def ends(self) -> list[Finished | Failed | Cancelled]:
        return [event for event in self.said if isinstance(event, Finished | Failed | Cancelled)]

    def loaded(self) -> list[set[str]]:
        return [set(event.weights_sha256) for event in self.said if isinstance(event, Ready)]


def order(model: ModelInfo, job: int, steps: int = 2) -> Generate:
    request = make_request(model, prompt="a fox", seed=job, steps=steps)
    return Generate(job=job, attempt=1, request=request, previews=False, trajectory=False)


@pytest.fixture(autouse=True)
def unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no packing pay, so that a model takes as many bytes here however fast the machine is."""
    monkeypatch.setattr(calibrate, "PACKED_GAIN", 2.0)


@pytest.fixture
def three(tiny: ModelInfo) -> tuple[ModelInfo, ...]:
    return tuple(tiny_info(Path(tiny.source), name) for name in ("a", "b", "c"))


@pytest.fixture
def size(tiny: ModelInfo, machine: Machine) -> int:
    return loading.load(tiny, machine, lambda what, done, total: None).size


def test_switching_models_keeps_those_used_last_and_tells_of_each_change(
    three: tuple[ModelInfo, ...], size: int
) -> None:
    first, second, third = three
    plan = [order(second, 1), order(first, 2), order(third, 3), Stop()]

    def then(script: Script, event: Event) -> None:
        if isinstance(event, Finished):
            script.orders.put(plan.pop(0))

    script = Script(three, int(2.5 * size), then)
    script.orders.put(plan.pop(0))
    script.run()
    assert [type(end) for end in script.ends()][:3] == [Finished] * 3
    assert script.loaded() == [{"a"}, {"a", "b"}, {"a", "c"}]
    bars = [event for event in script.said if isinstance(event, Loading) and event.model == "c"]
    assert bars[0].done < bars[-1].done == bars[-1].total


def test_a_job_waits_while_a_model_in_use_takes_the_room_and_later_jobs_do_not_pass_it(
    three: tuple[ModelInfo, ...], size: int
) -> None:
    first, second, _ = three

    def then(script: Script, event: Event) -> None:
        if isinstance(event, Progress) and event.job == 1 and event.step == 2:
            script.orders.put(order(second, 2))
            script.orders.put(order(first, 3))
            script.orders.put(order(second, 4))
            script.orders.put(Cancel(job=4, attempt=1))
        if len(script.ends()) == 4:
            script.orders.put(Stop())

    script = Script(three, int(1.5 * size), then)
    script.orders.put(order(first, 1, steps=6))
    script.run()
    assert [(end.job, type(end)) for end in script.ends()] == [
        (4, Cancelled), (1, Finished), (2, Finished), (3, Finished),
    ]  # fmt: skip
    assert script.loaded() == [{"a"}, {"b"}, {"a"}]


def test_a_model_larger_than_the_budget_is_refused_with_both_figures(three: tuple[ModelInfo, ...], size: int) -> None:
    def then(script: Script, event: Event) -> None:
        if script.ends():
            script.orders.put(Stop())

    script = Script(three, size // 2, then)
    script.orders.put(order(three[0], 1))
    script.run()
    failed = script.ends()[0]
    assert isinstance(failed, Failed)
    assert "does not fit" in failed.sentence and "MB" in failed.sentence and "DARKROOM_MEMORY" in failed.sentence


def test_where_memory_runs_out_in_loading_what_is_idle_makes_room_for_a_second_try(
    three: tuple[ModelInfo, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    load, calls = loading.load, []

    def tight(info: ModelInfo, *arguments: object) -> LoadedModel:
        calls.append(info.name)
        if calls == ["a", "b"]:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")
        return load(info, *arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(loading, "load", tight)

    def then(script: Script, event: Event) -> None:
        if script.ends():
            script.orders.put(Stop())

    script = Script(three, None, then)
    script.orders.put(order(three[1], 1))
    script.run()
    assert isinstance(script.ends()[0], Finished)
    assert calls == ["a", "b", "b"]
    assert script.loaded()[-1] == {"b"}
