"""What people have set for themselves, as one JSON object per person, by the id that their front end knows them by."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import preferences
from store.upsert import insert_into


async def preferences_of(connection: AsyncConnection, source: str, external_id: str) -> dict[str, Any]:
    """The person's settings; empty where nothing was set."""
    query = select(preferences.c.settings).where(
        preferences.c.source == source, preferences.c.external_id == external_id
    )
    return dict((await connection.execute(query)).scalar() or {})


async def set_preferences(connection: AsyncConnection, source: str, external_id: str, settings: dict[str, Any]) -> None:
    """Replace the person's settings."""
    added = insert_into(connection, preferences).values(source=source, external_id=external_id, settings=settings)
    await connection.execute(
        added.on_conflict_do_update(index_elements=["source", "external_id"], set_={"settings": settings})
    )
