"""What admins have set: the queue's mode, who may have how much, and who may have nothing.

Each rule stands for one server, or (with no server, kept as an empty text) for everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import blocks, limits, queue_mode
from store.upsert import insert_into

OPEN, PAUSED, DRAINING = "open", "paused", "draining"
EVERYONE, ROLE, PERSON = "everyone", "role", "person"
EVERYWHERE = ""


@dataclass(frozen=True, kw_only=True)
class LimitRow:
    """A row of `limits`; None: not set."""

    guild: str
    kind: str
    subject: str
    waiting: int | None = None
    running: int | None = None
    steps: int | None = None
    side: int | None = None
    per_day: int | None = None
    weight: float | None = None


@dataclass(frozen=True, kw_only=True)
class Block:
    """Somebody who may ask for nothing."""

    guild: str
    source: str
    external_id: str
    reason: str
    created_at: float


def subject_of(source: str, external_id: str) -> str:
    """How `limits` names a person."""
    return f"{source}:{external_id}"


async def mode(connection: AsyncConnection) -> str:
    """Whether the queue is open, paused or draining."""
    return str((await connection.execute(select(queue_mode.c.mode))).scalar() or OPEN)


async def set_mode(connection: AsyncConnection, wanted: str) -> bool:
    """Change the mode. False: it is so already."""
    first = insert_into(connection, queue_mode).values(id=1, mode=OPEN)
    await connection.execute(first.on_conflict_do_nothing())
    changed = update(queue_mode).where(queue_mode.c.mode != wanted).values(mode=wanted)
    return bool((await connection.execute(changed)).rowcount)


async def limits_for(
    connection: AsyncConnection, guilds: Collection[str], roles: Collection[str], person: str
) -> list[LimitRow]:
    """The rows of these servers that speak of this person, one of their roles, or everyone."""
    named = or_(
        limits.c.kind == EVERYONE,
        and_(limits.c.kind == ROLE, limits.c.subject.in_(roles)),
        and_(limits.c.kind == PERSON, limits.c.subject == person),
    )
    query = select(limits).where(limits.c.guild.in_(guilds), named)
    return [LimitRow(**row) for row in (await connection.execute(query)).mappings()]


async def limits_of(connection: AsyncConnection, guild: str) -> list[LimitRow]:
    """All limits that are set for a server, or everywhere."""
    query = select(limits).where(limits.c.guild == guild).order_by(limits.c.kind, limits.c.subject)
    return [LimitRow(**row) for row in (await connection.execute(query)).mappings()]


async def set_limits(
    connection: AsyncConnection, guild: str, kind: str, subject: str, values: Mapping[str, float]
) -> None:
    """Set some of somebody's limits; the others stay."""
    added = insert_into(connection, limits).values(guild=guild, kind=kind, subject=subject, **values)
    known = added.on_conflict_do_update(index_elements=["guild", "kind", "subject"], set_=dict(values))
    await connection.execute(known)


async def clear_limits(connection: AsyncConnection, guild: str, kind: str, subject: str) -> bool:
    """Set none of somebody's limits any more. False: there were none."""
    gone = delete(limits).where(limits.c.guild == guild, limits.c.kind == kind, limits.c.subject == subject)
    return bool((await connection.execute(gone)).rowcount)


async def block_of(connection: AsyncConnection, guilds: Collection[str], source: str, external_id: str) -> Block | None:
    """What keeps this person from asking in any of these servers, if anything does."""
    query = select(blocks).where(
        blocks.c.guild.in_(guilds), blocks.c.source == source, blocks.c.external_id == external_id
    )
    row = (await connection.execute(query.order_by(blocks.c.guild))).mappings().first()
    return None if row is None else Block(**row)


async def block(connection: AsyncConnection, values: Block) -> bool:
    """Let a person ask for nothing any more. False: that is so already."""
    added = insert_into(connection, blocks).values(
        guild=values.guild,
        source=values.source,
        external_id=values.external_id,
        reason=values.reason,
        created_at=values.created_at,
    )
    return bool((await connection.execute(added.on_conflict_do_nothing())).rowcount)


async def unblock(connection: AsyncConnection, guild: str, source: str, external_id: str) -> bool:
    """Take a block back. False: there is none."""
    gone = delete(blocks).where(blocks.c.guild == guild, blocks.c.source == source, blocks.c.external_id == external_id)
    return bool((await connection.execute(gone)).rowcount)


async def blocks_of(connection: AsyncConnection, guild: str) -> list[Block]:
    """Everybody who is blocked in a server, or everywhere."""
    query = select(blocks).where(blocks.c.guild == guild).order_by(blocks.c.created_at)
    return [Block(**row) for row in (await connection.execute(query)).mappings()]
