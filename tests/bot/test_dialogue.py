"""Talking with the bot on our own Discord: who is heard, what is answered, and what becomes of it."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from bot.cogs.chat import EMPTY, TOO_FAST
from bot.dialogue import HEARS_LITTLE, THREAD_HELLO
from bot.export import WORD_MAP
from bot.pace import MOST
from bot.playground import Person
from bot.playground.interactions import Interaction
from bot.playground.permissions import Permission
from bot.playground.records import Message
from bot.settings import Settings
from bot.talk import UNSURE
from bot.trials import GONE
from explainer.messages import Changed, Interpreted, Offer
from generation.queue import Owner
from store.conversations import read_turns, turn_query
from tests.bot.conftest import Stage
from tests.bot.driving import finished
from tests.bot.loopback_driver import LoopbackDriver, loopback


class Room:
    """A channel with Ann, Bob and the bot."""

    def __init__(self, driver: LoopbackDriver, stage: Stage) -> None:
        self.driver, self.stage = driver, stage
        self.world = driver.playground.world
        self.ann, self.bob = driver.person("ann"), driver.person("bob")

    @property
    def mention(self) -> str:
        return f"<@{self.world.bot.id}>"

    def said(self, channel: object = "gallery", by: Person | None = None) -> list[Message]:
        """What the bot has said there."""
        messages = (by or self.ann).messages(channel)  # type: ignore[arg-type]
        return [message for message in messages if message.author_id == self.world.bot.id]

    async def answers(self, count: int, channel: object = "gallery", by: Person | None = None) -> list[Message]:
        """What the bot has said there, once it is so many messages and none is still being thought about."""

        def there() -> list[Message] | None:
            found = self.said(channel, by)
            return found if len(found) >= count and not any(message.loading for message in found) else None

        return await self.driver.until(there)

    async def answer(self, person: Person, interaction: Interaction) -> Message:
        """The answer to an interaction, once it is more than thinking."""
        return await person.response(interaction, within=10)

    async def picture(self, **options: object) -> Message:
        """Ann's message with a finished picture."""
        seen = await finished(self.driver, self.stage.worker, **options)
        return self.world.message(self.ann.channel("gallery").id, seen.id)

    async def turns(self) -> list[str]:
        """All that is remembered, in order."""
        async with self.stage.parts.database.reading() as connection:
            found = await read_turns(connection, turn_query())
        return [turn.said for turn in sorted(found, key=lambda turn: turn.id)]


@pytest.fixture
async def room(stage: Stage) -> AsyncIterator[Room]:
    async with loopback(stage) as driver:
        yield Room(driver, stage)


@pytest.fixture
async def deaf_room(stage: Stage) -> AsyncIterator[Room]:
    """Without the message-content intent."""
    stage.settings = Settings(data=stage.settings.data, models=(*stage.settings.models,), message_content=False)
    async with loopback(stage) as driver:
        yield Room(driver, stage)


def labels(message: Message) -> list[str]:
    return [item["label"] for row in message.components for item in row["components"]]


# --- who is heard --------------------------------------------------------------------------------


async def test_a_question_that_mentions_the_bot_is_answered_in_a_reply_with_its_sources(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} what is a seed?")
    answer = (await room.answers(1))[0]
    assert answer.content.startswith("An answer to 'what is a seed?'.\n-# From *What a seed is*")
    assert answer.reference is not None and answer.reference.message_id == asked.id
    assert labels(answer) == ["Read: What a seed is", "Ask"] and not answer.mentions
    assert await room.turns() == ["what is a seed?", "An answer to 'what is a seed?'."]


async def test_a_direct_message_needs_no_mention(room: Room) -> None:
    await room.ann.send("what is a seed?", channel="dm")
    assert "An answer to" in (await room.answers(1, "dm"))[0].content
    await room.ann.send("x" * 2_000, channel="dm")
    assert (await room.answers(2, "dm"))[1].content == UNSURE


