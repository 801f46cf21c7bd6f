"""Jobs that share forwards get what each would have got alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from generation.worker import finish
from generation.worker.collate import NotCollatable, split
from generation.worker.hub import Hub, SharedModule, Task
from generation.worker.pipelines import LoadedModel
from tests.tiny_models import SCHEDULERS, flow_match_euler, tiny_pipeline

NAMES = {name: type(make()).__name__ for name, make in SCHEDULERS.items()}
FLOW = NAMES["flow-match euler"]
OF_ONE_MODEL = [name for name in NAMES.values() if name != FLOW]  # which all take the same model


@dataclass(frozen=True)
class Wish:
    prompt: str
    seed: int
    steps: int
    guidance: float


MIXED = (
    Wish("a red fox", 1, 6, 4.0),
    Wish("a blue cat", 2, 3, 1.0),
    Wish("a star", 3, 8, 7.5),
    Wish("two cats", 4, 4, 0.0),
    Wish("a fox and a star", 5, 5, 2.0),
)


def paint(pipeline: Any, wish: Wish) -> np.ndarray:
    output = pipeline(
        wish.prompt,
        negative_prompt="grey",
        num_inference_steps=wish.steps,
        guidance_scale=wish.guidance,
        height=32,
        width=32,
        generator=torch.Generator().manual_seed(wish.seed),
        output_type="np",
    )
    return output.images[0]


def plain(model: LoadedModel, wish: Wish, scheduler: str) -> np.ndarray:
    """What diffusers itself makes, without anything of ours in its way."""
    original = model.pipeline
    own = original.scheduler
    if scheduler == FLOW:
        return paint(original, wish)
    original.scheduler = getattr(__import__("diffusers"), scheduler).from_config(own.config)
    try:
        return paint(original, wish)
    finally:
        original.scheduler = own


@pytest.fixture(scope="module")
def flowing(loaded: LoadedModel) -> LoadedModel:
    """The same model as if it had been trained for flow matching."""
    return LoadedModel(loaded.info, tiny_pipeline(flow_match_euler()), "0" * 64, torch.float32, "cpu", max_rows=16)


@pytest.fixture
def model(request: pytest.FixtureRequest, scheduler: str) -> LoadedModel:
    """The model that this scheduler is for."""
    return request.getfixturevalue("flowing" if scheduler == FLOW else "loaded")


def spawn(hub: Hub, model: LoadedModel, wish: Wish, scheduler: str | None = None) -> Task:
    pipeline = model.pipeline_for_job(scheduler)
    return hub.spawn(lambda: paint(pipeline, wish), lambda: wish.steps)


def finish_all(hub: Hub) -> None:
    for _ in range(1_000):
        if not hub.tasks:
            return
        hub.step()
    raise AssertionError("the hub does not come to an end")


def result(task: Task) -> np.ndarray:
    if task.error is not None:
        raise task.error
    return task.result


def grey_levels_apart(one: np.ndarray, other: np.ndarray) -> int:
    a, b = (np.asarray(finish.to_image(picture), dtype=np.int16) for picture in (one, other))
    assert a.std() > 10, "a flat picture would prove nothing"
    return int(np.abs(a - b).max())


@pytest.mark.parametrize("scheduler", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_a_job_alone_in_the_hub_is_bitwise_what_diffusers_makes(
    model: LoadedModel, scheduler: str, guidance: float
) -> None:
    wish = Wish("a red fox", 7, 5, guidance)
    hub = Hub()
    task = spawn(hub, model, wish, scheduler)
    finish_all(hub)
    assert np.array_equal(result(task), plain(model, wish, scheduler))


@pytest.mark.parametrize("scheduler", NAMES.values(), ids=NAMES)
def test_mixed_jobs_that_join_in_mid_flight_are_within_one_grey_level_of_each_alone(
    model: LoadedModel, scheduler: str
) -> None:
    """Different steps, seeds, prompts and guidance, one of them without any; one more is cancelled half way."""
    hub = Hub()
    doomed = spawn(hub, model, Wish("three stars", 6, 9, 3.0), scheduler)
    tasks = [spawn(hub, model, wish, scheduler) for wish in MIXED[:2]]
    for _ in range(2):
        hub.step()
    tasks += [spawn(hub, model, wish, scheduler) for wish in MIXED[2:4]]
    hub.step()
    hub.cancel(doomed)
    tasks += [spawn(hub, model, wish, scheduler) for wish in MIXED[4:]]
    finish_all(hub)
    assert doomed.cancelled
    assert hub.forwards < sum(wish.steps for wish in MIXED), "nothing was shared"
    for wish, task in zip(MIXED, tasks, strict=True):
        assert grey_levels_apart(result(task), plain(model, wish, scheduler)) <= 1


def test_jobs_of_different_schedulers_share_a_batch(loaded: LoadedModel) -> None:
    hub = Hub()
    wish = Wish("a red fox", 7, 5, 4.0)
    tasks = {scheduler: spawn(hub, loaded, wish, scheduler) for scheduler in OF_ONE_MODEL}
    finish_all(hub)
    assert hub.forwards < 5 * len(tasks)
    for scheduler, task in tasks.items():
        assert grey_levels_apart(result(task), plain(loaded, wish, scheduler)) <= 1


def test_a_cancelled_job_leaves_and_the_others_finish(loaded: LoadedModel) -> None:
    hub = Hub()
    tasks = [spawn(hub, loaded, wish) for wish in MIXED[:3]]
    hub.step()
    hub.step()
    hub.cancel(tasks[0])
    assert tasks[0].cancelled
    assert tasks[0].ended
    assert tasks[0] not in hub.tasks
    finish_all(hub)
    for wish, task in zip(MIXED[1:3], tasks[1:], strict=True):
        assert grey_levels_apart(result(task), plain(loaded, wish, "DDIMScheduler")) <= 1


def test_a_job_can_be_cancelled_before_it_has_begun(loaded: LoadedModel) -> None:
    hub = Hub()
    task = spawn(hub, loaded, MIXED[0])
    hub.cancel(task)
    assert task.cancelled
    assert hub.step() == ()


def test_a_job_that_raises_at_a_step_is_alone_in_failing(loaded: LoadedModel) -> None:
    hub = Hub()
    pipeline = loaded.pipeline_for_job(None)
    step = pipeline.scheduler.step
    calls = []

    def stumble(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise ValueError("stumbled at step 3")
        return step(*args, **kwargs)

    pipeline.scheduler.step = stumble
    bad = hub.spawn(lambda: paint(pipeline, MIXED[0]))
    good = [spawn(hub, loaded, wish) for wish in MIXED[1:]]
    finish_all(hub)
    assert str(bad.error) == "stumbled at step 3"
    for wish, task in zip(MIXED[1:], good, strict=True):
        assert grey_levels_apart(result(task), plain(loaded, wish, "DDIMScheduler")) <= 1


class Limited(torch.nn.Module):
    """Doubles its input; refuses too many rows at once, and any row that begins with a negative number."""

    def __init__(self, most: int = 100) -> None:
        super().__init__()
        self.most = most
        self.sizes: list[int] = []

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(sample))
        if len(sample) > self.most:
            raise torch.OutOfMemoryError("no room")
        if (sample[:, 0] < 0).any():
            raise ValueError("a negative number")
        return sample * 2


def call_once(hub: Hub, shared: Any, *values: float) -> Task:
    return hub.spawn(lambda: shared(torch.tensor([[value, 0.0] for value in values])))


def test_a_forward_that_fails_for_many_is_tried_again_until_only_the_guilty_fails() -> None:
    hub = Hub()
    shared = SharedModule(Limited(), 16, ("forward",))
    tasks = [call_once(hub, shared, value) for value in (1.0, -1.0, 3.0, 4.0)]
    finish_all(hub)
    assert isinstance(tasks[1].error, ValueError)
    assert [float(tasks[i].result[0, 0]) for i in (0, 2, 3)] == [2.0, 6.0, 8.0]


def test_too_little_memory_for_a_batch_splits_it_and_fails_only_the_job_too_large() -> None:
    hub = Hub()
    module = Limited(most=2)
    shared = SharedModule(module, 16, ("forward",))
    small = [call_once(hub, shared, value) for value in (1.0, 2.0, 3.0)]
    large = call_once(hub, shared, 1.0, 2.0, 3.0)
    finish_all(hub)
    assert isinstance(large.error, torch.OutOfMemoryError)
    assert [float(task.result[0, 0]) for task in small] == [2.0, 4.0, 6.0]


def test_no_forward_has_more_rows_than_the_model_allows() -> None:
    hub = Hub()
    module = Limited()
    shared = SharedModule(module, 3, ("forward",))
    tasks = [call_once(hub, shared, *values) for values in ((1.0, 2.0), (3.0, 4.0), (5.0,), (6.0,))]
    finish_all(hub)
    assert all(task.error is None for task in tasks)
    assert max(module.sizes) == 3


def test_forwards_of_a_compiled_module_have_only_numbers_of_rows_that_it_knows() -> None:
    hub = Hub()
    module = Limited()
    shared = SharedModule(module, 16, ("forward",), pad=True)
    tasks = [call_once(hub, shared, *values) for values in ((1.0, 2.0), (3.0, 4.0), (5.0,))]
    finish_all(hub)
    tasks += [call_once(hub, shared, *values) for values in ((6.0,), (7.0, 8.0))]
    finish_all(hub)
    tasks += [call_once(hub, shared, 9.0)]
    finish_all(hub)
    assert module.sizes == [8, 4, 1]
    assert [task.result[:, 0].tolist() for task in tasks] == [
        [2.0, 4.0], [6.0, 8.0], [10.0], [12.0], [14.0, 16.0], [18.0],
    ]  # fmt: skip


class Pooled(torch.nn.Module):
    """Returns one number for the whole batch, which cannot be told apart by rows."""

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        return sample.sum()


def test_a_module_whose_output_has_no_rows_serves_each_job_alone() -> None:
    hub = Hub()
    shared = SharedModule(Pooled(), 16, ("forward",))
    tasks = [call_once(hub, shared, value) for value in (1.0, 2.0, 4.0)]
    finish_all(hub)
    assert [float(task.result) for task in tasks] == [1.0, 2.0, 4.0]


def test_a_dictionary_of_lists_of_tensors_is_cut_apart_by_rows() -> None:
    parts = split({"a": [torch.arange(3), torch.arange(3) + 10], "b": None}, [1, 2])
    assert parts[0]["a"][1].tolist() == [10]
    assert parts[1]["a"][0].tolist() == [1, 2]
    assert parts[1]["b"] is None
    with pytest.raises(NotCollatable):
        split({"a": torch.arange(4)}, [1, 2])


class Clock:
    """A second per look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def looping(shared: Any, steps: int, ended: list[str], name: str) -> tuple[Any, Any]:
    left = [steps]

    def work() -> None:
        while left[0]:
            shared(torch.ones(1, 2))
            left[0] -= 1
        ended.append(name)

    return work, lambda: left[0]


