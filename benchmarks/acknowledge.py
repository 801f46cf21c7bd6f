"""How soon the bot answers while the worker has more to do than it can: `python -m benchmarks.acknowledge`.

The real bot on the loopback Discord, with a real worker process: people type `/imagine`, and each waits for the first
answer. Runs in a process of its own that never imports torch, as the bot's does; the loopback Discord lives in it too,
so that the memory told is the bot's and a little more. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.spread import percentile
from bot.client import DarkroomBot, create_bot
from bot.playground import Playground
from bot.settings import Settings
from generation.events import Ready
from generation.models import pocket_model

READY_WITHIN = 120.0  # seconds for the worker
ANSWER_WITHIN = 10.0  # seconds; Discord itself gives up after 3
PAUSE = 0.15  # seconds between two questions
PEOPLE = 10
LONG, SHORT = 100, 20  # steps: what keeps the worker busy, and what is asked for meanwhile


def main() -> int:
    """Exit status 0 when everybody was answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=120)
    questions: int = parser.parse_args().questions
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        figures = asyncio.run(measure(Path(folder), questions))
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


async def measure(folder: Path, questions: int) -> dict[str, float | int | bool]:
    """Milliseconds until the first answer, and memory, with the worker busy from the first question to the last.

    Raises:
        RuntimeError: the worker was not busy all the time.
    """
    settings = Settings(data=folder, models=(pocket_model(),), waiting_limit=10_000, discord_token=None)
    playground = Playground()
    async with playground.connected(), create_bot(settings) as bot:
        await bot.login(playground.bot_token)
        connection = asyncio.create_task(bot.connect())
        await bot.wait_until_ready()
        await _until_worker_ready(bot)
        people = [playground.add_user(f"Person {number}") for number in range(PEOPLE)]
        for person in people:
            interaction = await person.slash("imagine", prompt="a red fox", steps=LONG)
            await person.answered(interaction, within=ANSWER_WITHIN)
        seconds = []
        for number in range(questions):
            person = people[number % PEOPLE]
            began = time.perf_counter()
            interaction = await person.slash("imagine", prompt="a blue cat", steps=SHORT)
            await person.answered(interaction, within=ANSWER_WITHIN)
            seconds.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)
        waiting = len(await bot.parts.studio.undelivered())
        memory = _resident_mb()
        await bot.close()
        await connection
    if not waiting:
        raise RuntimeError("the worker had nothing left to do before the last question")
    return {
        "ack_p50_ms": 1e3 * percentile(seconds, 0.5),
        "ack_p99_ms": 1e3 * percentile(seconds, 0.99),
        "ack_most_ms": 1e3 * max(seconds),
        "questions": questions,
        "jobs_left": waiting,  # more than none: the worker was busy to the end
        "bot_rss_mb": memory,
        "bot_imported_torch": "torch" in sys.modules,
    }


async def _until_worker_ready(bot: DarkroomBot) -> None:
    async with asyncio.timeout(READY_WITHIN):
        while not isinstance(bot.parts.studio.readiness, Ready):  # noqa: ASYNC110  # nothing of it can be waited for
            await asyncio.sleep(0.1)


def _resident_mb() -> float:
    """Main memory of this process, in MB (2**20 bytes)."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - a pseudo file
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
