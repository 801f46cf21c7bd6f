"""The page in a real browser: a command is typed, live edits are seen, buttons are pressed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
from discord import app_commands
from discord.ext import commands
from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from bot.playground import Playground
from tests.chromium import ARGUMENTS, CHROMIUM, needs_chromium

from .conftest import StartBot

_FOX = "a red fox wearing sunglasses on a skateboard"

pytestmark = needs_chromium


def picture(colour: str) -> discord.File:
    """A picture of one colour."""
    data = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(data, "PNG")
    data.seek(0)
    return discord.File(data, "picture.png")


class Rework(discord.ui.Modal, title="Revise the picture"):
    """A form with one text."""

    prompt = discord.ui.TextInput["Rework"](label="New prompt", default="a fox")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"revised to {self.prompt.value}")


class Buttons(discord.ui.View):
    """What stands under a picture."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Strip", custom_id="strip")
    async def strip(self, interaction: discord.Interaction, button: discord.ui.Button[Buttons]) -> None:
        await interaction.response.send_message("the strip", ephemeral=True)

    @discord.ui.button(label="Revise", custom_id="revise")
    async def revise(self, interaction: discord.Interaction, button: discord.ui.Button[Buttons]) -> None:
        await interaction.response.send_modal(Rework())

    @discord.ui.button(label="Silent", custom_id="silent")
    async def silent(self, interaction: discord.Interaction, button: discord.ui.Button[Buttons]) -> None:
        return


class Painter(commands.Cog):
    """Paints in steps that the test releases one by one."""

    def __init__(self, bot: commands.Bot) -> None:
        self.bot = bot
        self.steps: asyncio.Queue[str] = asyncio.Queue()

    @app_commands.command(description="Make a picture from words")
    @app_commands.describe(prompt="What to see", steps="How many steps")
    async def imagine(
        self,
        interaction: discord.Interaction,
        prompt: str,
        steps: app_commands.Range[int, 1, 50] = 20,
        model: str = "pocket",
        start: discord.Attachment | None = None,
    ) -> None:
        await interaction.response.defer(thinking=True)
        while (colour := await self.steps.get()) != "done":
            embed = discord.Embed(description=f"developing {colour}").set_image(url="attachment://picture.png")
            await interaction.edit_original_response(embed=embed, attachments=[picture(colour)])
        embed = discord.Embed(title=prompt, description=f"{steps} steps with {model}")
        if start is not None:
            embed.set_footer(text=f"from {start.filename}")
        embed.set_image(url="attachment://picture.png")
        await interaction.edit_original_response(embed=embed, attachments=[picture("orange")], view=Buttons())

    @imagine.autocomplete("model")
    async def models(self, interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name="Pocket, large", value="pocket-large")]

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        if not message.author.bot and self.bot.user in message.mentions:
            await message.reply("**you** called? <script>alert(1)</script>")


@pytest.fixture
async def page(playground: Playground) -> AsyncIterator[Page]:
    """The playground's page, open; no script may fail on it."""
    problems: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS])
        opened = await browser.new_page(viewport={"width": 1100, "height": 760})
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        await opened.goto(playground.address)
        yield opened
        await browser.close()
    assert [problem for problem in problems if "400 (Bad Request)" not in problem] == []


async def _painter(start_bot: StartBot) -> Painter:
    cog = (await start_bot(Painter)).get_cog("Painter")
    assert isinstance(cog, Painter)
    return cog


async def test_a_typed_command_is_watched_to_its_picture_and_its_buttons_work(
    playground: Playground, start_bot: StartBot, page: Page
) -> None:
    painter = await _painter(start_bot)
    box = page.get_by_role("combobox", name="Message")
    await box.click()
    await box.press_sequentially(f"/imagine {_FOX}")
    await box.press("Enter")
    await expect(page.get_by_text("Darkroom is thinking…")).to_be_visible()
    for colour in ("gray", "brown"):
        painter.steps.put_nowait(colour)
        await expect(page.locator(".embed").get_by_text(f"developing {colour}")).to_be_visible()
    painter.steps.put_nowait("done")
    await expect(page.locator(".embed-title")).to_have_text(_FOX)
    await expect(page.locator(".embed img")).to_have_js_property("naturalWidth", 64)

    await page.get_by_role("button", name="Strip").click()
    await expect(page.get_by_text("Only you can see this")).to_be_visible()
    await page.get_by_role("button", name="Dismiss message").click()
    await expect(page.get_by_text("the strip", exact=True)).to_have_count(0)

    await page.get_by_role("button", name="Revise").click()
    await page.get_by_label("New prompt").fill("a blue fox")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator("#messages").get_by_text("revised to a blue fox")).to_be_visible()
    await expect(page.locator("#modal")).to_be_hidden()

    await page.get_by_role("button", name=f"Enlarge: {_FOX}").click()
    await expect(page.locator("#lightbox img")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#lightbox")).to_be_hidden()


async def test_the_keyboard_alone_writes_a_command_with_options(
    playground: Playground, start_bot: StartBot, page: Page, tmp_path: Path
) -> None:
    painter = await _painter(start_bot)
    painter.steps.put_nowait("done")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "start.png")
    box = page.get_by_role("combobox", name="Message")
    await box.press_sequentially("/im")
    await expect(page.get_by_role("option", name="/imagine")).to_be_visible()
    await box.press("Tab")
    await expect(box).to_have_value("/imagine ")
    await box.press("ArrowDown")
    await box.press("Enter")
    await expect(box).to_have_value("/imagine prompt: ")
    await box.press_sequentially("a fox steps: 7 model: ")
    await expect(page.get_by_role("option", name="Pocket, large")).to_be_visible()
    await box.press("ArrowDown")
    await box.press("Enter")
    await page.locator("#files").set_input_files(tmp_path / "start.png")
    await expect(box).to_have_value("/imagine prompt: a fox steps: 7 model: Pocket, large start: start.png ")
    await box.press("Enter")
    await expect(page.locator(".embed")).to_contain_text("7 steps with pocket-large")
    await expect(page.locator(".embed-footer")).to_have_text("from start.png")


