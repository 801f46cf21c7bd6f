"""The order in which jobs run, and every step of a job's life, over the store.

Order is start-time fair queueing (Goyal, Vin & Cheng 1996): virtual time stands at the tag of the job
claimed last; a new job's tag is that time, or the end of its owner's queued work if that is later, and
its owner's work then ends `cost` later. So each person's jobs take turns with everybody else's, and a
newcomer waits for nothing but what runs. Knows neither workers nor messages.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from generation.errors import QueueFull
from generation.request import GenerationRequest, RunFacts
from store import conversations, jobs, people, pictures
from store.database import Database, Transaction
from store.jobs import JobRow
from store.people import Person
from store.pictures import PictureRow

DEATHS_ALLOWED = 2  # workers that may die on a job before it is given up
PIXELS_PER_MEGAPIXEL = 1_000_000
GIVEN_UP = (
    "The worker stopped twice while making this picture, so I gave it up; a smaller size or another model may work."
)


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The person who asks, as their front end knows them."""

    source: str  # discord, terminal
    external_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a front end wants the answer. Only the front end reads it back."""

    channel: str
    guild: str | None = None
    message: str | None = None
    interaction: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request in the queue, and what became of it."""

    id: int
    owner: Owner
    request: GenerationRequest
    place: Place | None
    state: str  # see store.jobs
    attempt: int
    created_at: float  # seconds since 1970
    reason: str | None = None  # why it made no picture
    reference: str | None = None

    @property
    def ended(self) -> bool:
        return self.state not in jobs.UNENDED


