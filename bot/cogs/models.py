"""`/models`: which models there are, and what each of them can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import model_cards
from generation.models import Models

if TYPE_CHECKING:
    from bot.client import DarkroomBot

MAX_CHOICES = 25  # Discord's limit for autocomplete
CHOICE_LIMIT = 100  # characters of a choice's name and value


class ModelsCog(commands.Cog, name="Models"):
    """The command that lists models."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="Which models there are, and what each can do")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(model="Show all that this model knows")
    async def models(self, interaction: discord.Interaction, model: str | None = None) -> None:
        conversation, ready = self._bot.conversation, self._bot.parts.studio.ready
        if model and model.strip():
            info = conversation.models.get(model.strip())
            card = model_cards.model(info, conversation.lexicon(info.name), ready)
        else:
            lexicons = [conversation.lexicon(name) for name in conversation.models.names]
            card = model_cards.models(conversation.models, lexicons, ready)
        await interaction.response.send_message(embed=card, ephemeral=True)

    @models.autocomplete("model")
    async def _models(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return model_choices(self._bot.conversation.models, typed)


def model_choices(models: Models, typed: str) -> list[app_commands.Choice[str]]:
    """The models whose name or title holds what was typed."""
    wanted = typed.casefold()
    found = [model for model in models.all if wanted in model.name.casefold() or wanted in model.title.casefold()]
    return [
        app_commands.Choice(name=f"{model.name}: {model.title}"[:CHOICE_LIMIT], value=model.name[:CHOICE_LIMIT])
        for model in found[:MAX_CHOICES]
    ]
