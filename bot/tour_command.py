"""`darkroom tour RUN --out DIR`: the backstage tour of a kept picture, as files.

Reads the data folder and starts a worker of its own for the one model, so it may be used beside a running Darkroom; it
changes nothing. Knows no page: `generation.backstage` makes them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bot.errors import SUCCESS, UserMistake
from bot.held_log import held_log
from bot.output_files import write_whole
from bot.parts import local_dispatcher
from bot.settings import Settings
from generation.backstage import PAGES, Backstage, Page
from generation.dispatch.base import Dispatcher
from generation.dispatch.local import LocalDispatcher
from generation.dispatch.patience import patient_events
from generation.errors import GenerationError, WorkerGone
from generation.events import Cancelled, Event, Failed, Finished, Generate, Ready
from generation.experiments import plan_replay
from generation.models import Models
from generation.studio import PICTURE_SUFFIX, Picture, Studio
from generation.word_maps import WordMaps
from store.database import Database
from store.files import Files

HELP = "write the backstage tour of a picture, four pages, into a folder"
INDEX = "tour.md"

Ends = asyncio.Queue[Finished | Failed | Cancelled | None]  # None: nothing more will come


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `darkroom tour`."""
    parser.add_argument("run", metavar="RUN", type=int, help="the picture's number, as in darkroom-12.png")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder for the pages")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the tour and return the exit status.

    Raises:
        UserMistake: there is no such picture, or the folder cannot be written to.
    """
    if settings.database is None and not (settings.data / "darkroom.sqlite3").is_file():
        raise UserMistake(f"There are no pictures under {settings.data}; DARKROOM_DATA names the folder.")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserMistake(f"The folder {arguments.out} cannot be made: {error.strerror or error}.") from error
    with held_log(settings.log_level):
        pages = asyncio.run(tour(settings, arguments.run))
    for page in pages:
        if page.figure is not None:
            write_whole(arguments.out / figure_name(page), page.figure)
    write_whole(arguments.out / INDEX, index(arguments.run, pages).encode())
    print(f"{arguments.out / INDEX}: {len(pages)} pages")
    return SUCCESS


async def tour(settings: Settings, picture_id: int) -> list[Page]:
    """All pages of the picture's tour.

    Raises:
        UserMistake: there is no such picture.
    """
    database = Database(settings.database_url)
    try:
        await database.open()
        known = settings.known_models
        files = Files(settings.data)
        idle = Studio(database, files, LocalDispatcher(known), known)  # asked for the picture only; it starts nothing
        picture = await idle.picture(picture_id)
        if picture is None:
            raise UserMistake(f"There is no picture {picture_id} under {settings.data}.")
        model = picture.run.model
        wanted = Models(tuple(info for info in known.all if info.name == model) or known.all[:1])
        dispatcher = local_dispatcher(settings, wanted)
        studio = Studio(database, files, dispatcher, Models(wanted.all if model in known.names else known.all))
        if model not in known.names:  # then nothing can be asked of a worker
            return [await Backstage(studio).page(picture, number) for number in range(1, PAGES + 1)]
        async with _worker(dispatcher) as ends:
            maps = await word_maps(dispatcher, ends, picture, studio.models, files)
            return [await Backstage(studio).page(picture, number, maps) for number in range(1, PAGES + 1)]
    finally:
        await database.close()


def figure_name(page: Page) -> str:
    """The file of a page's figure."""
    return f"{page.number}-{page.title.lower().replace(' ', '-')}.png"


def index(picture_id: int, pages: list[Page]) -> str:
    """The tour's text as Markdown, with its figures."""
    lines = [f"# Backstage: picture {picture_id}"]
    for page in pages:
        lines += ["", f"## {page.number} {page.title}", ""]
        if page.figure is not None:
            lines += [f"![{page.alt}]({figure_name(page)})", ""]
        lines.append(page.text)
    return "\n".join(lines) + "\n"


async def word_maps(
    dispatcher: Dispatcher, ends: Ends, picture: Picture, models: Models, files: Files
) -> WordMaps | None:
    """Where the words of the picture's prompt were attended to, by making it again; None where that cannot be told."""
    try:
        plan = plan_replay(picture.id, picture.run, models, words=True)
        request = plan.requests[0]
        init_image, mask = [
            None if name is None else await asyncio.to_thread(files.get, name, PICTURE_SUFFIX)
            for name in (request.init_image, request.mask)
        ]
        order = Generate(
            job=1,
            attempt=1,
            request=request,
            init_image=init_image,
            mask=mask,
            previews=False,
            trajectory=False,
            words=True,
        )
        await dispatcher.submit(order)
    except GenerationError:  # the page says why
        return None
    end = await ends.get()
    return end.words if isinstance(end, Finished) else None


@contextlib.asynccontextmanager
async def _worker(dispatcher: Dispatcher) -> AsyncIterator[Ends]:
    """A worker that answers questions for as long as the block lasts; gives how its jobs end.

    Raises:
        WorkerGone: it does not get ready.
    """
    stream = patient_events(dispatcher)
    ends: Ends = asyncio.Queue()
    draining: asyncio.Task[None] | None = None
    try:
        await dispatcher.start()
        async for event in stream:
            if isinstance(event, Ready):
                break
        else:
            raise WorkerGone("The worker process ended before it was ready.")
        draining = asyncio.create_task(_drain(stream, ends))
        yield ends
    finally:
        await dispatcher.close()
        if draining is not None:
            await draining


async def _drain(stream: AsyncIterator[Event], ends: Ends) -> None:
    with contextlib.suppress(WorkerGone):  # then whoever asks is told so
        async for event in stream:
            if isinstance(event, Finished | Failed | Cancelled):
                ends.put_nowait(event)
    ends.put_nowait(None)
