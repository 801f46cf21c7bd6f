"""What a scenario may do and see, whichever Discord it runs against.

A scenario is written once against `Driver`; a harness (`simcord_driver`, `loopback_driver`) gives one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol, TypeVar

from bot.client import DarkroomBot
from bot.delivery import Spawn
from generation.events import Generate

T = TypeVar("T")
EDIT = "/channels/*/messages/*"  # with the bot's own token
EDIT_BY_TOKEN = "/webhooks/*/*/messages/*"  # with the interaction's
POST = "/channels/*/messages"
ALWAYS = 1_000  # times that a fault happens
PATIENCE = 10.0  # seconds until a scenario gives up; nothing here takes one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """A message as a person sees it."""

    id: int
    content: str
    cards: tuple[str, ...]  # the text of each embed: title, description, fields and footer
    pictures: tuple[str, ...]  # the file that each embed shows
    files: tuple[str, ...]  # files beside those, which people would see once more
    buttons: tuple[str, ...]  # labels
    ephemeral: bool
    pings: bool  # whether anybody is notified

    @property
    def text(self) -> str:
        """All there is to read."""
        return "\n".join((self.content, *self.cards))


@dataclasses.dataclass(frozen=True)
class Edit:
    """One edit as it came to people."""

    at: float  # seconds of the loop's clock
    text: str


class Process(Protocol):
    """The bot's process: its parts and its data."""

    async def open(self, spawn: Spawn) -> DarkroomBot:
        """A new process on the same data; `spawn` starts the bot's background tasks."""
        ...

    async def close(self) -> None:
        """End the process, with whatever is under way."""
        ...


class Driver(Protocol):
    """Acts as people do, in one channel. People are named; a new name is a new member."""

    async def command(self, person: str, name: str, **options: object) -> Seen:
        """A command with these options; the answer as it stands when the command has returned."""
        ...

    async def slash(self, person: str, **options: object) -> Seen:
        """`command` with `/imagine`."""
        ...

    async def click(self, person: str, message: Seen, label: str) -> Seen | None:
        """Press a button; a new answer that only this press brought (None: the message itself changed)."""
        ...

    def add_admin(self, name: str) -> None:
        """A new member, who may manage the server."""
        ...

    def demote(self, name: str) -> None:
        """The admin may manage the server no longer."""
        ...

    def member(self, name: str) -> object:
        """The person as an option of a command names them."""
        ...

    async def choose(self, person: str, message: Seen, value: str) -> Seen:
        """Choose in the message's menu; the answer to that."""
        ...

    async def fill(self, person: str, message: Seen, label: str, **values: str) -> Seen:
        """Press a button that opens a form, fill that in and send it; the answer to that."""
        ...

    async def suggestions(self, person: str, option: str, typed: str) -> list[str]:
        """The values that `/imagine` offers while `typed` stands in `option`."""
        ...

    def messages(self, person: str) -> list[Seen]:
        """The channel as this person sees it, oldest first."""
        ...

    def edits(self, message: Seen) -> list[Edit]:
        """Every edit of the message so far, oldest first."""
        ...

    def direct_messages(self, person: str) -> list[Seen]:
        """What the bot has written to this person alone, oldest first."""
        ...

    def delete(self, message: Seen) -> None:
        """Somebody who may do so deletes the message."""
        ...

    def hide_channel(self) -> None:
        """From now on people are in another channel, which the bot cannot see."""
        ...

    def fail(self, method: str, path: str, *, status: int, code: int = 0, times: int = 1) -> None:
        """Discord refuses the next requests to `path`, in which `*` stands for anything."""
        ...

    def count(self, method: str, path: str) -> int:
        """How many requests there were to `path`, in which `*` stands for anything."""
        ...

    async def until(self, look: Callable[[], T | None]) -> T:
        """What `look` gives as soon as it gives something true; fails after some seconds."""
        ...

    async def restart(self) -> None:
        """The bot's process ends and another starts on the same data."""
        ...


class Worker(Protocol):
    """What a scenario makes the worker do."""

    orders: list[Generate]

    def finish(self, job: int) -> None:
        """The job's picture is there."""
        ...


async def started(driver: Driver, worker: Worker, **options: object) -> tuple[Seen, int]:
    """A job that the worker has in its hands: its message and its number. Ann asks for a red fox, if nothing else."""
    before = len(worker.orders)
    answer = await driver.slash("ann", **({"prompt": "a red fox"} | options))
    order = await driver.until(lambda: worker.orders[before] if len(worker.orders) > before else None)
    return answer, order.job


async def finished(driver: Driver, worker: Worker, **options: object) -> Seen:
    """Ann's message with a finished picture."""
    answer, job = await started(driver, worker, **options)
    worker.finish(job)
    return await driver.until(lambda: seen if "Again" in (seen := latest(driver, answer)).buttons else None)


def latest(driver: Driver, message: Seen) -> Seen:
    """The message as it is now."""
    return next(seen for seen in driver.messages("ann") if seen.id == message.id)
