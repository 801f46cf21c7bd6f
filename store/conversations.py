"""Conversations and their turns."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import conversations, turns
from store.upsert import insert_into


async def remember(connection: AsyncConnection, source: str, channel: str, guild: str | None) -> int:
    """The id of the conversation in this channel, begun if there is none yet."""
    begun = insert_into(connection, conversations).values(source=source, channel=channel, guild=guild)
    known = begun.on_conflict_do_update(index_elements=["source", "channel"], set_={"guild": guild})
    return int((await connection.execute(known.returning(conversations.c.id))).scalar_one())


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
