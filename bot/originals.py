"""Gives a person the file of a picture as it was made, else every pixel of it in files that Discord takes."""

from __future__ import annotations

import asyncio

import discord

from bot.errors import NotThere
from bot.places import file_limit
from bot.postbox import Attachment
from generation.pictures.fitting import DoesNotFit, exact_parts
from generation.studio import Picture

AS_MADE = "The file as it was made."
LOSSLESS = "Discord does not take the PNG itself; this is the same picture, pixel by pixel, as WebP."
IN_PARTS = "Discord takes it only in parts: from top to bottom, pixel by pixel, as WebP."
TOO_LARGE = "This picture is too large for Discord even in parts; whoever runs Darkroom can give you its file."


async def send_original(interaction: discord.Interaction, picture: Picture) -> None:
    """Send the file to the person alone; the interaction has been acknowledged before.

    Raises:
        NotThere: the file is gone, or Discord takes it in no form.
    """
    name, limit = f"darkroom-{picture.id}", file_limit(interaction)
    try:
        content = await asyncio.to_thread(picture.path.read_bytes)
        parts = await asyncio.to_thread(exact_parts, content, picture.path.suffix, limit)
    except FileNotFoundError as error:
        raise NotThere("The file of this picture is no longer there.") from error
    except DoesNotFit as error:
        raise NotThere(TOO_LARGE) from error
    many = len(parts) > 1
    names = [f"{name}-{index}{suffix}" if many else f"{name}{suffix}" for index, (_, suffix) in enumerate(parts, 1)]
    sentence = IN_PARTS if many else AS_MADE if parts[0][1] == picture.path.suffix else LOSSLESS
    # one message each: all of them together may be more than Discord takes at once
    for index, (part_name, (part, _)) in enumerate(zip(names, parts, strict=True)):
        file = Attachment(name=part_name, content=part).upload()
        await interaction.followup.send("" if index else sentence, file=file, ephemeral=True)
