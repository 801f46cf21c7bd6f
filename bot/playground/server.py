"""The playground: one loopback Discord, put together, started and closed.

`Playground` is the composition root of this package; `point_discord_py` is the only place that
knows discord.py. The bot that connects is not modified in any way.
"""

from __future__ import annotations

import errno
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import discord.gateway
import discord.http
import msgspec
import yarl
from aiohttp import web

from bot.playground import driver, guard, saving
from bot.playground.actions import Actions
from bot.playground.cdn import Cdn, content_type
from bot.playground.errors import PlaygroundError, PortInUse
from bot.playground.faults import Faults
from bot.playground.gateway import PRIVILEGED, Gateway, Intent
from bot.playground.interactions import Interactions
from bot.playground.limits import Limits
from bot.playground.options import find_user
from bot.playground.page import Page
from bot.playground.permissions import Permission
from bot.playground.records import Channel, Overwrite, User, WorldState
from bot.playground.rest.api import PREFIX, Api, LoggedRequest
from bot.playground.rest.channels import ChannelRoutes
from bot.playground.rest.commands import CommandRoutes
from bot.playground.rest.guilds import GuildRoutes
from bot.playground.rest.messages import MessageRoutes
from bot.playground.rest.webhooks import WebhookRoutes
from bot.playground.world import World, fresh_state

_GATEWAY = "/gateway"
_SHUTDOWN = 1.0  # seconds that open requests get at the end
_T = TypeVar("_T")


