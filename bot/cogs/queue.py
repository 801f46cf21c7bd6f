"""`/queue`: a person's own pictures on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.views.queue import show_mine

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class QueueCog(commands.Cog, name="Queue"):
    """The command that shows who asks their own part of the queue."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="Your pictures on their way: place, share, and a Cancel for each")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def queue(self, interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await show_mine(interaction, self._bot)
