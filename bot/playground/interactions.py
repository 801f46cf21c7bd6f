"""Interactions: what a person starts (command, button, modal) and the bot must answer in time.

Each interaction has a token. Within `Limits.acknowledge_seconds` it must be answered once; for
`Limits.token_seconds` the token edits the answer and posts follow-ups.
Source: https://docs.discord.com/developers/interactions/receiving-and-responding
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from bot.playground.drafts import Upload, check_components, check_message, check_not_empty
from bot.playground.errors import DiscordError, Problem, invalid_form
from bot.playground.records import Channel, Json, Message, MessageFlag, MessageType, Origin
from bot.playground.world import Event, World


class Kind(IntEnum):
    """What started an interaction."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class Answer(IntEnum):
    """How a bot may answer."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


_ANSWERS = {
    Kind.COMMAND: {Answer.MESSAGE, Answer.DEFERRED_MESSAGE, Answer.MODAL},
    Kind.COMPONENT: {Answer.MESSAGE, Answer.DEFERRED_MESSAGE, Answer.DEFERRED_UPDATE, Answer.UPDATE, Answer.MODAL},
    Kind.AUTOCOMPLETE: {Answer.CHOICES},
    Kind.MODAL: {Answer.MESSAGE, Answer.DEFERRED_MESSAGE, Answer.DEFERRED_UPDATE, Answer.UPDATE},
}


@dataclass(slots=True, kw_only=True)
class Interaction:
    """One interaction and how far it has come."""

    id: int
    token: str
    kind: Kind
    user_id: int
    channel_id: int
    created: float  # seconds since the epoch
    command: str = ""  # what was run, for people: "admin queue"
    command_type: int = 1
    message_id: int | None = None  # whose component was used
    target_id: int | None = None  # of a context-menu command
    answer: Answer | None = None
    failed: bool = False  # not answered in time
    response_id: int | None = None  # the message that `@original` names
    modal: Json | None = None
    choices: list[Json] = field(default_factory=list)


class Interactions:
    """All interactions of one playground whose tokens are still good."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_token: dict[str, Interaction] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}

    # --- people start them ---------------------------------------------------------------------

    def open(
        self, kind: Kind, *, user_id: int, channel: Channel, data: Json, command: str = "", command_type: int = 1,
        message: Message | None = None, target_id: int | None = None,
    ) -> Interaction:  # fmt: skip
        """Start an interaction and tell the bot."""
        self._forget_old()
        interaction = Interaction(
            id=self._world.ids.next(), token=secrets.token_urlsafe(48), kind=kind, user_id=user_id,
            channel_id=channel.id, created=self._world.clock(), command=command, command_type=command_type,
            message_id=message.id if message else None, target_id=target_id,
        )  # fmt: skip
        self._by_token[interaction.token] = interaction
        loop = asyncio.get_running_loop()
        deadline = self._world.limits.acknowledge_seconds
        self._timers[interaction.id] = loop.call_later(deadline, self._fail, interaction)
        payload = self._payload(interaction, channel, data, message)
        self._world.publish(Event("INTERACTION_CREATE", payload, channel, to_page=False))
        return interaction

    def by_id(self, interaction_id: int) -> Interaction | None:
        """The interaction, while its token is good."""
        return next((item for item in self._by_token.values() if item.id == interaction_id), None)

    def close(self) -> None:
        """Stop all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _payload(self, interaction: Interaction, channel: Channel, data: Json, message: Message | None) -> Json:
        world = self._world
        wire = world.wire
        user = world.users[interaction.user_id]
        guild_id = str(world.guild.id)
        mine = str(world.permissions(user.id, channel))
        payload: Json = {
            "id": str(interaction.id), "application_id": str(world.bot.id), "type": int(interaction.kind),
            "token": interaction.token, "version": 1, "data": data, "channel_id": str(channel.id),
            "channel": wire.channel(channel) | {"permissions": mine},
            "app_permissions": str(world.permissions(world.bot.id, channel)), "locale": "en-US", "entitlements": [],
            "authorizing_integration_owners": {"0": guild_id if channel.guild_id else "0"},
            "context": 0 if channel.guild_id else 1, "attachment_size_limit": world.limits.file_bytes,
        }  # fmt: skip
        if channel.guild_id:
            payload |= {
                "guild_id": guild_id, "guild_locale": "en-US",
                "guild": {"id": guild_id, "locale": "en-US", "features": []},
                "member": wire.member(user) | {"permissions": mine},
            }  # fmt: skip
        else:
            payload["user"] = wire.user(user)
        return payload | {"message": wire.message(message)} if message else payload

    def _fail(self, interaction: Interaction) -> None:
        self._timers.pop(interaction.id, None)
        if interaction.answer is None:
            interaction.failed = True
            self._announce(interaction, "failed")

    def _announce(self, interaction: Interaction, state: str, **more: Any) -> None:
        """Tell the page of the one user how the interaction stands."""
        data: Json = {"id": str(interaction.id), "state": state, "user_id": str(interaction.user_id), **more}
        if interaction.message_id:
            data["message_id"] = str(interaction.message_id)
        channel = self._world.channels.get(interaction.channel_id)
        self._world.publish(Event("INTERACTION", data, channel, interaction.user_id, to_bot=False))

    def _forget_old(self) -> None:
        oldest = self._world.clock() - 2 * self._world.limits.token_seconds
        self._by_token = {token: item for token, item in self._by_token.items() if item.created >= oldest}

    # --- the bot answers -----------------------------------------------------------------------

    async def answer(self, interaction_id: int, token: str, body: Json, uploads: Sequence[Upload]) -> Json:
        """Carry out an interaction callback; the InteractionCallbackResponse object.

        Raises:
            DiscordError: 10062 (unknown or too late), 40060 (answered before), 50035 (a body that cannot be).
        """
        interaction = self._by_token.get(token)
        deadline = self._world.limits.acknowledge_seconds
        if interaction is None or interaction.id != interaction_id:
            raise DiscordError(Problem.UNKNOWN_INTERACTION)
        if interaction.answer is not None:
            raise DiscordError(Problem.ALREADY_ACKNOWLEDGED)
        if interaction.failed or self._world.clock() - interaction.created > deadline:
            raise DiscordError(Problem.UNKNOWN_INTERACTION)
        answer = self._checked_answer(interaction, body, uploads)
        interaction.answer = answer  # before anything is awaited, so that a second answer is refused
        if timer := self._timers.pop(interaction.id, None):
            timer.cancel()
        message = await self._carry_out(interaction, answer, body.get("data") or {}, uploads)
        return self._callback_response(interaction, answer, message)

    def _checked_answer(self, interaction: Interaction, body: Json, uploads: Sequence[Upload]) -> Answer:
        data = body.get("data") or {}
        allowed = set(_ANSWERS[interaction.kind])
        if interaction.kind is Kind.MODAL and interaction.message_id is None:
            allowed -= {Answer.UPDATE, Answer.DEFERRED_UPDATE}
        if body.get("type") not in allowed:
            raise invalid_form("type", "BASE_TYPE_CHOICES", f"Value must be one of {sorted(map(int, allowed))}.")
        answer = Answer(body["type"])
        if answer in (Answer.MESSAGE, Answer.UPDATE):
            check_message(data, uploads, flags=int(data.get("flags") or 0))
            if answer is Answer.MESSAGE:
                check_not_empty(data, uploads)
        elif answer is Answer.MODAL:
            _check_modal(data)
        elif answer is Answer.CHOICES:
            _check_choices(data.get("choices") or [])
        return answer

    async def _carry_out(
        self, interaction: Interaction, answer: Answer, data: Json, uploads: Sequence[Upload]
    ) -> Message | None:
        message: Message | None = None
        if answer in (Answer.MESSAGE, Answer.DEFERRED_MESSAGE):
            loading = MessageFlag.LOADING if answer is Answer.DEFERRED_MESSAGE else 0
            message = await self._post(interaction, data, uploads, extra=loading)
            interaction.response_id = message.id
        elif answer is Answer.UPDATE:
            message = await self._world.edit(self._message(interaction, interaction.message_id), data, uploads)
            interaction.response_id = message.id
        elif answer is Answer.DEFERRED_UPDATE:
            interaction.response_id = interaction.message_id
        elif answer is Answer.CHOICES:
            interaction.choices = data.get("choices") or []
        else:
            interaction.modal = data
            self._announce(interaction, "modal", modal=data)
            return None
        self._announce(interaction, "answered", choices=interaction.choices)
        return message

    def _callback_response(self, interaction: Interaction, answer: Answer, message: Message | None) -> Json:
        about: Json = {"id": str(interaction.id), "type": int(interaction.kind)}
        if message is None:
            return {"interaction": about}
        about |= {
            "response_message_id": str(message.id), "response_message_loading": message.loading,
            "response_message_ephemeral": message.only_for is not None,
        }  # fmt: skip
        kind = Answer.MESSAGE if answer is Answer.DEFERRED_MESSAGE else answer
        resource = {"type": int(kind), "message": self._world.wire.message(message)}
        return {"interaction": about, "resource": resource}

    async def _post(
        self, interaction: Interaction, body: Json, uploads: Sequence[Upload], *, extra: int = 0
    ) -> Message:
        only_for = interaction.user_id if int(body.get("flags") or 0) & MessageFlag.EPHEMERAL else None
        kind = MessageType.DEFAULT
        if interaction.kind is Kind.COMMAND and interaction.answer is not None and interaction.response_id is None:
            slash = interaction.command_type == 1
            kind = MessageType.CHAT_INPUT_COMMAND if slash else MessageType.CONTEXT_MENU_COMMAND
        origin = Origin(
            id=interaction.id, type=int(interaction.kind), user_id=interaction.user_id, name=interaction.command,
            message_id=interaction.message_id, target_id=interaction.target_id,
        )  # fmt: skip
        return await self._world.post(
            author_id=self._world.bot.id, channel_id=interaction.channel_id, body=body, uploads=uploads, kind=kind,
            origin=origin, only_for=only_for, flags=extra | (MessageFlag.EPHEMERAL if only_for else 0),
        )  # fmt: skip

    # --- the token afterwards ------------------------------------------------------------------

    async def follow_up(self, token: str, body: Json, uploads: Sequence[Upload]) -> Message:
        """Post another message; the first one after "thinking" takes that message's place."""
        interaction = self._good(token)
        check_message(body, uploads, flags=int(body.get("flags") or 0))
        check_not_empty(body, uploads)
        if interaction.answer is Answer.DEFERRED_MESSAGE:
            original = self._world.find_message(interaction.channel_id, interaction.response_id or 0)
            if original is not None and original.loading:
                return await self._world.edit(original, body, uploads)
        return await self._post(interaction, body, uploads)

    def fetch(self, token: str, which: str) -> Message:
        """The message that `@original` or an id names."""
        interaction = self._good(token)
        return self._message(interaction, interaction.response_id if which == "@original" else int(which))

    async def edit(self, token: str, which: str, body: Json, uploads: Sequence[Upload]) -> Message:
        """Edit the message that `@original` or an id names."""
        message = self.fetch(token, which)
        check_message(body, uploads, flags=int(body.get("flags") or 0) | message.flags)
        return await self._world.edit(message, body, uploads)

    def delete(self, token: str, which: str) -> None:
        """Delete the message that `@original` or an id names."""
        self._world.delete(self.fetch(token, which))

    def _good(self, token: str) -> Interaction:
        """The token's interaction.

        Raises:
            DiscordError: 50027 when the token is unknown or has expired, 10015 before the first answer.
        """
        interaction = self._by_token.get(token)
        if interaction is None or self._world.clock() - interaction.created > self._world.limits.token_seconds:
            raise DiscordError(Problem.INVALID_WEBHOOK_TOKEN)
        if interaction.answer is None:
            raise DiscordError(Problem.UNKNOWN_WEBHOOK)
        return interaction

    def _message(self, interaction: Interaction, message_id: int | None) -> Message:
        message = self._world.message(interaction.channel_id, message_id or 0)
        if message.author_id != self._world.bot.id:
            raise DiscordError(Problem.UNKNOWN_MESSAGE)
        return message


def _check_modal(data: Json) -> None:
    if not 1 <= len(data.get("title") or "") <= 45:
        raise invalid_form("data.title", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 45 in length.")
    if not 1 <= len(data.get("custom_id") or "") <= 100:
        raise invalid_form("data.custom_id", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    if not 1 <= len(data.get("components") or []) <= 5:
        raise invalid_form("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    check_components(data["components"])


def _check_choices(choices: list[Json]) -> None:
    if len(choices) > 25:
        raise invalid_form("data.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for index, choice in enumerate(choices):
        if not 1 <= len(choice["name"]) <= 100 or len(str(choice["value"])) > 100:
            raise invalid_form(
                f"data.choices.{index}.name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length."
            )
