"""Measures a freshly loaded model: is sharing forwards right for it, up to how many rows does it pay, how fast is it.

Two small pictures with different steps, seeds and guidance are made one after the other and then together; jobs share
forwards only if the latents agree. Forwards of more and more rows are timed, for each of a few sizes of pictures: rows
are shared up to the knee, past which more of them cost as much each. Convolutions stay packed
(`generation.worker.packing`) where that is faster and agrees. What these runs make also serves to fit the preview map.
All of it is a few steps of work.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from generation.worker import finish, preview
from generation.worker.capture import Recorder, StepTaken
from generation.worker.collate import PADDED_ROWS, Call, run_stacked
from generation.worker.hub import Hub
from generation.worker.machine import ran_out_of_memory
from generation.worker.packing import Packing
from generation.worker.pipelines import DENOISERS, LoadedModel, Report

log = logging.getLogger(__name__)

MOST_ROWS = 16
MIN_GAIN = 0.1  # of the time per row, for which twice as many rows are worth it
SLOW_STEP = 1.0  # seconds; a forward this slow is not timed with more rows
ROUNDS = 3  # of timing
OTHER_SIZE = 2  # times as many pixels, or as few, for which rows are timed anew
DECODE_ROUNDS = 2  # the same for the decoder
PACKED_ROUNDS = 2  # the same, packed and not
PACKED_COPIES = 4  # of one picture's rows, for which convolutions are packed and timed
PACKED_GAIN = 0.03  # of the time, for which packing is worth its memory
DECODED_TOLERANCE = 1 / 1024  # of 0..1: a quarter of a grey level
# largest difference of latents made together and alone, relative to the largest latent
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.05}


@dataclass(frozen=True)
class Trial:
    """One small picture to try a model with."""

    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    guidance: float


TRIALS = (
    Trial("a red fox with sunglasses on a green field", "blue", 1, 4, 4.0),
    Trial("a yellow star next to a blue cat", "", 2, 3, 1.0),
)


def calibrate(model: LoadedModel, report: Report) -> None:
    """Fill in `max_rows`, `decode_rows`, `sharing`, `seconds_per_step`, `together` and `preview` of the model."""
    what = f"warming up {model.info.name}"
    total = 2 * sum(trial.steps for trial in TRIALS) + ROUNDS * (MOST_ROWS.bit_length() - 1)
    done = 0

    def step_done(_: object) -> None:
        nonlocal done
        done = min(done + 1, total)
        report(what, done, total)

    report(what, 0, total)
    alone, clean = _run_alone(model, step_done)
    _fit_preview(model, clean)
    call = _first_call(model)
    packings = _pack_denoisers(model, call)
    difference = _largest_difference(alone, _run_together(model, step_done))
    if packings and difference > TOLERANCE[model.dtype]:
        for packing in packings:
            packing.drop()
        difference = _largest_difference(alone, _run_together(model, step_done))
    seconds = _time_rows(call, step_done)
    model.seconds_per_step = seconds[call.rows]
    model.together = (1, model.seconds_per_step)
    if difference > TOLERANCE[model.dtype]:
        model.sharing = f"alone: made together, pictures would differ by {difference:.1%}"
    else:
        model.max_rows = _rows_worth_sharing(seconds)
        pictures = max(1, model.max_rows // call.rows)
        model.together = (pictures, seconds[call.rows * pictures] / pictures)
        model.sharing = f"up to {model.max_rows} rows in one forward"
        model.rows_at = {side * side: _rows_at(model, side, step_done) for side in _other_sides(model)}
    model.size += model.packed_bytes
    report(what, total, total)
    log.info("%s: %.3f s a step; sharing: %s", model.info.name, model.seconds_per_step, model.sharing)


def trial_arguments(model: LoadedModel, trial: Trial, side: int | None = None) -> dict[str, Any]:
    """What the model's pipeline is called with for a trial; the latents are returned as they are.

    `side`: pixels of a square picture; None: the model's default size.
    """
    wanted = {
        "prompt": trial.prompt,
        "negative_prompt": trial.negative_prompt,
        "num_inference_steps": trial.steps,
        model.guidance_argument(): trial.guidance,
        "width": side or model.info.width,
        "height": side or model.info.height,
        "generator": torch.Generator().manual_seed(trial.seed),
        "output_type": "latent",
    }
    return {name: value for name, value in wanted.items() if model.accepts(name)}


def _run_alone(
    model: LoadedModel, step_done: Callable[[object], None]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The latents of each trial, and the clean predictions on the way there."""
    latents, clean = [], []

    def listen(step: StepTaken) -> None:
        if step.clean is not None:
            clean.append(step.clean.detach().float().cpu())
        step_done(step)

    with torch.inference_mode():
        for trial in TRIALS:
            pipeline = model.pipeline_for_job(model.info.scheduler)
            Recorder(pipeline.scheduler, listen, clean=True)
            latents.append(_latents(model, pipeline, trial))
    return latents, clean


