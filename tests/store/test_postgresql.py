"""The same store on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection

from store import guilds, people
from store.database import Database, config_for
from store.errors import DatabaseUnreachable
from store.tables import metadata
from tests.postgresql import new_database


@pytest.fixture
async def database(postgresql: URL) -> AsyncIterator[Database]:
    database = Database(await new_database(postgresql))
    await asyncio.gather(*(database.open() for _ in range(3)))  # as several processes might
    yield database
    await database.close()


async def test_the_migrations_make_exactly_the_tables_and_go_down_and_up_again(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        opts = {"compare_type": True, "include_name": lambda name, _kind, _parents: name != "ix_turns_text"}
        return list(compare_metadata(MigrationContext.configure(connection, opts=opts), metadata))

    async with database.migrating() as connection:
        assert await connection.run_sync(differences) == []
        await connection.run_sync(lambda connection: command.downgrade(config_for(connection), "base"))
        await connection.run_sync(lambda connection: command.upgrade(config_for(connection), "head"))
        assert await connection.run_sync(differences) == []


async def test_people_who_come_twice_at_once_are_one_person(database: Database) -> None:
    async def come(name: str) -> int:
        async with database.writing() as connection:
            return (await people.remember(connection, "discord", "7", name)).id

    assert len(set(await asyncio.gather(*(come(f"Ann {n}") for n in range(10))))) == 1


async def test_settings_are_kept(database: Database) -> None:
    async with database.writing() as connection:
        await guilds.set_settings(connection, "g", {"a": 1})
        await guilds.set_settings(connection, "g", {"b": 2})
        assert await guilds.settings_of(connection, "g") == {"b": 2}


async def test_a_server_that_does_not_answer_is_said_not_to() -> None:
    database = Database("postgresql+asyncpg://someone:secret@127.0.0.1:1/darkroom")
    with pytest.raises(DatabaseUnreachable, match="does not answer") as caught:
        await database.open()
    assert "secret" not in str(caught.value)