async def test_a_mention_is_completed_answered_and_never_becomes_html(
    playground: Playground, start_bot: StartBot, page: Page
) -> None:
    await _painter(start_bot)
    box = page.get_by_role("combobox", name="Message")
    await box.press_sequentially("hello @dark")
    await box.press("Tab")
    await box.press_sequentially("<img src=x onerror=alert(1)>")
    await box.press("Enter")
    answer = page.locator(".message", has_text="called?")
    await expect(answer.locator("strong")).to_have_text("you")
    await expect(answer.locator(".text")).to_have_text("you called? <script>alert(1)</script>")
    await expect(page.locator("#messages .text img, #messages script")).to_have_count(0)
    await expect(answer.locator(".origin")).to_contain_text("Alice")


async def test_a_bot_that_does_not_answer_fails_the_interaction_and_people_can_be_switched(
    playground: Playground, start_bot: StartBot, page: Page
) -> None:
    painter = await _painter(start_bot)
    painter.steps.put_nowait("done")
    object.__setattr__(playground.world.limits, "acknowledge_seconds", 0.3)
    alice = playground.user("Alice")
    await alice.response(await alice.slash("imagine", prompt="a fox"))
    await page.get_by_role("button", name="Silent").click()
    await expect(page.get_by_text("This interaction failed")).to_be_visible()
    await expect(page.get_by_role("button", name="Silent")).to_be_enabled()
    await page.get_by_label("Speaking as").select_option(label="Bob")
    box = page.get_by_role("combobox", name="Message")
    await expect(box).to_have_attribute("placeholder", "Message #gallery as Bob")
    await box.fill("Bob here")
    await box.press("Enter")
    await expect(page.locator(".message").last.locator(".author")).to_have_text("Bob")
    await box.fill("/nothing")
    await box.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="There is no command /nothing here.")).to_be_visible()


async def test_the_page_works_at_phone_width_without_scrolling_sideways(
    playground: Playground, start_bot: StartBot, page: Page
) -> None:
    await page.set_viewport_size({"width": 375, "height": 700})
    await playground.user("Alice").send("a" * 300 + " https://example.org/" + "b" * 200)
    await expect(page.locator(".message")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="Channels").click()
    await page.get_by_role("button", name="studio-talk").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("#studio-talk")
    box = page.get_by_role("combobox", name="Message")
    await box.fill("from my phone")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".message")).to_contain_text("from my phone")


async def test_who_has_scrolled_up_and_says_something_is_taken_to_it(
    playground: Playground, start_bot: StartBot, page: Page
) -> None:
    for number in range(40):
        await playground.user("Bob").send(f"message {number}")
    await page.get_by_text("message 39", exact=True).wait_for()
    await page.locator("#scroller").evaluate("box => { box.scrollTop = 0; }")
    await playground.user("Bob").send("and one more")
    await expect(page.get_by_role("button", name="Jump to the newest")).to_be_visible()
    box = page.get_by_role("combobox", name="Message")
    await box.fill("here I am")
    await box.press("Enter")
    await expect(page.get_by_text("here I am", exact=True)).to_be_in_viewport()
    await expect(page.get_by_role("button", name="Jump to the newest")).to_be_hidden()


_RENDERED = {
    "**a *b* c**": "<strong>a <em>b</em> c</strong>",
    "snake_case_name and 2*3*4": "snake_case_name and 2<em>3</em>4",
    "`**raw** <b>`": "<code>**raw** &lt;b&gt;</code>",
    "```py\n<b>x</b>\n```": "<pre><code>&lt;b&gt;x&lt;/b&gt;</code></pre>",
    "> one\n> two\nthree": "<blockquote>one\ntwo</blockquote>three",
    "__u__ ~~s~~ \\*not\\*": "<u>u</u> <s>s</s> *not*",
    "[click](javascript:alert(1))": "[click](javascript:alert(1))",
    "[safe](https://example.org)": (
        '<a href="https://example.org/" target="_blank" rel="noopener noreferrer nofollow">safe</a>'
    ),
    "<@7> @everyone": '<span class="mention">@Seven</span> <span class="mention">@everyone</span>',
    "https://example.org/a_b_c.": (
        '<a href="https://example.org/a_b_c" target="_blank" rel="noopener noreferrer nofollow">'
        "https://example.org/a_b_c</a>."
    ),
    "# Title": '<div class="h1" role="heading" aria-level="2">Title</div>',
    '<img src=x onerror="x">': '&lt;img src=x onerror="x"&gt;',
}
_RENDER = """async (text) => {
    const { markdown } = await import("./markdown.js");
    const box = document.createElement("div");
    box.append(...markdown(text, { user: () => "@Seven", role: () => "@Role", channel: () => "#c" }));
    return box.innerHTML;
}"""


async def test_markdown_is_discords_kind_and_never_html(page: Page) -> None:
    for text, html in _RENDERED.items():
        assert await page.evaluate(_RENDER, text) == html
    assert 'datetime="1970-01-01T00:00:00.000Z"' in await page.evaluate(_RENDER, "<t:0:R>")


async def test_hostile_markdown_does_not_hold_the_page_up(page: Page) -> None:
    """It ends within the test's time-out for the longest texts that Discord allows."""
    for piece in ("*", "_", "`", "||", "**a ", "[", "<t:", "> ", "~~a", "***", "__a_", "||**", "[a](https://a "):
        assert await page.evaluate(_RENDER, (piece * 4096)[:4096])
