"""Nobody is told of what is private, of what was said elsewhere, or of what is deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from generation.queue import Origin, Owner, Place, Queue
from generation.request import RunFacts
from store import conversations, lineage, people, pictures
from store.conversations import EvidenceRow
from store.database import Database, Transaction
from store.search import find_turns
from store.visibility import Viewer
from tests.bot.scripted import facts_of
from tests.generation.support import wish
from tests.postgresql import new_database
from tests.store.conftest import url_of

HERE, GUILD = "gallery", "studio"
ANN, BOB = Owner(source="discord", external_id="1", name="Ann"), Owner(source="discord", external_id="2", name="Bob")


def viewer(who: Owner = BOB, **changes: Any) -> Viewer:
    return replace(
        Viewer(source=who.source, person=who.external_id, guild=GUILD, channels=(HERE,)),
        **changes,
    )


@dataclass
class Told:
    """Everything by which something might come out."""

    pictures: list[int]
    turns: list[str]
    found: list[str]
    family: list[int]

    @property
    def nothing(self) -> bool:
        return not (self.pictures or self.turns or self.found or self.family)


class Room:
    """A store in which things were made and said."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.queue = Queue(database, most_waiting=100)

    async def picture(
        self, owner: Owner = ANN, *, channel: str = HERE, guild: str | None = GUILD, said: str = "a secret fox",
        private: bool = False, parent: int | None = None,
    ) -> int:  # fmt: skip
        place = Place(channel=channel, guild=guild, message=f"m-{channel}")
        request = wish(prompt=said)
        job = await self.queue.put(request, owner, place, Origin(private=private, parent=parent, method="words"))
        claimed = await self.queue.claim()
        assert claimed is not None and claimed.id == job.id
        done = await self.queue.finish(
            job.id, 1, facts=facts_of(request), content=f"{job.id:064d}", suffix=".png", trajectory=None
        )
        assert done is not None
        return done[0].id

    async def says(self, said: str, *, by: Owner | None = ANN, to: Owner | None = None, channel: str = HERE,
                   guild: str | None = GUILD, **values: Any) -> int:  # fmt: skip
        async with self.database.writing() as connection:
            place = await conversations.remember(connection, "discord", channel, guild)
            speaker = await self._id(connection, by)
            hearer = await self._id(connection, to)
            return await conversations.add_turn(
                connection, place, person_id=speaker, to_id=hearer, said=said, message=None, now=1.0, **values
            )

    async def _id(self, connection: Transaction, person: Owner | None) -> int | None:
        if person is None:
            return None
        return (await people.remember(connection, person.source, person.external_id, person.name)).id

    async def told(self, who: Viewer, picture: int = 1) -> Told:
        async with self.database.reading() as connection:
            seen = await pictures.seen(connection, who, limit=50)
            assert [row.id for row in seen] == [
                row.id for row in seen if await pictures.get_seen(connection, row.id, who) is not None
            ]
            return Told(
                pictures=[row.id for row in seen],
                turns=[turn.said for turn in await conversations.recent(connection, who, limit=50)],
                found=[turn.said for turn in await find_turns(connection, "secret", who)],
                family=[item.id for item in await lineage.family_of(connection, picture, who)],
            )


@pytest.fixture(params=["sqlite", "postgresql"])
async def room(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Room]:
    postgres = request.param == "postgresql"
    database = Database(
        await new_database(request.getfixturevalue("postgresql")) if postgres else url_of(tmp_path / "x.sqlite3")
    )
    await database.open()
    yield Room(database)
    await database.close()


ELSEWHERE = {  # how somebody might ask who is not where it was said
    "from another channel": viewer(channels=("lobby",)),
    "from another server": viewer(guild="rivals"),
    "from another server with a channel of the same name": viewer(guild="rivals", channels=(HERE, "lobby")),
    "from a direct message": viewer(guild=None, channels=("dm-bob",), alone=True),
    "from a direct message that claims the channel": viewer(guild=None, channels=("dm-bob", HERE), alone=True),
    "alone on another server": viewer(guild="rivals", channels=("lobby",), alone=True),
    "from the terminal": viewer(source="terminal", guild=None, channels=("chat",), alone=True),
    "from the terminal as the owner": viewer(ANN, source="terminal", guild=None, channels=("chat",), alone=True),
    "from nowhere": viewer(channels=()),
    "with an empty id": viewer(person="", guild=None, channels=(), alone=True),
    "with a wildcard for an id": viewer(person="%", channels=("%",), guild="%", alone=True),
    "with SQL for a channel": viewer(channels=("x') OR ('1'='1",)),
    "as the owner, aloud on another server": viewer(ANN, guild="rivals", channels=("lobby",)),
    "as the owner, aloud in another channel": viewer(ANN, channels=("lobby",)),
}  # fmt: skip