def _first_call(model: LoadedModel, side: int | None = None) -> Call:
    """The first trial's first call of the denoiser."""
    hub = Hub()
    pipeline = model.pipeline_for_job(model.info.scheduler, max_rows=MOST_ROWS)
    task = hub.spawn(partial(_latents, model, pipeline, TRIALS[0], side))
    with torch.inference_mode():
        hub.begin()
        call = task.call
        hub.cancel(task)
    if task.error is not None:
        raise task.error
    if call is None:
        raise TypeError(f"{type(model.pipeline).__name__} made a picture without calling a denoiser known here")
    return call


def _run_together(model: LoadedModel, step_done: Callable[[object], None]) -> list[torch.Tensor]:
    """The latents of each trial, made in one hub."""
    hub = Hub()
    tasks = []
    for trial in TRIALS:
        pipeline = model.pipeline_for_job(model.info.scheduler, max_rows=MOST_ROWS)
        Recorder(pipeline.scheduler, step_done)
        tasks.append(hub.spawn(partial(_latents, model, pipeline, trial)))
    while hub.tasks:
        hub.step()
    for task in tasks:
        if task.error is not None:
            raise task.error
    return [task.result for task in tasks]


def _pack_denoisers(model: LoadedModel, call: Call) -> list[Packing]:
    """Pack the denoisers' convolutions where stacked forwards are faster for it; returns those that are packed now."""
    copies = min(PACKED_COPIES, int(SLOW_STEP / max(_seconds(call, 1), 1e-6)))
    if call.key is None or copies < 2:
        return []
    names = [name for name in DENOISERS if isinstance(getattr(model.pipeline, name, None), torch.nn.Module)]
    packings = [model.packing(name) for name in names]
    return [packing for packing in packings if _packed_if_it_pays(packing, lambda: run_stacked([call] * copies))]


def _packed_if_it_pays(packing: Packing, run: Callable[[], object]) -> bool:
    """Pack for what `run` does, and leave it so if that takes less time."""
    try:
        with torch.inference_mode():
            pays = packing.pack(run) and _packed_time(packing, run) <= 1 - PACKED_GAIN
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        pays = False
    if not pays:
        packing.drop()
    return pays


def _packed_time(packing: Packing, run: Callable[[], object]) -> float:
    """Of what `run` takes unpacked."""
    best = {True: float("inf"), False: float("inf")}
    for _ in range(PACKED_ROUNDS):
        for packing.enabled in (False, True):
            began = _clock()
            run()
            best[packing.enabled] = min(best[packing.enabled], _clock() - began)
    return best[True] / best[False]


def _latents(model: LoadedModel, pipeline: Any, trial: Trial, side: int | None = None) -> torch.Tensor:
    latents: torch.Tensor = model.run(pipeline, trial_arguments(model, trial, side))
    return latents


def _largest_difference(alone: list[torch.Tensor], together: list[torch.Tensor]) -> float:
    def relative(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a - b).abs().max() / a.abs().max().clamp(min=1e-6))

    worst = max(relative(a.float(), b.float()) for a, b in zip(alone, together, strict=True))
    return worst if worst == worst else float("inf")  # NaN never agrees


def _fit_preview(model: LoadedModel, clean: list[torch.Tensor]) -> None:
    """A model whose latents only its own pipeline can decode has no previews, and decodes one by one."""
    try:
        latents = torch.cat(
            [finish.spatial(model.pipeline, each, model.info.width, model.info.height) for each in clean]
        )
        pictures = finish.decode(model.pipeline, latents)
        model.preview = preview.fit(latents, pictures)
        _pack_decoder(model, latents[:2], pictures[:2])
        model.decode_rows = _decode_rows(model, latents[:1])
    except (finish.UndecodableLatents, RuntimeError) as error:
        log.warning("%s has no previews: %s", model.info.name, error)


