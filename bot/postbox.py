"""Puts letters where a job's `Place` says, by whichever of Discord's ways is open.

The bot's own token works for as long as the bot can see the channel; an interaction's token works for
15 minutes, but also where the bot itself cannot look (a user's own installation, a private channel).
So the bot's token is used wherever it can be. Knows no job and no picture.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import discord

from bot.places import MessagePlace
from generation.studio import Place

LOOK_BACK = 100  # messages in which one that may have been posted is looked for
EXPIRED_TOKEN = 50027  # Discord's code for an interaction token that is no longer valid


class Undeliverable(Exception):
    """No way leads to the place any more."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file to send along. `description` is read aloud to people who cannot see the picture."""

    name: str
    content: bytes
    description: str | None = None

    def upload(self) -> discord.File:
        """A fresh upload; discord.py uses up each one."""
        return discord.File(io.BytesIO(self.content), self.name, description=self.description)


def no_buttons() -> discord.ui.View:
    """A row without buttons: what it replaces is taken away."""
    return discord.ui.View(timeout=None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Letter:
    """All of a message. An edit leaves nothing of what was there before."""

    embeds: tuple[discord.Embed, ...]
    attachments: tuple[Attachment, ...] = ()
    buttons: Callable[[], discord.ui.View] = no_buttons

    def looks_like(self, other: Letter | None) -> bool:
        """Whether a person would see no difference."""
        return other is not None and (self.embeds, self.attachments) == (other.embeds, other.attachments)

    def is_shown_by(self, message: discord.Message) -> bool:
        """Whether the message is this letter, as far as Discord gives it back."""
        if not self.embeds or not message.embeds:
            return False
        ours, theirs = self.embeds[0], message.embeds[0]
        same_text = (ours.description or "").strip() == (theirs.description or "").strip()
        return same_text and ours.footer.text == theirs.footer.text and _file(ours) == _file(theirs)

    def as_edit(self) -> dict[str, Any]:
        """Arguments for any of discord.py's ways to edit a message."""
        uploads = [attachment.upload() for attachment in self.attachments]
        return {"embeds": list(self.embeds), "attachments": uploads, "view": self.buttons()}


def _file(card: discord.Embed) -> str:
    """The name of the file that the card shows."""
    return (card.image.url or "").partition("?")[0].rpartition("/")[2]


class Postbox:
    """Edits and posts; errors of Discord that may pass are the caller's to wait for."""

    def __init__(self, bot: discord.Client) -> None:
        self._bot = bot

    def message(self, place: Place) -> discord.PartialMessage:
        """The message at a place that the bot's own token reaches."""
        guild = None if place.guild is None else int(place.guild)
        channel = self._bot.get_partial_messageable(int(place.channel), guild_id=guild)
        return channel.get_partial_message(int(place.message or 0))

    async def edit(self, place: MessagePlace, letter: Letter) -> None:
        """Make the message at `place` look like `letter`.

        Raises:
            Undeliverable: the message is gone, or can be reached by neither token.
            discord.HTTPException: other trouble with Discord.
        """
        if place.bot_sees_it:
            try:
                await self._partial(place).edit(**letter.as_edit())
                return
            except (discord.NotFound, discord.Forbidden):
                pass  # deleted, or out of the bot's sight by now: the interaction may still see it
        try:
            await self._webhook(place).edit_message(place.message_id, **letter.as_edit())
        except (discord.NotFound, discord.Forbidden) as error:
            raise Undeliverable from error
        except discord.HTTPException as error:
            if error.status == 401 or error.code == EXPIRED_TOKEN:
                raise Undeliverable from error
            raise

    async def post(self, place: MessagePlace, person_id: int, letter: Letter, nonce: str) -> discord.Message:
        """Put the letter into the place's channel as a new message, else into the person's direct messages.

        Discord makes no second message of the same `nonce` within a few minutes.

        Returns:
            the new message.

        Raises:
            Undeliverable: neither can be written to.
            discord.HTTPException: other trouble with Discord.
        """
        async for channel in self._channels(place, person_id):
            try:
                message = await channel.send(
                    embeds=list(letter.embeds),
                    files=[attachment.upload() for attachment in letter.attachments],
                    view=letter.buttons(),
                    nonce=nonce,
                )
            except (discord.NotFound, discord.Forbidden):
                continue
            return message
        raise Undeliverable

    async def posted(self, place: MessagePlace, person_id: int, letter: Letter) -> bool:
        """Whether the letter stands where `post` would put it: for who does not know how an earlier post went."""
        async for channel in self._channels(place, person_id):
            with contextlib.suppress(discord.NotFound, discord.Forbidden):
                async for message in channel.history(limit=LOOK_BACK, after=discord.Object(place.message_id)):
                    if message.author.id == self._bot.application_id and letter.is_shown_by(message):
                        return True
        return False

    async def _channels(self, place: MessagePlace, person_id: int) -> AsyncIterator[discord.abc.Messageable]:
        if place.bot_sees_it:
            yield self._bot.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        with contextlib.suppress(discord.NotFound, discord.Forbidden):
            yield await self._bot.create_dm(discord.Object(person_id))

    def _partial(self, place: MessagePlace) -> discord.PartialMessage:
        channel = self._bot.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        return channel.get_partial_message(place.message_id)

    def _webhook(self, place: MessagePlace) -> discord.Webhook:
        application = self._bot.application_id
        assert application is not None  # known since login
        return discord.Webhook.partial(application, place.token, client=self._bot)
