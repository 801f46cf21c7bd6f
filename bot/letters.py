"""The whole message of a job at each stage: card, pictures and buttons together.

Reads and draws pictures in threads. Knows neither Discord's ways nor who may see what.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from pathlib import Path

import discord

from bot import cards, wording
from bot.changes import method_words
from bot.marking import Marking
from bot.places import DEFAULT_FILE_LIMIT
from bot.postbox import Attachment, Letter
from bot.views.beneath import touch_buttons
from bot.views.picture import job_buttons, picture_buttons
from bot.views.talk import Ask
from generation.events import Progress
from generation.experiments import Study
from generation.pictures.credentials import ROOM
from generation.pictures.experiment import draw_experiment
from generation.pictures.fitting import fitting
from generation.pictures.masks import draw_mask
from generation.pictures.preview import render_preview
from generation.request import GenerationRequest
from generation.studio import Picture
from generation.touches import touches_done

ALT_TEXT_LIMIT = 1_024  # characters of an attachment's description
STRIP_NAME = "strip"  # without its ending
MASK_NAME = "part"  # without its ending
TIMELAPSE_NAME = "timelapse"  # without its ending


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """What stands beneath a picture, drawn, and whether the buttons are those for touching up."""

    strip: bytes | None = None  # PNG
    noisy: bool = False  # whether the strip has the noisy row
    timelapse: bytes | None = None  # animated WebP
    touching: bool = False


NOTHING = Shown()


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


async def finished(
    picture: Picture,
    shown: Shown = NOTHING,
    *,
    file_limit: int = DEFAULT_FILE_LIMIT,
    marking: Marking | None = None,
    guild: str | None = None,
) -> Letter:
    """The picture with what made it and what is shown beneath; no file with more bytes than `file_limit`.

    `marking` writes into the picture's file what its owner and `guild` want there.
    """
    room = ROOM if marking is not None else 0
    content, suffix = await asyncio.to_thread(_read_fitting, picture.path, max(1, file_limit - room))
    if marking is not None:
        content = await marking.marked(picture, content, suffix, guild)
    smaller = suffix != picture.path.suffix
    name = f"darkroom-{picture.id}{suffix}"
    alt_text = wording.shortened(picture.run.request.prompt, ALT_TEXT_LIMIT)
    embeds = [cards.done(picture.run, name, smaller=smaller, descent=_descent(picture))]
    attachments = [Attachment(name=name, content=content, description=alt_text)]
    if picture.mask is not None and picture.begun_with is not None:
        shown_mask = await asyncio.to_thread(_drawn_mask, picture.begun_with, picture.mask)
        embeds.append(cards.mask(f"{MASK_NAME}.png"))
        attachments.append(Attachment(name=f"{MASK_NAME}.png", content=shown_mask, description="The part made anew"))
    steps_text = f"The steps to: {alt_text[:1000]}"
    if shown.strip is not None:
        fitted, strip_suffix = await asyncio.to_thread(fitting, shown.strip, ".png", file_limit)
        strip_name = f"{STRIP_NAME}{'-noisy' if shown.noisy else ''}{strip_suffix}"
        embeds.append(cards.strip(strip_name))
        attachments.append(Attachment(name=strip_name, content=fitted, description=steps_text))
    if shown.timelapse is not None:
        embeds.append(cards.timelapse(f"{TIMELAPSE_NAME}.webp"))
        attachments.append(Attachment(name=f"{TIMELAPSE_NAME}.webp", content=shown.timelapse, description=steps_text))
    buttons = functools.partial(
        picture_buttons,
        picture.id,
        with_strip=shown.strip is None,
        with_noisy=shown.strip is not None and not shown.noisy,
        with_timelapse=shown.timelapse is None,
        with_original=smaller,
        with_other_way=picture.parent is not None and picture.method in ("seed", "image", "mask"),
    )
    if shown.touching:
        buttons = functools.partial(touch_buttons, picture.id, touches_done(picture.run.final_touches))
    return Letter(embeds=tuple(embeds), attachments=tuple(attachments), buttons=buttons)


def _descent(picture: Picture) -> str | None:
    """Which picture it goes on from, and how."""
    if picture.parent is None:
        begun = picture.begun_with is not None
        return f"Begun from your own picture, {picture.run.request.strength or 1:.0%} of it redone" if begun else None
    if picture.method is None:
        return None
    return f"From picture {picture.parent}: {method_words(picture.method, picture.run.request)}"


async def studied(study: Study, *, file_limit: int = DEFAULT_FILE_LIMIT) -> Letter:
    """What came of making a picture again: a grid with a number for each cell."""
    drawn = await asyncio.to_thread(draw_experiment, study)
    content, suffix = await asyncio.to_thread(fitting, drawn, ".png", file_limit)
    name = f"compared-{study.picture}{suffix}"
    figure = Attachment(name=name, content=content, description=study.summary()[:ALT_TEXT_LIMIT])
    return Letter(
        embeds=(cards.studied(study, name),),
        attachments=(figure,),
        buttons=lambda: discord.ui.View(timeout=None).add_item(Ask(study.picture)),
    )


def _drawn_mask(picture: Path, mask: Path) -> bytes:
    return draw_mask(picture.read_bytes(), mask.read_bytes())


def _read_fitting(path: Path, file_limit: int) -> tuple[bytes, str]:
    return fitting(path.read_bytes(), path.suffix, file_limit)