def _pack_decoder(model: LoadedModel, latents: torch.Tensor, pictures: torch.Tensor) -> None:
    """Pack the decoder's convolutions, if that is faster and makes the same `pictures` of these latents."""
    packing = model.packing("vae")
    decode = packing.wrap(lambda: finish.decode_together(model.pipeline, latents))
    if _packed_if_it_pays(packing, decode) and (decode() - pictures).abs().max() > DECODED_TOLERANCE:
        packing.drop()


def _decode_rows(model: LoadedModel, latents: torch.Tensor) -> int:
    """How many pictures are decoded in one call: one, unless two together take clearly less time each."""
    best: dict[int, float] = {}
    for _ in range(DECODE_ROUNDS):
        for rows in (1, 2):
            began = _clock()
            with model.packing("vae").on() if rows > 1 else contextlib.nullcontext():
                finish.decode_together(model.pipeline, latents.repeat(rows, 1, 1, 1))
            seconds = (_clock() - began) / rows
            best[rows] = min(seconds, best.get(rows, seconds))
    return finish.DECODED_TOGETHER if best[2] < best[1] * (1 - MIN_GAIN) else 1


def _time_rows(call: Call, timed: Callable[[object], None]) -> dict[int, float]:
    """Seconds of one forward by its rows: the call's own, and twice, four times ... as many, the best of each.

    Round by round rather than size by size, so that a busy moment of the machine does not fall on one size alone. What
    does not fit into memory is left out.
    """
    copies = [1]
    while call.key is not None and call.rows * copies[-1] * 2 <= MOST_ROWS:
        copies.append(copies[-1] * 2)
    if call.pad:
        copies = [count for count in copies if call.rows * count <= PADDED_ROWS[-1]]
    rounds_compiling = 1 if call.pad else 0  # each number of rows is compiled when it is first seen
    best: dict[int, float] = {}
    for number in range(rounds_compiling + ROUNDS):
        for count in copies:
            seconds = _seconds_if_it_fits(call, count)
            if seconds is None:
                copies = copies[: copies.index(count)]
                break
            best[call.rows * count] = min(seconds, best.get(call.rows * count, seconds))
            timed(count)
            if seconds > SLOW_STEP and number >= rounds_compiling:
                copies = copies[: copies.index(count) + 1]
                break
    return best


def _other_sides(model: LoadedModel) -> list[int]:
    """Sides of the smallest and the largest square picture, if they are of another order and no step takes too long."""
    info = model.info
    default = info.width * info.height
    sides = {side - side % info.size_multiple for side in (info.min_side, info.max_side)}
    return sorted(
        side
        for side in sides
        if not default / OTHER_SIZE < side**2 < default * OTHER_SIZE
        and 0 < model.seconds_per_step * side**2 / default < SLOW_STEP
    )


def _rows_at(model: LoadedModel, side: int, timed: Callable[[object], None]) -> int:
    """How many rows of square pictures of this side are worth sharing; 1 where they cannot even be begun."""
    try:
        return _rows_worth_sharing(_time_rows(_first_call(model, side), timed))
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        return 1


def _rows_worth_sharing(seconds: dict[int, float]) -> int:
    """Where doubling the rows stops to take clearly less time for each: beyond, sharing only makes the first wait."""
    per_row = [(rows, time / rows) for rows, time in sorted(seconds.items())]
    rows, cost = per_row[0]
    for more, less in per_row[1:]:
        if less > cost * (1 - MIN_GAIN):
            break
        rows, cost = more, less
    return rows


def _seconds_if_it_fits(call: Call, copies: int) -> float | None:
    """As `_seconds`; None where memory is too short for more than one copy."""
    try:
        return _seconds(call, copies)
    except (MemoryError, RuntimeError) as error:
        if copies == 1 or not ran_out_of_memory(error):
            raise
    log.info("%d rows do not fit into memory", call.rows * copies)
    return None


def _seconds(call: Call, copies: int) -> float:
    began = _clock()
    with torch.inference_mode():
        if copies == 1:
            call.run()
        else:
            run_stacked([call] * copies)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return _clock() - began


def _clock() -> float:
    """Seconds; of the processor where one thread does everything, since others may want the processor meanwhile."""
    if torch.get_num_threads() == 1 and not torch.cuda.is_available():
        return time.process_time()
    return time.perf_counter()
