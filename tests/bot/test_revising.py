"""Changes to pictures by talking, on our own Discord: what is painted, what is said of it, and what cannot be done."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import msgspec
import pytest
from PIL import Image

from bot.changes import discord_change, plain_change
from bot.losses import LASTS, MOST, Losses
from bot.playground.drafts import Upload
from bot.playground.records import Message
from bot.revising import (
    CONTRADICTION,
    DELETED,
    FIRST_OF_ALL,
    MASK_STRENGTH,
    NOTHING_LEFT,
    NOTHING_THERE,
    STRENGTH,
    UNFINISHED,
)
from bot.talk import BACK, CANNOT_LOOK, SAY_WHAT
from explainer.messages import Changed, Intent, Interpreted
from generation.events import Generate
from generation.queue import Owner
from tests.bot.conftest import Stage
from tests.bot.driving import started
from tests.bot.loopback_driver import loopback
from tests.bot.test_dialogue import Room, labels


@pytest.fixture
async def room(stage: Stage) -> AsyncIterator[Room]:
    async with loopback(stage) as driver:
        yield Room(driver, stage)


def change(prompt: str = "", picture: int | None = 1, negative: str = "", **more: object) -> Interpreted:
    """What a message that changes a picture is read as."""
    changed = Changed(
        prompt=prompt,
        negative_prompt=negative,
        kinds=("recolour",),
        whats=(prompt,),
        local=True,
        **more,  # type: ignore[arg-type]
    )
    return Interpreted(intent="revise", second="ask", sure=True, picture=picture, changed=changed)


async def painted(room: Room, count: int) -> tuple[Generate, Message]:
    """The order of that number, and the message with its picture."""
    order = await room.driver.until(
        lambda: room.stage.worker.orders[count - 1] if len(room.stage.worker.orders) >= count else None
    )
    room.stage.worker.finish(order.job)
    await room.driver.until(lambda: "Again" in labels(room.said()[-1]))
    return order, room.said()[-1]


async def test_a_change_begins_with_the_picture_and_is_marked_with_a_way_to_its_parent(room: Room) -> None:
    first = await room.picture(prompt="a red fox", negative_prompt="mud", seed=7)
    room.stage.reader.understood["make it blue"] = change("a blue fox", negative="mud, red")
    asked = await room.bob.send("make it blue", reply_to=first)
    order, reply = await painted(room, 2)
    assert (order.request.prompt, order.request.negative_prompt, order.request.seed) == ("a blue fox", "mud, red", 7)
    assert reply.reference is not None and reply.reference.message_id == asked.id
    assert reply.content.splitlines()[:2] == ["a ~~red~~ **blue** fox", "Without: mud **, red**"]
    assert order.init_image is not None and order.request.strength == STRENGTH
    assert "redone · from [picture 1](https://discord.com/channels/" in reply.content
    assert f"/{first.id})" in reply.content
    picture = await room.stage.parts.studio.picture(2)
    assert picture is not None and (picture.parent, picture.method, picture.owner.name) == (1, "image", "bob")
    assert "From picture 1: begun from the picture, 50% of it redone" in str(room.bob.json(reply)["embeds"])


async def test_another_way_makes_one_part_anew_then_takes_the_same_seed_and_comes_round(room: Room) -> None:
    first = await room.picture(prompt="a red fox", seed=7)
    assert "Try another way" not in labels(first)
    room.stage.reader.understood["make it blue"] = change("a blue fox")
    await room.ann.send("make it blue", reply_to=first)
    _, reply = await painted(room, 2)
    await room.ann.click(reply, label="Try another way")
    looked = await room.driver.until(lambda: room.stage.worker.orders[2] if len(room.stage.worker.orders) > 2 else None)
    assert looked.words and looked.request.prompt == "a red fox", "where is the fox in the first one?"
    room.stage.worker.finish(looked.job)
    order, masked = await painted(room, 4)
    assert order.request.strength == MASK_STRENGTH and order.mask is not None and order.init_image is not None
    assert "One part redone, the rest kept · from [picture 1]" in masked.content
    assert "The part that was made anew" in str(room.ann.json(masked)["embeds"])
    await room.ann.click(masked, label="Try another way")
    order, same_seed = await painted(room, 5)
    assert (order.request.prompt, order.request.seed, order.request.init_image) == ("a blue fox", 7, None)
    assert "Same seed, new words · from [picture 1]" in same_seed.content and order.request.mask is None
    await room.ann.click(same_seed, label="Try another way")
    order, _ = await painted(room, 6)
    assert order.init_image is not None and order.mask is None
    files, studio = room.stage.parts.files, room.stage.parts.studio
    picture = await studio.picture(3)
    assert picture is not None and picture.mask is not None
    await room.stage.bot.conversation.delete(3, picture.owner)
    assert files.get(picture.mask.stem, ".png") is None, "a mask goes with its picture"


async def test_a_prompt_that_a_language_model_has_worded_is_told_as_such(room: Room) -> None:
    first = await room.picture(prompt="a red fox")
    room.stage.reader.understood["make it blue"] = change("a blue fox", reworded=True)
    await room.ann.send("make it blue", reply_to=first)
    _, reply = await painted(room, 2)
    assert reply.content.endswith("\n-# The prompt was worded by a language model and checked")


async def test_undo_shows_the_parent_again_and_talk_goes_on_from_there(room: Room) -> None:
    first = await room.picture(prompt="a red fox")
    room.stage.reader.understood |= {"make it blue": change("a blue fox"), "undo": change(picture=2, back="one")}
    await room.ann.send("make it blue", reply_to=first)
    _, reply = await painted(room, 2)
    await room.ann.send("undo", reply_to=reply)
    back = (await room.answers(3))[2]
    assert back.content == "Back to picture 1." and "Again" in labels(back) and len(room.stage.worker.orders) == 2
    room.stage.reader.understood["undo"] = change(picture=1, back="one")
    await room.ann.send("undo", reply_to=back)
    assert (await room.answers(4))[3].content == FIRST_OF_ALL.format(1)
    assert room.stage.reader.heard[-1].about == 1


async def test_another_is_the_same_request_with_another_seed(room: Room) -> None:
    first = await room.picture(prompt="a red fox", seed=7)
    room.stage.reader.understood["another"] = change("a red fox", again=True)
    await room.ann.send("another", reply_to=first)
    order, reply = await painted(room, 2)
    assert order.request.prompt == "a red fox" and order.request.seed != 7
    assert reply.content.startswith("-# Same words, new seed · from [picture 1]")


@pytest.mark.parametrize(
    ("between", "pressed"), [(("revise", "create"), "Change the picture"), (("chat", "revise"), "Change the picture")]
)
async def test_a_close_call_is_asked_back_with_two_buttons(
    room: Room, between: tuple[Intent, Intent], pressed: str
) -> None:
    first = await room.picture(prompt="a red fox")
    read = change("a blue fox")
    room.stage.reader.understood["a blue one"] = Interpreted(
        intent=between[0], second=between[1], sure=False, picture=1, prompt="a blue one", changed=read.changed
    )
    await room.ann.send("a blue one", reply_to=first)
    back = (await room.answers(2))[1]
    assert back.content == BACK[frozenset(between)] and len(labels(back)) == 2 and pressed in labels(back)
    room.stage.reader.understood["a blue one"] = read
    await room.ann.click(back, label=pressed)
    order, reply = await painted(room, 2)
    assert order.request.prompt == "a blue fox" and "a ~~red~~ **blue** fox" in reply.content


async def test_what_cannot_be_changed_gets_one_clear_sentence(room: Room) -> None:
    understood = room.stage.reader.understood
    understood["make it blue"] = Interpreted(intent="create", second="ask", sure=True, nothing_there=True)
    await room.ann.send(f"{room.mention} make it blue")
    assert (await room.answers(1))[0].content == NOTHING_THERE
    first = await room.picture(prompt="a red fox")
    understood["blue and green"] = change("a green fox", conflict=("blue", "green"))
    await room.ann.send("blue and green", reply_to=first)
    assert (await room.answers(3))[2].content == CONTRADICTION.format("blue", "green")
    understood["wider"] = change("a red fox", shape="wide")
    await room.ann.send("wider", reply_to=first)
    assert "128x128 pixels only" in (await room.answers(4))[3].content
    assert "128x128 pixels only" in (await room.turns())[-1], "it is remembered that this was said"
    understood["without the fox"] = change("a red fox", nothing_left=True)
    await room.ann.send("without the fox", reply_to=first)
    assert (await room.answers(5))[4].content == NOTHING_LEFT.format(1)
    assert len(room.stage.worker.orders) == 1


async def test_a_reply_to_a_deleted_picture_or_to_one_on_its_way_says_so(room: Room) -> None:
    first = await room.picture(prompt="a red fox")
    _, job = await started(room.driver, room.stage.worker, prompt="a dog")
    on_its_way = room.said()[-1]
    room.stage.reader.understood["make it blue"] = change("a blue fox")
    await room.ann.send("make it blue", reply_to=on_its_way)
    assert (await room.answers(3))[2].content == UNFINISHED
    room.stage.worker.finish(job)
    await room.stage.stored(job)
    picture = await room.stage.parts.studio.picture(1)
    assert picture is not None
    await room.stage.bot.conversation.delete(1, picture.owner)
    await room.ann.send("make it blue", reply_to=first)
    assert (await room.answers(4))[3].content == DELETED
    assert len(room.stage.worker.orders) == 2


async def test_a_change_in_reply_to_a_deleted_picture_says_so_where_no_other_is_left(room: Room) -> None:
    first = await room.picture(prompt="a red fox")
    picture = await room.stage.parts.studio.picture(1)
    assert picture is not None
    await room.stage.bot.conversation.delete(1, picture.owner)
    gone = Interpreted(intent="revise", second="ask", sure=True, nothing_there=True)
    room.stage.reader.understood["without the fox"] = gone
    await room.ann.send("without the fox", reply_to=first)
    assert (await room.answers(2))[1].content == DELETED
    assert room.stage.reader.heard[-1].gone and room.stage.reader.heard[-1].about is None
    assert len(room.stage.worker.orders) == 1


@pytest.mark.parametrize("forgets", [False, True])
async def test_after_ones_own_picture_is_deleted_it_is_not_somebody_elses(room: Room, *, forgets: bool) -> None:
    first = await room.picture(prompt="a red fox")
    await room.bob.slash("imagine", prompt="a blue cat")
    await painted(room, 2)
    if forgets:
        sure = await room.answer(room.ann, await room.ann.slash("forget", where="here"))
        await room.ann.click(sure, label="Delete it for good")
    else:
        await room.ann.click(first, label="Delete")
    await room.driver.until(lambda: len(room.said(by=room.bob)) == 1)
    understood = room.stage.reader.understood
    understood["make it green"] = change("a green cat", picture=2)
    understood["make the cat green"] = msgspec.structs.replace(change("a green cat", picture=2), named=True)
    await room.ann.send(f"{room.mention} make it green")
    assert (await room.answers(2, by=room.bob))[1].content == DELETED
    await room.bob.send(f"{room.mention} make it green")
    order, _ = await painted(room, 3)
    assert order.request.prompt == "a green cat", "Bob has lost nothing"
    await room.ann.send(f"{room.mention} make the cat green")
    order, _ = await painted(room, 4)
    assert order.request.prompt == "a green cat", "it is spoken of"


async def test_a_loss_is_remembered_for_some_minutes_and_of_so_many_people() -> None:
    now = 0.0
    losses, ann = Losses(clock=lambda: now), Owner(source="discord", external_id="1", name="Ann")
    assert not losses.lately(ann)
    losses.note(ann)
    now = LASTS - 1
    assert losses.lately(ann)
    now = LASTS + 1
    assert not losses.lately(ann)
    losses.note(ann)
    for number in range(MOST):
        losses.note(Owner(source="discord", external_id=f"x{number}", name="x"))
    assert not losses.lately(ann)


def drawing() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "green").save(out, "JPEG")
    return out.getvalue()


async def test_a_drawing_that_is_sent_along_is_started_from(room: Room) -> None:
    await room.ann.send(f"{room.mention} turn this into a green frog", files=[("my.jpg", drawing())])
    order, reply = await painted(room, 1)
    assert order.request.prompt == "a green frog" and order.request.strength == 0.6
    assert order.init_image is not None and order.init_image.startswith(b"\x89PNG")
    assert "Begun from your own picture, 60% of it redone" in str(room.ann.json(reply)["embeds"])
    await room.ann.send(room.mention, files=[("my.jpg", drawing())])
    assert (await room.answers(2))[1].content == SAY_WHAT
    await room.ann.send(f"{room.mention} what is this?", files=[("my.jpg", drawing())])
    assert (await room.answers(3))[2].content == CANNOT_LOOK
    await room.ann.send(f"{room.mention} draw a cat", files=[("my.png", b"no picture")])
    assert "no picture that I can read" in (await room.answers(4))[3].content and len(room.stage.worker.orders) == 1


async def test_imagine_takes_an_image_and_a_strength(room: Room) -> None:
    upload = Upload(index=0, filename="my.jpg", data=drawing())
    await room.ann.slash("imagine", prompt="a frog", image=upload, strength=0.5, seed=3)
    order, _ = await painted(room, 1)
    assert (order.request.strength, order.request.seed) == (0.5, 3) and order.init_image is not None
    bad = Upload(index=0, filename="my.png", data=b"<svg/>")
    refused = await room.answer(room.ann, await room.ann.slash("imagine", prompt="a frog", image=bad))
    assert "SVG" in refused.content and len(room.stage.worker.orders) == 1


def test_a_change_is_marked_word_by_word() -> None:
    assert discord_change("a fox", "a fox wearing a hat, at night") == "a fox **wearing a hat, at night**"
    assert discord_change("a fox *in* snow", "a fox") == "a fox ~~\\* in \\* snow~~"
    assert plain_change("two cats", "three cats") == "[two] *three* cats"
    assert plain_change("a fox", "a fox") == "a fox"
