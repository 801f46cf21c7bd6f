"""Buttons, selects and forms of a real discord.py bot, used by people."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from bot.playground import ActionError, Playground
from bot.playground.records import Message
from bot.playground.rest.api import LoggedRequest

from .conftest import StartBot, connect


class Again(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"again:(?P<run>\d+)"):
    """A button that carries only an id."""

    def __init__(self, run: int) -> None:
        super().__init__(discord.ui.Button(label="Again", custom_id=f"again:{run}"))
        self.run = run

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[discord.ui.View], match: re.Match[str]
    ) -> Again:
        return cls(int(match["run"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"run {self.run} again")


class Form(discord.ui.Modal, title="Revise"):
    """A form with a text, a choice and a file."""

    prompt = discord.ui.TextInput["Form"](label="Prompt", min_length=3)
    size = discord.ui.Label["Form"](
        text="Size", component=discord.ui.Select(custom_id="size", options=[discord.SelectOption(label="Large")])
    )
    start = discord.ui.Label["Form"](
        text="Start from", component=discord.ui.FileUpload(custom_id="start", required=False)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        size, start = self.size.component, self.start.component
        assert isinstance(size, discord.ui.Select) and isinstance(start, discord.ui.FileUpload)
        files = [f"{len(await file.read())} bytes" for file in start.values]
        await interaction.response.edit_message(content=" ".join([self.prompt.value, *size.values, *files]))


class Panel(discord.ui.View):
    """Every kind of component."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.add_item(discord.ui.Button(label="Off", custom_id="off", disabled=True))
        self.add_item(Again(7))

    @discord.ui.button(label="Count", custom_id="count")
    async def count(self, interaction: discord.Interaction, button: discord.ui.Button[Panel]) -> None:
        await interaction.response.edit_message(content="counted", view=None)

    @discord.ui.button(label="Later", custom_id="later")
    async def later(self, interaction: discord.Interaction, button: discord.ui.Button[Panel]) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="later")
        await interaction.followup.send("and privately", ephemeral=True)

    @discord.ui.button(label="Form", custom_id="form")
    async def form(self, interaction: discord.Interaction, button: discord.ui.Button[Panel]) -> None:
        await interaction.response.send_modal(Form(custom_id="revise"))

    @discord.ui.select(
        custom_id="colours",
        max_values=2,
        options=[discord.SelectOption(label=name.title(), value=name) for name in "abc"],
    )
    async def colours(self, interaction: discord.Interaction, select: discord.ui.Select[Panel]) -> None:
        await interaction.response.send_message("+".join(select.values))

    @discord.ui.select(cls=discord.ui.UserSelect, custom_id="who")
    async def who(self, interaction: discord.Interaction, select: discord.ui.UserSelect[Panel]) -> None:
        await interaction.response.send_message(select.values[0].display_name)


