"""What admins do with the queue: look, pause, move, cancel, limit, block, retry, count; and what was done.

Each act is one transaction: it is checked, done by a guarded update and written to the audit log
together, so that of two admins at the same instant one acts and the other is told so. An admin of the
whole installation acts on everything; one of a single server only on what was asked for there. Who is
an admin is for the front end to say. Knows no SQL and no Discord.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from generation.dispatch.base import WorkerSeen
from generation.errors import ActRefused
from generation.events import Loading, Progress, Ready
from generation.limits import Allowance, allowance
from generation.queue import DEATHS_ALLOWED, UNDECODABLE, UNREADABLE, Job, Owner, give_back, line_up, read_job
from generation.request import GenerationRequest
from generation.stats import PERIODS, Stats, summed_up
from generation.studio import Studio
from store import audit, jobs, people, reports, rules
from store.audit import Entry
from store.database import Database, Transaction
from store.jobs import CANCELLED, DONE, FAILED, RUNNING, WAITING, JobRow
from store.rules import DRAINING, EVERYWHERE, OPEN, PAUSED, Block, LimitRow

__all__ = ["DRAINING", "OPEN", "PAUSED", "Admin", "Administration", "Board", "JobCard", "MyQueue"]

PRIORITIES = range(-100, 101)  # that an admin may give; lower runs first
MOST_LIMIT = 1_000_000
WEIGHTS = (0.01, 100.0)
BREATH = 50  # updates told in a row before their listeners have a turn
REASON_LIMIT = 300  # characters

ALREADY = {OPEN: "The queue is open already.", PAUSED: "The queue is paused already.", DRAINING: "It drains already."}
MODE_ACTS = {OPEN: "resume", PAUSED: "pause", DRAINING: "drain"}
ENDED = {DONE: "its picture is made", FAILED: "it failed", CANCELLED: "it was cancelled"}
TOO_FAR = (
    "That would change the queue for other servers too, so only an admin of the home server or the operator may do it."
)
NO_PRIORITY = "A priority is a whole number from -100 to 100: 0 is usual, and lower runs first."
OVERTAKEN = "Somebody else has just moved job {id}, or it has started; please look again."


@dataclass(frozen=True, kw_only=True)
class Admin:
    """Who acts, and how far it reaches."""

    owner: Owner
    guild: str  # the server in which they act
    everywhere: bool  # whether it holds for the whole installation

    @property
    def scope(self) -> str | None:
        """The server whose jobs they manage; None: all."""
        return None if self.everywhere else self.guild

    @property
    def rules_for(self) -> str:
        """Where the rules hold that they set."""
        return EVERYWHERE if self.everywhere else self.guild


@dataclass(frozen=True, kw_only=True)
class JobCard:
    """A job as people see it in a list. `request`: None where it cannot be read any more."""

    id: int
    person: str  # name
    guild: str | None
    channel: str | None
    private: bool  # its answer is for its owner's eyes only
    state: str
    priority: int
    request: GenerationRequest | None
    progress: Progress | None = None
    before: int | None = None  # jobs that start first, of one that waits
    seconds: float | None = None  # until its picture, as far as known
    reason: str | None = None
    reference: str | None = None
    deaths: int = 0  # workers that died on it
    ended_at: float | None = None  # seconds since 1970


@dataclass(frozen=True, kw_only=True)
class Board:
    """What runs and waits."""

    mode: str
    readiness: Loading | Ready | None
    running: tuple[JobCard, ...]
    first: tuple[JobCard, ...]  # of those that wait
    waiting: int
    busy: int  # lanes, by jobs of any server
    workers: tuple[WorkerSeen, ...] = ()  # by name, where there are several
    quarantined: int = 0


@dataclass(frozen=True, kw_only=True)
class MyQueue:
    """One person's jobs, and their part of the whole."""

    jobs: tuple[JobCard, ...]  # the first of those that run or wait
    total: int
    people: int  # who have jobs that run or wait
    share: float | None  # of the work, now; None: nothing of theirs runs or waits
    allowed: Allowance | None  # None: they have never asked for anything


