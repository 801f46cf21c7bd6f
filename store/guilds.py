"""What a server's admins have set, as one JSON object per server."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import guild_settings
from store.upsert import insert_into


async def settings_of(connection: AsyncConnection, guild: str) -> dict[str, Any]:
    """The server's settings; empty where nothing was set."""
    query = select(guild_settings.c.settings).where(guild_settings.c.guild == guild)
    return dict((await connection.execute(query)).scalar() or {})


async def set_settings(connection: AsyncConnection, guild: str, settings: dict[str, Any]) -> None:
    """Replace the server's settings."""
    added = insert_into(connection, guild_settings).values(guild=guild, settings=settings)
    await connection.execute(added.on_conflict_do_update(index_elements=["guild"], set_={"settings": settings}))
