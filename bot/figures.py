"""Draws the figure of an answer: the strip, the schedule, two pictures, what a picture resembles.

Which figure it is the explainer decides. A figure that cannot be drawn now is left out: the answer stands without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from bot.conversation import Conversation
from bot.errors import NotThere
from bot.postbox import Attachment
from explainer.messages import Answer, Figure
from generation.errors import GenerationError
from generation.pictures.schedule import draw_schedule
from generation.pictures.side_by_side import draw_side_by_side

log = logging.getLogger(__name__)

Drawing = Callable[[Conversation, Figure], Awaitable[bytes]]


async def answer_figure(answer: Answer, conversation: Conversation) -> Attachment | None:
    """The picture that explains the answer, where it can be drawn now."""
    figure = answer.figure
    draw = DRAWINGS.get(figure.kind) if figure is not None else None
    if figure is None or draw is None:
        return None
    kind, (make, told) = figure.kind, draw
    try:
        content = await make(conversation, figure)
    except (GenerationError, NotThere) as error:
        log.info("the figure %s of picture %d is left out: %s", kind, figure.picture, error)
        return None
    suffix = "webp" if kind == "timelapse" else "png"
    name = f"{kind.replace(' ', '-')}.{suffix}"
    return Attachment(name=name, content=content, description=told.format(figure.picture, figure.other))


async def _strip(conversation: Conversation, figure: Figure) -> bytes:
    return await conversation.strip(figure.picture, noisy=figure.kind == "noisy strip")


async def _timelapse(conversation: Conversation, figure: Figure) -> bytes:
    return await conversation.timelapse(figure.picture)


async def _schedule(conversation: Conversation, figure: Figure) -> bytes:
    run = (await conversation.picture(figure.picture)).run
    return await asyncio.to_thread(draw_schedule, run.noise_levels, run.changes)


async def _pictures(conversation: Conversation, figure: Figure) -> bytes:
    numbers = [figure.picture] if figure.other is None else [figure.picture, figure.other]
    pictures = [await conversation.picture(number) for number in numbers]
    captions = [f"picture {picture.id}" for picture in pictures]

    def draw() -> bytes:
        return draw_side_by_side(
            [(picture.path.read_bytes(), caption) for picture, caption in zip(pictures, captions, strict=True)]
        )

    try:
        return await asyncio.to_thread(draw)
    except OSError as error:
        raise GenerationError("A picture's file is not there.") from error


async def _nearest(conversation: Conversation, figure: Figure) -> bytes:
    return await conversation.nearest(figure.picture)


async def _experiment(conversation: Conversation, figure: Figure) -> bytes:
    return await conversation.experiment(figure.job or 0)


async def _word_map(conversation: Conversation, figure: Figure) -> bytes:
    return await conversation.word_map(figure.picture, figure.word)


DRAWINGS: Final[dict[str, tuple[Drawing, str]]] = {
    "strip": (_strip, "The steps of picture {0}"),
    "noisy strip": (_strip, "The steps of picture {0}, with the noisy canvas below"),
    "timelapse": (_timelapse, "How picture {0} came out of the noise"),
    "schedule": (_schedule, "How much noise was left after each step of picture {0}"),
    "picture": (_pictures, "Picture {0}"),
    "pictures": (_pictures, "Pictures {0} and {1} side by side"),
    "experiment": (_experiment, "Picture {0} beside what it became with one thing changed"),
    "word map": (_word_map, "Where the words of picture {0} were attended to"),
    "nearest": (_nearest, "Picture {0} beside the training pictures that it resembles most"),
}
