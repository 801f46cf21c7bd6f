"""Workers on other machines, over a real NATS server: what holds for one process over a pipe holds for them."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from generation import events
from generation.dispatch import network
from generation.dispatch.nats import NatsDispatcher
from generation.dispatch.remote_worker import RemoteWorker
from generation.errors import GenerationError, WorkerGone
from generation.models import ModelInfo, Models, pocket_model
from generation.studio import JobDone, JobFailed, Studio
from store.database import Database
from store.files import Files
from tests.bot.scripted import facts_of
from tests.darkroom_process import environment
from tests.dispatch.support import order as order_for
from tests.generation.support import ANN, PLACE, PlayedWorker
from tests.nats_server import NatsServer

PATIENCE = 20.0  # seconds
LEASE = 1.0  # seconds
MODEL = ModelInfo(name="small", source="nowhere", steps=10, width=64, height=64)
LARGE = random.Random(1).randbytes(3 * 2**20)  # more than one message of NATS's


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(running_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> NatsServer:
    monkeypatch.setattr(network, "BEAT", 0.1)
    return running_server


class Bot:
    """The dispatcher, and all that it has said."""

    def __init__(self, url: str) -> None:
        self.dispatcher = NatsDispatcher(url, lease=LEASE)
        self.seen: list[events.Event] = []

    async def listen(self) -> None:
        async for event in self.dispatcher.events():
            self.seen.append(event)

    def ends(self) -> list[events.Event]:
        return [event for event in self.seen if isinstance(event, events.Finished | events.Failed | events.Cancelled)]

    async def order(self, job: int, **changes: object) -> events.Generate:
        order = msgspec.structs.replace(order_for(MODEL, job), **changes)
        await self.dispatcher.submit(order)
        return order


@asynccontextmanager
async def bot(url: str) -> AsyncIterator[Bot]:
    running = Bot(url)
    await running.dispatcher.start()
    listening = asyncio.create_task(running.listen())
    yield running
    await running.dispatcher.close()
    await listening


class Machine:
    """A worker machine: the real bridge, and a scripted worker behind it."""

    def __init__(self, url: str, *, lanes: int = 2) -> None:
        self.worker = PlayedWorker(Models((MODEL,)), lanes=lanes)
        self.bridge = RemoteWorker(url, self.worker)
        self.stopping = asyncio.Event()
        self.task = asyncio.create_task(self.bridge.run(self.stopping))

    async def stop(self) -> None:
        self.stopping.set()
        await self.task

    async def vanish(self) -> None:
        """As if the power were cut: nothing is said any more."""
        assert self.bridge._post is not None
        await self.bridge._post.connection._close(self.bridge._post.connection.CLOSED, do_cbs=False)
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not look():  # noqa: ASYNC110  # what is looked at has no event
            await asyncio.sleep(0.01)


async def test_an_order_and_a_picture_too_large_for_a_message_come_through_once(server: NatsServer) -> None:
    async with bot(server.url) as here:
        machine = Machine(server.url)
        await until(lambda: here.dispatcher.lanes_free == 2)
        order = await here.order(1, init_image=LARGE)
        assert here.dispatcher.lanes_free == 1
        await until(lambda: machine.worker.running)
        assert machine.worker.orders == [order]
        machine.worker.progress(1, 1)
        await until(lambda: any(isinstance(event, events.Progress) for event in here.seen))
        machine.worker.say(machine.worker.finished(order, picture=LARGE, trajectory=LARGE[::-1]))
        del machine.worker.running[1]
        await until(here.ends)
        (end,) = here.ends()
        assert isinstance(end, events.Finished) and (end.picture, end.trajectory) == (LARGE, LARGE[::-1])
        assert here.dispatcher.lanes_free == 2
        assert [type(event).__name__ for event in here.seen][-4:] == ["Ready", "Started", "Progress", "Finished"]
        frames = await here.dispatcher.frames(
            events.DecodeFrames(query=0, model="small", trajectory=LARGE, steps=(1, 2))
        )
        assert [frame.step for frame in frames.frames] == [1, 2]
        with pytest.raises(GenerationError, match="None of the workers that are connected has the model other"):
            await here.order(2, request=msgspec.structs.replace(order.request, model="other"))
        await machine.stop()
        await until(lambda: here.dispatcher.lanes_free == 0)


async def test_jobs_go_to_free_lanes_only_and_a_cancel_reaches_the_worker_that_has_the_job(server: NatsServer) -> None:
    async with bot(server.url) as here:
        one, two = Machine(server.url, lanes=1), Machine(server.url, lanes=1)
        await until(lambda: here.dispatcher.lanes_free == 2)
        await here.order(1)
        await here.order(2)
        await until(lambda: one.worker.running and two.worker.running)
        seen = {worker.name: worker.jobs for worker in here.dispatcher.workers()}
        assert sorted(seen.values()) == [(1,), (2,)] and all(worker.state for worker in here.dispatcher.workers())
        with pytest.raises(WorkerGone):
            await here.order(3)
        (job,) = two.worker.running
        await here.dispatcher.cancel(job, 1)
        await until(lambda: here.ends() == [events.Cancelled(job=job, attempt=1)])
        assert one.worker.cancels == [] and here.dispatcher.lanes_free == 1
        await one.stop()
        await two.stop()


async def test_what_a_worker_held_that_vanishes_is_reported_lost(server: NatsServer) -> None:
    async with bot(server.url) as here:
        machine, other = Machine(server.url, lanes=2), Machine(server.url, lanes=1)
        await until(lambda: here.dispatcher.lanes_free == 3)
        await here.order(1)
        await until(lambda: machine.worker.running)
        await machine.vanish()
        await until(here.ends)
        (end,) = here.ends()
        assert isinstance(end, events.Failed) and end.retry and not end.returned and end.reference
        await until(lambda: here.dispatcher.lanes_free == 1)
        await here.order(1, attempt=2)
        await until(lambda: other.worker.running)
        await other.stop()


async def test_a_worker_that_is_told_to_stop_gives_back_what_it_has(server: NatsServer) -> None:
    async with bot(server.url) as here:
        machine = Machine(server.url)
        await until(lambda: here.dispatcher.lanes_free == 2)
        await here.order(1)
        await until(lambda: machine.worker.running)
        await machine.stop()
        await until(here.ends)
        (end,) = here.ends()
        assert isinstance(end, events.Failed) and end.retry and end.returned


async def test_a_result_of_an_earlier_life_of_the_bot_counts_no_more(server: NatsServer) -> None:
    async with bot(server.url) as first:
        machine = Machine(server.url)
        await until(lambda: first.dispatcher.lanes_free == 2)
        order = await first.order(1)
        await until(lambda: machine.worker.running)
        machine.worker.stops_at_once = False
    async with bot(server.url) as second:
        await until(lambda: second.dispatcher.lanes_free == 2 and machine.worker.cancels)
        machine.worker.finish(1)
        await second.order(2)
        await until(lambda: 2 in machine.worker.running)
        machine.worker.finish(2)
        await until(second.ends)
        assert [getattr(end, "job", None) for end in second.ends()] == [2]
        assert order.job == 1
        await machine.stop()


async def test_a_server_that_is_killed_in_the_middle_loses_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "BEAT", 0.1)
    monkeypatch.setattr(network, "LEASE", 15.0)
    server = NatsServer(tmp_path)
    await asyncio.to_thread(server.start)
    here = Bot(server.url)
    here.dispatcher = NatsDispatcher(server.url, lease=15.0)
    await here.dispatcher.start()
    listening = asyncio.create_task(here.listen())
    machine = Machine(server.url)
    await until(lambda: here.dispatcher.lanes_free == 2)
    order = await here.order(1)
    await until(lambda: machine.worker.running)
    await asyncio.to_thread(server.kill)
    del machine.worker.running[1]
    machine.worker.say(machine.worker.finished(order, picture=LARGE))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)
    await until(here.ends)
    (end,) = here.ends()
    assert isinstance(end, events.Finished) and end.picture == LARGE and end.facts == facts_of(order.request)
    await machine.stop()
    await here.dispatcher.close()
    await listening
    await asyncio.to_thread(server.kill)


def worker_process(server: NatsServer, folder: Path, model: ModelInfo) -> subprocess.Popen[bytes]:
    settings = {"DARKROOM_NATS": server.url, "DARKROOM_MODELS": msgspec.json.encode([model]).decode()}
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "worker"], env=environment(folder, **settings), start_new_session=True
    )


@pytest.mark.timeout(200)  # seconds: two starts of torch on a machine that may be busy
async def test_a_studio_gets_its_picture_although_a_real_worker_machine_is_lost_in_the_middle(
    server: NatsServer, tmp_path: Path, tiny: ModelInfo
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/darkroom.sqlite3")
    await database.open()
    models = Models((tiny, pocket_model()))
    studio = Studio(database, Files(tmp_path), NatsDispatcher(server.url, lease=8.0), models)
    await studio.start()
    first, second = (worker_process(server, tmp_path, tiny) for _ in range(2))
    done = asyncio.create_task(_first_done(studio))
    try:
        request = msgspec.structs.replace(order_for(tiny, 1).request, steps=900)
        async with asyncio.timeout(150):
            while studio._dispatcher.lanes_free < 32:  # noqa: ASYNC110  # both are there
                await asyncio.sleep(0.1)
            job = await studio.submit(request, ANN, PLACE)
            while not any(handed.progress for handed in studio._handed.values()):  # as above
                assert not done.done()
                await asyncio.sleep(0.05)
            dispatcher = studio._dispatcher
            assert isinstance(dispatcher, NatsDispatcher)
            (held,) = dispatcher._handed.values()
            victim = first if f"-{first.pid}-" in held.worker else second
            os.killpg(victim.pid, signal.SIGKILL)
            told = await done
        assert told.job == job.id and told.picture.run.request == request
        after = await studio.job(job.id)
        assert after is not None and (after.state, after.attempt, after.deaths) == ("done", 2, 1)
        survivor = second if victim is first else first
        survivor.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(survivor.wait, 30) == 0
    finally:
        done.cancel()
        for process in (first, second):
            process.kill()
            process.wait()
        await studio.close()
        await database.close()


async def _first_done(studio: Studio) -> JobDone:
    async for update in studio.watch():
        assert not isinstance(update, JobFailed), update
        if isinstance(update, JobDone):
            return update
    raise AssertionError("the studio was closed")
