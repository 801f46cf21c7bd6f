"""Channels, threads and direct messages: `/channels/{channel}`, `/users/@me/channels`."""

from __future__ import annotations

from typing import Any

import msgspec

from bot.playground.drafts import check_message, check_not_empty
from bot.playground.errors import DiscordError, Problem, invalid_form
from bot.playground.permissions import Permission
from bot.playground.records import Channel, ChannelType
from bot.playground.rest.call import Call, Route
from bot.playground.world import World

_THREADS = "/channels/{channel}/threads"
_MEMBERS = "/channels/{channel}/thread-members"


class ChannelRoutes:
    """What the bot does with channels, threads and direct messages."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> tuple[Route, ...]:
        """The endpoints."""
        return (
            Route("GET", "/channels/{channel}", self.get),
            Route("PATCH", "/channels/{channel}", self.change),
            Route("DELETE", "/channels/{channel}", self.delete),
            Route("POST", "/users/@me/channels", self.open_direct),
            Route("POST", "/channels/{channel}/messages/{message}/threads", self.thread_from_message, status=201),
            Route("POST", _THREADS, self.thread, status=201),
            Route("GET", _THREADS + "/archived/public", self.archived),
            Route("PUT", _MEMBERS + "/@me", self.join),
            Route("PUT", _MEMBERS + "/{user}", self.join),
            Route("DELETE", _MEMBERS + "/@me", self.leave),
            Route("DELETE", _MEMBERS + "/{user}", self.leave),
            Route("GET", _MEMBERS, self.members),
            Route("GET", "/guilds/{guild}/threads/active", self.active),
        )

    def _channel(self, call: Call) -> Channel:
        channel = self._world.channel(call.id("channel"))
        if not self._world.can(self._world.bot.id, Permission.VIEW_CHANNEL, channel):
            raise DiscordError(Problem.MISSING_ACCESS)
        return channel

    def _need(self, permission: Permission, channel: Channel) -> None:
        if not self._world.can(self._world.bot.id, permission, channel):
            raise DiscordError(Problem.MISSING_PERMISSIONS)

    async def get(self, call: Call) -> Any:
        """One channel."""
        return self._world.wire.channel(self._channel(call))

    async def change(self, call: Call) -> Any:
        """Rename a channel; rename, archive or lock a thread."""
        channel, body = self._channel(call), call.fields
        if channel.thread is None:
            self._need(Permission.MANAGE_CHANNELS, channel)
            changes = {name: body[name] for name in ("name", "topic", "position") if body.get(name) is not None}
            return self._world.wire.channel(self._world.change_channel(msgspec.structs.replace(channel, **changes)))
        if channel.thread.owner_id != self._world.bot.id:
            self._need(Permission.MANAGE_THREADS, channel)
        state = {name: bool(body[name]) for name in ("archived", "locked") if name in body}
        minutes = int(body.get("auto_archive_duration") or channel.thread.auto_archive_minutes)
        changed_at = self._world.clock() if "archived" in body else channel.thread.archive_changed
        thread = msgspec.structs.replace(
            channel.thread, **state, auto_archive_minutes=minutes, archive_changed=changed_at
        )
        changed = msgspec.structs.replace(channel, name=body.get("name") or channel.name, thread=thread)
        return self._world.wire.channel(self._world.change_channel(changed))

    async def delete(self, call: Call) -> Any:
        """Delete a channel or thread."""
        channel = self._channel(call)
        if channel.type is not ChannelType.DM:
            self._need(Permission.MANAGE_THREADS if channel.thread else Permission.MANAGE_CHANNELS, channel)
            self._world.delete_channel(channel.id)
        return self._world.wire.channel(channel)

    async def open_direct(self, call: Call) -> Any:
        """The direct message channel with a user."""
        return self._world.wire.channel(self._world.direct_channel(int(call.fields["recipient_id"])))

    # --- threads -------------------------------------------------------------------------------

    async def thread_from_message(self, call: Call) -> Any:
        """Start a thread at a message."""
        parent = self._channel(call)
        self._need(Permission.CREATE_PUBLIC_THREADS, parent)
        message = self._world.message(parent.id, call.id("message"))
        thread = self._world.add_thread(
            parent, self._name(call), owner_id=self._world.bot.id, message=message,
            auto_archive_minutes=int(call.fields.get("auto_archive_duration") or 1440),
        )  # fmt: skip
        return self._world.wire.channel(thread)

    async def thread(self, call: Call) -> Any:
        """Start a thread without a message; Discord makes it private unless told otherwise."""
        parent, body = self._channel(call), call.fields
        private = body.get("type", ChannelType.PRIVATE_THREAD) == ChannelType.PRIVATE_THREAD
        self._need(Permission.CREATE_PRIVATE_THREADS if private else Permission.CREATE_PUBLIC_THREADS, parent)
        thread = self._world.add_thread(
            parent, self._name(call), owner_id=self._world.bot.id, private=private,
            auto_archive_minutes=int(body.get("auto_archive_duration") or 1440),
        )  # fmt: skip
        if first := body.get("message"):
            check_not_empty(first, call.uploads)
            check_message(first, call.uploads, flags=int(first.get("flags") or 0))
            await self._world.post(author_id=self._world.bot.id, channel_id=thread.id, body=first, uploads=call.uploads)
        return self._world.wire.channel(self._world.channel(thread.id))

    @staticmethod
    def _name(call: Call) -> str:
        name = call.fields.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise invalid_form("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
        return name

    async def archived(self, call: Call) -> Any:
        """Archived public threads of a channel."""
        return self._listing([
            item for item in self._world.channels.values()
            if item.parent_id == call.id("channel") and item.thread and item.thread.archived
        ])  # fmt: skip

    async def active(self, call: Call) -> Any:
        """Threads of the guild that are not archived."""
        threads = [item for item in self._world.channels.values() if item.thread and not item.thread.archived]
        return self._listing(threads)

    def _listing(self, threads: list[Channel]) -> Any:
        wire, me = self._world.wire, self._world.bot.id
        joined = [item for item in threads if item.thread and me in item.thread.members]
        return {
            "threads": [wire.channel(item) for item in threads], "has_more": False,
            "members": [wire.thread_member(item.id, me) for item in joined],
        }  # fmt: skip

    async def join(self, call: Call) -> None:
        """Add the bot or a user to a thread."""
        user_id = int(call.parameters.get("user") or self._world.bot.id)
        self._world.join_thread(self._channel(call), self._world.user(user_id).id)

    async def leave(self, call: Call) -> None:
        """Take the bot or a user out of a thread."""
        thread = self._channel(call)
        user_id = int(call.parameters.get("user") or self._world.bot.id)
        if thread.thread is not None:
            members = tuple(member for member in thread.thread.members if member != user_id)
            state = msgspec.structs.replace(thread.thread, members=members)
            self._world.change_channel(msgspec.structs.replace(thread, thread=state))

    async def members(self, call: Call) -> Any:
        """Who is in a thread."""
        thread = self._channel(call)
        members = thread.thread.members if thread.thread else ()
        return [self._world.wire.thread_member(thread.id, member) for member in members]
