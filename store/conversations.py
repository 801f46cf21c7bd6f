"""Conversations and their turns."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import conversations, turns


async def remember(connection: AsyncConnection, source: str, channel: str, guild: str | None) -> int:
    """The id of the conversation in this channel, begun if there is none yet."""
    query = select(conversations.c.id).where(conversations.c.source == source, conversations.c.channel == channel)
    found = (await connection.execute(query)).scalar()
    if found is None:
        begin = conversations.insert().values(source=source, channel=channel, guild=guild)
        found = (await connection.execute(begin.returning(conversations.c.id))).scalar_one()
    return int(found)


async def add_turn(
    connection: AsyncConnection,
    conversation_id: int,
    *,
    person_id: int | None,
    said: str,
    message: str | None,
    now: float,
) -> int:
    """Append what a person (None: Darkroom) said, and return the turn's id."""
    values = {"person_id": person_id, "said": said, "message": message, "created_at": now}
    added = await connection.execute(
        turns.insert().values(conversation_id=conversation_id, **values).returning(turns.c.id)
    )
    return int(added.scalar_one())
