"""Deadlines, rate limits, sizes, faults on demand and lost connections, as a real discord.py bot meets them."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from unittest.mock import ANY

import aiohttp
import discord
import pytest
from discord import app_commands
from discord.ext import commands

from bot.playground import Limits, Playground, Rate
from bot.playground.gateway import Intent
from tests.discord_spec import document

from .conftest import StartBot, answer_problems, connect
from .test_messages import gallery


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1_780_000_000.0

    def __call__(self) -> float:
        return self.time


class Patient(commands.Cog):
    """Keeps its interactions for the test."""

    def __init__(self, bot: commands.Bot) -> None:
        self.held: asyncio.Queue[discord.Interaction] = asyncio.Queue()

    @app_commands.command(description="Do nothing yet")
    async def hold(self, interaction: discord.Interaction) -> None:
        self.held.put_nowait(interaction)


@pytest.fixture
async def http(playground: Playground) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without discord.py's own manners."""
    headers = {"Authorization": f"Bot {playground.bot_token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


async def test_an_answer_after_three_seconds_meets_an_unknown_interaction() -> None:
    clock = Clock()
    async with Playground(clock=clock).connected() as playground, AsyncExitStack() as stack:
        bot = await connect(playground, stack, Patient)
        cog = bot.get_cog("Patient")
        assert isinstance(cog, Patient)
        await playground.user("Alice").slash("hold")
        interaction = await cog.held.get()
        clock.time += 3.1
        with pytest.raises(discord.NotFound) as late:
            await interaction.response.send_message("late")
        assert late.value.code == 10062


async def test_a_token_is_good_for_fifteen_minutes() -> None:
    clock = Clock()
    async with Playground(clock=clock).connected() as playground, AsyncExitStack() as stack:
        bot = await connect(playground, stack, Patient)
        cog = bot.get_cog("Patient")
        assert isinstance(cog, Patient)
        await playground.user("Alice").slash("hold")
        interaction = await cog.held.get()
        await interaction.response.defer(thinking=True)
        clock.time += 899
        original = await interaction.edit_original_response(content="just in time")
        clock.time += 2
        for use in (interaction.edit_original_response(content="x"), interaction.followup.send("x")):
            with pytest.raises(discord.HTTPException) as stale:
                await use
            assert (stale.value.status, stale.value.code) == (401, 50027)
        await gallery(bot).get_partial_message(original.id).edit(content="with the bot's own token")


async def test_the_sixth_edit_within_five_seconds_is_refused_with_the_time_to_wait(
    playground: Playground, start_bot: StartBot, http: aiohttp.ClientSession
) -> None:
    bot = await start_bot()
    sent = await gallery(bot).send("0")
    url = f"{playground.api_base}/channels/{sent.channel.id}/messages/{sent.id}"
    for number in range(1, 6):
        async with http.patch(url, json={"content": str(number)}) as answer:
            assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
            assert answer.headers["X-RateLimit-Remaining"] == str(5 - number)
            assert answer.headers["X-RateLimit-Limit"] == "5" and answer.headers["X-RateLimit-Bucket"] == "edit"
    async with http.patch(url, json={"content": "6"}) as answer:
        assert answer.status == 429 and answer.headers["Via"]
        body = await answer.json()
        assert body == {"message": "You are being rate limited.", "retry_after": ANY, "global": False}
        assert 0 < body["retry_after"] <= 5
    assert playground.user("Alice").messages()[0].content == "5"


async def test_discord_py_waits_the_edit_limit_out() -> None:
    limits = Limits(rates={"edit": Rate(5, 0.3)})
    async with Playground(limits=limits).connected() as playground, AsyncExitStack() as stack:
        bot = await connect(playground, stack)
        sent = await gallery(bot).send("0")
        for number in range(1, 13):
            await sent.edit(content=str(number))
        assert playground.user("Alice").messages()[0].content == "12"
        assert [request.status for request in playground.requests if request.method == "PATCH"].count(429) == 0


async def test_a_file_over_the_limit_is_refused_and_the_connection_goes_on() -> None:
    async with (
        Playground(limits=Limits(file_bytes=100_000)).connected() as playground,
        AsyncExitStack() as stack,
    ):
        bot = await connect(playground, stack)
        with pytest.raises(discord.HTTPException) as refused:
            await gallery(bot).send(file=discord.File(io.BytesIO(bytes(100_001)), "large.bin"))
        assert (refused.value.status, refused.value.code) == (413, 40005)
        await gallery(bot).send(file=discord.File(io.BytesIO(bytes(100_000)), "fits.bin"))
        assert len(playground.user("Alice").messages()) == 1


def test_the_limits_are_discords_own() -> None:
    limits = Limits()
    assert (limits.file_bytes, limits.acknowledge_seconds, limits.token_seconds) == (10_485_760, 3.0, 900.0)
    assert limits.rates["edit"] == Rate(5, 5.0)


async def test_a_planned_rate_limit_is_met_once(
    playground: Playground, start_bot: StartBot, caplog: pytest.LogCaptureFixture
) -> None:
    bot = await start_bot()
    playground.faults.rate_limit("POST", r"/messages$", retry_after=0.05, is_global=True)
    with caplog.at_level(logging.WARNING, "discord.http"):
        await gallery(bot).send("through in the end")
    assert "Global rate limit has been hit" in caplog.text
    assert [request.status for request in playground.requests if request.method == "POST"] == [429, 200]


async def test_planned_errors_and_cut_connections_hit_before_or_after_the_effect(
    playground: Playground, start_bot: StartBot
) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    playground.faults.fail("POST", r"/messages$", status=503, code=0)
    with pytest.raises(discord.DiscordServerError):
        await gallery(bot).send("before")
    assert alice.messages() == []
    playground.faults.disconnect("POST", r"/messages$", after=True)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await gallery(bot).send("after")
    assert [message.content for message in alice.messages()] == ["after"]
    playground.faults.fail("PATCH", r"/messages/", status=404, code=10008, message="Unknown Message")
    with pytest.raises(discord.NotFound):
        await gallery(bot).get_partial_message(alice.messages()[0].id).edit(content="x")
    assert len(playground.faults.used) == 3


@pytest.mark.skipif(document() is None, reason="DARKROOM_DISCORD_SPEC names no OpenAPI document of Discord's")
async def test_answers_are_checked_against_discords_document(playground: Playground, start_bot: StartBot) -> None:
    """Every test that starts a bot does so at its end; this one shows that the check can fail."""
    bot = await start_bot()
    await gallery(bot).send("hello")
    spoiled = [
        dataclasses.replace(request, answer=request.answer | {"content": 5})
        for request in playground.requests
        if request.method == "POST"
    ]
    (problem,) = answer_problems(spoiled)
    assert problem == "POST /channels/{channel_id}/messages: content: 5 is not of type 'string'"


async def test_an_endpoint_that_is_not_there_says_so_and_is_remembered(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{playground.api_base}/guilds/1/audit-logs") as answer:
        assert answer.status == 501
        body = await answer.json()
    assert body["message"].startswith("The playground does not know this endpoint: GET /guilds/1/audit-logs")
    assert playground.missing == ["GET /guilds/1/audit-logs"]


async def test_a_wrong_token_is_refused_at_login_and_at_the_gateway(playground: Playground) -> None:
    async with commands.Bot(command_prefix="!", intents=discord.Intents.none()) as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login("wrong")
    async with commands.Bot(command_prefix="!", intents=discord.Intents.none()) as bot:
        await bot.login(playground.bot_token)
        bot.http.token = "wrong"
        with pytest.raises(discord.ConnectionClosed) as closed:
            await bot.connect(reconnect=False)
        assert closed.value.code == 4004


async def test_a_privileged_intent_that_was_not_granted_closes_the_gateway() -> None:
    async with Playground(granted_intents=Intent(0)).connected() as playground:
        intents = discord.Intents.default()
        intents.message_content = True
        async with commands.Bot(command_prefix="!", intents=intents) as bot:
            await bot.login(playground.bot_token)
            with pytest.raises(discord.PrivilegedIntentsRequired):
                await bot.connect()


async def test_a_resumed_session_gets_what_it_missed(
    playground: Playground, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discord.backoff.ExponentialBackoff.delay", lambda self: 0.0)
    bot, alice = await start_bot(), playground.user("Alice")
    assert bot.user is not None
    heard: list[str] = []

    @bot.listen()
    async def on_message(message: discord.Message) -> None:
        heard.append(message.content.split()[-1])

    resumed = asyncio.create_task(bot.wait_for("resumed", timeout=10))
    await asyncio.sleep(0)
    await playground.gateway.drop()
    for number in range(3):
        await alice.send(f"<@{bot.user.id}> {number}")
    await resumed
    await playground.wait_for(lambda: len(heard) >= 3)
    assert heard == ["0", "1", "2"]


async def test_a_requested_reconnect_resumes_and_an_invalid_session_identifies_anew(
    playground: Playground, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discord.backoff.ExponentialBackoff.delay", lambda self: 0.0)
    bot = await start_bot()
    monkeypatch.setattr(bot, "before_identify_hook", _at_once)  # otherwise five seconds
    for shake, event in (
        (playground.gateway.ask_to_reconnect, "resumed"),
        (playground.gateway.invalidate, "ready"),
    ):
        expected = asyncio.create_task(bot.wait_for(event, timeout=10))
        await asyncio.sleep(0)
        await shake()
        await expected
    assert playground.gateway.connected


async def _at_once(shard_id: int | None, *, initial: bool = False) -> None:
    """Identify without waiting for other shards."""


async def test_members_are_found_by_name_and_id(playground: Playground, start_bot: StartBot) -> None:
    bot = await start_bot(intents=discord.Intents.all())
    (guild,) = bot.guilds
    (found,) = await guild.query_members("ali")
    assert found.display_name == "Alice"
    assert {member.display_name async for member in guild.fetch_members()} == {"Darkroom", "Alice", "Bob", "Admin Ada"}
