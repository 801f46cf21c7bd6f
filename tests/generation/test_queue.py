"""Whose turn it is, and what each change of a job does to the turns of all."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict

import pytest
from sqlalchemy import text

from generation.errors import QueueFull
from generation.queue import GIVEN_UP, UNREADABLE, Job, Owner, Place, Queue, cost_of
from generation.request import GenerationRequest
from store.database import Database
from tests.bot.scripted import facts_of
from tests.generation.support import ANN, BOB, CID, PLACE, owner, wish


class Line:
    """A queue in which people are known by a letter and their jobs by a number."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.jobs: dict[str, Job] = {}
        self._names: dict[int, str] = {}
        self._counts: Counter[str] = Counter()

    async def put(self, *people: str, steps: int = 10) -> None:
        for person in people:
            self._counts[person] += 1
            name = f"{person}{self._counts[person]}"
            self.jobs[name] = await self.queue.put(wish(steps), owner(person), None)
            self._names[self.jobs[name].id] = name

    async def claim(self) -> tuple[str, Job] | None:
        job = await self.queue.claim()
        return None if job is None else (self._names[job.id], job)

    async def served(self, count: int = 10_000) -> list[str]:
        """The names of the next jobs, each finished before the next is claimed."""
        order: list[str] = []
        while len(order) < count and (claimed := await self.claim()) is not None:
            order.append(claimed[0])
            await finish(self.queue, claimed[1])
        return order


async def finish(queue: Queue, job: Job) -> bool:
    recorded = await queue.finish(
        job.id, job.attempt, facts=facts_of(job.request), content=f"{job.id:064x}", suffix=".png", trajectory=None
    )
    return recorded is not None


@pytest.fixture
def line(queue: Queue) -> Line:
    return Line(queue)


async def state(queue: Queue, job: Job) -> str:
    found = await queue.get(job.id)
    assert found is not None
    return found.state


async def test_people_take_turns_however_their_jobs_came_in(line: Line) -> None:
    await line.put("A", "A", "B", "C", "C", "A")
    assert await line.served() == ["A1", "B1", "C1", "A2", "C2", "A3"]


async def test_two_hundred_jobs_of_one_person_let_a_newcomer_s_larger_job_go_first(line: Line) -> None:
    await line.put(*"A" * 200)
    await line.served(5)
    await line.put("B", steps=150)
    ahead = await line.queue.ahead_of(line.jobs["B1"].id)
    assert ahead == 0
    assert await line.served(1) == ["B1"]


async def test_a_large_job_costs_its_owner_as_many_turns_as_small_ones_of_the_same_cost(line: Line) -> None:
    await line.put("A", steps=40)
    await line.put("A", "B", "B", "B", "B", "B", steps=10)
    assert await line.served() == ["A1", "B1", "B2", "B3", "B4", "A2", "B5"]


async def test_idle_time_saves_nothing_up(line: Line) -> None:
    await line.put(*"AAAAAA")
    await line.served(3)
    await line.put("B", "B", "B")
    assert await line.served() == ["B1", "A4", "B2", "A5", "B3", "A6"]


async def test_a_cancelled_job_that_waited_lets_its_owner_s_later_jobs_move_up(line: Line) -> None:
    await line.put("A", "A", "A", "B", "B", "B")
    assert await line.served(1) == ["A1"]
    assert await line.queue.cancel(line.jobs["A2"].id, owner("A"))
    assert await line.served() == ["B1", "A3", "B2", "B3"]


async def test_the_share_of_a_cancelled_job_comes_back_for_jobs_that_are_yet_to_come(line: Line) -> None:
    await line.put("A", "B", "B", "B")
    await line.put("A", steps=150)
    await line.served(2)
    assert await line.queue.cancel(line.jobs["A2"].id, owner("A"))
    await line.put("A")
    assert await line.served() == ["B2", "A3", "B3"]


async def test_cancelling_a_later_job_gains_nothing_for_those_before_it(line: Line) -> None:
    """What was served counts on: cancelling must not be a way to the front."""
    await line.put(*"AAAA", *"BBBB")
    assert await line.served(2) == ["A1", "B1"]
    await line.put("A")
    assert await line.queue.cancel(line.jobs["A5"].id, owner("A"))
    assert await line.served() == ["A2", "B2", "A3", "B3", "A4", "B4"]


async def test_a_failed_job_gives_its_share_back(line: Line) -> None:
    await line.put("A", steps=100)
    await line.put("A", "B", "B", "B")
    claimed = await line.claim()
    assert claimed is not None and claimed[0] == "A1"
    assert await line.queue.fail(claimed[1].id, claimed[1].attempt, "It is broken.", "ref1")
    assert await line.served() == ["A2", "B1", "B2", "B3"]
    failed = await line.queue.get(line.jobs["A1"].id)
    assert failed is not None and (failed.state, failed.reason, failed.reference) == ("failed", "It is broken.", "ref1")


