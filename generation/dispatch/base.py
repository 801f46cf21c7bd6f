"""What the studio needs of whoever runs its jobs, be it one process over a pipe or many over a network.

A dispatcher hands orders to workers and brings their events back. It keeps no queue: it is given only as
many jobs as `lanes_free` says, so that order and fairness stay in the store. It knows neither torch nor SQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from generation.events import (
    DecodeFrames,
    Event,
    Frames,
    Generate,
    Loading,
    PromptRead,
    ReadPrompt,
    Ready,
    Status,
    TouchedUp,
    TouchUp,
)


@dataclass(frozen=True, kw_only=True)
class WorkerSeen:
    """One worker of several."""

    name: str
    state: Loading | Ready | None  # None: it has said nothing of itself yet
    jobs: tuple[int, ...]  # in its hands


class Dispatcher(Protocol):
    """Runs jobs somewhere else. No method waits without an end."""

    @property
    def lanes_free(self) -> int:
        """How many more jobs can be submitted now; 0 while no worker is ready."""
        ...

    def workers(self) -> tuple[WorkerSeen, ...]:
        """The workers by name; none where there is but one, which needs no name."""
        ...

    async def start(self) -> None:
        """Begin to start workers; returns at once. `Loading` and `Ready` follow as events."""
        ...

    async def close(self) -> None:
        """Stop every worker within a bounded time. `events()` ends; nothing is said of jobs that ran."""
        ...

    async def submit(self, order: Generate) -> None:
        """Hand over a job. Exactly one `Finished`, `Failed` or `Cancelled` will follow as an event.

        Raises:
            WorkerGone: no worker is there to take it; the job was not handed over.
        """
        ...

    async def cancel(self, job: int, attempt: int) -> None:
        """Ask that the attempt stops at its next step; what becomes of it arrives as an event.

        An attempt that is not running is left alone.
        """
        ...

    def events(self) -> AsyncIterator[Event]:
        """The events of all workers in order, for one consumer. Answers to queries are not among them.

        A worker that dies takes its attempts with it: each yields `Failed(retry=True)`.
        """
        ...

    async def frames(self, query: DecodeFrames) -> Frames:
        """Decoded steps of a stored trajectory; `query.query` is chosen by the dispatcher.

        Raises:
            WorkerError: the trajectory cannot be decoded, or no worker answered in time.
        """
        ...

    async def read_prompt(self, query: ReadPrompt) -> PromptRead:
        """How a model reads a prompt; `query.query` is chosen by the dispatcher.

        Raises:
            WorkerError: the model cannot tell, or no worker answered in time.
        """
        ...

    async def touch_up(self, query: TouchUp) -> TouchedUp:
        """A picture with final touches; `query.query` is chosen by the dispatcher.

        Raises:
            WorkerError: it cannot be touched up, or no worker answered in time.
        """
        ...

    async def status(self) -> Status:
        """What the worker runs and holds.

        Raises:
            WorkerGone: no worker answered in time.
        """
        ...
