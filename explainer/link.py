"""The bot's end of the pipe to the reader process: starts it for the first question, watches it, starts it again.

A reader that dies or hangs loses no question: each that it had in hand is put to the next one, up to a bound, since a
question that kills every reader must not be asked for ever. Light: nothing of language is loaded in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from explainer.errors import ReaderError, ReaderGone
from explainer.messages import (
    Answer,
    Answered,
    AskFailed,
    Configure,
    Event,
    Inspect,
    Intent,
    Interpret,
    Interpreted,
    Question,
    Ready,
    Status,
    Stop,
    Unusable,
    unpack_event,
)
from generation.dispatch.child import SECRETS, Child, ChildGone

log = logging.getLogger(__name__)
reader_log = logging.getLogger("darkroom.reader")

MODULE = "explainer.reader"
ATTEMPTS = 3  # readers that a question may be put to
LOADING_LIMIT = 300.0  # seconds until a reader is ready; the first time it computes for a while
ANSWER_LIMIT = 60.0  # seconds without an answer, after which a reader counts as hung
PAUSE = 0.2  # seconds before another reader is started
LEAVE = 3.0  # seconds for a reader to leave when it is told to

Result = Answer | Interpreted | Status
_Result = TypeVar("_Result", Answer, Interpreted, Status)


class _Lost(Exception):
    """The reader ended with the question in its hands."""


class ReaderLink:
    """One reader process, for all questions of this bot."""

    def __init__(
        self,
        configure: Configure,
        *,
        loading_limit: float = LOADING_LIMIT,
        answer_limit: float = ANSWER_LIMIT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts nothing yet. `environment`: of the reader; None: ours."""
        self._configure = configure
        self._loading_limit = loading_limit
        self._answer_limit = answer_limit + configure.voice.timeout
        self._environment = reader_environment(os.environ if environment is None else environment)
        self._child: Child | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[Result]] = {}
        self._last = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process id of the reader, for `doctor` and for tests that end it; None while there is none."""
        return None if self._child is None else self._child.pid

    async def ask(self, question: Question) -> Answer:
        """The answer to a question.

        Raises:
            ReaderError: it failed for a fault of ours; the sentence names a reference.
            ReaderGone: no reader lived long enough to answer.
        """
        return await self._put(question, Answer)

    async def interpret(self, question: Question, wanted: Intent | None = None) -> Interpreted:
        """What a message wants (`wanted`: as its author has said); raises as `ask`."""
        return await self._put(Interpret(question=question, wanted=wanted), Interpreted)

    async def status(self) -> Status | None:
        """How the reader is; None where none is running.

        Raises:
            ReaderGone: it does not answer.
        """
        return None if self._child is None else await self._put(Inspect(), Status)

    async def warm(self) -> Ready:
        """Start the reader, if it does not run, and wait until it takes questions.

        Raises:
            ReaderError: it cannot be loaded.
        """
        _, ready = await self._running()
        return await self._in_time(ready)

    async def close(self) -> None:
        """End the reader. Nothing can be asked afterwards."""
        self._closed = True
        child = self._child
        if child is not None:
            with contextlib.suppress(ChildGone):
                await child.send(Stop())
            await child.leaves(LEAVE)
            child.kill()
        if self._listener is not None:
            await asyncio.gather(self._listener, return_exceptions=True)

    # --- asking --------------------------------------------------------------------------------

    async def _put(self, order: Question | Interpret | Inspect, kind: type[_Result]) -> _Result:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                child, ready = await self._running()
                await self._in_time(ready)
                result = await self._put_once(child, order)
            except (_Lost, ChildGone, OSError) as error:
                if self._closed:
                    break
                log.warning("a reader was lost with a question in hand (attempt %d): %r", attempt, error)
                await asyncio.sleep(PAUSE * attempt)
                continue
            if not isinstance(result, kind):
                raise ReaderError("The reader gave an answer to another question.")
            return result
        raise ReaderGone(
            "I cannot look that up now: the part of me that answers questions keeps stopping. The log says more."
        )

    async def _put_once(self, child: Child, order: Question | Interpret | Inspect) -> Result:
        self._last += 1
        number = self._last
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await child.send(msgspec.structs.replace(order, query=number))
            return await asyncio.wait_for(asyncio.shield(answer), self._answer_limit)
        except TimeoutError:
            child.kill()  # its end fails whatever else it had in hand, and that is asked again too
            raise _Lost(f"no answer within {self._answer_limit:.0f} s") from None
        finally:
            self._waiting.pop(number, None)
            answer.cancel()

    async def _in_time(self, ready: asyncio.Future[Ready]) -> Ready:
        try:
            return await asyncio.wait_for(asyncio.shield(ready), self._loading_limit)
        except TimeoutError:
            if self._child is not None:
                self._child.kill()
            raise _Lost("not ready in time") from None

    # --- the life of readers -------------------------------------------------------------------

    async def _running(self) -> tuple[Child, asyncio.Future[Ready]]:
        """The reader that runs, started if none does."""
        async with self._starting:
            if self._closed:
                raise ReaderGone("Darkroom is stopping; ask again when it is back.")
            if self._child is None or self._ready is None or self._child.returncode is not None:
                if self._listener is not None:
                    await asyncio.gather(self._listener, return_exceptions=True)
                child = await Child.start(MODULE, self._environment, reader_log)
                self._child, self._ready = child, asyncio.get_running_loop().create_future()
                self._listener = asyncio.create_task(self._listen(child, self._ready), name="reader listener")
                await child.send(self._configure)
            return self._child, self._ready

    async def _listen(self, child: Child, ready: asyncio.Future[Ready]) -> None:
        """Pass on what the reader says until it is gone."""
        try:
            while (body := await child.receive()) is not None:
                self._take(unpack_event(body), ready)
        except (msgspec.MsgspecError, ValueError) as error:
            log.error("the reader's events are out of step, it is replaced: %r", error)
        finally:
            child.kill()
            await child.end()
            if self._child is child:
                self._child = None
            log.info("reader %d ended with %s", child.pid, child.returncode)
            lost = _Lost(f"it ended with {child.returncode}")
            _fail(ready, lost)
            for waiting in self._waiting.values():
                _fail(waiting, lost)

    def _take(self, event: Event, ready: asyncio.Future[Ready]) -> None:
        match event:
            case Ready() if not ready.done():
                ready.set_result(event)
            case Unusable():
                _fail(ready, ReaderError(event.sentence))
            case Answered():
                self._resolve(event.query, event.answer)
            case Interpreted() | Status():
                self._resolve(event.query, event)
            case AskFailed():
                waiting = self._waiting.get(event.query)
                if waiting is not None:
                    _fail(waiting, ReaderError(f"{event.sentence} (reference {event.reference})"))

    def _resolve(self, number: int, result: Result) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():  # else nobody waits for it any more
            waiting.set_result(result)


def reader_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The reader's environment: no secrets."""
    kept = {name: value for name, value in environment.items() if name not in SECRETS}
    kept["TOKENIZERS_PARALLELISM"] = "false"
    kept.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return kept


def _fail(future: asyncio.Future[Ready] | asyncio.Future[Result], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # it counts as seen: there may be nobody who waits
