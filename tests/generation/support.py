"""People, requests, and a worker that the test plays to the letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from generation import events
from generation.models import ModelInfo, Models
from generation.queue import Job, Owner, Place
from generation.request import GenerationRequest, make_request
from generation.studio import JobDone, JobUpdate, Studio
from store.database import Database
from store.files import Files
from tests.bot.scripted import ScriptedDispatcher, encoded, facts_of

MODEL = ModelInfo(name="small", source="nowhere", steps=10, width=64, height=64, max_side=2_000)
SLOW = ModelInfo(name="slow", source="nowhere", steps=10, width=64, height=64)
MODELS = Models((MODEL, SLOW))
PATIENCE = 20.0  # seconds until a test gives up waiting; nothing here takes one


def owner(name: str) -> Owner:
    return Owner(source="discord", external_id=f"id-of-{name}", name=name)


ANN, BOB, CID = owner("Ann"), owner("Bob"), owner("Cid")
PLACE = Place(channel="12", guild="34", message="56", interaction="78", extra={"strip": True})


def wish(steps: int = 10, **wishes: Any) -> GenerationRequest:
    return make_request(MODEL, **({"prompt": "a red fox", "seed": 3, "steps": steps} | wishes))


class PlayedWorker(ScriptedDispatcher):
    """The scripted worker, of which a test may also ask what seldom happens."""

    def __init__(self, models: Models = MODELS, *, lanes: int = 1) -> None:
        super().__init__(models, lanes=lanes)
        self.stops_at_once = True  # else a cancelled attempt goes on until the test ends it
        self.takes: Callable[[events.Generate], BaseException | None] = lambda _order: None
        self.taking = asyncio.Event()  # somebody is in `submit`
        self.hold = asyncio.Event()  # `submit` waits for this
        self.hold.set()

    async def submit(self, order: events.Generate) -> None:
        self.taking.set()
        await self.hold.wait()
        if error := self.takes(order):
            raise error
        await super().submit(order)

    async def cancel(self, job: int, attempt: int) -> None:
        if self.stops_at_once:
            await super().cancel(job, attempt)
        else:
            self.cancels.append(job)

    def say(self, event: events.Event) -> None:
        """Whatever a worker may say, whether it makes sense or not."""
        self._events.put_nowait(event)

    def die(self) -> None:
        """The process ends with everything in its hands."""
        for job in list(self.running):
            self.fail(job, "The worker ended.", retry=True)

    def finished(self, order: events.Generate, **changes: Any) -> events.Finished:
        values = {
            "job": order.job,
            "attempt": order.attempt,
            "facts": facts_of(order.request),
            "picture": encoded(order.request, "PNG"),
            "trajectory": b"the latents of every step",
        }
        return events.Finished(**(values | changes))

    async def until_running(self, count: int = 1) -> events.Generate:
        await until(lambda: len(self.running) >= count)
        return self.orders[-1]


class NoWorker(PlayedWorker):
    """It never becomes ready."""

    @property
    def lanes_free(self) -> int:
        return 0


class Listening:
    """Everything that one listener has heard."""

    def __init__(self, studio: Studio) -> None:
        self.heard: list[JobUpdate] = []
        self._task = asyncio.create_task(self._listen(studio.watch()))

    async def _listen(self, updates: AsyncIterator[JobUpdate]) -> None:
        async for update in updates:
            self.heard.append(update)

    async def until(self, kind: type[JobUpdate], job: int) -> Any:
        """The first update of this kind about this job; it need not be the first to come."""

        def found() -> JobUpdate | None:
            return next((update for update in self.heard if isinstance(update, kind) and update.job == job), None)

        await until(lambda: found() is not None)
        return found()

    def kinds(self, job: int) -> list[str]:
        return [type(update).__name__ for update in self.heard if update.job == job]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class House:
    """A studio on a data folder, which can be left and opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database: Database
        self.files: Files
        self.studio: Studio
        self.worker: PlayedWorker
        self.news: Listening

    async def open(self, worker: PlayedWorker | None = None, **options: Any) -> Studio:
        self.database = Database(f"sqlite+aiosqlite:///{self.folder}/darkroom.sqlite3")
        await self.database.open()
        self.files = Files(self.folder)
        self.worker = worker or PlayedWorker()
        self.studio = Studio(self.database, self.files, self.worker, MODELS, **options)
        self.news = Listening(self.studio)
        await asyncio.sleep(0)  # so that it listens
        await self.studio.start()
        return self.studio

    async def close(self) -> None:
        await self.studio.close()
        await self.news.stop()
        await self.database.close()

    async def vanish(self) -> None:
        """The process is gone without a word: nothing is put back and no worker is stopped."""
        for task in self.studio._tasks:
            task.cancel()
        await asyncio.gather(*self.studio._tasks, return_exceptions=True)
        await self.news.stop()
        await self.database.close()

    async def running(self, by: Owner = ANN, **wishes: Any) -> Job:
        """A job in the worker's hands."""
        job = await self.studio.submit(wish(**wishes), by, PLACE)
        await until(lambda: job.id in self.worker.running)
        return job

    async def done(self, by: Owner = ANN, **wishes: Any) -> JobDone:
        """The update that tells of a finished picture."""
        job = await self.running(by, **wishes)
        self.worker.finish(job.id)
        told = await self.news.until(JobDone, job.id)
        assert isinstance(told, JobDone)
        return told

    async def frames_kept(self, count: int = 1) -> None:
        """Wait until the frames of so many pictures are kept."""
        async with asyncio.timeout(PATIENCE):
            while await self.count_frames() != count:  # noqa: ASYNC110  # the store has no event to wait for
                await asyncio.sleep(0.01)

    async def count_frames(self) -> int:
        async with self.database.reading() as connection:
            found = await connection.execute(text("SELECT count(*) FROM runs WHERE frames IS NOT NULL"))
            return int(found.scalar_one())

    def kept(self) -> list[Path]:
        """All files of pictures and steps, unfinished ones too."""
        return sorted(path for path in (self.folder / "files").rglob("*") if path.is_file())


async def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110  # the condition is of any kind and has no event
            await asyncio.sleep(0.005)
