"""The rendezvous: many jobs, each running its own unmodified pipeline, share the forwards of one model.

Each job is a `Task`: a greenlet in which a diffusers pipeline runs. Where the pipeline calls the denoiser, a
`SharedModule` in the denoiser's place parks the call and hands control to the `Hub`. The hub picks parked calls
that collate, runs one forward for all of them, and resumes each task with its part. So jobs with different steps,
seeds, guidance and schedulers join, leave and are cancelled at any step. A call that is picked alone runs exactly
as the pipeline made it, so that a job alone gives the very bytes of a plain `pipe()`.

Which calls come first: the least remaining work, for the mean wait; except that a task which lags behind its fair
share of the time goes first, so that long jobs end whatever arrives. It may lag by a part of its own work: else every
job that waits would count as lagging at once, and all would be served in turn, which makes everybody wait. And a long
task rides along while others are there to share its forwards with, if it would be left to run on alone otherwise; only
tasks far shorter go before it. The hub knows nothing of pictures, requests or pipes.
"""

from __future__ import annotations

import inspect
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import torch
from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]  # it ships no types

from generation import turns
from generation.worker.collate import Call, NotCollatable, agree, make_call, run_stacked
from generation.worker.packing import Packing

log = logging.getLogger(__name__)

Waiting = tuple["Task", Call]


class Task:
    """One job in the hub. After it has ended, exactly one of `result`, `error`, `cancelled` tells how."""

    def __init__(self, work: Callable[[], Any], remaining: Callable[[], float]) -> None:
        self.remaining = remaining  # work that is still to come, in any unit, for the order of service
        self.whole = 0.0  # what was to come at its beginning
        self.result: Any = None
        self.error: Exception | None = None
        self.cancelled = False
        self.call: Call | None = None  # what it waits for
        self.served = 0.0  # seconds of forwards that it had a part in
        self.entitled = 0.0  # seconds that equal shares would have given it
        self._greenlet = greenlet(work)

    @property
    def started(self) -> bool:
        return bool(self._greenlet) or self._greenlet.dead

    @property
    def ended(self) -> bool:
        return bool(self._greenlet.dead)

    def behind(self, seconds_per_work: float) -> bool:
        """Whether it has had so much less than its fair share that it must go first."""
        return turns.slack(self.served, self.entitled, self.whole * seconds_per_work) < 0

    def resume(self, outcome: Any = None) -> None:
        """Run until the next parked call or the end; an exception as `outcome` is raised inside."""
        self.call = None
        try:
            if isinstance(outcome, Exception):
                answer = self._greenlet.throw(outcome)
            else:
                answer = self._greenlet.switch(outcome) if self.started else self._greenlet.switch()
        except Exception as error:  # noqa: BLE001 - whatever a pipeline raises is this task's alone
            self.error = error
            return
        if isinstance(answer, GreenletExit):
            self.cancelled = True
        elif self._greenlet.dead:
            self.result = answer
        else:
            self.call = answer

    def cancel(self) -> None:
        """Unwind the pipeline from the call it waits in."""
        if self._greenlet.dead:
            return
        try:
            self._greenlet.throw(GreenletExit)
        except Exception as error:  # noqa: BLE001 - it ends all the same
            log.warning("a cancelled pipeline raised while it was unwound: %r", error)
        self.call = None
        self.cancelled = True


