"""The whole message of a job at each stage: card, pictures and buttons together.

Reads and draws pictures in threads. Knows neither Discord's ways nor who may see what.
"""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import discord

from bot import cards, wording
from bot.places import DEFAULT_FILE_LIMIT
from bot.postbox import Attachment, Letter
from bot.views.picture import job_buttons, picture_buttons
from generation.events import Progress
from generation.pictures.fitting import fitting
from generation.pictures.preview import render_preview
from generation.request import GenerationRequest
from generation.studio import Picture

ALT_TEXT_LIMIT = 1_024  # characters of an attachment's description
STRIP_NAME = "strip"  # without its ending


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


async def finished(picture: Picture, strip: bytes | None = None, *, file_limit: int = DEFAULT_FILE_LIMIT) -> Letter:
    """The picture with what made it, and its strip where there is one; no file with more bytes than `file_limit`."""
    content, suffix = await asyncio.to_thread(_read_fitting, picture.path, file_limit)
    smaller = suffix != picture.path.suffix
    name = f"darkroom-{picture.id}{suffix}"
    alt_text = wording.shortened(picture.run.request.prompt, ALT_TEXT_LIMIT)
    embeds = [cards.done(picture.run, name, smaller=smaller)]
    attachments = [Attachment(name=name, content=content, description=alt_text)]
    if strip is not None:
        fitted, strip_suffix = await asyncio.to_thread(fitting, strip, ".png", file_limit)
        strip_name = f"{STRIP_NAME}{strip_suffix}"
        embeds.append(cards.strip(strip_name))
        attachments.append(Attachment(name=strip_name, content=fitted, description=f"The steps to: {alt_text[:1000]}"))
    return Letter(
        embeds=tuple(embeds),
        attachments=tuple(attachments),
        buttons=functools.partial(picture_buttons, picture.id, with_strip=strip is None, with_original=smaller),
    )


def _read_fitting(path: Path, file_limit: int) -> tuple[bytes, str]:
    return fitting(path.read_bytes(), path.suffix, file_limit)
