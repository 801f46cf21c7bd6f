"""The order in which jobs run, and every step of a job's life, over the store.

Order is start-time fair queueing (Goyal, Vin & Cheng 1996): virtual time stands at the tag of the job
claimed last; a new job's tag is that time, or the end of its owner's queued work if that is later, and
its owner's work then ends `cost` later. So each person's jobs take turns with everybody else's, and a
newcomer waits for nothing but what runs. A job that makes no picture is charged with what it used, and
its owner's later jobs move up. Nothing is ordered by a clock. Knows neither workers nor messages.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from generation.experiments import StudyPlan
from generation.limits import admit
from generation.line import Key, Line, key_of
from generation.request import GenerationRequest, RunFacts
from store import conversations, jobs, people, pictures, rules, studies
from store.database import Database, Transaction
from store.jobs import JobRow
from store.people import Person
from store.pictures import PictureRow

log = logging.getLogger(__name__)

DEATHS_ALLOWED = 2  # workers that may die on a job before it is given up
CREATE = "create"  # what a turn that asks for a picture wants
PIXELS_PER_MEGAPIXEL = 1_000_000
UNDECODABLE = (msgspec.ValidationError, TypeError)  # a row that another version wrote
GIVEN_UP = (
    "The worker stopped twice while making this picture, so I gave it up; a smaller size or another model may work."
)
UNREADABLE = "Another version of Darkroom has stored this request, and I cannot read it any more; please ask again."


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The person who asks, as their front end knows them."""

    source: str  # discord, terminal
    external_id: str
    name: str
    roles: tuple[str, ...] = ()  # in the server where they speak; not stored


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a front end wants the answer. Only the front end reads it back."""

    channel: str
    guild: str | None = None
    message: str | None = None
    interaction: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a request goes on from.

    Args:
        parent: the picture's id.
        method: how, as `store.tables` lists it.
        private: the picture is for its owner's eyes alone.
        turn: the turn that asked, where it has been recorded already; else the prompt becomes one.
        files: PNG files that the request names by their hash and that are not kept yet.
    """

    parent: int | None = None
    method: str | None = None
    private: bool = False
    turn: int | None = None
    files: tuple[bytes, ...] = ()


