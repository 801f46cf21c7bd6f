"""`darkroom worker`: makes pictures on this machine for a bot that runs elsewhere.

Both connect to one NATS server (`DARKROOM_NATS`); this one dials out only. Knows which dispatcher carries the orders
out, and how to end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING

from rich.console import Console

from bot.errors import SUCCESS, UserMistake
from bot.parts import local_dispatcher
from bot.run import readiness_lines, stop_signals
from bot.settings import Settings
from generation.events import Ready

if TYPE_CHECKING:
    from generation.dispatch.remote_worker import RemoteWorker

HELP = "make pictures on this machine for a bot that runs elsewhere"
LOOK_INTERVAL = 0.2  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`worker` takes no arguments: everything about it is a setting."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until told to stop.

    Raises:
        UserMistake: no server is named, or it cannot be used.
    """
    if settings.nats is None:
        raise UserMistake(
            "Name the NATS server that the bot uses too, as in DARKROOM_NATS=nats://user:password@host:4222."
        )
    asyncio.run(_serve(settings, settings.nats.get_secret_value(), Console(stderr=True)))
    return SUCCESS


async def _serve(settings: Settings, url: str, console: Console) -> None:
    # here, because the other commands need none of it
    from generation.dispatch.network import TROUBLE
    from generation.dispatch.remote_worker import RemoteWorker

    worker = RemoteWorker(url, local_dispatcher(settings))
    with stop_signals() as stopping:
        showing = asyncio.create_task(_show_start(worker, console))
        try:
            await worker.run(stopping)
        except TROUBLE as error:
            raise UserMistake(
                f"The NATS server in DARKROOM_NATS cannot be used: {error or type(error).__name__}."
            ) from error
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing
    console.print("The worker has stopped.")


async def _show_start(worker: RemoteWorker, console: Console) -> None:
    while not isinstance(ready := worker.readiness, Ready):  # noqa: ASYNC110  # a look now and then will do
        await asyncio.sleep(LOOK_INTERVAL)
    for sentence in readiness_lines(ready):
        console.print(sentence, highlight=False)
