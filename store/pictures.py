"""Pictures that people have, and the runs that made them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import conversations, kept_files
from store.kept_files import NamedFile
from store.tables import UNDECODED, jobs, pictures, runs, turns
from store.visibility import Viewer, is_own, pictures_seen_by


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
    method: str | None
    private: bool
    facts: dict[str, Any]
    trajectory: str | None
    frames: str | None = None  # content hash of those of its steps that are decoded
    untouched: str | None = None  # content hash of what diffusion made, where it was touched up since


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
    parent_id: int | None = None,
    method: str | None = None,
    private: bool = False,
    untouched: str | None = None,
) -> PictureRow:
    """Record a run and its picture. A parent that is gone by now is none."""
    run = await connection.execute(
        runs.insert().values(job_id=job_id, facts=facts, trajectory=trajectory, created_at=now).returning(runs.c.id)
    )
    parent = select(pictures.c.id).where(pictures.c.id == parent_id).scalar_subquery()
    values = {"person_id": person_id, "content": content, "suffix": suffix, "created_at": now, "untouched": untouched}
    picture = await connection.execute(
        pictures.insert()
        .values(run_id=run.scalar_one(), parent_id=parent, method=method, private=private, **values)
        .returning(pictures.c.id)
    )
    row = await get(connection, picture.scalar_one())
    assert row is not None
    return row


async def get(connection: AsyncConnection, picture_id: int) -> PictureRow | None:
    """The picture, unless it was deleted."""
    return await _one(connection, _joined().where(pictures.c.id == picture_id))


async def get_seen(connection: AsyncConnection, picture_id: int, viewer: Viewer) -> PictureRow | None:
    """The picture, if it is there and the viewer may be told of it."""
    return await _one(connection, _joined().where(pictures.c.id == picture_id, pictures_seen_by(viewer)))


async def seen(
    connection: AsyncConnection,
    viewer: Viewer,
    *,
    ids: Sequence[int] | None = None,
    own: bool = False,
    limit: int,
) -> list[PictureRow]:
    """The pictures that the viewer may be told of, the newest first; of these ids only, or of their own only."""
    query = _joined().where(pictures_seen_by(viewer)).order_by(pictures.c.id.desc()).limit(limit)
    if ids is not None:
        query = query.where(pictures.c.id.in_(ids))
    if own:
        query = query.where(is_own(viewer))
    return [PictureRow(**row) for row in (await connection.execute(query)).mappings()]


async def asked_in(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    """By picture, the turn that asked for it, where that is still there."""
    query = (
        select(pictures.c.id, jobs.c.turn_id)
        .join(runs, runs.c.id == pictures.c.run_id)
        .join(jobs, jobs.c.id == runs.c.job_id)
        .where(pictures.c.id.in_(ids), jobs.c.turn_id.is_not(None))
    )
    return {row.id: row.turn_id for row in await connection.execute(query)}


async def of_turn(connection: AsyncConnection, turn_id: int) -> PictureRow | None:
    """The picture that a turn asked for, unless it was deleted."""
    asked = _joined().join(jobs, jobs.c.id == runs.c.job_id).where(jobs.c.turn_id == turn_id)
    return await _one(connection, asked.order_by(pictures.c.id.desc()))


async def of_job(connection: AsyncConnection, job_id: int) -> PictureRow | None:
    """The picture that a job made, unless it was deleted."""
    return await _one(connection, _joined().where(runs.c.job_id == job_id).order_by(pictures.c.id.desc()))


async def newest_of(connection: AsyncConnection, person_id: int) -> PictureRow | None:
    """The picture that a person got last."""
    return await _one(connection, _joined().where(pictures.c.person_id == person_id).order_by(pictures.c.id.desc()))


async def remove(connection: AsyncConnection, row: PictureRow) -> None:
    """Delete the picture, its run, its job, the turn that asked for it and what Darkroom said of it.

    The files are the caller's to delete, if `uses` says that nobody needs them.
    """
    turn = select(jobs.c.turn_id).where(jobs.c.id == row.job_id)
    turn_id = (await connection.execute(turn)).scalar()
    await conversations.remove_standing_on(
        connection,
        turns_of=select(turns.c.id).where(turns.c.id == turn_id),
        pictures_of=select(pictures.c.id).where(pictures.c.id == row.id),
    )
    await connection.execute(delete(jobs).where(jobs.c.id == row.job_id))  # takes run and picture with it
    await connection.execute(delete(turns).where(turns.c.id == turn_id))


async def touch_up(
    connection: AsyncConnection, row: PictureRow, *, content: str, untouched: str | None, facts: Mapping[str, Any]
) -> PictureRow:
    """Give the picture other content after its run; `untouched` is what diffusion made."""
    changed = update(pictures).where(pictures.c.id == row.id).values(content=content, untouched=untouched)
    await connection.execute(changed)
    await connection.execute(update(runs).where(runs.c.id == row.run_id).values(facts=facts))
    after = await get(connection, row.id)
    assert after is not None
    return after


async def newest_undecoded(
    connection: AsyncConnection, models: Collection[str], but_not: Collection[int]
) -> PictureRow | None:
    """The newest picture of these models whose steps are kept but none decoded, and which is none of `but_not`."""
    undecoded = _joined().join(jobs, jobs.c.id == runs.c.job_id).where(UNDECODED)
    query = undecoded.where(jobs.c.model.in_(models), pictures.c.id.not_in(but_not))
    return await _one(connection, query.order_by(runs.c.id.desc()))


async def keep_frames(connection: AsyncConnection, row: PictureRow, frames: str) -> bool:
    """Note the file with decoded steps of the picture's run. False: the run or its steps are gone."""
    run = update(runs).where(runs.c.id == row.run_id, runs.c.trajectory == row.trajectory)
    return bool((await connection.execute(run.values(frames=frames))).rowcount)


async def drop_steps(connection: AsyncConnection, older_than: float, most: int) -> tuple[int, set[NamedFile]]:
    """Forget the steps of at most so many runs from before a time; how many had any, and the files of them."""
    old = select(runs.c.id).where(runs.c.trajectory.is_not(None), runs.c.created_at < older_than)
    ids = list((await connection.execute(old.order_by(runs.c.id).limit(most))).scalars())
    files = await kept_files.named_by(connection, runs, runs.c.id.in_(ids))
    await connection.execute(update(runs).where(runs.c.id.in_(ids)).values(trajectory=None, frames=None))
    return len(ids), files


async def uses(connection: AsyncConnection, name: str) -> int:
    """How many rows refer to the file with this content hash, as a picture, as steps or to begin with."""
    return await kept_files.uses(connection, name)


def _joined() -> Select[Any]:
    run = (runs.c.job_id, runs.c.facts, runs.c.trajectory, runs.c.frames)
    return select(pictures, *run).join(runs, runs.c.id == pictures.c.run_id)


async def _one(connection: AsyncConnection, query: Select[Any]) -> PictureRow | None:
    row = (await connection.execute(query.limit(1))).mappings().first()
    return PictureRow(**row) if row else None
