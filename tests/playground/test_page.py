"""The page's server side: who may talk to it, what it loads, what is saved, how it starts and ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import discord.gateway
import discord.http
import pytest

from bot.playground import NotLoopback, Playground, PlaygroundError, PortInUse, point_discord_py


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def _act(http: aiohttp.ClientSession, playground: Playground, name: str, **body: Any) -> tuple[int, Any]:
    async with http.post(f"{playground.address}api/{name}", json=body) as answer:
        return answer.status, await answer.json()


async def test_the_page_opens_at_its_whole_address_and_loads_only_from_here(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    async with http.get(playground.address) as answer:
        html = await answer.text()
        assert answer.status == 200 and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "http:" not in html and "https:" not in html
    for name in ("app.css", "app.js", "composer.js", "icon.svg"):
        async with http.get(playground.address + name) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/api/state", "/wrong/ws", "/wrong/app.js", "/../etc/passwd"])
async def test_without_the_token_there_is_a_page_that_says_what_to_do(
    playground: Playground, http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(playground.origin + path) as answer:
        assert answer.status == 403
        assert "make run" in await answer.text()


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1:1"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
)
async def test_requests_under_another_name_or_from_another_page_are_refused(
    playground: Playground, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    for url in (playground.address, f"{playground.api_base}/users/@me", f"{playground.address}ws"):
        async with http.get(url, headers=headers) as answer:
            assert answer.status == 403


async def test_files_are_served_only_at_their_signed_address(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    alice = playground.user("Alice")
    message = await alice.send("look", files=[("evil.html", b"<script>alert(1)</script>")])
    url = alice.json(message)["attachments"][0]["url"]
    async with http.get(url) as answer:
        assert answer.status == 200 and await answer.read() == b"<script>alert(1)</script>"
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.headers["Content-Type"] == "application/octet-stream"
    for wrong in (url.split("?")[0], url[:-1] + "x", f"{playground.origin}/cdn/attachments/1/../../x?hm=1"):
        async with http.get(wrong) as answer:
            assert answer.status == 403


async def test_only_loopback_addresses_are_accepted() -> None:
    for host in ("0.0.0.0", "192.168.1.1", "example.org", "::"):
        with pytest.raises(NotLoopback, match="on this machine only"):
            Playground(host)


async def test_a_port_in_use_gets_one_clear_sentence(playground: Playground) -> None:
    second = Playground(port=playground.port)
    with pytest.raises(PortInUse) as refused:
        await second.start()
    assert str(refused.value) == (
        f"Port {playground.port} on 127.0.0.1 is already in use: stop the other program "
        "(perhaps another Darkroom) or choose another port."
    )


async def test_discord_py_is_pointed_and_pointed_back() -> None:
    before = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    async with Playground().connected() as playground:
        assert playground.api_base == discord.http.Route.BASE
        other = Playground()
        await other.start()
        with point_discord_py(other):
            assert str(discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY) == other.gateway_url
        await other.close()
        assert playground.api_base == discord.http.Route.BASE
    assert before == (discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY)


async def test_two_playgrounds_share_nothing(playground: Playground) -> None:
    async with Playground().connected() as other:
        await other.user("Alice").send("here only")
        assert playground.user("Alice").messages() == []
        assert other.token != playground.token and other.bot_token != playground.bot_token


async def test_the_page_loads_what_the_chosen_person_sees(playground: Playground, http: aiohttp.ClientSession) -> None:
    alice, bob = playground.user("Alice"), playground.user("Bob")
    await bob.send("hello from Bob")
    async with http.get(f"{playground.address}api/state") as answer:
        state = await answer.json()
    assert state["me"] == str(alice.id) and [user["name"] for user in state["users"]][1:] == [
        "Alice",
        "Bob",
        "Admin Ada",
    ]
    assert [channel.get("name") for channel in state["channels"] if channel["type"] == 0] == ["gallery", "studio-talk"]
    query = {"user": str(alice.id), "channel": state["channels"][0]["id"]}
    gallery = playground.user("Alice").channel("gallery")
    async with http.get(f"{playground.address}api/channel", params=query | {"channel": str(gallery.id)}) as answer:
        channel = await answer.json()
    assert [message["content"] for message in channel["messages"]] == ["hello from Bob"] and not channel["more"]


async def test_the_page_pages_back_through_a_long_history(playground: Playground, http: aiohttp.ClientSession) -> None:
    alice = playground.user("Alice")
    sent = [await alice.send(str(number)) for number in range(70)]
    query = {"user": str(alice.id), "channel": str(sent[0].channel_id)}
    async with http.get(f"{playground.address}api/channel", params=query) as answer:
        newest = await answer.json()
    assert newest["more"] and newest["messages"][0]["content"] == "10"
    async with http.get(
        f"{playground.address}api/channel", params={**query, "before": newest["messages"][0]["id"]}
    ) as answer:
        older = await answer.json()
    assert [message["content"] for message in older["messages"]] == [str(number) for number in range(10)]


async def test_what_cannot_be_done_is_refused_in_a_sentence(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    alice = playground.user("Alice")
    place = {"user": str(alice.id), "channel": str(alice.channel("gallery").id)}
    bob_dm = str(playground.user("Bob").channel("dm").id)
    bot = str(playground.world.bot.id)
    refused = [
        ("send", {**place, "content": "  "}, "There is nothing to send."),
        ("send", {**place, "content": "x" * 2001}, "A message has at most 2000 characters; this one has 2001."),
        ("send", {**place, "channel": bob_dm, "content": "x"}, "You cannot see that channel."),
        ("send", {**place, "user": bot, "content": "x"}, "Nobody can speak as the bot."),
        ("send", {**place, "user": "me", "content": "x"}, "'me' is no id."),
        ("send", place, "The page left out 'content'."),
        ("command", {**place, "line": "/nothing"}, "There is no command /nothing here."),
        ("dance", place, "The page asked for 'dance', which is not there."),
        ("delete", {**place, "message": "1"}, "Unknown Message"),
    ]
    for name, body, sentence in refused:
        assert await _act(http, playground, name, **body) == (400, {"error": sentence})


async def test_open_pages_hear_what_happens(playground: Playground, http: aiohttp.ClientSession) -> None:
    alice = playground.user("Alice")
    async with http.ws_connect(f"{playground.address}ws") as socket:
        status, sent = await _act(
            http, playground, "send", user=str(alice.id), channel=str(alice.channel("gallery").id), content="live"
        )
        heard = json.loads((await socket.receive(timeout=5)).data)
        assert status == 200 and heard["name"] == "MESSAGE_CREATE"
        assert heard["data"]["id"] == sent["id"] and heard["data"]["content"] == "live"


async def test_a_damaged_save_is_put_aside_and_a_new_world_begins(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text("{broken")
    async with Playground(folder=tmp_path).connected() as playground:
        assert playground.user("Alice").messages() == []
    assert (tmp_path / "world.damaged").read_text() == "{broken"
    assert json.loads((tmp_path / "world.json").read_text())["guild"]["name"] == "The Studio"


async def test_the_world_is_saved_a_moment_after_a_change_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    async with Playground(folder=tmp_path).connected() as playground:
        await playground.user("Alice").send("remember me")
        async with asyncio.timeout(10):
            while not path.exists():  # noqa: ASYNC110 - a file tells nobody that it is there
                await asyncio.sleep(0.05)
        assert "remember me" in path.read_text()
        assert path.stat().st_mode & 0o077 == 0


async def test_a_folder_that_cannot_be_used_gets_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaygroundError, match="cannot use the folder"):
        await Playground(folder=tmp_path / "file" / "below").start()


async def test_old_messages_and_their_files_go(tmp_path: Path) -> None:
    from bot.playground import Limits

    async with Playground(folder=tmp_path, limits=Limits(messages_kept=3)).connected() as playground:
        alice = playground.user("Alice")
        for number in range(80):
            await alice.send(str(number), files=[("a.bin", b"x")])
        assert [message.content for message in alice.messages()] == ["77", "78", "79"]
    async with Playground(folder=tmp_path).connected():
        assert len(list((tmp_path / "cdn").iterdir())) == 3
