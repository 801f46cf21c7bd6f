"""Messages that speak to the bot: which do, what they say, and what becomes of them when they are edited or deleted.

Heard are direct messages, mentions, replies to the bot, and (with the message-content intent) whole threads
that *Talk about this* opened. Not heard are other bots, floods, and mentions inside code.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import discord
from discord.ext import commands

from bot import wording
from bot.errors import explain
from bot.pace import Pace

if TYPE_CHECKING:
    from bot.client import DarkroomBot

log = logging.getLogger(__name__)

SAYABLE = (discord.MessageType.default, discord.MessageType.reply)
EMPTY = "Yes? Ask me something, or say what to draw. `/topics` shows you around."
TOO_FAST = "That is more than I can answer at once; give me a few seconds."
_CODE = re.compile(r"```.*?(?:```|\Z)|``.*?``|`[^`\n]*`", re.S)


class Chat(commands.Cog):
    """Listens."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot
        self._pace = Pace()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer, where the message speaks to the bot."""
        if not self._speaks_to_me(message):
            return
        verdict = self._pace.of(message.author.id)
        try:
            if verdict == "hear":
                await self._answer(message)
            elif verdict == "tell":
                await self._say(message, TOO_FAST)
        except Exception as error:  # noqa: BLE001  # an edge: every error becomes a sentence
            await self._tell(message, error)

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Follow an edit."""
        message = payload.message
        text = self._text(message)
        if text and self._speaks_to_me(message) and self._pace.of(message.author.id) == "hear":
            try:
                await self._bot.dialogue.follow_edit(message, text)
            except Exception as error:  # noqa: BLE001  # an edge, as above
                await self._tell(message, error)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Forget what was deleted."""
        await self._bot.dialogue.follow_deletion(payload.channel_id, (payload.message_id,))

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Forget what was deleted."""
        await self._bot.dialogue.follow_deletion(payload.channel_id, sorted(payload.message_ids))

    async def _answer(self, message: discord.Message) -> None:
        text = self._text(message)
        if text or message.attachments:
            await self._bot.dialogue.hear(message, text)
        else:
            await self._say(message, EMPTY)

    def _speaks_to_me(self, message: discord.Message) -> bool:
        if message.author.bot or message.webhook_id is not None or message.type not in SAYABLE:
            return False
        if message.guild is None or self._mentions_me(message.content):
            return True
        me = self._bot.user
        reference = message.reference
        if reference is not None and isinstance(reference.resolved, discord.Message):
            # without a ping, and without the intent, there is nothing to read in it
            return reference.resolved.author == me and bool(message.content)
        mine = isinstance(message.channel, discord.Thread) and me is not None and message.channel.owner_id == me.id
        return mine and bool(message.content) and not message.mentions

    def _mentions_me(self, content: str) -> bool:
        return self._bot.user is not None and bool(self._mention().search(_CODE.sub("", content)))

    def _mention(self) -> re.Pattern[str]:
        assert self._bot.user is not None  # known since login
        return re.compile(rf"<@!?{self._bot.user.id}>")

    def _text(self, message: discord.Message) -> str:
        """What is said, without the mention of the bot, and other people by name."""
        text = self._mention().sub(" ", message.content)
        for person in message.mentions:
            text = re.sub(rf"<@!?{person.id}>", person.display_name, text)
        return " ".join(text.split())

    async def _say(self, message: discord.Message, text: str) -> None:
        reference = message.to_reference(fail_if_not_exists=False)
        await message.channel.send(text, reference=reference, mention_author=False)

    async def _tell(self, message: discord.Message, error: Exception) -> None:
        sentence = wording.escaped(wording.shortened(explain(error).sentence, wording.SENTENCE_LIMIT))
        try:
            await self._say(message, sentence)
        except discord.HTTPException as failure:
            log.warning("Could not answer in channel %s: %s", message.channel.id, failure)
