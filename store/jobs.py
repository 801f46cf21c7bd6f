"""Jobs: their order, and every change of their state as one guarded update.

An update names the state (and, for results, the attempt) that it expects; where a row has moved on
meanwhile, nothing changes and the function says so. Knows nothing of what a request is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import RUNNING_ONLY, UNDELIVERED, WAITING_ONLY, jobs, queue_clock
from store.upsert import insert_into

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
UNENDED = (WAITING, RUNNING)
_ORDER = (jobs.c.priority, jobs.c.tag, jobs.c.id)


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """A row of `jobs`; see `store.tables` for what each field means."""

    id: int
    turn_id: int | None
    person_id: int
    request: dict[str, Any]
    place: dict[str, Any] | None
    state: str
    priority: int
    tag: float
    entered: float
    cost: float
    attempt: int
    deaths: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    reason: str | None
    reference: str | None
    delivered_at: float | None


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What of a job decides whose turn it is."""

    id: int
    state: str
    tag: float
    entered: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class WorkAhead:
    """Waiting jobs of one model. `suspect`: a worker has died on each of them."""

    model: str
    suspect: bool
    count: int
    cost: float


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> JobRow:
    """Append a waiting job; `values` are those that have no usual beginning."""
    fresh = {"state": WAITING, "priority": 0, "attempt": 0, "deaths": 0, **values}
    added = await connection.execute(jobs.insert().values(**fresh).returning(jobs.c.id))
    row = await get(connection, added.scalar_one())
    assert row is not None
    return row


async def get(connection: AsyncConnection, job_id: int) -> JobRow | None:
    """The job, if there is one."""
    return next(iter(await _rows(connection, select(jobs).where(jobs.c.id == job_id))), None)


def first_waiting() -> Select[int]:
    """Asks for the waiting job whose turn it is, past those that another process is just claiming."""
    # the state stands in the text, since SQLite uses a partial index only for what it sees when it plans
    return select(jobs.c.id).where(WAITING_ONLY).order_by(*_ORDER).limit(1).with_for_update(skip_locked=True)


def undelivered_query() -> Select[Any]:
    """Asks for the jobs whose front end still waits for them."""
    return select(jobs).where(UNDELIVERED).order_by(jobs.c.id)


async def claim(connection: AsyncConnection, now: float) -> JobRow | None:
    """Take the first waiting job for a worker: running, one attempt more. None: nothing waits."""
    taken = await connection.execute(
        update(jobs)
        .where(jobs.c.id == first_waiting().scalar_subquery(), jobs.c.state == WAITING)
        .values(state=RUNNING, attempt=jobs.c.attempt + 1, started_at=now)
        .returning(*jobs.c)
    )
    row = taken.mappings().first()
    if row is None:
        return None
    if row["priority"] >= 0:  # one that was moved ahead says nothing of when those at their place have their turn
        await advance_clock(connection, row["tag"])
    return JobRow(**row)


async def put_back(connection: AsyncConnection, job_id: int, attempt: int, *, died: bool) -> bool:
    """Let a running attempt wait again, at its old place. `died`: it took its worker with it."""
    values: dict[str, Any] = {"state": WAITING, "started_at": None}
    if died:
        values["deaths"] = jobs.c.deaths + 1
    return await _change(connection, _attempt(job_id, attempt), values)


async def put_back_running(connection: AsyncConnection) -> int:
    """Let everything that runs wait again, as no worker has it any more; returns how many."""
    running = update(jobs).where(RUNNING_ONLY)
    return int((await connection.execute(running.values(state=WAITING, started_at=None))).rowcount)


async def end(
    connection: AsyncConnection,
    job_id: int,
    attempt: int,
    state: str,
    now: float,
    *,
    reason: str | None = None,
    reference: str | None = None,
    died: bool = False,
) -> bool:
    """End a running attempt as done or failed. `died`: it took its worker with it. False: that attempt runs no more."""
    values: dict[str, Any] = {"state": state, "ended_at": now, "reason": reason, "reference": reference}
    if died:
        values["deaths"] = jobs.c.deaths + 1
    return await _change(connection, _attempt(job_id, attempt), values)


