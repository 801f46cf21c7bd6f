"""Forgets a person, here or everywhere, by what each table declares; and hands out what is kept of them.

Knows no table by what it is for: a new table that declares its rule is forgotten too. Files are the caller's to
delete, once the rows are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, delete, false, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import conversations as talk
from store import studies
from store.kept_files import NamedFile, named_by, uses
from store.people import Person
from store.personal import FORGOTTEN, RULE, Along, Cleared, Deleted
from store.search import forget_deleted_words
from store.tables import conversations, jobs, metadata, pictures, runs, turns


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a person is to be forgotten: a server, or else one channel outside of any."""

    source: str
    guild: str | None
    channel: str


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What went."""

    rows: dict[str, int]  # by table
    files: tuple[NamedFile, ...]  # to which nothing refers any more


async def forget(connection: AsyncConnection, person: Person, place: Place | None) -> Forgotten:
    """Delete everything of a person, at one place or (None) everywhere.

    Darkroom's words that stand on their pictures or turns go too, whomever they were said to.
    """
    mine = {table: belonging(table, person, place) for table in reversed(metadata.sorted_tables)}
    files: set[NamedFile] = set()
    for table, rows in mine.items():
        if rows is not None:
            files |= await named_by(connection, table, rows)
    await _forget_answers(connection, person, place)
    files |= await _forget_studies(connection, person, place)
    counts = {}
    for table, rows in mine.items():  # what refers to others first
        rule = table.info.get(RULE)
        if rows is not None and isinstance(rule, Deleted):
            counts[table.name] = await _remove(connection, table, rule, person, rows)
    await talk.drop_empty(connection)
    await forget_deleted_words(connection)
    unused = [file for file in sorted(files) if not await uses(connection, file[0])]
    return Forgotten(rows={name: count for name, count in counts.items() if count}, files=tuple(unused))


async def rows_of(connection: AsyncConnection, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Every row that is kept of a person, by table."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in metadata.sorted_tables:
        rows = belonging(table, person, None)
        if rows is not None:
            result = await connection.execute(select(table).where(rows))
            if kept := [dict(row) for row in result.mappings()]:
                found[table.name] = kept
    return found


async def files_of(connection: AsyncConnection, person: Person) -> set[NamedFile]:
    """Every file that is kept of a person."""
    files: set[NamedFile] = set()
    for table in metadata.sorted_tables:
        rows = belonging(table, person, None)
        if rows is not None:
            files |= await named_by(connection, table, rows)
    return files


async def unended_of(connection: AsyncConnection, person: Person, place: Place | None) -> list[int]:
    """The person's jobs there that wait or run."""
    mine = belonging(jobs, person, place)
    assert mine is not None  # jobs are declared
    query = select(jobs.c.id).where(mine, jobs.c.ended_at.is_(None)).order_by(jobs.c.id)
    return list((await connection.execute(query)).scalars())


async def places_of(connection: AsyncConnection, person: Person, place: Place | None) -> list[dict[str, Any]]:
    """Where the answers to the person's jobs stand, as their front end noted it."""
    mine = belonging(jobs, person, place)
    assert mine is not None  # jobs are declared
    query = select(jobs.c.place).where(mine, jobs.c.place.is_not(None)).order_by(jobs.c.id)
    return list((await connection.execute(query)).scalars())


def belonging(table: Table, person: Person, place: Place | None) -> ColumnElement[bool] | None:
    """Which rows of a table are the person's, there or (None) anywhere. None: none can be."""
    rule = table.info.get(RULE)
    if isinstance(rule, Along):
        owner = metadata.tables[rule.table]
        theirs = belonging(owner, person, place)
        return None if theirs is None else table.c[rule.by].in_(select(owner.c.id).where(theirs))
    if not isinstance(rule, Deleted):
        return None
    mine = or_(false(), *(_naming(table.c[name], rule, person) for name in (*rule.by, *rule.external, *rule.named)))
    if place is None:
        return mine
    return None if rule.here is None else and_(mine, _is_at(table.c[rule.here], place))


def _naming(column: Column[Any], rule: Deleted, person: Person) -> ColumnElement[bool]:
    """Whether the column names the person."""
    if column.name in rule.by:
        return column == person.id
    if column.name in rule.named:
        return column == f"{person.source}:{person.external_id}"
    source = column.table.c.get("source")
    theirs = column == person.external_id
    return theirs if source is None else and_(theirs, source == person.source)


def _is_at(column: Column[Any], place: Place) -> ColumnElement[bool]:
    if column.name == "guild":
        return column == place.guild if place.guild is not None else false()
    there = select(conversations.c.id).where(conversations.c.source == place.source)
    if place.guild is not None:
        there = there.where(conversations.c.guild == place.guild)
    else:
        there = there.where(conversations.c.guild.is_(None), conversations.c.channel == place.channel)
    if column.name == "conversation_id":
        return column.in_(there)
    if column.name == "turn_id":
        return column.in_(select(turns.c.id).where(turns.c.conversation_id.in_(there)))
    raise ValueError(f"{column} does not say where a row belongs")


async def _remove(
    connection: AsyncConnection, table: Table, rule: Deleted, person: Person, rows: ColumnElement[bool]
) -> int:
    if not isinstance(rule, Cleared):
        return int((await connection.execute(delete(table).where(rows))).rowcount)
    names = (*rule.by, *rule.external, *rule.named)
    for name in names:  # one by one: the row may name somebody else in another
        values = dict.fromkeys((name, *rule.also.get(name, ())), FORGOTTEN)
        await connection.execute(update(table).where(rows, _naming(table.c[name], rule, person)).values(values))
    return 0


async def _forget_studies(connection: AsyncConnection, person: Person, place: Place | None) -> set[NamedFile]:
    """What others have made of their pictures again goes too."""
    mine = belonging(pictures, person, place)
    assert mine is not None  # they are declared
    return (await studies.remove_of(connection, select(pictures.c.id).where(mine)))[1]


async def _forget_answers(connection: AsyncConnection, person: Person, place: Place | None) -> None:
    said, asked = belonging(turns, person, place), belonging(jobs, person, place)
    assert said is not None and asked is not None  # both are declared
    shown = (
        select(pictures.c.id)
        .join(runs, runs.c.id == pictures.c.run_id)
        .where(runs.c.job_id.in_(select(jobs.c.id).where(asked)))
    )
    await talk.remove_standing_on(connection, turns_of=select(turns.c.id).where(said), pictures_of=shown)
