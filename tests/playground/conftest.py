"""A playground for each test, and a way to connect a real discord.py bot to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

import discord
import pytest
from discord.ext import commands

from bot.playground import Playground
from bot.playground.rest.api import LoggedRequest
from tests.discord_spec import document

StartBot = Callable[..., Awaitable[commands.Bot]]


async def connect(
    playground: Playground, stack: AsyncExitStack, *cogs: type[commands.Cog], intents: discord.Intents | None = None
) -> commands.Bot:
    """A ready bot with these cogs and its commands synced, closed with the stack."""
    bot = commands.Bot(
        command_prefix=commands.when_mentioned,
        intents=intents or discord.Intents.default(),
        guild_ready_timeout=0.05,  # seconds without a further guild until "ready"; there is only one
    )
    await bot.login(playground.bot_token)
    for cog in cogs:
        await bot.add_cog(cog(bot))
    if cogs:
        await bot.tree.sync()
    task = asyncio.create_task(bot.connect())

    async def stop() -> None:
        await bot.close()
        await task

    stack.push_async_callback(stop)
    async with asyncio.timeout(10):
        await bot.wait_until_ready()
    return bot


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    """A running playground to which discord.py in this process is pointed."""
    async with Playground().connected() as running:
        yield running


@pytest.fixture
async def start_bot(playground: Playground) -> AsyncIterator[StartBot]:
    """Starts bots on `playground`; afterwards nothing may have been asked for in vain or answered wrongly."""
    async with AsyncExitStack() as stack:

        async def start(*cogs: type[commands.Cog], intents: discord.Intents | None = None) -> commands.Bot:
            return await connect(playground, stack, *cogs, intents=intents)

        yield start
    assert playground.missing == []
    assert playground.gateway.unknown == []
    assert answer_problems(playground.requests) == []


def answer_problems(requests: Iterable[LoggedRequest]) -> list[str]:
    """Every good answer that Discord's document does not allow; none where no document is named."""
    discord = document()
    return [
        problem
        for request in requests
        if discord is not None and 200 <= request.status < 300
        for problem in discord.answer_problems(request.method, request.path, request.status, request.answer)
    ]
