"""From the socket to the route and back: authorization, log, faults, rate limits, errors.

An endpoint that the playground does not have answers 501 and is remembered in `missing`, so that a
test can assert that a bot needs nothing that is not there.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.playground.errors import DiscordError, Problem
from bot.playground.faults import Fault, Faults
from bot.playground.limits import Buckets, Verdict
from bot.playground.rest.call import Call, Route, read_body
from bot.playground.world import World

PREFIX = "/api/v10"
_REQUESTS_KEPT = 500


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One REST request as a test wants to see it."""

    time: float  # seconds since the epoch
    method: str
    path: str  # without the API's prefix
    template: str | None  # of the route, None when there is none
    body: Any  # the JSON as it came
    files: tuple[tuple[str, int], ...]  # name and bytes of each upload
    multipart: bool
    status: int  # 0: the connection was cut
    answer: Any


class Api:
    """Serves every path under `/api/v10`."""

    def __init__(self, world: World, bot_token: str, routes: Sequence[Route], faults: Faults) -> None:
        self._world = world
        self._token = bot_token
        self._routes = tuple(routes)
        self._buckets = Buckets(world.limits.rates, world.clock)
        self.faults = faults
        self.requests: deque[LoggedRequest] = deque(maxlen=_REQUESTS_KEPT)
        self.missing: list[str] = []  # "METHOD /path" of every endpoint asked for in vain
        self.on_request: list[Callable[[LoggedRequest], None]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path = request.path.removeprefix(PREFIX)
        exchange = _Exchange(request, path)
        try:
            response = await self._answer(exchange)
        except _ConnectionCut:
            self._log(exchange, 0, None)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # nobody will read it
        self._log(exchange, response.status, exchange.answer)
        return response

    async def _answer(self, exchange: _Exchange) -> web.Response:
        try:
            exchange.body, exchange.uploads = await read_body(exchange.request, self._world.limits)
            route, call = self._routed(exchange)
            fault = self.faults.take(exchange.request.method, exchange.path)
            if fault is not None and (cut_short := await self._before(fault, exchange)):
                return cut_short
            if refused := self._take(route, call, exchange):
                return refused
            exchange.answer = await route.handler(call)
            if fault is not None and fault.after:
                return self._fail(fault, exchange)
        except DiscordError as error:
            exchange.answer = error.to_json()
            return _json(exchange.answer, error.status, exchange.headers)
        if exchange.answer is None:
            return web.Response(status=204, headers=exchange.headers)
        return _json(exchange.answer, route.status, exchange.headers)

    def _routed(self, exchange: _Exchange) -> tuple[Route, Call]:
        known_path = False
        for route in self._routes:
            if not (found := route.pattern.match(exchange.path)):
                continue
            known_path = True
            if route.method == exchange.request.method:
                exchange.template = route.template
                if route.needs_bot:
                    self._authorize(exchange.request)
                return route, Call(found.groupdict(), exchange.request.query, exchange.body, exchange.uploads)
        self._authorize(exchange.request)
        self.missing.append(f"{exchange.request.method} {exchange.path}")
        known = "with this method" if known_path else "at all"
        raise DiscordError(
            Problem.NOT_IMPLEMENTED, detail=f"{exchange.request.method} {exchange.path} is not there {known}"
        )

    def _authorize(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bot ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise DiscordError(Problem.UNAUTHORIZED)

    def _take(self, route: Route, call: Call, exchange: _Exchange) -> web.Response | None:
        """Count the request in its bucket; the 429 when the bucket is empty."""
        if route.needs_bot and (whole := self._buckets.take("global", "")) is not None and whole.refused:
            return _too_many(whole, exchange, is_global=True)
        if route.bucket is None:
            return None
        verdict = self._buckets.take(route.bucket, call.parameters[route.major])
        if verdict is None:
            return None
        exchange.headers = verdict.headers()
        return _too_many(verdict, exchange) if verdict.refused else None

    async def _before(self, fault: Fault, exchange: _Exchange) -> web.Response | None:
        """Wait as the fault says; its failure unless it comes after the effect."""
        await asyncio.sleep(fault.delay)
        if fault.after or (fault.status is None and not fault.disconnect):
            return None
        return self._fail(fault, exchange)

    def _fail(self, fault: Fault, exchange: _Exchange) -> web.Response:
        if fault.disconnect or fault.status is None:
            raise _ConnectionCut
        exchange.answer = {"message": fault.message, "code": fault.code}
        headers = exchange.headers
        if fault.retry_after is not None:
            exchange.answer |= {"retry_after": fault.retry_after, "global": fault.is_global}
            headers = {**headers, "Retry-After": str(fault.retry_after), "Via": "1.1 playground"}
            headers["X-RateLimit-Scope"] = "global" if fault.is_global else "shared"
        return _json(exchange.answer, fault.status, headers)

    def _log(self, exchange: _Exchange, status: int, answer: Any) -> None:
        logged = LoggedRequest(
            time=self._world.clock(), method=exchange.request.method, path=exchange.path, template=exchange.template,
            body=exchange.body, files=tuple((upload.filename, len(upload.data)) for upload in exchange.uploads),
            multipart=exchange.request.content_type == "multipart/form-data", status=status, answer=answer,
        )  # fmt: skip
        self.requests.append(logged)
        for hook in self.on_request:
            hook(logged)


class _ConnectionCut(Exception):
    """A fault wants the connection closed without an answer."""


class _Exchange:
    """What becomes known about a request while it is answered."""

    def __init__(self, request: web.Request, path: str) -> None:
        self.request = request
        self.path = path
        self.template: str | None = None
        self.body: Any = None
        self.uploads: tuple[Any, ...] = ()
        self.headers: dict[str, str] = {}
        self.answer: Any = None


def _too_many(verdict: Verdict, exchange: _Exchange, *, is_global: bool = False) -> web.Response:
    exchange.answer = {
        "message": "You are being rate limited.", "retry_after": round(verdict.reset_after, 3), "global": is_global,
    }  # fmt: skip
    if is_global:
        exchange.headers = {"Retry-After": f"{verdict.reset_after:.3f}", "X-RateLimit-Global": "true",
                            "X-RateLimit-Scope": "global"}  # fmt: skip
    # Discord's own 429s pass through its proxy; a client takes one without `Via` for a ban.
    return _json(exchange.answer, 429, exchange.headers | {"Via": "1.1 playground"})


def _json(data: Any, status: int, headers: dict[str, str]) -> web.Response:
    """An answer whose content type is exactly `application/json`, which discord.py insists on."""
    body = json.dumps(data).encode()
    return web.Response(body=body, status=status, headers={**headers, "Content-Type": "application/json"})
