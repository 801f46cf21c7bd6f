"""The state of one playground and every change to it.

A change returns the new record and publishes an `Event`; the gateway, the page and the saver
listen. The world knows neither HTTP nor sockets nor who is connected, and checks no permission:
that is done where a request comes in.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bot.playground import permissions
from bot.playground.cdn import Cdn, content_type, picture_size, safe_filename
from bot.playground.drafts import Upload, walk
from bot.playground.errors import DiscordError, Problem
from bot.playground.limits import Limits
from bot.playground.permissions import Permission
from bot.playground.records import (
    Attachment,
    Channel,
    ChannelType,
    Command,
    Guild,
    Json,
    Message,
    MessageFlag,
    MessageType,
    Origin,
    Overwrite,
    Reaction,
    Reference,
    Role,
    ThreadState,
    User,
    WorldState,
)
from bot.playground.snowflakes import Snowflakes
from bot.playground.wire import Wire, emoji_json

_MENTION = re.compile(r"<@!?(\d+)>")
_EVERYONE = re.compile(r"@(everyone|here)\b")
_NONCE_MEMORY = 100  # newest messages of a channel in which a repeated nonce is looked for
_SETTABLE_FLAGS = MessageFlag.SUPPRESS_EMBEDS | MessageFlag.SUPPRESS_NOTIFICATIONS | MessageFlag.COMPONENTS_V2


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened. `only_for` names the one user who may see it."""

    name: str
    data: Json
    channel: Channel | None = None
    only_for: int | None = None
    to_bot: bool = True
    to_page: bool = True


def fresh_state(*, token: str, clock: Callable[[], float], bot_name: str) -> WorldState:
    """A small server: two channels, Alice, Bob, Ada who administers it, and the bot."""
    ids = Snowflakes(clock)
    guild_id, bot_id, alice, bob, ada, bot_role, admin_role = (ids.next() for _ in range(7))
    channels = (
        Channel(
            id=ids.next(), type=ChannelType.TEXT, name="gallery", guild_id=guild_id, position=0,
            topic="Pictures live here. Type / to see what the bot can do.",
        ),
        Channel(
            id=ids.next(), type=ChannelType.TEXT, name="studio-talk", guild_id=guild_id, position=1,
            topic="Talk about pictures; mention the bot to make it answer.",
        ),
    )  # fmt: skip
    return WorldState(
        token=token,
        bot_id=bot_id,
        guild=Guild(id=guild_id, name="The Studio", owner_id=ada),
        roles=(
            Role(id=guild_id, name="@everyone", permissions=permissions.EVERYONE),
            Role(id=bot_role, name=bot_name, permissions=permissions.BOT, position=1, colour=0xFF8A66),
            Role(
                id=admin_role, name="Admin", permissions=int(Permission.ADMINISTRATOR), position=2, colour=0x2F9E44
            ),
        ),
        users=(
            User(id=bot_id, name=bot_name, display_name=bot_name, bot=True, roles=(bot_role,)),
            User(id=alice, name="alice", display_name="Alice"),
            User(id=bob, name="bob", display_name="Bob"),
            User(id=ada, name="ada", display_name="Admin Ada", roles=(admin_role,)),
        ),
        channels=channels,
        messages=(),
        commands=(),
    )  # fmt: skip


