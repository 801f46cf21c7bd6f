"""Jobs: their order, and every change of their state as one guarded update.

An update names the state (and, for results, the attempt) that it expects; where a row has moved on
meanwhile, nothing changes and the function says so. Knows nothing of what a request is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import jobs, queue_clock

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
    cost: float
    attempt: int
    deaths: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    reason: str | None
    reference: str | None
    delivered_at: float | None


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


async def claim(connection: AsyncConnection, now: float) -> JobRow | None:
    """Take the first waiting job for a worker: running, one attempt more. None: nothing waits."""
    first = (
        select(jobs.c.id).where(jobs.c.state == WAITING).order_by(*_ORDER).limit(1).with_for_update(skip_locked=True)
    )
    taken = await connection.execute(
        update(jobs)
        .where(jobs.c.id == first.scalar_subquery(), jobs.c.state == WAITING)
        .values(state=RUNNING, attempt=jobs.c.attempt + 1, started_at=now)
        .returning(*jobs.c)
    )
    row = taken.mappings().first()
    if row is None:
        return None
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
    running = update(jobs).where(jobs.c.state == RUNNING)
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
) -> bool:
    """End a running attempt as done, failed or cancelled. False: that attempt runs no more."""
    values = {"state": state, "ended_at": now, "reason": reason, "reference": reference}
    return await _change(connection, _attempt(job_id, attempt), values)


async def cancel_waiting(connection: AsyncConnection, job_id: int, now: float) -> bool:
    """Cancel a job that waits. False: it does not wait (any more)."""
    waits = and_(jobs.c.id == job_id, jobs.c.state == WAITING)
    return await _change(connection, waits, {"state": CANCELLED, "ended_at": now})


async def unended_of(connection: AsyncConnection, person_id: int) -> list[JobRow]:
    """A person's jobs that run or wait, in the order in which they will run."""
    query = select(jobs).where(jobs.c.person_id == person_id, jobs.c.state.in_(UNENDED)).order_by(*_ORDER)
    return await _rows(connection, query)


async def set_tag(connection: AsyncConnection, job_id: int, tag: float) -> None:
    """Move a waiting job in virtual time."""
    await connection.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.state == WAITING).values(tag=tag))


async def ahead_of(connection: AsyncConnection, row: JobRow) -> tuple[int, float]:
    """How many waiting jobs run before this one, and their cost in all."""
    before = or_(
        jobs.c.priority < row.priority,
        and_(jobs.c.priority == row.priority, jobs.c.tag < row.tag),
        and_(jobs.c.priority == row.priority, jobs.c.tag == row.tag, jobs.c.id < row.id),
    )
    query = select(func.count(), func.coalesce(func.sum(jobs.c.cost), 0.0)).where(jobs.c.state == WAITING, before)
    count, cost = (await connection.execute(query)).one()
    return int(count), float(cost)


async def running(connection: AsyncConnection) -> list[JobRow]:
    """What runs now."""
    return await _rows(connection, select(jobs).where(jobs.c.state == RUNNING).order_by(jobs.c.id))


async def waiting(connection: AsyncConnection, limit: int) -> list[JobRow]:
    """The first waiting jobs in the order in which they will run."""
    return await _rows(connection, select(jobs).where(jobs.c.state == WAITING).order_by(*_ORDER).limit(limit))


async def undelivered(connection: AsyncConnection) -> list[JobRow]:
    """Jobs whose front end still waits for them, ended or not, the oldest first."""
    query = select(jobs).where(jobs.c.delivered_at.is_(None), jobs.c.place.is_not(None)).order_by(jobs.c.id)
    return await _rows(connection, query)


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
    now = (await connection.execute(select(queue_clock.c.virtual_time))).scalar()
    if now is None:
        await connection.execute(queue_clock.insert().values(id=1, virtual_time=tag))
    elif tag > now:
        await connection.execute(update(queue_clock).values(virtual_time=tag))


def _attempt(job_id: int, attempt: int) -> Any:
    return and_(jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == RUNNING)


async def _change(connection: AsyncConnection, which: Any, values: Mapping[str, Any]) -> bool:
    return bool((await connection.execute(update(jobs).where(which).values(**values))).rowcount)


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[JobRow]:
    return [JobRow(**row) for row in (await connection.execute(query)).mappings()]
