"""What is told of jobs, and to whom: every front end listens at its own pace, and no end is ever lost.

Knows neither the store nor the workers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from generation.events import Progress
from generation.queue import Owner
from generation.request import RunFacts


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that a person has, with the record of how it was made."""

    id: int
    job: int
    owner: Owner
    run: RunFacts
    path: Path
    created_at: float  # seconds since 1970
    has_steps: bool  # whether the run's steps were kept
    run_id: int = 0  # of the run's record
    parent: int | None = None  # the picture that it goes on from
    method: str | None = None  # how; see `store.tables`
    private: bool = False  # for its owner's eyes alone
    untouched: Path | None = None  # what diffusion made, where the picture was touched up since
    begun_with: Path | None = None  # the picture that it was begun with
    mask: Path | None = None  # what was made anew of that (white), where it was not all of it


@dataclass(frozen=True, kw_only=True)
class JobUpdate:
    """Something became of a job."""

    job: int


@dataclass(frozen=True, kw_only=True)
class JobWaiting(JobUpdate):
    """It waits (again)."""


@dataclass(frozen=True, kw_only=True)
class JobStarted(JobUpdate):
    """A worker has begun."""


@dataclass(frozen=True, kw_only=True)
class JobProgressed(JobUpdate):
    """A step is done; only the latest such update of a job is kept for a slow listener."""

    progress: Progress

    def after(self, older: JobUpdate | None) -> JobProgressed:
        """This update, with the preview of the older one that it replaces where it brings none itself.

        A worker sends previews with some steps only.
        """
        if self.progress.preview is not None or not isinstance(older, JobProgressed):
            return self
        if older.progress.attempt != self.progress.attempt:
            return self
        return replace(self, progress=msgspec.structs.replace(self.progress, preview=older.progress.preview))


@dataclass(frozen=True, kw_only=True)
class JobDone(JobUpdate):
    """The picture is stored."""

    picture: Picture


@dataclass(frozen=True, kw_only=True)
class JobStudied(JobUpdate):
    """It made a picture again, and what came of that is stored."""


@dataclass(frozen=True, kw_only=True)
class JobFailed(JobUpdate):
    """It ended without a picture; `reference` stands in the log."""

    sentence: str
    reference: str | None


@dataclass(frozen=True, kw_only=True)
class JobCancelled(JobUpdate):
    """It was cancelled."""


class _Listener:
    """One subscriber's updates. Whatever comes of a job replaces the progress that was not yet fetched."""

    def __init__(self) -> None:
        self._updates: deque[JobUpdate] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def hear(self, update: JobUpdate) -> None:
        for older in self._updates:
            if isinstance(older, JobProgressed) and older.job == update.job:
                self._updates.remove(older)
                update = update.after(older) if isinstance(update, JobProgressed) else update
                break
        self._updates.append(update)
        self._news.set()

    def close(self) -> None:
        self._closed = True
        self._news.set()

    async def next(self) -> JobUpdate | None:
        while not self._updates and not self._closed:
            self._news.clear()
            await self._news.wait()
        return self._updates.popleft() if self._updates else None


class Updates:
    """Passes every update on to all who listen; none of them can hold up the others."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    def tell(self, update: JobUpdate) -> None:
        """Let everybody know; returns at once."""
        for listener in self._listeners:
            listener.hear(update)

    def close(self) -> None:
        """Nothing more will be told: who has fetched everything comes to an end."""
        for listener in self._listeners:
            listener.close()

    async def watch(self) -> AsyncIterator[JobUpdate]:
        """All updates from the first fetch on, until `close`."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while (update := await listener.next()) is not None:
                yield update
        finally:
            self._listeners.discard(listener)