async def test_a_job_cancelled_late_costs_its_owner_what_it_used(line: Line) -> None:
    await line.put("A", steps=40)
    await line.put("A", *"BBBBB", steps=10)
    claimed = await line.claim()
    assert claimed is not None and claimed[0] == "A1"
    assert await line.queue.cancel(claimed[1].id, owner("A"), used=0.5)
    assert await line.served() == ["B1", "B2", "A2", "B3", "B4", "B5"]


async def test_only_its_owner_can_cancel_a_job_and_only_while_it_has_not_ended(queue: Queue) -> None:
    waits, runs = await queue.put(wish(), ANN, None), await queue.put(wish(), ANN, None)
    claimed = await queue.claim()
    assert claimed is not None and claimed.id == waits.id
    assert await queue.cancel(runs.id, BOB) is None
    assert await queue.cancel(runs.id, Owner(source="terminal", external_id=ANN.external_id, name="Ann")) is None
    assert await queue.cancel(999, ANN) is None
    before = await queue.cancel(claimed.id, ANN)
    assert before is not None and (before.state, before.attempt) == ("running", 1)
    assert await queue.cancel(claimed.id, ANN) is None
    assert not await finish(queue, claimed), "a result of a cancelled job was taken"
    assert await state(queue, claimed) == "cancelled"


