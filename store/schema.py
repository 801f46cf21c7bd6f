"""Which version a database has, asked without changing it. Opening and migrating is `store.database`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InvalidRequestError, NoSuchModuleError

from store.database import MIGRATIONS, Database
from store.errors import DatabaseUnreachable


class SchemaVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version of a database beside what this program knows."""

    current: str | None  # None: no database there yet, or one without tables of ours
    newest: str
    known: frozenset[str]

    @property
    def is_newest(self) -> bool:
        return self.current == self.newest

    @property
    def is_too_new(self) -> bool:
        """A later Darkroom has written it."""
        return self.current is not None and self.current not in self.known


async def schema_version(url: str) -> SchemaVersion:
    """The version of the database at `url`; a missing SQLite file stays missing.

    Raises:
        StoreError: there is something, but it cannot be read; or the address does not work.
    """
    try:
        parsed = make_url(url)
        database = Database(url)
    except (ArgumentError, InvalidRequestError, NoSuchModuleError, ImportError) as error:
        raise DatabaseUnreachable(f"The address of the database does not work: {error}") from error
    try:
        # connecting to a missing file would make it
        if database.is_sqlite and not await asyncio.to_thread(Path(parsed.database or "").exists):
            return _known(None)
        async with database.reading() as connection:
            return _known(await connection.run_sync(_current))
    finally:
        await database.close()


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known(current: str | None) -> SchemaVersion:
    script = ScriptDirectory(str(MIGRATIONS))
    return SchemaVersion(
        current=current,
        newest=str(script.get_current_head()),
        known=frozenset(revision.revision for revision in script.walk_revisions()),
    )
