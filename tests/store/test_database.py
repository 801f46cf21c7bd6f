"""Transactions: what they keep, what they wait for, and what they say when they cannot."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from store import guilds, jobs, people
from store.database import BUSY_TIMEOUT, Database
from store.errors import DatabaseUnreachable, FolderUnusable
from store.tables import jobs as jobs_table
from tests.store.conftest import make_readonly, url_of


async def test_every_connection_has_the_settings_that_the_store_relies_on(database: Database) -> None:
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": BUSY_TIMEOUT}

    async def settings() -> dict[str, object]:
        async with database.reading() as connection:
            await asyncio.sleep(0.05)  # so that each has a connection of its own
            return {name: (await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in wanted}

    assert await asyncio.gather(*(settings() for _ in range(8))) == [wanted] * 8


async def test_an_error_in_the_block_takes_back_everything_in_it(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.writing() as connection:
            await people.remember(connection, "discord", "1", "Ann")
            1 / 0  # noqa: B018  # any error will do
    async with database.reading() as connection:
        assert await people.find(connection, "discord", "1") is None


async def test_a_mistake_of_ours_keeps_its_own_error(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO runs (id, job_id, facts, created_at) VALUES (1, 77, '{}', 0)"))


async def test_a_reader_waits_for_no_writer_and_sees_what_was_committed(database: Database) -> None:
    async with database.writing() as writer:
        await people.remember(writer, "discord", "1", "Ann")
        async with database.reading() as reader:
            assert await people.find(reader, "discord", "1") is None


async def test_a_transaction_waits_while_another_program_holds_the_database(path: Path, database: Database) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
    before = time.monotonic()
    async with database.writing() as connection:
        await people.remember(connection, "discord", "1", "Ann")
    assert time.monotonic() - before > 0.3, "it did not wait at all"
    other.close()


async def test_a_database_that_is_held_for_too_long_is_said_to_be_held(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database.PRAGMAS", ("busy_timeout=50",))
    database = Database(url_of(path))
    await database.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnreachable, match="is held by another program"):
        async with database.writing():
            pass
    other.close()
    async with database.writing() as connection:
        await people.remember(connection, "discord", "1", "Ann")
    await database.close()


async def test_hundreds_of_writers_at_once_all_get_their_turn(database: Database) -> None:
    async def count() -> None:
        async with database.writing() as connection:
            held = await guilds.settings_of(connection, "g")
            await guilds.set_settings(connection, "g", {"count": held.get("count", 0) + 1})

    await asyncio.gather(*(count() for _ in range(300)))
    async with database.reading() as connection:
        assert await guilds.settings_of(connection, "g") == {"count": 300}


async def test_a_cancelled_task_leaves_the_database_to_the_others(database: Database) -> None:
    chance = random.Random(7)

    async def write(name: str) -> None:
        async with database.writing() as connection:
            await people.remember(connection, "discord", name, name)

    cancelled = []  # kept, as whoever started them may
    for n in range(100):
        task = asyncio.create_task(write(str(n)))
        await asyncio.sleep(chance.random() * 0.004)
        task.cancel()
        cancelled.append(task)
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(10):
            await write("other")
    assert sum(task.cancelled() for task in cancelled) > 0
    gc.collect()  # a connection that was lost would complain now


@pytest.mark.parametrize("folder", ["a file/data", "/proc/darkroom"])
async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "a file").write_text("not a folder")
    database = Database(url_of(tmp_path / folder / "darkroom.sqlite3"))
    with pytest.raises(FolderUnusable, match=r"^The data folder .* cannot be made: .*\.$"):
        await database.open()
    await database.close()


async def test_a_folder_where_the_database_should_be_is_named(path: Path) -> None:
    await asyncio.to_thread(path.mkdir, parents=True)
    database = Database(url_of(path))
    with pytest.raises(FolderUnusable, match=r"darkroom\.sqlite3 cannot be opened"):
        await database.open()
    await database.close()


async def test_a_database_on_a_read_only_disk_says_so(small_disk: Path) -> None:
    url = url_of(small_disk / "darkroom.sqlite3")
    database = Database(url)
    await database.open()
    await database.close()
    await asyncio.to_thread(make_readonly, small_disk)
    database = Database(url)
    with pytest.raises(FolderUnusable, match=r"darkroom\.sqlite3 cannot be (opened|written to); check"):
        await database.open()
    await database.close()


async def test_a_database_on_a_full_disk_says_so_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    database = Database(url_of(small_disk / "darkroom.sqlite3"))
    await database.open()
    filler = small_disk / "filler"
    with contextlib.suppress(OSError):
        await asyncio.to_thread(filler.write_bytes, bytes(1_000_000))
    with pytest.raises(FolderUnusable, match="disk is full"):
        async with database.writing() as connection:
            await guilds.set_settings(connection, "g", {"large": "x" * 200_000})
    await asyncio.to_thread(filler.unlink)
    async with database.writing() as connection:
        await guilds.set_settings(connection, "g", {"small": 1})
    async with database.reading() as connection:
        assert await guilds.settings_of(connection, "g") == {"small": 1}
    await database.close()


async def test_a_full_database_says_that_the_disk_is_full(database: Database) -> None:
    with pytest.raises(FolderUnusable, match="the disk is full"):
        async with database.writing() as connection:
            pages = (await connection.execute(text("PRAGMA page_count"))).scalar()
            await connection.execute(text(f"PRAGMA max_page_count={pages}"))
            await guilds.set_settings(connection, "g", {"large": "x" * 100_000})


def test_the_claim_skips_what_others_are_claiming_where_the_database_can() -> None:
    first = jobs.first_waiting()
    assert str(first.compile(dialect=postgresql.dialect())).endswith("FOR UPDATE OF jobs SKIP LOCKED")
    assert "FOR UPDATE" not in str(first.compile(dialect=sqlite.dialect()))


async def test_an_absent_place_is_stored_as_nothing(database: Database) -> None:
    async with database.writing() as connection:
        person = await people.remember(connection, "terminal", "me", "Me")
        values = {"person_id": person.id, "request": {}, "place": None, "tag": 0.0, "cost": 1.0, "created_at": 0.0}
        row = await jobs.add(connection, values)
        stored = await connection.execute(jobs_table.select().where(jobs_table.c.place.is_(None)))
        assert [job.id for job in stored] == [row.id]
        assert await jobs.undelivered(connection) == []


async def test_what_runs_next_and_what_is_undelivered_are_found_through_an_index(database: Database) -> None:
    queries = {
        "ix_jobs_line": jobs.first_waiting(),
        "ix_jobs_undelivered": jobs.undelivered_query(),
    }
    async with database.reading() as connection:
        for index, query in queries.items():
            sql = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
            plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))).all()
            assert index in str(plan) and "TEMP B-TREE" not in str(plan)


async def test_settings_of_a_server_are_replaced_as_a_whole(database: Database) -> None:
    async with database.writing() as connection:
        assert await guilds.settings_of(connection, "g") == {}
        await guilds.set_settings(connection, "g", {"a": 1})
        await guilds.set_settings(connection, "g", {"b": 2})
        assert await guilds.settings_of(connection, "g") == {"b": 2}
