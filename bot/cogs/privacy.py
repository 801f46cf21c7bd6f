"""`/forget`, `/mydata` and `/privacy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.views.privacy import forget_buttons

if TYPE_CHECKING:
    from bot.client import DarkroomBot

SURE = (
    "This deletes, {where}, your pictures and how they were made, everything you asked for and said to me, and what I "
    "answered. What waits or is being painted is cancelled. It cannot be undone. (`/mydata` sends you a copy first.)"
)
ON_SERVER, IN_CHANNEL, ANYWHERE = "on this server", "in this conversation", "everywhere"


class Privacy(commands.Cog):
    """The commands about what is kept of a person."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="Delete what I keep of you, here or everywhere")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(where="Here: on this server, or in this direct conversation")
    async def forget(self, interaction: discord.Interaction, where: Literal["here", "everywhere"]) -> None:
        everywhere = where == "everywhere"
        place = ANYWHERE if everywhere else ON_SERVER if interaction.guild_id is not None else IN_CHANNEL
        buttons = forget_buttons(everywhere=everywhere)
        await interaction.response.send_message(SURE.format(where=place), view=buttons, ephemeral=True)

    @app_commands.command(description="Get a copy of everything that I keep of you")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def mydata(self, interaction: discord.Interaction) -> None:
        await self._bot.privacy.send_data(interaction)

    @app_commands.command(description="What I keep of you, how long, and who sees it")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def privacy(self, interaction: discord.Interaction) -> None:
        card = discord.Embed(title="Privacy", description=self._bot.privacy.statement())
        await interaction.response.send_message(embed=card, ephemeral=True)
