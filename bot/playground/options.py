"""Slash-command options: what a person gave, checked and converted as Discord's client does it.

Values may come typed (from Python) or as text (from the page); both end as the JSON that an
interaction carries. Source: https://docs.discord.com/developers/interactions/application-commands
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

from bot.playground.drafts import Upload
from bot.playground.errors import ActionError
from bot.playground.records import Attachment, Channel, Json, Role, User
from bot.playground.world import World

_Entity = TypeVar("_Entity", User, Channel, Role)


class OptionType(IntEnum):
    """Types of command options."""

    SUBCOMMAND = 1
    GROUP = 2
    STRING = 3
    INTEGER = 4
    BOOLEAN = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10
    ATTACHMENT = 11


_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_NUMBERS = {OptionType.INTEGER: int, OptionType.NUMBER: float}


@dataclass(slots=True)
class Filled:
    """Options ready to travel, with the objects that their ids name."""

    options: list[Json] = field(default_factory=list)
    resolved: dict[str, dict[str, Json]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)  # by option name, still to be stored

    def resolve(self, kind: str, snowflake: int, data: Json) -> None:
        """Put an object beside the options."""
        self.resolved.setdefault(kind, {})[str(snowflake)] = data

    def add_attachment(self, name: str, attachment: Attachment, data: Json) -> None:
        """The upload of option `name` is stored now."""
        self.options.append({"name": name, "type": int(OptionType.ATTACHMENT), "value": str(attachment.id)})
        self.resolve("attachments", attachment.id, data)


def leaf(body: Json, path: Sequence[str]) -> list[Json]:
    """The options of the command itself or of the subcommand that `path` names.

    Raises:
        ActionError: there is no such subcommand, or one must be named.
    """
    options: list[Json] = body.get("options") or []
    for word in path:
        found = [item for item in options if item["name"] == word and item["type"] <= OptionType.GROUP]
        if not found:
            raise ActionError(f"/{body['name']} has no subcommand {word!r}.")
        options = found[0].get("options") or []
    if any(item["type"] <= OptionType.GROUP for item in options):
        names = ", ".join(item["name"] for item in options)
        raise ActionError(f"/{' '.join((body['name'], *path))} needs a subcommand: {names}.")
    return options


def wrap(body: Json, path: Sequence[str], options: list[Json]) -> list[Json]:
    """The options nested under the subcommands of `path`."""
    kinds = [OptionType.SUBCOMMAND] if len(path) == 1 else [OptionType.GROUP, OptionType.SUBCOMMAND]
    for word, kind in zip(reversed(path), reversed(kinds), strict=False):
        options = [{"name": word, "type": int(kind), "options": options}]
    return options


def fill(world: World, specs: Sequence[Json], values: Mapping[str, Any], *, focused: str | None = None) -> Filled:
    """Check and convert the values; with `focused` (autocomplete) nothing is required or checked.

    Raises:
        ActionError: a value is missing, unknown, of the wrong kind or out of bounds.
    """
    by_name = {spec["name"]: spec for spec in specs}
    if unknown := sorted(set(values) - set(by_name)):
        raise ActionError(f"There is no option {unknown[0]!r}.")
    filled = Filled()
    for name, spec in by_name.items():
        if name not in values:
            if spec.get("required") and focused is None:
                raise ActionError(f"The option {name!r} is required.")
            continue
        kind = OptionType(spec["type"])
        if focused is not None:
            option: Json = {"name": name, "type": int(kind), "value": _unchecked(values[name])}
            filled.options.append(option | {"focused": True} if name == focused else option)
        elif kind is OptionType.ATTACHMENT:
            if not isinstance(values[name], Upload):
                raise ActionError(f"The option {name!r} needs a file.")
            filled.uploads[name] = values[name]
        else:
            value = _converted(world, filled, spec, kind, values[name])
            filled.options.append({"name": name, "type": int(kind), "value": value})
    return filled


def _unchecked(value: Any) -> Any:
    """What someone is still typing."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _converted(world: World, filled: Filled, spec: Json, kind: OptionType, value: Any) -> Any:
    for choice in spec.get("choices") or []:
        if value == choice["value"] or str(value).casefold() == choice["name"].casefold():
            return choice["value"]
    if spec.get("choices"):
        names = ", ".join(choice["name"] for choice in spec["choices"])
        raise ActionError(f"The option {spec['name']!r} must be one of: {names}.")
    if kind is OptionType.STRING:
        return _text(spec, str(value))
    if kind in _NUMBERS:
        return _number(spec, kind, value)
    if kind is OptionType.BOOLEAN:
        return _boolean(spec, value)
    return _mentioned(world, filled, spec, kind, value)


