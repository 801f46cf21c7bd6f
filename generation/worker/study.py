"""Several pictures for one order: the cells of an experiment, or a replay. Runs inside one task of the hub.

One after another, so that a person who asks for many takes up no more lanes than one who asks for one.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from generation.events import Finished, Generate, JobEvent, Progress, Replica, Started
from generation.worker.job import PictureJob
from generation.worker.pipelines import LoadedModel


class StudyJob:
    """Makes the cells of one order with a loaded model, and tells of it by `emit` as of one long run."""

    def __init__(self, order: Generate, model: LoadedModel, emit: Callable[[JobEvent], None]) -> None:
        self._order = order
        self._emit = emit
        self._steps = [cell.steps for cell in order.cells]
        self._done = 0  # cells
        self._jobs = [
            PictureJob(
                msgspec.structs.replace(
                    order, request=cell, cells=(), words=order.words and not place, previews=False, trajectory=False
                ),
                model,
                self._tell,
            )
            for place, cell in enumerate(order.cells)
        ]

    def remaining(self) -> float:
        """How much work is left, in steps x rows x megapixels."""
        return sum(job.remaining() for job in self._jobs[self._done :])

    def work(self) -> Finished:
        """Make all cells.

        Raises:
            RequestError: one of them cannot be made with this model.
            WorkerError: the model lost its numbers.
        """
        made: list[Finished] = []
        for job in self._jobs:
            made.append(job.work())
            self._done += 1
        replicas = tuple(Replica(facts=each.facts, picture=each.picture) for each in made)
        return msgspec.structs.replace(made[0], replicas=replicas)

    def _tell(self, event: JobEvent) -> None:
        """Progress within a cell as progress of the whole; it begins once."""
        if isinstance(event, Started) and not self._done:
            self._emit(event)
        elif isinstance(event, Progress):
            total, before = sum(self._steps), sum(self._steps[: self._done])
            step = min(total, before + max(1, round(event.step / event.steps * self._steps[self._done])))
            per_step = event.seconds_left / max(1, event.steps - event.step)
            self._emit(msgspec.structs.replace(event, step=step, steps=total, seconds_left=per_step * (total - step)))
