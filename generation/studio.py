"""What front ends ask for pictures: takes requests, keeps the workers busy, tells what becomes of each job.

Joins the queue (what runs when), a dispatcher (where it runs) and the files (what comes of it). A
picture, its steps and its facts are stored before anybody is told that the job is done. Knows no front
end, no torch and no SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from generation import events
from generation.dispatch.base import Dispatcher
from generation.errors import GenerationError, WorkerGone
from generation.events import Frame, Loading, Progress, Ready
from generation.models import Models
from generation.queue import PIXELS_PER_MEGAPIXEL, Job, Owner, Place, Queue, cost_of
from generation.request import GenerationRequest, RunFacts
from store import people, pictures
from store.database import Database, Transaction
from store.errors import StoreError
from store.files import Files
from store.pictures import PictureRow

__all__ = [
    "Job",
    "JobCancelled",
    "JobDone",
    "JobFailed",
    "JobProgressed",
    "JobStarted",
    "JobUpdate",
    "JobWaiting",
    "Owner",
    "Picture",
    "Place",
    "Studio",
]

log = logging.getLogger(__name__)

PICTURE_SUFFIX = ".png"
TRAJECTORY_SUFFIX = ".trajectory"
NEWEST_SPEED = 0.3  # weight of the newest run in the estimate of speed


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


@dataclass(frozen=True, kw_only=True)
class JobDone(JobUpdate):
    """The picture is stored."""

    picture: Picture


@dataclass(frozen=True, kw_only=True)
class JobFailed(JobUpdate):
    """It ended without a picture; `reference` stands in the log."""

    sentence: str
    reference: str | None


@dataclass(frozen=True, kw_only=True)
class JobCancelled(JobUpdate):
    """It was cancelled."""


class _Listener:
    """One subscriber's updates, the progress of a job replaced by newer progress."""

    def __init__(self) -> None:
        self._updates: deque[JobUpdate] = deque()
        self._news = asyncio.Event()

    def hear(self, update: JobUpdate) -> None:
        if isinstance(update, JobProgressed):
            for i, older in enumerate(self._updates):
                if isinstance(older, JobProgressed) and older.job == update.job:
                    self._updates[i] = update
                    return
        self._updates.append(update)
        self._news.set()

    async def next(self) -> JobUpdate:
        while not self._updates:
            self._news.clear()
            await self._news.wait()
        return self._updates.popleft()


