"""Every table says what becomes of a person's rows, and nothing of a forgotten person is left on the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Column, String, Table

from generation.pictures.strip import strip_steps
from generation.queue import Owner
from generation.queue import Place as Asked
from generation.studio import Origin
from store import conversations, forgetting, people
from store.conversations import EvidenceRow
from store.personal import RULE, Along, Cleared, Deleted, Kept, Rule
from store.search import find_turns
from store.tables import metadata
from store.visibility import Viewer
from tests.generation.support import House, wish

ANN = Owner(source="discord", external_id="918273645546372819", name="Annabelle Quartz")
BOB = Owner(source="discord", external_id="2", name="Bob")
PERSONAL = ("person", "owner", "actor", "external", "author", "user", "speaker", "asker")  # in a column's name
MARKS = ("xylophonic", "quincunx", "zephyrfox", ANN.external_id, ANN.name)


def rule_of(table: Table) -> Rule | None:
    found = table.info.get(RULE)
    return found if isinstance(found, Deleted | Along | Kept) else None


def looks_personal(column: Column[object]) -> bool:
    return any(key.column.table.name == "people" for key in column.foreign_keys) or any(
        word in column.name for word in PERSONAL
    )


@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_each_table_declares_what_becomes_of_a_persons_rows(table: Table) -> None:
    rule = rule_of(table)
    assert rule is not None, f"{table.name}: add info=when_forgotten(...), see store.personal"
    if isinstance(rule, Kept):
        assert rule.because
    elif isinstance(rule, Along):
        keys = table.c[rule.by].foreign_keys
        assert [(key.column.table.name, key.ondelete) for key in keys] == [(rule.table, "CASCADE")]
        owner = rule_of(metadata.tables[rule.table])
        assert owner is not None and not isinstance(owner, Kept)
    elif table.name != "people":
        also = [name for names in rule.also.values() for name in names] if isinstance(rule, Cleared) else []
        named = {*rule.by, *rule.external, *rule.named, *also}
        missing = [column.name for column in table.columns if looks_personal(column) and column.name not in named]
        assert not missing, f"{table.name}: these may hold a person, and the rule does not name them"


def test_a_new_table_with_a_person_that_declares_nothing_is_noticed() -> None:
    from sqlalchemy import MetaData

    table = Table("favourites", MetaData(), Column("person_id", String))
    with pytest.raises(AssertionError, match="favourites"):
        test_each_table_declares_what_becomes_of_a_persons_rows(table)


async def fill(house: House, channel: str, guild: str | None, word: str) -> None:
    """A picture, turns, an answer to Ann, and one to Bob that quotes her."""
    asked = Asked(channel=channel, guild=guild, message=f"{channel}1")
    job = await house.studio.submit(wish(prompt=f"a {word} on the moon"), ANN, asked, Origin(method="words"))
    order = await house.worker.until_running()
    assert order.job == job.id
    house.worker.say(house.worker.finished(house.worker.running.pop(job.id), trajectory=word.encode()))
    from generation.studio import JobDone

    told = await house.news.until(JobDone, job.id)
    before = await house.count_frames()
    await house.studio.frames(told.picture.id, strip_steps(told.picture.run))
    await house.frames_kept(before + 1)
    async with house.database.writing() as connection:
        ann = await people.find(connection, ANN.source, ANN.external_id)
        bob = await people.remember(connection, BOB.source, BOB.external_id, BOB.name)
        assert ann is not None
        place = await conversations.remember(connection, "discord", channel, guild)
        said = {"message": None, "now": 1.0}
        turn = await conversations.add_turn(connection, place, person_id=ann.id, said=f"why is the {word} red?", **said)
        quotes = (
            EvidenceRow(kind="run", ref="prompt", quote=f"a {word} on the moon", picture_id=told.picture.id),
            EvidenceRow(kind="turn", ref=f"turn {turn}", quote=f"why is the {word} red?", heard_id=turn),
        )
        for person in (ann, bob):
            await conversations.add_turn(
                connection, place, person_id=None, to_id=person.id, said=f"the {word} is red", stands_on=quotes, **said
            )
        await conversations.add_turn(connection, place, person_id=bob.id, said="I like apples", **said)


def traces(folder: Path) -> dict[str, list[str]]:
    """What of Ann stands in which file of the data folder, byte by byte, and in any table as text."""
    found: dict[str, list[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            if hits := [mark for mark in MARKS if mark.lower().encode() in content]:
                found[str(path.relative_to(folder))] = hits
    with sqlite3.connect(folder / "darkroom.sqlite3") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            text = repr(connection.execute(f"SELECT * FROM {name}").fetchall()).lower()
            if hits := [mark for mark in MARKS if mark.lower() in text]:
                found[name] = hits
    connection.close()
    return found


async def test_nothing_of_a_person_who_is_forgotten_everywhere_is_left_on_the_disk(house: House) -> None:
    await fill(house, "gallery", "studio", "zephyrfox")
    await fill(house, "dm-ann", None, "quincunx")
    waiting = await house.studio.submit(wish(prompt="a xylophonic sea"), ANN, Asked(channel="gallery", guild="studio"))
    assert set(traces(house.folder)) >= {"darkroom.sqlite3-wal", "turns", "jobs", "runs", "evidence", "people"}
    gone = await house.studio.forget(ANN, None)
    assert gone is not None and gone.rows["people"] == 1 and len(gone.files) == 6
    assert traces(house.folder) == {}
    assert house.kept() == [] and await house.studio.job(waiting.id) is None
    async with house.database.reading() as connection:
        bob = Viewer(source="discord", person=BOB.external_id, guild="studio", channels=("gallery",), alone=True)
        assert [turn.said for turn in await conversations.recent(connection, bob, limit=9)] == ["I like apples"]
    assert await house.studio.forget(ANN, None) is None, "there is nobody to forget any more"


async def test_who_is_forgotten_here_keeps_what_was_made_elsewhere(house: House) -> None:
    await fill(house, "gallery", "studio", "zephyrfox")
    await fill(house, "lobby", "rivals", "quincunx")
    await house.studio.forget(ANN, forgetting.Place(source="discord", guild="studio", channel="gallery"))
    left = traces(house.folder)
    assert not any("zephyrfox" in hits for hits in left.values()) and "quincunx" in left["turns"]
    assert sorted(path.suffix for path in house.kept()) == [".frames", ".png", ".trajectory"]
    async with house.database.reading() as connection:
        ann = Viewer(source="discord", person=ANN.external_id, guild=None, channels=("dm",), alone=True)
        assert [turn.said for turn in await find_turns(connection, "red", ann)] != []


async def test_what_is_kept_of_a_person_is_all_theirs_and_nobody_elses(house: House) -> None:
    await fill(house, "gallery", "studio", "zephyrfox")
    async with house.database.reading() as connection:
        bob = await people.find(connection, BOB.source, BOB.external_id)
        assert bob is not None
        rows = await forgetting.rows_of(connection, bob)
        files = await forgetting.files_of(connection, bob)
    assert {name: len(kept) for name, kept in rows.items()} == {"people": 1, "turns": 2, "evidence": 2}
    assert files == set()
