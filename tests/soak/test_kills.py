"""Bot, worker or both are killed at random moments under load, and every accepted job still ends exactly once.

`darkroom run` runs as on a server, over and over, on one data folder; Discord is a loopback one that lives in the
test's process, with Discord's own rate limits, and people keep asking. `DARKROOM_SOAK_KILLS` says how often something
is killed (50), `DARKROOM_SOAK_SEED` repeats a run's choices.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from bot.cards import NOT_TAKEN
from bot.playground import Person, Playground, PlaygroundError
from bot.playground.drafts import walk
from bot.playground.interactions import Interaction
from bot.playground.records import Message
from bot.settings import DATABASE_NAME
from store.database import Database
from store.jobs import CANCELLED, DONE, FAILED, UNENDED
from store.tables import jobs, pictures, runs
from tests.darkroom_process import DarkroomProcess, darkroom_process, gone
from tests.discord_spec import request_problems
from tests.tiny_models import save_tiny_model

KILLS = int(os.environ.get("DARKROOM_SOAK_KILLS", "50"))
SEED = int(os.environ.get("DARKROOM_SOAK_SEED", "0")) or random.randrange(1, 10**6)
PEOPLE = ("Ann", "Bob", "Cid", "Dan", "Eve")
CHANNELS = ("gallery", "studio-talk", "attic")
STEPS = (20, 400)  # of a job: some are done in a moment, some live through several kills
ASKING = 1.5  # seconds between two requests, on average
UP = 120.0  # seconds that a start may take on a busy machine
DRAINED = 900.0  # seconds until everything that was asked for has ended
STOPPED = 45.0  # seconds within which a bot that is told to stop has stopped
WAYS = ("bot", "bot", "worker", "worker", "both", "stop")

pytestmark = [pytest.mark.soak, pytest.mark.timeout(180 + 60 * KILLS)]


class House:
    """Everything that outlives a kill, and what is known of it."""

    def __init__(self, discord: Playground, folder: Path) -> None:
        self.discord = discord
        self.folder = folder
        self.chance = random.Random(SEED)
        self.people: list[Person] = [discord.add_user(name) for name in PEOPLE]
        self.asked: list[Interaction] = []
        self.starts = 0
        self.models = msgspec.json.encode([save_tiny_model(folder / "tiny")]).decode()

    @contextlib.contextmanager
    def running(self) -> Iterator[DarkroomProcess]:
        settings = {"DISCORD_TOKEN": self.discord.bot_token, "DARKROOM_MODELS": self.models}
        address = self.discord.api_base, self.discord.gateway_url
        with darkroom_process(self.folder, discord=address, **settings) as process:
            self.starts += 1
            yield process

    async def ask_on(self) -> None:
        """While the bot is there, people ask for pictures, and cancel one now and then."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / ASKING))
            person = self.chance.choice(self.people)
            channel = self.chance.choice(CHANNELS)
            if not self.discord.gateway.connected or "imagine" not in person.commands(channel):
                continue
            prompt, steps = f"picture {len(self.asked)}", round(self.chance.triangular(*STEPS, STEPS[0]))
            self.asked.append(await person.slash("imagine", channel=channel, prompt=prompt, steps=steps))
            if self.chance.random() < 0.1:
                await self.press(person, channel, "Cancel")

    async def press(self, person: Person, channel: str, label: str) -> None:
        mine = [message for message in person.messages(channel) if label in labels(message)]
        if mine:
            await person.click(self.chance.choice(mine), label=label)

    def messages(self) -> list[Message]:
        """All of the bot's messages, wherever they are, but those that one person alone sees."""
        world = self.discord.world
        return [
            message
            for channel in list(world.channels.values())
            for message in world.messages(channel.id)
            if message.author_id == world.bot.id and message.only_for is None
        ]


def labels(message: Message) -> list[str]:
    return [str(item.get("label")) for item in walk(list(message.components)) if item.get("type") == 2]


def text_of(message: Message) -> str:
    return "\n".join(str(embed.get("description")) + str(embed.get("footer")) for embed in message.embeds)


@pytest.fixture
async def discord(tmp_path: Path) -> AsyncIterator[Playground]:
    playground = Playground()
    await playground.start()
    playground.add_channel(CHANNELS[2])
    yield playground
    await playground.close()
    assert playground.missing == []
    sent = [(request.method, request.path, request.body) for request in playground.requests]
    assert [problem for request in sent for problem in request_problems(*request)] == []


