"""What is kept of people, said plainly; and a person's wish to have it, or to have it gone, carried out on Discord.

What exactly belongs to a person is declared with the tables (`store.personal`). Knows no command.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import discord

from bot import wording
from bot.log_trace import LogTrace
from bot.places import SOURCE, owner_of, viewer_of
from store import forgetting

if TYPE_CHECKING:
    from bot.client import DarkroomBot

log = logging.getLogger(__name__)

HERE, EVERYWHERE = 0, 1  # as the button's id
FILES_AT_ONCE = 10  # of a message
NOTHING_KEPT = "I keep nothing of you."
PRIVACY = """**What I keep**
• Your Discord id and display name, as last seen.
• What you ask me for: prompts and settings, the pictures, how each came about step by step, which came from which, \
and what came of looking into them (word maps, comparisons).
• What you say *to me*: commands, messages that mention me or reply to me, direct messages, threads that I opened. \
Other messages I neither keep nor, as a rule, receive.
• What I answered, and on what each answer stands.
• What admins decide about you: limits, blocks, and in the audit log who did what and when, never what you asked for.

**For how long**
Until you delete it. *Delete* under a picture deletes it with everything that belongs to it. A message that you delete \
or edit on Discord is deleted or edited here too. `/forget` deletes everything of yours, on this server or everywhere. \
Of itself only this goes: how a picture came about step by step, after {days:g} days; the picture and its record stay. \
Nothing is used for training: models stay as they are.

**Who sees it**
What is said in a channel I repeat in that channel and its threads only; what is private, to you alone. The people \
who run this bot have its database, and see in the log that something went wrong, not what you said. Questions are \
answered on their machine{voice}.

**What stays after `/forget`**
Pictures that *others* made from yours are theirs. If an admin has blocked you, your id stays on that list; limits of \
your own go. In the audit log, your id and name give way to “forgotten”. Discord keeps its own messages: I delete \
those of mine with your pictures where I can. Backups are the operators' to delete.{playground}

`/mydata` sends you everything that I keep of you."""
IN_PLAYGROUND = (
    "\n\n**In this playground**\nIts channel, with what you type and what I answer, is kept in the data folder too, "
    "where Discord's servers would keep it. `/forget` everywhere takes it out of there as well."
)
ELSEWHERE_VOICE = (
    ", and put into words, as changed prompts are, by a language model at an address that they have chosen"
)


class PrivacyDesk:
    """Carries out what people ask of their own data."""

    def __init__(self, bot: DarkroomBot, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        self._bot = bot
        self._spawn = spawn
        self._tasks: set[asyncio.Task[None]] = set()

    def statement(self) -> str:
        """What is kept, how long, and who sees it."""
        voice = ELSEWHERE_VOICE if self._bot.settings.voice == "openai" else ""
        playground = IN_PLAYGROUND if self._bot.forgotten else ""
        return PRIVACY.format(days=self._bot.settings.keep_steps_days, voice=voice, playground=playground)

    async def send_data(self, interaction: discord.Interaction) -> None:
        """Send the person everything that is kept of them."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        limit = interaction.filesize_limit
        archives, left_out = await self._bot.memory.own_data(owner_of(interaction), limit)
        parts = len(archives)
        for number, archive in enumerate(archives, 1):
            name = "darkroom-data.zip" if parts == 1 else f"darkroom-data-{number}-of-{parts}.zip"
            file = discord.File(io.BytesIO(archive), name)
            await interaction.followup.send("Everything that I keep of you:", file=file, ephemeral=True)
        if left_out:
            count = wording.counted(len(left_out), "file")
            sentence = f"{count} too large for Discord; the people who run this bot can hand them to you."
            await interaction.followup.send(sentence, ephemeral=True)

    async def forget(self, interaction: discord.Interaction, *, everywhere: bool) -> None:
        """Delete everything of the person who pressed."""
        await interaction.response.defer()
        person = owner_of(interaction)
        viewer = viewer_of(interaction)
        place = None if everywhere else forgetting.Place(source=SOURCE, guild=viewer.guild, channel=viewer.channels[0])
        gone = await self._bot.memory.forget(person, place)
        if gone is not None:
            self._bot.conversation.losses.note(person)
        if everywhere:
            await asyncio.to_thread(LogTrace().remove, person.external_id)
            for tell in self._bot.forgotten:
                tell(person.external_id)
        if gone is None:
            await interaction.edit_original_response(content=NOTHING_KEPT, view=None)
            return
        jobs, places = gone
        self._delete_messages(places)
        pictures = wording.counted(jobs, "request")
        where = "everywhere" if everywhere else "here"
        done = f"Done: {pictures} with all that belongs to them, what you said and what I answered are deleted {where}."
        await interaction.edit_original_response(content=done, view=None)

    def _delete_messages(self, places: Sequence[str]) -> None:
        """Delete the messages with the person's pictures in the background, as far as the bot reaches them."""
        reached = [place for place in map(json.loads, places) if place.get("message") and _seen(place)]
        if reached:
            task = self._spawn(self._delete_each(reached))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _delete_each(self, places: Sequence[dict[str, Any]]) -> None:
        for place in places:
            channel = self._bot.get_partial_messageable(int(place["channel"]))
            with contextlib.suppress(discord.HTTPException):  # gone, or out of reach by now
                await channel.get_partial_message(int(place["message"])).delete()


def _seen(place: dict[str, Any]) -> bool:
    return bool((place.get("extra") or {}).get("bot_sees_it"))
