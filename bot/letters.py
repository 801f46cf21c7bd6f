"""The whole message of a job at each stage: card, pictures and buttons together.

Reads and draws pictures in threads. Knows neither Discord's ways nor who may see what.
"""

from __future__ import annotations

import asyncio
import functools

import discord

from bot import cards, wording
from bot.postbox import Attachment, Letter
from bot.views.picture import job_buttons, picture_buttons
from generation.events import Progress
from generation.pictures.preview import render_preview
from generation.request import GenerationRequest
from generation.studio import Picture

ALT_TEXT_LIMIT = 1_024  # characters of an attachment's description
STRIP_NAME = "strip.png"


def on_its_way(job_id: int, card: discord.Embed) -> Letter:
    """A job that waits or begins."""
    return Letter(embeds=(card,), buttons=functools.partial(job_buttons, job_id))


def ended(card: discord.Embed) -> Letter:
    """A job that ended without a picture."""
    return Letter(embeds=(card,))


async def developing(job_id: int, request: GenerationRequest, progress: Progress) -> Letter:
    """A job at work, with the picture that is emerging."""
    attachments: tuple[Attachment, ...] = ()
    if progress.preview is not None:
        preview = await asyncio.to_thread(
            render_preview,
            progress.preview,
            width=request.width,
            height=request.height,
            noise_level=progress.noise_level,
        )
        attachments = (Attachment(name=f"step-{progress.step}.webp", content=preview, description="A first glimpse"),)
    card = cards.developing(
        request,
        step=progress.step,
        steps=progress.steps,
        seconds_left=progress.seconds_left,
        preview=attachments[0].name if attachments else None,
    )
    return Letter(embeds=(card,), attachments=attachments, buttons=functools.partial(job_buttons, job_id))


async def finished(picture: Picture, strip: bytes | None = None) -> Letter:
    """The picture with what made it, and its strip where there is one."""
    name = f"darkroom-{picture.id}{picture.path.suffix}"
    content = await asyncio.to_thread(picture.path.read_bytes)
    alt_text = wording.shortened(picture.run.request.prompt, ALT_TEXT_LIMIT)
    embeds = [cards.done(picture.run, name)]
    attachments = [Attachment(name=name, content=content, description=alt_text)]
    if strip is not None:
        embeds.append(cards.strip(STRIP_NAME))
        attachments.append(Attachment(name=STRIP_NAME, content=strip, description=f"The steps to: {alt_text[:1000]}"))
    return Letter(
        embeds=tuple(embeds),
        attachments=tuple(attachments),
        buttons=functools.partial(picture_buttons, picture.id, with_strip=strip is None),
    )
