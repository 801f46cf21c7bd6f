"""Pictures that people have, and the runs that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import jobs, pictures, runs, turns


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """A picture with its run."""

    id: int
    run_id: int
    job_id: int
    person_id: int
    parent_id: int | None
    content: str
    suffix: str
    created_at: float
    facts: dict[str, Any]
    trajectory: str | None


async def add(
    connection: AsyncConnection,
    *,
    job_id: int,
    person_id: int,
    facts: Mapping[str, Any],
    content: str,
    suffix: str,
    trajectory: str | None,
    now: float,
) -> PictureRow:
    """Record a run and its picture."""
    run = await connection.execute(
        runs.insert().values(job_id=job_id, facts=facts, trajectory=trajectory, created_at=now).returning(runs.c.id)
    )
    picture = await connection.execute(
        pictures.insert()
        .values(run_id=run.scalar_one(), person_id=person_id, content=content, suffix=suffix, created_at=now)
        .returning(pictures.c.id)
    )
    row = await get(connection, picture.scalar_one())
    assert row is not None
    return row


async def get(connection: AsyncConnection, picture_id: int) -> PictureRow | None:
    """The picture, unless it was deleted."""
    return await _one(connection, _joined().where(pictures.c.id == picture_id))


async def of_job(connection: AsyncConnection, job_id: int) -> PictureRow | None:
    """The picture that a job made, unless it was deleted."""
    return await _one(connection, _joined().where(runs.c.job_id == job_id).order_by(pictures.c.id.desc()))


async def remove(connection: AsyncConnection, row: PictureRow) -> None:
    """Delete the picture, its run, its job and the turn that asked for it.

    The files are the caller's to delete, if `uses` says that nobody needs them.
    """
    turn = select(jobs.c.turn_id).where(jobs.c.id == row.job_id)
    turn_id = (await connection.execute(turn)).scalar()
    await connection.execute(delete(jobs).where(jobs.c.id == row.job_id))  # takes run and picture with it
    await connection.execute(delete(turns).where(turns.c.id == turn_id))


async def uses(connection: AsyncConnection, name: str) -> int:
    """How many pictures and trajectories refer to the file with this content hash."""
    as_picture = select(func.count()).select_from(pictures).where(pictures.c.content == name)
    as_trajectory = select(func.count()).select_from(runs).where(runs.c.trajectory == name)
    return int(
        (await connection.execute(as_picture)).scalar_one() + (await connection.execute(as_trajectory)).scalar_one()
    )


def _joined() -> Select[Any]:
    return select(pictures, runs.c.job_id, runs.c.facts, runs.c.trajectory).join(runs, runs.c.id == pictures.c.run_id)


async def _one(connection: AsyncConnection, query: Select[Any]) -> PictureRow | None:
    row = (await connection.execute(query.limit(1))).mappings().first()
    return PictureRow(**row) if row else None