async def test_clock_jumps_change_no_order(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([5e9, 1.0, 3e9, 2.0, 9e9, 0.5, *(float(n % 7) * 1e8 for n in range(500))])
    monkeypatch.setattr(time, "time", lambda: next(clock))
    await line.put("A", "A", "B", "C", "C", "A")
    assert await line.served() == ["A1", "B1", "C1", "A2", "C2", "A3"]


async def test_a_result_counts_only_for_the_attempt_that_runs(queue: Queue) -> None:
    await queue.put(wish(), ANN, None)
    first = await queue.claim()
    assert first is not None
    assert await queue.put_back(first.id, first.attempt)
    assert not await finish(queue, first), "it waits"
    second = await queue.claim()
    assert second is not None and (second.id, second.attempt) == (first.id, 2)
    assert not await finish(queue, first)
    assert await queue.fail(first.id, first.attempt, "", "") is None
    assert await queue.worker_died(first.id, first.attempt, "") is None
    assert not await queue.put_back(first.id, first.attempt)
    assert await finish(queue, second)
    assert not await finish(queue, second), "it was taken twice"
    assert await state(queue, second) == "done"


async def test_what_ran_when_the_program_ended_runs_again_at_its_old_place(line: Line) -> None:
    await line.put("A", "A", "B", "B")
    for _ in range(2):
        await line.claim()
    assert await line.queue.put_back_all() == 2
    assert await line.served() == ["A1", "B1", "A2", "B2"]


async def test_a_job_whose_worker_died_twice_is_given_up_and_its_owner_s_others_move_up(line: Line) -> None:
    await line.put("A", "A", "B")
    _, job = await line.claim() or pytest.fail("nothing to claim")
    again = await line.queue.worker_died(job.id, job.attempt, "ref1")
    assert again is not None and (again.state, again.deaths) == ("waiting", 1)
    name, job = await line.claim() or pytest.fail("nothing to claim")
    assert name == "A1", "it does not keep its place"
    given_up = await line.queue.worker_died(job.id, job.attempt, "ref2")
    assert given_up is not None
    assert (given_up.state, given_up.reason, given_up.reference, given_up.deaths) == ("failed", GIVEN_UP, "ref2", 2)
    assert await line.served() == ["A2", "B1"]


async def test_one_person_cannot_fill_the_queue_but_others_still_get_in(database: Database) -> None:
    queue = Queue(database, most_waiting=2)
    for _ in range(2):
        await queue.put(wish(), ANN, None)
    with pytest.raises(QueueFull, match="You have 2 pictures waiting"):
        await queue.put(wish(), ANN, None)
    await queue.put(wish(), BOB, None)
    await queue.claim()
    await queue.put(wish(), ANN, None)


async def test_a_refused_job_leaves_no_turn_behind(database: Database) -> None:
    queue = Queue(database, most_waiting=1)
    await queue.put(wish(), ANN, PLACE)
    with pytest.raises(QueueFull):
        await queue.put(wish(), ANN, PLACE)
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM turns"))).scalar() == 1


async def test_the_place_in_the_queue_is_the_number_of_jobs_that_really_run_first(line: Line) -> None:
    await line.put("A", "A", "A", "B", "B", "C", "A", "D")
    places = {}
    for name, job in line.jobs.items():
        ahead = await line.queue.ahead_of(job.id)
        assert ahead is not None
        places[name] = ahead
    order = await line.served()
    assert places == {name: order.index(name) for name in order}
    assert await line.queue.ahead_of(line.jobs["A1"].id) is None, "it does not wait any more"


async def test_a_job_moved_ahead_of_all_leaves_the_turns_of_the_others_alone(line: Line, database: Database) -> None:
    await line.put(*"AAAA", *"BB")
    async with database.writing() as connection:
        await connection.execute(text("UPDATE jobs SET priority = -1 WHERE id = :id"), {"id": line.jobs["A4"].id})
    assert await line.served(1) == ["A4"]
    await line.put("C")
    assert (await line.served(3))[-1] == "C1", "the newcomer has to wait for those whose turn had not come"


async def test_the_request_and_its_place_come_back_as_they_went_in(queue: Queue) -> None:
    request = wish(prompt="a fox \U0001f98a @everyone", negative_prompt="*snow*", init_image="ab" * 32, strength=0.4)
    put = await queue.put(request, ANN, PLACE)
    claimed = await queue.claim()
    assert claimed is not None
    assert put.request == claimed.request == request and put.place == claimed.place == PLACE
    assert put.owner == claimed.owner == ANN


async def test_a_person_s_name_is_brought_up_to_date(queue: Queue) -> None:
    first = await queue.put(wish(), ANN, None)
    await queue.put(wish(), Owner(source=ANN.source, external_id=ANN.external_id, name="Anna"), None)
    found = await queue.get(first.id)
    assert found is not None and found.owner.name == "Anna"


async def test_a_request_that_nobody_can_read_any_more_keeps_nobody_waiting(queue: Queue, database: Database) -> None:
    unreadable, good = await queue.put(wish(), ANN, PLACE), await queue.put(wish(), BOB, PLACE)
    async with database.writing() as connection:
        query = text("UPDATE jobs SET request = :request WHERE id = :id")
        await connection.execute(query, {"request": '{"style": "from a later version"}', "id": unreadable.id})
    claimed = await queue.claim()
    assert claimed is not None and claimed.id == good.id
    async with database.reading() as connection:
        row = (await connection.execute(text("SELECT state, reason FROM jobs ORDER BY id"))).first()
    assert row is not None and tuple(row) == ("failed", UNREADABLE)
    assert [job.id for job in await queue.undelivered()] == [good.id]


async def test_each_end_is_delivered_once(queue: Queue) -> None:
    job, silent = await queue.put(wish(), ANN, PLACE), await queue.put(wish(), BOB, None)
    assert [found.id for found in await queue.undelivered()] == [job.id], "nobody waits for the other one"
    noted = await asyncio.gather(*(queue.mark_delivered(job.id) for _ in range(4)))
    assert sorted(noted) == [False, False, False, True]
    assert sorted([await queue.mark_delivered(silent.id), await queue.mark_delivered(silent.id)]) == [False, True]
    assert await queue.undelivered() == []


async def test_an_order_that_waits_elsewhere_is_delivered_there(queue: Queue) -> None:
    job = await queue.put(wish(), ANN, PLACE)
    moved = Place(channel="other")
    await queue.set_place(job.id, moved)
    assert [found.place for found in await queue.undelivered()] == [moved]


async def test_many_at_once_are_each_served_once(queue: Queue) -> None:
    people = [owner(str(n % 7)) for n in range(60)]
    put = await asyncio.gather(*(queue.put(wish(), person, None) for person in people))
    first = await asyncio.gather(*(queue.claim() for _ in range(7)))
    assert len({job.owner.name for job in first if job is not None}) == 7, "somebody had a second turn already"
    rest = await asyncio.gather(*(queue.claim() for _ in range(70)))
    ids = [job.id for job in (*first, *rest) if job is not None]
    assert sorted(ids) == sorted(job.id for job in put)


@pytest.mark.parametrize("seed", range(6))
async def test_nobody_gets_ahead_by_more_than_one_largest_job(queue: Queue, seed: int) -> None:
    """Among people who always have jobs waiting, whatever else others submit, cancel or break."""
    chance = random.Random(seed)
    largest = 0.0
    served: defaultdict[str, float] = defaultdict(float)
    waiting: dict[str, list[Job]] = {}
    running: list[Job] = []
    steady, others = [ANN, BOB, CID], [owner("Dan"), owner("Eve")]

    async def put(person: Owner) -> None:
        nonlocal largest
        request: GenerationRequest = wish(chance.randint(1, 40))
        largest = max(largest, cost_of(request))
        waiting.setdefault(person.name, []).append(await queue.put(request, person, None))

    for person in steady:
        await put(person)
        await put(person)
    for _ in range(70):
        act = chance.random()
        if act < 0.25:
            await put(chance.choice(others + steady))
        elif act < 0.35:
            name = chance.choice(["Dan", "Eve", *(person.name for person in steady)])
            mine = waiting.get(name, [])
            if len(mine) > (2 if name in {person.name for person in steady} else 0):
                victim = mine.pop(chance.randrange(len(mine)))
                assert await queue.cancel(victim.id, victim.owner)
        elif act < 0.5 and running:
            job = running.pop(chance.randrange(len(running)))
            if job.owner in others and chance.random() < 0.5:
                await queue.fail(job.id, job.attempt, "broken", "ref")
            else:
                assert await finish(queue, job)
        elif (claimed := await queue.claim()) is not None:
            running.append(claimed)
            name = claimed.owner.name
            waiting[name] = [job for job in waiting[name] if job.id != claimed.id]
            served[name] += cost_of(claimed.request)
            if claimed.owner in steady and not waiting[name]:
                await put(claimed.owner)
        costs = [served[person.name] for person in steady]
        assert max(costs) - min(costs) <= largest + 1e-9, f"{served} with jobs of at most {largest}"
