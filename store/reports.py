"""What statistics are made from: how the jobs of some time have ended. Draws no conclusion."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import jobs, people


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedJob:
    """What of an ended job statistics count. Times are seconds since 1970."""

    state: str
    reason: str | None
    created_at: float
    started_at: float | None  # of the last attempt
    ended_at: float
    person: int
    cost: float


async def ended_since(connection: AsyncConnection, since: float, guild: str | None) -> list[EndedJob]:
    """The jobs that have ended since then, in one server or (None) everywhere."""
    columns = (jobs.c.state, jobs.c.reason, jobs.c.created_at, jobs.c.started_at, jobs.c.ended_at, jobs.c.cost)
    query = select(*columns, jobs.c.person_id.label("person")).where(jobs.c.ended_at > since)
    if guild is not None:
        query = query.where(jobs.c.guild == guild)
    return [EndedJob(**row) for row in (await connection.execute(query.order_by(jobs.c.ended_at))).mappings()]


async def names_of(connection: AsyncConnection, ids: list[int]) -> dict[int, str]:
    """The names of these people, by our own ids."""
    query = select(people.c.id, people.c.name).where(people.c.id.in_(ids))
    return {int(person): str(name) for person, name in await connection.execute(query)}
