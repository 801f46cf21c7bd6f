"""A picture arrives, once, although a process is killed while it is made.

`darkroom run` runs as on a server, with a token, a real worker and a tiny model; Discord is a loopback one that
lives in the test's process and goes on living.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from bot.playground import Person, Playground
from bot.playground.records import Message
from bot.settings import DATABASE_NAME
from store import jobs
from store.database import Database
from store.jobs import JobRow
from tests.darkroom_process import PATIENCE, DarkroomProcess, darkroom_process, gone
from tests.discord_spec import request_problems
from tests.tiny_models import save_tiny_model

T = TypeVar("T")
STEPS = 700  # some seconds: long enough to be killed in

pytestmark = pytest.mark.timeout(300)  # seconds: two starts of torch, on a machine that may be busy


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    return msgspec.json.encode([save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")]).decode()


@pytest.fixture
async def discord() -> AsyncIterator[Playground]:
    """At the end nothing may have been sent that Discord would not take."""
    playground = Playground()
    await playground.start()
    yield playground
    await playground.close()
    assert playground.missing == []
    sent = [(request.method, request.path, request.body) for request in playground.requests]
    assert [problem for request in sent for problem in request_problems(*request)] == []


class House:
    """A `darkroom run` on the loopback Discord, and Alice who looks at it."""

    def __init__(self, discord: Playground, folder: Path, models: str) -> None:
        self.discord = discord
        self.alice: Person = discord.user("Alice")
        self._folder = folder
        self._models = models

    @contextmanager
    def running(self) -> Iterator[DarkroomProcess]:
        address = self.discord.api_base, self.discord.gateway_url
        settings = {"DISCORD_TOKEN": self.discord.bot_token, "DARKROOM_MODELS": self._models}
        with darkroom_process(self._folder, discord=address, **settings) as process:
            yield process

    async def until(self, look: Callable[[], T | None]) -> T:
        return await self.discord.wait_for(look, within=PATIENCE)

    async def in_the_middle_of_a_picture(self, darkroom: DarkroomProcess) -> Message:
        """The message of a job that has come some steps far."""
        await asyncio.to_thread(darkroom.until_ready)
        await self.until(lambda: "imagine" in self.alice.commands())
        earlier = len(self.alice.messages())
        started = await self.alice.slash("imagine", prompt="a red fox", seed=7, steps=STEPS)
        await self.until(lambda: "Step " in self.text() if len(self.alice.messages()) > earlier else None)
        assert started.response_id is not None
        return self.alice.fresh(self.alice.messages()[-1])

    def text(self) -> str:
        """What the newest message says."""
        return "\n".join(str(embed.get("description")) for embed in self.alice.messages()[-1].embeds)

    async def the_picture(self, name: str) -> Message:
        """The newest message, once it has its picture and has come to rest."""

        def finished() -> Message | None:
            message = self.alice.messages()[-1]
            return message if any(file.filename == name for file in message.attachments) else None

        return await self.until(finished)

    async def undelivered(self) -> list[JobRow]:
        """What the store says is still to be shown."""
        database = Database(f"sqlite+aiosqlite:///{self._folder / 'data' / DATABASE_NAME}")
        await database.open()
        try:
            async with database.reading() as connection:
                return await jobs.undelivered(connection)
        finally:
            await database.close()

    def times_sent(self) -> int:
        """How often the finished picture was uploaded."""
        names = [name for request in self.discord.requests for name, _ in request.files]
        return sum(name.startswith("darkroom-") for name in names)


@pytest.fixture
def house(discord: Playground, tmp_path: Path, models: str) -> House:
    return House(discord, tmp_path, models)


async def test_a_picture_arrives_once_though_its_worker_is_killed_in_the_middle_and_the_next_though_the_bot_is(
    house: House,
) -> None:
    with house.running() as darkroom:
        before = await house.in_the_middle_of_a_picture(darkroom)
        (worker,) = darkroom.workers
        os.kill(worker, signal.SIGKILL)
        message = await house.the_picture("darkroom-1.png")
        assert darkroom.workers != [worker], "another worker made it"
        assert message.id == before.id and house.times_sent() == 1
        before = await house.in_the_middle_of_a_picture(darkroom)
        (worker,) = darkroom.workers
        darkroom.process.kill()
        darkroom.process.wait()
    await house.until(lambda: gone(worker))
    assert house.times_sent() == 1
    with house.running() as darkroom:
        message = await house.the_picture("darkroom-2.png")
        await asyncio.to_thread(darkroom.stop)
    assert message.id == before.id and house.times_sent() == 2, "in the same message, and the first not again"
    assert len(house.alice.messages()) == 2
    assert await house.undelivered() == [], "the next start would have nothing left to do"
