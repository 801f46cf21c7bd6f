"""The order of the waiting jobs is read from one index, on both databases, however many there are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, insert, text
from sqlalchemy.ext.asyncio import create_async_engine

from store import jobs, people
from store.database import Database, Transaction
from store.tables import WAITING_ONLY
from store.tables import jobs as jobs_table
from tests.postgresql import new_database
from tests.store.conftest import url_of

MANY = 3_000


@pytest.fixture(params=["sqlite", "postgresql"])
async def crowded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database in which many jobs wait, and twice as many are done."""
    if request.param == "sqlite":
        url = url_of(tmp_path / "darkroom.sqlite3")
    else:
        url = await new_database(request.getfixturevalue("postgresql"))
    database = Database(url)
    await database.open()
    async with database.writing() as connection:
        person = await people.remember(connection, "discord", "7", "Ann")
        shared = {"person_id": person.id, "request": {"model": "small", "prompt": "a fox " * 100}, "priority": 0}
        shared |= {
            "cost": 1.0,
            "attempt": 0,
            "deaths": 0,
            "created_at": 0.0,
            "model": "small",
            "place": {"channel": "1"},
        }
        rows = [{"state": "waiting", "tag": float(number * 7919 % MANY), **shared} for number in range(MANY)]
        rows += [{"state": "done", "tag": 0.0, "delivered_at": 1.0, **shared} for _ in range(2 * MANY)]
        for row in rows:
            row.setdefault("delivered_at", None)
        await connection.execute(insert(jobs_table), rows)
    # outside of a transaction, as PostgreSQL wants it
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE jobs"))
    await engine.dispose()
    yield database
    await database.close()


async def plan(connection: Transaction, query: Select[Any]) -> str:
    sql = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    if connection.dialect.name == "sqlite":
        return str((await connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))).all())
    return json.dumps((await connection.execute(text(f"EXPLAIN (FORMAT JSON) {sql}"))).scalar())


def sorts(found: str) -> bool:
    return "TEMP B-TREE" in found or '"Sort"' in found


async def test_the_next_job_and_the_undelivered_are_found_through_an_index(crowded: Database) -> None:
    async with crowded.reading() as connection:
        first = await plan(connection, jobs.first_waiting())
        assert "ix_jobs_line" in first and not sorts(first), first
        undelivered = await plan(connection, jobs.undelivered_query().limit(100))
        assert "ix_jobs_undelivered" in undelivered and not sorts(undelivered), undelivered


async def test_a_look_at_the_whole_line_reads_no_more_than_what_waits(crowded: Database) -> None:
    async with crowded.reading() as connection:
        found = await plan(connection, jobs.line_query(WAITING_ONLY))
        if crowded.is_sqlite:
            assert "COVERING INDEX ix_jobs_line" in found and not sorts(found), found
        else:  # which way is quicker depends on how much waits; PostgreSQL counts
            assert "Seq Scan" not in found, found
        line = await jobs.waiting_line(connection)
        assert len(line) == MANY and line == sorted(line)


async def test_the_undelivered_are_read_in_portions(crowded: Database) -> None:
    seen: list[int] = []
    async with crowded.reading() as connection:
        while portion := await jobs.undelivered(connection, seen[-1] if seen else 0, 1_000):
            assert len(portion) <= 1_000
            seen += [row.id for row in portion]
    assert len(seen) == MANY and seen == sorted(set(seen))
