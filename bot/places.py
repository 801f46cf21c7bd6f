"""Turns an interaction into what the store keeps of it: who asked, and where the answer stands."""

from __future__ import annotations

import dataclasses

import discord

from generation.studio import Job, Owner, Place
from store.visibility import Viewer

SOURCE = "discord"
DEFAULT_FILE_LIMIT = 10 * 2**20  # bytes that Discord takes for one file where nobody pays for more
NEEDED = {"embed_links": "Embed Links", "attach_files": "Attach Files"}  # to show a picture; Discord's own names
NAME_LIMIT = 100  # characters of a person's name


def owner_of(interaction: discord.Interaction) -> Owner:
    """The person who typed or pressed."""
    user = interaction.user
    return known_as(user)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessagePlace:
    """A message of the bot's, and how to reach it."""

    guild_id: int | None
    channel_id: int
    message_id: int
    token: str  # of the interaction; dead 15 minutes after it
    bot_sees_it: bool  # with the bot's own token
    with_strip: bool  # whether the strip is to come along with the picture
    file_limit: int = DEFAULT_FILE_LIMIT  # bytes of one file
    posting: bool = False  # a new message was about to be posted, and may be there


def owner_in(message: discord.Message) -> Owner:
    """Who wrote the message."""
    return known_as(message.author)


def known_as(user: discord.abc.User) -> Owner:
    """How the store knows a person."""
    roles = user.roles if isinstance(user, discord.Member) else ()
    return Owner(
        source=SOURCE,
        external_id=str(user.id),
        name=user.display_name[:NAME_LIMIT],
        roles=tuple(str(role.id) for role in roles if not role.is_default()),
    )


def viewer_of(interaction: discord.Interaction, *, alone: bool = False) -> Viewer:
    """Who typed or pressed, and where the answer will stand. `alone`: they alone will see it."""
    guild = interaction.guild_id
    return Viewer(
        source=SOURCE,
        person=str(interaction.user.id),
        guild=None if guild is None else str(guild),
        channels=_channels(interaction.channel_id, interaction.channel),
        alone=alone or (guild is None and interaction.context.dm_channel),
    )


def viewer_in(message: discord.Message) -> Viewer:
    """Who wrote the message, and where."""
    return Viewer(
        source=SOURCE,
        person=str(message.author.id),
        guild=None if message.guild is None else str(message.guild.id),
        channels=_channels(message.channel.id, message.channel),
        alone=message.guild is None,
    )


def _channels(channel_id: int | None, channel: object) -> tuple[str, ...]:
    """The channel, and of a thread the one that it belongs to."""
    parent = channel.parent_id if isinstance(channel, discord.Thread) else None
    return tuple(str(known) for known in (channel_id, parent) if known is not None)


def place_of(interaction: discord.Interaction, message_id: int, *, with_strip: bool, private: bool = False) -> Place:
    """Where the answer `message_id` to an interaction stands, as the store keeps it.

    `private`: its person alone sees it, so that the bot's own token does not reach it.
    """
    return Place(
        guild=str(interaction.guild_id) if interaction.guild_id is not None else None,
        channel=str(interaction.channel_id),
        message=str(message_id),
        interaction=interaction.token,
        extra={
            "bot_sees_it": bot_sees(interaction) and not private,
            "with_strip": with_strip,
            "file_limit": file_limit(interaction),
        },
    )


def direct_place(place: Place, channel_id: int, message_id: int) -> Place:
    """The place of a message to the person alone that takes over from the one at `place`."""
    extra = place.extra | {"bot_sees_it": True, "file_limit": DEFAULT_FILE_LIMIT}
    return dataclasses.replace(place, guild=None, channel=str(channel_id), message=str(message_id), extra=extra)


def posting_place(place: Place) -> Place:
    """The place, with a note that a new message is about to be posted there."""
    return dataclasses.replace(place, extra=place.extra | {"posting": True})


def message_place(job: Job) -> MessagePlace | None:
    """Where the job's message stands; None for a job that did not come from Discord."""
    place = job.place
    if job.owner.source != SOURCE or place is None or place.message is None:
        return None
    return MessagePlace(
        guild_id=int(place.guild) if place.guild is not None else None,
        channel_id=int(place.channel),
        message_id=int(place.message),
        token=place.interaction or "",
        bot_sees_it=bool(place.extra.get("bot_sees_it")),
        with_strip=bool(place.extra.get("with_strip")),
        file_limit=int(place.extra.get("file_limit") or DEFAULT_FILE_LIMIT),
        posting=bool(place.extra.get("posting")),
    )


def bot_sees(interaction: discord.Interaction) -> bool:
    """Whether the bot's own token can edit the answer: the bot must be there itself and may show pictures."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    may = interaction.app_permissions
    is_member = interaction.client.get_guild(interaction.guild_id) is not None
    return is_member and may.view_channel and may.embed_links and may.attach_files


def file_limit(interaction: discord.Interaction) -> int:
    """How many bytes one file may have there, by whichever token it is sent."""
    guild = interaction.client.get_guild(interaction.guild_id) if interaction.guild_id is not None else None
    of_guild = guild.filesize_limit if guild is not None else DEFAULT_FILE_LIMIT
    return min(interaction.filesize_limit, of_guild)


def missing_permissions(interaction: discord.Interaction) -> list[str]:
    """What the bot lacks to show pictures where it was asked, in Discord's names; only where it can look."""
    if interaction.guild_id is None or interaction.client.get_guild(interaction.guild_id) is None:
        return []
    may = interaction.app_permissions
    return _missing(may) if may.view_channel else []


def missing_beside(message: discord.Message) -> list[str]:
    """What the bot lacks to show pictures where the message stands, in Discord's names."""
    channel = message.channel
    if message.guild is None or not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return []
    return _missing(channel.permissions_for(message.guild.me))


def _missing(may: discord.Permissions) -> list[str]:
    return [name for flag, name in NEEDED.items() if not getattr(may, flag)]
