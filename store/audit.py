"""The audit log: every act of an admin, written in the transaction that does it. Nothing in it is changed later."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import audit

SUBJECT_LIMIT = 120  # characters, as in the table


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One act. `created_at`: seconds since 1970."""

    id: int
    created_at: float
    guild: str
    actor: str
    actor_name: str
    act: str
    subject: str
    detail: str


async def add(
    connection: AsyncConnection,
    *,
    now: float,
    guild: str,
    actor: str,
    actor_name: str,
    act: str,
    subject: str = "",
    detail: str = "",
) -> None:
    """Note an act."""
    await connection.execute(
        audit.insert().values(
            created_at=now,
            guild=guild,
            actor=actor,
            actor_name=actor_name,
            act=act,
            subject=subject[:SUBJECT_LIMIT],
            detail=detail,
        )
    )


async def newest(connection: AsyncConnection, *, guild: str | None, most: int, skip: int = 0) -> list[Entry]:
    """The newest acts in one server or (None) everywhere, the newest first, after the first `skip` of them."""
    query = select(audit).order_by(audit.c.id.desc()).limit(most).offset(skip)
    if guild is not None:
        query = query.where(audit.c.guild == guild)
    return [Entry(**row) for row in (await connection.execute(query)).mappings()]