class Desk(commands.Cog):
    """Shows the panel."""

    def __init__(self, bot: commands.Bot) -> None:
        self.bot = bot
        bot.add_dynamic_items(Again)

    @app_commands.command(description="Show the panel")
    async def panel(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message("panel", view=Panel())

    @app_commands.command(description="Answer twice, late and with a stale token")
    async def twice(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message("once")
        interaction.response._response_type = None  # discord.py would refuse by itself
        try:
            await interaction.response.send_message("twice")
        except discord.HTTPException as error:
            await interaction.edit_original_response(content=str(error.code))

    @app_commands.command(description="A layout of the newer kind")
    async def layout(self, interaction: discord.Interaction) -> None:
        view = discord.ui.LayoutView()
        view.add_item(discord.ui.Container(discord.ui.TextDisplay("# Title"), discord.ui.Separator()))
        await interaction.response.send_message(view=view)


async def _panel(playground: Playground) -> Message:
    alice = playground.user("Alice")
    return await alice.response(await alice.slash("panel"))


async def test_a_button_updates_its_own_message(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Desk)
    alice, panel = playground.user("Alice"), await _panel(playground)
    answer = await alice.response(await alice.click(panel, "count"))
    assert answer.id == panel.id and answer.content == "counted" and answer.components == ()


async def test_a_button_may_be_acknowledged_first_and_answered_later(
    playground: Playground, start_bot: StartBot
) -> None:
    await start_bot(Desk)
    alice, panel = playground.user("Alice"), await _panel(playground)
    await alice.click(panel, label="Later")
    await playground.wait_for(lambda: len(alice.messages()) == 2)
    assert alice.fresh(panel).content == "later"
    assert alice.messages()[1].only_for == alice.id and len(playground.user("Bob").messages()) == 1


async def test_a_button_that_is_off_or_unknown_cannot_be_pressed(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Desk)
    alice, panel = playground.user("Alice"), await _panel(playground)
    with pytest.raises(ActionError, match="switched off"):
        await alice.click(panel, "off")
    with pytest.raises(ActionError, match="no button or menu 'nothing'"):
        await alice.click(panel, "nothing")


async def test_selects_take_choices_within_bounds_and_people(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Desk)
    alice, panel = playground.user("Alice"), await _panel(playground)
    assert (await alice.response(await alice.select(panel, "colours", "a", "C"))).content == "a+c"
    assert (await alice.response(await alice.select(panel, "who", playground.user("Bob")))).content == "Bob"
    with pytest.raises(ActionError, match="Choose 1 to 2"):
        await alice.select(panel, "colours", "a", "b", "c")
    with pytest.raises(ActionError, match="not in the menu"):
        await alice.select(panel, "colours", "z")


async def test_a_form_is_opened_checked_and_submitted(
    playground: Playground, start_bot: StartBot, tmp_path: Path
) -> None:
    from bot.playground.drafts import Upload

    await start_bot(Desk)
    alice, panel = playground.user("Alice"), await _panel(playground)
    opener = await alice.answered(await alice.click(panel, "form"))
    assert opener.modal is not None and opener.modal["title"] == "Revise"
    text_id = opener.modal["components"][0]["components"][0]["custom_id"]
    with pytest.raises(ActionError, match="'Prompt' must have 3 to 4000 characters"):
        await alice.submit_modal(opener, **{text_id: "x", "size": "Large"})
    filled = {text_id: "a fox", "size": "Large", "start": [Upload(0, "start.png", b"12345")]}
    answer = await alice.response(await alice.submit_modal(opener, **filled))
    assert answer.id == panel.id and answer.content == "a fox Large 5 bytes"


async def test_an_interaction_is_acknowledged_once(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Desk)
    alice = playground.user("Alice")
    run = await alice.answered(await alice.slash("twice"))
    await playground.wait_for(lambda: alice.messages()[0].content == "40060")
    assert run.answer == 4 and len(alice.messages()) == 1


async def test_components_of_the_newer_kind_are_accepted(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Desk)
    alice = playground.user("Alice")
    answer = await alice.response(await alice.slash("layout"))
    (container,) = answer.components
    assert [item["type"] for item in container["components"]] == [10, 14]


async def test_history_and_buttons_survive_a_restart_of_both(tmp_path: Path) -> None:
    folder = tmp_path / "playground"
    async with Playground(folder=folder).connected() as first, AsyncExitStack() as stack:
        await connect(first, stack, Desk)
        alice = first.user("Alice")
        panel = await alice.response(await alice.slash("panel"))
        picture = await alice.send("look", files=[("fox.png", b"fox")])
        address, token = first.address, first.token
    async with Playground(folder=folder).connected() as second, AsyncExitStack() as stack:
        await connect(second, stack, Desk)
        alice = second.user("Alice")
        assert token == second.token and address.endswith(f"/{token}/")
        assert [message.id for message in alice.messages()] == [panel.id, picture.id]
        assert await asyncio.to_thread(second.cdn.path(picture.attachments[0].id).read_bytes) == b"fox"
        answer = await alice.response(await alice.click(panel, "again:7"))
        assert answer.content == "run 7 again" and answer.id > picture.id


async def test_every_rest_body_can_be_watched(playground: Playground, start_bot: StartBot) -> None:
    seen: list[LoggedRequest] = []
    playground.api.on_request.append(seen.append)
    await start_bot(Desk)
    await _panel(playground)
    callback = next(request for request in seen if request.path.endswith("/callback"))
    assert callback.template == "/interactions/{interaction}/{token:text}/callback"
    assert callback.body["data"]["content"] == "panel" and callback.status == 200
    assert any(request.method == "PUT" and request.path.endswith("/commands") for request in playground.requests)