SILENT: dict[str, Callable[[str], str]] = {
    "talk among people": lambda _: "what is a seed?",
    "a mention in a code block": lambda me: f"look:\n```\n{me} why?\n```",
    "a mention in inline code": lambda me: f"type `{me} why?` to ask",
    "a mention in a code block that is not closed": lambda me: f"```py\n{me} why?",
}


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT)
async def test_what_does_not_speak_to_the_bot_is_left_alone(room: Room, text: Callable[[str], str]) -> None:
    await room.ann.send(text(room.mention))
    await room.ann.send(f"{room.mention} and now?")
    await room.answers(1)
    assert len(room.said()) == 1 and await room.turns() == ["and now?", "An answer to 'and now?'."]


async def test_another_bot_is_never_answered(room: Room) -> None:
    other = room.driver.playground.add_user("other")
    room.world.change_user(msgspec.structs.replace(room.world.users[other.id], bot=True))
    channel = room.ann.channel("gallery").id
    await room.world.post(author_id=other.id, channel_id=channel, body={"content": f"{room.mention} why?"})
    await room.ann.send(f"{room.mention} why not?")
    assert "why not" in (await room.answers(1))[0].content and len(room.stage.reader.questions) == 1


async def test_a_mention_alone_and_a_file_alone_are_told_what_to_do(room: Room) -> None:
    await room.ann.send(room.mention)
    assert (await room.answers(1))[0].content == EMPTY
    await room.ann.send(room.mention, files=[("bomb.svg", b"<svg/>")])
    assert (await room.answers(2))[1].content == "I cannot read SVG drawings; send a PNG, JPEG or WebP to start from."


async def test_a_flood_gets_a_few_answers_and_one_word_about_it(room: Room) -> None:
    for number in range(50):
        await room.ann.send(f"{room.mention} why {number}?")
    await room.bob.send(f"{room.mention} and me?")
    await room.answers(MOST + 2)
    said = [message.content for message in room.said()]
    assert said.count(TOO_FAST) == 1 and len(said) == MOST + 2 and any("and me?" in text for text in said)


# --- what it is about ----------------------------------------------------------------------------


async def test_a_reply_to_a_picture_and_to_an_answer_about_it_is_about_that_picture(room: Room) -> None:
    first = await room.picture(prompt="a red fox")
    await room.picture(prompt="a blue cat")
    await room.bob.send("why is it red?", reply_to=first)
    answer = (await room.answers(3))[2]
    await room.bob.send("and why a fox?", reply_to=answer)
    await room.answers(4)
    assert [(question.about, question.asker) for question in room.stage.reader.questions] == [(1, "bob"), (1, "bob")]
    assert "the record of picture 1" in answer.content


async def test_a_reply_to_a_picture_that_is_deleted_is_about_none(room: Room) -> None:
    picture = await room.picture()
    await room.stage.bot.conversation.delete(1, _owner(room.ann))
    await room.bob.send("why is it red?", reply_to=picture)
    await room.answers(2)
    assert room.stage.reader.questions[0].about is None and room.stage.reader.questions[0].pictures == ()


def _owner(person: Person) -> Owner:
    return Owner(source="discord", external_id=str(person.id), name=person.name)


async def test_a_private_picture_is_seen_by_its_owner_and_spoken_of_to_nobody_else(room: Room) -> None:
    driver = room.driver
    answer = await driver.slash("ann", prompt="my secret", private=True)
    assert answer.ephemeral and driver.messages("bob") == []
    order = await driver.until(lambda: room.stage.worker.orders[-1] if room.stage.worker.orders else None)
    room.stage.worker.finish(order.job)
    await driver.until(lambda: "Again" in driver.messages("ann")[0].buttons)
    refused = await driver.command("bob", "explain", question="what is it?", picture=1)
    assert "not for you to see" in refused.text and room.stage.reader.questions == []
    await driver.command("bob", "explain", question="what did ann make?")
    await driver.command("ann", "explain", question="what did I make?")
    assert [question.pictures for question in room.stage.reader.questions] == [(), ()]
    await driver.command("ann", "explain", question="what did I make?", private=True)
    await driver.until(lambda: len(room.stage.reader.questions) == 3)
    assert [seen.id for seen in room.stage.reader.questions[2].pictures] == [1]
    assert room.said(by=room.bob) == [message for message in room.said(by=room.bob) if "secret" not in message.content]


# --- asking back ---------------------------------------------------------------------------------


