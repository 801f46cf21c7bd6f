"""Faults on demand: what a test wants Discord's REST API to do wrong, and how often.

Faults of the gateway (lost connection, forced reconnect, invalid session) are methods of
`bot.playground.gateway.Gateway`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One planned fault; exactly one of `status`, `disconnect` and `delay` alone says what happens."""

    method: str
    path: re.Pattern[str]
    status: int | None = None
    code: int = 0
    message: str = "Internal Server Error"
    retry_after: float | None = None  # seconds, with status 429
    is_global: bool = False
    disconnect: bool = False
    delay: float = 0.0  # seconds before anything else happens
    after: bool = False  # do what was asked first, then fail: the answer is lost, the effect is not


class Faults:
    """The planned faults of one playground, first planned first used."""

    def __init__(self) -> None:
        self._planned: list[list[Fault]] = []
        self.used: list[Fault] = []

    def add(self, fault: Fault, *, times: int = 1) -> None:
        """Let the next `times` matching requests meet this fault."""
        self._planned.append([fault] * times)

    def fail(
        self, method: str, path: str, *, status: int = 500, code: int = 0, message: str = "", times: int = 1,
        after: bool = False,
    ) -> None:  # fmt: skip
        """Answer matching requests with an error. `path` is a regular expression searched in the path."""
        text = message or f"{status}: fault on demand"
        fault = Fault(method=method, path=re.compile(path), status=status, code=code, message=text, after=after)
        self.add(fault, times=times)

    def rate_limit(
        self, method: str, path: str, *, retry_after: float, is_global: bool = False, times: int = 1
    ) -> None:
        """Answer matching requests with 429 and `retry_after` seconds."""
        fault = Fault(
            method=method, path=re.compile(path), status=429, message="You are being rate limited.",
            retry_after=retry_after, is_global=is_global,
        )  # fmt: skip
        self.add(fault, times=times)

    def disconnect(self, method: str, path: str, *, times: int = 1, after: bool = False) -> None:
        """Cut the connection instead of answering."""
        self.add(Fault(method=method, path=re.compile(path), disconnect=True, after=after), times=times)

    def delay(self, method: str, path: str, seconds: float, *, times: int = 1) -> None:
        """Answer matching requests late."""
        self.add(Fault(method=method, path=re.compile(path), delay=seconds), times=times)

    def clear(self) -> None:
        """Forget what is still planned."""
        self._planned.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, used up by the call."""
        for plan in self._planned:
            if plan and plan[0].method == method and plan[0].path.search(path):
                fault = plan.pop()
                self._planned = [rest for rest in self._planned if rest]
                self.used.append(fault)
                return fault
        return None
