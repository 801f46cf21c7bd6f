"""What admins allow, and whether a request keeps to it.

Rules stand at two levels: those for everywhere, and those of one server, which count what was asked for
there and can only be tighter. At each level a person's own value beats that of their roles (of which the
most generous counts), and that beats the value for everyone. Everything is read in the transaction that
stores the job, so that requests at the same moment cannot pass a limit together. Knows no front end.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

from generation.errors import NotAdmitted, QueueFull
from generation.request import GenerationRequest
from store import jobs, rules
from store.database import Transaction
from store.people import LOCAL, Person
from store.rules import EVERYONE, EVERYWHERE, PERSON, ROLE, LimitRow

DAY = 24 * 3600.0  # seconds
USUAL_WEIGHT = 1.0
DRAINING = "No new pictures are taken for now, as the queue is being emptied; please try again later."
NOTHING_ALLOWED = "An admin has set that you have no pictures made here."


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one person may have; None: as much as they like."""

    waiting: int | None = None  # jobs at once
    running: int | None = None  # jobs at once
    steps: int | None = None  # of one job
    side: int | None = None  # pixels
    per_day: int | None = None  # jobs in any 24 hours
    weight: float | None = None  # share beside others; 1 is usual


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How an admitted job is treated beside others."""

    weight: float = USUAL_WEIGHT
    most_running: int | None = None  # of its owner's at once


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What a person may have, and what they have had. At most one server's limits stand beside those of everywhere."""

    everywhere: Limits
    here: Limits
    asked_today: int  # jobs of the last 24 hours that made a picture or yet may
    asked_here_today: int

    @property
    def terms(self) -> Terms:
        """How their jobs are treated."""
        weights = [limits.weight for limits in (self.everywhere, self.here) if limits.weight is not None]
        running = [limits.running for limits in (self.everywhere, self.here) if limits.running is not None]
        return Terms(weight=min(weights, default=USUAL_WEIGHT), most_running=min(running, default=None))

    @property
    def left_today(self) -> int | None:
        """How many more they may ask for now; None: as many as they like."""
        left = [
            limits.per_day - asked
            for limits, asked in ((self.everywhere, self.asked_today), (self.here, self.asked_here_today))
            if limits.per_day is not None
        ]
        return max(0, min(left)) if left else None


def resolved(rows: Iterable[LimitRow], guild: str) -> Limits:
    """One person's limits at one level, from the rows that speak of them."""
    by_kind: dict[str, list[LimitRow]] = {EVERYONE: [], ROLE: [], PERSON: []}
    for row in rows:
        if row.guild == guild:
            by_kind[row.kind].append(row)

    def value(name: str) -> float | None:
        for kind in (PERSON, ROLE, EVERYONE):
            given = [getattr(row, name) for row in by_kind[kind] if getattr(row, name) is not None]
            if given:
                return float(max(given))
        return None

    values = {field.name: value(field.name) for field in fields(Limits)}
    return Limits(**{name: _whole(name, each) for name, each in values.items()})  # type: ignore[arg-type]  # by name


async def allowance(
    connection: Transaction, person: Person, roles: Collection[str], guild: str | None, now: float
) -> Allowance:
    """What the person may have in this server (None: outside any), and what they have had."""
    guilds = [EVERYWHERE, *([guild] if guild else [])]
    subject = rules.subject_of(person.source, person.external_id)
    rows = await rules.limits_for(connection, guilds, roles, subject)
    everywhere, here = resolved(rows, EVERYWHERE), resolved(rows, guild) if guild else Limits()
    asked, _ = await jobs.asked_since(connection, person.id, now - DAY)
    asked_here, _ = await jobs.asked_since(connection, person.id, now - DAY, guild) if guild else (0, None)
    return Allowance(everywhere=everywhere, here=here, asked_today=asked, asked_here_today=asked_here)


async def admit(
    connection: Transaction,
    person: Person,
    roles: Collection[str],
    guild: str | None,
    request: GenerationRequest,
    *,
    most_waiting: int,
) -> Terms:
    """See whether the request may become a job of the person, who is locked until the transaction ends.

    `most_waiting`: where no admin has said how many jobs may wait. Whoever sits at this machine's terminal
    is bound by that alone.

    Raises:
        NotAdmitted: with the sentence that says what would be taken.
    """
    if person.source == LOCAL:
        _check_waiting(most_waiting, await jobs.count_waiting(connection, person.id))
        return Terms()
    if await rules.mode(connection) == rules.DRAINING:
        raise NotAdmitted(DRAINING)
    await _check_block(connection, person, guild)
    now = time.time()
    allowed = await allowance(connection, person, roles, guild, now)
    for limits, where in ((allowed.everywhere, None), (allowed.here, guild)):
        if where is None or guild is not None:
            _check_request(limits, request)
            usual = most_waiting if where is None else None
            most = usual if limits.waiting is None else limits.waiting
            if most is not None:
                _check_waiting(most, await jobs.count_waiting(connection, person.id, where))
            await _check_day(connection, limits, person, where, now)
    return allowed.terms


async def _check_block(connection: Transaction, person: Person, guild: str | None) -> None:
    guilds = [EVERYWHERE, *([guild] if guild else [])]
    block = await rules.block_of(connection, guilds, person.source, person.external_id)
    if block is not None:
        why = f": {block.reason}" if block.reason else "."
        raise NotAdmitted(f"An admin has blocked you from having pictures made here{why}")


def _check_request(limits: Limits, request: GenerationRequest) -> None:
    if limits.steps is not None and request.steps > limits.steps:
        raise NotAdmitted(f"You may ask for at most {limits.steps:,} steps here; {request.steps:,} are too many.")
    if limits.side is not None and max(request.width, request.height) > limits.side:
        raise NotAdmitted(
            f"You may ask for pictures of at most {limits.side:,} pixels a side here; "
            f"{request.width}x{request.height} is too large."
        )


def _check_waiting(most: int, waiting: int) -> None:
    if most == 0:
        raise NotAdmitted(NOTHING_ALLOWED)
    if waiting >= most:
        raise QueueFull(
            f"You have {most} picture{'s' * (most != 1)} waiting, which is the most I keep for one person; "
            "ask again when some are done."
        )


async def _check_day(connection: Transaction, limits: Limits, person: Person, guild: str | None, now: float) -> None:
    if limits.per_day is None:
        return
    if limits.per_day == 0:
        raise NotAdmitted(NOTHING_ALLOWED)
    asked, first = await jobs.asked_since(connection, person.id, now - DAY, guild)
    if asked >= limits.per_day:
        minutes = max(1, round(((first or now) + DAY - now) / 60))
        wait = f"{minutes} min" if minutes < 90 else f"{round(minutes / 60)} h"
        raise NotAdmitted(
            f"You have used your daily quota of {limits.per_day} picture{'s' * (limits.per_day != 1)}; "
            f"you can ask again in about {wait}."
        )


def _whole(name: str, value: float | None) -> float | None:
    return value if name == "weight" or value is None else int(value)