async def cancel(connection: AsyncConnection, job_id: int, now: float) -> bool:
    """Cancel a job that waits or runs; what its worker makes of it comes too late. False: it has ended."""
    unended = and_(jobs.c.id == job_id, jobs.c.state.in_(UNENDED))
    return await _change(connection, unended, {"state": CANCELLED, "ended_at": now})


async def count_waiting(connection: AsyncConnection, person_id: int) -> int:
    """How many jobs of a person wait."""
    mine = select(func.count()).where(jobs.c.person_id == person_id, jobs.c.state == WAITING)
    return int((await connection.execute(mine)).scalar_one())


async def later_of(connection: AsyncConnection, person_id: int, job_id: int) -> list[Turn]:
    """The jobs that a person put in the queue after this one, in that order, whatever became of them."""
    columns = (jobs.c.id, jobs.c.state, jobs.c.tag, jobs.c.entered, jobs.c.cost)
    query = select(*columns).where(jobs.c.person_id == person_id, jobs.c.id > job_id).order_by(jobs.c.id)
    return [Turn(**row) for row in (await connection.execute(query)).mappings()]


async def set_tags(connection: AsyncConnection, tags: Mapping[int, float]) -> None:
    """Move jobs, by id, in virtual time."""
    if tags:
        move = update(jobs).where(jobs.c.id == bindparam("job")).values(tag=bindparam("moved"))
        await connection.execute(move, [{"job": job, "moved": tag} for job, tag in tags.items()])


async def set_cost(connection: AsyncConnection, job_id: int, cost: float) -> None:
    """Change what a job takes from its owner's share."""
    await connection.execute(update(jobs).where(jobs.c.id == job_id).values(cost=cost))


async def ahead_of(connection: AsyncConnection, row: JobRow) -> list[WorkAhead]:
    """The waiting jobs that run before this one, summed up by model and by whether a worker has died on them."""
    before = tuple_(*_ORDER) < tuple_(literal(row.priority), literal(row.tag), literal(row.id))
    model = jobs.c.request["model"].as_string()
    suspect = jobs.c.deaths > 0
    sums = select(model, suspect, func.count(), func.sum(jobs.c.cost)).where(WAITING_ONLY, before)
    found = await connection.execute(sums.group_by(model, suspect))
    return [
        WorkAhead(model=str(name), suspect=bool(died), count=int(count), cost=float(cost))
        for name, died, count, cost in found
    ]


async def undelivered(connection: AsyncConnection) -> list[JobRow]:
    """Jobs whose front end still waits for them, ended or not, the oldest first."""
    return await _rows(connection, undelivered_query())


async def mark_delivered(connection: AsyncConnection, job_id: int, now: float) -> bool:
    """Note that the front end has shown how the job ended. False: that was noted before."""
    return await _change(connection, and_(jobs.c.id == job_id, jobs.c.delivered_at.is_(None)), {"delivered_at": now})


async def set_place(connection: AsyncConnection, job_id: int, place: dict[str, Any]) -> None:
    """Note where the front end wants the answer now."""
    await connection.execute(update(jobs).where(jobs.c.id == job_id).values(place=place))


async def virtual_time(connection: AsyncConnection) -> float:
    """The tag of the job claimed last; 0 before the first."""
    return float((await connection.execute(select(queue_clock.c.virtual_time))).scalar() or 0.0)


async def advance_clock(connection: AsyncConnection, tag: float) -> None:
    """Move virtual time on to `tag`; it never goes back."""
    later = update(queue_clock).where(queue_clock.c.virtual_time < tag).values(virtual_time=tag)
    if not (await connection.execute(later)).rowcount:
        first = insert_into(connection, queue_clock).values(id=1, virtual_time=tag)
        await connection.execute(first.on_conflict_do_nothing())


def _attempt(job_id: int, attempt: int) -> Any:
    return and_(jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == RUNNING)


async def _change(connection: AsyncConnection, which: Any, values: Mapping[str, Any]) -> bool:
    return bool((await connection.execute(update(jobs).where(which).values(**values))).rowcount)


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[JobRow]:
    return [JobRow(**row) for row in (await connection.execute(query)).mappings()]