class Administration:
    """The acts of admins over one studio and its database."""

    def __init__(self, database: Database, studio: Studio) -> None:
        self._database = database
        self._studio = studio

    # --- the whole queue -----------------------------------------------------------------------

    async def set_mode(self, admin: Admin, mode: str) -> None:
        """Open the queue, pause it (nothing more starts), or drain it (nothing more is taken).

        Raises:
            ActRefused: it is so already, or would reach too far.
        """
        _check_reach(admin)
        async with self._studio.changing() as connection:
            if not await rules.set_mode(connection, mode):
                raise ActRefused(ALREADY[mode])
            await self._note(connection, admin, MODE_ACTS[mode])
        self._studio.mode = mode
        self._studio.look_again()

    # --- single jobs ---------------------------------------------------------------------------

    async def cancel(self, admin: Admin, job_id: int) -> None:
        """Cancel anybody's job, whether it waits or runs; a worker stops at its next step.

        Raises:
            ActRefused: it has ended, or is none of this admin's.
        """
        async with self._studio.changing() as connection:
            row = await self._row(connection, admin, job_id)
            if not await jobs.cancel(connection, job_id, time.time()):
                raise ActRefused(_ended(await self._row(connection, admin, job_id)))
            await give_back(connection, job_id, self._studio.used(job_id))
            await self._note(connection, admin, "cancel", f"job {job_id}", f"it was {row.state}")
        await self._studio.stop(job_id, row.attempt, ran=row.state == RUNNING)

    async def to_front(self, admin: Admin, job_id: int) -> None:
        """Let a waiting job start before all others.

        Raises:
            ActRefused: it does not wait, is there already, or that would reach too far.
        """
        _check_reach(admin)
        async with self._studio.changing() as connection:
            row = await self._waiting_row(connection, admin, job_id)
            first = (await jobs.in_state(connection, WAITING, most=1))[0]
            if first.id == job_id:
                raise ActRefused(f"Job {job_id} is at the front already.")
            await self._move(connection, admin, row, min(first.priority, 0) - 1, "front")
        self._studio.look_again()

    async def set_priority(self, admin: Admin, job_id: int, priority: int) -> None:
        """Let a waiting job start before those of a higher number and after those of a lower one.

        Raises:
            ActRefused: it does not wait, has that priority, or that would reach too far.
        """
        _check_reach(admin)
        if priority not in PRIORITIES:
            raise ActRefused(NO_PRIORITY)
        async with self._studio.changing() as connection:
            row = await self._waiting_row(connection, admin, job_id)
            if row.priority == priority:
                raise ActRefused(f"Job {job_id} has priority {priority} already.")
            await self._move(connection, admin, row, priority, "priority")
        self._studio.look_again()

    async def retry(self, admin: Admin, job_id: int) -> Job:
        """Repeat a failed job as a new one, behind its owner's others.

        Raises:
            ActRefused: it has not failed, was retried already, or cannot be read any more.
        """
        now = time.time()
        async with self._studio.changing() as connection:
            row = await self._row(connection, admin, job_id)
            person = await people.lock(connection, row.person_id)  # first, so that nobody else retries it meanwhile
            if row.state != FAILED:
                raise ActRefused(f"Job {job_id} has not failed, so there is nothing to retry.")
            if (known := await jobs.retried_as(connection, job_id)) is not None:
                raise ActRefused(f"Job {job_id} was retried already, as job {known}.")
            request = _request(row)
            if request is None:
                raise ActRefused(UNREADABLE)
            place = row.place and row.place | {"extra": {**row.place.get("extra", {}), "posting": False}}
            kept = ("turn_id", "conversation_id", "parent_id", "method", "private", "weight", "most_running", "guild")
            values = {name: getattr(row, name) for name in kept}
            deaths = min(row.deaths, DEATHS_ALLOWED - 1)  # so that it runs alone, and is given up at the next death
            fresh = {"place": place, "created_at": now, "retry_of": job_id, "deaths": deaths}
            if row.study is not None:
                values |= {"study": row.study, "cost": row.cost, "priority": row.priority}
            again = await line_up(connection, person, request, values | fresh)
            await jobs.mark_delivered(connection, job_id, now)  # its message belongs to the new one
            await self._note(connection, admin, "retry", f"job {job_id}", f"as job {again.id}")
        self._studio.look_again(again.id)
        return read_job(again, person)

    # --- many jobs, and people -----------------------------------------------------------------

    async def cancel_of(self, admin: Admin, who: Owner) -> int:
        """Cancel all jobs of a person that run or wait; returns how many.

        Raises:
            ActRefused: there are none.
        """
        async with self._studio.changing() as connection:
            person = await people.find(connection, who.source, who.external_id)
            ran, waited = ([], []) if person is None else await self._cancel_all(connection, admin, person.id)
            if not ran and not waited:
                raise ActRefused("Nothing of theirs waits or runs.")
            count = len(ran) + len(waited)
            await self._note(connection, admin, "cancel user", _named(who), f"{count} jobs")
        await self._stop_all(ran, waited)
        return count

    async def cancel_everything(self, admin: Admin) -> int:
        """Cancel all jobs that run or wait; returns how many.

        Raises:
            ActRefused: there are none.
        """
        async with self._studio.changing() as connection:
            ran, waited = await self._cancel_all(connection, admin, None)
            if not ran and not waited:
                raise ActRefused("Nothing waits or runs.")
            count = len(ran) + len(waited)
            await self._note(connection, admin, "cancel all", "", f"{count} jobs")
        await self._stop_all(ran, waited)
        return count

    async def unended(self, admin: Admin, who: Owner | None = None) -> int:
        """How many jobs of a person, or (None) of all, wait or run."""
        async with self._database.reading() as connection:
            if who is None:
                return sum((await jobs.count_by_state(connection, admin.scope)).values())
            person = await people.find(connection, who.source, who.external_id)
            theirs = [] if person is None else await jobs.unended_of(connection, person.id)
            return sum(admin.scope in (None, row.guild) for row in theirs)

    async def block(self, admin: Admin, who: Owner, reason: str) -> None:
        """Let a person ask for nothing any more; what they have asked for goes on.

        Raises:
            ActRefused: they are blocked already, or are the admin.
        """
        if (who.source, who.external_id) == (admin.owner.source, admin.owner.external_id):
            raise ActRefused("You cannot block yourself.")
        reason = " ".join(reason.split())[:REASON_LIMIT]
        wanted = Block(
            guild=admin.rules_for,
            source=who.source,
            external_id=who.external_id,
            reason=reason,
            created_at=time.time(),
        )
        async with self._database.writing() as connection:
            if not await rules.block(connection, wanted):
                raise ActRefused("They are blocked already.")
            await self._note(connection, admin, "block", _named(who), reason)

    async def unblock(self, admin: Admin, who: Owner) -> None:
        """Take a block back.

        Raises:
            ActRefused: there is none.
        """
        async with self._database.writing() as connection:
            if not await rules.unblock(connection, admin.rules_for, who.source, who.external_id):
                raise ActRefused("They are not blocked.")
            await self._note(connection, admin, "unblock", _named(who))

    # --- limits --------------------------------------------------------------------------------

    async def set_limits(self, admin: Admin, kind: str, subject: str, values: Mapping[str, float]) -> None:
        """Set some limits of everyone, a role or a person; they hold for requests from now on.

        Raises:
            ActRefused: a value makes no sense.
        """
        for name, value in values.items():
            _check_limit(name, value)
        async with self._database.writing() as connection:
            await rules.set_limits(connection, admin.rules_for, kind, subject, values)
            said = ", ".join(f"{name} {value:g}" for name, value in values.items())
            await self._note(connection, admin, "limits", f"{kind} {subject}".strip(), said)

    async def clear_limits(self, admin: Admin, kind: str, subject: str) -> None:
        """Take all limits of everyone, a role or a person back.

        Raises:
            ActRefused: there are none.
        """
        async with self._database.writing() as connection:
            if not await rules.clear_limits(connection, admin.rules_for, kind, subject):
                raise ActRefused("No limits are set there.")
            await self._note(connection, admin, "limits", f"{kind} {subject}".strip(), "none any more")

    async def rules(self, admin: Admin) -> tuple[list[LimitRow], list[Block]]:
        """The limits and blocks that hold where this admin sets them."""
        async with self._database.reading() as connection:
            guild = admin.rules_for
            return await rules.limits_of(connection, guild), await rules.blocks_of(connection, guild)

    # --- looking -------------------------------------------------------------------------------

    async def board(self, admin: Admin, most: int) -> Board:
        """What runs and waits; of the latter at most the first so many."""
        async with self._database.reading() as connection:
            mode = await rules.mode(connection)
            counts = await jobs.count_by_state(connection, admin.scope)
            quarantined = await jobs.count_quarantined(connection, DEATHS_ALLOWED, admin.scope)
            running = await jobs.in_state(connection, RUNNING, guild=admin.scope)
            waiting = await jobs.in_state(connection, WAITING, guild=admin.scope, most=most)
            cards = await self._cards(connection, [*running, *waiting])
        cards = list(await asyncio.gather(*(self._placed(card) for card in cards)))
        return Board(
            mode=mode,
            readiness=self._studio.readiness,
            running=tuple(cards[: len(running)]),
            first=tuple(cards[len(running) :]),
            waiting=counts[WAITING],
            busy=len(self._studio.in_hand),
            workers=self._studio.workers(),
            quarantined=quarantined,
        )

    async def quarantine(self, admin: Admin, most: int) -> tuple[list[JobCard], int]:
        """The newest jobs on which workers died until they were given up, and how many; none that was retried."""
        async with self._database.reading() as connection:
            rows = await jobs.quarantined(connection, DEATHS_ALLOWED, admin.scope, most)
            count = await jobs.count_quarantined(connection, DEATHS_ALLOWED, admin.scope)
            return await self._cards(connection, rows), count

    async def job(self, admin: Admin, job_id: int) -> JobCard:
        """One job.

        Raises:
            ActRefused: there is none, or it is none of this admin's.
        """
        async with self._database.reading() as connection:
            (card,) = await self._cards(connection, [await self._row(connection, admin, job_id)])
        return await self._placed(card)

    async def choices(self, admin: Admin, states: Sequence[str], most: int) -> list[JobCard]:
        """Jobs to choose from: those that run or wait by their turn, failed ones the newest first."""
        async with self._database.reading() as connection:
            rows: list[JobRow] = []
            for state in states:
                rows += await jobs.in_state(
                    connection, state, guild=admin.scope, most=most - len(rows), newest_first=state == FAILED
                )
            return await self._cards(connection, rows)

    async def mine(self, owner: Owner, guild: str | None, most: int) -> MyQueue:
        """A person's own jobs, their share now, and what they may have."""
        async with self._database.reading() as connection:
            person = await people.find(connection, owner.source, owner.external_id)
            if person is None:
                return MyQueue(jobs=(), total=0, people=0, share=None, allowed=None)
            rows = await jobs.unended_of(connection, person.id)
            weights = await jobs.active_weights(connection)
            allowed = await allowance(connection, person, owner.roles, guild, time.time())
            cards = await self._cards(connection, rows[:most])
        placed = await asyncio.gather(*(self._placed(card) for card in cards))
        mine = weights.get(person.id)
        share = None if mine is None else mine / sum(weights.values())
        return MyQueue(jobs=tuple(placed), total=len(rows), people=len(weights), share=share, allowed=allowed)

    async def stats(self, admin: Admin, period: str) -> tuple[Stats, dict[int, str]]:
        """The figures of a day or a week, and the names of those who stand in them."""
        seconds = PERIODS[period]
        since = time.time() - seconds
        async with self._database.reading() as connection:
            ended = await reports.ended_since(connection, since, admin.scope)
            stats = await asyncio.to_thread(summed_up, ended, since, seconds)
            return stats, await reports.names_of(connection, [person for person, _ in stats.shares])

    async def acts(self, admin: Admin, most: int, skip: int = 0) -> list[Entry]:
        """The newest entries of the audit log, after the first `skip` of them."""
        async with self._database.reading() as connection:
            return await audit.newest(connection, guild=admin.scope, most=most, skip=skip)

    # --- inside --------------------------------------------------------------------------------

    async def _row(self, connection: Transaction, admin: Admin, job_id: int) -> JobRow:
        row = await jobs.get(connection, job_id)
        if row is None or admin.scope not in (None, row.guild):
            raise ActRefused(f"There is no job {job_id} here.")
        return row

    async def _waiting_row(self, connection: Transaction, admin: Admin, job_id: int) -> JobRow:
        row = await self._row(connection, admin, job_id)
        if row.state == RUNNING:
            raise ActRefused(f"Job {job_id} runs already, so it cannot be moved.")
        if row.state != WAITING:
            raise ActRefused(_ended(row))
        return row

    async def _move(self, connection: Transaction, admin: Admin, row: JobRow, priority: int, act: str) -> None:
        if not await jobs.set_priority(connection, row.id, priority, seen=row.priority):
            raise ActRefused(OVERTAKEN.format(id=row.id))
        await self._note(connection, admin, act, f"job {row.id}", f"priority {row.priority} to {priority}")

    async def _cancel_all(
        self, connection: Transaction, admin: Admin, person: int | None
    ) -> tuple[list[JobRow], list[int]]:
        """What ran and what waited until now."""
        now = time.time()
        ran = []
        for row in await jobs.in_state(connection, RUNNING, guild=admin.scope, person_id=person):
            if await jobs.cancel(connection, row.id, now):
                await give_back(connection, row.id, self._studio.used(row.id))
                ran.append(row)
        return ran, await jobs.cancel_waiting(connection, now, guild=admin.scope, person_id=person)

    async def _stop_all(self, ran: Sequence[JobRow], waited: Sequence[int]) -> None:
        for row in ran:
            await self._studio.stop(row.id, row.attempt, ran=True)
        for place, job_id in enumerate(waited):
            await self._studio.stop(job_id, 0, ran=False)
            if place % BREATH == 0:
                await asyncio.sleep(0)

    async def _cards(self, connection: Transaction, rows: Sequence[JobRow]) -> list[JobCard]:
        owners = await people.get_all(connection, {row.person_id for row in rows})
        in_hand = self._studio.in_hand
        return [
            JobCard(
                id=row.id,
                person=owners[row.person_id].name,
                guild=row.guild,
                channel=row.place["channel"] if row.place else None,
                private=row.private,
                state=row.state,
                priority=row.priority,
                request=_request(row),
                progress=in_hand.get(row.id) if row.state == RUNNING else None,
                reason=row.reason,
                reference=row.reference,
                deaths=row.deaths,
                ended_at=row.ended_at,
            )
            for row in rows
        ]

    async def _placed(self, card: JobCard) -> JobCard:
        """The card with when its picture will be there."""
        if card.state != WAITING:
            left = None if card.progress is None else card.progress.seconds_left
            return _with(card, seconds=left)
        position = await self._studio.position(card.id)
        return card if position is None else _with(card, before=position[0], seconds=position[1])

    async def _note(self, connection: Transaction, admin: Admin, act: str, subject: str = "", detail: str = "") -> None:
        await audit.add(
            connection,
            now=time.time(),
            guild=admin.guild,
            actor=admin.owner.external_id,
            actor_name=admin.owner.name,
            act=act,
            subject=subject,
            detail=detail,
        )