class Studio:
    """Pictures for everybody, over one dispatcher."""

    def __init__(
        self, database: Database, files: Files, dispatcher: Dispatcher, models: Models, *, most_waiting: int = 50
    ) -> None:
        self.models = models
        self.readiness: Loading | Ready | None = None  # the latest that the workers said of themselves
        self._database = database
        self._files = files
        self._dispatcher = dispatcher
        self._queue = Queue(database, most_waiting=most_waiting)
        self._listeners: set[_Listener] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._work = asyncio.Event()  # a job may be waiting and a lane may be free
        self._filing = asyncio.Lock()  # between saving a file and recording it, no file is deleted
        self._unsent_cancels: set[tuple[int, int]] = set()
        self._left: dict[int, float] = {}  # seconds that each running job still needs
        self._seconds_per_cost: float | None = None

    async def start(self) -> None:
        """Take up what an earlier process left, and start the workers. Returns before they are ready."""
        returned = await self._queue.put_back_all()
        if returned:
            log.info("%d jobs were running when Darkroom stopped; they run again", returned)
        await self._dispatcher.start()
        self._tasks = [asyncio.create_task(self._follow_workers()), asyncio.create_task(self._hand_out())]
        self._work.set()

    async def close(self) -> None:
        """Stop the workers within the dispatcher's bound; what ran waits for the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._dispatcher.close()
        with contextlib.suppress(StoreError):
            await self._queue.put_back_all()

    # --- asking --------------------------------------------------------------------------------

    async def submit(self, request: GenerationRequest, owner: Owner, place: Place | None = None) -> Job:
        """Store the request as a waiting job, in one transaction with the turn that asked for it.

        Raises:
            QueueFull: the owner has as many waiting as the limit allows.
            StoreError: it could not be stored; then nothing was.
        """
        job = await self._queue.put(request, owner, place)
        self._tell(JobWaiting(job=job.id))
        self._work.set()
        return job

    async def cancel(self, job_id: int, by: Owner) -> bool:
        """Cancel a job that waits, or that runs, at its next step.

        Returns:
            False if it is not this person's, has ended, or never was.
        """
        job = await self._queue.get(job_id)
        if job is None or not _same_person(job.owner, by) or job.ended:
            return False
        if await self._queue.cancel_waiting(job_id):
            self._tell(JobCancelled(job=job_id))
            return True
        job = await self._queue.get(job_id)
        if job is None or job.ended:
            return False
        self._unsent_cancels.add((job.id, job.attempt))
        await self._dispatcher.cancel(job.id, job.attempt)
        return True

    async def job(self, job_id: int) -> Job | None:
        """The job, if there is one."""
        return await self._queue.get(job_id)

    async def position(self, job_id: int) -> tuple[int, float | None] | None:
        """How many waiting jobs run before this one, and the seconds until its picture (None: not known yet).

        None if the job does not wait.
        """
        ahead = await self._queue.ahead_of(job_id)
        job = await self._queue.get(job_id)
        if ahead is None or job is None:
            return None
        before, cost = ahead
        if self._seconds_per_cost is None or not isinstance(self.readiness, Ready):
            return before, None
        running = sum(self._left.values())
        lanes = max(1, self.readiness.lanes)
        own = cost_of(job.request) * self._seconds_per_cost
        return before, (running + cost * self._seconds_per_cost) / lanes + own

    async def watch(self) -> AsyncIterator[JobUpdate]:
        """All updates from now on, for as long as the caller listens."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while True:
                yield await listener.next()
        finally:
            self._listeners.discard(listener)

    async def undelivered(self) -> list[Job]:
        """Jobs with a place whose end has not been shown there, the oldest first."""
        return await self._queue.undelivered()

    async def mark_delivered(self, job_id: int) -> bool:
        """Note that the end of the job has been shown. False: it had been noted before."""
        return await self._queue.mark_delivered(job_id)

    async def set_place(self, job_id: int, place: Place) -> None:
        """Note that the answer is wanted somewhere else now."""
        await self._queue.set_place(job_id, place)

    # --- pictures ------------------------------------------------------------------------------

    async def picture(self, picture_id: int) -> Picture | None:
        """The picture, unless it was deleted."""
        async with self._database.reading() as connection:
            row = await pictures.get(connection, picture_id)
            return None if row is None else await self._picture(connection, row)

    async def picture_of(self, job_id: int) -> Picture | None:
        """The picture that a job made, unless it made none or it was deleted."""
        async with self._database.reading() as connection:
            row = await pictures.of_job(connection, job_id)
            return None if row is None else await self._picture(connection, row)

    async def frames(self, picture_id: int, steps: tuple[int, ...], *, noisy: bool = False) -> tuple[Frame, ...]:
        """Chosen steps (1-based) of the picture's run, decoded by a worker.

        Raises:
            GenerationError: the picture is gone, its steps were not kept, or no worker could decode them.
        """
        async with self._database.reading() as connection:
            row = await pictures.get(connection, picture_id)
        if row is None:
            raise GenerationError("That picture is no longer there.")
        stored = None
        if row.trajectory is not None:
            stored = await asyncio.to_thread(self._files.get, row.trajectory, TRAJECTORY_SUFFIX)
        if stored is None:
            raise GenerationError("The steps of this picture were not kept, so there is no strip of it.")
        model = str(row.facts["model"])
        self.models.get(model)
        query = events.DecodeFrames(query=0, model=model, trajectory=stored, steps=steps, noisy=noisy)
        return (await self._dispatcher.frames(query)).frames

    async def delete(self, picture_id: int, by: Owner) -> bool:
        """Delete a picture with its file, its steps, its run and the turn that asked for it.

        Returns:
            False if it is not this person's or is gone already.
        """
        async with self._filing:
            async with self._database.writing() as connection:
                row = await pictures.get(connection, picture_id)
                person = await people.find(connection, by.source, by.external_id)
                if row is None or person is None or row.person_id != person.id:
                    return False
                await pictures.remove(connection, row)
                doomed = [(row.content, row.suffix)] if not await pictures.uses(connection, row.content) else []
                if row.trajectory is not None and not await pictures.uses(connection, row.trajectory):
                    doomed.append((row.trajectory, TRAJECTORY_SUFFIX))
            for name, suffix in doomed:
                await asyncio.to_thread(self._files.delete, name, suffix)
        return True

    async def _picture(self, connection: Transaction, row: PictureRow) -> Picture:
        person = await people.get(connection, row.person_id)
        return Picture(
            id=row.id,
            job=row.job_id,
            owner=Owner(source=person.source, external_id=person.external_id, name=person.name),
            run=msgspec.convert(row.facts, RunFacts),
            path=self._files.path(row.content, row.suffix),
            created_at=row.created_at,
            has_steps=row.trajectory is not None,
        )

    # --- handing out ---------------------------------------------------------------------------

    async def _hand_out(self) -> None:
        """Give waiting jobs to free lanes, whenever there may be both."""
        while True:
            await self._work.wait()
            self._work.clear()
            await self._guarded(self._fill_lanes(), "handing out jobs")

    async def _fill_lanes(self) -> None:
        while self._dispatcher.lanes_free > 0:
            job = await self._queue.claim()
            if job is None:
                return
            order = events.Generate(
                job=job.id, attempt=job.attempt, request=job.request, init_image=await self._init_image(job.request)
            )
            try:
                await self._dispatcher.submit(order)
            except WorkerGone:
                await self._queue.put_back(job.id, job.attempt)
                return
            if (job.id, job.attempt) in self._unsent_cancels:
                await self._dispatcher.cancel(job.id, job.attempt)

    async def _init_image(self, request: GenerationRequest) -> bytes | None:
        if request.init_image is None:
            return None
        return await asyncio.to_thread(self._files.get, request.init_image, PICTURE_SUFFIX)

    # --- following -----------------------------------------------------------------------------

    async def _follow_workers(self) -> None:
        async for event in self._dispatcher.events():
            await self._guarded(self._take(event), f"taking {type(event).__name__}")

    async def _guarded(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """An edge: trouble with one event or job must not stop the others."""
        try:
            await work
        except Exception:
            log.exception("Trouble while %s; reference %s", what, _reference())

    async def _take(self, event: events.Event) -> None:
        match event:
            case events.Loading():
                self.readiness = event
            case events.Ready():
                self.readiness = event
                self._seed_speed(event)
                self._work.set()
            case events.Started():
                self._tell(JobStarted(job=event.job))
            case events.Progress():
                self._left[event.job] = event.seconds_left
                self._tell(JobProgressed(job=event.job, progress=event))
            case events.Finished() | events.Failed() | events.Cancelled():
                self._left.pop(event.job, None)
                self._unsent_cancels.discard((event.job, event.attempt))
                self._work.set()
                await self._end(event)

    async def _end(self, event: events.Finished | events.Failed | events.Cancelled) -> None:
        match event:
            case events.Finished():
                await self._store(event)
            case events.Failed(retry=True):
                job = await self._queue.worker_died(event.job, event.attempt, event.reference)
                if job is not None and job.ended:
                    self._tell(JobFailed(job=job.id, sentence=job.reason or event.sentence, reference=job.reference))
                elif job is not None:
                    self._tell(JobWaiting(job=job.id))
            case events.Failed():
                await self._fail(event.job, event.attempt, event.sentence, event.reference)
            case events.Cancelled():
                if await self._queue.cancelled(event.job, event.attempt):
                    self._tell(JobCancelled(job=event.job))
        self._work.set()

    async def _fail(self, job: int, attempt: int, sentence: str, reference: str) -> None:
        if await self._queue.fail(job, attempt, sentence, reference):
            self._tell(JobFailed(job=job, sentence=sentence, reference=reference))

    async def _store(self, event: events.Finished) -> None:
        """Files first, then the record and the end of the job in one transaction, then the news."""
        self._learn_speed(event.facts)
        try:
            async with self._filing:
                content = await asyncio.to_thread(self._files.put, event.picture, PICTURE_SUFFIX)
                trajectory = None
                if event.trajectory is not None:
                    trajectory = await asyncio.to_thread(self._files.put, event.trajectory, TRAJECTORY_SUFFIX)
                row = await self._queue.finish(
                    event.job,
                    event.attempt,
                    facts=event.facts,
                    content=content,
                    suffix=PICTURE_SUFFIX,
                    trajectory=trajectory,
                )
        except StoreError as error:
            reference = _reference()
            log.error("The picture of job %d could not be stored (reference %s): %s", event.job, reference, error)
            sentence = "The picture was made but could not be saved; the operator has been told why."
            await self._fail(event.job, event.attempt, sentence, reference)
            return
        if row is None:
            log.warning("Attempt %d of job %d came too late; its picture was left out", event.attempt, event.job)
            return
        picture = await self.picture(row.id)
        if picture is not None:
            self._tell(JobDone(job=event.job, picture=picture))

    def _tell(self, update: JobUpdate) -> None:
        for listener in self._listeners:
            listener.hear(update)

    # --- speed ---------------------------------------------------------------------------------

    def _seed_speed(self, ready: Ready) -> None:
        """Until runs have been measured, the worker's own warm-up tells how fast it is."""
        seconds = ready.seconds_per_step.get(self.models.default.name)
        if self._seconds_per_cost is None and seconds:
            default = self.models.default
            self._seconds_per_cost = seconds / (default.width * default.height / PIXELS_PER_MEGAPIXEL)

    def _learn_speed(self, facts: RunFacts) -> None:
        cost = cost_of(facts.request)
        if cost > 0 and facts.seconds > 0:
            newest = facts.seconds / cost
            known = self._seconds_per_cost
            self._seconds_per_cost = newest if known is None else known + NEWEST_SPEED * (newest - known)


def _same_person(one: Owner, other: Owner) -> bool:
    return (one.source, one.external_id) == (other.source, other.external_id)


def _reference() -> str:
    """A short id that stands in the log beside the cause."""
    return secrets.token_hex(4)
