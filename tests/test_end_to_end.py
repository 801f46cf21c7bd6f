"""The whole of Darkroom as a person meets it: `darkroom run`, its worker, the pocket model, and a browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.chromium import ARGUMENTS, CHROMIUM, needs_chromium
from tests.darkroom_process import DarkroomProcess, darkroom_process

FOX = "a red fox wearing sunglasses on a skateboard"
CAT = "a blue cat next to a yellow star"
MADE = 60_000.0  # milliseconds until a picture is made, the worker's start included
ISOLATES = "\u2068\u2069"  # which keep a right-to-left prompt from turning the rest around
STRIP_SIDE = 600  # pixels that a strip is wide at least, and no picture of these models

pytestmark = [
    needs_chromium,
    pytest.mark.timeout(300),  # seconds: two starts of torch, on a machine that may be busy
]

# Collects every text that the newest card has, which may pass quicker than a test can look.
WATCH = """() => {
    window.states = [];
    const look = () => {
        const text = [...document.querySelectorAll('#messages .embed .text')].at(-1)?.textContent;
        if (text && window.states.at(-1) !== text) window.states.push(text);
    };
    new MutationObserver(look).observe(
        document.querySelector('#messages'), {subtree: true, childList: true, characterData: true});
}"""


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


def card_of(page: Page, prompt: str) -> Locator:
    """The newest message about this prompt."""
    return page.locator(".message", has_text=prompt).last


async def picture_in(message: Locator, place: int = 0) -> Locator:
    """A picture of the message that the browser has really decoded."""
    image = message.locator(".embed img").nth(place)
    await expect(image).to_be_visible()
    await expect(image).not_to_have_js_property("naturalWidth", 0)
    return image


async def look_at(page: Page, folder: Path, name: str) -> None:
    """Leave screenshots for people, wide and narrow; neither may scroll sideways."""
    for width, height in ((1100, 900), (390, 844)):
        await page.set_viewport_size({"width": width, "height": height})
        await page.locator("#scroller").evaluate("element => element.scrollTo(0, element.scrollHeight)")
        await page.wait_for_timeout(300)
        await page.screenshot(path=folder / f"{name}-{width}.png")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.set_viewport_size({"width": 1100, "height": 900})


async def test_a_fox_is_asked_for_watched_shown_taken_apart_and_asked_for_again(page: Page, tmp_path: Path) -> None:
    with darkroom_process(tmp_path) as darkroom:
        await page.goto(darkroom.address)
        await the_fox_is_made_and_taken_apart(page, tmp_path)
        await a_second_person_has_a_picture_made(page, tmp_path, darkroom)
        darkroom.stop()
    with darkroom_process(tmp_path) as darkroom:
        await page.goto(darkroom.address)
        await its_buttons_still_work(page, tmp_path)
        darkroom.stop()


async def the_fox_is_made_and_taken_apart(page: Page, folder: Path) -> None:
    """A picture is asked for at once, while the worker may still start; then its strip."""
    await expect(page.get_by_role("combobox", name="Message")).to_be_enabled()
    await page.evaluate(WATCH)
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


async def a_second_person_has_a_picture_made(page: Page, folder: Path, darkroom: DarkroomProcess) -> None:
    """Bob talks and asks for a picture of many steps, of which several are seen; Alice's is not his to delete."""
    await page.get_by_label("Speaking as").select_option(label="Bob")
    await say(page, "what a fox!")
    await expect(page.locator(".message").last).to_contain_text("what a fox!")
    await page.evaluate("window.states.length = 0")
    await say(page, f"/imagine {CAT} steps: 100")
    cat = card_of(page, CAT)
    await expect(cat.get_by_text(re.compile(r"Step \d+ of 100"))).to_be_visible(timeout=MADE)
    await expect(cat.locator(".embed img")).to_be_visible()
    await look_at(page, folder, "progress")
    await expect(cat.get_by_role("button", name="Again")).to_be_visible(timeout=MADE)
    steps = {state for state in await page.evaluate("window.states") if "Step " in state}
    assert len(steps) >= 2, "its progress changes"
    await picture_in(cat)

    await card_of(page, FOX).get_by_role("button", name="Delete").click()
    refusal = page.locator("#messages").get_by_text("Only the person who asked for this picture can delete it.")
    await expect(refusal).to_be_visible()
    await look_at(page, folder, "two people")
    log = (darkroom.folder / "data" / "darkroom.log").read_text("utf-8")
    assert "rate limit" not in log and " ERROR " not in log, log


async def its_buttons_still_work(page: Page, folder: Path) -> None:
    """After a restart the channel is as it was, and Alice's buttons do what they say."""
    fox = page.locator(".message", has_text=FOX)
    await expect(fox).to_have_count(1)
    await picture_in(fox, 1)
    await page.get_by_label("Speaking as").select_option(label="Alice")
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
