"""The page's side: static files, what it loads, what people do on it, and the live websocket.

Everything here lies under the secret token; the bot's REST and gateway are elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from bot.playground.actions import Actions
from bot.playground.command_line import parse
from bot.playground.drafts import Upload
from bot.playground.errors import ActionError, DiscordError, PlaygroundError
from bot.playground.guard import SAFE_HEADERS
from bot.playground.interactions import Interaction
from bot.playground.records import Channel, Command, Json, Message
from bot.playground.rest.call import read_body
from bot.playground.world import Event, World

_STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_EVENTS_WAITING = 500  # per open page; one that lags further is cut off and loads anew
_MESSAGES_AT_ONCE = 60

Action = Callable[[int, Json, tuple[Upload, ...]], Awaitable[Any]]


class Page:
    """Serves the page of one playground."""

    def __init__(self, world: World, actions: Actions, online: Callable[[], bool]) -> None:
        self._world = world
        self._actions = actions
        self._online = online
        self._sockets: dict[web.WebSocketResponse, asyncio.Queue[str]] = {}
        self._files = {path.name: path for path in _STATIC.iterdir() if path.suffix in _TYPES}
        self._stop_listening = world.listen(self._hear)
        self._acts: Mapping[str, Action] = {
            "send": self._send, "edit": self._edit, "delete": self._delete, "react": self._react,
            "typing": self._typing, "thread": self._thread, "command": self._command,
            "autocomplete": self._autocomplete, "context": self._context, "component": self._component,
            "modal": self._modal,
        }  # fmt: skip

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request for `path` below the token."""
        if path == "ws":
            return await self._live(request)
        if path.startswith("api/"):
            return await self._api(request, path.removeprefix("api/"))
        file = self._files.get(path or "index.html")
        if file is None:
            return web.Response(status=404, text="There is nothing at this address.", headers=dict(SAFE_HEADERS))
        headers = {**SAFE_HEADERS, "Content-Type": f"{_TYPES[file.suffix]}; charset=utf-8"}
        return web.FileResponse(file, headers=headers)

    async def close(self) -> None:
        """Close every open page's websocket."""
        self._stop_listening()
        for socket in list(self._sockets):
            await socket.close(code=1001)

    # --- loading and acting --------------------------------------------------------------------

    async def _api(self, request: web.Request, name: str) -> web.Response:
        try:
            if request.method == "GET":
                data = self._load(name, request.query)
            else:
                body, uploads = await read_body(request, self._world.limits)
                data = await self._act(name, body, uploads)
        except DiscordError as error:
            return _json({"error": error.message}, 400)
        except PlaygroundError as error:
            return _json({"error": str(error)}, 400)
        return _json(data, 200)

    def _load(self, name: str, query: Mapping[str, str]) -> Json:
        user = self._world.user(_id(query.get("user") or self._default_user()))
        if name == "state":
            return self._state(user.id)
        if name == "channel":
            return self._channel(user.id, _id(query.get("channel")), query.get("before"))
        raise ActionError(f"The page asked for {name!r}, which is not there.")

    def _default_user(self) -> int:
        return next(user.id for user in self._world.users.values() if not user.bot)

    def _state(self, user_id: int) -> Json:
        world, wire = self._world, self._world.wire
        direct = world.direct_channel(user_id)
        channels = sorted(self._actions.visible_channels(user_id), key=lambda item: (item.position, item.id))
        return {
            "guild": {"id": str(world.guild.id), "name": world.guild.name},
            "bot": wire.user(world.bot), "online": self._online(), "me": str(user_id), "direct": str(direct.id),
            "users": [self._person(user.id) for user in world.users.values()],
            "roles": [wire.role(role) for role in world.roles.values()],
            "channels": [wire.channel(channel) for channel in channels],
            "limits": {
                "file_bytes": world.limits.file_bytes, "acknowledge_seconds": world.limits.acknowledge_seconds,
                "token_seconds": world.limits.token_seconds,
            },
        }  # fmt: skip

    def _person(self, user_id: int) -> Json:
        user = self._world.users[user_id]
        roles = [self._world.roles[role] for role in user.roles]
        top = max(roles, key=lambda role: role.position, default=None)
        colour = f"#{top.colour:06x}" if top and top.colour else None
        return self._world.wire.user(user) | {"name": user.display_name, "role_colour": colour}

    def _channel(self, user_id: int, channel_id: int, before: str | None) -> Json:
        channel = self._world.channel(channel_id)
        if not self._actions.sees(user_id, channel):
            raise ActionError("You cannot see that channel.")
        messages = self._actions.visible_messages(user_id, channel_id)
        if before is not None:
            messages = [message for message in messages if message.id < _id(before)]
        commands = self._actions.visible_commands(user_id, channel)
        return {
            "channel": self._world.wire.channel(channel),
            "messages": [self._shown(message) for message in messages[-_MESSAGES_AT_ONCE:]],
            "more": len(messages) > _MESSAGES_AT_ONCE,
            "commands": [self._world.wire.command(command) for command in commands],
        }  # fmt: skip

    def _shown(self, message: Message) -> Json:
        data = self._world.wire.message_event(message)
        for shown, reaction in zip(data.get("reactions", ()), message.reactions, strict=True):
            shown["users"] = [str(user) for user in reaction.user_ids]
        return data | {"only_for": str(message.only_for)} if message.only_for else data

    async def _act(self, name: str, body: Any, uploads: tuple[Upload, ...]) -> Any:
        action = self._acts.get(name)
        if action is None or not isinstance(body, dict):
            raise ActionError(f"The page asked for {name!r}, which is not there.")
        user_id = _id(body.get("user"))
        if self._world.user(user_id).bot:
            raise ActionError("Nobody can speak as the bot.")
        try:
            return await action(user_id, body, uploads)
        except KeyError as error:
            raise ActionError(f"The page left out {error}.") from error

    async def _send(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        reply_to = _id(body["reply_to"]) if body.get("reply_to") else None
        message = await self._actions.send(
            user_id, _id(body["channel"]), str(body["content"]), reply_to=reply_to, uploads=uploads,
            ping=bool(body.get("ping", True)),
        )  # fmt: skip
        return {"id": str(message.id)}

    async def _edit(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        await self._actions.edit(user_id, _id(body["channel"]), _id(body["message"]), str(body["content"]))
        return {}

    async def _delete(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        self._actions.delete(user_id, _id(body["channel"]), _id(body["message"]))
        return {}

    async def _react(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        self._actions.react(
            user_id, _id(body["channel"]), _id(body["message"]), str(body["emoji"]), on=bool(body.get("on", True))
        )
        return {}

    async def _typing(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        self._actions.typing(user_id, _id(body["channel"]))
        return {}

    async def _thread(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        message_id = _id(body["message"]) if body.get("message") else None
        thread = self._actions.start_thread(user_id, _id(body["channel"]), str(body["name"]), message_id=message_id)
        return {"id": str(thread.id)}

    async def _command(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        """Run the line in the composer; files go to the attachment options that name them by index."""
        channel = self._world.channel(_id(body["channel"]))
        line = parse(str(body["line"]), self._actions.visible_commands(user_id, channel))
        values: dict[str, Any] = dict(line.values) | (body.get("chosen") or {})
        by_index = {upload.index: upload for upload in uploads}
        for option, index in (body.get("files") or {}).items():
            values[option] = by_index[int(index)]
        interaction = await self._actions.run(user_id, channel.id, line.command, line.path, values)
        return _handle_of(interaction, channel)

    async def _autocomplete(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        channel = self._world.channel(_id(body["channel"]))
        line = parse(str(body["line"]), self._actions.visible_commands(user_id, channel))
        values = dict(line.values) | {str(body["option"]): str(body.get("text") or "")}
        interaction = self._actions.autocomplete(
            user_id, channel.id, line.command, line.path, values, str(body["option"])
        )
        return _handle_of(interaction, channel)

    async def _context(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        channel = self._world.channel(_id(body["channel"]))
        command = self._offered(user_id, channel, _id(body["command"]))
        run = self._actions.run_on_message if command.type == 3 else self._actions.run_on_user
        return _handle_of(run(user_id, channel.id, command, _id(body["target"])), channel)

    def _offered(self, user_id: int, channel: Channel, command_id: int) -> Command:
        for command in self._actions.visible_commands(user_id, channel):
            if command.id == command_id:
                return command
        raise ActionError("That command is not there (any more).")

    async def _component(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        channel = self._world.channel(_id(body["channel"]))
        interaction = self._actions.use_component(
            user_id, channel.id, _id(body["message"]), str(body["custom_id"]), body.get("values") or []
        )
        return _handle_of(interaction, channel)

    async def _modal(self, user_id: int, body: Json, uploads: tuple[Upload, ...]) -> Json:
        values: dict[str, Any] = dict(body.get("values") or {})
        by_index = {upload.index: upload for upload in uploads}
        for custom_id, indexes in (body.get("files") or {}).items():
            values[custom_id] = [by_index[int(index)] for index in indexes]
        interaction = await self._actions.submit_modal(user_id, _id(body["interaction"]), values)
        return {"interaction": str(interaction.id)}

    # --- live ----------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        if not event.to_page or not self._sockets:
            return
        text = json.dumps({
            "name": event.name, "data": event.data | ({"only_for": str(event.only_for)} if event.only_for else {}),
            "channel": str(event.channel.id) if event.channel else None,
        })  # fmt: skip
        for queue in self._sockets.values():
            with suppress(asyncio.QueueFull):  # the sender sees the full queue and closes
                queue.put_nowait(text)

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=30.0, max_msg_size=2**12)
        await socket.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue(_EVENTS_WAITING)
        self._sockets[socket] = queue
        sender = asyncio.create_task(_send_all(socket, queue))
        try:
            async for frame in socket:
                if frame.type is WSMsgType.ERROR:
                    break
        finally:
            del self._sockets[socket]
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender
        return socket


async def _send_all(socket: web.WebSocketResponse, queue: asyncio.Queue[str]) -> None:
    with suppress(ConnectionError):
        while True:
            text = await queue.get()
            if queue.full():
                await socket.close(code=1013)
                return
            await socket.send_str(text)


def _handle_of(interaction: Interaction, channel: Channel) -> Json:
    return {"interaction": str(interaction.id), "channel": str(channel.id), "command": interaction.command}


def _id(value: Any) -> int:
    """An id from the page.

    Raises:
        ActionError: it is none.
    """
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise ActionError(f"{value!r} is no id.")
    return int(text)


def _json(data: Any, status: int) -> web.Response:
    return web.Response(
        body=json.dumps(data).encode(), status=status, content_type="application/json", headers=dict(SAFE_HEADERS)
    )
