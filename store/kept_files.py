"""Which rows refer to which files: read off the columns that say they name files (`store.personal.File`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Column, ColumnElement, Table, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.personal import FILE, File
from store.tables import metadata

NamedFile = tuple[str, str]  # content hash and suffix


async def uses(connection: AsyncConnection, name: str) -> int:
    """How many rows of whatever table refer to the file with this content hash."""
    count = 0
    for _, value, _ in _naming():
        query = select(func.count()).where(value == name)
        count += int((await connection.execute(query)).scalar_one())
    return count


async def named_by(connection: AsyncConnection, table: Table, rows: ColumnElement[bool]) -> set[NamedFile]:
    """The files that these rows of a table refer to."""
    found: set[NamedFile] = set()
    for column, value, suffix in _naming():
        if column.table is table:
            names = await connection.execute(select(value, suffix).where(rows, value.is_not(None)))
            found |= {(str(name), str(ending)) for name, ending in names}
    return found


def _naming() -> Iterator[tuple[Column[Any], ColumnElement[Any], ColumnElement[Any]]]:
    """Each column that names files, with how to read the hash and the suffix from it."""
    for table in metadata.tables.values():
        for column in table.columns:
            for file in cast(tuple[File, ...], column.info.get(FILE, ())):
                value: ColumnElement[Any] = column if file.key is None else column[file.key].as_string()
                suffix = literal(file.suffix) if file.suffix_column is None else table.c[file.suffix_column]
                yield column, value, suffix
