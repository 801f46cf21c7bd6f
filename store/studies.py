"""What came of replays and experiments on pictures: rows that name a file with all of it, and say the short of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.kept_files import NamedFile, named_by
from store.tables import jobs, studies

METHOD = "study"  # of a job that makes no picture of its own but looks into its parent


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """A row of `studies`; see `store.tables` for what each field means."""

    id: int
    job_id: int
    picture_id: int
    change: str
    key: str
    value: str
    summary: str
    masses: dict[str, float] | None
    result: str
    created_at: float


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Record what came of a job."""
    await connection.execute(studies.insert().values(**values))


async def of_job(connection: AsyncConnection, job_id: int) -> StudyRow | None:
    """What came of a job, if it is kept."""
    rows = await connection.execute(select(studies).where(studies.c.job_id == job_id))
    return next((StudyRow(**row) for row in rows.mappings()), None)


async def with_key(connection: AsyncConnection, picture_id: int, key: str) -> StudyRow | None:
    """The newest study of a picture that was planned alike."""
    query = select(studies).where(studies.c.picture_id == picture_id, studies.c.key == key)
    rows = await connection.execute(query.order_by(studies.c.id.desc()).limit(1))
    return next((StudyRow(**row) for row in rows.mappings()), None)


async def of_pictures(connection: AsyncConnection, picture_ids: Sequence[int]) -> list[StudyRow]:
    """All studies of these pictures, the oldest first."""
    query = select(studies).where(studies.c.picture_id.in_(picture_ids)).order_by(studies.c.id)
    return [StudyRow(**row) for row in (await connection.execute(query)).mappings()]


async def remove_of(connection: AsyncConnection, pictures_of: Any) -> tuple[list[int], set[NamedFile]]:
    """Delete all studies, and jobs that would make some, of these pictures, whoever asked for them.

    `pictures_of` is a query of picture ids. Returns the jobs and the files that they named.
    """
    on_them = (jobs.c.method == METHOD) & jobs.c.parent_id.in_(pictures_of)
    ids = list((await connection.execute(select(jobs.c.id).where(on_them))).scalars())
    files = await named_by(connection, studies, studies.c.job_id.in_(ids))
    files |= await named_by(connection, jobs, jobs.c.id.in_(ids))
    await connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    return ids, files
