"""What the benchmarks of the queue measure is the queue. No test looks at how long anything took."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import queue_eta, queue_scale
from benchmarks.queue_scale import SQLITE, as_json, as_markdown
from tests.bot.scripted import ScriptedDispatcher
from tests.generation.support import MODELS


async def test_claims_and_places_are_measured_in_a_short_and_a_long_line(tmp_path: Path) -> None:
    measured = await queue_scale.measure((20, 600), 3, tmp_path, SQLITE)
    assert {size: len(each.claim) for size, each in measured.items()} == {20: 3, 600: 3}
    assert all(each.place and each.put and each.look for each in measured.values())
    figures = as_json({SQLITE: measured})[SQLITE]
    assert figures["claim_ratio"] > 0 and figures["place_ms_600"] > 0
    assert "| SQLite | claim |" in as_markdown({SQLITE: measured})


async def test_what_was_told_is_compared_with_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_eta, "MEASURED", 0)
    monkeypatch.setattr(queue_eta, "LOOK", 0.0)
    told = await queue_eta.measure(tmp_path, ScriptedDispatcher(MODELS, by_itself=True), MODELS, 10)
    assert told and all(each.came > 0 for each in told)
    assert queue_eta.summed_up(told)["told"] == len(told)
    assert queue_eta.Told(told=12.0, came=10.0).right and not queue_eta.Told(told=14.0, came=10.0).right
