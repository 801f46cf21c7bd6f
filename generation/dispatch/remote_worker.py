"""The worker's side of the network: takes orders from NATS and has a local dispatcher carry them out.

It dials out only, so a machine at home can serve a bot in a data centre. It holds its jobs by saying every few seconds
that it is here; that is done in this process, which no forward and no compilation can hold up. How a job ended is
put into the stream for as long as it takes. Knows no torch, no store and no front end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import secrets
from collections.abc import Awaitable, Callable

import msgspec
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from generation.dispatch import network
from generation.dispatch.base import Dispatcher
from generation.dispatch.network import Here, Key, Post, encode
from generation.errors import GenerationError, WorkerGone
from generation.events import (
    Cancel,
    Cancelled,
    DecodeFrames,
    Event,
    Failed,
    Finished,
    Generate,
    Inspect,
    Loading,
    Progress,
    QueryFailed,
    ReadPrompt,
    Ready,
    Started,
    TouchUp,
    unpack_order,
)

log = logging.getLogger(__name__)

RETRY_PAUSE = 1.0  # seconds until a result is sent again
RETURNING_LIMIT = 10.0  # seconds to give back what runs when it is told to stop
STOPPED = "The worker that made this picture was stopped."


class RemoteWorker:
    """One worker of a NATS server."""

    def __init__(self, url: str, dispatcher: Dispatcher, *, name: str | None = None) -> None:
        """`name` tells it from the others; None: the machine's, with some letters of its own."""
        machine = "".join(letter if letter.isalnum() else "-" for letter in platform.node()) or "worker"
        self.name = name or f"{machine}-{os.getpid()}-{secrets.token_hex(2)}"
        self._url = url
        self._dispatcher = dispatcher
        self._post: Post | None = None
        self._ready: Ready | None = None
        self._loading: Loading | None = None
        self._sessions: dict[Key, str] = {}  # of what it has in its hands
        self._leaving = False
        self._reports: set[asyncio.Task[None]] = set()

    @property
    def readiness(self) -> Ready | Loading | None:
        """The latest that the local worker said of itself."""
        return self._ready or self._loading

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set, then give back what runs.

        Raises:
            nats.errors.Error, OSError: the server cannot be used.
        """
        post = self._post = await network.open_post(self._url, f"darkroom worker {self.name}")
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._dispatcher.start()
            listening: tuple[tuple[str, Callable[[Msg], Awaitable[None]]], ...] = (
                (network.ORDERS + self.name, self._take_order),
                (network.CANCELS + self.name, self._take_cancel),
                (network.ASKS + self.name, self._spawn_answer),
                (network.HELLO, self._hear_hello),
            )
            for subject, callback in listening:
                await post.connection.subscribe(subject, cb=callback)
            tasks = [asyncio.create_task(work) for work in (self._beat(), self._follow())]
            stop = asyncio.create_task(stopping.wait())
            done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            for task in done - {stop}:
                task.result()
            await self._give_back()
        finally:
            for task in (*tasks, *self._reports):
                task.cancel()
            await asyncio.gather(*tasks, *self._reports, return_exceptions=True)
            await self._dispatcher.close()
            await post.connection.close()

    # --- what is said --------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await self._say_here()
            await asyncio.sleep(network.BEAT)

    async def _say_here(self) -> None:
        assert self._post is not None  # it runs
        here = Here(
            worker=self.name,
            ready=self._ready,
            loading=self._loading,
            running=tuple(self._sessions),
            leaving=self._leaving,
        )
        if self._post.connection.is_connected:  # else what was true long ago would be said later
            with contextlib.suppress(*network.TROUBLE):
                await self._post.connection.publish(network.HERE, encode(here))
                await self._post.connection.flush()

    async def _follow(self) -> None:
        async for event in self._dispatcher.events():
            match event:
                case Ready():
                    self._ready, self._loading = event, None
                    await self._say_here()
                case Loading():
                    self._loading = event
                    if self._dispatcher.lanes_free == 0 and not self._sessions:
                        self._ready = None
                    await self._say_here()
                case Started() | Progress():
                    await self._tell(event)
                case Finished() | Failed() | Cancelled():
                    self._report(event)

    async def _tell(self, event: Started | Progress) -> None:
        assert self._post is not None  # it runs
        if self._post.connection.is_connected:
            with contextlib.suppress(*network.TROUBLE):
                await self._post.connection.publish(network.NEWS, encode(event))

    def _report(self, event: Finished | Failed | Cancelled) -> None:
        task = asyncio.create_task(self._insist(event))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _insist(self, event: Finished | Failed | Cancelled) -> None:
        """Put the end of a job into the stream, however long it takes; until then it is held."""
        assert self._post is not None  # it runs
        key = (event.job, event.attempt)
        headers = {network.SESSION: self._sessions.get(key, ""), "Nats-Msg-Id": f"{self.name}-{key[0]}-{key[1]}"}
        while True:
            try:
                wrapped = await self._post.wrap(encode(event))
                await self._post.jetstream.publish(network.RESULTS, wrapped, headers=headers)
                break
            except network.TROUBLE as error:
                log.warning("The end of job %d cannot be sent, which is tried again: %s", event.job, error)
                await asyncio.sleep(RETRY_PAUSE)
        self._sessions.pop(key, None)
        await self._say_here()

    async def _give_back(self) -> None:
        """Take no more, and let the bot give to others what was not finished here."""
        self._leaving = True
        for job, attempt in list(self._sessions):
            await self._dispatcher.cancel(job, attempt)
            reference = secrets.token_hex(4)
            log.info("reference %s: job %d is given back, as this worker stops", reference, job)
            self._report(
                Failed(job=job, attempt=attempt, sentence=STOPPED, reference=reference, retry=True, returned=True)
            )
        await self._say_here()
        if self._reports:
            await asyncio.wait(self._reports, timeout=RETURNING_LIMIT)

    # --- what is heard -------------------------------------------------------------------------

    async def _take_order(self, message: Msg) -> None:
        assert self._post is not None  # it runs
        try:
            order = unpack_order(await self._post.take(message.data))
        except (msgspec.MsgspecError, NotFoundError) as error:
            log.error("An order cannot be read: %r", error)
            return  # unanswered: the bot gives it to another
        if self._leaving or not isinstance(order, Generate):
            return
        key = (order.job, order.attempt)
        self._sessions[key] = (message.headers or {}).get(network.SESSION, "")
        try:
            await self._dispatcher.submit(order)
        except WorkerGone:
            del self._sessions[key]
            return
        with contextlib.suppress(*network.TROUBLE):
            await message.respond(b"")

    async def _take_cancel(self, message: Msg) -> None:
        with contextlib.suppress(msgspec.MsgspecError):
            order = unpack_order(message.data)
            if isinstance(order, Cancel):
                await self._dispatcher.cancel(order.job, order.attempt)

    async def _hear_hello(self, message: Msg) -> None:
        with contextlib.suppress(msgspec.MsgspecError):
            session = network.decode_hello(message.data).session
            for (job, attempt), given in list(self._sessions.items()):
                if given != session:
                    await self._dispatcher.cancel(job, attempt)
        await self._say_here()

    async def _spawn_answer(self, message: Msg) -> None:
        task = asyncio.create_task(self._answer(message))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _answer(self, message: Msg) -> None:
        assert self._post is not None  # it runs
        answer: Event
        try:
            order = unpack_order(await self._post.take(message.data))
            match order:
                case DecodeFrames():
                    answer = await self._dispatcher.frames(order)
                case ReadPrompt():
                    answer = await self._dispatcher.read_prompt(order)
                case TouchUp():
                    answer = await self._dispatcher.touch_up(order)
                case Inspect():
                    answer = await self._dispatcher.status()
                case _:
                    return
        except GenerationError as error:
            answer = QueryFailed(query=0, sentence=str(error), reference="")
        except (msgspec.MsgspecError, NotFoundError) as error:
            log.error("A question cannot be read: %r", error)
            return
        with contextlib.suppress(*network.TROUBLE):
            await message.respond(await self._post.wrap(encode(answer)))
