"""A dispatcher over a pipe to one worker process on this machine, which it starts, watches and restarts.

A worker that dies, or hangs with jobs in its hands, takes only those attempts with it: each yields
`Failed(retry=True)`, and a new worker is started after a pause that doubles while workers keep dying. The dispatcher
does not know why a job is wanted, and runs nothing of torch in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from generation.dispatch.base import WorkerSeen
from generation.dispatch.child import SECRETS, STOP_GRACE, Child, ChildGone
from generation.errors import WorkerError, WorkerGone
from generation.events import (
    Answer,
    Cancel,
    Cancelled,
    Configure,
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
    Stop,
    TouchedUp,
    TouchUp,
    unpack_event,
)
from generation.frames import Message
from generation.models import Models

log = logging.getLogger(__name__)
worker_log = logging.getLogger("darkroom.worker")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a restart
SILENCE_LIMIT = 600.0  # seconds without any event, while jobs run, after which a worker counts as hung
LOADING_LIMIT = 1_800.0  # the same while it loads; a large model may have to be fetched first
QUERY_LIMIT = 120.0  # seconds for an answer to `frames` or `status`
WATCH_INTERVAL = 1.0  # seconds
ENDED = "The worker that made this picture ended unexpectedly."
HUNG = "The worker that made this picture stopped in the middle of a step, and was replaced."
EVENTS_HELD = 1_000  # a consumer that lags behind slows the worker down

_Answer = TypeVar("_Answer", bound=Answer)


class LocalDispatcher:
    """Runs jobs in one worker process; see `generation.dispatch.base.Dispatcher` for what each method promises."""

    def __init__(
        self,
        models: Models,
        *,
        device: str = "auto",
        threads: int | None = None,
        memory: int | None = None,
        silence_limit: float = SILENCE_LIMIT,
        loading_limit: float = LOADING_LIMIT,
        environment: Mapping[str, str] | None = None,
        upscaler: Path | None = None,
    ) -> None:
        model = None if upscaler is None else str(upscaler)
        self._configure = Configure(models=models.all, device=device, threads=threads, memory=memory, upscaler=model)
        self._silence_limit = silence_limit
        self._loading_limit = loading_limit
        self._environment = worker_environment(models, os.environ if environment is None else environment)
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(EVENTS_HELD)
        self._running: set[tuple[int, int]] = set()
        self._queries: dict[int, asyncio.Future[Answer]] = {}
        self._last_query = 0
        self._child: Child | None = None
        self._ready: Ready | None = None
        self._last_sign = 0.0  # loop time of the last event, or of the order that ended an idle time
        self._supervisor: asyncio.Task[None] | None = None
        self._closing = False
        self._hung = False  # the worker that ends now was killed because it did nothing

    @property
    def lanes_free(self) -> int:
        """How many more jobs the worker takes now; 0 while it is not ready."""
        return 0 if self._ready is None else max(0, self._ready.lanes - len(self._running))

    def workers(self) -> tuple[WorkerSeen, ...]:
        """None: the one process needs no name."""
        return ()

    @property
    def worker_pid(self) -> int | None:
        """The process id of the worker, for `doctor` and for tests that end it."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Begin to start and watch the worker; returns at once."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name="worker supervisor")

    async def close(self) -> None:
        """Stop the worker, by force where it does not leave by itself, and end `events()`."""
        self._closing = True
        if self._supervisor is not None:
            if self._child is not None:
                child = self._child
                with contextlib.suppress(WorkerGone):
                    await self._send(Stop())
                await child.leaves(STOP_GRACE)
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        self._fail_queries()
        while self._events.full():  # nobody reads any more; the end must still be seen by who does
            self._events.get_nowait()
        self._events.put_nowait(None)

    async def submit(self, order: Generate) -> None:
        """Hand a job to the worker.

        Raises:
            WorkerGone: there is no worker to take it; the job was not handed over.
        """
        if self._ready is None:
            raise WorkerGone("The worker is not ready; the picture has to wait.")
        key = (order.job, order.attempt)
        self._touch_if_idle()
        self._running.add(key)
        try:
            await self._send(order)
        except WorkerGone:
            if key not in self._running:
                return  # the supervisor saw the worker end first, and has reported the attempt
            self._running.discard(key)
            raise

    async def cancel(self, job: int, attempt: int) -> None:
        """Ask the worker to stop the attempt at its next step."""
        if (job, attempt) in self._running:
            with contextlib.suppress(WorkerGone):  # then the attempt is reported as failed
                await self._send(Cancel(job=job, attempt=attempt))

    async def events(self) -> AsyncIterator[Event]:
        """The events of the worker, for one consumer, until the dispatcher is closed."""
        while (event := await self._events.get()) is not None:
            yield event

    async def frames(self, query: DecodeFrames) -> Frames:
        """Decoded steps of a stored trajectory.

        Raises:
            WorkerError: they cannot be decoded, or the worker did not answer in time.
        """
        return await self._ask(lambda number: msgspec.structs.replace(query, query=number), Frames)

    async def read_prompt(self, query: ReadPrompt) -> PromptRead:
        """How a model reads a prompt.

        Raises:
            WorkerError: it cannot be told, or the worker did not answer in time.
        """
        return await self._ask(lambda number: msgspec.structs.replace(query, query=number), PromptRead)

    async def touch_up(self, query: TouchUp) -> TouchedUp:
        """A picture with final touches.

        Raises:
            WorkerError: they cannot be done, or the worker did not answer in time.
        """
        return await self._ask(lambda number: msgspec.structs.replace(query, query=number), TouchedUp)

    async def status(self) -> Status:
        """What the worker runs and holds.

        Raises:
            WorkerGone: the worker did not answer in time.
        """
        return await self._ask(lambda number: Inspect(query=number), Status)

    # --- orders --------------------------------------------------------------------------------

    async def _ask(self, order: Callable[[int], Message], kind: type[_Answer]) -> _Answer:
        self._last_query += 1
        number = self._last_query
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queries[number] = answer
        try:
            self._touch_if_idle()
            await self._send(order(number))
            result = await asyncio.wait_for(answer, QUERY_LIMIT)
        except TimeoutError:
            raise WorkerGone("The worker did not answer in time; please try again in a minute.") from None
        finally:
            self._queries.pop(number, None)
        if not isinstance(result, kind):
            raise WorkerError("The worker gave an answer to another question.")
        return result

    async def _send(self, message: Message) -> None:
        """Write one order.

        Raises:
            WorkerGone: no worker reads it.
        """
        if self._child is None or self._child.returncode is not None:
            raise WorkerGone("The worker is not running; it is being started again.")
        try:
            await self._child.send(message)
        except ChildGone as error:
            raise WorkerGone("The worker takes no orders; it is being started again.") from error

    def _touch_if_idle(self) -> None:
        if not self._running and not self._queries:
            self._last_sign = asyncio.get_running_loop().time()

    # --- the life of workers -------------------------------------------------------------------

    async def _supervise(self) -> None:
        pause = FIRST_PAUSE
        while True:
            was_ready = False
            try:
                was_ready = await self._live_once()
            except OSError as error:
                log.error("the worker cannot be started: %s", error)
            if self._closing:
                return
            pause = FIRST_PAUSE if was_ready else min(LONGEST_PAUSE, pause * 2)
            log.warning("the worker has ended; a new one is started in %.1f s", pause)
            await asyncio.sleep(pause)

    async def _live_once(self) -> bool:
        """Start a worker and pass on its events until it is gone; whether it had become ready."""
        child = await Child.start("generation.worker", self._environment, worker_log)
        self._child = child
        self._last_sign = asyncio.get_running_loop().time()
        watching = asyncio.create_task(self._watch(child))
        try:
            with contextlib.suppress(WorkerGone):  # then its end is read below
                await self._send(self._configure)
            return await self._pass_on(child)
        finally:
            await self._bury(child, watching)

    async def _pass_on(self, child: Child) -> bool:
        was_ready = False
        try:
            while (body := await child.receive()) is not None:
                event = unpack_event(body)
                self._last_sign = asyncio.get_running_loop().time()
                if isinstance(event, Ready):
                    self._ready, was_ready = event, True
                await self._take(event)
        except (msgspec.MsgspecError, ValueError) as error:
            log.error("the worker's events are out of step, it is replaced: %r", error)
        return was_ready

    async def _take(self, event: Event) -> None:
        """Pass an event on, or give an answer to who asked; late news of attempts that are over are dropped."""
        match event:
            case Frames() | PromptRead() | TouchedUp() | Status():
                self._answer(event.query, event)
            case QueryFailed():
                self._answer(event.query, WorkerError(event.sentence))
            case Loading() | Ready():
                await self._events.put(event)
            case Finished() | Failed() | Cancelled():
                if (event.job, event.attempt) in self._running:
                    self._running.discard((event.job, event.attempt))
                    await self._events.put(event)
            case _:
                if (event.job, event.attempt) in self._running:
                    await self._events.put(event)

    def _answer(self, number: int, result: Answer | WorkerError) -> None:
        waiting = self._queries.get(number)
        if waiting is None or waiting.done():
            return  # nobody waits for it any more
        if isinstance(result, WorkerError):
            waiting.set_exception(result)
        else:
            waiting.set_result(result)

    async def _watch(self, child: Child) -> None:
        """Kill the worker when it owes something and has given no sign of life for too long."""
        clock = asyncio.get_running_loop().time
        while child.returncode is None:
            await asyncio.sleep(WATCH_INTERVAL)
            if self._events.full():
                self._last_sign = clock()  # it waits for our consumer, not the other way round
            if self._ready is None:
                limit = self._loading_limit
            elif self._running or self._queries:
                limit = self._silence_limit
            else:
                continue
            if clock() - self._last_sign > limit:
                log.error("the worker has given no sign of life for %.0f s and is killed", limit)
                self._hung = True
                child.kill()
                return

    async def _bury(self, child: Child, watching: asyncio.Task[None]) -> None:
        """See to it that the process is gone, and report what it had in its hands."""
        self._ready = None
        try:
            await child.end()
        finally:
            self._child = None
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        log.info("worker %d ended with %s", child.pid, child.returncode)
        self._fail_queries()
        lost, self._running = self._running, set()
        sentence = HUNG if self._hung else ENDED
        self._hung = False
        for job, attempt in sorted(lost):
            reference = secrets.token_hex(4)
            log.warning("reference %s: job %d, attempt %d was lost with its worker", reference, job, attempt)
            if not self._closing:
                await self._events.put(
                    Failed(
                        job=job,
                        attempt=attempt,
                        sentence=sentence,
                        reference=reference,
                        retry=True,
                    )
                )

    def _fail_queries(self) -> None:
        for waiting in self._queries.values():
            if not waiting.done():
                waiting.set_exception(WorkerGone("The worker ended before it answered; please try again."))


def worker_environment(models: Models, environment: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment: no secrets, no look at any hub unless a model comes from one."""
    kept = {name: value for name, value in environment.items() if name not in SECRETS}
    kept["TOKENIZERS_PARALLELISM"] = "false"
    kept.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    kept.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it speaks up while it is imported
    if all(os.path.exists(model.source) or model.source.startswith((".", os.sep)) for model in models.all):  # noqa: PTH110
        kept["HF_HUB_OFFLINE"] = "1"
    return kept
