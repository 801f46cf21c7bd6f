"""Medians with their spread. Knows nothing of what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of several rounds."""

    median: float
    low: float  # first quartile
    high: float  # third quartile
    rounds: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def spread(values: Iterable[float]) -> Spread:
    """The spread of at least one value."""
    every = list(values)
    if len(every) == 1:
        return Spread(every[0], every[0], every[0], 1)
    low, _, high = quantiles(every, n=4, method="inclusive")
    return Spread(median(every), low, high, len(every))


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (the nearest-rank percentile)."""
    every = sorted(values)
    return every[max(0, math.ceil(share * len(every)) - 1)]
