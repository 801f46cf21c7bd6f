"""What an admin does in the browser while two people wait for pictures; the job before theirs was the first."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from tests.browsing import MADE, card_of, look_at, watch

OWL = "a green owl on a yellow star"
CAT = "a blue cat next to a yellow star"
STEPS = 100  # of each: enough to be watched


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


def said(page: Page, sentence: str) -> Locator:
    return page.locator("#messages").get_by_text(sentence)


async def an_admin_lets_two_people_wait(page: Page, folder: Path) -> None:
    """The queue is paused, Alice and Bob ask, and Bob sees his own part of it."""
    await speak_as(page, "Admin Ada")
    await command(page, "/admin pause")
    await expect(said(page, "The queue is paused: what runs is finished")).to_be_visible()
    for name, wish in (("Alice", OWL), ("Bob", CAT)):
        await speak_as(page, name)
        await command(page, f"/imagine {wish} steps: {STEPS}")
        await expect(card_of(page, wish).get_by_text("paused by an admin")).to_be_visible()
    await command(page, "/queue")
    mine = page.locator(".message", has_text="Your pictures on their way")
    await expect(mine.get_by_role("button", name="Cancel 3")).to_be_visible()
    await look_at(page, folder, "my-queue")
    await mine.get_by_role("button", name="Dismiss message").click()


async def an_admin_moves_a_job_and_lets_them_go_on(page: Page, folder: Path) -> None:
    """From the board, which shows by itself how both pictures are made; Bob's shows its steps."""
    await speak_as(page, "Admin Ada")
    await command(page, "/admin queue")
    board = page.locator(".message", has_text="Paused: nothing more starts")
    await expect(board.get_by_text("2 waiting")).to_be_visible()
    await expect(board.get_by_text(OWL)).to_be_visible()
    await look_at(page, folder, "board")
    await command(page, "/admin front job: 2")
    await expect(said(page, "Job 2 starts next.")).to_be_visible()
    await watch(page, CAT)
    await board.get_by_role("button", name="Resume").click()
    board = page.locator(".message", has_text="The queue").filter(has=page.get_by_role("button", name="Drain"))
    await expect(board.get_by_text(re.compile("Lane 1"))).to_be_visible(timeout=MADE)
    cat = page.locator(".message", has_text=CAT).filter(has_not_text="The queue").last
    await expect(cat.get_by_text(re.compile(rf"Step \d+ of {STEPS}"))).to_be_visible(timeout=MADE)
    await expect(cat.locator(".embed img")).to_be_visible()
    await look_at(page, folder, "board-running")
    for wish in (CAT, OWL):
        await expect(card_of(page, wish).get_by_role("button", name="Again")).to_be_visible(timeout=MADE)
    steps = {state for state in await page.evaluate("window.states") if "Step " in state and CAT in state}
    assert len(steps) >= 2, "its progress changes"
    await expect(board.get_by_text("0 waiting")).to_be_visible(timeout=MADE)  # by itself


async def an_admin_looks_back(page: Page, folder: Path) -> None:
    """Statistics with a plot, and the audit log."""
    await command(page, "/admin stats")
    await expect(page.locator(".embed img").last).not_to_have_js_property("naturalWidth", 0)
    await command(page, "/admin audit")
    await expect(said(page, "Audit log")).to_be_visible()
    await look_at(page, folder, "audit")
