"""The gateway v10: the websocket over which a bot hears what happens.

Each session numbers its events and keeps the last ones, so that a bot whose connection broke can
resume and miss nothing. Intents decide what a session hears, as on Discord: without the
message-content intent the text of a guild message arrives only when the bot is mentioned.
Source: https://docs.discord.com/developers/events/gateway
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from enum import IntEnum, IntFlag
from typing import Any

from aiohttp import WSMsgType, web

from bot.playground.records import Json
from bot.playground.world import Event, World

HEARTBEAT_INTERVAL = 41_250  # milliseconds
# seconds until a heartbeat is answered, as any network takes some: where the answer comes before discord.py's thread
# has noted when it asked, that counts from the heartbeat before and says that it is a whole interval behind
HEARTBEAT_ANSWER = 0.1
_EVENTS_KEPT = 1_000  # per session, for a resume
_SESSIONS_KEPT = 4  # without a connection


class Op(IntEnum):
    """Gateway opcodes."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE = 3
    VOICE_STATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Close(IntEnum):
    """Gateway close codes."""

    UNKNOWN = 4000
    DECODE = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    DISALLOWED_INTENTS = 4014


class Intent(IntFlag):
    """Gateway intents; `MEMBERS`, `PRESENCES` and `CONTENT` are privileged."""

    GUILDS = 1 << 0
    MEMBERS = 1 << 1
    PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_REACTIONS = 1 << 10
    GUILD_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_REACTIONS = 1 << 13
    DIRECT_TYPING = 1 << 14
    CONTENT = 1 << 15


PRIVILEGED = Intent.MEMBERS | Intent.PRESENCES | Intent.CONTENT

# Event name, up to its first word that decides -> (intent in a guild, intent in a direct message).
_INTENTS: Mapping[str, tuple[Intent, Intent]] = {
    "MESSAGE_REACTION": (Intent.GUILD_REACTIONS, Intent.DIRECT_REACTIONS),
    "MESSAGE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "TYPING": (Intent.GUILD_TYPING, Intent.DIRECT_TYPING),
    "GUILD_MEMBER": (Intent.MEMBERS, Intent.MEMBERS),
    "CHANNEL": (Intent.GUILDS, Intent.GUILDS),
    "THREAD": (Intent.GUILDS, Intent.GUILDS),
    "GUILD": (Intent.GUILDS, Intent.GUILDS),
}