FRESH = Origin()  # a request that goes on from nothing


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request in the queue, and what became of it."""

    id: int
    owner: Owner
    request: GenerationRequest
    place: Place | None
    state: str  # see store.jobs
    attempt: int
    deaths: int = 0  # how many workers died on it
    created_at: float  # seconds since 1970
    reason: str | None = None  # why it made no picture
    reference: str | None = None
    study: StudyPlan | None = None  # what it makes again, instead of a picture of its own
    parent: int | None = None  # the picture that it goes on from

    @property
    def cost(self) -> float:
        """Steps x megapixels of all that it makes."""
        return cost_of(self.request) if self.study is None else self.study.cost

    @property
    def ended(self) -> bool:
        return self.state not in jobs.UNENDED


LINE_LASTS = 1.0  # seconds that a look at the line serves at most; other processes may change it as well
LINE_COSTS = 0.05  # share of the time that is spent on looking at the line, however long it has grown


class Queue:
    """All jobs of this installation."""

    def __init__(self, database: Database, *, most_waiting: int = 50) -> None:
        self._database = database
        self._most_waiting = most_waiting
        self._looking = asyncio.Lock()
        self._line: Line | None = None
        self._line_taken = 0.0  # by the monotonic clock
        self._line_took = 0.0  # seconds
        self._line_changed = True  # by this process

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Transaction]:
        """A transaction after which the line is another."""
        try:
            async with self._database.writing() as connection:
                yield connection
        finally:
            self._line_changed = True

    async def put(
        self,
        request: GenerationRequest,
        owner: Owner,
        place: Place | None,
        origin: Origin = FRESH,
        *,
        study: StudyPlan | None = None,
    ) -> Job:
        """Store the turn that asks and the job, together or not at all.

        `study`: what the job is to make again; then nobody has said its prompt, and it is no turn.

        Raises:
            NotAdmitted: an admin has set that this is not taken.
            QueueFull: the owner has as many jobs waiting as the limit allows.
        """
        now = time.time()
        async with self.changing() as connection:
            person = await people.remember(connection, owner.source, owner.external_id, owner.name)
            asked_in = place.guild if place else None
            terms = await admit(connection, person, owner.roles, asked_in, request, most_waiting=self._most_waiting)
            channel, guild = (place.channel, place.guild) if place else (f"{owner.source}-{person.id}", None)
            conversation = await conversations.remember(connection, owner.source, channel, guild)
            turn = origin.turn
            if turn is None and study is None:
                turn = await conversations.add_turn(
                    connection,
                    conversation,
                    person_id=person.id,
                    said=request.prompt,
                    message=place.message if place else None,
                    private=origin.private,
                    intent=CREATE,
                    now=now,
                )
            row = await line_up(
                connection,
                person,
                request,
                {
                    "turn_id": turn,
                    "conversation_id": conversation,
                    "parent_id": origin.parent,
                    "method": origin.method,
                    "private": origin.private,
                    "place": asdict(place) if place else None,
                    "weight": terms.weight,
                    "most_running": terms.most_running,
                    "guild": asked_in,
                    "created_at": now,
                    **({} if study is None else values_of(study)),
                },
            )
            return read_job(row, person)

    async def claim(self) -> Job | None:
        """The job that is to run next, now running; None if nothing waits."""
        async with self.changing() as connection:
            while (row := await jobs.claim(connection, time.time())) is not None:
                try:
                    return await _job(connection, row)
                except UNDECODABLE:
                    await self._give_up(connection, row)
            return None

    async def put_back(self, job: int, attempt: int) -> bool:
        """Let a running attempt wait again through no fault of its own."""
        async with self.changing() as connection:
            return await jobs.put_back(connection, job, attempt, died=False)

    async def put_back_all(self) -> int:
        """At the start: what an earlier process left running waits again. Returns how many."""
        async with self.changing() as connection:
            return await jobs.put_back_running(connection)

    async def worker_died(self, job: int, attempt: int, reference: str) -> Job | None:
        """The attempt's worker died: the job waits again, or is given up if it was not the first.

        Returns:
            the job as it stands now; None if that attempt was not running any more.
        """
        async with self.changing() as connection:
            row = await jobs.get(connection, job)
            if row is None:
                return None
            if row.deaths + 1 >= DEATHS_ALLOWED:
                return await self._fail(connection, job, attempt, GIVEN_UP, reference, died=True)
            changed = await jobs.put_back(connection, job, attempt, died=True)
            return await _reload(connection, job) if changed else None

    async def finish(
        self,
        job: int,
        attempt: int,
        *,
        facts: RunFacts,
        content: str,
        suffix: str,
        trajectory: str | None,
        untouched: str | None = None,
    ) -> tuple[PictureRow, Owner] | None:
        """Record the picture and end the job, together. None: that attempt runs no more, and nothing was recorded."""
        now = time.time()
        async with self.changing() as connection:
            if not await jobs.end(connection, job, attempt, jobs.DONE, now):
                return None
            row = await jobs.get(connection, job)
            assert row is not None
            picture = await pictures.add(
                connection,
                job_id=job,
                person_id=row.person_id,
                facts=msgspec.to_builtins(facts),
                content=content,
                suffix=suffix,
                trajectory=trajectory,
                now=now,
                parent_id=row.parent_id,
                method=row.method,
                private=row.private,
                untouched=untouched,
            )
            return picture, owner_of(await people.get(connection, row.person_id))

    async def finish_study(self, job: int, attempt: int, values: Mapping[str, Any]) -> bool:
        """Record what came of a study and end its job, together; `values` are columns of `studies`.

        False: that attempt runs no more, or its picture was deleted; nothing was recorded.
        """
        now = time.time()
        async with self.changing() as connection:
            if await pictures.get(connection, values["picture_id"]) is None:
                return False
            if not await jobs.end(connection, job, attempt, jobs.DONE, now):
                return False
            await studies.add(connection, {**values, "job_id": job, "created_at": now})
            return True

    async def fail(self, job: int, attempt: int, sentence: str, reference: str) -> Job | None:
        """End the attempt without a picture; its owner's other jobs move up. None: it runs no more."""
        async with self.changing() as connection:
            return await self._fail(connection, job, attempt, sentence, reference)

    async def cancel(self, job: int, by: Owner, *, used: float = 0.0) -> Job | None:
        """Cancel a person's job, whether it waits or runs; their other jobs move up.

        `used`: the share of its steps that were done, with which its owner stays charged.

        Returns:
            the job as it was just before; None if it is not theirs, has ended or never was.
        """
        async with self.changing() as connection:
            before = await _reload(connection, job)
            if before is None or not same_person(before.owner, by):
                return None
            if not await jobs.cancel(connection, job, time.time()):
                return None
            await give_back(connection, job, used)
            return before

    async def mode(self) -> str:
        """Whether the queue is open, paused or draining."""
        async with self._database.reading() as connection:
            return await rules.mode(connection)

    async def get(self, job: int) -> Job | None:
        """The job, if there is one."""
        async with self._database.reading() as connection:
            return await _reload(connection, job)

    async def turn_of(self, job: int) -> tuple[Key, float] | None:
        """Where a waiting job stands in the order of all, and its cost; None if it does not wait."""
        async with self._database.reading() as connection:
            found = await jobs.key_of_waiting(connection, job)
            return None if found is None else (key_of(found), found.cost)

    async def ahead_of(self, job: int) -> int | None:
        """How many jobs come before this one in the order of all; None if it does not wait."""
        turn = await self.turn_of(job)
        return None if turn is None else (await self.line()).index(turn[0])

    async def line(self) -> Line:
        """What waits and what runs: one look for all who ask within a moment, a longer one the longer a look takes."""
        async with self._looking:
            now = time.monotonic()
            age = now - self._line_taken
            looked = self._line
            lasts = self._line_took / LINE_COSTS
            if looked is None or age > max(lasts, LINE_LASTS) or (self._line_changed and age > lasts):
                self._line_changed = False
                async with self._database.reading() as connection:
                    looked = self._line = Line(
                        waiting=await jobs.waiting_line(connection), running=await jobs.running_line(connection)
                    )
                self._line_taken = time.monotonic()
                self._line_took = self._line_taken - now
            return looked

    async def is_awaited_in(self, message: str) -> bool:
        """Whether a job that waits or runs has its place in that message."""
        async with self._database.reading() as connection:
            return await jobs.is_awaited_in(connection, message)

    async def asked_in(self, turn: int) -> Job | None:
        """The newest job that a turn asked for, if it asked for one."""
        async with self._database.reading() as connection:
            row = await jobs.of_turn(connection, turn)
            return None if row is None else await _job(connection, row)

    async def asked_by_messages(self, source: str, messages: Sequence[str]) -> list[Job]:
        """The jobs that wait or run and that these messages of a front end asked for."""
        async with self._database.reading() as connection:
            found = [
                await _reload(connection, job) for job in await jobs.unended_of_messages(connection, source, messages)
            ]
        return [job for job in found if job is not None]

    async def undelivered(self, after: int = 0, most: int | None = None) -> list[Job]:
        """Jobs whose front end still waits for them, the oldest first; of those after an id, at most so many."""
        found = []
        async with self._database.reading() as connection:
            rows = await jobs.undelivered(connection, after, most)
            owners = await people.get_all(connection, {row.person_id for row in rows})
            for row in rows:
                try:
                    found.append(read_job(row, owners[row.person_id]))
                except UNDECODABLE as error:
                    log.warning("Job %d stays undelivered, as it cannot be read: %s", row.id, error)
        return found

    async def mark_delivered(self, job: int) -> bool:
        """Note that the front end has shown the end of the job. False: it had been noted before."""
        async with self._database.writing() as connection:
            return await jobs.mark_delivered(connection, job, time.time())

    async def set_place(self, job: int, place: Place) -> None:
        """Note where the front end wants the answer now."""
        async with self._database.writing() as connection:
            await jobs.set_place(connection, job, asdict(place))

    async def _fail(
        self, connection: Transaction, job: int, attempt: int, sentence: str, reference: str, *, died: bool = False
    ) -> Job | None:
        end = {"reason": sentence, "reference": reference}
        if not await jobs.end(connection, job, attempt, jobs.FAILED, time.time(), **end, died=died):
            return None
        await give_back(connection, job)
        return await _reload(connection, job)

    async def _give_up(self, connection: Transaction, row: JobRow) -> None:
        """A row that nobody can read must not keep the others waiting."""
        reference = secrets.token_hex(4)
        log.exception("Job %d cannot be read; reference %s", row.id, reference)
        now = time.time()
        await jobs.end(connection, row.id, row.attempt, jobs.FAILED, now, reason=UNREADABLE, reference=reference)
        await give_back(connection, row.id)