@pytest.mark.parametrize("who", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_what_was_made_and_said_in_a_channel_is_not_told(room: Room, who: Viewer) -> None:
    picture = await room.picture()
    await room.says("a secret in the gallery")
    await room.says("the secret is out", by=None, to=ANN)
    assert (await room.told(who, picture)).nothing


PRIVATE = {
    "in the same channel": viewer(),
    "alone in the same channel": viewer(alone=True),
    "in a thread of it": viewer(channels=("thread", HERE)),
    "from a direct message": viewer(guild=None, channels=("dm-bob",), alone=True),
    "as the owner, where others read along": viewer(ANN),
    "as the owner, in a thread": viewer(ANN, channels=("thread", HERE)),
    "under the owner's id from elsewhere": viewer(ANN, source="terminal", guild=None, channels=(HERE,), alone=True),
    "on another server": viewer(guild="rivals", alone=True),
}


@pytest.mark.parametrize("who", PRIVATE.values(), ids=PRIVATE)
async def test_what_is_private_is_not_told(room: Room, who: Viewer) -> None:
    picture = await room.picture(private=True)
    await room.says("my secret", private=True)
    await room.says("your secret", by=None, to=ANN, private=True)
    assert (await room.told(who, picture)).nothing


async def test_in_its_own_channel_and_in_a_thread_of_it_everybody_is_told(room: Room) -> None:
    picture = await room.picture()
    await room.says("a secret between us")
    for who in (viewer(), viewer(ANN), viewer(channels=("thread", HERE))):
        told = await room.told(who, picture)
        assert told.pictures == told.family == [picture]
        assert set(told.turns) == set(told.found) == {"a secret fox", "a secret between us"}


async def test_the_owner_alone_is_told_everything_of_theirs_wherever_it_was(room: Room) -> None:
    first = await room.picture(private=True)
    second = await room.picture(channel="lobby", guild="rivals")
    await room.picture(BOB, channel="lobby", guild="rivals", said="bob's own secret")
    told = await room.told(viewer(ANN, guild=None, channels=("dm-ann",), alone=True), first)
    assert told.pictures == [second, first] and told.found == ["a secret fox", "a secret fox"]


async def test_a_deleted_picture_takes_along_what_was_said_of_it(room: Room) -> None:
    picture = await room.picture()
    about = (EvidenceRow(kind="run", ref="prompt", quote="a secret fox", picture_id=picture),)
    await room.says("it is a secret fox", by=None, to=BOB, stands_on=about)
    async with room.database.writing() as connection:
        row = await pictures.get(connection, picture)
        assert row is not None
        await pictures.remove(connection, row)
    for who in (viewer(), viewer(ANN), viewer(ANN, alone=True)):
        assert (await room.told(who, picture)).nothing


async def test_the_number_of_a_deleted_picture_is_never_given_to_another(room: Room) -> None:
    """An old message's buttons hold it."""
    picture = await room.picture()
    async with room.database.writing() as connection:
        row = await pictures.get(connection, picture)
        assert row is not None
        await pictures.remove(connection, row)
    assert await room.picture(BOB) > picture


async def test_a_deleted_message_takes_its_turn_and_the_answers_that_quote_it(room: Room) -> None:
    turn = await room.says("a secret to delete")
    async with room.database.writing() as connection:
        await conversations.set_message(connection, turn, "77")
    quoting = (EvidenceRow(kind="turn", ref=f"turn {turn}", quote="a secret to delete", heard_id=turn),)
    await room.says("you said: a secret to delete", by=None, to=BOB, stands_on=quoting)
    async with room.database.writing() as connection:
        assert await conversations.remove_messages(connection, "terminal", ["77"]) == [], "another front end's"
        assert (await conversations.get(connection, turn)) is not None
        assert await conversations.remove_messages(connection, "discord", ["77"]) == []
    assert (await room.told(viewer(ANN, alone=True))).nothing


async def test_an_edited_message_is_found_by_its_new_words_only(room: Room) -> None:
    turn = await room.says("a secret word")
    async with room.database.writing() as connection:
        await conversations.set_message(connection, turn, "77")
        assert await conversations.edit(connection, "discord", "77", "an open word", 2.0)
        assert not await conversations.edit(connection, "discord", "77", "an open word", 3.0), "nothing has changed"
    async with room.database.reading() as connection:
        assert await find_turns(connection, "secret", viewer()) == []
        assert [turn.said for turn in await find_turns(connection, "OPEN word", viewer())] == ["an open word"]


INJECTIONS = [
    'secret" OR "x',
    "secret OR fox",
    "said:secret NOT x",
    "* secret *",
    "NEAR(secret fox)",
    "'; DROP TABLE x",
]


@pytest.mark.parametrize("words", INJECTIONS)
async def test_what_is_searched_for_is_never_read_as_the_indexs_own_language(room: Room, words: str) -> None:
    await room.says("nothing of it")
    await room.says("a secret fox", channel="lobby")
    async with room.database.reading() as connection:
        assert await find_turns(connection, words, viewer(), any_word=True) == []
        assert [turn.said for turn in await find_turns(connection, "nothing it", viewer())] == ["nothing of it"]


async def test_a_private_picture_between_two_open_ones_is_shown_as_a_gap(room: Room) -> None:
    first = await room.picture()
    hidden = await room.picture(private=True, parent=first)
    last = await room.picture(BOB, parent=hidden)
    await room.picture(private=True, parent=first)  # of which nothing was made: not shown at all
    async with room.database.reading() as connection:
        family = await lineage.family_of(connection, last, viewer())
    assert [(item.id, item.parent_id, item.row is not None) for item in family] == [
        (first, None, True), (hidden, first, False), (last, hidden, True),
    ]  # fmt: skip


async def test_facts_of_a_seen_picture_are_whole(room: Room) -> None:
    picture = await room.picture()
    async with room.database.reading() as connection:
        row = await pictures.get_seen(connection, picture, viewer())
    assert row is not None and msgspec.convert(row.facts, RunFacts) == facts_of(wish(prompt="a secret fox"))
