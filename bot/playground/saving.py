"""Keeps a world across restarts: one JSON file, written aside and renamed, a moment after changes.

Knows nothing of what it saves beyond `WorldState`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import msgspec

from bot.playground.records import WorldState
from bot.playground.world import Event, World

_log = logging.getLogger(__name__)
_DELAY = 1.0  # seconds from a change to the file
_NAME = "world.json"


def load(folder: Path) -> WorldState | None:
    """The saved world, or None when there is none; a damaged file is put aside, not overwritten."""
    path = folder / _NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=WorldState)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        _log.warning("The saved playground could not be read (%s): kept as %s, a new one begins.", error, aside)
        return None


class Saver:
    """Writes the world's state soon after each change and once more at the end."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._stop_listening = world.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self._start)

    def _start(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self._start)
            return
        self._writing = asyncio.create_task(self._save())

    async def _save(self) -> None:
        try:
            await asyncio.to_thread(_write, self._folder, self._world.state())
        except OSError as error:
            _log.warning("The playground could not be saved: %s", error)

    async def close(self) -> None:
        """Save once more and stop."""
        self._stop_listening()
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await self._writing
        await self._save()


def _write(folder: Path, state: WorldState) -> None:
    temporary = folder / (_NAME + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # the page's token is in it
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(state))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / _NAME)
