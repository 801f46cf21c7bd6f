"""Opens the database, brings it to this program's version, and hands out transactions.

SQLite in WAL mode is the embedded default; PostgreSQL is reached by the same code. A transaction that
writes takes SQLite's write lock at its start (`BEGIN IMMEDIATE`), so that what it has read stays true
until it commits. Knows no table.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.errors import DatabaseDamaged, DatabaseTooNew, DatabaseUnreachable, FolderUnusable, StoreError

BUSY_TIMEOUT = 30_000  # milliseconds that a transaction waits for another's lock
MIGRATIONS = Path(__file__).parent.parent / "migrations"
WAL_PAUSE = 0.05  # seconds between attempts to switch to WAL
# secure_delete: what is deleted is overwritten, not only given free
PRAGMAS = (f"busy_timeout={BUSY_TIMEOUT}", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON")
# SQLite changes some tables by making them anew, which would take with it whatever refers to them
MIGRATING = (*PRAGMAS, "foreign_keys=OFF")
MIGRATION_LOCK = 0x4461726B  # of PostgreSQL's advisory locks; any number that nobody else uses

Transaction = AsyncConnection  # what the functions of this package work in


class Database:
    """One database, by its SQLAlchemy URL (`sqlite+aiosqlite:///...` or `postgresql+...`)."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._engine = _engine(self._url, PRAGMAS)
        self._turn = asyncio.Lock()  # of this process's writers, who would else poll for SQLite's one lock

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    async def open(self) -> None:
        """Make the database where it is missing and migrate it to the newest version.

        Raises:
            StoreError: with the cause, as one sentence.
        """
        if self.is_sqlite and self._url.database not in {None, "", ":memory:"}:
            path = Path(str(self._url.database))
            await asyncio.to_thread(_make_folder, path.parent)
            with self._explaining():
                await asyncio.to_thread(_switch_to_wal, path)
        async with self.migrating() as connection:
            await connection.run_sync(_migrate)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """A transaction that writes; it commits at the end of the block, or rolls back on an error.

        On SQLite one runs at a time, so the block must not ask for another.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._explaining():
            async with self._turn if self.is_sqlite else nullcontext(), self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads: it waits for no writer.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._explaining():
            async with self._engine.connect() as connection:
                await connection.execution_options(reading=True)
                yield connection

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Transaction]:
        """A transaction that changes tables, over a connection of its own: nothing is deleted along with a table.

        Raises:
            StoreError: the database cannot be used.
        """
        engine = _engine(self._url, MIGRATING)
        try:
            with self._explaining():
                async with engine.begin() as connection:
                    yield connection
        finally:
            await engine.dispose()

    async def scrub(self) -> None:
        """Leave nothing of deleted rows in the database's files: neither in free space nor in the log of changes.

        On PostgreSQL the space is given free to be overwritten; its own write-ahead log is its administrator's.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._explaining():
            if self.is_sqlite:
                async with self._turn:
                    await asyncio.to_thread(_rewrite, Path(str(self._url.database)))
                return
            async with self._engine.connect() as connection:
                await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("VACUUM")

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, NoConnectionFree, sqlite3.Error, OSError) as error:
            explained = self._explained(error)
            if explained is None:
                raise
            raise explained from error

    def _explained(self, error: Exception) -> StoreError | None:
        """What a person can do about it; None: it is a programming mistake."""
        what = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        where = self._url.database if self.is_sqlite else self._url.render_as_string(hide_password=True)
        causes: tuple[tuple[str, type[StoreError], str], ...] = (
            ("not a database", DatabaseDamaged, "is not a database; restore it from a backup, or move it away"),
            ("malformed", DatabaseDamaged, "is damaged; restore it from a backup, or move it away"),
            ("disk i/o", FolderUnusable, "cannot be read or written: its disk is full or fails"),
            ("readonly", FolderUnusable, "cannot be written to; check its permissions"),
            ("unable to open", FolderUnusable, "cannot be opened; check the folder and its permissions"),
            ("is full", FolderUnusable, "cannot grow: the disk is full"),
            ("locked", DatabaseUnreachable, "is held by another program; close that and try again"),
        )
        for sign, kind, sentence in causes:
            if sign in what.lower():
                return kind(f"The database {where} {sentence}.")
        if isinstance(error, NoConnectionFree):
            return DatabaseUnreachable(f"The database {where} is too busy; try again in a minute.")
        if isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
            return DatabaseUnreachable(f"The database {where} does not answer: {what}.")
        return None


def config_for(connection: Connection) -> Config:
    """Alembic's configuration for this program's migrations over an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    config = config_for(connection)
    script = ScriptDirectory.from_config(config)
    if connection.dialect.name == "postgresql":  # SQLite's own lock is held already
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
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


def _switch_to_wal(path: Path) -> None:
    """Let readers and the writer not wait for each other. The file keeps this, so it is done once.

    While somebody else makes the switch, SQLite refuses at once instead of waiting.
    """
    give_up = time.monotonic() + BUSY_TIMEOUT / 1_000
    with closing(sqlite3.connect(path)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > give_up:
                    raise
            time.sleep(WAL_PAUSE)


def _rewrite(path: Path) -> None:
    """Write the database anew without its gaps, and empty the write-ahead log, which holds pages as they were."""
    give_up = time.monotonic() + BUSY_TIMEOUT / 1_000
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("VACUUM")
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # 1: somebody still reads
            if time.monotonic() > give_up:
                raise sqlite3.OperationalError("database is locked")
            time.sleep(WAL_PAUSE)


def _engine(url: URL, pragmas: tuple[str, ...]) -> AsyncEngine:
    engine = create_async_engine(url)
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", partial(_set_pragmas, pragmas))
        event.listen(engine.sync_engine, "begin", _begin)
        event.listen(engine.sync_engine, "invalidate", _roll_back)
    return engine


def _set_pragmas(pragmas: tuple[str, ...], connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _roll_back(connection: Any, _record: object, _error: object) -> None:
    """End the transaction of a connection that is thrown away since its task was cancelled.

    SQLite keeps a closed connection, with all its locks, until the last cursor of it is gone, and the cancelled
    task's traceback may hold one for long.
    """
    connection.run_async(lambda driver: asyncio.shield(driver.rollback()))
