"""Conversations and their turns: who said what, to whom, about which picture, and on what it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import conversations, evidence, jobs, people, turns
from store.upsert import insert_into
from store.visibility import Viewer, turns_seen_by

OFFER = "offer"  # the kind of evidence that says which experiment an answer offered
ABOUT = "about"  # the kind of evidence that says which picture a person's turn points at


@dataclass(frozen=True, kw_only=True)
class EvidenceRow:
    """One thing that a turn stands on; see `store.tables`."""

    kind: str
    ref: str
    quote: str
    picture_id: int | None = None
    heard_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class TurnRow:
    """A turn with its speaker's name. `person_id` None: Darkroom spoke, to `to_id`."""

    id: int
    conversation_id: int
    person_id: int | None
    to_id: int | None
    name: str | None
    said: str
    message: str | None
    intent: str | None
    reply_to: int | None
    private: bool
    created_at: float
    edited_at: float | None


async def remember(connection: AsyncConnection, source: str, channel: str, guild: str | None) -> int:
    """The id of the conversation in this channel, begun if there is none yet."""
    begun = insert_into(connection, conversations).values(source=source, channel=channel, guild=guild)
    known = begun.on_conflict_do_update(index_elements=["source", "channel"], set_={"guild": guild})
    return int((await connection.execute(known.returning(conversations.c.id))).scalar_one())


async def add_turn(
    connection: AsyncConnection,
    conversation_id: int,
    *,
    person_id: int | None,
    said: str,
    message: str | None,
    now: float,
    to_id: int | None = None,
    private: bool = False,
    intent: str | None = None,
    reply_to: int | None = None,
    stands_on: Sequence[EvidenceRow] = (),
) -> int:
    """Append what a person (None: Darkroom) said, and return the turn's id."""
    values = {
        "conversation_id": conversation_id,
        "person_id": person_id,
        "to_id": to_id,
        "said": said,
        "message": message,
        "created_at": now,
        "private": private,
        "intent": intent,
        "reply_to": reply_to,
    }
    turn_id = int((await connection.execute(turns.insert().values(**values).returning(turns.c.id))).scalar_one())
    if stands_on:
        rows = [vars(row) | {"turn_id": turn_id} for row in stands_on]
        await connection.execute(evidence.insert(), rows)
    return turn_id


async def set_message(connection: AsyncConnection, turn_id: int, message: str) -> None:
    """Note which message carries the turn."""
    await connection.execute(update(turns).where(turns.c.id == turn_id).values(message=message))


async def set_intent(connection: AsyncConnection, turn_id: int, intent: str) -> None:
    """Note what was made of the turn."""
    await connection.execute(update(turns).where(turns.c.id == turn_id).values(intent=intent))


async def edit(connection: AsyncConnection, source: str, message: str, said: str, now: float) -> bool:
    """The message was edited by its author. False: it carries no turn of a person, or says the same."""
    theirs = and_(turns.c.person_id.is_not(None), turns.c.said != said)
    change = update(turns).where(_carried(source, (message,)), theirs).values(said=said, edited_at=now)
    return bool((await connection.execute(change)).rowcount)


async def remove_messages(connection: AsyncConnection, source: str, messages: Sequence[str]) -> list[str]:
    """The messages were deleted where they stood: their turns go, with Darkroom's answers to them and on them.

    A job keeps its own record, for its picture stands in a message of its own.

    Returns:
        the messages of those answers, which nobody has deleted yet.
    """
    gone = select(turns.c.id).where(_carried(source, messages))
    quoting = select(evidence.c.turn_id).where(evidence.c.heard_id.in_(gone))
    answers = and_(turns.c.person_id.is_(None), or_(turns.c.reply_to.in_(gone), turns.c.id.in_(quoting)))
    orphans = delete(turns).where(answers).returning(turns.c.message)
    left = [message for message in (await connection.execute(orphans)).scalars() if message is not None]
    await connection.execute(delete(turns).where(_carried(source, messages)))
    return [message for message in left if message not in messages]


async def remove_standing_on(
    connection: AsyncConnection, *, turns_of: Select[Any] | None = None, pictures_of: Select[Any] | None = None
) -> None:
    """Delete what Darkroom said on the strength of these turns or pictures (queries of their ids)."""
    for column, ids in ((evidence.c.heard_id, turns_of), (evidence.c.picture_id, pictures_of)):
        if ids is not None:
            standing = select(evidence.c.turn_id).where(column.in_(ids))
            await connection.execute(delete(turns).where(turns.c.person_id.is_(None), turns.c.id.in_(standing)))


