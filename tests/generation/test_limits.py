"""What admins allow, checked in the transaction that stores the job, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from generation.errors import NotAdmitted, QueueFull
from generation.limits import Limits, resolved
from generation.queue import Job, Owner, Place, Queue
from store import rules
from store.database import Database
from store.rules import DRAINING, EVERYONE, EVERYWHERE, PAUSED, PERSON, ROLE, Block, LimitRow, subject_of
from tests.generation.support import ANN, BOB, CID, PLACE, wish

LOCAL = Owner(source="terminal", external_id="me", name="me")
VIP = dataclasses.replace(ANN, roles=("vip", "other"))


async def limit(
    database: Database, *, guild: str = EVERYWHERE, kind: str = EVERYONE, subject: str = "", **values: float
) -> None:
    async with database.writing() as connection:
        await rules.set_limits(connection, guild, kind, subject, values)


async def set_mode(database: Database, mode: str) -> None:
    async with database.writing() as connection:
        await rules.set_mode(connection, mode)


async def claimed(queue: Queue) -> str | None:
    job = await queue.claim()
    return None if job is None else job.owner.name


async def put(queue: Queue, owner: Owner = ANN, place: Place | None = PLACE) -> Job:
    return await queue.put(wish(), owner, place)


def test_a_person_s_own_limit_beats_their_roles_and_of_roles_the_most_generous_counts() -> None:
    rows = [
        LimitRow(guild="", kind=EVERYONE, subject="", waiting=1, steps=10),
        LimitRow(guild="", kind=ROLE, subject="a", waiting=2, weight=2.5),
        LimitRow(guild="", kind=ROLE, subject="b", waiting=4),
        LimitRow(guild="", kind=PERSON, subject="x", waiting=3),
        LimitRow(guild="34", kind=EVERYONE, subject="", side=64),
    ]
    assert resolved(rows, "") == Limits(waiting=3, steps=10, weight=2.5)
    assert resolved(rows[:3], "") == Limits(waiting=4, steps=10, weight=2.5)
    assert resolved(rows, "34") == Limits(side=64)


async def test_requests_at_the_same_moment_cannot_pass_a_daily_quota_together(queue: Queue, database: Database) -> None:
    await limit(database, per_day=3)
    results = await asyncio.gather(*(put(queue) for _ in range(8)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, NotAdmitted)]
    assert len(refused) == 5, results
    assert str(refused[0]) == "You have used your daily quota of 3 pictures; you can ask again in about 24 h."


async def test_a_cancelled_and_a_failed_job_give_their_quota_back(queue: Queue, database: Database) -> None:
    await limit(database, per_day=1)
    first = await put(queue)
    with pytest.raises(NotAdmitted, match="daily quota of 1 picture;"):
        await put(queue)
    await queue.cancel(first.id, ANN)
    await put(queue)
    claimed_job = await queue.claim()
    assert claimed_job is not None
    await queue.fail(claimed_job.id, claimed_job.attempt, "It failed.", "abc")
    await put(queue)


async def test_steps_and_size_beyond_the_limits_are_refused_with_what_would_be_taken(
    queue: Queue, database: Database
) -> None:
    await limit(database, steps=20, side=64)
    with pytest.raises(NotAdmitted, match="at most 20 steps here; 21 are too many"):
        await queue.put(wish(21), ANN, PLACE)
    with pytest.raises(NotAdmitted, match="at most 64 pixels a side here; 128x64 is too large"):
        await queue.put(wish(width=128), ANN, PLACE)
    assert await queue.claim() is None, "nothing was stored"


async def test_a_server_s_own_limits_count_what_was_asked_for_there_and_can_only_be_tighter(
    queue: Queue, database: Database
) -> None:
    elsewhere = dataclasses.replace(PLACE, guild="99")
    await limit(database, waiting=2)
    await limit(database, guild="34", waiting=1)
    await limit(database, guild="99", waiting=50)
    await put(queue)
    with pytest.raises(QueueFull, match="You have 1 picture waiting"):
        await put(queue)
    await put(queue, place=elsewhere)
    with pytest.raises(QueueFull, match="You have 2 pictures waiting"):
        await put(queue, place=elsewhere)


async def test_a_role_of_twice_the_weight_is_served_twice_as_often(queue: Queue, database: Database) -> None:
    await limit(database, kind=ROLE, subject="vip", weight=2)
    for who in (VIP,) * 4 + (BOB,) * 2:
        await put(queue, who)
    assert [await claimed(queue) for _ in range(6)] == ["Ann", "Bob", "Ann", "Ann", "Bob", "Ann"]


async def test_nobody_has_more_running_than_they_may_and_others_pass_by(queue: Queue, database: Database) -> None:
    await limit(database, kind=PERSON, subject=subject_of("discord", ANN.external_id), running=1)
    for who in (ANN, ANN, BOB, BOB):
        await put(queue, who)
    first = await queue.claim()
    assert first is not None and first.owner.name == "Ann"
    assert [await claimed(queue) for _ in range(3)] == ["Bob", "Bob", None]
    await queue.cancel(first.id, ANN)
    assert await claimed(queue) == "Ann"


async def test_a_blocked_person_is_told_why_and_others_go_on(queue: Queue, database: Database) -> None:
    async with database.writing() as connection:
        await rules.block(
            connection, Block(guild="34", source="discord", external_id=ANN.external_id, reason="spam", created_at=1)
        )
    with pytest.raises(NotAdmitted, match="An admin has blocked you from having pictures made here: spam"):
        await put(queue)
    await put(queue, place=dataclasses.replace(PLACE, guild="99"))
    await put(queue, BOB)


async def test_nothing_starts_while_the_queue_is_paused_but_what_the_terminal_asked_for(
    queue: Queue, database: Database
) -> None:
    await put(queue)
    await put(queue, LOCAL, None)
    await set_mode(database, PAUSED)
    assert [await claimed(queue) for _ in range(2)] == ["me", None]
    await set_mode(database, rules.OPEN)
    assert await claimed(queue) == "Ann"


async def test_a_draining_queue_takes_nothing_new_and_finishes_the_rest(queue: Queue, database: Database) -> None:
    await put(queue)
    await set_mode(database, DRAINING)
    with pytest.raises(NotAdmitted, match="No new pictures are taken for now"):
        await put(queue, CID)
    assert await claimed(queue) == "Ann"
