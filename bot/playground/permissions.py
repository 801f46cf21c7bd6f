"""Who may do what where: Discord's permission bits and how roles and overwrites combine.

Source: https://docs.discord.com/developers/topics/permissions#permission-overwrites
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntFlag

from bot.playground.records import Channel, ChannelType, Guild, Overwrite, Role, User


class Permission(IntFlag):
    """The bits that the playground looks at; all others are carried along unread."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL = (1 << 53) - 1  # every bit Discord has given a meaning so far
EVERYONE = int(
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
)
BOT = EVERYONE | int(Permission.MANAGE_MESSAGES | Permission.MANAGE_THREADS | Permission.CREATE_PRIVATE_THREADS)
DIRECT_MESSAGE = EVERYONE | int(Permission.MENTION_EVERYONE)


def effective(guild: Guild, roles: Mapping[int, Role], user: User, channel: Channel | None = None) -> int:
    """The user's permission bits in the guild or, with `channel` (a thread's parent for threads), in a channel."""
    if channel is not None and channel.type is ChannelType.DM:
        return DIRECT_MESSAGE
    base = roles[guild.id].permissions
    for role in user.roles:
        base |= roles[role].permissions
    if user.id == guild.owner_id or base & Permission.ADMINISTRATOR:
        return ALL
    if channel is None:
        return base
    return _overwritten(base, guild, user, channel.overwrites)


def _overwritten(base: int, guild: Guild, user: User, overwrites: Iterable[Overwrite]) -> int:
    """Everyone's overwrite first, then those of the user's roles together, then the user's own."""
    by_id = {overwrite.id: overwrite for overwrite in overwrites}
    allow = deny = 0
    if everyone := by_id.get(guild.id):
        base = base & ~everyone.deny | everyone.allow
    for role in user.roles:
        if overwrite := by_id.get(role):
            allow |= overwrite.allow
            deny |= overwrite.deny
    base = base & ~deny | allow
    if own := by_id.get(user.id):
        base = base & ~own.deny | own.allow
    return base
