"""`/history` and `/export`: what was said and made here."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot import wording
from bot.memory import Entry
from bot.places import viewer_of
from bot.postbox import Attachment

if TYPE_CHECKING:
    from bot.client import DarkroomBot

TURNS_SHOWN = 12
SAID_LIMIT = 160  # characters of one turn
PICTURES_SHOWN = 24
NOTHING = "Nothing that I could show you was said here yet."


class History(commands.Cog):
    """The commands that look back."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="What was said and made here, and which picture came from which")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(words="Look for these words instead of the latest")
    async def history(self, interaction: discord.Interaction, words: str = "") -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        entries = await self._bot.memory.entries(viewer_of(interaction, alone=True), limit=TURNS_SHOWN, words=words)
        card = discord.Embed(title="Found" if words else "Lately", description=_listed(entries) or NOTHING)
        tree = None if words else await self._bot.conversation.tree(viewer_of(interaction), limit=PICTURES_SHOWN)
        if tree is None:
            await interaction.followup.send(embed=card, ephemeral=True)
            return
        figure = Attachment(name="lineage.png", content=tree, description="The pictures made here, by family")
        card.set_image(url=f"attachment://{figure.name}")
        await interaction.followup.send(embed=card, file=figure.upload(), ephemeral=True)

    @app_commands.command(description="Get this conversation as one page that you can keep, print or publish")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def export(self, interaction: discord.Interaction, form: Literal["page", "markdown"] = "page") -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        title = f"A conversation in {_name(interaction)}"
        viewer = viewer_of(interaction)
        content = await self._bot.recollection.export(viewer, title, markdown=form == "markdown")
        name = f"conversation.{'md' if form == 'markdown' else 'html'}"
        if len(content) > interaction.filesize_limit:
            sentence = "This conversation has become larger than what Discord takes as one file."
            await interaction.followup.send(sentence, ephemeral=True)
            return
        file = discord.File(io.BytesIO(content), name)
        await interaction.followup.send("The conversation, as everybody here has seen it:", file=file, ephemeral=True)


def _listed(entries: list[Entry]) -> str:
    return "\n".join(_line(entry) for entry in entries)


def _line(entry: Entry) -> str:
    turn = entry.turn
    name = wording.escaped(turn.name or "Darkroom")
    made = f" → picture {entry.picture.id}" if entry.picture is not None else ""
    return f"**{name}** {wording.shown(turn.said, SAID_LIMIT)}{made}"


def _name(interaction: discord.Interaction) -> str:
    channel = interaction.channel
    return f"#{channel.name}" if isinstance(channel, discord.abc.GuildChannel | discord.Thread) else "direct messages"
