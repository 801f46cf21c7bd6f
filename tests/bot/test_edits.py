"""Messages that asked for a picture and are edited or deleted afterwards, on our own Discord."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from bot.talk import EDITED, SEND_AGAIN
from explainer.messages import Interpreted
from generation.events import Generate
from store.jobs import CANCELLED
from tests.bot.conftest import Stage
from tests.bot.driving import started
from tests.bot.loopback_driver import loopback
from tests.bot.test_dialogue import Room, labels
from tests.bot.test_revising import change, drawing, painted


@pytest.fixture
async def room(stage: Stage) -> AsyncIterator[Room]:
    async with loopback(stage) as driver:
        yield Room(driver, stage)


async def ordered(room: Room, count: int) -> Generate:
    """The order of that number, once the worker has it."""
    orders = room.stage.worker.orders
    return await room.driver.until(lambda: orders[count - 1] if len(orders) >= count else None)


async def nothing_left(room: Room) -> None:
    """Wait until nothing is remembered and nothing is to be delivered."""
    async with asyncio.timeout(5):
        for pause in itertools.repeat(0.05):
            if not await room.turns() and not await room.stage.parts.studio.undelivered():
                return
            await asyncio.sleep(pause)


async def test_an_order_that_is_edited_while_it_waits_is_painted_as_it_says_then(room: Room) -> None:
    room.stage.worker.lanes = 1
    _, first = await started(room.driver, room.stage.worker, prompt="a house")
    asked = await room.bob.send(f"{room.mention} draw me a red fox")
    (_, reply) = await room.answers(2)
    await room.driver.until(lambda: "red fox" in str(room.bob.fresh(reply).embeds))
    await room.bob.edit(asked, f"{room.mention} draw me a blue owl")
    await room.driver.until(lambda: "blue owl" in str(room.bob.fresh(reply).embeds))
    room.stage.worker.finish(first)
    order = await ordered(room, 2)
    assert order.request.prompt == "a blue owl", "the fox was never painted"
    room.stage.worker.finish(order.job)
    await room.driver.until(lambda: "Again" in labels(room.bob.fresh(reply)))
    assert len(room.said()) == 2 and await room.turns() == ["a house", "draw me a blue owl"]
    old = await room.stage.parts.studio.job(order.job - 1)
    assert old is not None and old.state == CANCELLED
    assert await room.stage.parts.studio.undelivered() == []


async def test_an_order_that_is_edited_while_it_runs_begins_anew_in_the_same_message(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} draw me a red fox")
    first = await ordered(room, 1)
    (reply,) = await room.answers(1)
    room.stage.worker.progress(first.job, 1)
    for thing in ("blue owl", "green owl"):
        await room.ann.edit(asked, f"{room.mention} draw me a {thing}")
    last = await ordered(room, 3)
    assert room.stage.worker.cancels == [first.job, first.job + 1]
    room.stage.worker.finish(last.job)
    await room.driver.until(lambda: "Again" in labels(room.ann.fresh(reply)))
    assert last.request.prompt == "a green owl" and len(room.said()) == 1
    assert "Cancelled" not in str(room.ann.fresh(reply).embeds)


async def test_an_edit_that_changes_no_word_of_the_prompt_changes_nothing(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} draw me a red fox")
    order = await ordered(room, 1)
    await room.ann.edit(asked, f"{room.mention} please draw me a red fox")
    await room.ann.edit(asked, f"{room.mention} please draw a red fox")
    await asyncio.sleep(0.3)
    assert room.stage.worker.cancels == [] and len(room.said()) == 1
    room.stage.worker.finish(order.job)
    await room.driver.until(lambda: "Again" in labels(room.said()[0]))
    assert len(room.stage.worker.orders) == 1


async def test_an_order_that_is_edited_after_it_was_painted_is_offered_at_one_press(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} draw me a red fox")
    await painted(room, 1)
    await room.ann.edit(asked, f"{room.mention} draw me a blue fox")
    offer = (await room.answers(2))[1]
    assert offer.content == EDITED and labels(offer) == ["Make a picture"]
    assert offer.reference is not None and offer.reference.message_id == asked.id
    await room.ann.edit(asked, f"{room.mention} draw me a green fox")
    await room.driver.until(lambda: len(room.stage.reader.heard) == 3)
    refused = await room.answer(room.bob, await room.bob.click(offer, label="Make a picture"))
    assert "Only the person who said it" in refused.content
    assert len(room.said()) == 2, "one offer for all edits"
    await room.ann.click(offer, label="Make a picture")
    order, _ = await painted(room, 2)
    assert order.request.prompt == "a green fox"


async def test_a_change_that_is_edited_goes_on_from_the_same_picture(room: Room) -> None:
    await room.picture(prompt="a red fox")
    understood = room.stage.reader.understood
    understood["make it blue"] = change("a blue fox")
    asked = await room.ann.send(f"{room.mention} make it blue")
    await painted(room, 2)
    understood["make it green"] = change("a green fox", picture=2)
    await room.ann.edit(asked, f"{room.mention} make it green")
    offer = (await room.answers(3))[2]
    assert offer.content == EDITED and labels(offer) == ["Change the picture"]
    assert [question.about for question in room.stage.reader.heard] == [None, None, 1], "not from the blue one"
    understood["make it green"] = change("a green fox", picture=1)
    await room.ann.click(offer, label="Change the picture")
    order, reply = await painted(room, 3)
    assert order.request.prompt == "a green fox" and "a ~~red~~ **green** fox" in reply.content


async def test_a_change_that_is_edited_on_its_way_is_marked_as_it_is_now(room: Room) -> None:
    first = await room.picture(prompt="a red fox")
    understood = room.stage.reader.understood
    understood |= {"make it blue": change("a blue fox"), "make it green": change("a green fox")}
    asked = await room.ann.send("make it blue", reply_to=first)
    await ordered(room, 2)
    reply = (await room.answers(2))[1]
    assert "**blue**" in reply.content
    await room.ann.edit(asked, "make it green")
    order = await ordered(room, 3)
    room.stage.worker.finish(order.job)
    await room.driver.until(lambda: "Again" in labels(room.ann.fresh(reply)))
    assert room.ann.fresh(reply).content.startswith("a ~~red~~ **green** fox") and len(room.said()) == 2


async def test_an_order_that_becomes_a_question_is_answered_and_no_longer_painted(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} draw me a red fox")
    order = await ordered(room, 1)
    (reply,) = await room.answers(1)
    await room.ann.edit(asked, f"{room.mention} what is a fox?")
    await room.driver.until(lambda: [message for message in room.said() if "An answer to" in message.content])
    await room.driver.until(lambda: reply.id not in [message.id for message in room.said()])
    assert room.stage.worker.cancels == [order.job]
    assert await room.turns() == ["what is a fox?", "An answer to 'what is a fox?'."]


async def test_a_question_that_becomes_an_order_is_offered_where_it_was_answered(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} what is a fox?")
    (answer,) = await room.answers(1)
    await room.ann.edit(asked, f"{room.mention} draw me a fox")
    await room.driver.until(lambda: room.ann.fresh(answer).content == EDITED)
    assert labels(room.ann.fresh(answer)) == ["Make a picture"] and room.stage.worker.orders == []
    await room.ann.edit(asked, f"{room.mention} what is an owl?")
    await room.driver.until(lambda: "An answer to 'what is an owl?'" in room.ann.fresh(answer).content)
    assert labels(room.ann.fresh(answer)) == ["Read: What a seed is", "Ask"] and len(room.said()) == 1


async def test_what_cannot_be_made_after_an_edit_is_said_and_the_job_goes_on(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} draw me a red fox")
    order = await ordered(room, 1)
    understood = room.stage.reader.understood
    understood["without it"] = Interpreted(intent="revise", second="ask", sure=True, nothing_there=True)
    await room.ann.edit(asked, f"{room.mention} without it")
    answers = await room.answers(2)
    assert "no picture here yet" in answers[1].content and room.stage.worker.cancels == []
    room.stage.worker.finish(order.job)
    await room.driver.until(lambda: "Again" in labels(room.ann.fresh(answers[0])))


async def test_a_message_that_speaks_to_the_bot_only_after_an_edit_is_heard_then(room: Room) -> None:
    asked = await room.ann.send("draw me a red fox")
    await room.ann.edit(asked, "draw me a green fox")
    await room.ann.edit(asked, f"{room.mention} draw me a blue fox")
    order = await ordered(room, 1)
    assert order.request.prompt == "a blue fox" and len(await room.answers(1)) == 1
    await room.ann.edit(asked, f"{room.mention} draw me a blue owl")
    order = await ordered(room, 2)
    room.stage.worker.finish(order.job)
    await room.driver.until(lambda: "Again" in labels(room.said()[0]))
    assert order.request.prompt == "a blue owl" and len(room.said()) == 1


async def test_an_edit_keeps_the_picture_that_was_sent_along(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} turn this into a green frog", files=[("my.jpg", drawing())])
    first = await ordered(room, 1)
    await room.ann.edit(asked, f"{room.mention} turn this into a blue frog")
    second = await ordered(room, 2)
    assert (second.request.prompt, second.init_image) == ("a blue frog", first.init_image)
    room.stage.worker.finish(second.job)
    await room.driver.until(lambda: "Again" in labels(room.said()[0]))
    await room.ann.edit(asked, f"{room.mention} turn this into a red frog")
    assert (await room.answers(2))[1].content == SEND_AGAIN


async def test_a_message_that_is_deleted_while_its_picture_is_on_its_way_cancels_it(room: Room) -> None:
    room.stage.worker.lanes = 1
    running = await room.ann.send(f"{room.mention} draw me a red fox")
    order = await ordered(room, 1)
    waiting = await room.ann.send(f"{room.mention} draw me an owl")
    await room.answers(2)
    room.ann.delete(waiting)
    await room.driver.until(lambda: len(room.said()) == 1)
    room.ann.delete(running)
    await room.driver.until(lambda: not room.said())
    assert room.stage.worker.cancels == [order.job] and len(room.stage.worker.orders) == 1
    await nothing_left(room)


async def test_a_message_that_is_deleted_after_its_picture_was_painted_leaves_the_picture(room: Room) -> None:
    asked = await room.ann.send(f"{room.mention} draw me a red fox")
    await painted(room, 1)
    room.ann.delete(asked)
    await room.driver.until(lambda: asked.id not in [message.id for message in room.ann.messages("gallery")])
    await asyncio.sleep(0.3)
    assert len(room.said()) == 1 and await room.stage.parts.studio.picture(1) is not None
