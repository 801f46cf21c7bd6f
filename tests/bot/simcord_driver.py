"""The thin harness over simcord: the real bot and the real discord.py against a simulated Discord.

simcord waits after each act until the tasks that the bot started have ended. The parts and the delivery run
for as long as the bot does, so they are started outside its watch (`unwatched`); what they do is waited for
with `until`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import discord
import simcord
from simcord._runtime import _BOT_SCOPE  # pinned version: the one way to start a task that simcord does not wait for

from bot.errors import explain
from tests.bot.driving import PATIENCE, Edit, Process, Seen, T
from tests.discord_spec import request_problems


def unwatched(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a task that simcord does not wait for."""
    token = _BOT_SCOPE.set(None)
    try:
        return asyncio.create_task(work)
    finally:
        _BOT_SCOPE.reset(token)


@contextlib.asynccontextmanager
async def simulated(process: Process) -> AsyncIterator[SimcordDriver]:
    """A driver; at the end no error may have happened that nobody foresaw, and no request that Discord would refuse."""
    env = simcord.Env(await process.open(unwatched), check_errors=False)
    await env.start()
    yield SimcordDriver(env, process)
    await process.close()
    await env.shutdown()
    errors = [error for error in env.errors if explain(error).reference is not None]
    assert errors == [], errors
    requests = [(sent.method, sent.path, sent.json) for sent in env.http_requests]
    problems = [problem for request in requests for problem in request_problems(*request)]
    assert problems == [], problems


class SimcordDriver:
    """See `tests.bot.driving.Driver`."""

    def __init__(self, env: simcord.Env, process: Process) -> None:
        self.env = env
        self._process = process
        self.guild = env.create_guild(name="Studio")
        self.channel = self.guild.create_text_channel("gallery")
        self._people: dict[str, simcord.MemberActor] = {}
        self._admin_roles: dict[str, int] = {}
        self._edits: list[tuple[int, Edit]] = []
        env.backend.subscribers.append(self._note)

    def person(self, name: str) -> simcord.MemberActor:
        if name not in self._people:
            self._people[name] = self.guild.add_member(self.env.create_user(name))
        return self._people[name]

    async def slash(self, person: str, **options: object) -> Seen:
        return await self.command(person, "imagine", **options)

    async def command(self, person: str, name: str, **options: object) -> Seen:
        result = await self.person(person).slash(self.channel, name, **options)
        answers = [answer for answer in (result.response, *result.followups) if answer is not None]
        assert answers, "the command was not answered"
        return seen(answers[0].message)

    async def click(self, person: str, message: Seen, label: str) -> Seen | None:
        viewer = self.person(person)  # who also sees what only they were told
        target = next(m for m in self.channel.history(viewer=viewer) if m.id == message.id)
        result = await self.person(person).click(target, label=label)
        assert result.acknowledged, "the press was not acknowledged"
        answers = [answer for answer in (result.response, *result.followups) if answer and answer.id != message.id]
        return seen(answers[0].message) if answers else None

    def add_admin(self, name: str) -> None:
        role = self.guild.create_role("manages", permissions=discord.Permissions(manage_guild=True))
        self._people[name] = self.guild.add_member(self.env.create_user(name), roles=[role])
        self._admin_roles[name] = role.id

    def demote(self, name: str) -> None:
        self.env.backend.remove_member_role(self.guild.id, self.person(name).id, self._admin_roles[name])

    def member(self, name: str) -> object:
        return self.person(name)

    async def choose(self, person: str, message: Seen, value: str) -> Seen:
        result = await self.person(person).select(self._message(person, message), [value])
        assert result.response is not None, "the choice was not answered"
        return seen(result.response.message)

    async def fill(self, person: str, message: Seen, label: str, **values: str) -> Seen:
        shown = await self.person(person).click(self._message(person, message), label=label)
        result = await self.person(person).submit_modal(shown, dict(values))
        answers = [answer for answer in (result.response, *result.followups) if answer is not None]
        return seen(answers[0].message)

    def _message(self, person: str, message: Seen) -> discord.Message:
        return next(m for m in self.channel.history(viewer=self.person(person)) if m.id == message.id)

    async def suggestions(self, person: str, option: str, typed: str) -> list[str]:
        choices = await self.person(person).autocomplete(self.channel, "imagine", option, typed, prompt="a fox")
        return [str(choice["value"]) for choice in choices]

    def messages(self, person: str) -> list[Seen]:
        return [seen(message) for message in self.channel.history(viewer=self.person(person))]

    def edits(self, message: Seen) -> list[Edit]:
        return [edit for message_id, edit in self._edits if message_id == message.id]

    def direct_messages(self, person: str) -> list[Seen]:
        channel = self.person(person).user.dm_channel
        return [seen(message) for message in channel.history()] if channel is not None else []

    def delete(self, message: Seen) -> None:
        self.env.backend.delete_message(self.channel.id, message.id)

    def hide_channel(self) -> None:
        hidden = discord.PermissionOverwrite(view_channel=False)
        assert self.guild.me is not None
        self.channel = self.guild.create_text_channel("hidden", overwrites={self.guild.me: hidden})

    def fail(self, method: str, path: str, *, status: int, code: int = 0, times: int = 1) -> None:
        # simcord answers in place of discord.py's own client, which would try again after 500, 502 and 504
        self.env.inject_error(method, path, status=status, code=code, times=times)

    def count(self, method: str, path: str) -> int:
        sent = [entry for entry in self.env.http_requests if entry.method == method]
        return sum(fnmatch.fnmatchcase(entry.path, path) for entry in sent)

    async def until(self, look: Callable[[], T | None]) -> T:
        async with asyncio.timeout(PATIENCE):
            while not (found := look()):  # noqa: ASYNC110  # what is looked at is anything on the simulated Discord
                await asyncio.sleep(0.01)
            return found

    async def restart(self) -> None:
        await self._process.close()
        await self.env.restart_bot(await self._process.open(unwatched))

    def _note(self, event: str, payload: Any) -> None:
        if event == "MESSAGE_UPDATE":
            text = "\n".join(str(embed.get("description", "")) for embed in payload.get("embeds", ()))
            edit = Edit(asyncio.get_running_loop().time(), text)
            self._edits.append((int(payload["id"]), edit))


def seen(message: discord.Message) -> Seen:
    buttons = [item for row in message.components for item in getattr(row, "children", ())]
    cards = tuple(
        "\n".join(part for part in (embed.title, embed.description, *_fields(embed), embed.footer.text) if part)
        for embed in message.embeds
    )
    pictures = tuple(str(embed.image.url).rsplit("/", 1)[-1] for embed in message.embeds if embed.image.url)
    files = [attachment.filename for attachment in message.attachments]
    return Seen(
        id=message.id,
        content=message.content,
        cards=cards,
        pictures=pictures,
        # simcord goes on listing a file that an embed shows; Discord does not (docs/decisions/0061)
        files=tuple(name for name in files if name not in pictures),
        buttons=tuple(str(button.label) for button in buttons if isinstance(button, discord.Button)),
        ephemeral=message.flags.ephemeral,
        pings=bool(message.mentions or message.role_mentions or message.mention_everyone),
    )


def _fields(embed: discord.Embed) -> list[str]:
    return [f"{field.name}\n{field.value}" for field in embed.fields]
