"""Jobs: their order, and every change of their state as one guarded update.

An update names the state (and, for results, the attempt) that it expects; where a row has moved on
meanwhile, nothing changes and the function says so. Knows nothing of what a request is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, bindparam, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rules
from store.people import LOCAL
from store.tables import RUNNING_ONLY, UNDELIVERED, WAITING_ONLY, conversations, jobs, people, queue_clock, turns
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
    weight: float
    most_running: int | None
    guild: str | None
    retry_of: int | None
    attempt: int
    deaths: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    reason: str | None
    reference: str | None
    delivered_at: float | None
    conversation_id: int | None
    parent_id: int | None
    method: str | None
    private: bool
    study: dict[str, Any] | None
    model: str


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What of a job decides whose turn it is."""

    id: int
    state: str
    tag: float
    entered: float
    cost: float  # by its weight: how much virtual time it takes


class InLine(NamedTuple):
    """What of a job decides when it starts, and how long it takes; first of all its place in the order."""

    priority: int
    tag: float
    id: int
    person_id: int
    model: str
    cost: float
    deaths: int
    most_running: int | None


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


def first_waiting(*, local_only: bool = False) -> Select[int]:
    """Asks for the waiting job whose turn it is, past those that another process is just claiming.

    Jobs are passed over whose owner has as many running as they may. `local_only`: only what was asked for at
    this machine's terminal.
    """
    mine = jobs.alias("mine")
    running = select(func.count()).where(mine.c.person_id == jobs.c.person_id, mine.c.state == RUNNING)
    may_start = or_(jobs.c.most_running.is_(None), running.scalar_subquery() < jobs.c.most_running)
    # the state stands in the text, since SQLite uses a partial index only for what it sees when it plans
    query = select(jobs.c.id).where(WAITING_ONLY, may_start)
    if local_only:
        query = query.where(jobs.c.person_id.in_(select(people.c.id).where(people.c.source == LOCAL)))
    return query.order_by(*_ORDER).limit(1).with_for_update(skip_locked=True, of=jobs)


def undelivered_query() -> Select[Any]:
    """Asks for the jobs whose front end still waits for them."""
    return select(jobs).where(UNDELIVERED).order_by(jobs.c.id)


