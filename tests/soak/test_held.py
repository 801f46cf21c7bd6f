"""Another process holds the database for ten seconds while people ask and a picture is finished."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bot.settings import DATABASE_NAME
from tests.bot.conftest import Stage
from tests.bot.driving import latest, started
from tests.bot.loopback_driver import loopback

HELD = 10.0  # seconds
HOLD = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
held.execute("COMMIT")
"""

pytestmark = pytest.mark.soak


async def test_a_database_held_by_another_process_for_ten_seconds_costs_time_and_nothing_else(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "data")
    async with loopback(stage) as driver:
        first, job = await started(driver, stage.worker)
        command = [sys.executable, "-c", HOLD, str(stage.settings.data / DATABASE_NAME), str(HELD)]
        holding = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert holding.stdout is not None and await holding.stdout.readline() == b"held\n"
        stage.worker.finish(job)
        await driver.person("bob").slash("imagine", channel=driver.channel, prompt="a blue cat")
        second = await driver.until(lambda: seen[1] if len(seen := driver.messages("bob")) == 2 else None)
        assert "Taking your place" in second.text, "Discord itself waits for 3 s only"
        assert holding.returncode is None and len(stage.worker.orders) == 1
        assert await asyncio.wait_for(holding.wait(), 2 * HELD) == 0
        await driver.until(lambda: "Again" in latest(driver, first).buttons or None)
        order = await driver.until(lambda: stage.worker.orders[1] if len(stage.worker.orders) > 1 else None)
        stage.worker.finish(order.job)
        await driver.until(lambda: "Again" in latest(driver, second).buttons or None)
        await stage.all_delivered()
