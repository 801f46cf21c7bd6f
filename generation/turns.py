"""Who of a worker's jobs goes first in the forwards that they share.

The worker's hub follows these rules (docs/decisions/0033, 0034, 0111), and whoever foretells a time plays them ahead.
"""

from __future__ import annotations

FAIR_SHARE_GUARANTEED = 0.75  # of the time that equal shares would give a job
LAG_ALLOWED = 0.45  # of a job's own work; a job ends within (1 + 0.45) / 0.75 < 2 times its fair share
FAR_SHORTER = 4  # times; a job this much shorter never waits for one that must not be left behind


def slack(served: float, entitled: float, own: float) -> float:
    """Seconds of forwards by which a job has more than it must; below 0 it goes first.

    Args:
        served: seconds of forwards that it had a part in.
        entitled: seconds that equal shares would have given it.
        own: seconds that all of its work takes.
    """
    return served + LAG_ALLOWED * own - FAIR_SHARE_GUARANTEED * entitled


def urgency(left: float, longest: float, *, behind: bool, late: bool) -> int:
    """The class in which a job waits for the next forward, the first is 0; within one the least work left is first.

    Args:
        left: its work that is left.
        longest: the most work left of any job that is late.
        behind: whether it has less than it must.
        late: whether all the work there is, in full forwards, is done before it.
    """
    if behind:
        return 0
    if left * FAR_SHORTER < longest:
        return 1
    return 2 if late else 3
