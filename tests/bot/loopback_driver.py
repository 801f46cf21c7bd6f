"""The harness over our own loopback Discord: the real bot and the real discord.py over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import discord
import msgspec

from bot.playground import Limits, Person, Playground
from bot.playground.drafts import walk
from bot.playground.interactions import Interaction
from bot.playground.permissions import Permission
from bot.playground.records import Message
from bot.playground.world import Event
from tests.bot.driving import PATIENCE, Edit, Process, Seen, T
from tests.discord_spec import request_problems
from tests.playground.conftest import answer_problems

GUILD_PATIENCE = 0.05  # seconds that discord.py waits for a further guild; there is only one
# The scenarios edit every 0.2 s, for which Discord's rates have no room; its own tests show them kept.
NO_RATES = Limits(rates={})
HEARD = "discord.py: on_"  # and those that run listeners
BEING_HANDLED = ("CommandTree-invoker", "discord-ui-")  # how discord.py names the tasks that run commands and buttons


@contextlib.asynccontextmanager
async def loopback(process: Process, limits: Limits = NO_RATES) -> AsyncIterator[LoopbackDriver]:
    """A driver; at the end nothing may have been asked for in vain, wrongly, or answered wrongly."""
    playground = Playground(limits=limits)
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        async with playground.connected():
            driver = LoopbackDriver(playground, process)
            await driver.open()
            yield driver
            await _handled()
            await driver.close()
    finally:
        logging.getLogger().removeHandler(errors)
    problems = [problem for request in driver.requests for problem in request_problems(*request)]
    problems += answer_problems(playground.requests)
    problems += [*errors.unforeseen, *playground.missing, *map(str, playground.gateway.unknown)]
    assert problems == [], problems


async def _handled() -> None:
    """Let the bot finish with what it has heard, so that no listener is cut off in the middle of a transaction."""
    listening = [task for task in asyncio.all_tasks() if task.get_name().startswith((HEARD, *BEING_HANDLED))]
    if listening:
        await asyncio.wait(listening, timeout=PATIENCE)


class LoopbackDriver:
    """See `tests.bot.driving.Driver`."""

    def __init__(self, playground: Playground, process: Process) -> None:
        self.playground = playground
        self._process = process
        self.channel = "gallery"
        self._people: dict[str, Person] = {}
        self._edits: list[tuple[int, Edit]] = []
        self._connection: asyncio.Task[None] | None = None
        self.requests: list[tuple[str, str, Any]] = []  # method, path and body of each
        playground.world.listen(self._note)
        playground.api.on_request.append(lambda sent: self.requests.append((sent.method, sent.path, sent.body)))

    async def open(self) -> None:
        """Start the bot's process and wait until it knows its server."""
        bot = await self._process.open(asyncio.create_task)
        bot._connection.guild_ready_timeout = GUILD_PATIENCE  # private; two seconds for each scenario otherwise
        await bot.login(self.playground.bot_token)
        self._connection = asyncio.create_task(bot.connect())
        async with asyncio.timeout(PATIENCE):
            await bot.wait_until_ready()

    async def close(self) -> None:
        """End the bot's process."""
        await self._process.close()
        if self._connection is not None:
            await self._connection

    async def restart(self) -> None:
        await self.close()
        await self.open()

    def person(self, name: str) -> Person:
        if name not in self._people:
            self._people[name] = self.playground.add_user(name)
        return self._people[name]

    async def slash(self, person: str, **options: object) -> Seen:
        return await self.command(person, "imagine", **options)

    async def command(self, person: str, name: str, **options: object) -> Seen:
        given = {name: value for name, value in options.items() if value is not None}
        interaction = await self.person(person).slash(name, channel=self.channel, **given)
        answers = await self._answers(person, interaction)
        assert answers, "the command was not answered"
        return self._seen(answers[0])

    async def click(self, person: str, message: Seen, label: str) -> Seen | None:
        target = next(item for item in self.person(person).messages(self.channel) if item.id == message.id)
        answers = await self._answers(person, await self.person(person).click(target, label=label))
        return self._seen(answers[0]) if answers else None

    async def _answers(self, person: str, interaction: Interaction) -> list[Message]:
        """The messages that came of an interaction, once the bot has nothing more to do for it."""
        await self.person(person).answered(interaction, within=PATIENCE)
        handling = [task for task in asyncio.all_tasks() if task.get_name().startswith(BEING_HANDLED)]
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*handling)
        messages = self.person(person).messages(self.channel)
        return [item for item in messages if item.origin is not None and item.origin.id == interaction.id]

    def add_admin(self, name: str) -> None:
        self._people[name] = self.playground.add_user(name, manage_guild=True)

    def demote(self, name: str) -> None:
        user = self.playground.world.users[self.person(name).id]
        self.playground.world.change_user(msgspec.structs.replace(user, roles=()))

    def member(self, name: str) -> object:
        return self.person(name)

    async def choose(self, person: str, message: Seen, value: str) -> Seen:
        target = self._message(person, message)
        menu = next(item for item in walk(list(target.components)) if item["type"] == 3)
        return self._seen(
            (await self._answers(person, await self.person(person).select(target, menu["custom_id"], value)))[0]
        )

    async def fill(self, person: str, message: Seen, label: str, **values: str) -> Seen:
        opener = await self.person(person).click(self._message(person, message), label=label)
        await self.person(person).answered(opener, within=PATIENCE)
        sent = await self.person(person).submit_modal(opener, **values)
        return self._seen((await self._answers(person, sent))[0])

    def _message(self, person: str, message: Seen) -> Message:
        return next(item for item in self.person(person).messages(self.channel) if item.id == message.id)

    async def suggestions(self, person: str, option: str, typed: str) -> list[str]:
        choices = await self.person(person).autocomplete("imagine", option, typed, channel=self.channel, prompt="a fox")
        return [str(choice["value"]) for choice in choices]

    def messages(self, person: str) -> list[Seen]:
        return [self._seen(message) for message in self.person(person).messages(self.channel)]

    def edits(self, message: Seen) -> list[Edit]:
        return [edit for message_id, edit in self._edits if message_id == message.id]

    def direct_messages(self, person: str) -> list[Seen]:
        return [self._seen(message) for message in self.person(person).messages("dm")]

    def delete(self, message: Seen) -> None:
        world = self.playground.world
        world.delete(world.message(self.person("ann").channel(self.channel).id, message.id))

    def hide_channel(self) -> None:
        self.channel = self.playground.add_channel("hidden", deny_bot=Permission.VIEW_CHANNEL).name

    def fail(self, method: str, path: str, *, status: int, code: int = 0, times: int = 1) -> None:
        self.playground.faults.fail(method, r"\A" + fnmatch.translate(path), status=status, code=code, times=times)

    def count(self, method: str, path: str) -> int:
        return sum(sent[0] == method and fnmatch.fnmatchcase(sent[1], path) for sent in self.requests)

    async def until(self, look: Callable[[], T | None]) -> T:
        return await self.playground.wait_for(look, within=PATIENCE)

    def _note(self, event: Event) -> None:
        if event.name == "MESSAGE_UPDATE":
            text = "\n".join(str(embed.get("description", "")) for embed in event.data.get("embeds", ()))
            self._edits.append((int(event.data["id"]), Edit(asyncio.get_running_loop().time(), text)))

    def _seen(self, message: Message) -> Seen:
        shown = self.playground.world.wire.message(message)
        pictures = tuple(_file_name(embed["image"]["url"]) for embed in shown["embeds"] if "image" in embed)
        return Seen(
            id=message.id,
            content=shown["content"],
            cards=tuple(_card(embed) for embed in shown["embeds"]),
            pictures=pictures,
            files=tuple(attachment["filename"] for attachment in shown["attachments"]),
            buttons=tuple(item["label"] for item in walk(shown["components"]) if item["type"] == 2),
            ephemeral=discord.MessageFlags._from_value(shown["flags"]).ephemeral,
            pings=bool(shown["mentions"] or shown["mention_roles"] or shown["mention_everyone"]),
        )


def _card(embed: dict[str, Any]) -> str:
    fields = [f"{field['name']}\n{field['value']}" for field in embed.get("fields", ())]
    parts = (embed.get("title"), embed.get("description"), *fields, embed.get("footer", {}).get("text"))
    return "\n".join(part for part in parts if part)


def _file_name(url: str) -> str:
    return url.partition("?")[0].rsplit("/", 1)[-1]


class _Errors(logging.Handler):
    """Errors that only the log tells of: what the bot did not foresee, and what discord.py or asyncio swallowed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.unforeseen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "bot.errors" or record.name.partition(".")[0] in {"discord", "asyncio", "aiohttp"}:
            self.unforeseen.append(self.format(record))
