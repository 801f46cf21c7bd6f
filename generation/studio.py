"""What front ends ask for pictures: takes requests, keeps the workers busy, tells what becomes of each job.

Joins the queue (what runs when), a dispatcher (where it runs) and the files (what comes of it). The store
decides what a job's end is: a cancel holds from its commit on, and a result counts only while its own
attempt runs. A picture, its steps and its facts are stored before anybody is told that the job is done.
Knows no front end, no torch and no SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from generation import events
from generation.dispatch.base import Dispatcher, WorkerSeen
from generation.errors import GenerationError, WorkerGone
from generation.events import Frame, Loading, Progress, Ready
from generation.experiments import Study, StudyPlan, conclude, pack_study, unpack_study
from generation.kept_frames import FRAMES_SUFFIX, TRAJECTORY_SUFFIX, KeptFrames
from generation.line import Line
from generation.models import Models
from generation.outlook import Outlook, Underway, look_ahead
from generation.queue import FRESH, Job, Origin, Owner, Place, Queue, owner_of
from generation.request import GenerationRequest, RunFacts
from generation.speed import Speed
from generation.updates import (
    JobCancelled,
    JobDone,
    JobFailed,
    JobProgressed,
    JobStarted,
    JobStudied,
    JobUpdate,
    JobWaiting,
    Picture,
    Updates,
)
from store import forgetting, lineage, people, pictures, studies
from store.database import Database, Transaction
from store.errors import StoreError
from store.files import Files
from store.jobs import RUNNING
from store.pictures import PictureRow
from store.rules import OPEN, PAUSED
from store.visibility import Viewer

__all__ = [
    "Job",
    "JobCancelled",
    "JobDone",
    "JobFailed",
    "JobProgressed",
    "JobStarted",
    "JobStudied",
    "JobUpdate",
    "JobWaiting",
    "Origin",
    "Owner",
    "Picture",
    "Place",
    "Studio",
]

log = logging.getLogger(__name__)

PICTURE_SUFFIX = ".png"
STUDY_SUFFIX = ".study"
RETRY_PAUSE = 2.0  # seconds until the store is tried again
LOOKING_COSTS = 0.05  # share of the time that is spent on looking ahead, however long the line has grown
SOON = 1.0  # seconds; nothing is foreseen to take less
STEPS_FORGOTTEN_AT_ONCE = 100  # runs
CLOSING_GRACE = 10.0  # seconds to store what the workers had finished

INIT_IMAGE_GONE = "The picture to start from is no longer there; please start from another one."
NOT_SAVED = "The picture was made but could not be saved; the operator can find out why by the reference."
STUDIED_GONE = "The picture was deleted while it was being made again."
NOT_HANDED_OUT = "The picture could not be begun; the operator can find out why by the reference."

_Key = tuple[int, int]  # job and attempt
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What was foreseen of a line, and when, by the studio's clock."""

    line: Line
    outlook: Outlook
    at: float
    lasts: float  # seconds


@dataclass(kw_only=True)
class _Handed:
    """An attempt in a worker's hands."""

    suspect: bool  # a worker has died on it
    since: float  # by the studio's clock
    progress: Progress | None = None

    @property
    def used(self) -> float:
        """The share of the steps that are done."""
        return 0.0 if self.progress is None else self.progress.step / max(1, self.progress.steps)

    def underway(self, now: float) -> Underway:
        """How far it is."""
        return Underway(done=self.used, seconds=now - self.since)


