"""Look-ups: the gateway's address, the application, users, the guild, its members and roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.playground.errors import DiscordError, Problem
from bot.playground.rest.call import Call, Route
from bot.playground.world import World


class GuildRoutes:
    """What the bot can ask about itself and its server."""

    def __init__(self, world: World, gateway_url: Callable[[], str]) -> None:
        self._world = world
        self._gateway_url = gateway_url

    def routes(self) -> tuple[Route, ...]:
        """The endpoints."""
        return (
            Route("GET", "/gateway", self.gateway, needs_bot=False),
            Route("GET", "/gateway/bot", self.gateway_bot),
            Route("GET", "/oauth2/applications/@me", self.application),
            Route("GET", "/applications/@me", self.application),
            Route("GET", "/users/@me", self.me),
            Route("GET", "/users/@me/guilds", self.my_guilds),
            Route("GET", "/users/{user}", self.user),
            Route("GET", "/guilds/{guild}", self.guild),
            Route("GET", "/guilds/{guild}/channels", self.channels),
            Route("GET", "/guilds/{guild}/members", self.members),
            Route("GET", "/guilds/{guild}/members/{user}", self.member),
            Route("GET", "/guilds/{guild}/roles", self.roles),
            Route("GET", "/applications/{application}/emojis", self.emojis),
            Route("GET", "/applications/{application}/entitlements", self.none),
            Route("GET", "/applications/{application}/skus", self.none),
        )

    def _check_guild(self, call: Call) -> None:
        if call.id("guild") != self._world.guild.id:
            raise DiscordError(Problem.UNKNOWN_GUILD)

    async def gateway(self, call: Call) -> Any:
        """Where the gateway is."""
        return {"url": self._gateway_url()}

    async def gateway_bot(self, call: Call) -> Any:
        """Where the gateway is, and how many sessions may be started."""
        limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        return {"url": self._gateway_url(), "shards": 1, "session_start_limit": limit}

    async def application(self, call: Call) -> Any:
        """The bot's application."""
        return self._world.wire.application()

    async def me(self, call: Call) -> Any:
        """The bot's own user."""
        return self._world.wire.own_user()

    async def my_guilds(self, call: Call) -> Any:
        """The one guild, in short."""
        guild = self._world.guild
        mine = str(self._world.permissions(self._world.bot.id))
        return [{"id": str(guild.id), "name": guild.name, "icon": None, "owner": False, "permissions": mine,
                 "features": []}]  # fmt: skip

    async def user(self, call: Call) -> Any:
        """Any user."""
        return self._world.wire.user(self._world.user(call.id("user")))

    async def guild(self, call: Call) -> Any:
        """The guild."""
        self._check_guild(call)
        return self._world.wire.guild()

    async def channels(self, call: Call) -> Any:
        """The guild's channels, without threads."""
        self._check_guild(call)
        every = self._world.channels.values()
        return [self._world.wire.channel(item) for item in every if item.guild_id and item.thread is None]

    async def members(self, call: Call) -> Any:
        """The guild's members."""
        self._check_guild(call)
        limit, after = int(call.query.get("limit", 1)), int(call.query.get("after", 0))
        users = sorted((user for user in self._world.users.values() if user.id > after), key=lambda user: user.id)
        return [self._world.wire.member(user) for user in users[:limit]]

    async def member(self, call: Call) -> Any:
        """One member."""
        self._check_guild(call)
        if user := self._world.users.get(call.id("user")):
            return self._world.wire.member(user)
        raise DiscordError(Problem.UNKNOWN_MEMBER)

    async def roles(self, call: Call) -> Any:
        """The guild's roles."""
        self._check_guild(call)
        return [self._world.wire.role(role) for role in self._world.roles.values()]

    async def emojis(self, call: Call) -> Any:
        """The application has no emojis of its own."""
        return {"items": []}

    async def none(self, call: Call) -> Any:
        """Nothing is sold here."""
        return []