def test_a_short_job_passes_a_long_one_where_forwards_cannot_be_shared() -> None:
    hub = Hub(Clock())
    shared = SharedModule(Limited(), 1, ("forward",))
    ended: list[str] = []
    hub.spawn(*looping(shared, 50, ended, "long"))
    for _ in range(5):
        hub.step()
    hub.spawn(*looping(shared, 4, ended, "short"))
    for _ in range(8):
        hub.step()
    assert ended == ["short"]
    finish_all(hub)


def test_a_burst_that_cannot_share_is_served_shortest_first() -> None:
    hub = Hub(Clock())
    shared = SharedModule(Limited(), 1, ("forward",))
    ended: list[str] = []
    for steps in (50, 4, 20, 8, 28):
        hub.spawn(*looping(shared, steps, ended, str(steps)))
    finish_all(hub)
    assert ended == ["4", "8", "20", "28", "50"]


def test_a_long_job_ends_within_twice_its_fair_share_whatever_arrives() -> None:
    hub = Hub(Clock())
    shared = SharedModule(Limited(), 1, ("forward",))
    ended: list[str] = []
    hub.spawn(*looping(shared, 50, ended, "long"))
    forwards = 0
    while "long" not in ended:
        if len(hub.tasks) < 2:
            hub.spawn(*looping(shared, 4, ended, "short"))
        hub.step()
        forwards += 1
        assert forwards <= 2 * 2 * 50 + 4, "two jobs at a time: its fair share is every second forward"
    assert "short" in ended


