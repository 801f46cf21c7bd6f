"""Discord's limits that a bot can run into: sizes, deadlines and rate limits.

Sources: https://docs.discord.com/developers/topics/rate-limits,
https://docs.discord.com/developers/interactions/receiving-and-responding. Discord does not publish the
bucket sizes; five in five seconds per channel is what its headers have said for years.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_BUCKETS_KEPT = 512


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` requests in any window of `seconds`."""

    count: int
    seconds: float


def _discord_rates() -> Mapping[str, Rate]:
    return {"global": Rate(50, 1.0), "create": Rate(5, 5.0), "edit": Rate(5, 5.0), "webhook": Rate(5, 5.0)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one playground enforces; tests may shorten the times."""

    acknowledge_seconds: float = 3.0  # until an interaction must be answered
    token_seconds: float = 900.0  # life of an interaction token
    nonce_seconds: float = 300.0  # in which a nonce makes no second message; Discord says "the past few minutes"
    file_bytes: int = 10 * 2**20
    request_bytes: int = 64 * 2**20
    rates: Mapping[str, Rate] = field(default_factory=_discord_rates)
    messages_kept: int = 2_000  # per channel; the oldest go, with their files


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bucket says about one request. Times are seconds."""

    name: str
    rate: Rate
    remaining: int
    reset: float  # since the epoch
    reset_after: float
    refused: bool

    def headers(self) -> dict[str, str]:
        """The `X-RateLimit-*` headers of the answer."""
        named = {
            "X-RateLimit-Limit": str(self.rate.count),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": f"{self.reset:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after:.3f}",
            "X-RateLimit-Bucket": self.name,
        }
        if self.refused:
            named |= {"Retry-After": f"{self.reset_after:.3f}", "X-RateLimit-Scope": "user"}
        return named


class Buckets:
    """Sliding windows, one for each pair of bucket name and major parameter (channel or token)."""

    def __init__(self, rates: Mapping[str, Rate], clock: Callable[[], float]) -> None:
        self._rates = rates
        self._clock = clock
        self._windows: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def take(self, name: str, major: str) -> Verdict | None:
        """Count one request; None when the bucket has no limit."""
        rate = self._rates.get(name)
        if rate is None:
            return None
        now = self._clock()
        window = self._windows.setdefault((name, major), deque())
        self._windows.move_to_end((name, major))
        if len(self._windows) > _BUCKETS_KEPT:
            self._windows.popitem(last=False)
        while window and now - window[0] >= rate.seconds:
            window.popleft()
        refused = len(window) >= rate.count
        if not refused:
            window.append(now)
        reset = window[0] + rate.seconds
        return Verdict(name, rate, rate.count - len(window), reset, max(0.0, reset - now), refused)
