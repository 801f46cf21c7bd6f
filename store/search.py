"""Full-text search in what was said: FTS5 on SQLite, a tsvector on PostgreSQL, one function for both.

What is typed is only ever searched for, never read as the index's own query language.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, Select, column, func, literal_column, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.conversations import TurnRow, read_turns, turn_query
from store.tables import turns
from store.visibility import Viewer, turns_seen_by

MOST_WORDS = 32  # of a query; the rest is left out
_WORD = re.compile(r"[^\W_]+")
_INDEX = table("turns_text", column("rowid"), column("rank"))


async def find_turns(
    connection: AsyncConnection, words: str, viewer: Viewer, *, limit: int = 20, any_word: bool = False
) -> list[TurnRow]:
    """The turns with these words that the viewer may be told of, the best match first.

    Args:
        any_word: one of the words is enough; else all must be there.
    """
    wanted = list(dict.fromkeys(_WORD.findall(words.casefold())))[:MOST_WORDS]
    if not wanted:
        return []
    matching = _postgresql if connection.dialect.name == "postgresql" else _sqlite
    query = matching(turn_query(), wanted, any_word).where(turns_seen_by(viewer)).limit(limit)
    return await read_turns(connection, query)


async def forget_deleted_words(connection: AsyncConnection) -> None:
    """Merge the index into one piece: until then it only notes of a deleted turn's words that they are gone."""
    if connection.dialect.name == "sqlite":
        await connection.execute(text("INSERT INTO turns_text(turns_text) VALUES ('optimize')"))


def _sqlite(query: Select[Any], words: list[str], any_word: bool) -> Select[Any]:
    sought = (" OR " if any_word else " AND ").join(f'"{word}"' for word in words)
    matches = (
        select(_INDEX.c.rowid.label("turn"), _INDEX.c.rank.label("rank"))
        .where(text("turns_text MATCH :sought").bindparams(sought=sought))
        .subquery()
    )
    return query.join(matches, matches.c.turn == turns.c.id).order_by(matches.c.rank, turns.c.id.desc())


def _postgresql(query: Select[Any], words: list[str], any_word: bool) -> Select[Any]:
    simple: ColumnElement[Any] = literal_column("'simple'::regconfig")
    document = func.to_tsvector(simple, turns.c.said)
    sought = func.to_tsquery(simple, (" | " if any_word else " & ").join(f"'{word}'" for word in words))
    return query.where(document.op("@@")(sought)).order_by(func.ts_rank(document, sought).desc(), turns.c.id.desc())
