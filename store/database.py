"""Opens the database, brings it to this program's version, and hands out transactions.

SQLite in WAL mode is the embedded default; PostgreSQL is reached by the same code. A transaction that
writes takes SQLite's write lock at its start (`BEGIN IMMEDIATE`), so that what it has read stays true
until it commits. Knows no table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.errors import DatabaseDamaged, DatabaseTooNew, DatabaseUnreachable, FolderUnusable, StoreError

BUSY_TIMEOUT = 30_000  # milliseconds that a transaction waits for another's lock
MIGRATIONS = Path(__file__).parent.parent / "migrations"
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT}")


Transaction = AsyncConnection  # what the functions of this package work in


class Database:
    """One database, by its SQLAlchemy URL (`sqlite+aiosqlite:///...` or `postgresql+...`)."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._engine: AsyncEngine = create_async_engine(self._url)
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _set_pragmas)
            event.listen(self._engine.sync_engine, "begin", _begin)

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    async def open(self) -> None:
        """Make the database where it is missing and migrate it to the newest version.

        Raises:
            StoreError: with the cause, as one sentence.
        """
        if self.is_sqlite and self._url.database not in {None, "", ":memory:"}:
            _make_folder(Path(str(self._url.database)).parent)
        async with self.writing() as connection:
            await connection.run_sync(_migrate)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """A transaction that writes; it commits at the end of the block, or rolls back on an error.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (DBAPIError, sqlite3.Error, OSError) as error:
            raise self._explained(error) from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads: it waits for no writer.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(reading=True)
                yield connection
        except (DBAPIError, sqlite3.Error, OSError) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> Exception:
        """What a person can do about it; programming mistakes stay what they are."""
        what = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        where = self._url.database if self.is_sqlite else self._url.render_as_string(hide_password=True)
        causes: tuple[tuple[str, type[StoreError], str], ...] = (
            ("not a database", DatabaseDamaged, "is not a database; restore it from a backup, or move it away"),
            ("malformed", DatabaseDamaged, "is damaged; restore it from a backup, or move it away"),
            ("disk i/o", DatabaseDamaged, "cannot be read from its disk"),
            ("readonly", FolderUnusable, "cannot be written to; check its permissions"),
            ("unable to open", FolderUnusable, "cannot be opened; check the folder and its permissions"),
            ("is full", FolderUnusable, "cannot grow: the disk is full"),
            ("locked", DatabaseUnreachable, "is held by another program; close that and try again"),
        )
        for sign, kind, sentence in causes:
            if sign in what.lower():
                return kind(f"The database {where} {sentence}.")
        if isinstance(error, OSError):
            return DatabaseUnreachable(f"The database {where} does not answer: {what}.")
        return error


def config_for(connection: Connection) -> Config:
    """Alembic's configuration for this program's migrations over an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    config = config_for(connection)
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"The database has version {current}, which this Darkroom does not know; run the newer one that wrote it."
        )
    command.upgrade(config, "head")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(f"The data folder {folder} cannot be made: {error.strerror or error}.") from error


def _set_pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