class World:
    """One Discord: a guild with roles, users, channels, messages and the bot's commands."""

    def __init__(self, state: WorldState, *, cdn: Cdn, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells seconds since the epoch."""
        self.cdn = cdn
        self.limits = limits
        self.clock = clock
        self.wire = Wire(self)
        self.token = state.token
        self.guild = state.guild
        self.users = {user.id: user for user in state.users}
        self.roles = {role.id: role for role in state.roles}
        self.channels = {channel.id: channel for channel in state.channels}
        self.commands = {command.id: command for command in state.commands}
        self.ids = Snowflakes(clock)
        self._bot_id = state.bot_id
        self.nonces_forgotten = 0.0  # those of older messages, in seconds since the epoch
        self._messages: dict[int, dict[int, Message]] = {}
        for message in state.messages:
            self._messages.setdefault(message.channel_id, {})[message.id] = message
            self.ids.never_below(message.id)
        for known in (*self.users, *self.channels, *self.roles, *self.commands):
            self.ids.never_below(known)
        self._listeners: list[Callable[[Event], None]] = []

    # --- reading -------------------------------------------------------------------------------

    @property
    def bot(self) -> User:
        """The bot's user; its id is also the application's."""
        return self.users[self._bot_id]

    def state(self) -> WorldState:
        """What a restart must bring back; messages that only one person saw are not part of it."""
        kept = tuple(m for channel in self._messages.values() for m in channel.values() if m.only_for is None)
        return WorldState(
            token=self.token, bot_id=self._bot_id, guild=self.guild, roles=tuple(self.roles.values()),
            users=tuple(self.users.values()), channels=tuple(self.channels.values()), messages=kept,
            commands=tuple(self.commands.values()),
        )  # fmt: skip

    def user(self, user_id: int) -> User:
        """The user, or Discord's 10013."""
        if user := self.users.get(user_id):
            return user
        raise DiscordError(Problem.UNKNOWN_USER)

    def channel(self, channel_id: int) -> Channel:
        """The channel, or Discord's 10003."""
        if channel := self.channels.get(channel_id):
            return channel
        raise DiscordError(Problem.UNKNOWN_CHANNEL)

    def message(self, channel_id: int, message_id: int) -> Message:
        """The message, or Discord's 10008."""
        if message := self.find_message(channel_id, message_id):
            return message
        raise DiscordError(Problem.UNKNOWN_MESSAGE)

    def find_message(self, channel_id: int, message_id: int) -> Message | None:
        """The message, or None."""
        return self._messages.get(channel_id, {}).get(message_id)

    def referenced(self, message: Message) -> Message | None:
        """The message that this one answers, if it is still there."""
        reference = message.reference
        if reference is None or reference.message_id is None:
            return None
        return self.find_message(reference.channel_id, reference.message_id)

    def messages(self, channel_id: int) -> list[Message]:
        """Every message of the channel, oldest first, ephemeral ones included."""
        return list(self._messages.get(channel_id, {}).values())

    def last_message_id(self, channel_id: int) -> int | None:
        """The newest message that everyone sees."""
        newest = reversed(self._messages.get(channel_id, {}).values())
        return next((message.id for message in newest if message.only_for is None), None)

    def message_count(self, channel_id: int) -> int:
        """How many messages the channel holds."""
        return len(self._messages.get(channel_id, {}))

    def permissions(self, user_id: int, channel: Channel | None = None) -> int:
        """The user's permission bits, in the guild or in a channel."""
        if channel is not None and channel.parent_id is not None:
            channel = self.channels[channel.parent_id]
        return permissions.effective(self.guild, self.roles, self.users[user_id], channel)

    def can(self, user_id: int, permission: Permission, channel: Channel | None = None) -> bool:
        """Whether the user has the permission."""
        return bool(self.permissions(user_id, channel) & permission)

    # --- listening -----------------------------------------------------------------------------

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on; it must not block. Returns the way to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, event: Event) -> None:
        """Tell everybody who listens."""
        for listener in list(self._listeners):
            listener(event)

    def _publish_message(self, name: str, message: Message) -> None:
        data = self.wire.message_event(message)
        channel = self.channels[message.channel_id]
        # Discord sends no gateway events for ephemeral messages; only the page of the one user shows them.
        self.publish(Event(name, data, channel, message.only_for, to_bot=message.only_for is None))

    # --- users and channels --------------------------------------------------------------------

    def add_user(self, name: str, *, roles: tuple[int, ...] = (), accepts_dms: bool = True) -> User:
        """A new member of the guild."""
        user = User(
            id=self.ids.next(), name=name.lower().replace(" ", "_"), display_name=name, roles=roles,
            accepts_dms=accepts_dms,
        )  # fmt: skip
        self.users[user.id] = user
        self.publish(Event("GUILD_MEMBER_ADD", self.wire.member(user) | {"guild_id": str(self.guild.id)}))
        return user

    def add_role(self, name: str, *, permission_bits: int = 0) -> Role:
        """A new role, above the ones that are there."""
        role = Role(id=self.ids.next(), name=name, permissions=permission_bits, position=len(self.roles))
        self.roles[role.id] = role
        self.publish(Event("GUILD_ROLE_CREATE", {"guild_id": str(self.guild.id), "role": self.wire.role(role)}))
        return role

    def change_user(self, user: User) -> User:
        """Replace the record of a user (other roles, DMs closed)."""
        self.users[user.id] = user
        self.publish(Event("GUILD_MEMBER_UPDATE", self.wire.member(user) | {"guild_id": str(self.guild.id)}))
        return user

    def add_channel(self, name: str, *, overwrites: tuple[Overwrite, ...] = (), topic: str = "") -> Channel:
        """A new text channel."""
        channel = Channel(
            id=self.ids.next(), type=ChannelType.TEXT, name=name, guild_id=self.guild.id, overwrites=overwrites,
            position=len(self.channels), topic=topic,
        )  # fmt: skip
        return self._put_channel(channel, "CHANNEL_CREATE")

    def change_channel(self, channel: Channel) -> Channel:
        """Replace the record of a channel or thread."""
        return self._put_channel(channel, "THREAD_UPDATE" if channel.thread else "CHANNEL_UPDATE")

    def delete_channel(self, channel_id: int) -> Channel:
        """Remove a channel or thread with its messages and threads."""
        channel = self.channel(channel_id)
        for thread in [item for item in self.channels.values() if item.parent_id == channel_id]:
            self.delete_channel(thread.id)
        data = self.wire.channel(channel)
        del self.channels[channel_id]
        for message in self._messages.pop(channel_id, {}).values():
            self.cdn.remove(item.id for item in message.attachments)
        self.publish(Event("THREAD_DELETE" if channel.thread else "CHANNEL_DELETE", data, channel))
        return channel

    def direct_channel(self, user_id: int) -> Channel:
        """The direct message channel between the bot and the user."""
        for channel in self.channels.values():
            if channel.recipient_id == user_id:
                return channel
        channel = Channel(id=self.ids.next(), type=ChannelType.DM, recipient_id=self.user(user_id).id)
        return self._put_channel(channel, "CHANNEL_CREATE", to_bot=False)

    def add_thread(
        self, parent: Channel, name: str, *, owner_id: int, message: Message | None = None, private: bool = False,
        auto_archive_minutes: int = 1440,
    ) -> Channel:  # fmt: skip
        """A new thread, from a message (which then shares its id) or without one."""
        if message is not None and message.id in self.channels:
            raise DiscordError(Problem.THREAD_EXISTS)
        state = ThreadState(
            owner_id=owner_id, archive_changed=self.clock(), auto_archive_minutes=auto_archive_minutes,
            members=(owner_id,),
        )  # fmt: skip
        kind = ChannelType.PRIVATE_THREAD if private else ChannelType.PUBLIC_THREAD
        thread_id = message.id if message else self.ids.next()
        thread = Channel(
            id=thread_id, type=kind, name=name, guild_id=parent.guild_id, parent_id=parent.id, thread=state
        )
        self.channels[thread.id] = thread
        data = self.wire.channel(thread) | {"newly_created": True}
        if owner_id == self.bot.id:
            data["member"] = self.wire.thread_member(thread.id, owner_id)
        self.publish(Event("THREAD_CREATE", data, thread))
        if message is not None:
            self._replace(msgspec.structs.replace(message, flags=message.flags | MessageFlag.HAS_THREAD))
        elif not private:
            self._announce_thread(parent, thread, owner_id)
        return thread

    def _announce_thread(self, parent: Channel, thread: Channel, owner_id: int) -> None:
        """A thread made without a message is announced in its parent channel."""
        notice = Message(
            id=self.ids.next(), channel_id=parent.id, author_id=owner_id, created=self.clock(), content=thread.name,
            type=MessageType.THREAD_CREATED, reference=Reference(message_id=None, channel_id=thread.id),
        )  # fmt: skip
        self._add(notice)

    def join_thread(self, thread: Channel, user_id: int) -> Channel:
        """Make the user a member of the thread."""
        state = thread.thread
        if state is None or user_id in state.members:
            return thread
        joined = msgspec.structs.replace(state, members=(*state.members, user_id))
        return self.change_channel(msgspec.structs.replace(thread, thread=joined))

    def _put_channel(self, channel: Channel, event: str, *, to_bot: bool = True) -> Channel:
        self.channels[channel.id] = channel
        self.publish(Event(event, self.wire.channel(channel), channel, to_bot=to_bot))
        return channel

    def typing(self, channel: Channel, user_id: int) -> None:
        """The user is typing."""
        data: Json = {
            "channel_id": str(channel.id), "user_id": str(user_id), "timestamp": int(self.clock()),
            **self.wire.guild_id_of(channel.id),
        }  # fmt: skip
        if channel.guild_id:
            data["member"] = self.wire.member(self.users[user_id])
        self.publish(Event("TYPING_START", data, channel))

    # --- messages ------------------------------------------------------------------------------

    async def post(
        self, *, author_id: int, channel_id: int, body: Json, uploads: Sequence[Upload] = (),
        kind: MessageType = MessageType.DEFAULT, origin: Origin | None = None, only_for: int | None = None,
        flags: int = 0,
    ) -> Message:  # fmt: skip
        """A new message from a body that was checked; a repeated nonce returns the message it made before."""
        if repeated := self._by_nonce(author_id, channel_id, body):
            return repeated
        stored = await self.store(channel_id, uploads)
        channel = self.channel(channel_id)  # it may be gone by now
        reference = self._reference_of(body, channel_id)
        message = Message(
            id=self.ids.next(), channel_id=channel.id, author_id=author_id, created=self.clock(),
            type=MessageType.REPLY if reference and kind is MessageType.DEFAULT else kind,
            content=body.get("content") or "", tts=bool(body.get("tts")),
            flags=int(flags | (int(body.get("flags") or 0) & _SETTABLE_FLAGS)),
            embeds=tuple(body.get("embeds") or ()), components=_numbered(body.get("components")),
            attachments=self._attachments(body.get("attachments"), (), stored), reference=reference, origin=origin,
            only_for=only_for, nonce=str(body["nonce"]) if body.get("nonce") is not None else None,
        )  # fmt: skip
        return self._add(self._with_mentions(message, body))

    async def edit(
        self, message: Message, body: Json, uploads: Sequence[Upload] = (), *, silent: bool = False
    ) -> Message:
        """Change what the body names; "thinking" ends. `silent` leaves the "(edited)" mark off."""
        stored = await self.store(message.channel_id, uploads)
        message = self.message(message.channel_id, message.id)  # it may have changed or gone meanwhile
        changes: dict[str, Any] = {}
        if "content" in body:
            changes["content"] = body["content"] or ""
        if "embeds" in body:
            changes["embeds"] = tuple(body["embeds"] or ())
        if "components" in body:
            changes["components"] = _numbered(body["components"])
        if "attachments" in body or stored:
            changes["attachments"] = self._attachments(body.get("attachments"), message.attachments, stored)
        flags = message.flags & ~MessageFlag.LOADING
        if "flags" in body:
            flags = flags & ~_SETTABLE_FLAGS | (int(body["flags"] or 0) & _SETTABLE_FLAGS)
        edited = message.edited if message.loading or silent else self.clock()
        changed = msgspec.structs.replace(message, **changes, flags=int(flags), edited=edited)
        gone = {item.id for item in message.attachments} - {item.id for item in changed.attachments}
        self.cdn.discard(gone)
        return self._replace(self._with_mentions(changed, body))

    def delete(self, message: Message) -> None:
        """Remove the message and its files."""
        self._messages.get(message.channel_id, {}).pop(message.id, None)
        self.cdn.remove(item.id for item in message.attachments)
        data = {
            "id": str(message.id), "channel_id": str(message.channel_id),
            **self.wire.guild_id_of(message.channel_id),
        }  # fmt: skip
        channel = self.channels.get(message.channel_id)
        self.publish(Event("MESSAGE_DELETE", data, channel, message.only_for, to_bot=message.only_for is None))

    def forget(self, user_id: int) -> None:
        """Delete what a person wrote and what the bot answered them, with files and threads; their account stays.

        The bot's last word on it stays too: the answer to a command named `forget`.
        """
        everything = [message for kept in self._messages.values() for message in kept.values()]
        theirs = {message.id for message in everything if message.author_id == user_id}
        alone = {channel.id for channel in self.channels.values() if channel.recipient_id == user_id}
        for message in everything:
            origin, reference = message.origin, message.reference
            if origin is not None and origin.name == "forget":
                continue
            answers = reference is not None and reference.message_id in theirs
            asked = origin is not None and origin.user_id == user_id
            if message.id in theirs or answers or asked or message.only_for == user_id or message.channel_id in alone:
                self.delete(message)
                if message.id in self.channels:  # the thread that began at it
                    self.delete_channel(message.id)
        self.cdn.remove()  # also what stood in messages before they were edited

    def react(self, message: Message, emoji: str, user_id: int) -> Message:
        """Add the user's reaction."""
        current = {item.emoji: item.user_ids for item in message.reactions}
        if user_id in current.get(emoji, ()):
            return message
        current[emoji] = (*current.get(emoji, ()), user_id)
        return self._set_reactions(message, current, "MESSAGE_REACTION_ADD", emoji, user_id)

    def unreact(self, message: Message, emoji: str, user_id: int) -> Message:
        """Take the user's reaction away."""
        current = {item.emoji: item.user_ids for item in message.reactions}
        if user_id not in current.get(emoji, ()):
            return message
        current[emoji] = tuple(other for other in current[emoji] if other != user_id)
        return self._set_reactions(message, current, "MESSAGE_REACTION_REMOVE", emoji, user_id)

    def clear_reactions(self, message: Message) -> Message:
        """Take all reactions away."""
        cleared = msgspec.structs.replace(message, reactions=())
        self._messages[message.channel_id][message.id] = cleared
        data = {
            "message_id": str(message.id), "channel_id": str(message.channel_id),
            **self.wire.guild_id_of(message.channel_id),
        }  # fmt: skip
        self.publish(Event("MESSAGE_REACTION_REMOVE_ALL", data, self.channels[message.channel_id]))
        return cleared

    async def store(self, channel_id: int, uploads: Sequence[Upload]) -> dict[int, Attachment]:
        """Keep the uploads' bytes; their attachment records by upload index."""
        stored: dict[int, Attachment] = {}
        for upload in uploads:
            attachment_id = self.ids.next()
            await self.cdn.put(attachment_id, upload.data)
            filename = safe_filename(upload.filename)
            width, height = picture_size(upload.data)
            stored[upload.index] = Attachment(
                id=attachment_id, channel_id=channel_id, filename=filename, size=len(upload.data),
                content_type=content_type(filename), width=width, height=height,
            )  # fmt: skip
        return stored

    def _add(self, message: Message) -> Message:
        channel = self._messages.setdefault(message.channel_id, {})
        channel[message.id] = message
        while len(channel) > self.limits.messages_kept:
            oldest = channel.pop(next(iter(channel)))
            self.cdn.discard(item.id for item in oldest.attachments)
        self._wake_thread(message.channel_id)
        self._publish_message("MESSAGE_CREATE", message)
        return message

    def _wake_thread(self, channel_id: int) -> None:
        """A message in an archived thread that is not locked opens it again."""
        thread = self.channels[channel_id]
        if thread.thread and thread.thread.archived:
            state = msgspec.structs.replace(thread.thread, archived=False, archive_changed=self.clock())
            self.change_channel(msgspec.structs.replace(thread, thread=state))

    def _replace(self, message: Message) -> Message:
        self._messages[message.channel_id][message.id] = message
        self._publish_message("MESSAGE_UPDATE", message)
        return message

    def _set_reactions(
        self, message: Message, current: dict[str, tuple[int, ...]], event: str, emoji: str, user_id: int
    ) -> Message:
        reactions = tuple(Reaction(emoji=name, user_ids=users) for name, users in current.items() if users)
        changed = msgspec.structs.replace(message, reactions=reactions)
        self._messages[message.channel_id][message.id] = changed
        channel = self.channels[message.channel_id]
        data: Json = {
            "user_id": str(user_id), "channel_id": str(message.channel_id), "message_id": str(message.id),
            "emoji": emoji_json(emoji), "type": 0, "burst": False, "message_author_id": str(message.author_id),
            **self.wire.guild_id_of(message.channel_id),
        }  # fmt: skip
        if channel.guild_id and event == "MESSAGE_REACTION_ADD":
            data["member"] = self.wire.member(self.users[user_id])
        self.publish(Event(event, data, channel, message.only_for, to_bot=message.only_for is None))
        return changed

    def _by_nonce(self, author_id: int, channel_id: int, body: Json) -> Message | None:
        """The message an enforced nonce already made (Discord remembers it for a few minutes)."""
        nonce = body.get("nonce")
        if nonce is None or not body.get("enforce_nonce"):
            return None
        recent = self.messages(channel_id)[-_NONCE_MEMORY:]
        oldest = max(self.clock() - self.limits.nonce_seconds, self.nonces_forgotten)
        known = (item for item in recent if item.created >= oldest and item.author_id == author_id)
        same = (item for item in known if item.nonce == str(nonce))
        return next(same, None)

    def _reference_of(self, body: Json, channel_id: int) -> Reference | None:
        reference = body.get("message_reference")
        if not reference:
            return None
        target_channel = int(reference.get("channel_id") or channel_id)
        target = self.find_message(target_channel, int(reference["message_id"]))
        if target is None or target.only_for is not None:
            if reference.get("fail_if_not_exists", True):
                errors = {"message_reference": {"_errors": [{"code": "REPLIES_UNKNOWN_MESSAGE",
                                                            "message": "Unknown message"}]}}  # fmt: skip
                raise DiscordError(Problem.INVALID_FORM, errors=errors)
            return None
        return Reference(message_id=target.id, channel_id=target.channel_id)

    def _attachments(
        self, listed: Any, before: Sequence[Attachment], stored: dict[int, Attachment]
    ) -> tuple[Attachment, ...]:
        """Without a list everything stays and the new files are added; a list names what stays and what is new."""
        if listed is None:
            return (*before, *stored.values())
        kept = {str(item.id): item for item in before}
        result: list[Attachment] = []
        for entry in listed:
            key = str(entry["id"])
            found = kept.get(key) or (stored.get(int(key)) if key.isdigit() else None)
            if found is not None:
                result.append(_described(found, entry))
        return tuple(result)

    def _with_mentions(self, message: Message, body: Json) -> Message:
        """Fill in who is pinged, under the body's `allowed_mentions`."""
        allowed = body.get("allowed_mentions")
        named = [int(found) for found in _MENTION.findall(message.content) if int(found) in self.users]
        if allowed is not None and "users" not in (allowed.get("parse") or ()):
            permitted = {int(user) for user in allowed.get("users") or ()}
            named = [user for user in named if user in permitted]
        if message.reference and message.type is MessageType.REPLY and (allowed or {}).get("replied_user", True):
            target = self.referenced(message)
            named += [target.author_id] if target and target.author_id != message.author_id else []
        everyone = (
            bool(_EVERYONE.search(message.content))
            and (allowed is None or "everyone" in (allowed.get("parse") or ()))
            and self.can(message.author_id, Permission.MENTION_EVERYONE, self.channels[message.channel_id])
        )
        return msgspec.structs.replace(message, mentions=tuple(dict.fromkeys(named)), mentions_everyone=everyone)

    # --- commands ------------------------------------------------------------------------------

    def set_commands(self, guild_id: int | None, bodies: Iterable[Json]) -> list[Command]:
        """Replace all commands of one scope; a command of the same name and type keeps its id."""
        before = {(c.name, c.type): c for c in self.commands.values() if c.guild_id == guild_id}
        for command in before.values():
            del self.commands[command.id]
        result = []
        for body in bodies:
            known = before.get((body["name"], int(body.get("type", 1))))
            result.append(self._register(guild_id, body, known.id if known else None))
        self._publish_commands()
        return result

    def put_command(self, guild_id: int | None, body: Json, *, command_id: int | None = None) -> Command:
        """Register or change one command."""
        command = self._register(guild_id, body, command_id)
        self._publish_commands()
        return command

    def _register(self, guild_id: int | None, body: Json, command_id: int | None) -> Command:
        command = Command(
            id=command_id or self.ids.next(), version=self.ids.next(), body=_command_body(body), guild_id=guild_id
        )
        self.commands[command.id] = command
        return command

    def delete_command(self, command_id: int) -> None:
        """Unregister one command."""
        del self.commands[command_id]
        self._publish_commands()

    def _publish_commands(self) -> None:
        commands = [self.wire.command(command) for command in self.commands.values()]
        self.publish(Event("COMMANDS", {"commands": commands}, to_bot=False))