async def line_up(
    connection: Transaction, person: Person, request: GenerationRequest, values: Mapping[str, Any]
) -> JobRow:
    """Append a waiting job behind its owner's others; `values` are the columns that have nothing to do with turns.

    The person is locked until the transaction ends. By `weight`, so much less virtual time is taken by a job.
    """
    cost = values.get("cost", cost_of(request))
    entered = await jobs.virtual_time(connection)
    tag = max(entered, person.last_tag)
    await people.set_last_tag(connection, person.id, tag + cost / values["weight"])
    turn = {"person_id": person.id, "request": msgspec.to_builtins(request), "tag": tag, "entered": entered}
    return await jobs.add(connection, {**turn, "cost": cost, "model": request.model, **values})


def values_of(study: StudyPlan) -> dict[str, Any]:
    """The columns of a job that makes a study."""
    return {
        "study": msgspec.to_builtins(study),
        "cost": study.cost,
        "priority": study.priority,
        "parent_id": study.picture,
        "method": studies.METHOD,
    }


def cost_of(request: GenerationRequest) -> float:
    """What a job takes from its owner's share: steps x megapixels."""
    return request.steps * request.width * request.height / PIXELS_PER_MEGAPIXEL


def owner_of(person: Person) -> Owner:
    """The person as their front end knows them."""
    return Owner(source=person.source, external_id=person.external_id, name=person.name)


