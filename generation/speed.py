"""How long pictures take here, by model: from the worker's warm-up, then from the runs themselves.

Time is taken to grow with a job's cost, steps x megapixels. Knows neither queue nor workers.
"""

from __future__ import annotations

from collections.abc import Mapping

from generation.events import Ready
from generation.models import Models
from generation.queue import PIXELS_PER_MEGAPIXEL, cost_of
from generation.request import RunFacts

NEWEST = 0.3  # weight of the newest run


class Speed:
    """Seconds per cost of each model, as last seen."""

    def __init__(self) -> None:
        self._seconds_per_cost: dict[str, float] = {}

    def seed(self, ready: Ready, models: Models) -> None:
        """Until runs have been measured, the worker's own warm-up tells how fast each model is."""
        for model in models.all:
            seconds = ready.seconds_per_step.get(model.name)
            if seconds:
                per_cost = seconds / (model.width * model.height / PIXELS_PER_MEGAPIXEL)
                self._seconds_per_cost.setdefault(model.name, per_cost)

    def learn(self, facts: RunFacts) -> None:
        """Take a finished run into account."""
        cost = cost_of(facts.request)
        if cost > 0 and facts.seconds > 0:
            newest = facts.seconds / cost
            known = self._seconds_per_cost.get(facts.request.model, newest)
            self._seconds_per_cost[facts.request.model] = known + NEWEST * (newest - known)

    def seconds(self, cost: Mapping[str, float]) -> float | None:
        """For work of that cost by model, one job at a time; None if nothing is known of any model.

        A model that has not run yet is taken to be as fast as the others on average.
        """
        if not self._seconds_per_cost:
            return None
        usual = sum(self._seconds_per_cost.values()) / len(self._seconds_per_cost)
        return sum(each * self._seconds_per_cost.get(model, usual) for model, each in cost.items())
