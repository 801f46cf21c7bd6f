"""What a server's admins have set, as one JSON object per server."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import guild_settings


async def settings_of(connection: AsyncConnection, guild: str) -> dict[str, Any]:
    """The server's settings; empty where nothing was set."""
    query = select(guild_settings.c.settings).where(guild_settings.c.guild == guild)
    return dict((await connection.execute(query)).scalar() or {})


async def set_settings(connection: AsyncConnection, guild: str, settings: dict[str, Any]) -> None:
    """Replace the server's settings."""
    changed = await connection.execute(
        update(guild_settings).where(guild_settings.c.guild == guild).values(settings=settings)
    )
    if changed.rowcount == 0:
        await connection.execute(guild_settings.insert().values(guild=guild, settings=settings))
