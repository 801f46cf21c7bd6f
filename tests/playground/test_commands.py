"""Slash and context-menu commands, run by people, answered by a real discord.py bot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import discord
import pytest
from discord import app_commands
from discord.ext import commands
from PIL import Image

from bot.playground import ActionError, Playground, PlaygroundError
from bot.playground.records import MessageFlag, MessageType

from .conftest import StartBot

_COLOURS = ["crimson", "cyan", "teal"]


class Studio(commands.Cog):
    """Every way to ask and to answer."""

    admin = app_commands.Group(name="admin", description="For admins", default_permissions=discord.Permissions(32))
    queue = app_commands.Group(name="queue", description="The queue", parent=admin)

    def __init__(self, bot: commands.Bot) -> None:
        self.bot = bot
        bot.tree.add_command(app_commands.ContextMenu(name="Count letters", callback=self.count))
        bot.tree.add_command(app_commands.ContextMenu(name="Greet", callback=self.greet))

    @app_commands.command(description="Say it back")
    @app_commands.choices(mood=[app_commands.Choice(name="Very glad", value="glad")])
    async def echo(
        self, interaction: discord.Interaction, text: app_commands.Range[str, 1, 20],
        times: app_commands.Range[int, 1, 3] = 1,
        loud: bool = False, factor: float = 1.0, mood: str = "calm", who: discord.Member | None = None,
        where: discord.TextChannel | None = None, role: discord.Role | None = None,
    ) -> None:  # fmt: skip
        said = " ".join([text.upper() if loud else text] * times)
        rest = [str(factor), mood, who and who.display_name, where and where.name, role and role.name]
        await interaction.response.send_message(f"{said} | {' '.join(part for part in rest if part)}")

    @app_commands.command(description="Think, then answer")
    async def slow(self, interaction: discord.Interaction, secret: bool = False) -> None:
        await interaction.response.defer(thinking=True, ephemeral=secret)
        await interaction.edit_original_response(content="done")
        more = await interaction.followup.send("more", ephemeral=secret, wait=True)
        await more.edit(content="still more")

    @app_commands.command(description="Think, then follow up")
    async def follow(self, interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True)
        first = await interaction.followup.send("first", wait=True)
        original = await interaction.original_response()
        await interaction.followup.send(f"{first.id == original.id}")

    @app_commands.command(description="Answer and take it back")
    async def regret(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message("oops")
        await interaction.delete_original_response()

    @app_commands.command(description="Choose a colour")
    async def paint(self, interaction: discord.Interaction, colour: str) -> None:
        await interaction.response.send_message(colour)

    @paint.autocomplete("colour")
    async def colours(self, interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=name.title(), value=name) for name in _COLOURS if name.startswith(current)]

    @app_commands.command(description="Look at a picture")
    async def look(self, interaction: discord.Interaction, picture: discord.Attachment) -> None:
        size = len(await picture.read())
        await interaction.response.send_message(f"{picture.width}x{picture.height} {picture.content_type} {size}")

    @app_commands.command(description="Never answer")
    async def sleepy(self, interaction: discord.Interaction) -> None:
        return

    @queue.command(description="Pause the queue")
    async def pause(self, interaction: discord.Interaction, minutes: int) -> None:
        await interaction.response.send_message(f"paused {minutes}", ephemeral=True)

    async def count(self, interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"{len(message.content)} letters")

    async def greet(self, interaction: discord.Interaction, member: discord.Member) -> None:
        await interaction.response.send_message(f"Hello {member.display_name}")


async def test_a_slash_command_carries_every_kind_of_option(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    alice = playground.user("Alice")
    run = await alice.slash(
        "echo",
        text="fox",
        times=2,
        loud=True,
        factor=0.5,
        mood="Very glad",
        who="@bob",
        where="#studio-talk",
        role="Admin",
    )
    answer = await alice.response(run)
    assert answer.content == "FOX FOX | 0.5 glad Bob studio-talk Admin"
    assert answer.type is MessageType.CHAT_INPUT_COMMAND
    assert answer.origin is not None and answer.origin.name == "echo" and answer.origin.user_id == alice.id


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "The option 'text' is required."),
        ({"text": "x" * 21}, "The option 'text' must have 1 to 20 characters; it has 21."),
        ({"text": "x", "times": 4}, "The option 'times' must be at most 3."),
        ({"text": "x", "times": "many"}, "The option 'times' must be a whole number, not 'many'."),
        ({"text": "x", "factor": float("nan")}, "The option 'factor' is too large a number."),
        ({"text": "x", "loud": "perhaps"}, "The option 'loud' must be true or false, not 'perhaps'."),
        ({"text": "x", "mood": "sad"}, "The option 'mood' must be one of: Very glad."),
        ({"text": "x", "who": "Zoe"}, "The option 'who': nobody and nothing here is called 'Zoe'."),
        ({"text": "x", "colour": "red"}, "There is no option 'colour'."),
    ],
)
async def test_an_option_that_does_not_fit_is_refused_before_the_bot_hears_of_it(
    playground: Playground, start_bot: StartBot, options: dict[str, object], sentence: str
) -> None:
    await start_bot(Studio)
    with pytest.raises(ActionError) as refused:
        await playground.user("Alice").slash("echo", **options)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/echo a red fox", "a red fox | 1.0 calm"),
        ("/echo text: a fox times: 2", "a fox a fox | 1.0 calm"),
        ("/echo a fox  mood: Very glad loud: yes", "A FOX | 1.0 glad"),
        ("/echo time: 12:30", "time: 12:30 | 1.0 calm"),
    ],
)
async def test_a_command_typed_as_one_line_fills_the_first_required_text(
    playground: Playground, start_bot: StartBot, line: str, said: str
) -> None:
    await start_bot(Studio)
    alice = playground.user("Alice")
    assert (await alice.response(await alice.type(line))).content == said


async def test_subcommands_in_groups_are_found_typed_or_named(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    ada = playground.user("Admin Ada")
    assert (await ada.response(await ada.slash("admin queue pause", minutes=5))).content == "paused 5"
    assert (await ada.response(await ada.type("/admin queue pause minutes: 7"))).content == "paused 7"
    with pytest.raises(ActionError, match="needs a subcommand: queue"):
        await ada.type("/admin")


async def test_commands_for_managers_are_offered_to_managers_only(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    manager = playground.add_user("Mia", manage_guild=True)
    assert "admin" not in playground.user("Alice").commands()
    assert "admin" in playground.user("Admin Ada").commands()
    assert "admin" in manager.commands()
    with pytest.raises(ActionError, match="no command 'admin queue pause' here for Alice"):
        await playground.user("Alice").slash("admin queue pause", minutes=1)


async def test_a_deferred_answer_thinks_first_and_is_edited_and_followed_up(
    playground: Playground, start_bot: StartBot
) -> None:
    await start_bot(Studio)
    alice = playground.user("Alice")
    run = await alice.answered(await alice.slash("slow"))
    thinking = alice.messages()[0]
    assert thinking.loading
    done = await alice.response(run)
    assert done.id == thinking.id and done.content == "done" and done.edited is None
    await playground.wait_for(lambda: [m for m in alice.messages() if m.content == "still more"])


async def test_an_ephemeral_answer_is_seen_by_one_person_and_not_told_to_the_gateway(
    playground: Playground, start_bot: StartBot
) -> None:
    bot = await start_bot(Studio)
    heard: list[str] = []

    @bot.listen()
    async def on_message(message: discord.Message) -> None:
        heard.append(message.content)

    alice, bob = playground.user("Alice"), playground.user("Bob")
    answer = await alice.response(await alice.slash("slow", secret=True))
    assert answer.only_for == alice.id and answer.flags & MessageFlag.EPHEMERAL
    assert bob.messages() == []
    await bob.send("public")
    await playground.wait_for(lambda: "public" in heard or len(heard) > 0)
    assert len(heard) == 1


async def test_the_first_follow_up_after_thinking_takes_its_place(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    alice = playground.user("Alice")
    await alice.slash("follow")
    await playground.wait_for(lambda: len(alice.messages()) == 2)
    assert [message.content for message in alice.messages()] == ["first", "True"]


async def test_an_answer_can_be_deleted(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    alice = playground.user("Alice")
    run = await alice.answered(await alice.slash("regret"))
    await playground.wait_for(lambda: run.response_id and not alice.messages())


async def test_autocomplete_offers_what_the_bot_answers(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    choices = await playground.user("Alice").autocomplete("paint", "colour", "c")
    assert choices == [{"name": "Crimson", "value": "crimson"}, {"name": "Cyan", "value": "cyan"}]


async def test_an_attachment_option_reaches_the_bot_with_size_type_and_bytes(
    playground: Playground, start_bot: StartBot, tmp_path: Path
) -> None:
    await start_bot(Studio)
    path = tmp_path / "my fox.png"
    Image.new("RGB", (12, 8), "orange").save(path)
    alice = playground.user("Alice")
    answer = await alice.response(await alice.slash("look", picture=path))
    assert answer.content == f"12x8 image/png {path.stat().st_size}"


async def test_context_menu_commands_run_on_messages_and_users(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    alice = playground.user("Alice")
    message = await alice.send("seven77")
    counted = await alice.response(await alice.use_on_message("Count letters", message))
    assert counted.content == "7 letters" and counted.type is MessageType.CONTEXT_MENU_COMMAND
    greeted = await alice.response(await alice.use_on_user("Greet", "Bob"))
    assert greeted.content == "Hello Bob"


async def test_commands_work_in_the_direct_message(playground: Playground, start_bot: StartBot) -> None:
    await start_bot(Studio)
    alice = playground.user("Alice")
    answer = await alice.response(await alice.slash("paint", channel="dm", colour="teal"))
    assert answer.content == "teal"
    assert alice.messages("dm") == [answer]


async def test_silence_makes_the_interaction_fail_for_the_person(start_bot: StartBot, playground: Playground) -> None:
    """The deadline itself is Discord's three seconds; it is short here."""
    await start_bot(Studio)
    alice = playground.user("Alice")
    object.__setattr__(playground.world.limits, "acknowledge_seconds", 0.1)
    run = await alice.slash("sleepy")
    with pytest.raises(PlaygroundError, match="This interaction failed"):
        await alice.answered(run)


async def test_guild_commands_are_listed_changed_and_removed(playground: Playground, start_bot: StartBot) -> None:
    bot = await start_bot()
    guild = discord.Object(playground.world.guild.id)

    @bot.tree.command(name="here", description="Only in this server", guild=guild)
    async def here(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("here")

    (synced,) = await bot.tree.sync(guild=guild)
    assert [command.name for command in await bot.tree.fetch_commands(guild=guild)] == ["here"]
    assert await bot.tree.fetch_commands() == []
    changed = await synced.edit(description="Still only here")
    assert changed.id == synced.id and changed.description == "Still only here"
    assert playground.user("Alice").commands("dm") == []
    await changed.delete()
    assert playground.user("Alice").commands() == []


async def test_a_malformed_command_is_refused_when_it_is_registered(
    playground: Playground, start_bot: StartBot
) -> None:
    bot = await start_bot()
    assert bot.application_id is not None
    broken = [{"name": "Upper", "description": "x", "type": 1}]
    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.bulk_upsert_global_commands(bot.application_id, payload=broken)  # type: ignore[arg-type]
    assert refused.value.code == 50035
    await asyncio.sleep(0)
