"""The harnesses themselves can fail: a scenario ends with a judgement of all that the bot sent."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from bot import letters
from bot.views.picture import Delete
from tests.bot.conftest import HARNESSES, Stage
from tests.bot.driving import started


def two_of_the_same(picture_id: int, **options: Any) -> discord.ui.View:
    return discord.ui.View(timeout=None).add_item(Delete(picture_id)).add_item(Delete(picture_id))


@pytest.mark.parametrize("harness", HARNESSES)
async def test_a_request_that_discord_would_refuse_fails_its_scenario(
    harness: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "picture_buttons", two_of_the_same)
    with pytest.raises(AssertionError, match="custom_id 'darkroom:delete:1' occurs 2 times"):
        async with HARNESSES[harness](stage) as driver:
            _, job = await started(driver, stage.worker)
            stage.worker.finish(job)
            await stage.all_delivered()