def job(shared: Any, steps: int, rows: int, ended: dict[str, int], name: str, forwards: list[int]) -> tuple[Any, Any]:
    """Work of so many steps that notes after how many forwards of all it ended; what it has left is steps x rows."""
    left = [steps]

    def work() -> None:
        while left[0]:
            shared(torch.ones(rows, 2))
            left[0] -= 1
        ended[name] = len(forwards)

    return work, lambda: left[0] * rows


class Timed(Limited):
    """Tells a clock that a forward takes a second, and a fifth of one more for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        self.now += 1.0 + 0.2 * len(sample)
        return super().forward(sample)

    def clock(self) -> float:
        return self.now


def test_a_long_job_rides_along_with_short_ones_instead_of_running_on_alone_afterwards() -> None:
    """Two of twenty steps and six of eight, four rows to a forward: 22 full forwards; shortest first alone needs 32."""
    module = Timed()
    hub = Hub(module.clock)
    shared = SharedModule(module, 4, ("forward",))
    ended: dict[str, int] = {}
    for number in range(2):
        hub.spawn(*job(shared, 20, 1, ended, f"long {number}", module.sizes))
    for number in range(6):
        hub.spawn(*job(shared, 8, 1, ended, f"short {number}", module.sizes))
    finish_all(hub)
    assert sum(module.sizes) == 2 * 20 + 6 * 8
    assert len(module.sizes) <= 25


@pytest.mark.parametrize("long_ones", [1, 3, 4, 8])
def test_a_job_of_four_steps_takes_the_next_four_forwards_however_many_of_fifty_steps_run(long_ones: int) -> None:
    module = Timed()
    hub = Hub(module.clock)
    shared = SharedModule(module, 8, ("forward",))
    ended: dict[str, int] = {}
    for number in range(long_ones):
        hub.spawn(*job(shared, 50, 2, ended, f"long {number}", module.sizes))
    for _ in range(10):
        hub.step()
    for name in ("short", "short too", "short and without guidance"):
        rows = 1 if "without" in name else 2
        hub.spawn(*job(shared, 4, rows, ended, name, module.sizes))
    for _ in range(4):
        hub.step()
    assert ended == {"short": 14, "short too": 14, "short and without guidance": 14}
    finish_all(hub)


@pytest.mark.parametrize("rows", [1, 2, 8])
@pytest.mark.parametrize("company", [2, 4, 12])
def test_a_job_of_fifty_steps_ends_within_twice_its_fair_share_whatever_arrives(rows: int, company: int) -> None:
    """A new job of four steps for each that ends, without an end, so that there are always so many in company."""
    module = Timed()
    hub = Hub(module.clock)
    shared = SharedModule(module, rows, ("forward",))
    ended: dict[str, int] = {}
    hub.spawn(*job(shared, 50, 1, ended, "long", module.sizes))
    arrived = 0
    while "long" not in ended:
        while len(hub.tasks) < company + 1:
            arrived += 1
            hub.spawn(*job(shared, 4, 1, ended, f"short {arrived}", module.sizes))
        hub.step()
        turn = math.ceil((company + 1) / rows)  # forwards that it takes to serve each of them once
        assert len(module.sizes) <= 2 * 50 * turn
    assert len(ended) > company
