"""When each waiting job will start and end, if nobody comes or goes: the workers' rules, played ahead.

As many jobs run as there are lanes. Of those, as many of one model as pay share each forward, in the order that
`generation.turns` gives them (see `generation.worker.hub`). Waiting jobs start in their order, but those of a person
who has as many running as they may are passed over, and one on which a worker has died runs alone. The first jobs are
played through forward by forward; the rest follows at the pace that all lanes keep together. Times are seconds from
now. Knows no clock, no store and no worker.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from generation import turns
from generation.line import Key, Line, key_of
from store.jobs import InLine

PLAYED = 1_000  # jobs that are played through
DONE = 1e-9  # cost; what is left of a job that has ended
ELSEWHERE = -1  # the index of a job that runs already


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a model's jobs go, in seconds per cost (steps x megapixels)."""

    alone: float  # of one job that runs by itself
    together: float  # of each job's part, while as many share the forwards as pay
    jobs: int = 1  # as many pay
    step: float = 1.0  # cost of one step of a usual picture: what a forward does for each

    def forward(self, sharing: int) -> float:
        """Seconds in which each of `sharing` jobs does work of cost 1; in between it is taken to grow evenly."""
        if self.jobs <= 1:
            return self.together
        return self.alone + (self.together * self.jobs - self.alone) * (min(sharing, self.jobs) - 1) / (self.jobs - 1)


@dataclass(frozen=True, kw_only=True)
class Underway:
    """How far a job is that a worker has in its hands."""

    done: float = 0.0  # the share of its work, 0 to 1
    seconds: float = 0.0  # since it was given to the worker


class _Run:
    """A job that runs in the play."""

    __slots__ = ("cost", "entitled", "index", "left", "model", "person", "served", "suspect")

    def __init__(self, index: int, job: InLine) -> None:
        self.index = index
        self.cost = self.left = job.cost
        self.served = self.entitled = 0.0  # seconds, as in `turns.slack`
        self.model = job.model
        self.person = job.person_id
        self.suspect = job.deaths > 0


class Outlook:
    """The place and the end of each job of a line; `ends` is empty where no pace is known."""

    def __init__(self, line: Line, places: array[int], ends: array[float], pace: Pace | None) -> None:
        self._line = line
        self._places = places
        self._ends = ends
        self._pace = pace

    def place(self, key: Key) -> int:
        """How many jobs of the line start before that one."""
        index = self._line.index(key)
        return self._places[index] if index < len(self._places) else len(self._places)

    def seconds(self, key: Key, cost: float) -> float | None:
        """Until that one's picture is there; None: not known. It need not stand in the line yet."""
        if not self._ends or self._pace is None:
            return self._pace.alone * cost if self._pace is not None and not len(self._line.waiting) else None
        index = self._line.index(key)
        waiting = self._line.waiting
        if index < len(waiting) and key_of(waiting[index]) == key:
            return self._ends[index]
        before = self._ends[index - 1] if index else 0.0
        return before + self._pace.together * cost


def look_ahead(line: Line, underway: Mapping[int, Underway], paces: Mapping[str, Pace], lanes: int) -> Outlook:
    """Play the line through.

    Args:
        line: what waits and what runs.
        underway: how far the jobs are that run, by their id; where it is not known, a job begins just now.
        paces: by model; a model without one is taken to be like the others on average. Empty: only places are known.
        lanes: how many jobs run at once.
    """
    count = len(line.waiting)
    usual = _average(paces.values())
    if usual is None or lanes < 1:
        return Outlook(line, array("l", range(count)), array("d"), None)
    play = _Play(line, underway, defaultdict(lambda: usual, paces), lanes)
    play.run()
    return Outlook(line, play.places, play.ends, usual)


def _average(paces: Iterable[Pace]) -> Pace | None:
    known = list(paces)
    if not known:
        return None
    return Pace(
        alone=sum(pace.alone for pace in known) / len(known),
        together=sum(pace.together for pace in known) / len(known),
        jobs=max(1, round(sum(pace.jobs for pace in known) / len(known))),
        step=sum(pace.step for pace in known) / len(known),
    )


