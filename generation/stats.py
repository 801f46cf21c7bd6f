"""Figures about the queue over a day or a week: how long people waited, what was made, what failed, who had how much.

Pure arithmetic over what the store tells of ended jobs; draws nothing and knows nobody's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from store.jobs import CANCELLED, DONE, FAILED
from store.reports import EndedJob

BUCKETS = 24  # an hour each over a day, seven hours over a week
HOUR = 3600.0  # seconds
PERIODS = {"day": 24 * HOUR, "week": 7 * 24 * HOUR}  # seconds
MOST_REASONS, MOST_PEOPLE = 5, 8
NO_REASON = "no reason was recorded"


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What became of the jobs that ended in a period. Times in seconds; buckets are of equal length, oldest first."""

    seconds: float  # of the period
    done: int
    failed: int
    cancelled: int
    median_wait: float | None  # None: nothing started
    long_wait: float | None  # nine of ten waited less
    made: tuple[int, ...]  # pictures by bucket
    lost: tuple[int, ...]  # failures by bucket
    waits: tuple[float | None, ...]  # median by bucket; None: nothing started
    reasons: tuple[tuple[str, int], ...]  # failures by reason, the commonest first
    shares: tuple[tuple[int, float], ...]  # person and share of the work that made pictures, the largest first


def summed_up(ended: Sequence[EndedJob], since: float, seconds: float) -> Stats:
    """The figures of the jobs that ended in the `seconds` after `since`."""
    waits: list[list[float]] = [[] for _ in range(BUCKETS)]
    made, lost = [0] * BUCKETS, [0] * BUCKETS
    work: Counter[int] = Counter()
    reasons: Counter[str] = Counter()
    for job in ended:
        bucket = min(BUCKETS - 1, max(0, int((job.ended_at - since) / seconds * BUCKETS)))
        if job.started_at is not None:
            waits[bucket].append(max(0.0, job.started_at - job.created_at))
        if job.state == DONE:
            made[bucket] += 1
            work[job.person] += job.cost  # type: ignore[assignment]  # a counter of floats
        elif job.state == FAILED:
            lost[bucket] += 1
            reasons[job.reason or NO_REASON] += 1
    all_waits = [wait for bucket in waits for wait in bucket]
    total = sum(work.values())
    return Stats(
        seconds=seconds,
        done=sum(made),
        failed=sum(lost),
        cancelled=sum(job.state == CANCELLED for job in ended),
        median_wait=median(all_waits) if all_waits else None,
        long_wait=quantiles(all_waits, n=10)[-1] if len(all_waits) > 1 else None,
        made=tuple(made),
        lost=tuple(lost),
        waits=tuple(median(bucket) if bucket else None for bucket in waits),
        reasons=tuple(reasons.most_common(MOST_REASONS)),
        shares=tuple((person, cost / total) for person, cost in work.most_common(MOST_PEOPLE) if total > 0),
    )
