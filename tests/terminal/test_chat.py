"""`darkroom chat`: whole conversations of several people without Discord, through the same code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bot.chat import Answered, Imagine, Line, Session, read_script
from bot.errors import UserMistake
from bot.talk import UNSURE
from explainer.messages import Offer
from tests.bot.conftest import Stage


class Talking:
    """A session on a real store, with a scripted worker and reader."""

    def __init__(self, stage: Stage, session: Session) -> None:
        self.stage, self.session = stage, session

    async def say(self, text: str, user: str = "ann") -> Answered:
        return await self.session.take(Line(say=text), user)

    async def imagine(self, prompt: str, user: str = "ann", **values: object) -> Answered:
        wish = msgspec.convert({"prompt": prompt, **values}, Imagine)
        return await self.session.take(Line(imagine=wish), user)


@pytest.fixture
async def talking(tmp_path: Path) -> AsyncIterator[Talking]:
    stage = Stage(tmp_path / "data")
    await stage.open()
    stage.worker.by_itself = True
    yield Talking(stage, Session(stage.parts, "script", several=True))
    await stage.parts.studio.close()
    await stage.parts.database.close()


async def test_a_wish_becomes_a_picture_with_its_facts_and_leaves_nothing_undelivered(talking: Talking) -> None:
    answered = await talking.imagine("a red fox", seed=7, steps=9, negative="snow")
    image = answered.images[0]
    assert (answered.intent, image.seed, image.steps, image.prompt, image.method) == (
        "create",
        7,
        9,
        "a red fox",
        "words",
    )
    content = await asyncio.to_thread(Path(image.path).read_bytes)
    assert content.startswith(b"\x89PNG") and answered.seconds >= 0
    assert talking.stage.worker.orders[0].request.negative_prompt == "snow"
    assert await talking.stage.parts.studio.undelivered() == []


async def test_an_offered_experiment_is_made_when_it_is_agreed_to_and_answers(talking: Talking) -> None:
    await talking.imagine("a red fox in a hat", seed=7)
    fox = Offer(picture=1, change="without", value="hat", pictures=1, seconds=1.2, text="Shall I?")
    for offer, intent in ((None, "chat"), (fox, "ask")):
        talking.stage.reader.offer = offer
        await talking.say("what does the word hat do?")
        answered = await talking.say("yes please")
        assert (answered.intent == "ask" and "grey levels" in answered.text) == (intent == "ask")
    assert "without “hat”" in answered.text or "without hat" in answered.text
    assert [(quote.kind, quote.ref) for quote in answered.evidence] == [("experiment", "experiment on picture 1")]
    assert "hat" not in talking.stage.worker.orders[-1].cells[0].prompt
    await talking.say("so what came of it?")
    seen = talking.stage.reader.questions[-1].pictures[0]
    assert [(done.change, done.value) for done in seen.experiments] == [("without", "hat")]
    talking.stage.reader.offer = Offer(picture=1, change="words", value=None, pictures=1, seconds=1.2, text="Shall I?")
    await talking.say("which word mattered?")
    assert "no proof of cause" in (await talking.say("go ahead")).text
    await talking.say("what is noise?")
    assert set(talking.stage.reader.questions[-1].pictures[0].word_masses) >= {"red", "fox", "hat"}


async def test_each_speaker_is_known_and_mine_is_theirs(talking: Talking) -> None:
    await talking.imagine("a red fox", "ann")
    await talking.say("draw a blue cat", "bob")
    answered = await talking.say("which one is mine?", "bob")
    question = talking.stage.reader.questions[0]
    assert [(seen.owner, seen.mine) for seen in question.pictures] == [("ann", False), ("bob", True)]
    assert question.asker == "bob" and answered.intent == "ask"
    assert [(quote.kind, quote.ref) for quote in answered.evidence][:2] == [
        ("passage", "seeds/what-a-seed-is"), ("run", "picture 2: prompt"),
    ]  # fmt: skip


async def test_thanks_are_taken_and_what_is_neither_is_asked_back(talking: Talking) -> None:
    assert (await talking.say("thanks!")).intent == "chat"
    unsure = await talking.say("a boat")
    assert unsure.intent == "unsure" and unsure.text.startswith(UNSURE) and talking.stage.worker.orders == []
    made = await talking.say("1")
    assert made.intent == "create" and made.images[0].prompt == "a boat", "the number of an answer settles it"
    assert (await talking.say("1")).intent != "create", "and that only once"


async def test_a_mistake_is_an_answer_and_the_conversation_goes_on(talking: Talking) -> None:
    wrong = await talking.imagine("a fox", steps=100_000)
    assert wrong.intent == "error" and "number of steps" in wrong.text
    assert "I do not know “/dance”" in (await talking.say("/dance")).text
    assert (await talking.say("/explain seeds")).intent == "ask"


async def test_history_and_export_hold_the_conversation(talking: Talking, tmp_path: Path) -> None:
    await talking.imagine("a red fox")
    await talking.say("what is a seed?", "bob")
    history = (await talking.say("/history")).text
    assert history.splitlines()[:2] == ["ann: a red fox", "bob: what is a seed?"] and "#1: a red fox" in history
    assert "a red fox" in (await talking.say("/history fox")).text
    page, text = tmp_path / "talk.html", tmp_path / "talk.md"
    await talking.say(f"/export {page}")
    await talking.say(f"/export {text}")
    assert '<p class="prompt">a red fox</p>' in page.read_text() and "data:image/png;base64," in page.read_text()
    assert "```\na red fox\n```" in text.read_text()
    assert "does not exist" in (await talking.say(f"/export {tmp_path}/no/talk.html")).text


async def test_forgetting_asks_first_and_takes_only_the_speakers_own(talking: Talking) -> None:
    await talking.imagine("a red fox", "ann")
    await talking.imagine("a blue cat", "bob")
    assert "Say yes" in (await talking.say("/forget", "ann")).text
    assert (await talking.say("yes", "bob")).text != "Everything of yours is deleted.", "nobody asked Bob"
    await talking.say("/forget", "ann")
    await talking.say("what is a seed?", "ann")
    assert "a red fox" in (await talking.say("/history", "bob")).text, "anything but a yes is a no"
    await talking.say("/forget", "ann")
    assert (await talking.say("yes", "ann")).text == "Everything of yours is deleted."
    history = (await talking.say("/history", "bob")).text
    assert "fox" not in history and "a blue cat" in history


BAD = {
    "what is no JSON": b"hello",
    "neither": b'{"user": "ann"}',
    "both": b'{"say": "hi", "imagine": {"prompt": "a fox"}}',
    "a setting that is not there": b'{"imagine": {"prompt": "a fox", "stpes": 3}}',
    "a value of the wrong kind": b'{"imagine": {"prompt": "a fox", "steps": "many"}}',
    "what is no text": b'{"say": "\xff"}',
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_a_line_that_makes_no_sense_is_named_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"say": "hi"}\n\n' + line + b"\n")
    with pytest.raises(UserMistake, match="Line 3 of"):
        read_script(path)


def test_a_script_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="cannot be read"):
        read_script(tmp_path / "no.jsonl")
