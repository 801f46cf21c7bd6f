"""Discord's ids: a time in milliseconds, then a counter.

Source: https://docs.discord.com/developers/reference#snowflakes
"""

from __future__ import annotations

from collections.abc import Callable

DISCORD_EPOCH = 1_420_070_400_000  # milliseconds
_COUNTER_BITS = 22


def created_at(snowflake: int) -> float:
    """When the id was made, in seconds since the epoch."""
    return ((snowflake >> _COUNTER_BITS) + DISCORD_EPOCH) / 1000


class Snowflakes:
    """Hands out ids that rise strictly and carry the clock's time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds since the epoch."""
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """A new id, larger than every one before it even if the clock stands still or jumps back."""
        now = (int(self._clock() * 1000) - DISCORD_EPOCH) << _COUNTER_BITS
        self._last = max(now, self._last + 1)
        return self._last

    def never_below(self, snowflake: int) -> None:
        """Make every later id larger than this one, which was read from a saved world."""
        self._last = max(self._last, snowflake)
