"""`/compare` and `/words`: look into a finished picture by making it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import NotThere
from bot.places import owner_of, viewer_of
from generation.experiments import Change
from generation.word_maps import split_words

if TYPE_CHECKING:
    from bot.client import DarkroomBot
    from generation.studio import Picture

WHAT = [
    app_commands.Choice(name=name, value=value)
    for name, value in (
        ("Guidance: how strictly the prompt is followed", "guidance"),
        ("Steps: fewer and more", "steps"),
        ("Seed: other noise to begin with", "seed"),
        ("Scheduler: other ways to take the steps", "scheduler"),
        ("Without a word", "without"),
        ("Another word instead", "instead"),
        ("Negative prompt: with and without", "negative"),
        ("Nothing: does it come out the same?", "again"),
    )
]
PICTURE = "The number in its file name, as in darkroom-12.png; left out: your newest"
CHOICES = 25  # Discord's limit


class CompareCog(commands.Cog, name="Compare"):
    """The commands that make pictures again."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="Make a picture again with one thing changed, and see the difference")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        what="The one thing to change",
        word="Which word of the prompt to leave out or replace",
        values="What to change it to: numbers like 1, 4, 8, names of schedulers, another word; left out: a good choice",
        picture=PICTURE,
    )
    @app_commands.choices(what=WHAT)
    async def compare(
        self,
        interaction: discord.Interaction,
        what: str,
        word: str | None = None,
        values: str | None = None,
        picture: int | None = None,
    ) -> None:
        found = await self._picture(interaction, picture)
        change = cast(Change, what)  # Discord offers no other
        await self._bot.comparisons.ask_first(interaction, found, change, values or "", word or "")

    @app_commands.command(description="Where each word of the prompt went: heat maps over the picture")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(word="Show this word alone", picture=PICTURE)
    async def words(
        self, interaction: discord.Interaction, word: str | None = None, picture: int | None = None
    ) -> None:
        await self._bot.comparisons.show_words(interaction, await self._picture(interaction, picture), word)

    @compare.autocomplete("word")
    @words.autocomplete("word")
    async def _words_of(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        try:
            picture = await self._picture(interaction, getattr(interaction.namespace, "picture", None))
        except NotThere:
            return []
        named = dict.fromkeys(word for word, _, _ in split_words(picture.run.request.prompt))
        found = [word for word in named if typed.casefold() in word.casefold()]
        return [app_commands.Choice(name=word[:100], value=word[:100]) for word in found[:CHOICES]]

    async def _picture(self, interaction: discord.Interaction, number: int | None) -> Picture:
        """The picture of that number, if the person may see it; None: their newest."""
        if number is None:
            return await self._bot.conversation.original(None, owner_of(interaction))
        return await self._bot.conversation.seen(viewer_of(interaction, alone=True), number)