def parse_priority(text: str) -> int:
    """A priority that somebody typed.

    Raises:
        ActRefused: it is no number.
    """
    try:
        return int(text.strip())
    except ValueError:
        raise ActRefused(f"“{text.strip()[:40]}” is no priority. {NO_PRIORITY}") from None


def _with(card: JobCard, *, before: int | None = None, seconds: float | None = None) -> JobCard:
    return replace(card, before=before, seconds=seconds)


def _check_reach(admin: Admin) -> None:
    if not admin.everywhere:
        raise ActRefused(TOO_FAR)


def _check_limit(name: str, value: float) -> None:
    what = name.replace("per_day", "daily quota").replace("_", " ")
    if name == "weight":
        if not WEIGHTS[0] <= value <= WEIGHTS[1]:
            raise ActRefused(f"A weight is a number from {WEIGHTS[0]:g} to {WEIGHTS[1]:g}; {value:g} is not.")
        return
    least = 0 if name in {"waiting", "per_day"} else 1
    if not least <= value <= MOST_LIMIT:
        nothing = "; 0 allows nothing" if least == 0 else ""
        raise ActRefused(
            f"The limit “{what}” must be between {least} and {MOST_LIMIT:,}{nothing}; {value:,.0f} is not."
        )


def _ended(row: JobRow) -> str:
    return f"Job {row.id} has ended already: {ENDED.get(row.state, row.state)}."


def _named(who: Owner) -> str:
    return f"{who.name} ({who.external_id})"


def _request(row: JobRow) -> GenerationRequest | None:
    try:
        return msgspec.convert(row.request, GenerationRequest)
    except UNDECODABLE:
        return None
