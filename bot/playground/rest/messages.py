"""Messages and reactions: `/channels/{channel}/messages...`."""

from __future__ import annotations

from typing import Any

from bot.playground.drafts import check_message, check_not_empty
from bot.playground.errors import DiscordError, Problem
from bot.playground.permissions import Permission
from bot.playground.records import Channel, Message, MessageFlag
from bot.playground.rest.call import Call, Route
from bot.playground.world import World

_MESSAGES = "/channels/{channel}/messages"
_MESSAGE = _MESSAGES + "/{message}"
_REACTIONS = _MESSAGE + "/reactions"


class MessageRoutes:
    """What the bot does with messages under its own token."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> tuple[Route, ...]:
        """The endpoints."""
        return (
            Route("GET", _MESSAGES, self.history),
            Route("POST", _MESSAGES, self.create, bucket="create"),
            Route("GET", _MESSAGE, self.get),
            Route("PATCH", _MESSAGE, self.edit, bucket="edit"),
            Route("DELETE", _MESSAGE, self.delete),
            Route("POST", "/channels/{channel}/messages/bulk-delete", self.bulk_delete),
            Route("POST", "/channels/{channel}/typing", self.typing),
            Route("PUT", _REACTIONS + "/{emoji:text}/@me", self.react),
            Route("DELETE", _REACTIONS + "/{emoji:text}/@me", self.unreact),
            Route("DELETE", _REACTIONS + "/{emoji:text}/{user}", self.unreact),
            Route("GET", _REACTIONS + "/{emoji:text}", self.reactors),
            Route("DELETE", _REACTIONS, self.clear_reactions),
        )

    # --- helpers -------------------------------------------------------------------------------

    def _channel(self, call: Call) -> Channel:
        """The channel, if the bot may see it."""
        channel = self._world.channel(call.id("channel"))
        if not self._world.can(self._world.bot.id, Permission.VIEW_CHANNEL, channel):
            raise DiscordError(Problem.MISSING_ACCESS)
        return channel

    def _message(self, call: Call) -> Message:
        """The message; ephemeral ones do not exist for the bot's own token."""
        message = self._world.message(self._channel(call).id, call.id("message"))
        if message.only_for is not None:
            raise DiscordError(Problem.UNKNOWN_MESSAGE)
        return message

    def _need(self, permission: Permission, channel: Channel) -> None:
        if not self._world.can(self._world.bot.id, permission, channel):
            raise DiscordError(Problem.MISSING_PERMISSIONS)

    # --- messages ------------------------------------------------------------------------------

    async def history(self, call: Call) -> Any:
        """Newest first, at most 100, around `before`, `after` or `around`."""
        channel = self._channel(call)
        messages = [message for message in self._world.messages(channel.id) if message.only_for is None]
        limit = min(int(call.query.get("limit", 50)), 100)
        if before := call.query.get("before"):
            messages = [message for message in messages if message.id < int(before)]
        if after := call.query.get("after"):
            chosen = [message for message in messages if message.id > int(after)][:limit]
        elif around := call.query.get("around"):
            chosen = sorted(messages, key=lambda message: abs(message.id - int(around)))[:limit]
        else:
            chosen = messages[-limit:]
        newest_first = sorted(chosen, key=lambda message: message.id, reverse=True)
        return [self._world.wire.message(message) for message in newest_first]

    async def get(self, call: Call) -> Any:
        """One message."""
        return self._world.wire.message(self._message(call))

    async def create(self, call: Call) -> Any:
        """Send a message as the bot."""
        channel = self._channel(call)
        body = call.fields
        in_thread = channel.thread is not None
        self._need(Permission.SEND_MESSAGES_IN_THREADS if in_thread else Permission.SEND_MESSAGES, channel)
        if call.uploads:
            self._need(Permission.ATTACH_FILES, channel)
        if channel.thread and channel.thread.archived and channel.thread.locked:
            raise DiscordError(Problem.ARCHIVED_THREAD)
        if channel.recipient_id and not self._world.user(channel.recipient_id).accepts_dms:
            raise DiscordError(Problem.CANNOT_DM)
        check_not_empty(body, call.uploads)
        check_message(body, call.uploads, flags=int(body.get("flags") or 0))
        message = await self._world.post(
            author_id=self._world.bot.id, channel_id=channel.id, body=body, uploads=call.uploads
        )
        return self._world.wire.message(message)

    async def edit(self, call: Call) -> Any:
        """Edit one of the bot's own messages."""
        message = self._message(call)
        body = call.fields
        if message.author_id != self._world.bot.id:
            raise DiscordError(Problem.CANNOT_EDIT_OTHERS)
        if call.uploads:
            self._need(Permission.ATTACH_FILES, self._channel(call))
        flags = message.flags & MessageFlag.COMPONENTS_V2 | int(body.get("flags") or 0)
        check_message(body, call.uploads, flags=flags)
        return self._world.wire.message(await self._world.edit(message, body, call.uploads))

    async def delete(self, call: Call) -> None:
        """Delete a message; another's only with the permission."""
        message = self._message(call)
        if message.author_id != self._world.bot.id:
            self._need(Permission.MANAGE_MESSAGES, self._channel(call))
        self._world.delete(message)

    async def bulk_delete(self, call: Call) -> None:
        """Delete many messages at once."""
        channel = self._channel(call)
        self._need(Permission.MANAGE_MESSAGES, channel)
        for message_id in call.fields["messages"]:
            if message := self._world.find_message(channel.id, int(message_id)):
                self._world.delete(message)

    async def typing(self, call: Call) -> None:
        """Show the bot as typing."""
        channel = self._channel(call)
        self._need(Permission.SEND_MESSAGES, channel)
        self._world.typing(channel, self._world.bot.id)

    # --- reactions -----------------------------------------------------------------------------

    async def react(self, call: Call) -> None:
        """Add the bot's reaction."""
        message = self._message(call)
        self._need(Permission.ADD_REACTIONS, self._channel(call))
        self._world.react(message, call.text("emoji"), self._world.bot.id)

    async def unreact(self, call: Call) -> None:
        """Take away the bot's or, with the permission, a user's reaction."""
        user_id = int(call.parameters.get("user") or self._world.bot.id)
        if user_id != self._world.bot.id:
            self._need(Permission.MANAGE_MESSAGES, self._channel(call))
        self._world.unreact(self._message(call), call.text("emoji"), user_id)

    async def reactors(self, call: Call) -> Any:
        """Who set an emoji."""
        emoji = call.text("emoji")
        found = (item.user_ids for item in self._message(call).reactions if item.emoji == emoji)
        limit, after = min(int(call.query.get("limit", 25)), 100), int(call.query.get("after", 0))
        users = sorted(user for user in next(found, ()) if user > after)[:limit]
        return [self._world.wire.user(self._world.user(user)) for user in users]

    async def clear_reactions(self, call: Call) -> None:
        """Take all reactions away."""
        self._need(Permission.MANAGE_MESSAGES, self._channel(call))
        self._world.clear_reactions(self._message(call))
