"""Whether the times that waiting people are told come true: `python -m benchmarks.queue_eta`, some two minutes.

A full queue of mixed jobs of several people, the real store, the real studio and a real worker process with the pocket
model. Every few seconds each waiting job is asked when its picture will be ready; when all are made, that is compared
with when it was. Needs a machine that is steady, which means that nothing else runs on it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.spread import percentile
from generation.dispatch.base import Dispatcher
from generation.dispatch.local import LocalDispatcher
from generation.models import Models, pocket_model
from generation.queue import Owner
from generation.request import make_request
from generation.studio import JobDone, JobFailed, Studio
from store.database import Database
from store.files import Files

JOBS = 60
PEOPLE = 6
STEPS = (8, 40)  # least and most of a job
MEASURED = 8  # pictures, after which the machine's pace is known
LOOK = 2.0  # seconds between two looks at all places
QUARTER = 0.25
SLACK = 2.0  # seconds; nobody minds them


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was said of a waiting job at one moment, and how it came; in seconds from then."""

    told: float
    came: float

    @property
    def error(self) -> float:
        """The share of the true wait by which it was wrong."""
        return abs(self.told - self.came) / self.came

    @property
    def right(self) -> bool:
        """Within a quarter of the wait, or two seconds."""
        return abs(self.told - self.came) <= max(SLACK, QUARTER * self.came)


async def measure(folder: Path, dispatcher: Dispatcher, models: Models, count: int = JOBS) -> list[Told]:
    """Everything that was told once the pace was known.

    Raises:
        RuntimeError: a job made no picture.
    """
    database = Database(f"sqlite+aiosqlite:///{folder}/darkroom.sqlite3")
    await database.open()
    studio = Studio(database, Files(folder), dispatcher, models, most_waiting=count)
    dice, clock = random.Random(7), time.monotonic
    ids = []
    for number in range(count):
        person = Owner(source="discord", external_id=str(number % PEOPLE), name=f"Person {number % PEOPLE}")
        request = make_request(models.default, prompt=f"a red fox and {number} bees", steps=dice.randint(*STEPS))
        ids.append((await studio.submit(request, person)).id)
    ended: dict[int, float] = {}

    async def listen() -> None:
        async for update in studio.watch():
            if isinstance(update, JobFailed):
                raise RuntimeError(update.sentence)
            if isinstance(update, JobDone):
                ended[update.job] = clock()
                if len(ended) == count:
                    return

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)  # so that it listens
    await studio.start()
    looks: list[tuple[int, float, float]] = []
    while not listening.done():
        await asyncio.wait({listening}, timeout=LOOK)
        if MEASURED <= len(ended) < count:
            looks += await _look(studio, [job for job in ids if job not in ended])
    await studio.close()
    await database.close()
    await listening
    return [Told(told=seconds, came=ended[job] - at) for job, at, seconds in looks]


async def _look(studio: Studio, ids: Sequence[int]) -> list[tuple[int, float, float]]:
    """What each of them that waits is told, and when."""
    found = []
    for job in ids:
        place = await studio.position(job)
        if place is not None and place[1] is not None:
            found.append((job, time.monotonic(), place[1]))
    return found


def summed_up(told: Sequence[Told]) -> dict[str, float]:
    """How often it was right, and how wrong it was."""
    errors = [each.error for each in told]
    return {
        "told": len(told),
        "within_a_quarter": round(sum(each.right for each in told) / len(told), 3),
        "bias": round(percentile([each.told / each.came for each in told], 0.5) - 1, 3),  # negative: told too soon
        "error_median": round(percentile(errors, 0.5), 3),
        "error_p95": round(percentile(errors, 0.95), 3),
        "longest_wait": round(max(each.came for each in told), 1),
    }


def main() -> int:
    """Exit status 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue_eta", description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS)
    arguments = parser.parse_args()
    models = Models((pocket_model(),))
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        told = asyncio.run(measure(Path(folder), LocalDispatcher(models), models, arguments.jobs))
    if not told:
        print("bench: everything was made before anything could be told; ask for more --jobs", file=sys.stderr)
        return 1
    print(json.dumps(summed_up(told)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
