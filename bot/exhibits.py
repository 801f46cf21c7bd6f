"""What stands beneath a picture in its own message: the strip, with the noisy row or without, and the timelapse.

Which of them a message shows is read off the message, so it needs no record and works after a restart. All stand in
one message, so that they are kept and deleted together (docs/decisions/0041).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import discord

from bot import letters
from bot.conversation import Conversation
from bot.errors import NotAllowed
from bot.letters import STRIP_NAME, TIMELAPSE_NAME, Shown
from bot.marking import Marking
from bot.places import file_limit, owner_of
from generation.queue import same_person
from generation.studio import Picture
from generation.touches import touches_done

NOT_YOURS = "Only the person who asked for this picture can touch it up."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beneath:
    """What a message shows beside the picture, and whether its buttons are those for touching up."""

    strip: Literal["none", "clean", "noisy"] = "none"
    timelapse: bool = False
    touching: bool = False


def beneath(message: discord.Message | None) -> Beneath:
    """What the message of a picture shows now."""
    urls = [embed.image.url or "" for embed in message.embeds] if message is not None else []
    names = [url.partition("?")[0].rpartition("/")[2].rpartition(".")[0] for url in urls]
    noisy = f"{STRIP_NAME}-noisy" in names
    strip: Literal["none", "clean", "noisy"] = "noisy" if noisy else "clean" if STRIP_NAME in names else "none"
    return Beneath(strip=strip, timelapse=TIMELAPSE_NAME in names)


class Exhibits:
    """Changes what a picture's message shows, at the press of its buttons."""

    def __init__(self, conversation: Conversation, marking: Marking) -> None:
        self._conversation = conversation
        self._marking = marking

    async def change(self, interaction: discord.Interaction, picture_id: int, to: Callable[[Beneath], Beneath]) -> None:
        """Show the picture's message with something else beneath.

        Raises:
            NotThere: the picture was deleted.
            GenerationError: its steps are not there, or cannot be decoded now.
        """
        if not interaction.response.is_done():
            await interaction.response.defer()
        wanted = to(beneath(interaction.message))
        picture = await self._conversation.picture(picture_id)
        shown = Shown(
            strip=await self._strip(picture, wanted),
            noisy=wanted.strip == "noisy",
            timelapse=await self._conversation.timelapse(picture_id) if wanted.timelapse else None,
            touching=wanted.touching,
        )
        guild = str(interaction.guild_id) if interaction.guild_id is not None else None
        letter = await letters.finished(
            picture, shown, file_limit=file_limit(interaction), marking=self._marking, guild=guild
        )
        await interaction.edit_original_response(**letter.as_edit())

    async def begin_touching(self, interaction: discord.Interaction, picture_id: int) -> None:
        """Show the buttons for touching up.

        Raises:
            NotThere: the picture was deleted.
            NotAllowed: it is somebody else's.
        """
        picture = await self._conversation.picture(picture_id)
        if not same_person(picture.owner, owner_of(interaction)):
            raise NotAllowed(NOT_YOURS)
        await self.change(interaction, picture_id, lambda now: dataclasses.replace(now, touching=True))

    async def touch(self, interaction: discord.Interaction, picture_id: int, name: str) -> None:
        """Do this final touch, or take it back.

        Raises:
            NotThere: the picture was deleted.
            NotAllowed: it is somebody else's.
            GenerationError: it cannot be done.
        """
        picture = await self._conversation.picture(picture_id)
        if not same_person(picture.owner, owner_of(interaction)):
            raise NotAllowed(NOT_YOURS)
        await interaction.response.defer()
        wanted = set(touches_done(picture.run.final_touches)) ^ {name}
        await self._conversation.touch_up(picture_id, wanted, owner_of(interaction))
        await self.change(interaction, picture_id, lambda now: dataclasses.replace(now, touching=True))

    async def _strip(self, picture: Picture, wanted: Beneath) -> bytes | None:
        if wanted.strip == "none":
            return None
        return await self._conversation.strip(picture.id, noisy=wanted.strip == "noisy")