def kill(darkroom: DarkroomProcess, way: str) -> None:
    """End it, its worker, or both, at this very moment; or tell it to stop."""
    workers = darkroom.workers
    if way == "stop":
        began = darkroom.began
        darkroom.process.send_signal(signal.SIGTERM)
        status = darkroom.process.wait(STOPPED)
        # before it has begun to do anything, Python itself ends it at once
        assert status == 0 or (status == -signal.SIGTERM and not began), (status, darkroom.said[-2_000:])
        assert all(gone(worker) for worker in workers)
        return
    for worker in workers if way in {"worker", "both"} else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    if way in {"bot", "both"}:
        darkroom.process.kill()
        darkroom.process.wait()


async def live_through(house: House, kills: int) -> None:
    """Start Darkroom and kill something, until enough has been killed."""
    done = 0
    while done < kills:
        with house.running() as darkroom:
            if house.chance.random() < 0.8:  # else it may be killed while it starts
                await asyncio.to_thread(darkroom.until_ready)
            while done < kills:
                await asyncio.sleep(house.chance.uniform(0.2, 8.0))
                way = house.chance.choice(WAYS)
                done += 1
                print(f"kill {done} of {kills}: {way}", flush=True)
                await asyncio.to_thread(kill, darkroom, way)
                if way != "worker":
                    break


@contextlib.asynccontextmanager
async def store(folder: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{folder / 'data' / DATABASE_NAME}")
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def drain(database: Database) -> None:
    """Wait until nothing runs, waits or is still to be shown."""
    deadline = time.monotonic() + DRAINED
    open_jobs = select(jobs.c.id, jobs.c.state, jobs.c.attempt).where(
        jobs.c.state.in_(UNENDED) | jobs.c.delivered_at.is_(None)
    )
    while True:
        async with database.reading() as connection:
            left = (await connection.execute(open_jobs)).all()
        if not left:
            return
        assert time.monotonic() < deadline, f"still open: {left}"
        await asyncio.sleep(0.5)


async def check_every_end(house: House, database: Database) -> Counter[str]:
    """Each job has one message, which shows its one end."""
    query = select(jobs.c.id, jobs.c.state, jobs.c.reference, jobs.c.place, pictures.c.id.label("picture"))
    query = query.outerjoin(runs, runs.c.job_id == jobs.c.id).outerjoin(pictures, pictures.c.run_id == runs.c.id)
    async with database.reading() as connection:
        ends = (await connection.execute(query)).all()
    assert len({end.id for end in ends}) == len(ends), "a job has two pictures"
    messages = {message.id: message for message in house.messages()}
    shown = Counter(file.filename for message in messages.values() for file in message.attachments)
    for end in ends:
        message = messages.pop(int(end.place["message"]))
        assert "Cancel" not in labels(message), f"job {end.id} looks as if it went on: {text_of(message)}"
        match end.state:
            case "done":
                name = f"darkroom-{end.picture}.png"
                assert [file.filename for file in message.attachments] == [name] and shown[name] == 1
                assert {"Again", "Strip", "Delete"} <= set(labels(message))
            case "failed":
                assert end.reference and f"Reference {end.reference}" in text_of(message)
            case "cancelled":
                assert "Cancelled." in text_of(message)
    # what is left was answered, but its bot was killed before it had taken the job; the next one has said so
    assert all(NOT_TAKEN in text_of(message) for message in messages.values())
    assert len(messages) <= house.starts
    return Counter(end.state for end in ends)


async def test_every_accepted_job_ends_once_whatever_is_killed(discord: Playground, tmp_path: Path) -> None:
    house = House(discord, tmp_path)
    print(f"DARKROOM_SOAK_SEED={SEED}", flush=True)
    asking = asyncio.create_task(house.ask_on())
    await live_through(house, KILLS)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    with house.running() as darkroom:
        await asyncio.to_thread(darkroom.until_ready)
        async with store(tmp_path) as database:
            await drain(database)
            ends = await check_every_end(house, database)
            print(f"{len(house.asked)} asked, {house.starts} starts, {dict(ends)}", flush=True)
            assert ends[DONE] > ends[FAILED] and sum(ends.values()) >= KILLS
            assert set(ends) <= {DONE, FAILED, CANCELLED}
            await buttons_work(house)
        await asyncio.to_thread(darkroom.stop)


async def buttons_work(house: House) -> None:
    """Under a message that is older than most of the processes that there have been."""
    ann = house.people[0]
    old = next(message for message in house.messages() if "Again" in labels(message))
    again = await ann.click(old, label="Again")
    await ann.answered(again)
    world = house.discord.world
    await house.discord.wait_for(lambda: "Again" in labels(world.message(old.channel_id, again.response_id or 0)), UP)
    new = world.message(old.channel_id, again.response_id or 0)
    assert any(file.filename.startswith("darkroom-") for file in new.attachments)
    with contextlib.suppress(PlaygroundError):  # acknowledged or not, what counts is that it is gone
        await ann.answered(await ann.click(new, label="Delete"))
    await house.discord.wait_for(lambda: world.find_message(new.channel_id, new.id) is None, UP)
