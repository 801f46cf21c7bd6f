"""How often the bot edits messages of one channel: all jobs that are shown there share what Discord allows.

Discord takes five edits in five seconds per channel, whoever's messages they are. Progress is spread evenly and always
leaves one of the five free, so that a picture that is ready waits for no glimpse of another. Knows no message.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable

EDITS = 5  # that Discord takes of one channel in five seconds
GAP = 1.3  # seconds between two edits of progress in a channel; four gaps are a little more than those five seconds
EARLY = 0.02  # seconds by which a sleep may end too soon


class _Channel:
    __slots__ = ("edits", "next_turn", "results")

    def __init__(self) -> None:
        self.edits: deque[float] = deque(maxlen=EDITS)  # when each of the last ones was made
        self.next_turn = 0.0  # that is free for progress
        self.results = 0  # that wait


class Pacing:
    """The budgets of all channels."""

    def __init__(self, gap: float = GAP, clock: Callable[[], float] = time.monotonic) -> None:
        """`gap`: seconds between two edits of progress in one channel; `clock` counts seconds."""
        self._gap = gap
        self._window = gap * (EDITS - 1)
        self._clock = clock
        self._channels: defaultdict[int, _Channel] = defaultdict(_Channel)

    def reserve(self, channel: int) -> float:
        """Take the next turn of the channel for an edit of progress: seconds until then."""
        known, now = self._channels[channel], self._clock()
        turn = max(now, known.next_turn)
        known.next_turn = turn + self._gap
        return turn - now

    def begin(self, channel: int) -> bool:
        """Count an edit of progress, whose turn has come. False: a result needs it more, and another turn is needed."""
        known, now = self._channels[channel], self._clock()
        recent = sum(edit > now - self._window + EARLY for edit in known.edits)
        if known.results or recent >= EDITS - 1:
            return False
        known.edits.append(now)
        return True

    async def result(self, channel: int) -> None:
        """Wait until Discord takes an edit that matters, and count it."""
        known = self._channels[channel]
        known.results += 1
        try:
            while len(known.edits) == EDITS and (wait := known.edits[0] + self._window - self._clock()) > 0:  # noqa: ASYNC110  # it waits for a time
                await asyncio.sleep(wait)
        finally:
            known.results -= 1
        known.edits.append(self._clock())
