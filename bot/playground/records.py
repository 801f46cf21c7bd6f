"""The things a Discord is made of, as frozen records that can be saved as JSON.

Embeds, components and command bodies stay the JSON objects that the bot sent; everything the
playground itself reasons about has a named field. The module knows neither HTTP nor sockets.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

import msgspec

Json = dict[str, Any]


class ChannelType(IntEnum):
    """https://docs.discord.com/developers/resources/channel#channel-object-channel-types"""

    TEXT = 0
    DM = 1
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


class MessageType(IntEnum):
    """https://docs.discord.com/developers/resources/message#message-object-message-types"""

    DEFAULT = 0
    THREAD_CREATED = 18
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    CONTEXT_MENU_COMMAND = 23


class MessageFlag(IntFlag):
    """https://docs.discord.com/developers/resources/message#message-object-message-flags"""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all records."""


class User(Record, frozen=True, kw_only=True):
    """Someone with an account: a person or the bot."""

    id: int
    name: str  # lower-case account name
    display_name: str
    bot: bool = False
    roles: tuple[int, ...] = ()
    accepts_dms: bool = True


class Role(Record, frozen=True, kw_only=True):
    """A role of the guild."""

    id: int
    name: str
    permissions: int
    position: int = 0
    colour: int = 0


class Overwrite(Record, frozen=True, kw_only=True):
    """What a channel allows or denies to one role (`kind` 0) or one member (`kind` 1)."""

    id: int
    kind: int
    allow: int = 0
    deny: int = 0


class ThreadState(Record, frozen=True, kw_only=True):
    """What a thread has beyond a channel. Times are seconds since the epoch."""

    owner_id: int
    archive_changed: float
    archived: bool = False
    locked: bool = False
    auto_archive_minutes: int = 1440
    members: tuple[int, ...] = ()


class Channel(Record, frozen=True, kw_only=True):
    """A text channel, a direct message (`recipient_id`) or a thread (`parent_id`, `thread`)."""

    id: int
    type: ChannelType
    name: str = ""
    topic: str = ""
    position: int = 0
    guild_id: int | None = None
    overwrites: tuple[Overwrite, ...] = ()
    recipient_id: int | None = None
    parent_id: int | None = None
    thread: ThreadState | None = None


class Attachment(Record, frozen=True, kw_only=True):
    """A file of a message; the bytes lie in the CDN under `id`."""

    id: int
    channel_id: int
    filename: str
    size: int  # bytes
    content_type: str
    width: int | None = None  # pixels, pictures only
    height: int | None = None
    description: str | None = None


class Reaction(Record, frozen=True, kw_only=True):
    """One emoji under a message and who set it."""

    emoji: str
    user_ids: tuple[int, ...]


class Reference(Record, frozen=True, kw_only=True):
    """The message that another one answers, or the thread (without `message_id`) that a notice announces."""

    message_id: int | None
    channel_id: int


class Origin(Record, frozen=True, kw_only=True):
    """The interaction a message answers (Discord's `interaction_metadata`)."""

    id: int
    type: int
    user_id: int
    name: str = ""  # of the command
    message_id: int | None = None  # whose button was pressed
    target_id: int | None = None  # of a context-menu command


class Message(Record, frozen=True, kw_only=True):
    """One message. Times are seconds since the epoch."""

    id: int
    channel_id: int
    author_id: int
    created: float
    type: MessageType = MessageType.DEFAULT
    content: str = ""
    edited: float | None = None
    flags: int = 0
    tts: bool = False
    embeds: tuple[Json, ...] = ()  # as sent, so `attachment://` links are still in them
    components: tuple[Json, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    mentions: tuple[int, ...] = ()
    mentions_everyone: bool = False
    reference: Reference | None = None
    origin: Origin | None = None
    only_for: int | None = None  # the one user who sees an ephemeral message
    nonce: str | None = None

    @property
    def loading(self) -> bool:
        """Whether this is still "Darkroom is thinking…"."""
        return bool(self.flags & MessageFlag.LOADING)


class Command(Record, frozen=True, kw_only=True):
    """A registered application command; `guild_id` is None for a global one."""

    id: int
    version: int
    body: Json  # as the API returns it, without ids
    guild_id: int | None = None

    @property
    def name(self) -> str:
        """The command's first word."""
        return str(self.body["name"])

    @property
    def type(self) -> int:
        """1 slash, 2 on a user, 3 on a message."""
        return int(self.body.get("type", 1))


class Guild(Record, frozen=True, kw_only=True):
    """The one server of a playground."""

    id: int
    name: str
    owner_id: int


class WorldState(Record, frozen=True, kw_only=True):
    """Everything that a restart must bring back."""

    token: str
    bot_id: int
    guild: Guild
    roles: tuple[Role, ...]
    users: tuple[User, ...]
    channels: tuple[Channel, ...]
    messages: tuple[Message, ...]
    commands: tuple[Command, ...]
