"""How the edits of one channel are shared among all that is shown in it."""

from __future__ import annotations

import asyncio

import pytest

from bot.pacing import EDITS, GAP, Pacing

HERE, THERE = 1, 2  # channels
FIVE_SECONDS = 5.0


class Clock:
    time = 100.0

    def __call__(self) -> float:
        return self.time


def test_five_messages_that_always_have_news_stay_within_what_discord_takes_and_leave_one_for_a_result() -> None:
    clock = Clock()
    pacing = Pacing(clock=clock)
    due = {message: clock.time + pacing.reserve(HERE) for message in range(5)}
    edits: list[tuple[float, int]] = []
    while len(edits) < 100:
        message = min(due, key=lambda each: due[each])
        clock.time = due[message]
        if pacing.begin(HERE):
            edits.append((clock.time, message))
        due[message] = clock.time + pacing.reserve(HERE)
    for at, _ in edits:
        assert sum(at <= other < at + FIVE_SECONDS for other, _ in edits) <= EDITS - 1
    assert {message for _, message in edits[:5]} == set(range(5)), "each has its turn"
    assert edits[-1][0] - edits[0][0] < 100 * GAP, "no turn is left out"


def test_channels_have_budgets_of_their_own() -> None:
    pacing = Pacing(clock=Clock())
    waits = [pacing.reserve(HERE), pacing.reserve(HERE), pacing.reserve(THERE)]
    assert waits == pytest.approx([0.0, GAP, 0.0])


async def test_a_result_goes_at_once_and_progress_gives_way_to_one_that_waits() -> None:
    pacing = Pacing(gap=0.05)
    assert [pacing.begin(HERE) for _ in range(EDITS - 1)] == [True] * (EDITS - 1)
    assert not pacing.begin(HERE), "the last one is left for a result"
    await asyncio.wait_for(pacing.result(HERE), 1.0)
    waits = asyncio.create_task(pacing.result(HERE))
    await asyncio.sleep(0)
    assert not waits.done() and not pacing.begin(HERE)
    await asyncio.wait_for(waits, 1.0)
