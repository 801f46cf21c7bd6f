"""The worker's main loop: orders in, forwards, events out; until it is told to stop or its parent is gone.

Everything that torch does happens in the one thread that calls `Worker.run`; another thread only reads orders. An
error that one job or query meets is that one's alone; it gets a reference that also stands in the log.
"""

from __future__ import annotations

import logging
import queue
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from generation.errors import GenerationError, ModelError
from generation.events import (
    Cancel,
    Cancelled,
    Configure,
    DecodeFrames,
    Event,
    Failed,
    Frames,
    Generate,
    Inspect,
    Loading,
    Order,
    PromptRead,
    QueryFailed,
    ReadPrompt,
    Ready,
    Status,
    Stop,
    TouchedUp,
    TouchUp,
)
from generation.model_files import is_hub_id
from generation.models import ModelInfo, Models
from generation.worker import finish, loading, machine, memory
from generation.worker.calibrate import calibrate
from generation.worker.download import Fetch
from generation.worker.frames import decode_frames
from generation.worker.hub import Hub, Task
from generation.worker.job import PictureJob
from generation.worker.pipelines import LoadedModel
from generation.worker.preview import Pace
from generation.worker.reading import read_prompt
from generation.worker.study import StudyJob
from generation.worker.touch_up import touch_up
from generation.worker.upscaler import Upscaler

log = logging.getLogger(__name__)

LANES = 16  # jobs in hand at once, even where forwards are not shared: the hub serves the shortest first
FETCH_POLL = 0.05  # seconds
FETCH_TOLD = 1.0  # seconds between two events about a model on its way


class Orders(Protocol):
    """Where orders come from: a queue, as far as the worker uses it."""

    def get(self, block: bool = True) -> Order:
        """The next order.

        Raises:
            queue.Empty: there is none now, and `block` is off.
        """
        ...


@dataclass(frozen=True)
class Run:
    """A job in the hub."""

    order: Generate
    task: Task


