"""Each migration goes up and down, and together they make exactly the tables."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from store import jobs, pictures, schema
from store.database import MIGRATIONS, Database, config_for
from store.errors import DatabaseDamaged, DatabaseTooNew
from store.tables import metadata
from tests.store.conftest import url_of

REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
OPEN = "import asyncio, sys; from store.database import Database; asyncio.run(Database(sys.argv[1]).open())"


def move(step: Callable[..., None], revision: str) -> Callable[[Connection], None]:
    return lambda connection: step(config_for(connection), revision)


def differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True, "include_name": is_ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """SQLite keeps the full-text index in tables of its own."""
    return kind != "table" or name is None or not name.startswith("turns_text")


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def overwrite(path: Path) -> None:
    """All pages but the first."""
    content = path.read_bytes()
    path.write_bytes(content[:4096].ljust(len(content), b"\x5a"))


def damaged(path: Path, content: bytes) -> Database:
    path.parent.mkdir()
    path.write_bytes(content)
    return Database(url_of(path))


async def test_the_migrations_make_exactly_the_tables(database: Database) -> None:
    async with database.writing() as connection:
        assert await connection.run_sync(differences) == []


async def test_all_migrations_go_down_and_up_again(database: Database) -> None:
    async with database.migrating() as connection:
        await connection.run_sync(move(command.downgrade, "base"))
        assert await connection.run_sync(tables) == {"alembic_version"}
    async with database.migrating() as connection:
        await connection.run_sync(move(command.upgrade, "head"))
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("revision", REVISIONS)
async def test_each_migration_goes_up_down_and_up(database: Database, revision: str) -> None:
    async with database.migrating() as connection:
        await connection.run_sync(move(command.downgrade, "base"))
        await connection.run_sync(move(command.upgrade, revision))
        await connection.run_sync(move(command.downgrade, "-1"))
        await connection.run_sync(move(command.upgrade, "+1"))
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar() == revision


async def test_opening_a_database_of_the_first_version_keeps_every_row(path: Path, database: Database) -> None:
    async with database.migrating() as connection:
        await connection.run_sync(move(command.downgrade, "0001"))
    await database.close()
    with sqlite3.connect(path) as old:
        old.executescript(
            """
            INSERT INTO people (id, source, external_id, name, last_tag) VALUES (1, 'discord', '7', 'Ann', 3.5);
            INSERT INTO jobs (id, person_id, request, place, state, priority, tag, cost, attempt, deaths, created_at)
            VALUES (1, 1, '{"prompt": "a fox"}', '{"channel": "c"}', 'done', 0, 2.5, 1.0, 1, 0, 1.0),
                   (2, 1, '{"prompt": "a cat"}', 'null', 'waiting', 0, 3.5, 1.0, 0, 0, 2.0);
            INSERT INTO runs (id, job_id, facts, created_at) VALUES (1, 1, '{"seed": 7}', 3.0);
            INSERT INTO pictures (id, run_id, person_id, content, suffix, created_at)
            VALUES (1, 1, 1, 'abc', '.png', 3.0);
            """
        )
    old.close()
    await database.open()
    async with database.reading() as connection:
        done, waiting = await jobs.get(connection, 1), await jobs.get(connection, 2)
        picture = await pictures.get(connection, 1)
        assert done is not None and (done.tag, done.entered, done.place) == (2.5, 2.5, {"channel": "c"})
        assert waiting is not None and waiting.place is None
        assert [row.id for row in await jobs.undelivered(connection)] == [1], "nobody waits for a job without a place"
        assert picture is not None and picture.facts == {"seed": 7}
        assert (await connection.execute(text("PRAGMA foreign_key_check"))).all() == []


async def test_going_back_a_version_keeps_what_refers_to_a_table_that_is_made_anew(database: Database) -> None:
    """SQLite makes `jobs` anew for it, which must not take the turns' jobs and their runs along."""
    await database.close()
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO people VALUES (1, 'discord', '7', 'Ann', 0)"))
        await connection.execute(
            text(
                "INSERT INTO jobs (id, person_id, request, state, priority, tag, cost, attempt, deaths, created_at)"
                " VALUES (1, 1, '{}', 'done', 0, 0, 1, 1, 0, 1)"
            )
        )
        await connection.execute(text("INSERT INTO runs (id, job_id, facts, created_at) VALUES (1, 1, '{}', 1)"))
    async with database.migrating() as connection:
        await connection.run_sync(move(command.downgrade, "0001"))
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM runs"))).scalar() == 1


async def test_many_openers_at_once_migrate_a_new_database_once(path: Path) -> None:
    databases = [Database(url_of(path)) for _ in range(8)]
    await asyncio.gather(*(database.open() for database in databases))
    for database in databases:
        await database.close()
    assert (await schema.schema_version(url_of(path))).is_newest


async def test_processes_that_open_a_new_database_at_once_all_succeed(path: Path) -> None:
    command_line = [sys.executable, "-c", OPEN, url_of(path)]
    openers = [await asyncio.create_subprocess_exec(*command_line, stderr=asyncio.subprocess.PIPE) for _ in range(3)]
    for opener in openers:
        _, said = await opener.communicate()
        assert opener.returncode == 0, said.decode()
    assert (await schema.schema_version(url_of(path))).is_newest


async def test_a_database_that_a_later_darkroom_wrote_is_left_alone(path: Path, database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    later = Database(url_of(path))
    with pytest.raises(DatabaseTooNew, match=r"version 9999.*run the newer one"):
        await later.open()
    await later.close()
    assert (await schema.schema_version(url_of(path))).current == "9999"


@pytest.mark.parametrize("content", [b"once upon a time " * 500, b"SQLite format 3\0" + b"\xff" * 5_000])
async def test_a_damaged_file_is_named_and_left_as_it_is(path: Path, content: bytes) -> None:
    database = await asyncio.to_thread(damaged, path, content)
    with pytest.raises(DatabaseDamaged, match=r"darkroom\.sqlite3"):
        await database.open()
    await database.close()
    assert await asyncio.to_thread(path.read_bytes) == content


async def test_a_database_whose_pages_are_overwritten_is_called_damaged(path: Path, database: Database) -> None:
    await database.close()
    await asyncio.to_thread(overwrite, path)
    with pytest.raises(DatabaseDamaged, match="is damaged; restore it from a backup"):
        await database.open()
