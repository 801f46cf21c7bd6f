"""People: whoever has asked for something, by the id that their front end knows them by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import people
from store.upsert import insert_into

LOCAL = "terminal"  # the source of whoever sits at this machine


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person. `last_tag`: virtual time at which their queued work ends."""

    id: int
    source: str
    external_id: str
    name: str
    last_tag: float


async def find(connection: AsyncConnection, source: str, external_id: str) -> Person | None:
    """The person with this id at this front end, if they have ever asked for something."""
    query = select(people).where(people.c.source == source, people.c.external_id == external_id)
    row = (await connection.execute(query)).mappings().first()
    return Person(**row) if row else None


async def get(connection: AsyncConnection, person_id: int) -> Person:
    """The person with our own id."""
    return Person(**(await connection.execute(select(people).where(people.c.id == person_id))).mappings().one())


async def get_all(connection: AsyncConnection, ids: Collection[int]) -> dict[int, Person]:
    """The people with these ids of our own, by id."""
    found = await connection.execute(select(people).where(people.c.id.in_(ids)))
    return {row["id"]: Person(**row) for row in found.mappings()}


async def lock(connection: AsyncConnection, person_id: int) -> Person:
    """The person, who stays as they are until this transaction ends."""
    query = select(people).where(people.c.id == person_id).with_for_update()
    return Person(**(await connection.execute(query)).mappings().one())


async def remember(connection: AsyncConnection, source: str, external_id: str, name: str) -> Person:
    """The person, added if new, their name brought up to date; they stay so until this transaction ends."""
    values = {"source": source, "external_id": external_id, "name": name, "last_tag": 0.0}
    added = insert_into(connection, people).values(**values)
    known = added.on_conflict_do_update(index_elements=["source", "external_id"], set_={"name": name})
    return Person(**(await connection.execute(known.returning(*people.c))).mappings().one())


async def set_last_tag(connection: AsyncConnection, person_id: int, tag: float) -> None:
    """Note when, in virtual time, this person's queued work ends."""
    await connection.execute(update(people).where(people.c.id == person_id).values(last_tag=tag))