class Hub:
    """Runs tasks step by step, in the thread that calls `step`."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._tasks: list[Task] = []
        self._seconds_per_work = 0.0  # of a task's remaining work, as last seen
        self._alone: set[Hashable] = set()  # keys of calls that turned out not to collate
        self.forwards = 0
        self.rows = 0

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(self._tasks)

    def spawn(self, work: Callable[[], Any], remaining: Callable[[], float] = lambda: 0.0) -> Task:
        """A new task; it begins at the next step."""
        task = Task(work, remaining)
        self._tasks.append(task)
        return task

    def cancel(self, task: Task) -> None:
        """Unwind the task now; `step` does not return it."""
        self._tasks.remove(task)
        task.cancel()

    def step(self) -> tuple[Task, ...]:
        """Begin what is new, run one forward, resume those it served; returns the tasks that ended."""
        # one grad mode around everything: greenlets share the thread's, and pipelines switch it as they come and go
        with torch.inference_mode():
            self.begin()
            group = self._pick()
            if group:
                self._serve(group)
            return self._reap()

    def begin(self) -> None:
        """Run each new task to its first parked call."""
        for task in self._tasks:
            if not task.started:
                task.whole = task.remaining()
                task.resume()

    def _reap(self) -> tuple[Task, ...]:
        ended = tuple(task for task in self._tasks if task.ended)
        self._tasks = [task for task in self._tasks if not task.ended]
        return ended

    def _pick(self) -> list[Waiting]:
        """The calls of the next forward: the most urgent, and all that can go along with it."""
        order = sorted(self._tasks, key=lambda task: (not task.behind(self._seconds_per_work), task.remaining()))
        waiting = [(task, task.call) for task in order if task.call is not None]
        if not waiting:
            return []
        _, first = waiting[0]
        if first.key is not None:
            waiting = self._before_it_is_late([each for each in waiting if each[1].key == first.key])
        _, leader = waiting[0]
        group, rows = [waiting[0]], leader.rows
        for task, call in waiting[1:]:
            fits = rows + call.rows <= leader.max_rows
            if fits and self._collates(leader, call):
                group.append((task, call))
                rows += call.rows
        return group

    def _before_it_is_late(self, waiting: list[Waiting]) -> list[Waiting]:
        """Calls of one key in order of urgency, with those moved up that all the work there is will not outlast.

        A task takes at least as many forwards as it has steps left. If all work, in full forwards, is done in fewer,
        the task would end alone in forwards that are hardly filled.
        """
        left = {id(task): task.remaining() for task, _ in waiting}
        full_forwards = sum(left.values()) / waiting[0][1].max_rows
        late = {id(task) for task, call in waiting if left[id(task)] / call.rows >= full_forwards}
        longest = max((left[key] for key in late), default=0.0)

        def urgency(each: Waiting) -> int:
            task, _ = each
            behind = task.behind(self._seconds_per_work)
            return turns.urgency(left[id(task)], longest, behind=behind, late=id(task) in late)

        return sorted(waiting, key=urgency)  # stable: within each, the least remaining work stays first

    def _collates(self, one: Call, other: Call) -> bool:
        return one.key is not None and one.key == other.key and one.key not in self._alone and agree(one, other)

    def _serve(self, group: list[Waiting]) -> None:
        forwards_for_all = self._forwards_for_all()
        began = self._clock()
        outcomes = self._run([call for _, call in group])
        seconds = self._clock() - began
        for task in self._tasks:
            if task.call is not None:
                task.entitled += seconds / forwards_for_all
        for (task, _), outcome in zip(group, outcomes, strict=True):
            task.served += seconds
            before = task.remaining()
            task.resume(outcome)
            if (done := before - task.remaining()) > 0:
                self._seconds_per_work = seconds / done

    def _forwards_for_all(self) -> int:
        """How many forwards it takes to serve every waiting task once."""
        rows: Counter[Hashable] = Counter()
        limits: dict[Hashable, int] = {}
        for task in self._tasks:
            if task.call is not None:
                shared = task.call.key is not None and task.call.key not in self._alone
                key = task.call.key if shared else id(task)
                rows[key] += task.call.rows
                limits[key] = max(task.call.max_rows if shared else 1, task.call.rows)
        return sum(math.ceil(count / limits[key]) for key, count in rows.items())

    def _run(self, calls: list[Call]) -> list[Any]:
        """What each call returned, or the exception that it raised.

        A forward that fails for several is tried again in two halves, so that one job's fault, or too little
        memory for all at once, does not end the others.
        """
        self.forwards += 1
        self.rows += sum(call.rows for call in calls)
        try:
            return [calls[0].run()] if len(calls) == 1 else run_stacked(calls)
        except NotCollatable as error:
            log.warning("calls that looked alike do not collate, they run alone from now on: %s", error)
            self._alone.add(calls[0].key)
            return [outcome for call in calls for outcome in self._run([call])]
        except Exception as error:  # noqa: BLE001 - any module may raise anything; it goes to the task it concerns
            if len(calls) == 1:
                return [error]
            log.warning("a forward of %d calls failed and is tried again in halves: %r", len(calls), error)
        middle = len(calls) // 2
        return self._run(calls[:middle]) + self._run(calls[middle:])


class StandIn:
    """Stands in a pipeline where a module was. What it does not do itself, `isinstance` included, is the module's."""

    def __init__(self, module: Any) -> None:
        own = self.__dict__
        own["_module"] = module
        own["_inner"] = ()

    def modules(self) -> Iterator[Any]:
        """The module and all inside it: listed once, as pipelines go through them several times for each picture."""
        if not self._inner:
            self.__dict__["_inner"] = tuple(self._module.modules())
        return iter(self._inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)

    @property  # type: ignore[misc]  # pipelines ask isinstance() of their parts; typeshed has it writable
    def __class__(self) -> Any:
        return type(self._module)


class SharedModule(StandIn):
    """Parks the calls that are worth sharing. Called outside of a task it is the module itself."""

    def __init__(
        self,
        module: Any,
        max_rows: int,
        methods: Iterable[str] = (),
        *,
        pad: bool = False,
        packing: Packing | None = None,
    ) -> None:
        super().__init__(module)
        own = self.__dict__
        own["_packing"] = packing
        own["_max_rows"] = max_rows
        own["_pad"] = pad
        own["_methods"] = frozenset(methods)
        own["_signatures"] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "forward" not in self._methods:
            return self._module(*args, **kwargs)
        return self._park("forward", self._module, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if name == "forward" or name not in self._methods:
            return value

        def parked(*args: Any, **kwargs: Any) -> Any:
            return self._park(name, value, args, kwargs)

        return parked

    def _park(self, method: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hub = getcurrent().parent
        if hub is None:
            return function(*args, **kwargs)
        if method not in self._signatures:
            self._signatures[method] = inspect.signature(getattr(self._module, method))
        identity = (id(self._module), method)
        signature = self._signatures[method]
        stacked = None if self._packing is None else self._packing.wrap(function)
        call = make_call(function, signature, identity, args, kwargs, self._max_rows, pad=self._pad, stacked=stacked)
        return hub.switch(call)
