"""`python -m explainer.reader`: the process for language. Orders on standard input, events on standard output, log on standard error.

Loads encoder, passages and voice once, then answers one question after the other. Whoever starts it owns it: it leaves when
its standard input ends, when it is told to, and at SIGTERM. An error that one question meets is that one's alone.
"""

from __future__ import annotations

import functools
import logging
import queue
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from explainer.errors import ExplainerError
from explainer.messages import (
    Answered,
    AskFailed,
    Configure,
    Event,
    Inspect,
    Interpret,
    Interpreted,
    Order,
    Question,
    Ready,
    Status,
    Stop,
    Unusable,
    unpack_order,
)
from generation.frames import ParentPipe

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"
PAGE_OF_STATM = 1  # which number of /proc/self/statm is the resident part, in pages of 4,096 bytes

log = logging.getLogger("explainer.reader")


class Reader:
    """Holds what is loaded and answers."""

    def __init__(self, configure: Configure, emit: Callable[[Event], None]) -> None:
        """Load everything; raises `ExplainerError` where something is missing or damaged."""
        # only here, as it takes a second, and so that the messages can be imported without it
        from explainer.parts import load_answerer, load_interpreter
        from explainer.voices import make_voice

        begun = time.monotonic()
        parts = load_answerer(Path(configure.cache), configure.threads)
        self._answerer = parts.answerer
        self._voice = make_voice(configure.voice)
        self._interpreter = functools.cache(
            lambda: load_interpreter(parts, self._voice.rewrite)
        )  # with the first message
        self._emit = emit
        self._answered = 0
        self.ready = Ready(
            passages=len(parts.passages), questions=parts.index.questions, seconds=round(time.monotonic() - begun, 2)
        )

    def run(self, orders: queue.SimpleQueue[Order]) -> None:
        """Answer until told to stop."""
        while not isinstance(order := orders.get(), Stop):
            match order:
                case Question():
                    self._emit(self._safely(order.query, functools.partial(self._answer, order)))
                case Interpret():
                    self._emit(self._safely(order.query, functools.partial(self._interpret, order)))
                case Inspect():
                    status = Status(
                        query=order.query, resident_mb=resident_mb(), answered=self._answered, voice=self._voice.name
                    )
                    self._emit(status)
                case Configure():
                    log.warning("the reader is configured already")

    def _answer(self, order: Question) -> Answered:
        begun = time.perf_counter()
        answer = self._answerer.answer(order)
        if answer.wants is None:  # else it is asked again in a moment
            answer = self._voice.speak(order, answer)
        self._answered += 1
        return Answered(query=order.query, answer=answer, seconds=time.perf_counter() - begun)

    def _interpret(self, order: Interpret) -> Interpreted:
        return msgspec.structs.replace(self._interpreter().interpret(order.question, order.wanted), query=order.query)

    def _safely(self, query: int, work: Callable[[], Event]) -> Event:
        try:
            return work()
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("reference %s: a question could not be answered", reference)
            return AskFailed(query=query, sentence="Something went wrong while I looked that up.", reference=reference)


def main() -> int:
    """Exit status 0 after an ordinary stop, 1 where it cannot be loaded, 2 where the first order is not what it must be."""
    pipe: ParentPipe[Order] = ParentPipe(unpack_order, Stop())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=LOG_FORMAT)
    logging.captureWarnings(True)
    signal.signal(signal.SIGTERM, pipe.stop)
    signal.signal(signal.SIGINT, pipe.stop)
    try:
        configure = pipe.first()
        if not isinstance(configure, Configure):
            log.error("the first order must configure the reader")
            return 2
        pipe.start_reading()
        try:
            reader = Reader(configure, pipe.emit)
        except ExplainerError as error:
            log.error("%s", error)
            pipe.emit(Unusable(sentence=str(error)))
            return 1
        pipe.emit(reader.ready)
        reader.run(pipe.orders)
    except BrokenPipeError:
        log.info("nobody listens any more")
    return 0


def resident_mb() -> float:
    """Memory that this process holds now, in MiB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[PAGE_OF_STATM])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * 4096 / 2**20


if __name__ == "__main__":
    sys.exit(main())
