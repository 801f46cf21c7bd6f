"""Builds and takes down the parts that every front end stands on: database, files, worker, studio, reader.

The composition root's toolbox: the one place of `bot` that knows which dispatcher is used. Knows no
front end.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator

from bot.settings import Settings
from explainer.desk import Desk
from explainer.link import ReaderLink
from generation.dispatch.local import LocalDispatcher
from generation.studio import Studio
from store.database import Database
from store.files import Files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts, opened and running."""

    database: Database
    files: Files
    studio: Studio
    desk: Desk
    reader: ReaderLink


@contextlib.asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """The parts as `settings` describe them; leaving the block closes them, each within its own bound."""
    async with contextlib.AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        await database.open()
        files = Files(settings.data)
        models = settings.known_models
        studio = Studio(database, files, LocalDispatcher(models), models, most_waiting=settings.waiting_limit)
        stack.push_async_callback(studio.close)
        await studio.start()
        reader = ReaderLink(settings.reader)  # starts with the first question
        stack.push_async_callback(reader.close)
        desk = Desk(database, reader)
        yield Parts(database=database, files=files, studio=studio, desk=desk, reader=reader)
