"""The bot as discord.py sees it: a ready `commands.Bot` that opens and closes its own parts.

Knows what is connected to what, and nothing of what a command or a button does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import discord
from discord import app_commands
from discord.ext import commands

from bot.asking import Asking
from bot.boards import Boards
from bot.cogs.admin import AdminCog
from bot.cogs.backstage import BackstageCog
from bot.cogs.chat import Chat
from bot.cogs.compare import CompareCog
from bot.cogs.explain import Explain
from bot.cogs.history import History
from bot.cogs.imagine import Imagine
from bot.cogs.metadata import MetadataCog
from bot.cogs.models import ModelsCog
from bot.cogs.original import OriginalCog
from bot.cogs.privacy import Privacy
from bot.cogs.queue import QueueCog
from bot.comparisons import Comparisons
from bot.conversation import Conversation
from bot.delivery import Delivery, Spawn
from bot.dialogue import Dialogue
from bot.errors import tell
from bot.exhibits import Exhibits
from bot.marking import Marking
from bot.memory import Memory
from bot.offers import Offers
from bot.parts import Parts, open_parts
from bot.privacy import PrivacyDesk
from bot.recollection import Recollection
from bot.routing import ReadingRouter
from bot.settings import Settings
from bot.talk import Talk
from bot.views import admin, beneath, comparison, offer, picture, privacy, queue, talk, tour
from generation.administration import Administration
from generation.backstage import Backstage
from generation.laboratory import Laboratory

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 20.0  # seconds for all parts together


class DarkroomTree(app_commands.CommandTree["DarkroomBot"]):
    """The commands; an error of any of them becomes a sentence for the person who typed it."""

    async def on_error(
        self, interaction: discord.Interaction[DarkroomBot], error: app_commands.AppCommandError, /
    ) -> None:
        if interaction.type is not discord.InteractionType.autocomplete:
            await tell(interaction, error)


class DarkroomBot(commands.Bot):
    """Discord's side of Darkroom. All parts are there from `setup_hook` on."""

    conversation: Conversation
    delivery: Delivery
    marking: Marking
    exhibits: Exhibits
    backstage: Backstage
    laboratory: Laboratory
    comparisons: Comparisons
    offers: Offers
    memory: Memory
    talk: Talk
    dialogue: Dialogue
    recollection: Recollection
    privacy: PrivacyDesk
    administration: Administration
    boards: Boards
    parts: Parts

    def __init__(self, settings: Settings, *, parts: Parts | None, spawn: Spawn, interval: float) -> None:
        # Darkroom does not speak, so nobody needs to read that it cannot
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,
            tree_cls=DarkroomTree,
            help_command=None,
            intents=intents_of(settings),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,  # what is needed of a message is in the store
            activity=discord.CustomActivity("/imagine a picture"),
        )
        self.settings = settings
        self.forgotten: list[Callable[[str], None]] = []  # told the Discord id of who is forgotten everywhere
        self._given_parts = parts
        self._spawn = spawn
        self._interval = interval
        self._stack = contextlib.AsyncExitStack()

    async def setup_hook(self) -> None:
        """Open the parts, take up what was not delivered, and tell Discord the commands."""
        given = self._given_parts
        self.parts = given if given is not None else await self._stack.enter_async_context(open_parts(self.settings))
        self.conversation = Conversation(self.parts.studio)
        studio = self.parts.studio
        self.marking = Marking(self.parts.database, self.parts.signer)
        self.delivery = Delivery(
            self,
            studio,
            self.conversation,
            interval=self._interval,
            asking=Asking(self.settings.data / "asking", self),
            spawn=self._spawn,
            marking=self.marking,
        )
        self._stack.push_async_callback(self.delivery.close)
        self.exhibits = Exhibits(self.conversation, self.marking)
        self.laboratory = self.conversation.laboratory
        self.backstage = Backstage(studio)
        self.offers = Offers(self.conversation, self.delivery)
        self.comparisons = Comparisons(self.laboratory, self.delivery)
        self.memory = Memory(self.parts.database, self.parts.files, studio)
        router = ReadingRouter(self.parts.desk)
        tone = self.settings.voice_tone
        self.talk = Talk(self.conversation, self.memory, self.parts.desk, router=router, tone=tone)
        self.dialogue = Dialogue(self)
        self.recollection = Recollection(self.conversation, self.memory)
        self.privacy = PrivacyDesk(self, self._spawn)
        self.administration = Administration(self.parts.database, studio)
        self.boards = Boards(self, self._spawn)
        self._stack.push_async_callback(self.boards.close)
        await self.add_cog(Imagine(self))
        for cog in (Explain(self), Chat(self), History(self), Privacy(self)):
            await self.add_cog(cog)
        await self.add_cog(ModelsCog(self))
        await self.add_cog(QueueCog(self))
        await self.add_cog(AdminCog(self))
        await self.add_cog(OriginalCog(self))
        await self.add_cog(BackstageCog(self))
        await self.add_cog(CompareCog(self))
        await self.add_cog(MetadataCog(self))
        self.add_dynamic_items(
            *picture.BUTTONS, *beneath.BUTTONS, *tour.BUTTONS, *talk.BUTTONS, *privacy.BUTTONS, *offer.BUTTONS
        )
        self.add_dynamic_items(*queue.BUTTONS, *admin.BUTTONS, *comparison.BUTTONS)
        await self.tree.sync()
        await self.delivery.start()

    async def close(self) -> None:
        """Leave Discord and close every part that this bot opened, within a bounded time."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._stack.aclose()
        except TimeoutError:
            log.error("The parts did not close within %s s", CLOSE_TIMEOUT)
        await super().close()

    async def on_message(self, message: discord.Message, /) -> None:
        """There are no prefix commands, so a message is none."""


def intents_of(settings: Settings) -> discord.Intents:
    """What the bot asks Discord to hear: nothing of others' messages beyond what speaks to it, unless that is set."""
    intents = discord.Intents.default()
    intents.message_content = settings.hears_everything
    return intents


def create_bot(
    settings: Settings,
    *,
    parts: Parts | None = None,
    spawn: Spawn = asyncio.create_task,
    progress_interval: float | None = None,
) -> DarkroomBot:
    """A bot that is ready to log in; it opens everything else in its `setup_hook`.

    Args:
        settings: as `load_settings` gives them.
        parts: running parts to use; the bot then does not close them. None: opened from `settings`.
        spawn: starts a background task; a harness that waits for the bot's own tasks passes another.
        progress_interval: seconds between two edits of a message; None: as set.
    """
    interval = settings.progress_interval if progress_interval is None else progress_interval
    return DarkroomBot(settings, parts=parts, spawn=spawn, interval=interval)
