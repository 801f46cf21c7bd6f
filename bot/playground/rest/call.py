"""One REST request, taken apart, and the routes that can answer it.

Knows HTTP only as far as parsing a body goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web

from bot.playground.drafts import Upload
from bot.playground.errors import DiscordError, Problem
from bot.playground.limits import Limits
from bot.playground.records import Json

_CHUNK = 2**16  # bytes
_FILE_PART = re.compile(r"files\[(\d+)\]$")
_PARAMETER = {"id": r"[0-9]+", "text": r"[^/]+"}


@dataclass(frozen=True, slots=True)
class Call:
    """What a route is given."""

    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    uploads: tuple[Upload, ...] = ()

    def id(self, name: str) -> int:
        """A path parameter that is an id."""
        return int(self.parameters[name])

    def text(self, name: str) -> str:
        """A path parameter as it is."""
        return self.parameters[name]

    @property
    def fields(self) -> Json:
        """The body as a JSON object.

        Raises:
            DiscordError: 50109 when it is none.
        """
        if not isinstance(self.body, dict):
            raise DiscordError(Problem.BAD_JSON)
        return self.body


Handler = Callable[[Call], Awaitable[Any]]  # None answers 204


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. In `template`, `{name}` is an id and `{name:text}` anything without a slash."""

    method: str
    template: str
    handler: Handler
    bucket: str | None = None  # rate-limit bucket, counted per `major`
    major: str = "channel"  # the path parameter that the bucket is counted by
    status: int = 200  # of a good answer with a body
    needs_bot: bool = True  # False: a token in the path stands for the authorization
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        def group(found: re.Match[str]) -> str:
            return f"(?P<{found[1]}>{_PARAMETER[found[2] or 'id']})"

        source = re.sub(r"\{(\w+)(?::(\w+))?\}", group, self.template)
        object.__setattr__(self, "pattern", re.compile(source + r"\Z"))


async def read_body(request: web.Request, limits: Limits) -> tuple[Any, tuple[Upload, ...]]:
    """The JSON body and the files of a request.

    Raises:
        DiscordError: 50109 for bad JSON, 40005 for a file or a request over the limit.
    """
    if request.content_length is not None and request.content_length > limits.request_bytes:
        raise DiscordError(Problem.TOO_LARGE)
    if request.content_type == "multipart/form-data":
        return await _read_multipart(await request.multipart(), limits)
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise DiscordError(Problem.TOO_LARGE) from error
    return (_parsed(raw) if raw else None), ()


async def _read_multipart(reader: MultipartReader, limits: Limits) -> tuple[Any, tuple[Upload, ...]]:
    body: Any = None
    uploads: list[Upload] = []
    too_large = False
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise DiscordError(Problem.BAD_JSON)
        if part.name == "payload_json":
            body = _parsed((await part.text()).encode())
        elif found := _FILE_PART.match(part.name or ""):
            data = await _read_file(part, limits.file_bytes)
            too_large = too_large or data is None  # read on: answering in mid-body would break the connection
            uploads.append(Upload(int(found[1]), part.filename or "file", data or b""))
    if too_large:
        raise DiscordError(Problem.TOO_LARGE)
    return body, tuple(uploads)


async def _read_file(part: BodyPartReader, limit: int) -> bytes | None:
    """The part's bytes, or None when there are more than `limit` (the rest is read and dropped)."""
    data = bytearray()
    within = True
    while chunk := await part.read_chunk(_CHUNK):
        within = within and len(data) + len(chunk) <= limit
        if within:
            data += chunk
        else:
            data.clear()
    return bytes(data) if within else None


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise DiscordError(Problem.BAD_JSON) from error
