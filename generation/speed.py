"""How long pictures take here, by model: from the worker's warm-up, then from what the workers get done.

Two paces are kept: that of a job which runs by itself, and that of jobs which share the forwards while all lanes are
full. What is measured is the work done (steps x megapixels) over the time it took, decoding included; while a model
is loaded nothing is measured. Knows neither queue nor workers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

from generation.events import Ready
from generation.models import Models
from generation.outlook import Pace
from generation.queue import PIXELS_PER_MEGAPIXEL

REMEMBERED = 0.8  # of what was measured before, with each new measurement
FURTHEST = 4.0  # times faster or slower than before is as much as one measurement may say


@dataclass(kw_only=True)
class _Measured:
    """Seconds and work, summed up apart: an average of ratios would give small pieces of work too much weight."""

    seconds: float
    work: float

    @property
    def pace(self) -> float:
        return self.seconds / self.work

    def learn(self, seconds: float, work: float) -> float:
        bounded = min(max(seconds, work * self.pace / FURTHEST), work * self.pace * FURTHEST)
        self.seconds = REMEMBERED * self.seconds + bounded
        self.work = REMEMBERED * self.work + work
        return self.pace


@dataclass(kw_only=True)
class _Job:
    model: str
    cost: float
    done: float = 0.0  # the share of the steps


class Speed:
    """The paces of the models, as last seen. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._alone: dict[str, _Measured] = {}  # by model
        self._together: dict[str, _Measured] = {}
        self._jobs: dict[Hashable, _Job] = {}
        self._since = 0.0  # the present measurement's beginning
        self._work = 0.0  # cost done since then
        self._sharing: tuple[str, int] | None = None  # the model and how many share; None: nothing can be measured

    @property
    def paces(self) -> Mapping[str, Pace]:
        """By model."""
        return self._paces

    def seed(self, ready: Ready, models: Models) -> None:
        """Until runs have been measured, the worker's own warm-up tells how fast each model is."""
        for model in models.all:
            seconds = ready.seconds_per_step.get(model.name)
            if seconds and model.name not in self._paces:
                megapixels = model.width * model.height / PIXELS_PER_MEGAPIXEL
                jobs, together = ready.together.get(model.name, (1, seconds))
                self._paces[model.name] = Pace(
                    alone=seconds / megapixels, together=together / megapixels, jobs=max(1, jobs), step=megapixels
                )
        self.interrupt()

    def interrupt(self) -> None:
        """What is being measured is no measure of anything: a worker has begun to load, or is gone."""
        self._since, self._work = self._clock(), 0.0

    def begin(self, key: Hashable, model: str, cost: float) -> None:
        """A worker has taken a job."""
        self._jobs[key] = _Job(model=model, cost=cost)
        self._look_at_sharing()

    def progress(self, key: Hashable, done: float) -> None:
        """The share `done` of a job's steps is done."""
        job = self._jobs.get(key)
        if job is not None and done > job.done:
            self._work += (done - job.done) * job.cost
            job.done = done

    def end(self, key: Hashable, *, finished: bool) -> None:
        """A worker has a job no more. `finished`: it has done all of it."""
        job = self._jobs.get(key)
        if job is None:
            return
        if finished:
            self.progress(key, 1.0)
            if self._sharing is not None and self._work >= job.cost:
                self._learn(*self._sharing, self._clock() - self._since, self._work)
                self.interrupt()
        else:
            self.interrupt()
        del self._jobs[key]
        self._look_at_sharing()

    def _look_at_sharing(self) -> None:
        models = {job.model for job in self._jobs.values()}
        sharing = None
        if len(models) == 1:
            (model,) = models
            pays = self._paces[model].jobs if model in self._paces else 1
            sharing = (model, min(len(self._jobs), pays))
        if sharing != self._sharing:
            self._sharing = sharing
            self.interrupt()

    def _learn(self, model: str, sharing: int, seconds: float, work: float) -> None:
        pace = self._paces.get(model) or Pace(alone=seconds / work, together=seconds / work)
        if sharing >= pace.jobs:
            measured = self._together.setdefault(model, _Measured(seconds=pace.together * work, work=work))
            together = measured.learn(seconds, work)
            if model not in self._alone:  # what the machine is slower by, it is for one job as well
                pace = replace(pace, alone=pace.alone * together / pace.together)
            pace = replace(pace, together=together)
        if sharing == 1:
            measured = self._alone.setdefault(model, _Measured(seconds=pace.alone * work, work=work))
            pace = replace(pace, alone=measured.learn(seconds, work))
        self._paces[model] = pace
