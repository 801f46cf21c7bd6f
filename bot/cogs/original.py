"""`/original`: the file of a picture as it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.originals import send_original
from bot.places import owner_of

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class OriginalCog(commands.Cog, name="Original"):
    """The command that gives originals."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="Get the file of one of your pictures exactly as it was made")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(picture="The number in its file name, as in darkroom-12.png; left out: your newest")
    async def original(self, interaction: discord.Interaction, picture: int | None = None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await send_original(interaction, await self._bot.conversation.original(picture, owner_of(interaction)))
