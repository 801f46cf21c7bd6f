"""What Discord itself says of requests and answers: its OpenAPI document, and five rules which that document misses.

The document is named by DARKROOM_DISCORD_SPEC (JSON, may be gzipped) and is not part of the repository; where no
document is named, the five rules are checked as far as they go without it. Knows neither the bot nor a harness: it
judges a method, a path without the API's prefix, and JSON. A multipart request is judged by its `payload_json`.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VARIABLE = "DARKROOM_DISCORD_SPEC"
EMBED_TOTAL = 6_000  # characters over all embeds of a message
COMMAND_NAME = re.compile(r"[\w'-]{1,32}")  # of slash commands and options, besides being lower-case

_ROOT = "urn:discord"
_CHAT_INPUT = 1  # the type of a slash command; also what a command without a type is

# What discord.py puts in of its own accord, although the document has no such property.
_ADDED_BY_DISCORD_PY: dict[str, dict[str, Any]] = {
    "RichEmbed": {"flags": {"const": 0}},  # every `Embed` is sent with its flags; Discord ignores them
    "MessageEditRequestPartial": {"tts": {"const": False}},  # `http.handle_message_parameters` puts it in every body
    "IncomingWebhookUpdateRequestPartial": {"tts": {"const": False}},  # the same
    "IncomingWebhookUpdateForInteractionCallbackRequestPartial": {"tts": {"const": False}},  # the same
    "ApplicationCommandUpdateRequest": {"nsfw": {"type": "boolean"}},  # in Discord's reference, not in its document
}


@functools.cache
def document() -> Document | None:
    """The document, or None where DARKROOM_DISCORD_SPEC names none."""
    path = os.environ.get(VARIABLE)
    return Document(Path(path)) if path else None


def request_problems(method: str, path: str, body: Any) -> list[str]:
    """Everything about one request that Discord would not take, in words."""
    named = document()
    problems = list(named.request_problems(method, path, body)) if named is not None else []
    return problems + [f"{method} {path}: {problem}" for problem in rule_problems(path, body)]


# --- the document ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Operation:
    """One method of one endpoint, as the document has it."""

    name: str  # for people
    description: dict[str, Any]


class Document:
    """Discord's OpenAPI document, ready to judge.

    Answers are judged as the document says. Requests are judged more strictly (an object has no properties but
    those it lists) and in one point more mildly: discord.py sends some snowflakes as integers, which Discord
    reads and the document does not mention.
    """

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        contents = _rooted(json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw))
        self._answers = _registry(contents)
        self._requests = _registry(_strict(contents))
        # templates with the fewest parameters first: `@original` before `{message_id}`
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template)), template, operations)
            for template, operations in sorted(contents["paths"].items(), key=lambda item: item[0].count("{"))
        ]

    def request_problems(self, method: str, path: str, body: Any) -> Iterator[str]:
        """What the document does not allow about a request, in words."""
        operation = self._operation(method, path)
        if operation is None:
            yield f"{method} {path} is no endpoint"
            return
        wanted = operation.description.get("requestBody")
        if wanted is None or body is None:
            if body is not None:
                yield f"{operation.name}: takes no body"
            elif wanted is not None and wanted.get("required"):
                yield f"{operation.name}: needs a body"
            return
        schema = _strict(wanted["content"]["application/json"]["schema"])
        for error in Draft202012Validator(schema, registry=self._requests).iter_errors(body):
            for cause in _causes(error):
                yield f"{operation.name}: {_place(cause)}: {cause.message[-300:]}"

    def answer_problems(self, method: str, path: str, status: int, answer: Any) -> Iterator[str]:
        """What the document does not allow about an answer, in words."""
        operation = self._operation(method, path)
        if operation is None:
            yield f"{method} {path} is no endpoint"
            return
        responses = operation.description["responses"]
        if str(status) not in responses:
            yield f"{operation.name}: status {status}, not one of {sorted(responses)}"
            return
        content = responses[str(status)].get("content", {}).get("application/json")
        if content is None or answer is None:
            return
        for error in Draft202012Validator(content["schema"], registry=self._answers).iter_errors(answer):
            for leaf in _leaves(error):
                yield f"{operation.name}: {_place(leaf)}: {leaf.message[-200:]}"

    def _operation(self, method: str, path: str) -> Operation | None:
        for pattern, template, operations in self._paths:
            if method.lower() in operations and pattern.fullmatch(path):
                return Operation(f"{method} {template}", operations[method.lower()])
        return None


def _registry(contents: Any) -> Registry[Any]:
    return Registry().with_resource(_ROOT, Resource(contents=contents, specification=DRAFT202012))


def _rooted(value: Any) -> Any:
    """The document with its own references made absolute."""
    if isinstance(value, dict):
        return {
            name: _ROOT + item if name == "$ref" and isinstance(item, str) and item.startswith("#") else _rooted(item)
            for name, item in value.items()
        }
    return [_rooted(item) for item in value] if isinstance(value, list) else value


def _strict(value: Any, name: str = "") -> Any:
    """The same schemas, closed to unknown properties, with integers allowed for snowflakes."""
    if isinstance(value, list):
        return [_strict(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("format") == "snowflake":
        return {"anyOf": [value, {"type": "integer", "minimum": 0}]}
    strict = {key: _strict(item, key) for key, item in value.items()}
    if isinstance(value.get("properties"), dict) and "type" in value:
        strict["properties"] |= _ADDED_BY_DISCORD_PY.get(name, {})
        strict.setdefault("additionalProperties", False)
    return strict


def _causes(error: ValidationError) -> Iterator[ValidationError]:
    """What is wrong in that alternative of a union which was meant: the only one of the right `type`."""
    alternatives: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        alternatives.setdefault(inner.relative_schema_path[0], []).append(inner)
    meant = [errors for errors in alternatives.values() if not any(map(_is_of_another_type, errors))]
    if not meant:
        yield error
        return
    for inner in min(meant, key=len):
        yield from _causes(inner)


def _is_of_another_type(error: ValidationError) -> bool:
    """Whether the value is no number where one is wanted, or the object's `type` is that of another component."""
    place = list(error.relative_path)
    return (error.validator == "type" and not place) or (error.validator == "enum" and place == ["type"])


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    if error.context:
        for inner in error.context:
            yield from _leaves(inner)
    else:
        yield error


