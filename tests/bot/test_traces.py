"""Who is forgotten leaves no trace in database, full-text index, free pages, log, files or the playground's channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec
import pytest

from bot.privacy import IN_PLAYGROUND
from bot.run import LOG_NAME, logging_to
from tests.bot.conftest import Stage
from tests.bot.loopback_driver import loopback
from tests.bot.test_dialogue import Room, labels

SECRETS = ("zephyrfox", "quibblewort", "gnomelight", "snarkhound", "marrowmoon", "wimbletide")
BOBS = "bobsowntower"


@pytest.fixture
async def room(stage: Stage) -> AsyncIterator[Room]:
    """With the log in the data folder, as `darkroom run` has it, and the playground told who is forgotten."""
    stage.settings.data.mkdir(parents=True)
    with logging_to(stage.settings.data / LOG_NAME, "INFO"):
        async with loopback(stage) as driver:
            stage.bot.forgotten.append(lambda person: driver.playground.world.forget(int(person)))
            yield Room(driver, stage)


def traces(folder: Path, words: Iterable[str]) -> list[str]:
    """Files in whose name or content one of the words stands, in whatever case."""
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes().lower() if path.is_file() else b""
        found += [f"{path.name}: {word}" for word in words if word.encode() in content or word in path.name]
    return found


async def ann_does_all_that_one_can(room: Room) -> set[str]:
    """She asks, draws, talks in a thread, alone and in private; returns the names of her files."""
    picture = await room.picture(prompt="a zephyrfox")
    await room.ann.send(f"{room.mention} why is the quibblewort green?", reply_to=picture)
    await room.answers(2)
    asked = await room.ann.send(f"{room.mention} what is a gnomelight?")
    await room.answers(3)
    await room.ann.edit(asked, f"{room.mention} what is a wimbletide?")
    await room.driver.until(lambda: "wimbletide" in str([message.content for message in room.said()]))
    await room.answer(room.ann, await room.ann.click(picture, label="Talk about this"))
    thread = next(channel for channel in room.world.channels.values() if channel.thread)
    await room.ann.send("and where does the snarkhound live?", channel=thread.id)
    await room.answers(2, thread.id)
    await room.ann.send("what is the marrowmoon?", channel="dm")
    await room.answers(1, "dm")
    logging.getLogger("discord.gateway").info("a library names %s now and then", room.ann.id)
    return {path.name for path in room.stage.settings.data.glob("files/*/*.png")}


async def test_who_is_forgotten_leaves_no_trace_anywhere(room: Room, tmp_path: Path) -> None:
    files = await ann_does_all_that_one_can(room)
    room.stage.worker.by_itself = True
    await room.bob.send(f"{room.mention} draw a {BOBS}")
    await room.driver.until(lambda: sum("Again" in labels(message) for message in room.said()) == 2)
    marks = (*SECRETS, str(room.ann.id))
    data = room.stage.settings.data
    assert len(traces(data, marks)) > len(SECRETS) and len(files) >= 1, "else there is nothing to forget"

    question = await room.answer(room.ann, await room.ann.slash("forget", where="everywhere"))
    await room.ann.click(question, label="Delete it for good")
    await room.driver.until(lambda: "Done: " in room.ann.fresh(question).content)
    await room.driver.until(lambda: len(room.said(by=room.bob)) == 1)
    await asyncio.sleep(0.1)  # for what goes on in the background; what is left then is left

    assert traces(data, marks) == []
    kept = {path.name for path in data.glob("files/*/*")}
    assert not kept & files
    world = msgspec.json.encode(room.world.state()).decode().lower()
    assert [word for word in SECRETS if word in world] == [], "the playground's own channel"
    assert BOBS in world and traces(data, [BOBS]), "what is Bob's stays"
    attachments = {item.id for message in room.said() for item in message.attachments}
    assert {int(path.name) for path in room.world.cdn.path(0).parent.iterdir()} <= attachments


async def test_what_admins_may_keep_and_what_the_playground_keeps_is_said(room: Room) -> None:
    statement = room.stage.bot.privacy.statement()
    for said in ("limits, blocks, and in the audit log", "your id stays on that list", "limits of your own go"):
        assert said in statement
    assert IN_PLAYGROUND in statement and len(statement) < 4_096
    room.stage.bot.forgotten.clear()
    assert IN_PLAYGROUND not in room.stage.bot.privacy.statement()