def _described(attachment: Attachment, entry: Json) -> Attachment:
    """The attachment with the name and description that the body gives it."""
    changes: dict[str, Any] = {}
    if entry.get("filename"):
        changes["filename"] = safe_filename(entry["filename"])
    if entry.get("description"):
        changes["description"] = entry["description"]
    return msgspec.structs.replace(attachment, **changes) if changes else attachment


def _numbered(components: Any) -> tuple[Json, ...]:
    """The components with the numeric ids that Discord gives to those that have none."""
    roots = msgspec.json.decode(msgspec.json.encode(components or []))  # a deep copy: the caller's body stays as sent
    taken = {component["id"] for component in walk(roots) if component.get("id")}
    following = 1
    for component in walk(roots):
        if not component.get("id"):
            while following in taken:
                following += 1
            component["id"] = following
            taken.add(following)
    return tuple(roots)


def _command_body(body: Json) -> Json:
    """The command as the API returns it, with the defaults filled in."""
    defaults: Json = {
        "type": 1, "description": "", "default_member_permissions": None, "dm_permission": True, "nsfw": False,
        "name_localizations": None, "description_localizations": None, "contexts": None, "integration_types": [0],
    }  # fmt: skip
    given = {name: value for name, value in body.items() if name not in ("id", "application_id", "version")}
    merged = defaults | given
    merged["integration_types"] = merged["integration_types"] or [0]
    if merged["default_member_permissions"] is not None:
        merged["default_member_permissions"] = str(merged["default_member_permissions"])
    return merged
