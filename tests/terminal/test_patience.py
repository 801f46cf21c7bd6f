"""A command that waits for a worker is told when none will come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from generation import events
from generation.dispatch.local import LocalDispatcher
from generation.dispatch.patience import patient_events
from generation.errors import WorkerGone
from generation.models import Models, pocket_model

START = events.Loading(what=events.STARTING, done=0, total=1)
LOADING = events.Loading(what="loading pocket", done=0, total=3)
READY = events.Ready(
    lanes=2, models=(), device="cpu", dtype="float32", threads=1, weights_sha256={}, seconds_per_step={}, versions={}
)


class Replayed(LocalDispatcher):
    """A dispatcher whose worker has said all this already."""

    def __init__(self, said: Sequence[events.Event]) -> None:
        super().__init__(Models(all=(pocket_model(),)))
        self._said = said

    async def events(self) -> AsyncIterator[events.Event]:
        for event in self._said:
            yield event


async def passed(*said: events.Event) -> list[events.Event]:
    return [event async for event in patient_events(Replayed(said))]


async def test_a_worker_that_gets_ready_at_its_second_start_is_waited_for() -> None:
    said = (START, LOADING, START, LOADING, READY)
    assert await passed(*said) == list(said)


async def test_a_worker_that_never_gets_ready_is_given_up_at_its_third_start() -> None:
    with pytest.raises(WorkerGone, match="keeps ending before it is ready"):
        await passed(START, START, LOADING, START)


async def test_a_worker_that_was_ready_and_died_may_start_once_more() -> None:
    said = (START, START, READY, START, READY)
    assert await passed(*said) == list(said)
    with pytest.raises(WorkerGone):
        await passed(START, START, READY, START, START)
