"""Which picture came from which: the family of a picture, as far as the viewer may know of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import pictures as kept
from store.pictures import PictureRow
from store.tables import pictures
from store.visibility import Viewer

MOST_PICTURES = 60  # of a family; the nearest by number to the one that was asked about


@dataclass(frozen=True, kw_only=True)
class Relative:
    """A picture's place in its family. `row` None: it is there, but not for this viewer's eyes."""

    id: int
    parent_id: int | None
    row: PictureRow | None


async def family_of(connection: AsyncConnection, picture_id: int, viewer: Viewer) -> list[Relative]:
    """The picture's ancestors and everything made from any of them, the oldest first; empty where it is not seen.

    A hidden picture is left out where nothing that is seen was made from it.
    """
    links = await _links(connection, await _oldest(connection, picture_id))
    rows = {row.id: row for row in await kept.seen(connection, viewer, ids=list(links), limit=len(links))}
    if picture_id not in rows:
        return []
    near = sorted(rows, key=lambda known: (abs(known - picture_id), known))[:MOST_PICTURES]
    shown = _with_ancestors(near, links)
    return [Relative(id=known, parent_id=links[known], row=rows.get(known)) for known in sorted(shown)]


def _with_ancestors(ids: Iterable[int], links: dict[int, int | None]) -> set[int]:
    shown: set[int] = set()
    for known in ids:
        current: int | None = known
        while current is not None and current not in shown:
            shown.add(current)
            current = links[current]
    return shown


async def _oldest(connection: AsyncConnection, picture_id: int) -> int:
    """The ancestor that has no parent."""
    up = select(pictures.c.id, pictures.c.parent_id).where(pictures.c.id == picture_id).cte("up", recursive=True)
    up = up.union(select(pictures.c.id, pictures.c.parent_id).where(pictures.c.id == up.c.parent_id))
    return int((await connection.execute(select(func.min(up.c.id)))).scalar() or picture_id)


async def _links(connection: AsyncConnection, oldest: int) -> dict[int, int | None]:
    """Everything that came of a picture, with each one's parent."""
    down = select(pictures.c.id).where(pictures.c.id == literal(oldest)).cte("down", recursive=True)
    down = down.union(select(pictures.c.id).where(pictures.c.parent_id == down.c.id))
    query = select(pictures.c.id, pictures.c.parent_id).where(pictures.c.id.in_(select(down.c.id)))
    return {row.id: row.parent_id if row.id != oldest else None for row in await connection.execute(query)}