class _Play:
    def __init__(self, line: Line, underway: Mapping[int, Underway], paces: Mapping[str, Pace], lanes: int) -> None:
        self._waiting = line.waiting
        self._paces = paces
        self._lanes = lanes
        self._now = 0.0
        self._started = 0
        self._next = 0  # of the waiting jobs
        self._back: list[int] = []  # a heap of those whose turn it was before, and who may start now
        self._held: defaultdict[int, deque[int]] = defaultdict(deque)  # by person: passed over
        self._forward = 0.0  # seconds per cost of the last one
        self._runs = [_Run(ELSEWHERE, job) for job in line.running]
        for run, job in zip(self._runs, line.running, strict=True):
            self._take_up(run, underway.get(job.id, Underway()))
        self._of_person = Counter(run.person for run in self._runs)
        self.places = array("l", [ELSEWHERE]) * len(self._waiting)
        self.ends = array("d", [0.0]) * len(self._waiting)

    def run(self) -> None:
        while self._started < PLAYED:
            self._fill()
            if not self._runs:
                break
            self._serve()
        self._foresee_rest()

    def _fill(self) -> None:
        while len(self._runs) < self._lanes and not any(run.suspect for run in self._runs):
            index = self._take()
            if index is None:
                return
            job = self._waiting[index]
            if job.most_running is not None and self._of_person[job.person_id] >= job.most_running:
                self._held[job.person_id].append(index)
            elif job.deaths and self._runs:
                heappush(self._back, index)
                return
            else:
                self.places[index] = self._started
                self._started += 1
                self._of_person[job.person_id] += 1
                self._runs.append(_Run(index, job))

    def _take(self) -> int | None:
        if self._back and self._back[0] < self._next:
            return heappop(self._back)
        if self._next >= len(self._waiting):
            return None
        self._next += 1
        return self._next - 1

    def _take_up(self, run: _Run, underway: Underway) -> None:
        """Go on with a job from where it is; the forwards that it has had follow from how far it got."""
        pace = self._paces[run.model]
        run.left = run.cost * (1.0 - underway.done)
        run.served = min(underway.seconds, (run.cost - run.left) * pace.forward(pace.jobs))
        run.entitled = underway.seconds / self._forwards_for_all()
        self._forward = pace.forward(pace.jobs)

    def _serve(self) -> None:
        """One forward for those whose turn it is; where all have theirs in each, as many as it takes until one ends."""
        group, all_served = self._sharing()
        pace, forwards_for_all = self._paces[group[0].model], self._forwards_for_all()
        done = min(run.left for run in group)
        if not all_served:
            done = min(done, pace.step)
        self._forward = pace.forward(len(group))
        seconds = done * self._forward
        self._now += seconds
        for run in self._runs:
            run.entitled += seconds / forwards_for_all
        for run in group:
            run.served += seconds
            run.left -= done
            if run.left <= DONE:
                self._end(run)

    def _sharing(self) -> tuple[list[_Run], bool]:
        """Who shares the next forward, all of one model; and whether they are all that run."""
        behind = {id(run) for run in self._runs if turns.slack(run.served, run.entitled, run.cost * self._forward) < 0}
        self._runs.sort(key=lambda run: (id(run) not in behind, run.left * self._paces[run.model].together))
        model = self._runs[0].model
        room = self._paces[model].jobs
        runs = [run for run in self._runs if run.model == model]
        if len(self._runs) == len(runs) <= room:
            return runs, True
        full = sum(run.left for run in runs) / room
        longest = max((run.left for run in runs if run.left >= full), default=0.0)
        runs.sort(key=lambda run: turns.urgency(run.left, longest, behind=id(run) in behind, late=run.left >= full))
        return runs[:room], False

    def _forwards_for_all(self) -> int:
        """How many forwards it takes to serve every job once."""
        models = Counter(run.model for run in self._runs)
        return sum(math.ceil(count / self._paces[model].jobs) for model, count in models.items())

    def _end(self, run: _Run) -> None:
        self._runs.remove(run)
        if run.index != ELSEWHERE:
            self.ends[run.index] = self._now
        self._of_person[run.person] -= 1
        if self._held[run.person]:
            heappush(self._back, self._held[run.person].popleft())

    def _foresee_rest(self) -> None:
        """What was not played to its end, at the pace that all keep together."""
        now = self._now
        for run in sorted(self._runs, key=lambda run: run.index):
            now += run.left * self._paces[run.model].together
            if run.index != ELSEWHERE:
                self.ends[run.index] = now
        for index, job in enumerate(self._waiting):
            if self.places[index] == ELSEWHERE:
                self.places[index] = self._started
                self._started += 1
                now += job.cost * self._paces[job.model].together
                self.ends[index] = now
