"""Whether the playground answers as Discord's own OpenAPI document says.

The document is named by DARKROOM_DISCORD_SPEC (JSON, may be gzipped); it is not part of the repository.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bot.playground.rest.api import LoggedRequest

_ROOT = "urn:discord"


@functools.cache
def document() -> Document | None:
    """The document, or None where DARKROOM_DISCORD_SPEC names none."""
    path = os.environ.get("DARKROOM_DISCORD_SPEC")
    return Document(Path(path)) if path else None


class Document:
    """Discord's OpenAPI document, ready to judge answers."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        contents = _rooted(json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw))
        self._registry = Registry().with_resource(_ROOT, Resource(contents=contents, specification=DRAFT202012))
        # templates with the fewest parameters first: `@original` before `{message_id}`
        self._paths = sorted(contents["paths"].items(), key=lambda item: item[0].count("{"))
        self._validators: dict[tuple[str, str, int], Draft202012Validator | None] = {}

    def problems(self, requests: Iterable[LoggedRequest]) -> list[str]:
        """Every good answer that the document does not allow, in words."""
        return [problem for request in requests if 200 <= request.status < 300 for problem in self._problems(request)]

    def _problems(self, request: LoggedRequest) -> Iterator[str]:
        for template, operations in self._paths:
            method = request.method.lower()
            if method in operations and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), request.path):
                yield from self._check(request, template, operations[method]["responses"])
                return
        yield f"{request.method} {request.path} is no endpoint"

    def _check(self, request: LoggedRequest, template: str, responses: dict[str, Any]) -> Iterator[str]:
        name = f"{request.method} {template}"
        if str(request.status) not in responses:
            yield f"{name}: status {request.status}, not one of {sorted(responses)}"
            return
        key = (request.method, template, request.status)
        if key not in self._validators:
            content = responses[str(request.status)].get("content", {}).get("application/json")
            self._validators[key] = (
                Draft202012Validator(content["schema"], registry=self._registry) if content else None
            )
        validator = self._validators[key]
        for error in validator.iter_errors(request.answer) if validator and request.answer is not None else ():
            for leaf in _leaves(error):
                yield f"{name}: {'/'.join(map(str, leaf.absolute_path))}: {leaf.message[-200:]}"


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    if error.context:
        for inner in error.context:
            yield from _leaves(inner)
    else:
        yield error


def _rooted(value: Any) -> Any:
    """The document with its own references made absolute."""
    if isinstance(value, dict):
        return {
            name: _ROOT + item if name == "$ref" and isinstance(item, str) and item.startswith("#") else _rooted(item)
            for name, item in value.items()
        }
    return [_rooted(item) for item in value] if isinstance(value, list) else value