class Session:
    """What one identified bot has been told, and the connection it has at the moment."""

    def __init__(self, intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.intents = intents
        self.socket: web.WebSocketResponse | None = None
        self.sequence = 0
        self._kept: deque[tuple[int, str]] = deque(maxlen=_EVENTS_KEPT)
        self._news = asyncio.Event()

    def tell(self, name: str, data: Json) -> None:
        """Queue an event."""
        self.sequence += 1
        payload = json.dumps({"op": int(Op.DISPATCH), "t": name, "s": self.sequence, "d": data})
        self._kept.append((self.sequence, payload))
        self._news.set()

    def remembers(self, sequence: int) -> bool:
        """Whether everything after `sequence` is still there."""
        return sequence == self.sequence or (bool(self._kept) and self._kept[0][0] <= sequence + 1 <= self.sequence)

    async def send_from(self, socket: web.WebSocketResponse, sequence: int) -> None:
        """Send everything after `sequence`, and what comes, until the connection ends or lags too far behind."""
        while not socket.closed:
            self._news.clear()
            if not self.remembers(sequence):
                await socket.close(code=Close.UNKNOWN)
                return
            for number, payload in [item for item in self._kept if item[0] > sequence]:
                await socket.send_str(payload)
                sequence = number
            await self._news.wait()


class Gateway:
    """Accepts bots' connections and tells them the world's events."""

    def __init__(self, world: World, bot_token: str, *, granted: Intent = PRIVILEGED) -> None:
        """`granted` are the privileged intents that the developer portal would show as switched on."""
        self._world = world
        self._token = bot_token
        self._granted = granted
        self._sessions: dict[str, Session] = {}
        self.unknown: list[Json] = []  # payloads that the playground does not understand
        self.url = ""  # set once the server knows its port
        self._stop_listening = world.listen(self._hear)

    @property
    def connected(self) -> bool:
        """Whether a bot is connected."""
        return any(session.socket is not None for session in self._sessions.values())

    # --- faults on demand ----------------------------------------------------------------------

    async def drop(self) -> None:
        """Cut every bot's connection as a lost network does; its session can be resumed."""
        for session in self._sessions.values():
            if session.socket is not None:
                await session.socket.close(code=Close.UNKNOWN)

    async def ask_to_reconnect(self) -> None:
        """Send every bot the reconnect opcode, as Discord does several times a day."""
        await self._send_all({"op": int(Op.RECONNECT), "d": None})

    async def invalidate(self) -> None:
        """End every session for good; bots must identify anew."""
        sockets = [session.socket for session in self._sessions.values() if session.socket is not None]
        self._sessions.clear()
        for socket in sockets:
            await socket.send_json({"op": int(Op.INVALID_SESSION), "d": False})

    async def close(self) -> None:
        """Close all connections for good."""
        self._stop_listening()
        for session in list(self._sessions.values()):
            if session.socket is not None:
                await session.socket.close(code=1001)
        self._sessions.clear()

    async def _send_all(self, payload: Json) -> None:
        for session in list(self._sessions.values()):
            if session.socket is not None:
                await session.socket.send_json(payload)

    # --- one connection ------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one websocket from hello to its end."""
        socket = web.WebSocketResponse(max_msg_size=2**16)
        await socket.prepare(request)
        await socket.send_json({"op": int(Op.HELLO), "d": {"heartbeat_interval": HEARTBEAT_INTERVAL}})
        session: Session | None = None
        sender: asyncio.Task[None] | None = None
        try:
            async for frame in socket:
                payload = _decoded(frame.data) if frame.type is WSMsgType.TEXT else None
                if payload is None:
                    await socket.close(code=Close.DECODE)
                    break
                if payload["op"] in (Op.IDENTIFY, Op.RESUME) and session is None:
                    begun = await self._begin(socket, payload)
                    if begun is not None:
                        session, after = begun
                        sender = asyncio.create_task(_send(session, socket, after))
                else:
                    await self._reply(socket, session, payload)
        finally:
            await self._end(session, socket, sender)
        return socket

    async def _end(
        self, session: Session | None, socket: web.WebSocketResponse, sender: asyncio.Task[None] | None
    ) -> None:
        if session is not None and session.socket is socket:
            session.socket = None
            self._announce_presence()
        if sender is not None:
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender

    async def _begin(self, socket: web.WebSocketResponse, payload: Json) -> tuple[Session, int] | None:
        """Identify or resume: the session and the sequence number its bot has already seen."""
        data = payload.get("d") or {}
        token = str(data.get("token", "")).removeprefix("Bot ")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            await socket.close(code=Close.AUTHENTICATION_FAILED, message=b"Authentication failed.")
            return None
        if payload["op"] == Op.RESUME:
            return await self._resume(socket, data)
        intents = int(data.get("intents", 0))
        if intents & PRIVILEGED & ~self._granted:
            await socket.close(code=Close.DISALLOWED_INTENTS, message=b"Disallowed intent(s).")
            return None
        return self._identify(socket, intents), 0

    def _identify(self, socket: web.WebSocketResponse, intents: int) -> Session:
        idle = [session for session in self._sessions.values() if session.socket is None]
        for session in idle[: max(0, len(idle) - _SESSIONS_KEPT + 1)]:
            del self._sessions[session.id]
        session = Session(intents)
        self._sessions[session.id] = session
        session.socket = socket
        wire, world = self._world.wire, self._world
        application = {"id": str(world.bot.id), "flags": 0}
        session.tell("READY", {
            "v": 10, "user": wire.own_user(), "session_id": session.id, "session_type": "normal",
            "resume_gateway_url": self.url, "shard": [0, 1], "application": application, "private_channels": [],
            "guilds": [{"id": str(world.guild.id), "unavailable": True}],
        })  # fmt: skip
        if intents & Intent.GUILDS:
            session.tell("GUILD_CREATE", wire.guild_create())
        self._announce_presence()
        return session

    async def _resume(self, socket: web.WebSocketResponse, data: Json) -> tuple[Session, int] | None:
        session = self._sessions.get(str(data.get("session_id")))
        sequence = int(data.get("seq") or 0)
        if session is None or not session.remembers(sequence):
            await socket.send_json({"op": int(Op.INVALID_SESSION), "d": False})
            return None
        if session.socket is not None:
            await session.socket.close(code=Close.UNKNOWN)
        session.socket = socket
        session.tell("RESUMED", {"_trace": []})
        self._announce_presence()
        return session, sequence

    async def _reply(self, socket: web.WebSocketResponse, session: Session | None, payload: Json) -> None:
        op = payload["op"]
        if op == Op.HEARTBEAT:
            await asyncio.sleep(HEARTBEAT_ANSWER)
            await socket.send_json({"op": int(Op.HEARTBEAT_ACK), "d": None})
        elif session is None:
            await socket.close(code=Close.NOT_AUTHENTICATED)
        elif op == Op.REQUEST_MEMBERS:
            session.tell("GUILD_MEMBERS_CHUNK", self._members(payload.get("d") or {}))
        elif op != Op.PRESENCE:
            self.unknown.append(payload)

    def _members(self, asked: Json) -> Json:
        users = list(self._world.users.values())
        if asked.get("user_ids"):
            wanted = {int(user) for user in _as_list(asked["user_ids"])}
            users = [user for user in users if user.id in wanted]
        elif query := str(asked.get("query") or "").lower():
            users = [user for user in users if user.name.startswith(query)]
        members = [self._world.wire.member(user) for user in users[: int(asked.get("limit") or len(users))]]
        return {
            "guild_id": str(self._world.guild.id), "members": members, "chunk_index": 0, "chunk_count": 1,
            "not_found": [], "nonce": asked.get("nonce"),
        }  # fmt: skip

    # --- events --------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        if not event.to_bot:
            return
        for session in self._sessions.values():
            if _wanted(event, session.intents):
                session.tell(event.name, self._seen_by(event, session.intents))

    def _seen_by(self, event: Event, intents: int) -> Json:
        """The event's data, without what only the message-content intent shows."""
        data = event.data
        if event.name not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or intents & Intent.CONTENT:
            return data
        me = str(self._world.bot.id)
        direct = event.channel is not None and event.channel.guild_id is None
        if direct or data["author"]["id"] == me or any(user["id"] == me for user in data["mentions"]):
            return data
        return data | {"content": "", "embeds": [], "attachments": [], "components": []}

    def _announce_presence(self) -> None:
        self._world.publish(Event("PRESENCE", {"online": self.connected}, to_bot=False))


async def _send(session: Session, socket: web.WebSocketResponse, after: int) -> None:
    """Send the session's events until the connection breaks, which the reader notices and handles."""
    with suppress(ConnectionError):
        await session.send_from(socket, after)


def _wanted(event: Event, intents: int) -> bool:
    for prefix, (in_guild, in_direct) in _INTENTS.items():
        if event.name.startswith(prefix):
            direct = event.channel is not None and event.channel.guild_id is None
            return bool(intents & (in_direct if direct else in_guild))
    return True  # INTERACTION_CREATE needs no intent


def _decoded(text: str) -> Json | None:
    try:
        payload = json.loads(text)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) and isinstance(payload.get("op"), int) else None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
