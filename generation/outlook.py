"""When each waiting job will start and end, if nobody comes or goes: the workers' rules, played ahead.

As many jobs run as there are lanes. Of those, the ones with the least work left share the forwards, as many of one
model as pay, and long ones ride along that would run on alone else (see `generation.worker.hub`). Waiting jobs start
in their order, but those of a person who has as many running as they may are passed over, and one on which a worker has
died runs alone. The first jobs are played through one by one; after so many the rest follows at the pace that all lanes
keep together. Times are seconds from now. Knows no clock, no store and no worker.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from generation.line import Key, Line, key_of

PLAYED = 1_000  # jobs that are played one by one
DONE = 1e-9  # cost; what is left of a job that has ended
ELSEWHERE = -1  # the index of a job that runs already
FAR_SHORTER = 4  # times; a job this much shorter waits for none that rides along, as in the hub
TURN = 1 / 8  # of a job's work, for which at least it is served before others take its place


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a model's jobs go, in seconds per cost (steps x megapixels)."""

    alone: float  # of one job that runs by itself
    together: float  # of each job's part, while as many share the forwards as pay
    jobs: int = 1  # as many pay

    def forward(self, sharing: int) -> float:
        """Seconds in which each of `sharing` jobs does work of cost 1; in between it is taken to grow evenly."""
        if self.jobs <= 1:
            return self.together
        return self.alone + (self.together * self.jobs - self.alone) * (min(sharing, self.jobs) - 1) / (self.jobs - 1)


class _Run:
    """A job that runs in the play."""

    __slots__ = ("index", "left", "model", "person", "suspect", "turn")

    def __init__(self, index: int, left: float, model: str, person: int, *, suspect: bool) -> None:
        self.index = index
        self.left = left  # cost
        self.turn = left * TURN
        self.model = model
        self.person = person
        self.suspect = suspect


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


def look_ahead(line: Line, left: Mapping[int, float], paces: Mapping[str, Pace], lanes: int) -> Outlook:
    """Play the line through.

    Args:
        line: what waits and what runs.
        left: the share of the work that is left, 0 to 1, of jobs that run, by their id; 1 where it is not known.
        paces: by model; a model without one is taken to be like the others on average. Empty: only places are known.
        lanes: how many jobs run at once.
    """
    count = len(line.waiting)
    usual = _average(paces.values())
    if usual is None or lanes < 1:
        return Outlook(line, array("l", range(count)), array("d"), None)
    play = _Play(line, left, defaultdict(lambda: usual, paces), lanes)
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
    )


def _sharing(runs: list[_Run], room: int) -> tuple[list[_Run], float]:
    """Of the runs of one model, those with the least left first: who shares the next forwards, until so much is done.

    A run that would outlast all the work there is, in full forwards, goes before others, but not before far shorter
    ones. It is done until one ends, or until another would have to ride along as well.
    """
    full = sum(run.left for run in runs) / room
    longest = max((run.left for run in runs if run.left >= full), default=0.0)

    def urgency(run: _Run) -> int:
        return 1 if run.left * FAR_SHORTER < longest else 2 if run.left >= full else 3

    ordered = sorted(runs, key=urgency)  # stable
    group, others = ordered[:room], ordered[room:]
    first = min(group, key=lambda run: run.left)
    late_in = min((full - run.left for run in others if run.left < full), default=first.left)
    return group, min(first.left, max(late_in, first.turn))


class _Play:
    def __init__(self, line: Line, left: Mapping[int, float], paces: Mapping[str, Pace], lanes: int) -> None:
        self._waiting = line.waiting
        self._paces = paces
        self._lanes = lanes
        self._now = 0.0
        self._started = 0
        self._next = 0  # of the waiting jobs
        self._back: list[int] = []  # a heap of those whose turn it was before, and who may start now
        self._held: defaultdict[int, deque[int]] = defaultdict(deque)  # by person: passed over
        self._runs = [
            _Run(ELSEWHERE, job.cost * left.get(job.id, 1.0), job.model, job.person_id, suspect=job.deaths > 0)
            for job in line.running
        ]
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
                self._runs.append(_Run(index, job.cost, job.model, job.person_id, suspect=job.deaths > 0))

    def _take(self) -> int | None:
        if self._back and self._back[0] < self._next:
            return heappop(self._back)
        if self._next >= len(self._waiting):
            return None
        self._next += 1
        return self._next - 1

    def _serve(self) -> None:
        """Let time pass until the next job ends."""
        self._runs.sort(key=lambda run: run.left * self._paces[run.model].together)
        leader = self._runs[0]
        pace = self._paces[leader.model]
        group, done = _sharing([run for run in self._runs if run.model == leader.model], pace.jobs)
        self._now += done * pace.forward(len(group))
        for run in group:
            run.left -= done
            if run.left <= DONE:
                self._end(run)

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
