"""An admin manages the queue in the playground: `darkroom run`, its worker, the pocket model, and a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.chromium import needs_chromium
from tests.darkroom_process import darkroom_process
from tests.test_end_to_end import MADE, card_of, look_at, page

__all__ = ["page"]  # the fixture

OWL = "a green owl on a yellow star"
CAT = "a blue cat"

pytestmark = [
    needs_chromium,
    pytest.mark.timeout(200),  # seconds: a start of torch, on a machine that may be busy
]


async def command(page: Page, line: str) -> None:
    """Type a command, see it offered, send it; a choice from a list takes an Enter of its own."""
    box = page.get_by_role("combobox", name="Message")
    await box.click()
    await box.press_sequentially(line)
    await expect(page.locator("#suggestions")).to_be_visible()
    await box.press("Enter")
    await page.wait_for_timeout(300)
    if await box.input_value():
        await box.press("Enter")
    await expect(box).to_have_value("")


async def speak_as(page: Page, name: str) -> None:
    await page.get_by_label("Speaking as").select_option(label=name)


async def test_an_admin_pauses_watches_moves_and_resumes_the_queue(page: Page, tmp_path: Path) -> None:
    with darkroom_process(tmp_path) as darkroom:
        await page.goto(darkroom.address)
        await expect(page.get_by_role("combobox", name="Message")).to_be_enabled()
        await speak_as(page, "Admin Ada")
        await command(page, "/admin pause")
        await expect(
            page.locator("#messages").get_by_text("The queue is paused: what runs is finished")
        ).to_be_visible()
        for name, wish in (("Alice", OWL), ("Bob", CAT)):
            await speak_as(page, name)
            await command(page, f"/imagine {wish} steps: 100")
            await expect(card_of(page, wish).get_by_text("paused by an admin")).to_be_visible(timeout=MADE)
        await command(page, "/queue")
        mine = page.locator(".message", has_text="Your pictures on their way")
        await expect(mine.get_by_role("button", name="Cancel 2")).to_be_visible()
        await look_at(page, tmp_path, "my-queue")

        await speak_as(page, "Admin Ada")
        await command(page, "/admin queue")
        board = page.locator(".message", has_text="Paused: nothing more starts")
        await expect(board.get_by_text("2 waiting")).to_be_visible()
        await expect(board.get_by_text(OWL)).to_be_visible()
        await look_at(page, tmp_path, "board")
        await command(page, "/admin front job: 2")
        await expect(page.locator("#messages").get_by_text("Job 2 starts next.")).to_be_visible()
        await board.get_by_role("button", name="Resume").click()
        board = page.locator(".message", has_text="The queue").filter(has=page.get_by_role("button", name="Drain"))
        await expect(board.get_by_text(re.compile("Lane 1"))).to_be_visible(timeout=MADE)
        await look_at(page, tmp_path, "board-running")
        await expect(card_of(page, OWL).get_by_role("button", name="Again")).to_be_visible(timeout=MADE)
        await expect(board.get_by_text("0 waiting")).to_be_visible(timeout=MADE)  # by itself
        await command(page, "/admin stats")
        await expect(page.locator(".embed img").last).not_to_have_js_property("naturalWidth", 0)
        await command(page, "/admin audit")
        await expect(page.locator("#messages").get_by_text("Audit log")).to_be_visible()
        await look_at(page, tmp_path, "audit")
        log = (darkroom.folder / "data" / "darkroom.log").read_text("utf-8")
        assert "rate limit" not in log and " ERROR " not in log, log
        darkroom.stop()
