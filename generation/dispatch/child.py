"""The parent's end of a pipe to a process of ours: start it, send it messages, read its frames, see to its end.

Whoever owns a child decides when it is started again and what its messages mean; this module knows neither. Messages
and the child's end of the pipe are in `generation.frames`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Mapping

from generation.frames import FRAME_HEADER, Message, length_of, pack

WRITE_LIMIT = 10.0  # seconds for the child to take a message
STOP_GRACE = 5.0  # seconds between waiting, SIGTERM and SIGKILL
LOG_CHUNK = 2**16
SECRETS = frozenset({"DISCORD_TOKEN", "DARKROOM_TOKEN", "DARKROOM_VOICE_KEY"})  # no business of any child's


class ChildGone(Exception):
    """Nobody at the other end takes messages."""


class Child:
    """A running process with a pipe each way; its standard error goes to a log of ours."""

    def __init__(self, process: asyncio.subprocess.Process, log: logging.Logger) -> None:
        assert process.stderr is not None  # it was asked for as a pipe
        self._process = process
        self._log = asyncio.create_task(_copy_log(process.stderr, log))

    @classmethod
    async def start(cls, module: str, environment: Mapping[str, str], log: logging.Logger) -> Child:
        """Run `python -m module`; its log lines go to `log`, at the level that each of them names.

        Raises:
            OSError: it cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the child in order
        )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.returncode

    async def send(self, message: Message) -> None:
        """Write one message.

        Raises:
            ChildGone: it has ended, or does not read.
        """
        stream = self._process.stdin
        if stream is None or self._process.returncode is not None:
            raise ChildGone
        try:
            stream.write(pack(message))
            await asyncio.wait_for(stream.drain(), WRITE_LIMIT)
        except (TimeoutError, ConnectionError, RuntimeError) as error:
            raise ChildGone from error

    async def receive(self) -> bytes | None:
        """The body of the next frame; None once the child is gone.

        Raises:
            ValueError: the stream is out of step.
        """
        stream = self._process.stdout
        assert stream is not None  # it was asked for as a pipe
        try:
            return await stream.readexactly(length_of(await stream.readexactly(FRAME_HEADER.size)))
        except asyncio.IncompleteReadError:
            return None

    def kill(self) -> None:
        """End it at once, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def leaves(self, within: float = STOP_GRACE) -> bool:
        """Whether it leaves by itself within so many seconds."""
        try:
            await asyncio.wait_for(self._process.wait(), within)
        except TimeoutError:
            return False
        return True

    async def end(self) -> None:
        """Wait until it has left; by force where it does not go by itself."""
        try:
            for push in (None, signal.SIGTERM, signal.SIGKILL):
                if self._process.returncode is None:
                    if push is not None:
                        with contextlib.suppress(ProcessLookupError):
                            self._process.send_signal(push)
                    await self.leaves()
        finally:
            self._log.cancel()
            await asyncio.gather(self._log, return_exceptions=True)


async def _copy_log(stream: asyncio.StreamReader, log: logging.Logger) -> None:
    """The child's standard error, line by line, to our log at the level that each line names."""
    rest = b""
    while chunk := await stream.read(LOG_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _log_line(line, log)
        rest = rest[-LOG_CHUNK:]
    if rest:
        _log_line(rest, log)


def _log_line(line: bytes, log: logging.Logger) -> None:
    text = line.decode("utf-8", "replace").rstrip()
    name, _, message = text.partition(" ")
    level = logging.getLevelNamesMapping().get(name)
    if text:
        log.log(level or logging.INFO, "%s", message if level else text)
