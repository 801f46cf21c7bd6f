"""The desk hands the reader what the asker may see, and nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from explainer.desk import MAX_QUESTION, Desk
from explainer.messages import Answer, Figure, Question
from generation.likeness import Likenesses
from generation.models import POCKET_FOLDER, Models, pocket_model
from generation.pictures.draw import png
from generation.pictures.nearest import TrainingSet
from generation.queue import Owner, Place, Queue
from store import conversations, people, pictures
from store.conversations import EvidenceRow
from store.database import Database
from store.files import Files
from store.visibility import Viewer
from tests.explainer.exam.scenes import SCENES
from tests.explainer.support import answerer
from tests.generation.support import wish

ANN = Owner(source="discord", external_id="1", name="Ann")
BOB = Owner(source="discord", external_id="2", name="Bob")
PLACE = Place(channel="gallery", guild="studio")
VIEWER = Viewer(source="discord", person="1", guild="studio", channels=("gallery",))
FOX, ROBOT = SCENES["trio"][0].run, SCENES["trio"][1].run


class Here:
    """An answerer in this process that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        return answerer().answer(question)


class Room:
    """A conversation in a real store."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reader = Here()
        self.desk = Desk(database, self.reader)

    async def make(
        self, owner: Owner, run: object, *, place: Place = PLACE, private: bool = False, content: str = "c" * 64
    ) -> int:
        job = await Queue(self.database).put(wish(), owner, place)
        async with self.database.writing() as connection:
            person = await people.remember(connection, owner.source, owner.external_id, owner.name)
            row = await pictures.add(
                connection,
                job_id=job.id,
                person_id=person.id,
                facts=msgspec.to_builtins(run),
                content=content,
                suffix=".png",
                trajectory=None,
                now=float(job.id),
                private=private,
            )
            return row.id

    async def say(self, owner: Owner | None, said: str, *, about: int | None = None) -> None:
        async with self.database.writing() as connection:
            conversation = await conversations.remember(connection, "discord", PLACE.channel, PLACE.guild)
            person = (
                None
                if owner is None
                else (await people.remember(connection, owner.source, owner.external_id, owner.name)).id
            )
            rows = [] if about is None else [EvidenceRow(kind="run", ref="x", quote="y", picture_id=about)]
            await conversations.add_turn(
                connection, conversation, person_id=person, said=said, message=None, now=99.0, stands_on=rows
            )


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'darkroom.sqlite3'}")
    await database.open()
    yield Room(database)
    await database.close()


async def test_an_answer_comes_from_the_stored_record(room: Room) -> None:
    first = await room.make(ANN, FOX)
    await room.make(BOB, ROBOT)
    answer = await room.desk.ask("Ann", "What seed did the fox have?", VIEWER)
    assert "seed 42" in answer.text
    assert (answer.evidence[0].ref, answer.picture) == (f"picture {first}: seed", first)
    assert [(seen.mine, seen.owner) for seen in room.reader.asked[0].pictures] == [(True, "Ann"), (False, "Bob")]


async def test_what_the_asker_may_not_see_is_not_handed_on(room: Room) -> None:
    secret = await room.make(BOB, FOX, private=True)
    elsewhere = await room.make(ANN, ROBOT, place=Place(channel="den", guild="other"))
    for about in (None, secret, elsewhere):
        answer = await room.desk.ask("Ann", "What seed did the fox have?", VIEWER, about)
        assert answer.route == "no record"
        asked = room.reader.asked[-1]
        assert (asked.pictures, asked.about) == ((), None)
        assert not any("private" in turn.said for turn in asked.turns)


async def test_what_was_copied_is_looked_up_in_the_training_set_before_it_is_answered(
    room: Room, tmp_path: Path
) -> None:
    files = Files(tmp_path)
    canvas = Image.new("RGB", (128, 128), "white")
    canvas.paste(TrainingSet.load(POCKET_FOLDER).thumbnail("fox", None, 96), (16, 16))
    content = files.put(png(canvas), ".png")
    number = await room.make(ANN, FOX, content=content)
    desk = Desk(room.database, room.reader, files, Likenesses(Models((pocket_model(),))))
    for text in ("What did you copy?", "which picture of the internet is this stolen from"):
        answer = await desk.ask("Ann", text, VIEWER)
        assert re.search(r"the nearest is “fox”, \d+\.\d grey levels", answer.text), answer.text
        assert answer.figure == Figure(kind="nearest", picture=number)
        assert any(re.search(r"of [\d,]+ training pictures.*fox \d+\.\d", item.quote) for item in answer.evidence)
    files.delete(content, ".png")
    answer = await desk.ask("Ann", "What did you copy?", VIEWER)
    assert answer.route == "no record", "the picture's file is gone"


async def test_a_model_whose_training_set_is_not_at_hand_is_said_to_be_so(room: Room, tmp_path: Path) -> None:
    content = Files(tmp_path).put(png(Image.new("RGB", (8, 8))), ".png")
    await room.make(ANN, SCENES["flux"][0].run, content=content)
    desk = Desk(room.database, room.reader, Files(tmp_path), Likenesses(Models((pocket_model(),))))
    answer = await desk.ask("Ann", "What did you copy?", VIEWER)
    assert "not at hand" in answer.text and answer.route == "no record"


async def test_turns_come_along_without_the_question_itself(room: Room) -> None:
    fox = await room.make(ANN, FOX)
    await room.make(ANN, ROBOT)
    await room.say(ANN, "How many steps did the fox take?")
    await room.say(None, "It took 40 steps.", about=fox)
    await room.say(ANN, "And its seed?")
    answer = await room.desk.ask("Ann", "And its seed?", VIEWER)
    assert "seed 42" in answer.text
    said = room.reader.asked[0].turns
    assert [turn.said for turn in said[-2:]] == ["How many steps did the fox take?", "It took 40 steps."]
    assert (said[-1].speaker, said[-1].picture) == (None, fox)


async def test_a_question_without_end_is_cut(room: Room) -> None:
    await room.desk.ask("Ann", "why " * 5_000, replace(VIEWER, channels=()))
    assert len(room.reader.asked[0].text) == MAX_QUESTION