def _place(error: ValidationError) -> str:
    return "/".join(map(str, error.absolute_path)) or "the body"


# --- what the document misses ----------------------------------------------------------------


def rule_problems(path: str, body: Any) -> Iterator[str]:
    """The rules of Discord's reference that the document does not express, in words."""
    if path.endswith("/commands"):
        for command in body if isinstance(body, list) else [body]:
            yield from _command_problems(command)
    elif isinstance(body, dict):
        message = body.get("data") or body  # an interaction is answered by a message inside `data`
        yield from _custom_id_problems(message)
        yield from _embed_problems(message)


def _custom_id_problems(message: dict[str, Any]) -> Iterator[str]:
    """A `custom_id` is unique within its message.

    https://docs.discord.com/developers/components/reference#anatomy-of-a-component-custom-id
    """
    ids = [item["custom_id"] for item in _walk(message.get("components") or []) if item.get("custom_id")]
    for custom_id in sorted({custom_id for custom_id in ids if ids.count(custom_id) > 1}):
        yield f"custom_id {custom_id!r} occurs {ids.count(custom_id)} times"


def _embed_problems(message: dict[str, Any]) -> Iterator[str]:
    """Title, description, field names and values, footer and author name together have a limit.

    https://docs.discord.com/developers/resources/message#embed-object-embed-limits
    """
    total = sum(_embed_length(embed) for embed in message.get("embeds") or [])
    if total > EMBED_TOTAL:
        yield f"the embeds have {total:,} characters; {EMBED_TOTAL:,} are the most"


def _embed_length(embed: dict[str, Any]) -> int:
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    for field in embed.get("fields") or []:
        texts += [field.get("name"), field.get("value")]
    return sum(len(text) for text in texts if text)


def _command_problems(command: dict[str, Any]) -> Iterator[str]:
    """Names of slash commands are lower-case words, and required options stand first.

    https://docs.discord.com/developers/interactions/application-commands#application-command-object
    """
    if command.get("type", _CHAT_INPUT) != _CHAT_INPUT:
        return  # the names of context-menu commands may hold spaces and capitals
    yield from _named_problems(command, ())


def _named_problems(item: dict[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    name = item["name"]
    called = " ".join((*above, name))
    if name != name.lower():
        yield f"the name of “{called}” is not lower-case"
    if not COMMAND_NAME.fullmatch(name):
        yield f"the name of “{called}” is not one word of at most 32 letters"
    options = item.get("options") or []
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        yield f"“{called}” has a required option after one that is not"
    for option in options:
        yield from _named_problems(option, (*above, name))


def _walk(components: list[Any]) -> Iterator[dict[str, Any]]:
    """Every component, however deep."""
    for component in components:
        yield component
        yield from _walk(component.get("components") or [])
        yield from _walk([component[name] for name in ("accessory", "component") if component.get(name)])
