"""The waiting jobs as they stood at one moment, shared by all who ask for a place among them.

Counting anew for every message that shows a place would cost each of them as much as there are jobs; one
look at the whole line serves them all, and a place in it is found by halving. Knows no time and no speed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from store.jobs import InLine

Key = tuple[int, float, int]  # priority, tag, id: the order in which jobs start


@dataclass(frozen=True, kw_only=True)
class Line:
    """What waits, in the order in which it starts, and what runs."""

    waiting: Sequence[InLine]
    running: Sequence[InLine] = ()

    def index(self, key: Key) -> int:
        """How many jobs of the line come before `key`, whether or not that stands in the line itself."""
        return bisect_left(self.waiting, key, key=key_of)


def key_of(job: InLine) -> Key:
    """By what jobs are ordered."""
    return job.priority, job.tag, job.id