class Studio:
    """Pictures for everybody, over one dispatcher."""

    def __init__(
        self,
        database: Database,
        files: Files,
        dispatcher: Dispatcher,
        models: Models,
        *,
        most_waiting: int = 50,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` counts seconds; what it says is only compared with itself."""
        self.models = models
        self.readiness: Loading | Ready | None = None  # the latest that the workers said of themselves
        self.ready: Ready | None = None  # what they last said of the models that they have
        self.loading: Loading | None = None  # the model on its way, which jobs for it wait for
        self.mode = OPEN  # whether the queue is open, paused or draining, as far as this process knows
        self._database = database
        self._files = files
        self._dispatcher = dispatcher
        self._queue = Queue(database, most_waiting=most_waiting)
        self._updates = Updates()
        self._speed = Speed(clock)
        self._clock = clock
        self._foreseen: Foreseen | None = None
        self._foreseeing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._work = asyncio.Event()  # a job may be waiting and a lane may be free
        self._filing = asyncio.Lock()  # between saving a file and recording it, no file is deleted
        self._frames = KeptFrames(database, files, dispatcher, models, self._filing)
        self._rest = asyncio.Event()  # no worker has a job any more
        self._handed: dict[_Key, _Handed] = {}
        self._claiming = False  # a job may be on its way from the queue into `_handed`
        self._recalled: set[_Key] = set()  # cancelled in the store, but perhaps still in a worker's hands
        self._closing = False

    async def start(self) -> None:
        """Take up what an earlier process left, and start the workers. Returns before they are ready.

        Raises:
            StoreError: the store cannot be used.
        """
        self.mode = await self._queue.mode()
        returned = await self._queue.put_back_all()
        if returned:
            log.info("%d jobs were running when Darkroom stopped; they run again", returned)
        await self._dispatcher.start()
        self._tasks = [asyncio.create_task(self._hand_out()), asyncio.create_task(self._follow_workers())]
        self._work.set()

    async def close(self) -> None:
        """Stop the workers within the dispatcher's bound; what ran waits for the next start.

        Pictures that were finished by then are still stored.
        """
        self._closing = True
        for task in self._tasks[:1]:
            task.cancel()
        await self._dispatcher.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_GRACE)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            with contextlib.suppress(StoreError):  # then the next start does it
                await self._queue.put_back_all()
        await self._frames.close(CLOSING_GRACE)
        self._updates.close()

    # --- asking --------------------------------------------------------------------------------

    async def submit(
        self, request: GenerationRequest, owner: Owner, place: Place | None = None, origin: Origin = FRESH
    ) -> Job:
        """Store the request as a waiting job, in one transaction with the turn that asked for it.

        Raises:
            QueueFull: the owner has as many waiting as the limit allows.
            StoreError: it could not be stored; then nothing was.
        """
        async with self._filing if origin.files else contextlib.nullcontext():
            kept = [
                (await asyncio.to_thread(self._files.put, file, PICTURE_SUFFIX), PICTURE_SUFFIX)
                for file in origin.files
            ]
            try:
                job = await self._queue.put(request, owner, place, origin)
            except BaseException:
                await self._drop_unused(kept)
                raise
        self._updates.tell(JobWaiting(job=job.id))
        self._work.set()
        return job

    async def submit_study(self, plan: StudyPlan, owner: Owner, place: Place | None = None) -> Job:
        """Store a plan as a waiting job; what comes of it is `study_of` the job.

        Raises:
            QueueFull, NotAdmitted: as for pictures.
            GenerationError: the picture is gone.
            StoreError: it could not be stored; then nothing was.
        """
        picture = await self.picture(plan.picture)
        if picture is None:
            raise GenerationError("That picture is no longer there.")
        job = await self._queue.put(plan.heaviest, owner, place, Origin(private=picture.private), study=plan)
        self._updates.tell(JobWaiting(job=job.id))
        self._work.set()
        return job

    async def cancel(self, job_id: int, by: Owner) -> bool:
        """Cancel a job that waits or runs. It is cancelled from then on; a worker stops at its next step.

        Returns:
            False if it is not this person's, has ended, or never was.

        Raises:
            StoreError: it could not be noted; the job goes on.
        """
        before = await self._queue.cancel(job_id, by, used=self.used(job_id))
        if before is None:
            return False
        await self.stop(job_id, before.attempt, ran=before.state == RUNNING)
        return True

    async def stop(self, job_id: int, attempt: int, *, ran: bool) -> None:
        """Tell everybody of a job that was just cancelled in the store; a worker that has it stops at its next step."""
        self._updates.tell(JobCancelled(job=job_id))
        key = (job_id, attempt)
        if ran and (key in self._handed or self._claiming):
            self._recalled.add(key)
            await self._dispatcher.cancel(*key)

    def used(self, job_id: int) -> float:
        """The share of a job's steps that are done; 0 if no worker has it."""
        return max((handed.used for (job, _), handed in self._handed.items() if job == job_id), default=0.0)

    def changing(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that changes what waits or runs, for whoever manages the queue."""
        return self._queue.changing()

    def look_again(self, waiting: int | None = None) -> None:
        """What may start has changed in the store; `waiting`: a job that waits (again)."""
        if waiting is not None:
            self._updates.tell(JobWaiting(job=waiting))
        self._work.set()

    @property
    def in_hand(self) -> dict[int, Progress | None]:
        """How far the jobs are that workers have, in the order in which they got them."""
        return {key[0]: handed.progress for key, handed in self._handed.items() if key not in self._recalled}

    def workers(self) -> tuple[WorkerSeen, ...]:
        """The workers that have names, and what each has in its hands; none where one process needs no name."""
        return self._dispatcher.workers()

    async def job(self, job_id: int) -> Job | None:
        """The job, if there is one."""
        return await self._queue.get(job_id)

    async def asked_in(self, turn: int) -> Job | None:
        """The newest job that a turn asked for, if it asked for one."""
        return await self._queue.asked_in(turn)

    async def asked_by_messages(self, source: str, messages: Sequence[str]) -> list[Job]:
        """The jobs that wait or run and that these messages of a front end asked for."""
        return await self._queue.asked_by_messages(source, messages)

    async def is_awaited_in(self, message: str) -> bool:
        """Whether the message of a front end is where a job that waits or runs will be shown."""
        return await self._queue.is_awaited_in(message)

    async def position(self, job_id: int) -> tuple[int, float | None] | None:
        """How many waiting jobs run before this one, and the seconds until its picture.

        The latter is None where it is not known: no worker is ready, or the queue is paused for nobody knows how long.
        None if the job does not wait.
        """
        turn = await self._queue.turn_of(job_id)
        if turn is None:
            return None
        foreseen = await self._look_ahead()
        seconds = None if self.mode == PAUSED else foreseen.outlook.seconds(*turn)
        if seconds is not None:
            seconds = max(SOON, seconds - (self._clock() - foreseen.at))
        return foreseen.outlook.place(turn[0]), seconds

    async def _look_ahead(self) -> Foreseen:
        """When each waiting job will start and end: once for all who ask within a moment."""
        async with self._foreseeing:
            line, now = await self._queue.line(), self._clock()
            known = self._foreseen
            if known is None or known.line is not line or not 0 <= now - known.at < known.lasts:
                underway = {job: handed.underway(now) for (job, _), handed in self._handed.items()}
                ready = self.readiness
                lanes, paces = (ready.lanes, dict(self._speed.paces)) if isinstance(ready, Ready) else (0, {})
                outlook = await asyncio.to_thread(look_ahead, line, underway, paces, lanes)
                lasts = (self._clock() - now) / LOOKING_COSTS
                known = self._foreseen = Foreseen(line=line, outlook=outlook, at=now, lasts=lasts)
            return known

    def watch(self) -> AsyncIterator[JobUpdate]:
        """All updates from the first fetch on, for as long as the caller listens or until `close`."""
        return self._updates.watch()

    async def undelivered(self, after: int = 0, most: int | None = None) -> list[Job]:
        """Jobs with a place whose end has not been shown there, the oldest first; at most so many after that id."""
        return await self._queue.undelivered(after, most)

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
            return None if row is None else self._picture(row, owner_of(await people.get(connection, row.person_id)))

    async def seen(
        self, viewer: Viewer, *, ids: Sequence[int] | None = None, own: bool = False, limit: int = 1
    ) -> list[Picture]:
        """The pictures that the viewer may be told of, the newest first; of these ids only, or of their own only."""
        async with self._database.reading() as connection:
            rows = await pictures.seen(connection, viewer, ids=ids, own=own, limit=limit)
            return await self._pictures(connection, rows)

    async def family(self, picture_id: int, viewer: Viewer) -> list[tuple[int, int | None, Picture | None]]:
        """Each relative of a picture with its number and its parent's; None: not for this viewer's eyes.

        Empty where the viewer may not be told of the picture itself.
        """
        async with self._database.reading() as connection:
            relatives = await lineage.family_of(connection, picture_id, viewer)
            rows = [relative.row for relative in relatives if relative.row is not None]
            known = {picture.id: picture for picture in await self._pictures(connection, rows)}
        return [(relative.id, relative.parent_id, known.get(relative.id)) for relative in relatives]

    async def _pictures(self, connection: Transaction, rows: Sequence[PictureRow]) -> list[Picture]:
        owners = await people.get_all(connection, {row.person_id for row in rows})
        return [self._picture(row, owner_of(owners[row.person_id])) for row in rows]

    async def forget(self, owner: Owner, place: forgetting.Place | None) -> forgetting.Forgotten | None:
        """Delete everything that is kept of a person, at one place or (None) everywhere, beyond recovery.

        Their jobs that wait or run are cancelled first.

        Returns:
            what went; None where nothing was kept.

        Raises:
            StoreError: it could not all be deleted, and may be tried again.
        """
        async with self._database.reading() as connection:
            person = await people.find(connection, owner.source, owner.external_id)
            if person is None:
                return None
            unended = await forgetting.unended_of(connection, person, place)
        for job in unended:
            await self.cancel(job, by=owner)
        async with self._filing, self._database.writing() as connection:
            gone = await forgetting.forget(connection, person, place)
            for name, suffix in gone.files:  # before the commit, as in `delete`
                await asyncio.to_thread(self._files.delete, name, suffix)
        await self._database.scrub()
        return gone

    async def picture_of(self, job_id: int) -> Picture | None:
        """The picture that a job made, unless it made none or it was deleted."""
        async with self._database.reading() as connection:
            row = await pictures.of_job(connection, job_id)
            return None if row is None else self._picture(row, owner_of(await people.get(connection, row.person_id)))

    async def newest_picture(self, owner: Owner) -> Picture | None:
        """The picture that this person got last, unless they have none."""
        async with self._database.reading() as connection:
            person = await people.find(connection, owner.source, owner.external_id)
            row = None if person is None else await pictures.newest_of(connection, person.id)
            return None if row is None else self._picture(row, owner)

    async def study_of(self, job_id: int) -> Study | None:
        """What came of a job that made a picture again, if it is kept."""
        async with self._database.reading() as connection:
            row = await studies.of_job(connection, job_id)
        return await self._read_study(row)

    async def known_study(self, plan: StudyPlan) -> Study | None:
        """What came of the same plan before, if it is kept."""
        async with self._database.reading() as connection:
            row = await studies.with_key(connection, plan.picture, plan.key)
        return await self._read_study(row)

    async def _read_study(self, row: studies.StudyRow | None) -> Study | None:
        content = None if row is None else await asyncio.to_thread(self._files.get, row.result, STUDY_SUFFIX)
        return None if content is None else await asyncio.to_thread(unpack_study, content)

    async def frames(self, picture_id: int, steps: tuple[int, ...], *, noisy: bool = False) -> tuple[Frame, ...]:
        """Chosen steps (1-based) of the picture's run: those that are kept decoded, and the rest from a worker.

        Raises:
            GenerationError: the picture is gone, its steps were not kept, or no worker could decode them.
            StoreError: the steps cannot be read.
        """
        async with self._database.reading() as connection:
            row = await pictures.get(connection, picture_id)
        if row is None:
            raise GenerationError("That picture is no longer there.")
        # a studio that was not started is asked beside one that was, and changes nothing
        return await self._frames.of(row, steps, noisy=noisy, keep=bool(self._tasks))

    async def keep_strips_ahead(self) -> None:
        """Have the frames of strips decoded and kept whenever no worker has a job, until cancelled."""
        while True:
            await self._rest.wait()
            self._rest.clear()
            try:
                while self._is_at_rest and await self._frames.go_on_ahead(self._loaded):
                    pass
            except StoreError as error:
                log.warning("Strips cannot be kept now, which is tried again after the next picture: %s", error)

    @property
    def _is_at_rest(self) -> bool:
        return self._dispatcher.lanes_free > 0 and not self._handed and not self._claiming

    @property
    def _loaded(self) -> set[str]:
        """The models that workers have in memory."""
        return set() if self.ready is None else self.ready.weights_sha256.keys() & set(self.models.names)

    async def read_prompt(self, run: RunFacts) -> events.PromptRead:
        """How the run's model reads its prompt.

        Raises:
            GenerationError: the model is no longer configured or cannot tell, or no worker answered.
        """
        self.models.get(run.model)
        query = events.ReadPrompt(query=0, model=run.model, prompt=run.request.prompt)
        return await self._dispatcher.read_prompt(query)

    async def touch_up(self, picture_id: int, touches: tuple[str, ...], by: Owner) -> Picture | None:
        """Do these final touches, and no others, to what diffusion made.

        Returns:
            the picture as it is then; None if it is not this person's or is gone.

        Raises:
            GenerationError: they cannot be done, or no worker could.
            StoreError: it could not be stored; then nothing changed.
        """
        async with self._database.reading() as connection:
            row = await pictures.get(connection, picture_id)
            person = await people.find(connection, by.source, by.external_id)
        if row is None or person is None or row.person_id != person.id:
            return None
        plain = row.untouched or row.content
        picture = await asyncio.to_thread(self._files.get, plain, PICTURE_SUFFIX)
        if picture is None:
            raise GenerationError("The file of this picture is no longer there.")
        lines: tuple[str, ...] = ()
        if touches:
            done = await self._dispatcher.touch_up(events.TouchUp(query=0, picture=picture, touches=touches))
            picture, lines = done.picture, done.lines
        return await self._change(picture_id, plain, picture, lines, by)

    async def _change(
        self, picture_id: int, plain: str, picture: bytes, lines: tuple[str, ...], by: Owner
    ) -> Picture | None:
        async with self._filing:
            content = await asyncio.to_thread(self._files.put, picture, PICTURE_SUFFIX)
            after = None
            try:
                async with self._database.writing() as connection:
                    row = await pictures.get(connection, picture_id)
                    if row is None:  # deleted meanwhile
                        return None
                    facts = row.facts | {"final_touches": list(lines)}
                    untouched = plain if content != plain else None
                    after = await pictures.touch_up(connection, row, content=content, untouched=untouched, facts=facts)
            finally:
                unneeded = content if after is None or row is None else row.content
                await self._drop_unused([(unneeded, PICTURE_SUFFIX)])
            return self._picture(after, by)

    async def forget_steps(self, older_than: float) -> int:
        """Delete the kept steps of runs from before a time (seconds since 1970); how many.

        Raises:
            StoreError: not all could be deleted, and it may be tried again.
        """
        count = 0
        while True:
            async with self._filing, self._database.writing() as connection:
                runs, files = await pictures.drop_steps(connection, older_than, STEPS_FORGOTTEN_AT_ONCE)
                for name, suffix in files:
                    if not await pictures.uses(connection, name):
                        await asyncio.to_thread(self._files.delete, name, suffix)
            if not runs:
                return count
            count += runs

    async def delete(self, picture_id: int, by: Owner) -> bool:
        """Delete a picture with its file, its steps, its run and the turn that asked for it.

        Returns:
            False if it is not this person's or is gone already.

        Raises:
            StoreError: it could not be deleted, and may be tried again.
        """
        async with self._filing, self._database.writing() as connection:
            row = await pictures.get(connection, picture_id)
            person = await people.find(connection, by.source, by.external_id)
            if row is None or person is None or row.person_id != person.id:
                return False
            studying, made = await studies.remove_of(connection, [row.id])
            await pictures.remove(connection, row)
            for name, suffix in {*_files_of(row), *made}:
                if not await pictures.uses(connection, name):
                    # before the commit: a record without its file can be deleted again, a file without a record never
                    await asyncio.to_thread(self._files.delete, name, suffix)
        for job in studying:
            self._updates.tell(JobCancelled(job=job))
        return True

    def _picture(self, row: PictureRow, owner: Owner) -> Picture:
        return Picture(
            id=row.id,
            job=row.job_id,
            owner=owner,
            run=msgspec.convert(row.facts, RunFacts),
            path=self._files.path(row.content, row.suffix),
            created_at=row.created_at,
            has_steps=row.trajectory is not None,
            run_id=row.run_id,
            parent=row.parent_id,
            method=row.method,
            private=row.private,
            untouched=None if row.untouched is None else self._files.path(row.untouched, PICTURE_SUFFIX),
            begun_with=self._path(row.facts["request"].get("init_image")),
            mask=self._path(row.facts["request"].get("mask")),
        )

    def _path(self, name: str | None) -> Path | None:
        return None if name is None else self._files.path(name, PICTURE_SUFFIX)

    # --- handing out ---------------------------------------------------------------------------

    async def _hand_out(self) -> None:
        """Give waiting jobs to free lanes, whenever there may be both."""
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self._fill_lanes()
                if self._is_at_rest:
                    self._rest.set()
            except Exception:  # an edge: handing out must go on
                log.exception("Trouble while handing out jobs; reference %s", _reference())
                await asyncio.sleep(RETRY_PAUSE)
                self._work.set()

    async def _fill_lanes(self) -> None:
        while self._dispatcher.lanes_free > 0 and not any(handed.suspect for handed in self._handed.values()):
            self._claiming = True
            try:
                job = await self._queue.claim()
                if job is None or not await self._hand_over(job):
                    return
            finally:
                self._claiming = False
                self._recalled &= self._handed.keys()

    async def _hand_over(self, job: Job) -> bool:
        """Give the claimed job to a worker. False: no other can be given out for now."""
        key = (job.id, job.attempt)
        if job.deaths and self._handed:  # alone, so that it takes nobody else's job with it if it kills again
            await self._insist(lambda: self._queue.put_back(*key))
            return False
        self._handed[key] = _Handed(suspect=job.deaths > 0, since=self._clock())
        self._speed.begin(key, job.request.model, job.cost)
        try:
            init_image = await self._named(job.request.init_image)
            mask = await self._named(job.request.mask)
            if key in self._recalled:
                self._drop(key)
                return True
            await self._dispatcher.submit(_order(job, init_image, mask))
        except WorkerGone:
            self._drop(key)
            await self._insist(lambda: self._queue.put_back(*key))
            return False
        except Exception as error:  # an edge: the job must not stay in nobody's hands
            self._drop(key)
            reference = _reference()
            log.exception("Job %d could not be handed out; reference %s", job.id, reference)
            known = isinstance(error, GenerationError | StoreError)
            await self._fail(*key, str(error) if known else NOT_HANDED_OUT, reference)
            return True
        if key in self._recalled:
            await self._dispatcher.cancel(*key)
        return True

    def _drop(self, key: _Key, *, finished: bool = False) -> None:
        """No worker has that attempt any more."""
        self._handed.pop(key, None)
        self._speed.end(key, finished=finished)

    async def _named(self, name: str | None) -> bytes | None:
        """The picture that a request names."""
        if name is None:
            return None
        content = await asyncio.to_thread(self._files.get, name, PICTURE_SUFFIX)
        if content is None:
            raise GenerationError(INIT_IMAGE_GONE)
        return content

    # --- following -----------------------------------------------------------------------------

    async def _follow_workers(self) -> None:
        while True:
            try:
                async for event in self._dispatcher.events():
                    await self._take_safely(event)
                return
            except Exception:  # an edge: nothing would ever end if nobody listened to the workers
                log.exception("Trouble while listening to the workers; reference %s", _reference())
                await asyncio.sleep(RETRY_PAUSE)

    async def _take_safely(self, event: events.Event) -> None:
        """An edge: trouble with one event or job must not stop the others."""
        try:
            await self._take(event)
        except Exception:
            reference = _reference()
            log.exception("Trouble while taking %s; reference %s", type(event).__name__, reference)
            if isinstance(event, events.Finished):
                await self._fail(event.job, event.attempt, NOT_SAVED, reference)

    async def _take(self, event: events.Event) -> None:
        match event:
            case events.Loading():
                self.loading = event
                if not (event.beside and isinstance(self.readiness, Ready)):
                    self.readiness = event
                    self._speed.interrupt()
            case events.Ready():
                self.readiness = self.ready = event
                self.loading = None
                self._speed.seed(event, self.models)
                self._work.set()
            case events.Started():
                if self._runs(event):
                    self._updates.tell(JobStarted(job=event.job))
            case events.Progress():
                if self._runs(event):
                    handed = self._handed[event.job, event.attempt]
                    handed.progress = event
                    self._speed.progress((event.job, event.attempt), handed.used)
                    self._updates.tell(JobProgressed(job=event.job, progress=event))
            case events.Finished() | events.Failed() | events.Cancelled():
                self._drop((event.job, event.attempt), finished=isinstance(event, events.Finished))
                self._work.set()  # its lane is free, whatever its end is
                try:
                    await self._end(event)
                finally:
                    self._recalled.discard((event.job, event.attempt))
                    self._work.set()

    def _runs(self, event: events.Started | events.Progress) -> bool:
        key = (event.job, event.attempt)
        return key in self._handed and key not in self._recalled

    async def _end(self, event: events.Finished | events.Failed | events.Cancelled) -> None:
        match event:
            case events.Finished():
                await self._store(event)
            case events.Failed(retry=False):
                await self._fail(event.job, event.attempt, event.sentence, event.reference)
            case events.Failed():
                await self._run_again(event, event.reference)
            case events.Cancelled():
                # a person's cancel has ended the job already; this one nobody asked for
                await self._run_again(event, _reference())

    async def _run_again(self, event: events.Failed | events.Cancelled, reference: str) -> None:
        if self._closing:
            return  # the worker was told to stop, and the job waits for the next start
        if isinstance(event, events.Failed) and event.returned:
            if await self._insist(lambda: self._queue.put_back(event.job, event.attempt)):
                self._updates.tell(JobWaiting(job=event.job))
            return
        job = await self._insist(lambda: self._queue.worker_died(event.job, event.attempt, reference))
        if job is None:
            return
        log.warning("Attempt %d of job %d came to nothing; reference %s", event.attempt, event.job, reference)
        if job.ended:
            self._updates.tell(JobFailed(job=job.id, sentence=job.reason or "", reference=job.reference))
        else:
            self._updates.tell(JobWaiting(job=job.id))

    async def _fail(self, job: int, attempt: int, sentence: str, reference: str) -> None:
        if await self._insist(lambda: self._queue.fail(job, attempt, sentence, reference)):
            self._updates.tell(JobFailed(job=job, sentence=sentence, reference=reference))

    async def _store(self, event: events.Finished) -> None:
        """Files first, then the record and the end of the job in one transaction, then the news."""
        try:
            if event.replicas:
                await self._store_study(event)
                return
            async with self._filing:
                recorded = await self._record(event)
        except StoreError as error:
            reference = _reference()
            log.error("The picture of job %d could not be stored (reference %s): %s", event.job, reference, error)
            await self._fail(event.job, event.attempt, NOT_SAVED, reference)
            return
        if recorded is None:
            log.info("Attempt %d of job %d came too late; its picture was left out", event.attempt, event.job)
            return
        self._updates.tell(JobDone(job=event.job, picture=self._picture(*recorded)))

    async def _store_study(self, event: events.Finished) -> None:
        job = await self._queue.get(event.job)
        if job is None or job.study is None:  # deleted meanwhile
            return
        if job.study.change == "words" and event.words is None:
            await self._fail(event.job, event.attempt, event.unmapped or NOT_SAVED, _reference())
            return
        async with self._database.reading() as connection:
            row = await pictures.get(connection, job.study.picture)
        original = None
        if row is not None:
            original = await asyncio.to_thread(self._files.get, row.untouched or row.content, PICTURE_SUFFIX)
        if row is None or original is None:
            await self._fail(event.job, event.attempt, STUDIED_GONE, _reference())
            return
        run = msgspec.convert(row.facts, RunFacts)
        study = await asyncio.to_thread(conclude, job.study, run, original, event)
        if await self._record_study(job, study, await asyncio.to_thread(pack_study, study)):
            self._updates.tell(JobStudied(job=event.job))
        else:
            await self._fail(event.job, event.attempt, STUDIED_GONE, _reference())

    async def _record_study(self, job: Job, study: Study, packed: bytes) -> bool:
        assert job.study is not None  # it makes one
        recorded = False
        async with self._filing:
            result = await asyncio.to_thread(self._files.put, packed, STUDY_SUFFIX)
            try:
                recorded = await self._queue.finish_study(job.id, job.attempt, _columns(job.study, study, result))
            finally:
                if not recorded:
                    await self._drop_unused([(result, STUDY_SUFFIX)])
        return recorded

    async def _record(self, event: events.Finished) -> tuple[PictureRow, Owner] | None:
        kept: list[tuple[str, str]] = []
        recorded = None
        try:
            content = await asyncio.to_thread(self._files.put, event.picture, PICTURE_SUFFIX)
            kept.append((content, PICTURE_SUFFIX))
            trajectory = None
            if event.trajectory is not None:
                trajectory = await asyncio.to_thread(self._files.put, event.trajectory, TRAJECTORY_SUFFIX)
                kept.append((trajectory, TRAJECTORY_SUFFIX))
            untouched = None
            if event.untouched is not None:
                untouched = await asyncio.to_thread(self._files.put, event.untouched, PICTURE_SUFFIX)
                kept.append((untouched, PICTURE_SUFFIX))
            recorded = await self._queue.finish(
                event.job,
                event.attempt,
                facts=event.facts,
                content=content,
                suffix=PICTURE_SUFFIX,
                trajectory=trajectory,
                untouched=untouched,
            )
        finally:
            if recorded is None:
                await self._drop_unused(kept)
        return recorded

    async def _drop_unused(self, kept: list[tuple[str, str]]) -> None:
        """Leave no file that no record names."""
        with contextlib.suppress(StoreError):  # then they stay: better a file too many than a picture without one
            async with self._database.reading() as connection:
                unused = [file for file in kept if not await pictures.uses(connection, file[0])]
            for name, suffix in unused:
                await asyncio.to_thread(self._files.delete, name, suffix)

    async def _insist(self, note: Callable[[], Awaitable[_T]]) -> _T:
        """Note in the store what must not be missed, for as long as it takes to be able to."""
        while True:
            try:
                return await note()
            except StoreError as error:
                log.warning("The store cannot be written to, which is tried again: %s", error)
                await asyncio.sleep(RETRY_PAUSE)


def _order(job: Job, init_image: bytes | None, mask: bytes | None) -> events.Generate:
    plain = events.Generate(job=job.id, attempt=job.attempt, request=job.request, init_image=init_image, mask=mask)
    if job.study is None:
        return plain
    return msgspec.structs.replace(
        plain,
        previews=False,
        trajectory=False,
        words=job.study.change == "words",
        alone=job.study.change in ("words", "again"),
        cells=job.study.requests,
    )


def _columns(plan: StudyPlan, study: Study, result: str) -> dict[str, Any]:
    return {
        "picture_id": plan.picture,
        "change": plan.change,
        "key": plan.key,
        "value": plan.value,
        "summary": study.summary(),
        "masses": study.masses,
        "result": result,
    }


def _files_of(row: PictureRow) -> list[tuple[str, str]]:
    request = row.facts.get("request", {})
    named = (
        (row.content, row.suffix),
        (row.trajectory, TRAJECTORY_SUFFIX),
        (row.frames, FRAMES_SUFFIX),
        (request.get("init_image"), PICTURE_SUFFIX),
        (request.get("mask"), PICTURE_SUFFIX),
        (row.untouched, PICTURE_SUFFIX),
    )
    return [(name, suffix) for name, suffix in named if name is not None]


def _reference() -> str:
    """A short id that stands in the log beside the cause."""
    return secrets.token_hex(4)
