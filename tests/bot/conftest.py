"""A real bot with a real store and a scripted worker, on two Discords: simcord's and our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest

from bot.client import DarkroomBot, create_bot
from bot.delivery import Spawn
from bot.parts import Parts
from bot.settings import Settings
from explainer.desk import Desk
from explainer.link import ReaderLink
from generation.models import ModelInfo, Models, pocket_model
from generation.studio import Studio
from store.database import Database
from store.files import Files
from tests.bot.driving import PATIENCE, Driver, Process
from tests.bot.loopback_driver import loopback
from tests.bot.scripted import ScriptedDispatcher, ScriptedReader
from tests.bot.simcord_driver import simulated

HARNESSES: dict[str, Callable[[Process], AbstractAsyncContextManager[Driver]]] = {
    "simcord": simulated,
    "loopback": loopback,
}
INTERVAL = 0.2  # seconds between edits; people get at least 1.5, a test has no time for that
BIG = ModelInfo(name="big", source="nowhere", title="Large pictures", steps=30, width=64, height=64, max_side=256)


class Stage:
    """The bot's process: parts on a data folder, and a bot that uses them."""

    def __init__(self, folder: Path) -> None:
        self.pocket = folder.parent / "pocket"  # without a vocabulary until a test writes one: it takes any words
        pocket = msgspec.structs.replace(pocket_model(), source=str(self.pocket))
        self.settings = Settings(data=folder, models=(pocket, BIG), waiting_limit=3)
        self.interval = INTERVAL
        self.lanes = 1
        self.reader = ScriptedReader()
        self.worker: ScriptedDispatcher
        self.parts: Parts
        self.bot: DarkroomBot

    async def open(self, spawn: Spawn = asyncio.create_task) -> DarkroomBot:
        """A new process on the same data, with a new worker."""
        models: Models = self.settings.known_models
        database = Database(self.settings.database_url)
        await database.open()
        files = Files(self.settings.data)
        self.worker = ScriptedDispatcher(models, lanes=self.lanes)
        studio = Studio(database, files, self.worker, models, most_waiting=self.settings.waiting_limit)
        await studio.start()
        reader = ReaderLink(self.settings.reader)  # it starts with the first question
        self.parts = Parts(
            database=database, files=files, studio=studio, desk=Desk(database, self.reader), reader=reader
        )
        self.bot = create_bot(self.settings, parts=self.parts, spawn=spawn, progress_interval=self.interval)
        return self.bot

    async def all_delivered(self) -> None:
        """Wait until nothing is left to show."""
        async with asyncio.timeout(PATIENCE):
            while await self.parts.studio.undelivered():  # noqa: ASYNC110  # the store has no event to wait for
                await asyncio.sleep(0.01)

    async def stored(self, job: int) -> None:
        """Wait until the job's picture is in the store."""
        async with asyncio.timeout(PATIENCE):
            while await self.parts.studio.picture_of(job) is None:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End the process, with whatever is under way."""
        await self.bot.close()
        await self.parts.studio.close()
        await self.parts.database.close()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "data")


@pytest.fixture(params=HARNESSES)
async def driver(request: pytest.FixtureRequest, stage: Stage) -> AsyncIterator[Driver]:
    """People at a channel, of a simulated Discord and of our own in turn."""
    async with HARNESSES[request.param](stage) as driver:
        yield driver
