"""A migrated store, alone or with a studio on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from generation.queue import Queue
from store.database import Database
from tests.generation.support import House
from tests.postgresql import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/darkroom.sqlite3"
    else:
        url = await new_database(request.getfixturevalue("postgresql"))
    database = Database(url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, most_waiting=1_000)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.open()
    yield house
    await house.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.studio.RETRY_PAUSE", 0.05)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change is seen at once, however long a look takes on a busy machine."""
    monkeypatch.setattr("generation.queue.LINE_COSTS", 1e9)
    monkeypatch.setattr("generation.studio.LOOKING_COSTS", 1e9)