def _text(spec: Json, value: str) -> str:
    least, most = spec.get("min_length") or 0, spec.get("max_length") or 6_000
    if not least <= len(value) <= most:
        raise ActionError(f"The option {spec['name']!r} must have {least} to {most} characters; it has {len(value)}.")
    return value


def _number(spec: Json, kind: OptionType, value: Any) -> int | float:
    try:
        number: int | float = _NUMBERS[kind](value)
    except (TypeError, ValueError) as error:
        what = "a whole number" if kind is OptionType.INTEGER else "a number"
        raise ActionError(f"The option {spec['name']!r} must be {what}, not {value!r}.") from error
    if not -(2**53) <= number <= 2**53:  # false for NaN as well
        raise ActionError(f"The option {spec['name']!r} is too large a number.")
    least, most = spec.get("min_value"), spec.get("max_value")
    if least is not None and number < least:
        raise ActionError(f"The option {spec['name']!r} must be at least {least}.")
    if most is not None and number > most:
        raise ActionError(f"The option {spec['name']!r} must be at most {most}.")
    return number


def _boolean(spec: Json, value: Any) -> bool:
    text = str(value).strip().casefold()
    if text not in _TRUE | _FALSE:
        raise ActionError(f"The option {spec['name']!r} must be true or false, not {value!r}.")
    return text in _TRUE


def _mentioned(world: World, filled: Filled, spec: Json, kind: OptionType, value: Any) -> str:
    """The id of a user, channel or role given as record, id, mention or name."""
    finders: list[tuple[str, Callable[[World, Any], User | Channel | Role | None]]] = []
    if kind in (OptionType.USER, OptionType.MENTIONABLE):
        finders.append(("users", find_user))
    if kind in (OptionType.ROLE, OptionType.MENTIONABLE):
        finders.append(("roles", _find_role))
    if kind is OptionType.CHANNEL:
        finders.append(("channels", _find_channel))
    for group, find in finders:
        if found := find(world, value):
            resolve_entity(world, filled, group, found)
            return str(found.id)
    raise ActionError(f"The option {spec['name']!r}: nobody and nothing here is called {value!r}.")


def resolve_entity(world: World, filled: Filled, group: str, found: User | Channel | Role) -> None:
    """Put a user (with its member), channel or role beside the options."""
    if isinstance(found, User):
        filled.resolve(group, found.id, world.wire.user(found))
        member = world.wire.member(found, with_user=False) | {"permissions": str(world.permissions(found.id))}
        filled.resolve("members", found.id, member)
    elif isinstance(found, Channel):
        data = world.wire.channel(found) | {"permissions": str(world.permissions(world.bot.id, found))}
        filled.resolve(group, found.id, data)
    else:
        filled.resolve(group, found.id, world.wire.role(found))


def find_user(world: World, value: Any) -> User | None:
    """A user by record, id, mention, account name or display name."""
    return _find(world.users, value, lambda user: (user.name, user.display_name), "@")


def _find_channel(world: World, value: Any) -> Channel | None:
    return _find(world.channels, value, lambda channel: (channel.name,), "#")


def _find_role(world: World, value: Any) -> Role | None:
    return _find(world.roles, value, lambda role: (role.name,), "@")


def _find(
    known: Mapping[int, _Entity], value: Any, names: Callable[[_Entity], tuple[str, ...]], sign: str
) -> _Entity | None:
    snowflake = getattr(value, "id", value)
    text = re.sub(r"[^\d]", "", str(snowflake)) if re.fullmatch(r"(<[@#]&?!?)?\d+>?", str(snowflake)) else ""
    if text and int(text) in known:
        return known[int(text)]
    wanted = str(value).removeprefix(sign).casefold()
    return next((item for item in known.values() if wanted in [name.casefold() for name in names(item)]), None)