async def claim(connection: AsyncConnection, now: float) -> JobRow | None:
    """Take the first waiting job for a worker: running, one attempt more. None: nothing may start.

    While the queue is paused, only what was asked for at this machine's terminal starts.
    """
    paused = await rules.mode(connection) == rules.PAUSED
    taken = await connection.execute(
        update(jobs)
        .where(jobs.c.id == first_waiting(local_only=paused).scalar_subquery(), jobs.c.state == WAITING)
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


async def count_waiting(connection: AsyncConnection, person_id: int, guild: str | None = None) -> int:
    """How many jobs of a person wait, in one server or (None) altogether."""
    mine = select(func.count()).where(jobs.c.person_id == person_id, jobs.c.state == WAITING, _in(guild))
    return int((await connection.execute(mine)).scalar_one())


async def asked_since(
    connection: AsyncConnection, person_id: int, since: float, guild: str | None = None
) -> tuple[int, float | None]:
    """How many of a person's jobs since then made a picture or yet may, and when the first of them was asked for."""
    counting = and_(jobs.c.state.in_((*UNENDED, DONE)), jobs.c.created_at > since, _in(guild))
    query = select(func.count(), func.min(jobs.c.created_at)).where(jobs.c.person_id == person_id, counting)
    count, first = (await connection.execute(query)).one()
    return int(count), first


async def unended_of(connection: AsyncConnection, person_id: int) -> list[JobRow]:
    """A person's jobs that run or wait, in the order in which they run."""
    query = select(jobs).where(jobs.c.person_id == person_id, jobs.c.state.in_(UNENDED))
    return await _rows(connection, query.order_by(jobs.c.state != RUNNING, *_ORDER))


async def in_state(
    connection: AsyncConnection,
    state: str,
    *,
    guild: str | None = None,
    person_id: int | None = None,
    most: int | None = None,
    newest_first: bool = False,
) -> list[JobRow]:
    """Jobs in that state, in the order in which they run, of one server or person or (None) of all."""
    # the state stands in the text, as in `first_waiting`
    of_state = {WAITING: WAITING_ONLY, RUNNING: RUNNING_ONLY}.get(state, jobs.c.state == state)
    query = select(jobs).where(of_state, _in(guild))
    if person_id is not None:
        query = query.where(jobs.c.person_id == person_id)
    return await _rows(connection, query.order_by(*((jobs.c.id.desc(),) if newest_first else _ORDER)).limit(most))


def _quarantine(deaths: int, guild: str | None) -> Any:
    again = jobs.alias("again")
    retried = select(again.c.id).where(again.c.retry_of == jobs.c.id).exists()
    return and_(jobs.c.state == FAILED, jobs.c.deaths >= deaths, ~retried, _in(guild))


async def quarantined(connection: AsyncConnection, deaths: int, guild: str | None, most: int) -> list[JobRow]:
    """Failed jobs on which so many workers died, which nobody has repeated, the newest first; in one server or all."""
    query = select(jobs).where(_quarantine(deaths, guild)).order_by(jobs.c.id.desc())
    return await _rows(connection, query.limit(most))


async def count_quarantined(connection: AsyncConnection, deaths: int, guild: str | None) -> int:
    """How many such jobs there are."""
    query = select(func.count(jobs.c.id)).where(_quarantine(deaths, guild))
    return int((await connection.execute(query)).scalar_one())


async def count_by_state(connection: AsyncConnection, guild: str | None = None) -> dict[str, int]:
    """How many jobs wait and how many run, of one server or (None) of all."""
    counts = {}
    for state, of_state in ((WAITING, WAITING_ONLY), (RUNNING, RUNNING_ONLY)):
        counts[state] = int(
            (await connection.execute(select(func.count(jobs.c.id)).where(of_state, _in(guild)))).scalar_one()
        )
    return counts


async def active_weights(connection: AsyncConnection) -> dict[int, float]:
    """The people who have jobs that run or wait, and the weight of each."""
    query = select(jobs.c.person_id, func.max(jobs.c.weight)).where(or_(WAITING_ONLY, RUNNING_ONLY))
    return {int(person): float(weight) for person, weight in await connection.execute(query.group_by(jobs.c.person_id))}


async def first_priority(connection: AsyncConnection) -> int | None:
    """The priority of whatever waits at the front."""
    query = select(jobs.c.priority).where(WAITING_ONLY).order_by(*_ORDER).limit(1)
    return (await connection.execute(query)).scalar()


async def set_priority(connection: AsyncConnection, job_id: int, priority: int, *, seen: int) -> bool:
    """Move a waiting job. False: it waits no more, or somebody has moved it since its priority was `seen`."""
    as_seen = and_(jobs.c.id == job_id, jobs.c.state == WAITING, jobs.c.priority == seen)
    return await _change(connection, as_seen, {"priority": priority})


async def cancel_waiting(
    connection: AsyncConnection, now: float, *, guild: str | None = None, person_id: int | None = None
) -> list[int]:
    """Cancel all that waits, of one server or person or (None) of all; who asked owes nothing for it.

    Other jobs of theirs keep their places; what they ask for next takes the freed ones.
    """
    waiting = update(jobs).where(WAITING_ONLY, _in(guild))
    if person_id is not None:
        waiting = waiting.where(jobs.c.person_id == person_id)
    ended = waiting.values(state=CANCELLED, ended_at=now, cost=0.0).returning(jobs.c.id, jobs.c.person_id)
    found = (await connection.execute(ended)).all()
    owners = sorted({person for _, person in found})
    ends = select(func.coalesce(func.max(jobs.c.tag + jobs.c.cost / jobs.c.weight), 0.0))
    last = ends.where(jobs.c.person_id == people.c.id, jobs.c.cost > 0).scalar_subquery()
    for owner in owners:
        earlier = update(people).where(people.c.id == owner, people.c.last_tag > last)
        await connection.execute(earlier.values(last_tag=last))
    return sorted(job for job, _ in found)


async def retried_as(connection: AsyncConnection, job_id: int) -> int | None:
    """The job that repeats this one, if there is one."""
    return (await connection.execute(select(jobs.c.id).where(jobs.c.retry_of == job_id))).scalar()


async def later_of(connection: AsyncConnection, person_id: int, job_id: int) -> list[Turn]:
    """The jobs that a person put in the queue after this one, in that order, whatever became of them."""
    by_weight = (jobs.c.cost / jobs.c.weight).label("cost")
    columns = (jobs.c.id, jobs.c.state, jobs.c.tag, jobs.c.entered, by_weight)
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


def line_query(state: Any) -> Select[Any]:
    """Asks for the jobs that wait (`WAITING_ONLY`) or run (`RUNNING_ONLY`), in the order in which they start."""
    return select(*(jobs.c[name] for name in InLine._fields)).where(state).order_by(*_ORDER)


async def waiting_line(connection: AsyncConnection) -> list[InLine]:
    """All jobs that wait, in the order in which they start."""
    return [InLine(*row) for row in await connection.execute(line_query(WAITING_ONLY))]


async def running_line(connection: AsyncConnection) -> list[InLine]:
    """All jobs that run."""
    return [InLine(*row) for row in await connection.execute(line_query(RUNNING_ONLY))]


async def key_of_waiting(connection: AsyncConnection, job_id: int) -> InLine | None:
    """What decides when the job starts; None if it does not wait."""
    query = select(*(jobs.c[name] for name in InLine._fields)).where(jobs.c.id == job_id, jobs.c.state == WAITING)
    row = (await connection.execute(query)).first()
    return None if row is None else InLine(*row)


async def is_awaited_in(connection: AsyncConnection, message: str) -> bool:
    """Whether a job that has not ended is to be shown in that message."""
    there = and_(jobs.c.state.in_(UNENDED), jobs.c.place["message"].as_string() == message)
    return (await connection.execute(select(jobs.c.id).where(there).limit(1))).first() is not None


async def of_turn(connection: AsyncConnection, turn_id: int) -> JobRow | None:
    """The newest job that a turn asked for."""
    query = select(jobs).where(jobs.c.turn_id == turn_id).order_by(jobs.c.id.desc()).limit(1)
    return next(iter(await _rows(connection, query)), None)


async def unended_of_messages(connection: AsyncConnection, source: str, messages: Sequence[str]) -> list[int]:
    """The jobs that wait or run and that these messages of a front end asked for."""
    said = turns.join(conversations, conversations.c.id == turns.c.conversation_id)
    asking = select(turns.c.id).select_from(said)
    asking = asking.where(conversations.c.source == source, turns.c.message.in_(list(messages)))
    query = select(jobs.c.id).where(jobs.c.state.in_(UNENDED), jobs.c.turn_id.in_(asking)).order_by(jobs.c.id)
    return list((await connection.execute(query)).scalars())


async def undelivered(connection: AsyncConnection, after: int = 0, most: int | None = None) -> list[JobRow]:
    """Jobs whose front end still waits for them, ended or not, the oldest first; of those after an id, at most so many.

    Whoever wants all of many asks again after the last that came.
    """
    return await _rows(connection, undelivered_query().where(jobs.c.id > after).limit(most))


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


def _in(guild: str | None) -> Any:
    return true() if guild is None else jobs.c.guild == guild


def _attempt(job_id: int, attempt: int) -> Any:
    return and_(jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == RUNNING)


async def _change(connection: AsyncConnection, which: Any, values: Mapping[str, Any]) -> bool:
    return bool((await connection.execute(update(jobs).where(which).values(**values))).rowcount)


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[JobRow]:
    return [JobRow(**row) for row in (await connection.execute(query)).mappings()]
