"""Builds and takes down the parts that every front end stands on: database, files, worker, studio, reader.

The composition root's toolbox: the one place of `bot` that knows which dispatcher is used. Knows no
front end.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

from bot.errors import SettingsError
from bot.settings import Settings
from explainer.desk import Desk
from explainer.link import ReaderLink
from generation.dispatch.base import Dispatcher
from generation.dispatch.local import LocalDispatcher
from generation.likeness import Likenesses
from generation.models import Models
from generation.pictures.credentials import CredentialsError, Signer
from generation.retention import keep_forgetting_steps
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
    signer: Signer | None = None


@contextlib.asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """The parts as `settings` describe them; leaving the block closes them, each within its own bound."""
    async with contextlib.AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        await database.open()
        files = Files(settings.data)
        models = settings.known_models
        signer = signer_of(settings)
        studio = Studio(database, files, dispatcher_of(settings), models, most_waiting=settings.waiting_limit)
        stack.push_async_callback(studio.close)
        await studio.start()
        for beside in (keep_forgetting_steps(studio, settings.keep_steps_days), studio.keep_strips_ahead()):
            stack.push_async_callback(_ended, asyncio.create_task(beside))
        reader = ReaderLink(settings.reader)  # starts with the first question
        stack.push_async_callback(reader.close)
        desk = Desk(database, reader, files, Likenesses(models))
        yield Parts(database=database, files=files, studio=studio, desk=desk, reader=reader, signer=signer)


def dispatcher_of(settings: Settings) -> Dispatcher:
    """To workers over the network where a NATS server is named, else to one worker process of our own."""
    if settings.nats is None:
        return local_dispatcher(settings)
    # here, because nothing else needs it
    from generation.dispatch.nats import NatsDispatcher

    return NatsDispatcher(settings.nats.get_secret_value())


def local_dispatcher(settings: Settings, models: Models | None = None) -> LocalDispatcher:
    """To one worker process of our own, which knows these models (None: all)."""
    return LocalDispatcher(
        models or settings.known_models, device=settings.device, memory=settings.memory, upscaler=settings.upscaler
    )


def signer_of(settings: Settings) -> Signer | None:
    """Who signs pictures; None where the operator has given no certificate.

    Raises:
        SettingsError: the certificate or its key does not work.
    """
    certificate, key = settings.credentials_certificate, settings.credentials_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise SettingsError(
            "Content credentials need both DARKROOM_CREDENTIALS_CERTIFICATE and DARKROOM_CREDENTIALS_KEY."
        )
    try:
        return Signer(certificate, key, settings.credentials_timestamps)
    except CredentialsError as error:
        raise SettingsError(str(error)) from error


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