def same_person(one: Owner, other: Owner) -> bool:
    """Whether the two are one person, by whatever name."""
    return (one.source, one.external_id) == (other.source, other.external_id)


async def give_back(connection: Transaction, job: int, used: float = 0.0) -> None:
    """Charge an ended job with the share of its cost that it used, and let its owner's later jobs move up.

    Those get the tags that they would have had, were this its cost from the beginning; but none goes back
    behind the present virtual time, so that nobody collects credit.
    """
    ended = await jobs.get(connection, job)
    assert ended is not None
    person = await people.lock(connection, ended.person_id)
    now = await jobs.virtual_time(connection)
    cost = ended.cost * used
    refund = (ended.cost - cost) / ended.weight
    await jobs.set_cost(connection, ended.id, cost)
    end = ended.tag + cost / ended.weight
    moved: dict[int, float] = {}
    for turn in await jobs.later_of(connection, ended.person_id, ended.id):
        floor = now if turn.state == jobs.WAITING else 0.0
        tag = min(turn.tag, max(end, turn.entered, turn.tag - refund, floor))
        if tag < turn.tag:
            moved[turn.id] = tag
        end = tag + turn.cost
    await jobs.set_tags(connection, moved)
    await people.set_last_tag(connection, person.id, max(end, person.last_tag - refund))


async def _reload(connection: Transaction, job: int) -> Job | None:
    row = await jobs.get(connection, job)
    return None if row is None else await _job(connection, row)


async def _job(connection: Transaction, row: JobRow) -> Job:
    return read_job(row, await people.get(connection, row.person_id))


def read_job(row: JobRow, person: Person) -> Job:
    """The job that a row tells of.

    Raises:
        msgspec.ValidationError, TypeError: another version wrote the row.
    """
    return Job(
        id=row.id,
        owner=owner_of(person),
        request=msgspec.convert(row.request, GenerationRequest),
        place=Place(**row.place) if row.place else None,
        state=row.state,
        attempt=row.attempt,
        deaths=row.deaths,
        created_at=row.created_at,
        reason=row.reason,
        reference=row.reference,
        study=None if row.study is None else msgspec.convert(row.study, StudyPlan),
        parent=row.parent_id,
    )
