"""Registering application commands, global and for the guild.

Source: https://docs.discord.com/developers/interactions/application-commands
"""

from __future__ import annotations

import re
from typing import Any

from bot.playground.errors import DiscordError, Problem, invalid_form
from bot.playground.records import Command, Json
from bot.playground.rest.call import Call, Route
from bot.playground.world import World

_NAME = re.compile(r"^[-_'\w]{1,32}$")
_OPTIONS = 25
_CHOICES = 25
_SUBCOMMANDS = (1, 2)
_GLOBAL = "/applications/{application}/commands"
_GUILD = "/applications/{application}/guilds/{guild}/commands"


class CommandRoutes:
    """The bot's commands."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> tuple[Route, ...]:
        """The endpoints, each for both scopes."""
        return tuple(
            route
            for scope in (_GLOBAL, _GUILD)
            for route in (
                Route("GET", scope, self.list),
                Route("PUT", scope, self.replace),
                Route("POST", scope, self.create),
                Route("GET", scope + "/{command}", self.get),
                Route("PATCH", scope + "/{command}", self.change),
                Route("DELETE", scope + "/{command}", self.delete),
            )
        )

    @staticmethod
    def _scope(call: Call) -> int | None:
        return int(call.parameters["guild"]) if "guild" in call.parameters else None

    def _command(self, call: Call) -> Command:
        command = self._world.commands.get(call.id("command"))
        if command is None or command.guild_id != self._scope(call):
            raise DiscordError(Problem.UNKNOWN_COMMAND)
        return command

    async def list(self, call: Call) -> Any:
        """All commands of the scope."""
        scope = self._scope(call)
        return [self._world.wire.command(item) for item in self._world.commands.values() if item.guild_id == scope]

    async def replace(self, call: Call) -> Any:
        """Bulk overwrite."""
        for index, body in enumerate(call.body or []):
            check_command(body, str(index))
        commands = self._world.set_commands(self._scope(call), call.body or [])
        return [self._world.wire.command(item) for item in commands]

    async def create(self, call: Call) -> Any:
        """Register one; the same name and type overwrites."""
        body, scope = call.fields, self._scope(call)
        check_command(body, "")
        wanted = (body["name"], int(body.get("type", 1)), scope)
        same = [item.id for item in self._world.commands.values() if (item.name, item.type, item.guild_id) == wanted]
        return self._world.wire.command(self._world.put_command(scope, body, command_id=same[0] if same else None))

    async def get(self, call: Call) -> Any:
        """One command."""
        return self._world.wire.command(self._command(call))

    async def change(self, call: Call) -> Any:
        """Change some fields of one command."""
        command = self._command(call)
        body = command.body | call.fields
        check_command(body, "")
        return self._world.wire.command(self._world.put_command(command.guild_id, body, command_id=command.id))

    async def delete(self, call: Call) -> None:
        """Unregister one command."""
        self._world.delete_command(self._command(call).id)


def check_command(body: Json, path: str) -> None:
    """Refuse a command that Discord would refuse.

    Raises:
        DiscordError: 50035.
    """
    prefix = f"{path}." if path else ""
    name = body.get("name") or ""
    if int(body.get("type", 1)) != 1:
        if not 1 <= len(name) <= 32:
            raise invalid_form(f"{prefix}name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.")
        return
    _check_named(name, body.get("description"), prefix)
    _check_options(body.get("options") or [], prefix)


def _check_named(name: str, description: Any, prefix: str) -> None:
    if not _NAME.match(name) or name != name.lower():
        raise invalid_form(f"{prefix}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not 1 <= len(description or "") <= 100:
        raise invalid_form(f"{prefix}description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def _check_options(options: Any, prefix: str) -> None:
    if len(options) > _OPTIONS:
        raise invalid_form(f"{prefix}options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    optional_seen = False
    for index, option in enumerate(options):
        here = f"{prefix}options.{index}."
        _check_named(option.get("name") or "", option.get("description"), here)
        if option["type"] in _SUBCOMMANDS:
            _check_options(option.get("options") or [], here)
            continue
        if option.get("required") and optional_seen:
            raise invalid_form(
                f"{here}required", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            )  # fmt: skip
        optional_seen = optional_seen or not option.get("required")
        if len(option.get("choices") or []) > _CHOICES:
            raise invalid_form(f"{here}choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
