"""Holds back floods: each person may say so much in so many seconds; what is beyond it is not heard.

A person is told so once. Counts only; knows no messages.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal

MOST = 5  # messages of a person in any `WINDOW`
WINDOW = 15.0  # seconds
PEOPLE_KEPT = 10_000

Verdict = Literal["hear", "tell", "ignore"]


class Pace:
    """How often each person has spoken lately."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._heard: OrderedDict[int, deque[float]] = OrderedDict()
        self._told: dict[int, float] = {}

    def of(self, person: int) -> Verdict:
        """What to do with one more message of this person."""
        now = self._clock()
        times = self._heard.setdefault(person, deque())
        self._heard.move_to_end(person)
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if len(times) < MOST:
            times.append(now)
            self._trim()
            return "hear"
        if self._told.get(person, now - WINDOW) <= now - WINDOW:
            self._told[person] = now
            return "tell"
        return "ignore"

    def _trim(self) -> None:
        while len(self._heard) > PEOPLE_KEPT:
            gone, _ = self._heard.popitem(last=False)
            self._told.pop(gone, None)
