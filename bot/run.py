"""`darkroom run`: the bot on Discord where there is a token, else the playground.

Puts the parts together, shows how the worker starts, and ends cleanly at Ctrl-C or SIGTERM. Knows what
is connected to what, but no command and no message.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import logging
import logging.handlers
import os
import signal
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import discord
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from bot.client import create_bot
from bot.errors import SUCCESS, DiscordUnreachable, IntentRefused, TokenRefused, UserMistake
from bot.lock import hold_lock
from bot.parts import Parts, open_parts
from bot.settings import Settings
from generation.events import STARTING, Loading, Ready
from generation.studio import Studio

HELP = "start the bot on Discord, or the playground where no DISCORD_TOKEN is set"
LOG_NAME = "darkroom.log"  # in the data folder
LOG_BYTES, LOGS_KEPT = 5 * 2**20, 3
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LOOK_INTERVAL = 0.2  # seconds between looks at how far the worker is
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`run` takes no arguments: everything about it is a setting."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until told to stop.

    Raises:
        UserMistake: the token, the port or the data folder will not do; the sentence says why.
        DiscordUnreachable: there is no way to Discord.
    """
    with hold_lock(settings.data), logging_to(settings.data / LOG_NAME, settings.log_level):
        asyncio.run(serve(settings, Console(stderr=True)))
    return SUCCESS


async def serve(settings: Settings, console: Console) -> None:
    """Run the bot and all that it needs until SIGINT or SIGTERM."""
    with stop_signals() as stopping:
        async with front(settings, console) as door, open_parts(settings) as parts:
            showing = asyncio.create_task(show_start(parts.studio, console))
            try:
                await run_bot(settings, parts, door.token, stopping, door.forget)
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
    console.print("Darkroom has stopped.")


async def run_bot(
    settings: Settings,
    parts: Parts,
    token: str,
    stopping: asyncio.Event,
    forget: Callable[[str], None] | None = None,
) -> None:
    """Connect the bot and keep it connected until `stopping` is set. `forget` hears of who is forgotten everywhere.

    Raises:
        TokenRefused, IntentRefused, DiscordUnreachable: it could not log in.
    """
    async with create_bot(settings, parts=parts) as bot:
        bot.forgotten += [forget] if forget is not None else []
        connection = asyncio.create_task(bot.start(token))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({connection, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        await bot.close()
        try:
            await connection
        except discord.LoginFailure as error:
            raise TokenRefused from error
        except discord.PrivilegedIntentsRequired as error:
            raise IntentRefused from error
        except (aiohttp.ClientError, discord.DiscordServerError, OSError) as error:
            raise DiscordUnreachable from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class Door:
    """Where the bot logs in, and what there keeps messages of its own in the data folder."""

    token: str
    forget: Callable[[str], None] | None = None  # takes the Discord id of who is forgotten everywhere


@contextlib.asynccontextmanager
async def front(settings: Settings, console: Console) -> AsyncIterator[Door]:
    """Where to log in: Discord, or a playground which lives as long as the block.

    Raises:
        UserMistake: the playground cannot listen where it should.
    """
    if settings.discord_token is not None:
        yield Door(token=settings.discord_token.get_secret_value())
        return
    # here, because the bot on Discord needs none of it
    from bot.playground import Playground, PlaygroundError, point_discord_py

    playground = Playground(settings.playground_host, settings.playground_port, folder=settings.data / "playground")
    try:
        await playground.start()
    except PlaygroundError as error:
        raise UserMistake(f"{error} Its port is set by DARKROOM_PLAYGROUND_PORT.") from error
    try:
        with point_discord_py(playground):
            print(f"The playground is at {playground.address}", flush=True)  # on stdout: programs read it
            if settings.open_browser and has_desktop():
                await asyncio.to_thread(open_browser, playground.address)
            yield Door(token=playground.bot_token, forget=lambda person: playground.world.forget(int(person)))
    finally:
        await playground.close()


async def show_start(studio: Studio, console: Console) -> None:
    """Show what the worker is busy with until it takes jobs, then what it runs on."""
    progress = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with progress:
        bar = progress.add_task(STARTING, total=None)
        while not isinstance(studio.readiness, Ready):
            if isinstance(studio.readiness, Loading):
                now = studio.readiness
                progress.update(bar, description=now.what, completed=now.done, total=now.total)
            await asyncio.sleep(LOOK_INTERVAL)
    for sentence in readiness_lines(studio.readiness):
        console.print(sentence, highlight=False)


def readiness_lines(ready: Ready) -> Iterator[str]:
    """What the worker can do, and what it cannot, in sentences."""
    if ready.models:
        lanes = f"{ready.lanes} picture{'s' * (ready.lanes != 1)} at once"
        yield f"Ready: {', '.join(ready.models)} on {ready.device} ({ready.dtype}), {lanes}. Ctrl-C stops."
    yield from ready.unusable.values()


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set for as long as the block lasts."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def logging_to(path: Path, level: str) -> Iterator[None]:
    """All of the log in a file that is rotated; what needs a look also on stderr.

    Raises:
        UserMistake: the file cannot be written.
    """
    try:
        file = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8")
    except OSError as error:
        raise UserMistake(f"The log {path} cannot be written: {error.strerror or error}.") from error
    file.setFormatter(logging.Formatter(LOG_FORMAT))
    root = logging.getLogger()
    before = [(handler, handler.level) for handler in root.handlers]
    for handler, _ in before:
        handler.setLevel(logging.WARNING)
    root.addHandler(file)
    root.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(file)
        file.close()
        for handler, handler_level in before:
            handler.setLevel(handler_level)


def has_desktop() -> bool:
    """Whether a browser could open a window here; a text browser would take the terminal over."""
    if sys.platform in {"win32", "darwin"}:
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(address: str) -> None:
    """Open the address in the person's browser; without one, the printed address has to do."""
    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.open(address)
