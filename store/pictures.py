"""Pictures that people have, and the runs that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import pictures, runs


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
        runs.insert().values(job_id=job_id, facts=facts, trajectory=trajectory, created_at=now)
    )
    picture = await connection.execute(
        pictures.insert().values(
            run_id=run.inserted_primary_key[0], person_id=person_id, content=content, suffix=suffix, created_at=now
        )
    )
    row = await get(connection, int(picture.inserted_primary_key[0]))
    assert row is not None
    return row


async def get(connection: AsyncConnection, picture_id: int) -> PictureRow | None:
    """The picture, unless it was deleted."""
    return await _one(connection, _joined().where(pictures.c.id == picture_id))


async def of_job(connection: AsyncConnection, job_id: int) -> PictureRow | None:
    """The picture that a job made, unless it was deleted."""
    return await _one(connection, _joined().where(runs.c.job_id == job_id).order_by(pictures.c.id.desc()))


async def remove(connection: AsyncConnection, row: PictureRow) -> None:
    """Delete the picture and its run. The files are the caller's to delete, if `uses` says nobody needs them."""
    await connection.execute(delete(pictures).where(pictures.c.id == row.id))
    await connection.execute(delete(runs).where(runs.c.id == row.run_id))


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