class Queue:
    """All jobs of this installation."""

    def __init__(self, database: Database, *, most_waiting: int = 50) -> None:
        self._database = database
        self._most_waiting = most_waiting

    async def put(self, request: GenerationRequest, owner: Owner, place: Place | None) -> Job:
        """Store the turn that asks and the job, together or not at all.

        Raises:
            QueueFull: the owner has as many jobs waiting as the limit allows.
        """
        now = time.time()
        async with self._database.writing() as connection:
            person = await people.remember(connection, owner.source, owner.external_id, owner.name)
            mine = await jobs.unended_of(connection, person.id)
            if len([row for row in mine if row.state == jobs.WAITING]) >= self._most_waiting:
                raise QueueFull(
                    f"You have {self._most_waiting} pictures waiting, which is the most I keep for one person; "
                    "ask again when some are done."
                )
            channel, guild = (place.channel, place.guild) if place else (f"{owner.source}-{person.id}", None)
            conversation = await conversations.remember(connection, owner.source, channel, guild)
            turn = await conversations.add_turn(
                connection,
                conversation,
                person_id=person.id,
                said=request.prompt,
                message=place.message if place else None,
                now=now,
            )
            cost = cost_of(request)
            tag = max(await jobs.virtual_time(connection), person.last_tag)
            await people.set_last_tag(connection, person.id, tag + cost)
            row = await jobs.add(
                connection,
                {
                    "turn_id": turn,
                    "person_id": person.id,
                    "request": msgspec.to_builtins(request),
                    "place": asdict(place) if place else None,
                    "tag": tag,
                    "cost": cost,
                    "created_at": now,
                },
            )
        return _job(row, person)

    async def claim(self) -> Job | None:
        """The job that is to run next, now running; None if nothing waits."""
        async with self._database.writing() as connection:
            row = await jobs.claim(connection, time.time())
            return None if row is None else _job(row, await people.get(connection, row.person_id))

    async def put_back(self, job: int, attempt: int) -> bool:
        """Let a running attempt wait again through no fault of its own."""
        async with self._database.writing() as connection:
            return await jobs.put_back(connection, job, attempt, died=False)

    async def put_back_all(self) -> int:
        """At the start: what an earlier process left running waits again. Returns how many."""
        async with self._database.writing() as connection:
            return await jobs.put_back_running(connection)

    async def worker_died(self, job: int, attempt: int, reference: str) -> Job | None:
        """The attempt's worker died: the job waits again, or is given up if it was not the first.

        Returns:
            the job as it stands now; None if that attempt was not running any more.
        """
        async with self._database.writing() as connection:
            row = await jobs.get(connection, job)
            if row is None:
                return None
            if row.deaths + 1 >= DEATHS_ALLOWED:
                changed = await jobs.end(
                    connection, job, attempt, jobs.FAILED, time.time(), reason=GIVEN_UP, reference=reference
                )
                if changed:
                    await _retag(connection, row.person_id)
            else:
                changed = await jobs.put_back(connection, job, attempt, died=True)
            return await _reload(connection, job) if changed else None

    async def finish(
        self, job: int, attempt: int, *, facts: RunFacts, content: str, suffix: str, trajectory: str | None
    ) -> PictureRow | None:
        """Record the picture and end the job, together. None: that attempt runs no more, and nothing was recorded."""
        now = time.time()
        async with self._database.writing() as connection:
            if not await jobs.end(connection, job, attempt, jobs.DONE, now):
                return None
            row = await jobs.get(connection, job)
            assert row is not None
            return await pictures.add(
                connection,
                job_id=job,
                person_id=row.person_id,
                facts=msgspec.to_builtins(facts),
                content=content,
                suffix=suffix,
                trajectory=trajectory,
                now=now,
            )

    async def fail(self, job: int, attempt: int, sentence: str, reference: str) -> Job | None:
        """End the attempt without a picture; its owner's other jobs move up. None: it runs no more."""
        return await self._end(job, attempt, jobs.FAILED, sentence, reference)

    async def cancelled(self, job: int, attempt: int) -> Job | None:
        """End the attempt as cancelled; its owner's other jobs move up. None: it runs no more."""
        return await self._end(job, attempt, jobs.CANCELLED, None, None)

    async def cancel_waiting(self, job: int) -> Job | None:
        """Cancel the job if it waits; its owner's other jobs move up. None: it does not wait."""
        async with self._database.writing() as connection:
            if not await jobs.cancel_waiting(connection, job, time.time()):
                return None
            ended = await jobs.get(connection, job)
            assert ended is not None
            await _retag(connection, ended.person_id)
            return await _reload(connection, job)

    async def get(self, job: int) -> Job | None:
        """The job, if there is one."""
        async with self._database.reading() as connection:
            return await _reload(connection, job)

    async def ahead_of(self, job: int) -> tuple[int, float] | None:
        """How many jobs will run before this one, and their cost; None if it does not wait."""
        async with self._database.reading() as connection:
            row = await jobs.get(connection, job)
            if row is None or row.state != jobs.WAITING:
                return None
            return await jobs.ahead_of(connection, row)

    async def undelivered(self) -> list[Job]:
        """Jobs whose front end still waits for them, the oldest first."""
        async with self._database.reading() as connection:
            rows = await jobs.undelivered(connection)
            return [_job(row, await people.get(connection, row.person_id)) for row in rows]

    async def mark_delivered(self, job: int) -> bool:
        """Note that the front end has shown the end of the job. False: it had been noted before."""
        async with self._database.writing() as connection:
            return await jobs.mark_delivered(connection, job, time.time())

    async def set_place(self, job: int, place: Place) -> None:
        """Note where the front end wants the answer now."""
        async with self._database.writing() as connection:
            await jobs.set_place(connection, job, asdict(place))

    async def _end(self, job: int, attempt: int, state: str, reason: str | None, reference: str | None) -> Job | None:
        async with self._database.writing() as connection:
            if not await jobs.end(connection, job, attempt, state, time.time(), reason=reason, reference=reference):
                return None
            ended = await jobs.get(connection, job)
            assert ended is not None
            await _retag(connection, ended.person_id)
            return await _reload(connection, job)


def cost_of(request: GenerationRequest) -> float:
    """What a job takes from its owner's share: steps x megapixels."""
    return request.steps * request.width * request.height / PIXELS_PER_MEGAPIXEL


async def _retag(connection: Transaction, person_id: int) -> None:
    """Give a person's waiting jobs the tags they would have had without the one that ended for nothing."""
    end = await jobs.virtual_time(connection)
    mine = await jobs.unended_of(connection, person_id)
    for row in mine:
        if row.state == jobs.RUNNING:
            end = max(end, row.tag + row.cost)
    for row in (row for row in mine if row.state == jobs.WAITING):
        tag = min(end, row.tag)
        if tag < row.tag:
            await jobs.set_tag(connection, row.id, tag)
        end = tag + row.cost
    await people.set_last_tag(connection, person_id, end)


async def _reload(connection: Transaction, job: int) -> Job | None:
    row = await jobs.get(connection, job)
    return None if row is None else _job(row, await people.get(connection, row.person_id))


def _job(row: JobRow, person: Person) -> Job:
    return Job(
        id=row.id,
        owner=Owner(source=person.source, external_id=person.external_id, name=person.name),
        request=msgspec.convert(row.request, GenerationRequest),
        place=Place(**row.place) if row.place else None,
        state=row.state,
        attempt=row.attempt,
        created_at=row.created_at,
        reason=row.reason,
        reference=row.reference,
    )
