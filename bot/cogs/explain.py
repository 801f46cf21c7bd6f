"""`/explain`, `/topics` and *How was this made?*: reads what was asked and hands it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.models import CHOICE_LIMIT, MAX_CHOICES
from bot.places import viewer_of
from bot.talk import MADE_HOW

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class Explain(commands.Cog):
    """The commands that answer questions."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot
        # a context menu cannot be declared in a class: https://github.com/Rapptz/discord.py/issues/7823
        menu = app_commands.ContextMenu(
            name=MADE_HOW,
            callback=self.how_made,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        )
        bot.tree.add_command(menu)

    async def how_made(self, interaction: discord.Interaction, message: discord.Message) -> None:
        await self._bot.dialogue.how_made(interaction, message)

    @app_commands.command(description="Ask how a picture was made, how I work, or how people imagine")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        question="In your own words",
        picture="The picture that it is about; left out: I look at what is around",
        private="Only you see the answer",
    )
    async def explain(
        self,
        interaction: discord.Interaction,
        question: app_commands.Range[str, 1, 1_000],
        picture: int | None = None,
        private: bool = False,
    ) -> None:
        if picture is not None:
            await self._bot.conversation.seen(viewer_of(interaction, alone=private), picture)
        await self._bot.dialogue.ask(interaction, question, picture, private=private, quote=True)

    @explain.autocomplete("picture")
    async def _pictures(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[int]]:
        viewer = viewer_of(interaction, alone=bool(getattr(interaction.namespace, "private", False)))
        pictures = await self._bot.conversation.pictures(viewer, limit=100)
        labels = [(f"{picture.id}: {picture.run.request.prompt}", picture.id) for picture in pictures]
        found = [(label, number) for label, number in labels if typed.casefold() in label.casefold()]
        return [app_commands.Choice(name=label[:CHOICE_LIMIT], value=number) for label, number in found[:MAX_CHOICES]]

    @app_commands.command(description="A short tour: how I make pictures, and five ways in which you are not like me")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def topics(self, interaction: discord.Interaction) -> None:
        await self._bot.dialogue.show_topic(interaction, 0)
