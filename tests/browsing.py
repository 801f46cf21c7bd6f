"""Looking at the playground's page in a real browser, and leaving screenshots for people."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Locator, Page, expect

MADE = 60_000.0  # milliseconds until a picture is made, the worker's start included

# Collects every text that the newest card that begins with something has, which may pass quicker than a test can look.
_WATCH = """wanted => {
    window.states = [];
    const look = () => {
        const cards = [...document.querySelectorAll('#messages .embed .text')].map(card => card.textContent);
        const text = cards.filter(card => card.replace(/^\\u2068/, '').startsWith(wanted)).at(-1);
        if (text && window.states.at(-1) !== text) window.states.push(text);
    };
    new MutationObserver(look).observe(
        document.querySelector('#messages'), {subtree: true, childList: true, characterData: true});
}"""


async def watch(page: Page, prompt: str) -> None:
    """Collect in `window.states` what the newest card about this prompt says from now on."""
    await page.evaluate(_WATCH, prompt)


def card_of(page: Page, prompt: str) -> Locator:
    """The newest message that is a picture of this prompt, whether or not it is there already."""
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
