"""What a person can do in Discord: talk, run commands, press buttons, fill in forms, react.

The page and the test driver both act through this; each action is checked as Discord's own client
would check it, before the bot hears of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.playground.drafts import CONTENT_LENGTH, Upload, walk
from bot.playground.errors import ActionError
from bot.playground.interactions import Interaction, Interactions, Kind
from bot.playground.options import Filled, fill, find_user, leaf, resolve_entity, wrap
from bot.playground.permissions import Permission
from bot.playground.records import Channel, ChannelType, Command, Json, Message, Role, User
from bot.playground.world import World

_BUTTON, _LINK_STYLE, _STRING_SELECT = 2, 5, 3
_ENTITY_SELECTS = {5: ("users",), 6: ("roles",), 7: ("users", "roles"), 8: ("channels",)}
_TEXT_INPUT, _FILE_UPLOAD, _RADIO, _CHECKBOX = 4, 19, 21, 23
_ROW, _LABEL = 1, 18


class Actions:
    """Acts for the people of one world."""

    def __init__(self, world: World, interactions: Interactions) -> None:
        self._world = world
        self._interactions = interactions

    # --- seeing --------------------------------------------------------------------------------

    def visible_channels(self, user_id: int) -> list[Channel]:
        """Channels, threads and the direct message that this user sees."""
        return [channel for channel in self._world.channels.values() if self.sees(user_id, channel)]

    def sees(self, user_id: int, channel: Channel) -> bool:
        """Whether the user sees the channel."""
        if channel.type is ChannelType.DM:
            return channel.recipient_id == user_id
        if channel.type is ChannelType.PRIVATE_THREAD and channel.thread and user_id not in channel.thread.members:
            return self._world.can(user_id, Permission.MANAGE_THREADS, channel)
        return self._world.can(user_id, Permission.VIEW_CHANNEL, channel)

    def visible_messages(self, user_id: int, channel_id: int) -> list[Message]:
        """The channel's messages as this user sees them, oldest first."""
        return [item for item in self._world.messages(channel_id) if item.only_for in (None, user_id)]

    def visible_commands(self, user_id: int, channel: Channel) -> list[Command]:
        """The commands offered to this user in this channel."""
        if not self._world.can(user_id, Permission.USE_APPLICATION_COMMANDS, channel):
            return []
        return [command for command in self._world.commands.values() if self._offered(command, user_id, channel)]

    def _offered(self, command: Command, user_id: int, channel: Channel) -> bool:
        body = command.body
        if channel.type is ChannelType.DM:
            contexts = body.get("contexts")
            in_dm = 1 in contexts if contexts is not None else body.get("dm_permission", True) is not False
            return command.guild_id is None and in_dm
        needed = body.get("default_member_permissions")
        if needed is None:
            return True
        mine = self._world.permissions(user_id, channel)
        if mine & Permission.ADMINISTRATOR:
            return True
        return int(needed) != 0 and mine & int(needed) == int(needed)

    def _place(self, user_id: int, channel_id: int) -> Channel:
        self._world.user(user_id)
        channel = self._world.channel(channel_id)
        if not self.sees(user_id, channel):
            raise ActionError("You cannot see that channel.")
        return channel

    def _seen_message(self, user_id: int, channel_id: int, message_id: int) -> Message:
        message = self._world.message(self._place(user_id, channel_id).id, message_id)
        if message.only_for not in (None, user_id):
            raise ActionError("You cannot see that message.")
        return message

    # --- talking -------------------------------------------------------------------------------

    async def send(
        self, user_id: int, channel_id: int, content: str, *, reply_to: int | None = None,
        uploads: Sequence[Upload] = (), ping: bool = True,
    ) -> Message:  # fmt: skip
        """Send a message."""
        channel = self._place(user_id, channel_id)
        thread = channel.thread
        needed = Permission.SEND_MESSAGES_IN_THREADS if thread else Permission.SEND_MESSAGES
        if not self._world.can(user_id, needed, channel):
            raise ActionError("You may not write in this channel.")
        if thread and thread.locked:
            raise ActionError("This thread is locked.")
        self._check_text(content, has_files=bool(uploads))
        self._check_files(uploads)
        body: Json = {"content": content}
        if reply_to is not None:
            target = self._seen_message(user_id, channel_id, reply_to)
            if target.only_for is not None:
                raise ActionError("A message that only you can see cannot be answered.")
            body["message_reference"] = {"message_id": str(reply_to), "channel_id": str(channel_id)}
            body["allowed_mentions"] = {"parse": ["users", "everyone"], "replied_user": ping}
        if thread:
            self._world.join_thread(channel, user_id)
        return await self._world.post(author_id=user_id, channel_id=channel_id, body=body, uploads=uploads)

    async def edit(self, user_id: int, channel_id: int, message_id: int, content: str) -> Message:
        """Edit one's own message."""
        message = self._seen_message(user_id, channel_id, message_id)
        if message.author_id != user_id:
            raise ActionError("You can edit your own messages only.")
        self._check_text(content, has_files=bool(message.attachments))
        return await self._world.edit(message, {"content": content})

    def delete(self, user_id: int, channel_id: int, message_id: int) -> None:
        """Delete one's own message, or another's with the permission."""
        message = self._seen_message(user_id, channel_id, message_id)
        allowed = message.author_id == user_id or message.only_for == user_id
        if not allowed and not self._world.can(user_id, Permission.MANAGE_MESSAGES, self._world.channel(channel_id)):
            raise ActionError("You may delete your own messages only.")
        self._world.delete(message)

    def react(self, user_id: int, channel_id: int, message_id: int, emoji: str, *, on: bool = True) -> Message:
        """Set or take away a reaction."""
        message = self._seen_message(user_id, channel_id, message_id)
        if message.only_for is not None or not 1 <= len(emoji) <= 64:
            raise ActionError("You cannot react with that here.")
        return (self._world.react if on else self._world.unreact)(message, emoji, user_id)

    def typing(self, user_id: int, channel_id: int) -> None:
        """Show the user as typing."""
        self._world.typing(self._place(user_id, channel_id), user_id)

    def start_thread(self, user_id: int, channel_id: int, name: str, *, message_id: int | None = None) -> Channel:
        """Start a public thread, at a message or without one."""
        channel = self._place(user_id, channel_id)
        if channel.type is not ChannelType.TEXT:
            raise ActionError("A thread starts in a text channel.")
        if not 1 <= len(name.strip()) <= 100:
            raise ActionError("A thread's name has 1 to 100 characters.")
        message = self._seen_message(user_id, channel_id, message_id) if message_id else None
        return self._world.add_thread(channel, name.strip(), owner_id=user_id, message=message)

    @staticmethod
    def _check_text(content: str, *, has_files: bool) -> None:
        if not content.strip() and not has_files:
            raise ActionError("There is nothing to send.")
        if len(content) > CONTENT_LENGTH:
            raise ActionError(f"A message has at most {CONTENT_LENGTH} characters; this one has {len(content)}.")

    def _check_files(self, uploads: Iterable[Upload]) -> None:
        limit = self._world.limits.file_bytes
        for upload in uploads:
            if len(upload.data) > limit:
                raise ActionError(f"{upload.filename} is larger than {limit // 2**20} MiB.")

    # --- commands ------------------------------------------------------------------------------

    def find_command(self, user_id: int, channel_id: int, words: str, *, kind: int = 1) -> tuple[Command, list[str]]:
        """The command that `words` ("admin queue pause") names, and its subcommand path."""
        channel = self._place(user_id, channel_id)
        name, *path = words.split() if kind == 1 else [words]
        for command in self.visible_commands(user_id, channel):
            if command.name == name and command.type == kind:
                return command, path
        raise ActionError(f"There is no command {words!r} here for {self._world.users[user_id].display_name}.")

    async def run(
        self, user_id: int, channel_id: int, command: Command, path: Sequence[str], values: Mapping[str, Any]
    ) -> Interaction:
        """Run a slash command."""
        channel = self._place(user_id, channel_id)
        if command not in self.visible_commands(user_id, channel):
            raise ActionError(f"You may not use /{command.name} here.")
        filled = fill(self._world, leaf(command.body, path), values)
        self._check_files(filled.uploads.values())
        for name, upload in filled.uploads.items():
            stored = await self._world.store(channel_id, [Upload(0, upload.filename, upload.data)])
            filled.add_attachment(name, stored[0], self._world.wire.attachment(stored[0]))
        data = _command_data(command, wrap(command.body, path, filled.options), filled)
        words = " ".join((command.name, *path))
        return self._interactions.open(Kind.COMMAND, user_id=user_id, channel=channel, data=data, command=words)

    def autocomplete(
        self, user_id: int, channel_id: int, command: Command, path: Sequence[str], values: Mapping[str, Any],
        focused: str,
    ) -> Interaction:  # fmt: skip
        """Ask the bot for choices for the option `focused`."""
        channel = self._place(user_id, channel_id)
        filled = fill(self._world, leaf(command.body, path), {focused: "", **values}, focused=focused)
        data = _command_data(command, wrap(command.body, path, filled.options), filled)
        return self._interactions.open(
            Kind.AUTOCOMPLETE, user_id=user_id, channel=channel, data=data, command=command.name
        )

    def run_on_message(self, user_id: int, channel_id: int, command: Command, message_id: int) -> Interaction:
        """Run a message context-menu command."""
        message = self._seen_message(user_id, channel_id, message_id)
        filled = Filled()
        filled.resolve("messages", message.id, self._world.wire.message(message))
        return self._run_on(user_id, channel_id, command, message.id, filled)

    def run_on_user(self, user_id: int, channel_id: int, command: Command, target: object) -> Interaction:
        """Run a user context-menu command."""
        user = find_user(self._world, target)
        if user is None:
            raise ActionError(f"Nobody here is called {target!r}.")
        filled = Filled()
        resolve_entity(self._world, filled, "users", user)
        return self._run_on(user_id, channel_id, command, user.id, filled)

    def _run_on(self, user_id: int, channel_id: int, command: Command, target: int, filled: Filled) -> Interaction:
        channel = self._place(user_id, channel_id)
        data = _command_data(command, None, filled) | {"target_id": str(target)}
        return self._interactions.open(
            Kind.COMMAND, user_id=user_id, channel=channel, data=data, command=command.name,
            command_type=command.type, target_id=target,
        )  # fmt: skip

    # --- buttons, selects, modals --------------------------------------------------------------

    def use_component(
        self, user_id: int, channel_id: int, message_id: int, custom_id: str, values: Sequence[Any] = ()
    ) -> Interaction:
        """Press a button, or choose `values` in a select."""
        message = self._seen_message(user_id, channel_id, message_id)
        found = [item for item in walk(list(message.components)) if item.get("custom_id") == custom_id]
        if not found:
            raise ActionError(f"That message has no button or menu {custom_id!r} (any more).")
        component = found[0]
        if component.get("disabled"):
            raise ActionError("That button or menu is switched off.")
        kind = int(component["type"])
        data: Json = {"custom_id": custom_id, "component_type": kind, "id": component["id"]}
        if kind != _BUTTON:
            filled = Filled()
            data["values"] = self._chosen(component, values, filled)
            data |= {"resolved": filled.resolved} if kind in _ENTITY_SELECTS else {}
        channel = self._world.channel(channel_id)
        return self._interactions.open(Kind.COMPONENT, user_id=user_id, channel=channel, data=data, message=message)

    def _chosen(self, select: Json, values: Sequence[Any], filled: Filled) -> list[str]:
        least = 1 if select.get("min_values") is None else int(select["min_values"])
        most = int(select.get("max_values") or 1)
        if select.get("required") is False:
            least = 0
        if not least <= len(values) <= most:
            raise ActionError(f"Choose {least} to {most}.")
        if select["type"] == _STRING_SELECT:
            return [self._option_value(select, value) for value in values]
        return [self._entity(select, value, filled) for value in values]

    @staticmethod
    def _option_value(select: Json, value: Any) -> str:
        for option in select["options"]:
            if str(value) in (option["value"], option["label"]):
                return str(option["value"])
        raise ActionError(f"{value!r} is not in the menu.")

    def _entity(self, select: Json, value: Any, filled: Filled) -> str:
        world = self._world
        known: dict[str, Mapping[int, User | Role | Channel]] = {
            "users": world.users, "roles": world.roles, "channels": world.channels,
        }  # fmt: skip
        snowflake = int(getattr(value, "id", value))
        for group in _ENTITY_SELECTS[select["type"]]:
            if entity := known[group].get(snowflake):
                resolve_entity(world, filled, group, entity)
                return str(snowflake)
        raise ActionError(f"{value!r} is not in the menu.")

    async def submit_modal(self, user_id: int, interaction_id: int, values: Mapping[str, Any]) -> Interaction:
        """Send the form that an interaction's answer opened; `values` by custom_id."""
        opener = self._interactions.by_id(interaction_id)
        if opener is None or opener.modal is None or opener.user_id != user_id:
            raise ActionError("That form is not open (any more).")
        filled = Filled()
        asked, place = opener.modal["components"], opener.channel_id
        components = [await self._submitted(place, item, values, filled) for item in asked]
        data: Json = {"custom_id": opener.modal["custom_id"], "components": components, "resolved": filled.resolved}
        message = self._world.find_message(opener.channel_id, opener.message_id or 0)
        return self._interactions.open(
            Kind.MODAL, user_id=user_id, channel=self._world.channel(opener.channel_id), data=data, message=message,
            command=opener.command,
        )  # fmt: skip

    async def _submitted(self, channel_id: int, component: Json, values: Mapping[str, Any], filled: Filled) -> Json:
        """One top-level component of a form with what was filled in."""
        kind = component["type"]
        base: Json = {"type": kind, "id": component.get("id", 0)}
        if kind == _ROW:
            inner = [await self._field(channel_id, item, values, filled) for item in component["components"]]
            return base | {"components": inner}
        if kind == _LABEL:
            return base | {"component": await self._field(channel_id, component["component"], values, filled)}
        return base  # a text display has nothing to fill in

    async def _field(self, channel_id: int, spec: Json, values: Mapping[str, Any], filled: Filled) -> Json:
        kind, custom_id = spec["type"], spec["custom_id"]
        base: Json = {"type": kind, "id": spec.get("id", 0), "custom_id": custom_id}
        given = values.get(custom_id)
        if kind == _TEXT_INPUT:
            return base | {"value": _checked_input(spec, str(given if given is not None else spec.get("value") or ""))}
        if kind == _CHECKBOX:
            return base | {"value": bool(spec.get("default") if given is None else given)}
        if kind == _RADIO:
            return base | {"value": given}
        several = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
        if kind == _FILE_UPLOAD:
            return base | {"values": await self._uploaded(channel_id, several, filled)}
        if kind == _STRING_SELECT or kind in _ENTITY_SELECTS:
            return base | {"values": self._chosen(spec, several, filled)}
        return base | {"values": several}

    async def _uploaded(self, channel_id: int, uploads: Sequence[Upload], filled: Filled) -> list[str]:
        self._check_files(uploads)
        stored = await self._world.store(channel_id, uploads)
        for attachment in stored.values():
            filled.resolve("attachments", attachment.id, self._world.wire.attachment(attachment))
        return [str(attachment.id) for attachment in stored.values()]


def _command_data(command: Command, options: list[Json] | None, filled: Filled) -> Json:
    data: Json = {"id": str(command.id), "name": command.name, "type": command.type}
    if options is not None:
        data["options"] = options
    if filled.resolved:
        data["resolved"] = filled.resolved
    return data | {"guild_id": str(command.guild_id)} if command.guild_id else data


def _checked_input(spec: Json, value: str) -> str:
    least = spec.get("min_length") or (1 if spec.get("required", True) else 0)
    most = spec.get("max_length") or 4_000
    if value or spec.get("required", True):
        what = spec.get("label") or spec["custom_id"]
        if not least <= len(value) <= most:
            raise ActionError(f"{what!r} must have {least} to {most} characters; it has {len(value)}.")
    return value
