"""`/backstage`: the tour of how a picture came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.places import owner_of
from bot.tours import open_tour

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class BackstageCog(commands.Cog, name="Backstage"):
    """The command that opens tours of one's own pictures."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="How one of your pictures came about, in four pages")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(picture="The number in its file name, as in darkroom-12.png; left out: your newest")
    async def backstage(self, interaction: discord.Interaction, picture: int | None = None) -> None:
        found = await self._bot.conversation.original(picture, owner_of(interaction))
        await open_tour(interaction, self._bot, found.id)