class Worker:
    """Holds the models and the hub; `run` is its life."""

    def __init__(self, configure: Configure, emit: Callable[[Event], None]) -> None:
        self._models = Models(configure.models)
        self._emit = emit
        self._hub = Hub()
        self._runs: dict[tuple[int, int], Run] = {}
        self._pace = Pace(lambda: len(self._runs))
        self._waiting: list[Generate] = []  # for their model, in the order in which they came
        self._fetches: dict[str, Fetch] = {}
        self._fetch_told = float("-inf")
        self._unusable: dict[str, str] = {}
        self._no_device: ModelError | None = None
        try:
            self._machine = machine.look_at_machine(configure.device, configure.threads)
        except ModelError as error:  # nothing can be made, and everybody who asks is told why
            self._no_device = error
            self._machine = machine.look_at_machine("cpu", configure.threads)
        self._shelf = memory.Shelf(memory.budget(self._machine.device, configure.memory))
        path = configure.upscaler
        self._upscaler = None if path is None else Upscaler(Path(path), self._machine.device)

    def run(self, orders: Orders) -> None:
        """Load the first model, say `Ready`, and work until `Stop`."""
        self._load_first()
        while True:
            try:
                order = orders.get(block=not (self._runs or self._waiting))
            except queue.Empty:
                self._begin_waiting()
                if self._runs:
                    self._step()
                elif self._waiting:
                    time.sleep(FETCH_POLL)
                continue
            if isinstance(order, Stop):
                break
            self._carry_out(order)
        for order in [*self._waiting, *(run.order for run in self._runs.values())]:
            self._cancel(order.job, order.attempt)

    def _load_first(self) -> None:
        info = self._models.default
        try:
            self.model(info)
        except ModelError as error:
            log.error("%s", error)  # it has been told in `Ready`

    def _emit_ready(self) -> None:
        self._emit(self._ready())

    def _ready(self) -> Ready:
        dtypes = [str(model.dtype) for model in self._shelf] or [str(self._machine.auto_dtype)]
        return Ready(
            lanes=LANES,
            models=self._models.names,
            device=self._machine.device,
            dtype=dtypes[0].removeprefix("torch."),
            threads=self._machine.threads,
            weights_sha256={model.info.name: model.weights_sha256 for model in self._shelf},
            seconds_per_step={model.info.name: model.seconds_per_step for model in self._shelf},
            together={model.info.name: model.together for model in self._shelf},
            sizes={model.info.name: model.size for model in self._shelf},
            memory=self._shelf.budget,
            versions=dict(machine.versions()),
            unusable=dict(self._unusable),
            sharing={model.info.name: model.sharing for model in self._shelf},
        )

    # --- orders --------------------------------------------------------------------------------

    def _carry_out(self, order: Order) -> None:
        match order:
            case Generate():
                self._waiting.append(order)
                if len(self._waiting) == 1:
                    self._begin_waiting()
            case Cancel():
                self._cancel(order.job, order.attempt)
            case DecodeFrames():
                self._answer(order, lambda: self._decode(order))
            case ReadPrompt():
                self._answer(order, lambda: self._read(order))
            case TouchUp():
                self._answer(order, lambda: self._touch_up(order))
            case Inspect():
                self._answer(order, lambda: self._status(order))
            case Configure() | Stop():
                log.warning("the worker is configured already; an order of %s was dropped", type(order).__name__)

    def _begin_waiting(self) -> None:
        """Begin every job whose model is there, or can be loaded now.

        Who waits for room waits in front of all that came later, or models in use would never make any. Who waits
        for files that are on their way holds nobody up.
        """
        for order in list(self._waiting):
            try:
                model = self._model_or_wait(self._models.get(order.request.model))
                if model is None and order.request.model in self._fetches:
                    continue
                if model is None:
                    return
                job = self._job(order, model)
            except Exception as error:  # noqa: BLE001 - the edge: whatever it is, it fails this job and no other
                self._waiting.remove(order)
                self._fail(order, error)
                continue
            self._waiting.remove(order)
            self._runs[order.job, order.attempt] = Run(order, self._hub.spawn(job.work, job.remaining))

    def _job(self, order: Generate, model: LoadedModel) -> PictureJob | StudyJob:
        if order.cells:
            return StudyJob(order, model, self._emit)
        return PictureJob(order, model, self._emit, self._upscaler, self._pace)

    def _cancel(self, job: int, attempt: int) -> None:
        for order in [each for each in self._waiting if (each.job, each.attempt) == (job, attempt)]:
            self._waiting.remove(order)
            self._emit(Cancelled(job=job, attempt=attempt))
        run = self._runs.pop((job, attempt), None)
        if run is not None:  # else it has ended, and its last event is on the way
            self._hub.cancel(run.task)
            self._emit(Cancelled(job=job, attempt=attempt))

    def _answer(self, order: DecodeFrames | ReadPrompt | TouchUp | Inspect, answer: Callable[[], Event]) -> None:
        try:
            event = answer()
        except Exception as error:  # noqa: BLE001 - the edge: a query that fails is answered, and the jobs go on
            sentence, reference = _explain(error)
            event = QueryFailed(query=order.query, sentence=sentence, reference=reference)
        self._emit(event)

    # --- jobs ----------------------------------------------------------------------------------

    def _step(self) -> None:
        ended = self._hub.step()
        for run in [run for run in self._runs.values() if run.task in ended]:
            del self._runs[run.order.job, run.order.attempt]
            if run.task.error is not None:
                self._fail(run.order, run.task.error)
            elif run.task.cancelled:
                self._emit(Cancelled(job=run.order.job, attempt=run.order.attempt))
            else:
                self._emit(run.task.result)

    def _fail(self, order: Generate, error: Exception) -> None:
        sentence, reference = _explain(error)
        self._emit(Failed(job=order.job, attempt=order.attempt, sentence=sentence, reference=reference))

    # --- models --------------------------------------------------------------------------------

    def model(self, info: ModelInfo) -> LoadedModel:
        """The model, at once: loaded and measured if it is not yet.

        Raises:
            ModelError: it cannot be loaded, or not before the jobs of others have ended.
        """
        while (model := self._model_or_wait(info)) is None:
            if info.name not in self._fetches:
                raise ModelError(
                    f"There is no room for the model “{info.name}” while others paint; try again in a minute."
                )
            self._fetches[info.name].wait(FETCH_POLL)
        return model

    def _model_or_wait(self, info: ModelInfo) -> LoadedModel | None:
        """The model; None while its files are on their way, or models in use leave it no room.

        Raises:
            ModelError: it cannot be loaded.
        """
        model = self._shelf.take(info.name)
        if model is not None:
            return model
        try:
            if self._no_device is not None:
                raise self._no_device
            folder = self._files(info)
            if folder is None or not self._has_room(info, folder):
                return None
            model = self._load(info, folder)
        except Exception as error:
            failure = _as_model_error(info, error)
            self._unusable[info.name] = str(failure)
            self._emit_ready()
            raise failure from error
        self._unusable.pop(info.name, None)
        self._shelf.put(model)
        self._emit_ready()
        return model

    def _files(self, info: ModelInfo) -> Path | None:
        """The model's folder; None while it is being fetched, which goes on beside the jobs of other models.

        Raises:
            ModelError: it cannot be had.
        """
        if not is_hub_id(info.source):
            return Path(info.source)
        fetch = self._fetches.get(info.name)
        if fetch is None:
            fetch = self._fetches[info.name] = Fetch(info)
            fetch.wait(FETCH_POLL)  # what is there already takes no longer
        if not fetch.ended:
            self._report_fetch(info, fetch)
            return None
        try:
            return fetch.folder()
        finally:
            del self._fetches[info.name]

    def _has_room(self, info: ModelInfo, folder: Path) -> bool:
        """Make room for the model; False while models in use take it.

        Raises:
            ModelError: it does not fit by itself, or its files are not whole.
        """
        needed = loading.needed_bytes(info, folder, self._machine)
        if needed > self._shelf.budget:
            raise loading.too_large(info, needed, self._shelf.budget)
        return self._shelf.make_room(needed, self._in_use())

    def _load(self, info: ModelInfo, folder: Path) -> LoadedModel:
        """Load and measure; where memory runs out all the same, once more without what is not in use."""
        try:
            return self._loaded_and_measured(info, folder)
        except (MemoryError, RuntimeError, ModelError) as error:
            if not machine.ran_out_of_memory(error) and not machine.ran_out_of_memory(error.__cause__):
                raise
            log.warning("there was too little memory for %s: %r", info.name, error)
        if not self._shelf.unload_idle(self._in_use()):
            raise ModelError(f"The model “{info.name}” does not fit into the memory of this machine.")
        return self._loaded_and_measured(info, folder)

    def _loaded_and_measured(self, info: ModelInfo, folder: Path) -> LoadedModel:
        def report(what: str, done: int, total: int) -> None:
            self._emit(Loading(what=what, done=done, total=total, model=info.name))

        model = loading.load(info, self._machine, report, folder)
        calibrate(model, report)
        return model

    def _in_use(self) -> set[str]:
        return {run.order.request.model for run in self._runs.values()}

    def _report_fetch(self, info: ModelInfo, fetch: Fetch) -> None:
        now = time.monotonic()
        if now - self._fetch_told < FETCH_TOLD:
            return
        self._fetch_told = now
        what = f"fetching {info.name}"
        if fetch.total:
            what += f" ({fetch.done / 1e9:.1f} of {fetch.total / 1e9:.1f} GB)"
        self._emit(
            Loading(what=what, done=fetch.done, total=max(1, fetch.total), model=info.name, beside=bool(self._runs))
        )

    # --- queries -------------------------------------------------------------------------------

    def _decode(self, order: DecodeFrames) -> Frames:
        model = self.model(self._models.get(order.model))
        frames = decode_frames(model, order.trajectory, order.steps, noisy=order.noisy)
        return Frames(query=order.query, frames=frames)

    def _read(self, order: ReadPrompt) -> PromptRead:
        return read_prompt(order.query, self.model(self._models.get(order.model)).pipeline, order.prompt)

    def _touch_up(self, order: TouchUp) -> TouchedUp:
        picture, lines = touch_up(finish.open_own(order.picture), order.touches, self._upscaler)
        return TouchedUp(query=order.query, picture=finish.png(picture), lines=tuple(lines))

    def _status(self, order: Inspect) -> Status:
        return Status(
            query=order.query,
            running=tuple(order.job for order in (*(run.order for run in self._runs.values()), *self._waiting)),
            resident_mb=machine.resident_mb(),
            ready=self._ready(),
        )


def _explain(error: Exception) -> tuple[str, str]:
    """A sentence for the person, and a reference under which the log tells the rest."""
    reference = secrets.token_hex(4)
    if isinstance(error, GenerationError):
        log.warning("reference %s: %s", reference, error)
        return str(error), reference
    log.error("reference %s", reference, exc_info=error)
    if machine.ran_out_of_memory(error):
        return "There was not enough memory for this picture; ask for a smaller one.", reference
    return f"Something went wrong while making this picture; our log has it under {reference}.", reference


def _as_model_error(info: ModelInfo, error: Exception) -> ModelError:
    if isinstance(error, ModelError):
        return error
    if isinstance(error, GenerationError):
        return ModelError(str(error))
    if machine.ran_out_of_memory(error):
        return ModelError(f"The model “{info.name}” does not fit into the memory of this machine.")
    log.error("the model %s failed while it was tried out", info.name, exc_info=error)
    return ModelError(f"The model “{info.name}” was loaded but failed when it was tried out: {error!r:.300}")
