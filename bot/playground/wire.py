"""Records as the JSON objects of Discord's API v10.

Ids travel as strings, times as ISO 8601. An attachment that an embed shows through `attachment://`
is left out of `attachments`, and comes back when an edit drops or rewrites that link: Discord
does the same (https://github.com/discord/discord-api-docs/issues/1340).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.playground.records import (
    Attachment,
    Channel,
    ChannelType,
    Command,
    Json,
    Message,
    MessageFlag,
    MessageType,
    Role,
    User,
)
from bot.playground.snowflakes import created_at

if TYPE_CHECKING:
    from bot.playground.world import World

_LINK = "attachment://"
_JOINED = "2026-01-01T00:00:00+00:00"


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as Discord writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def emoji_json(emoji: str) -> Json:
    """`name:id` or a Unicode emoji as a partial emoji object."""
    name, _, snowflake = emoji.partition(":")
    return {"id": snowflake or None, "name": name, "animated": False}


class Wire:
    """Renders the records of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def user(self, user: User) -> Json:
        """A user object."""
        data: Json = {
            "id": str(user.id), "username": user.name, "discriminator": "0", "global_name": user.display_name,
            "avatar": None, "banner": None, "accent_color": None, "public_flags": 0, "flags": 0,
            "avatar_decoration_data": None, "collectibles": None, "display_name_styles": None, "primary_guild": None,
            "clan": None,
        }  # fmt: skip
        return data | {"bot": True, "discriminator": "0001", "global_name": None} if user.bot else data

    def own_user(self) -> Json:
        """The bot's own user object, with what only it may see."""
        return self.user(self._world.bot) | {"mfa_enabled": False, "verified": True, "email": None, "locale": "en-US"}

    def member(self, user: User, *, with_user: bool = True) -> Json:
        """A guild member object."""
        data: Json = {
            "nick": None, "avatar": None, "banner": None, "roles": [str(role) for role in user.roles],
            "joined_at": _JOINED, "premium_since": None, "deaf": False, "mute": False, "flags": 0, "pending": False,
            "communication_disabled_until": None,
        }  # fmt: skip
        return data | {"user": self.user(user)} if with_user else data

    def role(self, role: Role) -> Json:
        """A role object."""
        return {
            "id": str(role.id), "name": role.name, "color": role.colour, "hoist": role.position > 0, "icon": None,
            "colors": {"primary_color": role.colour, "secondary_color": None, "tertiary_color": None},
            "unicode_emoji": None, "position": role.position, "permissions": str(role.permissions),
            "managed": False, "mentionable": False, "flags": 0, "description": None,
        }  # fmt: skip

    def channel(self, channel: Channel) -> Json:
        """A channel, thread or DM object."""
        last = self._world.last_message_id(channel.id)
        data: Json = {
            "id": str(channel.id), "type": int(channel.type), "flags": 0,
            "last_message_id": str(last) if last else None,
        }  # fmt: skip
        if channel.type is ChannelType.DM:
            recipient = self._world.users[channel.recipient_id or 0]
            return data | {"recipients": [self.user(recipient)]}
        data |= {"guild_id": str(channel.guild_id), "name": channel.name, "rate_limit_per_user": 0}
        if channel.thread is not None:
            return data | self._thread(channel)
        return data | {
            "topic": channel.topic or None, "position": channel.position, "nsfw": False, "parent_id": None,
            "permission_overwrites": [
                {"id": str(item.id), "type": item.kind, "allow": str(item.allow), "deny": str(item.deny)}
                for item in channel.overwrites
            ],
        }  # fmt: skip

    def _thread(self, channel: Channel) -> Json:
        state = channel.thread
        assert state is not None  # told by the caller
        count = self._world.message_count(channel.id)
        return {
            "parent_id": str(channel.parent_id), "owner_id": str(state.owner_id), "message_count": count,
            "total_message_sent": count, "member_count": len(state.members),
            "thread_metadata": {
                "archived": state.archived, "locked": state.locked, "invitable": True,
                "auto_archive_duration": state.auto_archive_minutes,
                "archive_timestamp": timestamp(state.archive_changed),
                "create_timestamp": timestamp(created_at(channel.id)),
            },
        }  # fmt: skip

    def thread_member(self, thread_id: int, user_id: int) -> Json:
        """A thread member object."""
        return {"id": str(thread_id), "user_id": str(user_id), "join_timestamp": _JOINED, "flags": 0}

    def attachment(self, attachment: Attachment) -> Json:
        """An attachment object."""
        url = self._world.cdn.url(attachment)
        data: Json = {
            "id": str(attachment.id), "filename": attachment.filename, "size": attachment.size, "url": url,
            "proxy_url": url, "content_type": attachment.content_type,
        }  # fmt: skip
        if attachment.width:
            data |= {"width": attachment.width, "height": attachment.height}
        return data | {"description": attachment.description} if attachment.description else data

    def message(self, message: Message, *, with_referenced: bool = True) -> Json:
        """A message object, without the guild fields that only gateway events carry."""
        world = self._world
        links = {item.filename: item for item in message.attachments}
        linked: set[str] = set()
        embeds = [self._resolve(embed, links, linked) for embed in message.embeds]
        data: Json = {
            "id": str(message.id), "channel_id": str(message.channel_id),
            "author": self.user(world.users[message.author_id]), "content": message.content,
            "timestamp": timestamp(message.created),
            "edited_timestamp": timestamp(message.edited) if message.edited else None,
            "tts": message.tts, "mention_everyone": message.mentions_everyone, "mention_roles": [],
            "mentions": [self.user(world.users[user]) for user in message.mentions], "pinned": False,
            "type": int(message.type), "flags": message.flags,
            "attachments": [self.attachment(item) for item in message.attachments if item.filename not in linked],
            "embeds": [{"type": "rich", **embed} for embed in embeds],
            "components": [self._resolve(item, links, set()) for item in message.components],
        }  # fmt: skip
        if message.reactions:
            data["reactions"] = [self._reaction(item.emoji, item.user_ids) for item in message.reactions]
        if message.nonce is not None:
            data["nonce"] = message.nonce
        if message.origin is not None:
            data |= {"application_id": str(world.bot.id), "webhook_id": str(world.bot.id)} | self._origin(message)
        if message.reference is not None:
            data |= self._reference(message, with_referenced)
        if message.flags & MessageFlag.HAS_THREAD and (thread := world.channels.get(message.id)):
            data["thread"] = self.channel(thread)
        return data

    def _resolve(self, value: Any, links: Mapping[str, Attachment], linked: set[str]) -> Any:
        """The same JSON with `attachment://` links turned into addresses; their names go into `linked`."""
        if isinstance(value, list):
            return [self._resolve(item, links, linked) for item in value]
        if not isinstance(value, dict):
            return value
        resolved = {name: self._resolve(item, links, linked) for name, item in value.items()}
        url = value.get("url")
        if isinstance(url, str) and url.startswith(_LINK) and (attachment := links.get(url.removeprefix(_LINK))):
            linked.add(attachment.filename)
            address = self._world.cdn.url(attachment)
            resolved |= {"url": address, "proxy_url": address, "content_type": attachment.content_type}
            if attachment.width:
                resolved |= {"width": attachment.width, "height": attachment.height}
            if attachment.description:
                resolved["description"] = attachment.description
        return resolved

    def _reaction(self, emoji: str, user_ids: tuple[int, ...]) -> Json:
        return {
            "emoji": emoji_json(emoji), "count": len(user_ids), "me": self._world.bot.id in user_ids, "me_burst": False,
            "count_details": {"burst": 0, "normal": len(user_ids)}, "burst_colors": [],
        }  # fmt: skip

    def _origin(self, message: Message) -> Json:
        origin = message.origin
        assert origin is not None  # told by the caller
        user = self.user(self._world.users[origin.user_id])
        metadata: Json = {
            "id": str(origin.id), "type": origin.type, "user": user,
            "authorizing_integration_owners": {"0": str(self._world.guild.id)},
        }  # fmt: skip
        if origin.message_id:
            metadata["interacted_message_id"] = str(origin.message_id)
        if origin.type == 5:
            metadata["triggering_interaction_metadata"] = {**metadata, "type": 2, "name": origin.name}
        if not origin.name or origin.type != 2:
            return {"interaction_metadata": metadata}
        legacy = {"id": str(origin.id), "type": origin.type, "name": origin.name, "user": user}
        return {"interaction_metadata": metadata | {"name": origin.name}, "interaction": legacy}

    def _reference(self, message: Message, with_referenced: bool) -> Json:
        reference = message.reference
        assert reference is not None  # told by the caller
        where: Json = {
            "type": 0, "channel_id": str(reference.channel_id), **self.guild_id_of(reference.channel_id),
        }  # fmt: skip
        if reference.message_id is not None:
            where["message_id"] = str(reference.message_id)
        data: Json = {"message_reference": where}
        if with_referenced and message.type is MessageType.REPLY:
            target = self._world.referenced(message)
            data["referenced_message"] = self.message(target, with_referenced=False) if target else None
        return data

    def guild_id_of(self, channel_id: int) -> Json:
        """`{"guild_id": ...}`, or nothing for a direct message."""
        channel = self._world.channels.get(channel_id)
        return {"guild_id": str(channel.guild_id)} if channel and channel.guild_id else {}

    def message_event(self, message: Message) -> Json:
        """The data of MESSAGE_CREATE and MESSAGE_UPDATE."""
        data = self.message(message) | self.guild_id_of(message.channel_id)
        data["channel_type"] = int(self._world.channels[message.channel_id].type)
        if "guild_id" in data:
            data["member"] = self.member(self._world.users[message.author_id], with_user=False)
            data["mentions"] = [
                {**user, "member": self.member(self._world.users[int(user["id"])], with_user=False)}
                for user in data["mentions"]
            ]
        return data

    def guild(self) -> Json:
        """The guild object of REST."""
        world = self._world
        return {
            "id": str(world.guild.id), "name": world.guild.name, "owner_id": str(world.guild.owner_id), "icon": None,
            "description": None, "splash": None, "discovery_splash": None, "banner": None, "features": [],
            "roles": [self.role(role) for role in world.roles.values()], "emojis": [], "stickers": [],
            "region": "local", "afk_channel_id": None, "afk_timeout": 300, "system_channel_id": None,
            "widget_enabled": False, "verification_level": 0, "default_message_notifications": 1, "mfa_level": 0,
            "explicit_content_filter": 0, "premium_tier": 0, "premium_subscription_count": 0, "nsfw_level": 0,
            "preferred_locale": "en-US", "system_channel_flags": 0, "rules_channel_id": None, "nsfw": False,
            "public_updates_channel_id": None, "vanity_url_code": None, "premium_progress_bar_enabled": False,
            "safety_alerts_channel_id": None, "application_id": None, "max_members": 100,
        }  # fmt: skip

    def guild_create(self) -> Json:
        """The data of GUILD_CREATE: the guild with its members, channels and threads."""
        world = self._world
        mine = [channel for channel in world.channels.values() if channel.guild_id]
        return self.guild() | {
            "unavailable": False, "joined_at": _JOINED, "large": False, "member_count": len(world.users),
            "members": [self.member(user) for user in world.users.values()], "voice_states": [], "presences": [],
            "channels": [self.channel(channel) for channel in mine if channel.thread is None],
            "threads": [
                self.channel(channel) for channel in mine if channel.thread is not None and not channel.thread.archived
            ],
            "stage_instances": [], "guild_scheduled_events": [], "soundboard_sounds": [],
        }  # fmt: skip

    def application(self) -> Json:
        """The bot's application object."""
        world = self._world
        return {
            "id": str(world.bot.id), "name": world.bot.display_name, "icon": None, "description": "", "summary": "",
            "type": None, "bot": self.user(world.bot), "bot_public": True, "bot_require_code_grant": False,
            "verify_key": "0" * 64, "flags": 0, "flags_new": "0", "team": None,
            "owner": self.user(world.users[world.guild.owner_id]), "interactions_endpoint_url": None,
            "eligible_oauth2_scopes": [], "role_connections_verification_url": None, "explicit_content_filter": 0,
            "approximate_user_authorization_count": 0,
            "hook": True, "redirect_uris": [], "integration_types_config": {"0": {}, "1": {}},
            "approximate_guild_count": 1, "approximate_user_install_count": 0,
        }  # fmt: skip

    def command(self, command: Command) -> Json:
        """A registered application command."""
        data = {
            "id": str(command.id), "application_id": str(self._world.bot.id), "version": str(command.version),
            **command.body,
        }  # fmt: skip
        return data | {"guild_id": str(command.guild_id)} if command.guild_id else data