class Playground:
    """A loopback Discord with one server, a few people and a page.

    Nothing is shared between instances; several can run in one process, though discord.py can be
    pointed at one of them at a time only.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, token: str | None = None, folder: Path | None = None,
        limits: Limits | None = None, clock: Callable[[], float] = time.time, bot_name: str = "Darkroom",
        granted_intents: Intent = PRIVILEGED,
    ) -> None:  # fmt: skip
        """
        Args:
            host: A loopback address to listen on.
            port: 0 takes any free port.
            token: The secret in the page's address; by default the saved one, or a new random one.
            folder: Where the world is saved and found again; None keeps it only while the playground lives.
            limits: Discord's limits; tests may shorten them.
            clock: Seconds since the epoch.
            bot_name: What the bot is called.
            granted_intents: The privileged intents that the bot is allowed to ask for.

        Raises:
            NotLoopback: `host` could be reached from other machines.
        """
        guard.check_loopback(host)
        self._host = host
        self._wanted_port = port
        self._wanted_token = token
        self._folder = folder
        self._limits = limits or Limits()
        self._clock = clock
        self._bot_name = bot_name
        self._granted = granted_intents
        self._runner: web.AppRunner | None = None
        self._saver: saving.Saver | None = None
        self.bot_token = secrets.token_urlsafe(32)
        self.faults = Faults()
        self.port = 0

    # --- life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring back the saved world, if there is one, and listen.

        Raises:
            PortInUse: another program listens there.
            PlaygroundError: the folder cannot be used, or the system refuses to listen.
        """
        self._build()
        app = web.Application(client_max_size=self._limits.request_bytes)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._wanted_port).start()
        except OSError as error:
            await self.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(self._host, self._wanted_port) from error
            raise PlaygroundError(f"The playground cannot listen on {self._host}: {error.strerror}.") from error
        self.port = self._runner.addresses[0][1]
        self.cdn.origin = self.origin
        self.gateway.url = self.gateway_url

    def _build(self) -> None:
        saved = self._load()
        token = self._wanted_token or (saved.token if saved else secrets.token_urlsafe(16))
        state = saved or fresh_state(token=token, clock=self._clock, bot_name=self._bot_name)
        state = msgspec.structs.replace(state, token=token)
        self.token = token
        self.cdn = Cdn(self._folder / "cdn" if self._folder else None, token)
        self.world = World(state, cdn=self.cdn, limits=self._limits, clock=self._clock)
        self.cdn.keep_only(file.id for message in state.messages for file in message.attachments)
        self.interactions = Interactions(self.world)
        self.actions = Actions(self.world, self.interactions)
        self.gateway = Gateway(self.world, self.bot_token, granted=self._granted)
        self.page = Page(self.world, self.actions, lambda: self.gateway.connected)
        routes = (
            *GuildRoutes(self.world, lambda: self.gateway_url).routes(),
            *ChannelRoutes(self.world).routes(),
            *MessageRoutes(self.world).routes(),
            *CommandRoutes(self.world).routes(),
            *WebhookRoutes(self.world, self.interactions).routes(),
        )
        self.api = Api(self.world, self.bot_token, routes, self.faults)
        self._saver = saving.Saver(self.world, self._folder) if self._folder else None

    def _load(self) -> WorldState | None:
        if self._folder is None:
            return None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return saving.load(self._folder)
        except OSError as error:
            raise PlaygroundError(f"The playground cannot use the folder {self._folder}: {error.strerror}.") from error

    async def close(self) -> None:
        """Close every connection, save the world, give the port back."""
        if self._runner is None:
            return
        self.interactions.close()
        await self.gateway.close()
        await self.page.close()
        await self._runner.cleanup()
        self._runner = None
        if self._saver is not None:
            await self._saver.close()
        self.cdn.close()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Playground]:
        """Start, point discord.py here, and undo both at the end."""
        await self.start()
        try:
            with point_discord_py(self):
                yield self
        finally:
            await self.close()

    # --- addresses -----------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """`http://host:port`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def address(self) -> str:
        """The page's address, secret token included."""
        return f"{self.origin}/{self.token}/"

    @property
    def api_base(self) -> str:
        """What stands for `https://discord.com/api/v10`."""
        return self.origin + PREFIX

    @property
    def gateway_url(self) -> str:
        """What stands for `wss://gateway.discord.gg/`."""
        return self.origin.replace("http", "ws", 1) + _GATEWAY

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if not guard.from_here(request, self.port):
            return guard.no_token_page()
        path = request.path
        if path.startswith(PREFIX + "/"):
            return await self.api.handle(request)
        if path.rstrip("/") == _GATEWAY:
            return await self.gateway.handle(request)
        if path.startswith("/cdn/attachments/"):
            return self._attachment(request)
        token, slash, rest = path[1:].partition("/")
        if not guard.same_secret(token, self.token):
            return guard.no_token_page()
        if not slash:
            raise web.HTTPFound(f"/{token}/")
        return await self.page.handle(request, rest)

    def _attachment(self, request: web.Request) -> web.StreamResponse:
        """A file of a message; pictures may be shown, everything else is downloaded."""
        _, _, _, _, snowflake, *name = request.path.split("/")
        known = snowflake.isascii() and snowflake.isdigit()
        if not known or not self.cdn.signed(int(snowflake), request.query.get("hm", "")):
            return web.Response(status=403, text="This is no address of a file.")
        path = self.cdn.path(int(snowflake))
        if not path.is_file():
            return web.Response(status=404, text="This file is gone.")
        kind = content_type(name[0] if name else "")
        shown = "inline" if kind.startswith("image/") else "attachment"
        headers = {"Content-Type": kind, "Content-Disposition": shown, "X-Content-Type-Options": "nosniff",
                   "Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "private, max-age=86400",
                   "Cross-Origin-Resource-Policy": "same-origin"}  # fmt: skip
        return web.FileResponse(path, headers=headers)

    # --- for tests -----------------------------------------------------------------------------

    @property
    def requests(self) -> deque[LoggedRequest]:
        """The last REST requests, oldest first."""
        return self.api.requests

    @property
    def missing(self) -> list[str]:
        """Endpoints that were asked for and are not there; a test asserts that this stays empty."""
        return self.api.missing

    def user(self, name: str) -> driver.Person:
        """A person to act as: "Alice", "Bob", "Admin Ada" or one that was added.

        Raises:
            PlaygroundError: nobody is called that.
        """
        user = find_user(self.world, name)
        if user is None:
            raise PlaygroundError(f"Nobody here is called {name!r}.")
        return driver.Person(self, user)

    def add_user(self, name: str, *, manage_guild: bool = False, accepts_dms: bool = True) -> driver.Person:
        """Another person, with or without the permission to manage the server."""
        roles: tuple[int, ...] = ()
        if manage_guild:
            roles = (self.world.add_role(f"{name}'s role", permission_bits=int(Permission.MANAGE_GUILD)).id,)
        return driver.Person(self, self.world.add_user(name, roles=roles, accepts_dms=accepts_dms))

    def add_channel(self, name: str, *, deny_bot: Permission = Permission(0)) -> Channel:  # noqa: B008 - immutable
        """Another channel, in which the bot lacks the permissions `deny_bot`."""
        return self.world.add_channel(name, overwrites=self._denied(deny_bot))

    def forget_nonces(self) -> None:
        """As after a few minutes: a nonce that was used makes a new message."""
        self.world.nonces_forgotten = self._clock()

    def deny_bot(self, channel: Channel, denied: Permission) -> Channel:
        """Take permissions from the bot in a channel; none gives them all back."""
        return self.world.change_channel(msgspec.structs.replace(channel, overwrites=self._denied(denied)))

    def _denied(self, denied: Permission) -> tuple[Overwrite, ...]:
        return (Overwrite(id=self.world.bot.id, kind=1, deny=int(denied)),) if denied else ()

    def change_user(self, person: driver.Person, *, accepts_dms: bool) -> User:
        """Let a person accept direct messages or not."""
        user = self.world.users[person.id]
        return self.world.change_user(msgspec.structs.replace(user, accepts_dms=accepts_dms))

    async def wait_for(self, predicate: Callable[[], _T | None], within: float = 10.0) -> _T:
        """The first truthy result of `predicate`, asked now and after everything that happens."""
        return await driver.wait_for(self.world, predicate, within)


@contextmanager
def point_discord_py(playground: Playground) -> Iterator[None]:
    """Make discord.py in this process talk to the playground instead of Discord."""
    route, socket = discord.http.Route, discord.gateway.DiscordWebSocket
    before = route.BASE, socket.DEFAULT_GATEWAY
    route.BASE = playground.api_base
    socket.DEFAULT_GATEWAY = yarl.URL(playground.gateway_url)
    try:
        yield
    finally:
        route.BASE, socket.DEFAULT_GATEWAY = before
