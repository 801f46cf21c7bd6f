"""The worker's main loop: orders in, forwards, events out; until it is told to stop or its parent is gone.

Everything that torch does happens in the one thread that calls `Worker.run`; another thread only reads orders. An
error that one job or query meets is that one's alone; it gets a reference that also stands in the log.
"""

from __future__ import annotations

import gc
import logging
import queue
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from generation.errors import GenerationError, ModelError
from generation.events import (
    Cancel,
    Cancelled,
    Configure,
    DecodeFrames,
    Event,
    Failed,
    Frame,
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
from generation.models import ModelInfo, Models
from generation.worker import finish, machine, pipelines
from generation.worker.calibrate import calibrate
from generation.worker.capture import Trajectory, unpack_trajectory
from generation.worker.hub import Hub, Task
from generation.worker.job import PictureJob
from generation.worker.pipelines import LoadedModel
from generation.worker.reading import read_prompt
from generation.worker.touch_up import touch_up
from generation.worker.upscaler import Upscaler

log = logging.getLogger(__name__)

LANES = 16  # jobs in hand at once, even where forwards are not shared: the hub serves the shortest first
MODELS_KEPT = 2  # in memory; the one used longest ago makes room


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
        self._loaded: dict[str, LoadedModel] = {}  # the one used last is last
        self._unusable: dict[str, str] = {}
        self._no_device: ModelError | None = None
        try:
            self._machine = machine.look_at_machine(configure.device, configure.threads)
        except ModelError as error:  # nothing can be made, and everybody who asks is told why
            self._no_device = error
            self._machine = machine.look_at_machine("cpu", configure.threads)

        path = configure.upscaler
        self._upscaler = None if path is None else Upscaler(Path(path), self._machine.device)

    def run(self, orders: Orders) -> None:
        """Load the first model, say `Ready`, and work until `Stop`."""
        self._load_first()
        while True:
            try:
                order = orders.get(block=not self._runs)
            except queue.Empty:
                self._step()
                continue
            if isinstance(order, Stop):
                break
            self._carry_out(order)
        for key in list(self._runs):
            self._cancel(*key)

    def _load_first(self) -> None:
        info = self._models.default
        try:
            self.model(info)
        except ModelError as error:
            log.error("%s", error)
        self._emit(self._ready())

    def _ready(self) -> Ready:
        dtypes = [str(model.dtype) for model in self._loaded.values()] or [str(self._machine.auto_dtype)]
        return Ready(
            lanes=LANES,
            models=self._models.names,
            device=self._machine.device,
            dtype=dtypes[0].removeprefix("torch."),
            threads=self._machine.threads,
            weights_sha256={name: model.weights_sha256 for name, model in self._loaded.items()},
            seconds_per_step={name: model.seconds_per_step for name, model in self._loaded.items()},
            together={name: model.together for name, model in self._loaded.items()},
            versions=dict(machine.versions()),
            unusable=dict(self._unusable),
            sharing={name: model.sharing for name, model in self._loaded.items()},
        )

    # --- orders --------------------------------------------------------------------------------

    def _carry_out(self, order: Order) -> None:
        match order:
            case Generate():
                self._begin(order)
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

    def _begin(self, order: Generate) -> None:
        try:
            job = PictureJob(order, self.model(self._models.get(order.request.model)), self._emit, self._upscaler)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, it fails this job and no other
            self._fail(order, error)
            return
        self._runs[order.job, order.attempt] = Run(order, self._hub.spawn(job.work, job.remaining))

    def _cancel(self, job: int, attempt: int) -> None:
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
        """The model, loaded and measured if it is not yet.

        Raises:
            ModelError: it cannot be loaded.
        """
        model = self._loaded.pop(info.name, None)
        if model is None:
            try:
                if self._no_device is not None:
                    raise self._no_device
                self._make_room()
                model = pipelines.load(info, self._machine, self._report)
                calibrate(model, self._report)
            except Exception as error:
                failure = _as_model_error(info, error)
                self._unusable[info.name] = str(failure)
                raise failure from error
            self._unusable.pop(info.name, None)
        self._loaded[info.name] = model
        return model

    def _make_room(self) -> None:
        """Let go of the model used longest ago, where as many are in memory as may be and no job runs on it."""
        busy = {run.order.request.model for run in self._runs.values()}
        for name in [name for name in self._loaded if name not in busy]:
            if len(self._loaded) < MODELS_KEPT:
                return
            log.info("unloading %s", name)
            del self._loaded[name]
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _report(self, what: str, done: int, total: int) -> None:
        self._emit(Loading(what=what, done=done, total=total))

    # --- queries -------------------------------------------------------------------------------

    def _decode(self, order: DecodeFrames) -> Frames:
        model = self.model(self._models.get(order.model))
        trajectory = unpack_trajectory(order.trajectory)
        return Frames(query=order.query, frames=_frames(model, trajectory, order.steps, noisy=order.noisy))

    def _read(self, order: ReadPrompt) -> PromptRead:
        return read_prompt(order.query, self.model(self._models.get(order.model)).pipeline, order.prompt)

    def _touch_up(self, order: TouchUp) -> TouchedUp:
        picture, lines = touch_up(finish.open_own(order.picture), order.touches, self._upscaler)
        return TouchedUp(query=order.query, picture=finish.png(picture), lines=tuple(lines))

    def _status(self, order: Inspect) -> Status:
        return Status(
            query=order.query,
            running=tuple(run.order.job for run in self._runs.values()),
            resident_mb=machine.resident_mb(),
            ready=self._ready(),
        )


def _frames(model: LoadedModel, trajectory: Trajectory, wanted: Sequence[int], *, noisy: bool) -> tuple[Frame, ...]:
    """The frames of these steps; before the first nothing is predicted yet, so step 0 shows the noise."""
    steps = [step for step in dict.fromkeys(wanted) if 0 <= step <= trajectory.steps]
    if not steps:
        return ()
    noise = trajectory.latents[steps]
    clean = torch.cat([trajectory.clean[step - 1 : step] if step else trajectory.latents[:1] for step in steps])

    def pictures(latents: torch.Tensor) -> list[bytes]:
        whole = finish.spatial(model.pipeline, latents, trajectory.width, trajectory.height)
        return [finish.png(image) for image in finish.decode_images(model.pipeline, whole)]

    return tuple(
        Frame(step=step, noise_level=float(trajectory.noise_levels[step]), picture=picture, noisy=noisy_picture)
        for step, picture, noisy_picture in zip(
            steps, pictures(clean), pictures(noise) if noisy else [None] * len(steps), strict=True
        )
    )


def _explain(error: Exception) -> tuple[str, str]:
    """A sentence for the person, and a reference under which the log tells the rest."""
    reference = secrets.token_hex(4)
    if isinstance(error, GenerationError):
        log.warning("reference %s: %s", reference, error)
        return str(error), reference
    log.error("reference %s", reference, exc_info=error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "There was not enough memory for this picture; ask for a smaller one.", reference
    return f"Something went wrong while making this picture; our log has it under {reference}.", reference


def _as_model_error(info: ModelInfo, error: Exception) -> ModelError:
    if isinstance(error, ModelError):
        return error
    if isinstance(error, GenerationError):
        return ModelError(str(error))
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return ModelError(f"The model “{info.name}” does not fit into the memory of this machine.")
    log.error("the model %s failed while it was tried out", info.name, exc_info=error)
    return ModelError(f"The model “{info.name}” was loaded but failed when it was tried out: {error!r:.300}")
