"""The judge of requests itself: what is right passes, and each planted fault is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from tests.discord_spec import VARIABLE, document, request_problems, rule_problems

CHANNEL = "/channels/1/messages"
MESSAGE = "/channels/1/messages/2"
CALLBACK = "/interactions/1/token/callback"
COMMANDS = "/applications/1/commands"

needs_document = pytest.mark.skipif(
    document() is None, reason=f"{VARIABLE} names no document: requests are checked by our own rules only"
)


@needs_document
def test_every_body_that_the_bot_sends_is_checked_against_discords_document() -> None:
    """Skipped where there is no document: the scenarios then check our own rules only."""
    assert request_problems("POST", CHANNEL, {"content": 5}) == [
        "POST /channels/{channel_id}/messages: content: 5 is not of type 'string', 'null'"
    ]


def button(custom_id: str, **more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 2, "label": custom_id, "custom_id": custom_id} | more


def message() -> dict[str, Any]:
    """An edit with all that the bot uses, as discord.py makes it."""
    embed = discord.Embed(description="a red fox", colour=0x3D7A5A).set_image(url="attachment://fox.png")
    return {
        "embeds": [embed.set_footer(text="Seed 1").to_dict()],
        "components": [{"type": 1, "components": [button("a"), button("b")]}],
        "attachments": [{"id": 0, "filename": "fox.png", "description": "a red fox"}],
        "allowed_mentions": {"parse": [], "users": [123456789012345678]},
    }


def command() -> dict[str, Any]:
    """A command as discord.py registers it."""

    @app_commands.command(description="Make a picture")
    async def imagine(interaction: discord.Interaction, prompt: str, steps: int | None = None) -> None: ...

    bot = commands.Bot(commands.when_mentioned, intents=discord.Intents.none())
    return imagine.to_dict(bot.tree)


def test_what_discord_py_sends_passes() -> None:
    assert request_problems("PATCH", MESSAGE, message()) == []
    assert request_problems("POST", CHANNEL, message() | {"nonce": "darkroom-1", "enforce_nonce": True}) == []
    assert request_problems("POST", CALLBACK, {"type": 4, "data": message() | {"flags": 64}}) == []
    assert request_problems("POST", CALLBACK, {"type": 8, "data": {"choices": [{"name": "a", "value": "b"}]}}) == []
    assert request_problems("PUT", COMMANDS, [command()]) == []
    assert request_problems("POST", "/users/@me/channels", {"recipient_id": 123456789012345678}) == []
    assert request_problems("DELETE", MESSAGE, None) == []


def too_long(body: dict[str, Any]) -> None:
    body["embeds"][0]["description"] = "x" * 4_097


def strange_key(body: dict[str, Any]) -> None:
    body["ephemeral"] = True


def strange_key_deep_inside(body: dict[str, Any]) -> None:
    body["components"][0]["components"][0]["lable"] = "x"


def flags_of_an_embed(body: dict[str, Any]) -> None:
    body["embeds"][0]["flags"] = 32


def no_style(body: dict[str, Any]) -> None:
    del body["components"][0]["components"][0]["style"]


def six_buttons(body: dict[str, Any]) -> None:
    body["components"][0]["components"] = [button(str(number)) for number in range(6)]


def eleven_embeds(body: dict[str, Any]) -> None:
    body["embeds"] *= 11


def no_colour(body: dict[str, Any]) -> None:
    body["embeds"][0]["color"] = 2**24


def word_for_a_snowflake(body: dict[str, Any]) -> None:
    body["attachments"][0]["id"] = "fox"


def negative_snowflake(body: dict[str, Any]) -> None:
    body["attachments"][0]["id"] = -1


@needs_document
@pytest.mark.parametrize(
    "fault, words",
    [
        (too_long, "embeds/0/description: "),
        (strange_key, "Additional properties are not allowed ('ephemeral' was unexpected)"),
        (strange_key_deep_inside, "'lable' was unexpected"),
        (flags_of_an_embed, "embeds/0/flags: 0 was expected"),
        (no_style, "'style' is a required property"),
        (six_buttons, "components/0/components: "),
        (eleven_embeds, "embeds: "),
        (no_colour, "embeds/0/color: 16777216 is greater than the maximum"),
        (word_for_a_snowflake, "attachments/0/id: "),
        (negative_snowflake, "attachments/0/id: "),
    ],
)
def test_a_fault_that_the_document_knows_is_named(fault: Callable[[dict[str, Any]], None], words: str) -> None:
    for method, path, wrap in (
        ("PATCH", MESSAGE, lambda body: body),
        ("PATCH", "/webhooks/1/token/messages/2", lambda body: body),
        ("POST", CALLBACK, lambda body: {"type": 4, "data": body}),
    ):
        body = copy.deepcopy(message())
        fault(body)
        problems = request_problems(method, path, wrap(body))
        assert len(problems) == 1 and words in problems[0], problems


@needs_document
@pytest.mark.parametrize(
    "method, path, body, words",
    [
        ("POST", "/channels/1/message", {}, "POST /channels/1/message is no endpoint"),
        ("PUT", MESSAGE, {}, "PUT /channels/1/messages/2 is no endpoint"),
        ("DELETE", MESSAGE, {}, "DELETE /channels/{channel_id}/messages/{message_id}: takes no body"),
        ("POST", CHANNEL, None, "POST /channels/{channel_id}/messages: needs a body"),
        ("POST", CHANNEL, {"nonce": "x" * 26}, "nonce: "),
        ("POST", CALLBACK, {"type": 3}, "{'type': 3} is not valid under any of the given schemas"),
    ],
)
def test_a_request_that_is_wrong_as_a_whole_is_named(method: str, path: str, body: object, words: str) -> None:
    problems = request_problems(method, path, body)
    assert len(problems) == 1 and words in problems[0], problems


def test_a_custom_id_is_unique_within_its_message() -> None:
    body = message()
    body["components"] += [{"type": 9, "components": [], "accessory": button("a")}]
    for wrapped in (body, {"type": 7, "data": body}):
        assert list(rule_problems(MESSAGE, wrapped)) == ["custom_id 'a' occurs 2 times"]


def test_all_embeds_of_a_message_together_have_at_most_6000_characters() -> None:
    embed = (
        discord.Embed(title="t" * 100, description="d" * 2_000).set_footer(text="f" * 200).set_author(name="a" * 100)
    )
    embed.add_field(name="n" * 100, value="v" * 500)
    body = {"embeds": [embed.to_dict(), embed.to_dict()]}
    assert list(rule_problems(CHANNEL, body)) == []
    body["embeds"].append({"title": "x"})
    assert list(rule_problems(CHANNEL, body)) == ["the embeds have 6,001 characters; 6,000 are the most"]


def test_names_of_commands_and_options_are_lower_case_words() -> None:
    body = command()
    body["name"] = "Imagine"
    body["options"][0]["name"] = "the prompt"
    assert list(rule_problems(COMMANDS, [body])) == [
        "the name of “Imagine” is not lower-case",
        "the name of “Imagine the prompt” is not one word of at most 32 letters",
    ]
    assert list(rule_problems(COMMANDS, [{"name": "Explain This", "type": 3}])) == [], "a context menu may be called so"


def test_required_options_stand_first_in_subcommands_too() -> None:
    body = command()
    body["options"].reverse()
    group = {"name": "more", "options": [body | {"type": 1}]}
    assert list(rule_problems(COMMANDS, [group])) == ["“more imagine” has a required option after one that is not"]
