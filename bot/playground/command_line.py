"""A slash command typed as one line: `/imagine a fox` or `/imagine prompt: a fox steps: 30`.

Text before the first `option:` belongs to the first required text option, or else to the first
text option. Nothing is converted or checked here; see `bot.playground.options`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.playground.errors import ActionError
from bot.playground.options import OptionType, leaf
from bot.playground.records import Command, Json


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command, its subcommand path and the options as text."""

    command: Command
    path: tuple[str, ...]
    values: dict[str, str]


def parse(line: str, commands: Iterable[Command]) -> CommandLine:
    """Take the line apart.

    Raises:
        ActionError: no such command or subcommand, or text that belongs to no option.
    """
    word, rest = _first_word(line.removeprefix("/"))
    found = [command for command in commands if command.type == 1 and command.name == word]
    if not found:
        raise ActionError(f"There is no command /{word} here." if word else "Which command?")
    command = found[0]
    path: list[str] = []
    options: list[Json] = command.body.get("options") or []
    while any(option["type"] <= OptionType.GROUP for option in options):
        word, after = _first_word(rest)
        nested = next((option for option in options if option["name"] == word), None)
        if nested is None:
            break  # `leaf` says which subcommands there are
        path.append(word)
        options, rest = nested.get("options") or [], after
    return CommandLine(command, tuple(path), _values(rest, leaf(command.body, path)))


def _first_word(text: str) -> tuple[str, str]:
    word, _, rest = text.strip().partition(" ")
    return word.strip(), rest.strip()


def _values(text: str, specs: list[Json]) -> dict[str, str]:
    if not text:
        return {}
    names = "|".join(re.escape(spec["name"]) for spec in specs)
    starts = list(re.finditer(rf"(?:^|\s)({names}):", text)) if names else []
    free = text[: starts[0].start()].strip() if starts else text.strip()
    values: dict[str, str] = {}
    for start, following in zip(starts, [*starts[1:], None], strict=False):
        value = text[start.end() : following.start() if following else len(text)].strip()
        if value:
            values[start[1]] = value
    if free:
        texts = [spec for spec in specs if spec["type"] == OptionType.STRING and spec["name"] not in values]
        texts.sort(key=lambda spec: not spec.get("required"))
        if not texts:
            raise ActionError(f"{free!r} belongs to no option; write it as `option: value`.")
        values[texts[0]["name"]] = free
    return values
