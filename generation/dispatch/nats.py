"""A dispatcher to workers on other machines, over NATS; see `generation.dispatch.network` for what is said.

Jobs are bound late: only as many are handed out as workers have lanes free, so that order, fairness and an admin's
edits stay in the store. A worker holds its jobs for as long as it is heard of; one that falls silent has lost them,
and each yields `Failed(retry=True)`. Ends come from a stream and are acknowledged when the consumer of `events` asks
for the next event, which is when they are stored. What an earlier process handed out counts no more: its jobs run
again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from generation.dispatch import network
from generation.dispatch.base import WorkerSeen
from generation.dispatch.network import Hello, Here, Key, Post, encode
from generation.errors import GenerationError, WorkerError, WorkerGone
from generation.events import (
    Cancel,
    Cancelled,
    DecodeFrames,
    Event,
    Failed,
    Finished,
    Frames,
    Generate,
    Inspect,
    Loading,
    PromptRead,
    QueryFailed,
    ReadPrompt,
    Ready,
    Status,
    TouchedUp,
    TouchUp,
    unpack_event,
)
from generation.frames import Message

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer", Frames, PromptRead, TouchedUp, Status)

WAITING_FOR_WORKERS = "waiting for a worker to connect"
QUERY_LIMIT = 120.0  # seconds for an answer to `frames` or `status`
CONNECT_PAUSE = 5.0  # seconds until it is tried again
FETCH_WAIT = 5.0  # seconds for which one request for results stands
STORING_LIMIT = 120.0  # seconds to store a result, after which the stream offers it again
LOST = "The worker that made this picture was lost."


@dataclass(kw_only=True)
class _Worker:
    here: Here
    heard: float  # loop time


@dataclass(frozen=True, kw_only=True)
class _Handed:
    worker: str
    at: float  # loop time


@dataclass(frozen=True, kw_only=True)
class _Item:
    event: Event
    taken: Callable[[], Awaitable[None]] | None = field(default=None)  # once the event has been dealt with


class NatsDispatcher:
    """Runs jobs in the workers of a NATS server; see `generation.dispatch.base.Dispatcher` for what is promised."""

    def __init__(self, url: str, *, lease: float = network.LEASE) -> None:
        """`lease`: seconds for which a worker may be silent."""
        self._url = url
        self._lease = lease
        self._session = secrets.token_hex(8)
        self._post: Post | None = None
        self._workers: dict[str, _Worker] = {}
        self._handed: dict[Key, _Handed] = {}
        self._cancelled: set[Key] = set()
        self._readiness: Ready | Loading | None = None
        self._events: asyncio.Queue[_Item | None] = asyncio.Queue()
        self._serving: asyncio.Task[None] | None = None

    @property
    def lanes_free(self) -> int:
        """How many more jobs the workers take now."""
        return sum(self._free(name) for name in self._workers)

    def workers(self) -> tuple[WorkerSeen, ...]:
        """All that are heard of, by name."""
        return tuple(
            WorkerSeen(
                name=name,
                state=worker.here.ready or worker.here.loading,
                jobs=tuple(job for (job, _), handed in self._handed.items() if handed.worker == name),
            )
            for name, worker in sorted(self._workers.items())
        )

    def _free(self, name: str) -> int:
        here = self._workers[name].here
        if here.ready is None or here.leaving:
            return 0
        ours = sum(handed.worker == name for handed in self._handed.values())
        return max(0, here.ready.lanes - ours)

    async def start(self) -> None:
        """Begin to listen for workers; returns at once."""
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve(), name="workers over NATS")

    async def close(self) -> None:
        """Let the workers stop what they do for us, and end `events()`."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        if self._post is not None:
            with contextlib.suppress(*network.TROUBLE):
                await self._post.connection.publish(network.HELLO, encode(Hello(session=None)))
                await asyncio.wait_for(self._post.connection.flush(), 1.0)
            with contextlib.suppress(*network.TROUBLE):
                await self._post.connection.close()
        self._events.put_nowait(None)

    # --- orders --------------------------------------------------------------------------------

    async def submit(self, order: Generate) -> None:
        """Hand a job to the worker that has most lanes free.

        Raises:
            WorkerGone: none took it.
            GenerationError: workers are there, but none has its model.
        """
        post, name = self._choose(order.request.model)
        key = (order.job, order.attempt)
        self._handed[key] = _Handed(worker=name, at=asyncio.get_running_loop().time())
        try:
            wrapped = await post.wrap(encode(order))
            headers = {network.SESSION: self._session}
            await post.connection.request(network.ORDERS + name, wrapped, network.REQUEST_LIMIT, headers=headers)
        except network.TROUBLE as error:
            if self._handed.pop(key, None) is None:
                return  # its worker was found to be gone meanwhile, and the attempt is reported
            raise WorkerGone("The worker takes no orders; the picture has to wait.") from error

    def _choose(self, model: str) -> tuple[Post, str]:
        free = [name for name in self._workers if self._free(name)]
        if self._post is None or not free:
            raise WorkerGone("No worker is free; the picture has to wait.")
        known = {
            name: ready
            for name, worker in self._workers.items()
            if (ready := worker.here.ready) is not None and model in ready.models
        }
        if not known:
            raise GenerationError(f"None of the workers that are connected has the model {model}.")
        # one that could not load it tries again, and says why, where no other can be asked
        able = [name for name, ready in known.items() if model not in ready.unusable] or list(known)
        if able_now := [name for name in able if name in free]:
            return self._post, max(able_now, key=self._free)
        raise WorkerGone(f"No worker that has the model {model} is free; the picture has to wait.")

    def _can(self, name: str, model: str) -> bool:
        ready = self._workers[name].here.ready
        return ready is not None and model in ready.models and model not in ready.unusable

    async def cancel(self, job: int, attempt: int) -> None:
        """Ask that the attempt stops at its next step; asked again for as long as its worker says that it runs it."""
        key = (job, attempt)
        if (handed := self._handed.get(key)) is not None:
            self._cancelled.add(key)
            await self._stop(handed.worker, key)

    async def _stop(self, worker: str, key: Key) -> None:
        if self._post is not None:
            with contextlib.suppress(*network.TROUBLE):
                await self._post.connection.publish(
                    network.CANCELS + worker, encode(Cancel(job=key[0], attempt=key[1]))
                )

    # --- questions -----------------------------------------------------------------------------

    async def frames(self, query: DecodeFrames) -> Frames:
        """Decoded steps of a stored trajectory.

        Raises:
            WorkerError: no worker could decode them, or none answered in time.
        """
        return await self._ask(query, Frames, query.model)

    async def read_prompt(self, query: ReadPrompt) -> PromptRead:
        """How a model reads a prompt.

        Raises:
            WorkerError: no worker can tell, or none answered in time.
        """
        return await self._ask(query, PromptRead, query.model)

    async def touch_up(self, query: TouchUp) -> TouchedUp:
        """A picture with final touches.

        Raises:
            WorkerError: it cannot be touched up, or no worker answered in time.
        """
        return await self._ask(query, TouchedUp)

    async def status(self) -> Status:
        """What one of the workers runs and holds.

        Raises:
            WorkerGone: none answered in time.
        """
        return await self._ask(Inspect(query=0), Status)

    async def _ask(self, question: Message, kind: type[_Answer], model: str | None = None) -> _Answer:
        able = [
            name
            for name, worker in self._workers.items()
            if worker.here.ready and (not model or self._can(name, model))
        ]
        if self._post is None or not able:
            raise WorkerGone("No worker is connected that could answer; please try again in a minute.")
        try:
            wrapped = await self._post.wrap(encode(question))
            reply = await self._post.connection.request(network.ASKS + max(able, key=self._free), wrapped, QUERY_LIMIT)
            answer = unpack_event(await self._post.take(reply.data))
        except (msgspec.MsgspecError, *network.TROUBLE) as error:
            raise WorkerGone("The worker did not answer in time; please try again in a minute.") from error
        if isinstance(answer, QueryFailed):
            raise WorkerError(answer.sentence)
        if not isinstance(answer, kind):
            raise WorkerError("The worker gave an answer to another question.")
        return answer

    # --- listening -----------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[Event]:
        """The events of all workers, for one consumer, until the dispatcher is closed."""
        while (item := await self._events.get()) is not None:
            yield item.event
            if item.taken is not None:
                await item.taken()

    async def _serve(self) -> None:
        self._announce()
        while self._post is None:
            try:
                self._post = await network.open_post(self._url, "darkroom bot")
            except network.TROUBLE as error:
                log.error("The NATS server cannot be used, which is tried again: %s", error)
                await asyncio.sleep(CONNECT_PAUSE)
        connection = self._post.connection
        await connection.subscribe(network.HERE, cb=self._hear)
        await connection.subscribe(network.NEWS, cb=self._hear_news)
        await connection.publish(network.HELLO, encode(Hello(session=self._session)))
        await asyncio.gather(self._watch(), self._collect(self._post))

    async def _hear(self, message: Msg) -> None:
        try:
            here = network.decode_here(message.data)
        except msgspec.MsgspecError as error:
            log.warning("A worker of another version is connected: %s", error)
            return
        if here.worker not in self._workers:
            log.info("worker %s is here", here.worker)
        self._workers[here.worker] = _Worker(here=here, heard=asyncio.get_running_loop().time())
        for key in here.running:
            if key not in self._handed or key in self._cancelled:
                await self._stop(here.worker, key)
        self._announce()

    async def _hear_news(self, message: Msg) -> None:
        with contextlib.suppress(msgspec.MsgspecError):
            event = unpack_event(message.data)
            if (getattr(event, "job", None), getattr(event, "attempt", None)) in self._handed:
                self._events.put_nowait(_Item(event=event))

    def _announce(self) -> None:
        """Tell of the workers together, where that has changed."""
        ready = [
            worker.here.ready for worker in self._workers.values() if worker.here.ready and not worker.here.leaving
        ]
        now: Ready | Loading
        if ready:
            now = together(ready)
        else:
            loading = [worker.here.loading for worker in self._workers.values() if worker.here.loading]
            now = loading[0] if loading else Loading(what=WAITING_FOR_WORKERS, done=0, total=1)
        if now != self._readiness:
            self._readiness = now
            self._events.put_nowait(_Item(event=now))

    async def _watch(self) -> None:
        """Give up what silent workers hold, and what a worker does not know of."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._lease / 10)
            silent = {name for name, worker in self._workers.items() if clock() - worker.heard > self._lease}
            for name in silent:
                log.error("worker %s has given no sign of life for %.0f s", name, self._lease)
                del self._workers[name]
            for key, handed in list(self._handed.items()):
                known = self._workers.get(handed.worker)
                holds = known is not None and key in known.here.running
                if handed.worker in silent or (not holds and clock() - handed.at > self._lease):
                    self._give_up(key)
            if silent:
                self._announce()

    def _give_up(self, key: Key) -> None:
        del self._handed[key]
        self._cancelled.discard(key)
        reference = secrets.token_hex(4)
        log.warning("reference %s: job %d, attempt %d was lost with its worker", reference, *key)
        failed = Failed(job=key[0], attempt=key[1], sentence=LOST, reference=reference, retry=True)
        self._events.put_nowait(_Item(event=failed))

    async def _collect(self, post: Post) -> None:
        """Fetch how jobs ended, one after the other."""
        config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=STORING_LIMIT)
        subscription = None
        while True:
            try:
                if subscription is None:
                    subscription = await post.jetstream.pull_subscribe(
                        network.RESULTS, durable="bot", stream=network.RESULTS_STREAM, config=config
                    )
                for message in await subscription.fetch(1, FETCH_WAIT):
                    await self._take_result(post, message)
            except TimeoutError:
                continue
            except network.TROUBLE as error:
                log.warning("Results cannot be fetched, which is tried again: %s", error)
                await asyncio.sleep(1.0)

    async def _take_result(self, post: Post, message: Msg) -> None:
        async def taken() -> None:
            await post.forget(message.data)
            with contextlib.suppress(*network.TROUBLE):  # then it is offered again, and dropped
                await message.ack()

        event = None
        if (message.headers or {}).get(network.SESSION) == self._session:
            try:
                event = unpack_event(await post.unwrap(message.data))
            except (msgspec.MsgspecError, NotFoundError) as error:
                log.error("A result cannot be read: %r", error)
        if isinstance(event, Finished | Failed | Cancelled) and (event.job, event.attempt) in self._handed:
            del self._handed[event.job, event.attempt]
            self._cancelled.discard((event.job, event.attempt))
            self._events.put_nowait(_Item(event=event, taken=taken))
        else:
            await taken()


def together(workers: list[Ready]) -> Ready:
    """Several workers as if they were one."""
    first = workers[0]
    return Ready(
        lanes=sum(each.lanes for each in workers),
        models=tuple(dict.fromkeys(model for each in workers for model in each.models)),
        device=", ".join(dict.fromkeys(each.device for each in workers)),
        dtype=", ".join(dict.fromkeys(each.dtype for each in workers)),
        threads=first.threads,
        weights_sha256={name: digest for each in workers for name, digest in each.weights_sha256.items()},
        seconds_per_step={
            name: seconds for each in reversed(workers) for name, seconds in each.seconds_per_step.items()
        },
        together=_sharing(workers),
        versions=first.versions,
        unusable={
            name: sentence
            for each in workers
            for name, sentence in each.unusable.items()
            if all(name in other.unusable or name not in other.models for other in workers)
        },
        sharing={name: how for each in reversed(workers) for name, how in each.sharing.items()},
    )


def _sharing(workers: list[Ready]) -> dict[str, tuple[int, float]]:
    """By model: how many pictures are made at once by all, and the seconds of a step for each of them."""
    rates: dict[str, list[tuple[int, float]]] = {}
    for each in workers:
        for name, sharing in each.together.items():
            rates.setdefault(name, []).append(sharing)
    return {
        name: (sum(jobs for jobs, _ in each), 1 / sum(1 / seconds for _, seconds in each if seconds))
        for name, each in rates.items()
        if any(seconds for _, seconds in each)
    }
