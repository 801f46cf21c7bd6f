"""The whole of Darkroom as a person meets it: `darkroom run`, its worker, the pocket model, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.admin_steps import (
    an_admin_lets_two_people_wait,
    an_admin_looks_back,
    an_admin_moves_a_job_and_lets_them_go_on,
    speak_as,
)
from tests.browsing import MADE, card_of, look_at, picture_in, watch
from tests.chromium import ARGUMENTS, CHROMIUM, needs_chromium
from tests.darkroom_process import darkroom_process

FOX = "a red fox wearing sunglasses on a skateboard"
ISOLATES = "\u2068\u2069"  # which keep a right-to-left prompt from turning the rest around
STRIP_SIDE = 600  # pixels that a strip is wide at least, and no picture of these models

pytestmark = [
    needs_chromium,
    pytest.mark.timeout(300),  # seconds: two starts of torch, on a machine that may be busy
]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A browser's page on which no script may fail."""
    problems: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS])
        opened = await browser.new_page(viewport={"width": 1100, "height": 900})
        opened.on("pageerror", lambda error: problems.append(str(error)))
        yield opened
        await browser.close()
    assert problems == []


async def say(page: Page, line: str) -> None:
    box = page.get_by_role("combobox", name="Message")
    await box.click()
    await box.press_sequentially(line)
    await box.press("Enter")


async def test_a_fox_is_asked_for_watched_shown_taken_apart_and_asked_for_again(page: Page, tmp_path: Path) -> None:
    with darkroom_process(tmp_path) as darkroom:
        await page.goto(darkroom.address)
        await the_fox_is_made_and_taken_apart(page, tmp_path)
        await a_second_person_may_not_delete_it(page, tmp_path)
        await an_admin_lets_two_people_wait(page, tmp_path)
        await an_admin_moves_a_job_and_lets_them_go_on(page, tmp_path)
        await an_admin_looks_back(page, tmp_path)
        log = (tmp_path / "data" / "darkroom.log").read_text("utf-8")
        assert not any(sign in log for sign in ("rate limit", "Can't keep up", " ERROR ")), log
        darkroom.stop()
    with darkroom_process(tmp_path) as darkroom:
        await page.goto(darkroom.address)
        await its_buttons_still_work(page, tmp_path)
        darkroom.stop()


async def the_fox_is_made_and_taken_apart(page: Page, folder: Path) -> None:
    """A picture is asked for at once, while the worker may still start; then its strip."""
    await expect(page.get_by_role("combobox", name="Message")).to_be_enabled()
    await watch(page, FOX)
    await say(page, f"/imagine {FOX}")
    fox = card_of(page, FOX)
    await expect(fox.get_by_role("button", name="Again")).to_be_visible(timeout=MADE)
    states = await page.evaluate("window.states")
    assert len(states) >= 3, "its place in the queue, its progress, the picture"
    assert states[-1].strip(ISOLATES) == FOX and all(FOX in state for state in states)
    image = await picture_in(fox)
    assert await image.evaluate("image => image.naturalWidth") < STRIP_SIDE
    await expect(image).to_have_attribute("alt", FOX)
    await look_at(page, folder, "picture")

    await fox.get_by_role("button", name="Strip").click()
    strip = await picture_in(fox, 1)
    await expect(fox.get_by_role("button", name="Strip")).to_have_count(0)
    assert await strip.evaluate("image => image.naturalWidth") >= STRIP_SIDE
    await look_at(page, folder, "strip")
    await the_tour_is_taken(page, fox, folder)


async def the_tour_is_taken(page: Page, picture: Locator, folder: Path) -> None:
    """Four pages, each with a figure that the browser has decoded, in one message."""
    await picture.get_by_role("button", name="How?").click()
    tour = card_of(page, "Backstage:")
    titles = {"1 Noise": "the noise", "2 Words": "the words", "3 Steps": "step by step", "4 Touches": "final touches"}
    for label, title in titles.items():
        if label != "1 Noise":
            await tour.get_by_role("button", name=label).click()
        await expect(tour.get_by_text(f"Backstage: {title}")).to_be_visible()
        assert await (await picture_in(tour)).evaluate("image => image.naturalWidth") == 720
        await look_at(page, folder, f"tour {label}")
    await tour.get_by_role("button", name="Dismiss message").click()


async def a_second_person_may_not_delete_it(page: Page, folder: Path) -> None:
    """Bob talks; Alice's fox is not his to delete."""
    await speak_as(page, "Bob")
    await say(page, "what a fox!")
    await expect(page.locator(".message").last).to_contain_text("what a fox!")
    await page.locator(".message", has=page.get_by_role("img", name=FOX)).get_by_role("button", name="Delete").click()
    refusal = page.locator("#messages").get_by_text("Only the person who asked for this picture can delete it.")
    await expect(refusal).to_be_visible()
    await look_at(page, folder, "two people")


async def its_buttons_still_work(page: Page, folder: Path) -> None:
    """After a restart the channel is as it was, and Alice's buttons do what they say."""
    fox = page.locator(".message", has_text=FOX)
    await expect(fox).to_have_count(1)
    await picture_in(fox, 1)
    await speak_as(page, "Alice")
    await fox.get_by_role("button", name="Again").click()
    await expect(fox).to_have_count(2)
    again = fox.last
    await expect(again.get_by_role("button", name="Strip")).to_be_visible(timeout=MADE)
    await picture_in(again)
    await again.get_by_role("button", name="Strip").click()
    await picture_in(again, 1)
    await fox.first.get_by_role("button", name="Delete").click()
    await expect(fox).to_have_count(1)
    await look_at(page, folder, "after the restart")