async def test_what_is_neither_is_asked_back_and_becomes_a_picture_at_a_press(room: Room) -> None:
    await room.ann.send(f"{room.mention} a boat on a lake")
    back = (await room.answers(1))[0]
    assert back.content == UNSURE and labels(back) == ["Make a picture", "Ask about it"]
    refused = await room.answer(room.bob, await room.bob.click(back, label="Make a picture"))
    assert "Only the person who said it" in refused.content
    await room.ann.click(back, label="Make a picture")
    order = await room.driver.until(lambda: room.stage.worker.orders[-1] if room.stage.worker.orders else None)
    assert order.request.prompt == "a boat on a lake"
    assert await room.turns() == ["a boat on a lake", UNSURE], "the turn that asked is not told twice"


async def test_what_is_asked_back_becomes_an_answer_at_a_press(room: Room) -> None:
    picture = await room.picture()
    await room.ann.send("no idea", reply_to=picture)
    back = (await room.answers(2))[1]
    answer = await room.answer(room.ann, await room.ann.click(back, label="Ask about it"))
    assert "An answer to 'no idea'" in answer.content and room.stage.reader.questions[0].about == 1


async def test_a_reply_whose_bot_was_killed_before_it_took_the_order_says_so_at_the_next_start(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_given: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(room.stage.parts.studio, "submit", killed)
    await room.ann.send(f"{room.mention} draw me a red fox")
    (reply,) = await room.answers(1)
    notes = room.stage.settings.data / "asking"
    await room.driver.until(lambda: list(notes.iterdir()))
    await room.driver.restart()
    await room.driver.until(lambda: not list(notes.iterdir()))
    told = room.ann.fresh(reply)
    assert "Taking your place" not in str(told.embeds) and "please ask again" in str(told.embeds)


async def test_an_order_where_no_picture_may_be_shown_is_refused_before_anything_is_queued(room: Room) -> None:
    quiet = room.driver.playground.add_channel("quiet", deny_bot=Permission.ATTACH_FILES).name
    await room.ann.send(f"{room.mention} draw me a red fox", channel=quiet)
    (answer,) = await room.answers(1, quiet)
    assert "I lack the permission Attach Files;" in answer.content and not answer.embeds
    assert await room.stage.parts.studio.undelivered() == [] and room.stage.worker.orders == []


async def test_an_order_to_draw_is_drawn_in_a_reply(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} draw me a red fox")
    await room.driver.until(lambda: room.stage.worker.orders)
    reply = (await room.answers(1))[0]
    room.stage.worker.finish(room.stage.worker.orders[0].job)
    await room.driver.until(lambda: "Again" in labels(room.ann.fresh(reply)))
    assert reply.reference is not None and reply.reference.message_id == asked.id
    assert room.stage.worker.orders[0].request.prompt == "a red fox"


# --- edits, deletions, threads -------------------------------------------------------------------


async def test_an_edited_question_has_its_answer_edited(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} what is a seed?")
    answer = (await room.answers(1))[0]
    await room.ann.edit(asked, f"{room.mention} what is noise?")
    await room.driver.until(lambda: "what is noise?" in room.ann.fresh(answer).content)
    assert await room.turns() == ["what is noise?", "An answer to 'what is noise?'."] and len(room.said()) == 1


async def test_a_deleted_question_takes_its_answer_along_and_is_forgotten(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} what is a seed?")
    await room.answers(1)
    room.ann.delete(asked)
    await room.driver.until(lambda: not room.said())
    assert await room.turns() == []


async def test_a_thread_that_the_bot_opened_is_heard_whole_with_several_speakers(room: Room) -> None:
    picture = await room.picture(prompt="a red fox")
    await room.answer(room.ann, await room.ann.click(picture, label="Talk about this"))
    thread = next(channel for channel in room.world.channels.values() if channel.thread)
    assert thread.name == "a red fox" and [message.content for message in room.said(thread.id)] == [THREAD_HELLO]
    await room.bob.send("why is it red?", channel=thread.id)
    await room.answers(2, thread.id)  # asked at once, either may be read first
    await room.ann.send("and why a fox?", channel=thread.id)
    await room.answers(3, thread.id)
    first, second = room.stage.reader.questions
    assert (first.asker, second.asker) == ("bob", "ann") and [seen.id for seen in first.pictures] == [1]
    assert [turn.picture for turn in first.turns if turn.said == THREAD_HELLO] == [1]
    assert [(turn.speaker, turn.said) for turn in second.turns if turn.speaker] == [
        ("ann", "a red fox"),
        ("bob", "why is it red?"),
    ]


async def test_without_the_intent_a_thread_hears_what_mentions_the_bot_and_says_so(deaf_room: Room) -> None:
    room = deaf_room
    picture = await room.picture()
    await room.answer(room.ann, await room.ann.click(picture, label="Talk about this"))
    thread = next(channel for channel in room.world.channels.values() if channel.thread)
    assert room.said(thread.id)[0].content == f"{THREAD_HELLO} {HEARS_LITTLE}"
    await room.ann.send("why is it red?", channel=thread.id)
    await room.ann.send(f"{room.mention} why a fox?", channel=thread.id)
    await room.answers(2, thread.id)
    await room.ann.send("and where?", channel=thread.id, reply_to=room.said(thread.id)[1])
    await room.answers(3, thread.id)
    assert [question.text for question in room.stage.reader.questions] == ["why a fox?", "and where?"]


async def test_without_the_intent_the_first_reply_on_a_server_says_what_is_heard(deaf_room: Room) -> None:
    room = deaf_room
    await room.driver.slash("ann", prompt="a red fox")
    await room.ann.send("what is a seed?", channel="dm")
    assert HEARS_LITTLE not in (await room.answers(1, "dm"))[0].content, "all is heard there"
    await room.ann.send(f"{room.mention} what is a seed?")
    await room.bob.send(f"{room.mention} what is noise?")
    said = [message.content for message in (await room.answers(3))[1:]]
    assert sum(content.endswith(f"\n-# {HEARS_LITTLE}") for content in said) == 1
    assert HEARS_LITTLE not in str(await room.turns()), "it is no part of the answer"
    await room.driver.restart()
    await room.bob.send(f"{room.mention} what is guidance?")
    assert HEARS_LITTLE not in (await room.answers(4))[3].content, "that was said already"
    thread = room.bob.start_thread("ours", message=room.said()[-1])
    for number, asked in enumerate(("draw me a red fox", "draw me an owl"), 1):
        await room.bob.send(f"{room.mention} {asked}", channel=thread.id)
        await room.answers(number, thread.id)
    assert [message.content for message in room.said(thread.id)] == [f"-# {HEARS_LITTLE}", ""]


async def test_with_the_intent_nothing_is_said_of_what_is_heard(room: Room) -> None:
    await room.ann.send(f"{room.mention} what is a seed?")
    assert HEARS_LITTLE not in (await room.answers(1))[0].content


# --- commands, menus and forms -------------------------------------------------------------------


async def test_the_ask_button_opens_a_form_whose_question_is_shown_with_the_answer(room: Room) -> None:
    picture = await room.picture()
    opener = await room.ann.answered(await room.ann.click(picture, label="Ask"))
    answer = await room.answer(room.ann, await room.ann.submit_modal(opener, question="why *red*?"))
    assert answer.content.splitlines()[0].replace("\u2068", "").replace("\u2069", "") == "> why \\*red\\*?"
    assert room.stage.reader.questions[0].about == 1 and answer.only_for is None


async def test_how_was_this_made_answers_the_person_alone(room: Room) -> None:
    picture = await room.picture()
    answer = await room.answer(room.bob, await room.bob.use_on_message("How was this made?", picture))
    assert "How was this made" in answer.content and answer.only_for == room.bob.id
    other = await room.ann.send("hello")
    refused = await room.answer(room.bob, await room.bob.use_on_message("How was this made?", other))
    assert refused.content == "There is no picture of mine in that message."


async def test_the_tour_goes_on_in_one_message_and_passages_can_be_read(room: Room) -> None:
    stop = await room.answer(room.ann, await room.ann.slash("topics"))
    assert room.ann.json(stop)["embeds"][0]["title"] == "How I make a picture"
    await room.ann.click(stop, label="Next")
    await room.driver.until(lambda: room.ann.json(stop)["embeds"][0]["title"] == "Both predict patterns")
    label = next(label for label in labels(room.ann.fresh(stop)) if label.startswith("Read"))
    passage = await room.answer(room.bob, await room.bob.click(stop, label=label))
    assert passage.only_for == room.bob.id and "Ho, Jain and Abbeel" in str(room.bob.json(passage)["embeds"])


async def test_lineage_and_history_show_the_family_as_a_picture(room: Room) -> None:
    picture = await room.picture(prompt="a red fox")
    await room.ann.click(picture, label="Again")
    order = await room.driver.until(lambda: room.stage.worker.orders[1] if len(room.stage.worker.orders) > 1 else None)
    room.stage.worker.finish(order.job)
    await room.stage.stored(order.job)
    tree = await room.answer(room.bob, await room.bob.click(picture, label="Lineage"))
    assert room.bob.json(tree)["embeds"][0]["image"]["width"] < 300, "one column of two"
    history = await room.answer(room.ann, await room.ann.slash("history"))
    shown = room.ann.json(history)["embeds"][0]
    assert "picture 1" in shown["description"] and shown["image"]["url"] and history.only_for == room.ann.id
    found = await room.answer(room.ann, await room.ann.type("/history words: nothing like it"))
    assert "Nothing" in room.ann.json(found)["embeds"][0]["description"]


async def test_the_conversation_can_be_taken_away_as_one_page(room: Room) -> None:
    await room.picture(prompt="a <b>red</b> fox")
    await room.bob.send(f"{room.mention} why?")
    await room.answers(2)
    page = await room.answer(room.ann, await room.ann.slash("export"))
    content = (await _file(room, page)).decode()
    assert "a &lt;b&gt;red&lt;/b&gt; fox" in content and "data:image/png;base64," in content
    assert "<b>bob</b>" in content and "http:" not in content and "https:" not in content


async def test_the_page_marks_changes_and_has_word_maps_where_they_were_made(room: Room) -> None:
    first = await room.picture(prompt="a red <fox>", negative_prompt="mud")
    changed = Changed(
        prompt="a blue <fox>", negative_prompt="mud, red", kinds=("recolour",), whats=("blue",), local=True
    )  # fmt: skip
    read = Interpreted(intent="revise", second="ask", sure=True, picture=1, changed=changed)
    room.stage.reader.understood["make it blue"] = read
    room.stage.worker.by_itself = True
    await room.ann.send("make it blue", reply_to=first)
    await room.driver.until(lambda: len(room.said()) > 1 and "Again" in labels(room.said()[-1]))
    await room.answer(room.bob, await room.bob.slash("words", picture=1))
    await room.bob.send(f"{room.mention} what now?")
    await room.answers(3)
    page = (await _file(room, await room.answer(room.ann, await room.ann.slash("export")))).decode()
    assert '<p class="change">a <del>red</del> <ins>blue</ins> &lt; fox &gt;</p>' in page
    assert '<p class="change">Without: mud <ins>, red</ins></p>' in page
    assert 'Picture 2, from <a href="#picture-1">picture 1</a>: begun from the picture, 50% of it redone' in page
    order = [page.index(part) for part in ('id="picture-1"', 'id="picture-2"', WORD_MAP.format(1), "what now?")]
    assert order == sorted(order) and page.count(f"<figcaption>{WORD_MAP.format(1)}") == 1
    text = (await _file(room, await room.answer(room.ann, await room.ann.slash("export", form="markdown")))).decode()
    assert "a ~~red~~ **blue** \\< fox \\>" in text and f"![{WORD_MAP.format(1)}](data:image/png" in text


async def test_the_page_does_not_tell_of_a_parent_that_is_gone(room: Room) -> None:
    first = await room.picture(prompt="a secret fox")
    changed = Changed(prompt="a blue fox", negative_prompt="", kinds=("recolour",), whats=("blue",), local=True)
    read = Interpreted(intent="revise", second="ask", sure=True, picture=1, changed=changed)
    room.stage.reader.understood["make it blue"] = read
    room.stage.worker.by_itself = True
    await room.bob.send("make it blue", reply_to=first)
    await room.driver.until(lambda: len(room.said()) > 1 and "Again" in labels(room.said()[-1]))
    await room.stage.bot.conversation.delete(1, _owner(room.ann))
    page = (await _file(room, await room.answer(room.bob, await room.bob.slash("export")))).decode()
    assert "secret" not in page and 'id="picture-2"' in page and 'class="change"' not in page


async def _file(room: Room, message: Message) -> bytes:
    return await asyncio.to_thread(room.world.cdn.path(message.attachments[0].id).read_bytes)


async def test_an_offered_experiment_is_made_at_a_press_or_a_yes_and_shown(room: Room) -> None:
    await room.picture(prompt="a red fox in a hat")
    room.stage.reader.offer = Offer(picture=1, change="without", value="hat", pictures=1, seconds=1.0, text="Shall I?")
    asked = await room.ann.send(f"{room.mention} what does the word hat do?")
    answer = (await room.answers(2))[-1]
    assert labels(answer)[0] == "Try it" and answer.reference is not None and answer.reference.message_id == asked.id
    await room.bob.click(answer, label="Try it")
    await room.driver.until(lambda: bool(room.stage.worker.orders and room.stage.worker.orders[-1].cells))
    assert "hat" not in room.stage.worker.orders[-1].cells[0].prompt
    room.stage.worker.finish(room.stage.worker.orders[-1].job)
    await room.driver.until(lambda: any("mean difference" in str(message.embeds) for message in room.said()))
    shown = len(room.said())
    await room.ann.send(f"{room.mention} why?")
    await room.answers(shown + 1)
    await room.ann.send(f"{room.mention} yes please")
    known = (await room.answers(shown + 2))[-1]
    assert "mean difference" in str(known.embeds), "made before: shown at once"
    assert sum(bool(order.cells) for order in room.stage.worker.orders) == 1


async def test_an_offer_whose_picture_is_deleted_is_gone(room: Room) -> None:
    picture = await room.picture(prompt="a red fox in a hat")
    room.stage.reader.offer = Offer(picture=1, change="seed", value=None, pictures=1, seconds=1.0, text="Shall I?")
    answer = await room.answer(room.bob, await room.bob.slash("explain", question="is it the noise?", private=True))
    await room.ann.click(picture, label="Delete")
    await room.driver.until(lambda: picture.id not in {message.id for message in room.said()})
    refused = await room.answer(room.bob, await room.bob.click(answer, label="Try it"))
    assert refused.content == GONE


# --- privacy -------------------------------------------------------------------------------------


async def test_who_asks_to_be_forgotten_is_asked_and_then_forgotten_with_their_messages(room: Room) -> None:
    await room.picture(prompt="a zephyrfox")
    await room.bob.send(f"{room.mention} why?")
    await room.answers(2)
    question = await room.answer(room.ann, await room.ann.slash("forget", where="everywhere"))
    assert "cannot be undone" in question.content and await room.stage.parts.studio.picture(1) is not None
    await room.ann.click(question, label="Delete it for good")
    await room.driver.until(lambda: "Done: 1 request" in room.ann.fresh(question).content)
    await room.driver.until(lambda: len(room.said(by=room.bob)) == 1)
    assert await room.turns() == ["why?"], "Bob's own words stay; the answer stood on Ann's picture"
    assert [path for path in room.stage.settings.data.rglob("files/*/*") if path.is_file()] == []


async def test_my_data_is_everything_that_is_kept_and_privacy_says_it_in_words(room: Room) -> None:
    await room.picture(prompt="a zephyrfox")
    await room.stage.bot.conversation.strip(1)
    await room.driver.until(lambda: not room.stage.parts.studio._frames._keeping)
    message = await room.answer(room.ann, await room.ann.slash("mydata"))
    with zipfile.ZipFile(io.BytesIO(await _file(room, message))) as archive:
        names = archive.namelist()
        data = json.loads(archive.read("data.json"))
    assert {name.split("/")[0] for name in names} == {"README.txt", "data.json", "pictures", "steps", "frames"}
    assert data["jobs"][0]["request"]["prompt"] == "a zephyrfox" and message.only_for == room.ann.id
    nothing = await room.answer(room.bob, await room.bob.slash("mydata"))
    with zipfile.ZipFile(io.BytesIO(await _file(room, nothing))) as archive:
        assert json.loads(archive.read("data.json")) == {}
    statement = await room.answer(room.bob, await room.bob.slash("privacy"))
    assert "For how long" in str(room.bob.json(statement)["embeds"]) and statement.only_for == room.bob.id