async def drop_empty(connection: AsyncConnection) -> None:
    """Delete the conversations of which nothing is left."""
    spoken = exists().where(turns.c.conversation_id == conversations.c.id)
    asked = exists().where(jobs.c.conversation_id == conversations.c.id)
    await connection.execute(delete(conversations).where(~spoken, ~asked))


async def get(connection: AsyncConnection, turn_id: int) -> TurnRow | None:
    """The turn, unless it was deleted."""
    return next(iter(await read_turns(connection, turn_query().where(turns.c.id == turn_id))), None)


async def answer_to(connection: AsyncConnection, turn_id: int) -> TurnRow | None:
    """The newest of what Darkroom said to a turn."""
    query = turn_query().where(turns.c.person_id.is_(None), turns.c.reply_to == turn_id)
    return next(iter(await read_turns(connection, query.order_by(turns.c.id.desc()).limit(1))), None)


async def rewrite(connection: AsyncConnection, turn_id: int, said: str, stands_on: Sequence[EvidenceRow]) -> None:
    """Darkroom says something else in that turn."""
    await connection.execute(update(turns).where(turns.c.id == turn_id).values(said=said))
    await connection.execute(delete(evidence).where(evidence.c.turn_id == turn_id))
    if stands_on:
        await connection.execute(evidence.insert(), [vars(row) | {"turn_id": turn_id} for row in stands_on])


async def by_message(connection: AsyncConnection, source: str, message: str) -> TurnRow | None:
    """The newest turn that this message carries."""
    query = turn_query().where(_carried(source, (message,))).order_by(turns.c.id.desc()).limit(1)
    return next(iter(await read_turns(connection, query)), None)


async def spoken_to(
    connection: AsyncConnection, source: str, *, guild: str | None, channel: str | None, before: int
) -> bool:
    """Whether people have written messages to Darkroom in a server, or (not None) in one channel, before that turn.

    What was asked for by a command is no such message: its turn is carried by Darkroom's own.
    """
    place = conversations.c.guild == guild if channel is None else conversations.c.channel == channel
    there = select(conversations.c.id).where(conversations.c.source == source, place)
    by_command = exists().where(jobs.c.turn_id == turns.c.id, jobs.c.place["message"].as_string() == turns.c.message)
    written = and_(turns.c.person_id.is_not(None), turns.c.message.is_not(None), turns.c.id < before, ~by_command)
    query = select(turns.c.id).where(turns.c.conversation_id.in_(there), written).limit(1)
    return (await connection.execute(query)).first() is not None


async def recent(connection: AsyncConnection, viewer: Viewer, *, limit: int) -> list[TurnRow]:
    """The latest turns of the channel that the viewer may be told of, the oldest of them first."""
    place = select(conversations.c.id).where(
        conversations.c.source == viewer.source, conversations.c.channel.in_(viewer.channels)
    )
    query = turn_query().where(turns_seen_by(viewer), turns.c.conversation_id.in_(place))
    return (await read_turns(connection, query.order_by(turns.c.id.desc()).limit(limit)))[::-1]


async def evidence_of(connection: AsyncConnection, turn_ids: Iterable[int]) -> dict[int, list[EvidenceRow]]:
    """What each of these turns stands on. Who may see the turns is the caller's to have asked."""
    query = select(evidence).where(evidence.c.turn_id.in_(list(turn_ids))).order_by(evidence.c.id)
    found: dict[int, list[EvidenceRow]] = {}
    for row in (await connection.execute(query)).mappings():
        values = {name: row[name] for name in ("kind", "ref", "quote", "picture_id", "heard_id")}
        found.setdefault(row["turn_id"], []).append(EvidenceRow(**values))
    return found


def turn_query() -> Select[Any]:
    """Asks for turns as `read_turns` reads them."""
    names = [column for column in TurnRow.__dataclass_fields__ if column != "name"]
    joined = turns.outerjoin(people, people.c.id == turns.c.person_id)
    return select(*(turns.c[name] for name in names), people.c.name).select_from(joined)


async def read_turns(connection: AsyncConnection, query: Select[Any]) -> list[TurnRow]:
    """The turns that a `turn_query` finds."""
    return [TurnRow(**row) for row in (await connection.execute(query)).mappings()]


def _carried(source: str, messages: Sequence[str]) -> Any:
    place = select(conversations.c.id).where(conversations.c.source == source)
    return and_(turns.c.message.in_(list(messages)), turns.c.conversation_id.in_(place))
