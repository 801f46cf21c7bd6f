"""What was being answered when a process ended: a small file each, from before the answer until its job is stored.

Discord wants an answer within three seconds and the store may be held for longer, so people are answered first. A
process that is killed in between leaves a message that speaks of a place in the queue which nobody has. By the note the
next process finds that message and says so. A note holds no words of anybody. Knows no job.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path

import aiohttp
import discord
import msgspec

from bot import cards
from bot.postbox import LOOK_BACK, no_buttons

log = logging.getLogger(__name__)

SUFFIX = ".json"
TOKEN_LIFE = 15 * 60.0  # seconds that an interaction's token is good for
TROUBLE = (aiohttp.ClientError, TimeoutError, ConnectionError, discord.DiscordServerError)  # it may pass


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer is about to stand."""

    asked_at: float  # seconds since 1970
    channel: int
    guild: int | None = None
    answers: int  # the interaction or the message that it answers
    token: str | None = None  # of the interaction


def note_of(interaction: discord.Interaction) -> Note:
    """For an answer to the interaction."""
    return Note(
        asked_at=time.time(),
        channel=interaction.channel_id or 0,
        guild=interaction.guild_id,
        answers=interaction.id,
        token=interaction.token,
    )


def note_in(message: discord.Message) -> Note:
    """For a reply to the message."""
    guild = None if message.guild is None else message.guild.id
    return Note(asked_at=time.time(), channel=message.channel.id, guild=guild, answers=message.id)


class Asking:
    """The notes of one data folder."""

    def __init__(self, folder: Path, bot: discord.Client) -> None:
        self._folder = folder
        self._bot = bot

    @contextlib.asynccontextmanager
    async def noted(self, note: Note) -> AsyncIterator[None]:
        """A block in which the person is answered and the job is stored.

        The note stays where the block does not come to an end: the process is killed, or stops in its middle.
        """
        path = await asyncio.to_thread(self._write, note)
        try:
            yield
        except asyncio.CancelledError:
            raise
        except BaseException:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def left(self) -> dict[Path, Note]:
        """What earlier processes left."""
        return dict(await asyncio.to_thread(lambda: list(self._read())))

    async def mend(self, left: dict[Path, Note], taken: Collection[int]) -> None:
        """Say in each message that speaks of a place in the queue that there is none.

        `taken`: messages of jobs that were stored after all, which are left alone. What Discord's or the network's own
        trouble keeps from being mended is left for the next start.
        """
        for path, note in left.items():
            try:
                message = await self._find(note)
                if message is not None and message.id not in taken:
                    await self._say(message)
            except TROUBLE as error:
                log.info("An answer that was left behind cannot be mended for now: %s", error)
                continue
            except discord.HTTPException as error:
                log.info("An answer that was left behind cannot be reached any more: %s", error)
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _say(self, message: discord.Message) -> None:
        card = cards.not_taken(message.embeds[0]) if message.embeds else None
        if card is not None:
            await message.edit(embeds=[card], view=no_buttons())

    async def _find(self, note: Note) -> discord.Message | None:
        if note.token is not None and time.time() < note.asked_at + TOKEN_LIFE:
            application = self._bot.application_id
            assert application is not None  # known since login
            webhook = discord.Webhook.partial(application, note.token, client=self._bot)
            try:
                return await webhook.fetch_message("@original")  # type: ignore[arg-type]  # Discord's name for the answer
            except discord.DiscordServerError:
                raise
            except discord.HTTPException:
                pass  # it was never answered, or the token is dead: the bot's own may still see it
        channel = self._bot.get_partial_messageable(note.channel, guild_id=note.guild)
        async for message in channel.history(limit=LOOK_BACK, after=discord.Object(note.answers)):
            if message.author.id == self._bot.application_id and note.answers in _answered_by(message):
                return message
        return None

    def _write(self, note: Note) -> Path:
        path = self._folder / f"{secrets.token_hex(8)}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.encode(note))
        except OSError as error:  # then it goes without
            log.warning("What is being asked cannot be noted: %s", error)
        return path

    def _read(self) -> Iterator[tuple[Path, Note]]:
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                yield path, msgspec.json.decode(path.read_bytes(), type=Note)
            except (OSError, msgspec.MsgspecError):  # the process was killed while it wrote, before it answered
                path.unlink(missing_ok=True)


def _answered_by(message: discord.Message) -> set[int]:
    """What the message answers."""
    interaction, reference = message.interaction_metadata, message.reference
    found = {interaction.id} if interaction is not None else set()
    return found | ({reference.message_id} if reference is not None and reference.message_id is not None else set())
