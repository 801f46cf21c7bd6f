"""`darkroom imagine`: one picture, made here and now, into files.

Starts a worker process of its own for the one model that is asked for, and leaves the data folder
alone: no queue, no database, no lock (docs/decisions/0050). Knows no torch: the picture, the record
and the trajectory come from the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from bot.errors import SUCCESS, UserMistake
from bot.held_log import held_log
from bot.known_words import unknown_sentence
from bot.output_files import check_targets, write_whole
from bot.parts import local_dispatcher
from bot.settings import Settings
from generation import events
from generation.dispatch.base import Dispatcher
from generation.dispatch.patience import patient_events
from generation.errors import ModelError, WorkerError, WorkerGone
from generation.models import ModelInfo, Models
from generation.pictures.draw import PictureError, open_rgb
from generation.pictures.strip import choose_steps, draw_strip, strip_steps
from generation.pictures.timelapse import TIMELAPSE_FRAMES, draw_timelapse
from generation.pictures.words import draw_word_maps
from generation.request import GenerationRequest, RunFacts, make_request, parse_size
from generation.touches import TOUCHES
from generation.vocabulary import Lexicons
from generation.word_maps import WordMaps, masses

HELP = "make one picture and write it to a file"

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
MAX_INIT_BYTES = 32 * 2**20
ATTEMPTS = 2  # a job whose worker dies twice is given up
FRAMES_AT_ONCE = 4
JOB = 1  # the worker's name for the one job there is


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for, checked: nothing in it fails later for a mistake of the person."""

    model: ModelInfo
    request: GenerationRequest
    init_image: bytes | None
    out: Path
    strip: Path | None
    noisy: bool
    timelapse: Path | None
    words: Path | None
    facts: Path | None


class Meter:
    """The progress bar on stderr; shows nothing where stderr is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(events.STARTING, total=None)

    def __enter__(self) -> Meter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, words: str, done: int | None = None, total: int | None = None) -> None:
        """Say what is going on and how far it is; without figures the bar only moves."""
        self._progress.update(self._task, description=words, completed=done or 0, total=total)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `darkroom imagine`."""
    parser.add_argument("prompt", metavar="PROMPT", help="what the picture should show")
    parser.add_argument("--negative", metavar="TEXT", help="what it should not show")
    parser.add_argument(
        "--seed", type=_number("seed"), metavar="N", help="the noise to begin with; the same makes the same"
    )
    parser.add_argument("--steps", type=_number("number of steps"), metavar="N", help="denoising steps")
    parser.add_argument("--guidance", type=_decimal("guidance"), metavar="G", help="how strictly to follow the prompt")
    parser.add_argument("--size", metavar="WxH", help="width x height in pixels, like 512x512")
    parser.add_argument("--model", metavar="NAME", help="the model to use (default: the first configured)")
    parser.add_argument("--init", type=Path, metavar="IMAGE", help="a picture to start from instead of pure noise")
    parser.add_argument(
        "--strength", type=_decimal("strength"), metavar="S", help="how much of IMAGE to redo, 0.05 to 1"
    )
    parser.add_argument("--out", type=Path, metavar="P.png", required=True, help="where the picture goes")
    parser.add_argument("--strip", type=Path, metavar="S.png", help="also the way from noise to picture, in frames")
    parser.add_argument("--noisy", action="store_true", help="show the noisy latents in the strip as well")
    parser.add_argument("--timelapse", type=Path, metavar="T.webp", help="also the way as an animation")
    parser.add_argument("--words", type=Path, metavar="W.png", help="also where each word was attended to")
    parser.add_argument(
        "--touch",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a final touch, which is no part of diffusion; may be given again: {', '.join(TOUCHES)}",
    )
    parser.add_argument("--facts", type=Path, metavar="F.json", help="also the record of the run")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make the picture and return the exit status.

    Raises:
        UserMistake, RequestError: something asked for cannot be done; the sentence says what.
        WorkerError: the worker could not make the picture.
    """
    plan = make_plan(arguments, settings.known_models)
    warn_of_unknown_words(plan)
    try:
        with held_log(settings.log_level):
            facts = asyncio.run(imagine(plan, local_dispatcher(settings, Models(all=(plan.model,)))))
    except KeyboardInterrupt:
        print("darkroom: Cancelled.", file=sys.stderr)
        return INTERRUPTED
    print(f"{plan.out}: seed {facts.request.seed}, {facts.request.steps} steps, {facts.seconds:.1f} s")
    return SUCCESS


def warn_of_unknown_words(plan: Plan) -> None:
    """Say on stderr which words the model was not taught, if any; the picture is made all the same.

    Raises:
        ModelError: the model's vocabulary is damaged.
    """
    lexicon = Lexicons().of(plan.model)
    unknown = () if lexicon is None else lexicon.unknown(plan.request.prompt)
    if lexicon is not None and unknown:
        sentence = unknown_sentence(plan.model.name, lexicon, unknown, "“{}”".format)
        print(f"darkroom: {sentence}", file=sys.stderr)


def make_plan(arguments: argparse.Namespace, models: Models) -> Plan:
    """The command line, checked against the models and the disk.

    Raises:
        UserMistake: a path that will not do.
        RequestError: a value that the model cannot do.
    """
    model = models.get(arguments.model)
    width, height = parse_size(arguments.size) if arguments.size is not None else (None, None)
    init_image = None if arguments.init is None else read_init_image(arguments.init)
    request = make_request(
        model,
        prompt=arguments.prompt,
        negative_prompt=arguments.negative,
        seed=arguments.seed,
        steps=arguments.steps,
        guidance_scale=arguments.guidance,
        width=width,
        height=height,
        init_image=None if init_image is None else hashlib.sha256(init_image).hexdigest(),
        strength=arguments.strength,
        touches=arguments.touch,
    )
    if arguments.noisy and arguments.strip is None:
        raise UserMistake("--noisy adds a row to the strip; say with --strip where the strip should go.")
    check_targets(
        (
            ("--out", arguments.out, ".png"),
            ("--strip", arguments.strip, ".png"),
            ("--timelapse", arguments.timelapse, ".webp"),
            ("--words", arguments.words, ".png"),
            ("--facts", arguments.facts, ".json"),
        )
    )
    return Plan(
        model=model,
        request=request,
        init_image=init_image,
        out=arguments.out,
        strip=arguments.strip,
        noisy=arguments.noisy,
        timelapse=arguments.timelapse,
        words=arguments.words,
        facts=arguments.facts,
    )


def read_init_image(path: Path) -> bytes:
    """The encoded picture at `path`, known to decode.

    Raises:
        UserMistake: no such file, too large a file, or not a picture.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_INIT_BYTES else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserMistake(f"The picture to start from, {path}, cannot be read: {reason}.") from error
    if size > MAX_INIT_BYTES:
        raise UserMistake(f"The picture to start from, {path}, is larger than {MAX_INIT_BYTES // 2**20} MB.")
    try:
        open_rgb(content)
    except PictureError as error:
        raise UserMistake(
            f"The picture to start from, {path}, is not one that I can read; give a PNG, JPEG or WebP."
        ) from error
    return content


async def imagine(plan: Plan, dispatcher: Dispatcher) -> RunFacts:
    """Make the planned picture, write every file that was asked for, and return the run's record.

    The picture is written before anything is drawn from it, so that a fault in a strip costs no picture.
    The dispatcher is started and closed here, also when the task is cancelled.

    Raises:
        WorkerError: the worker could not make the picture, or decode its steps.
        UserMistake: the disk refused a file.
    """
    order = events.Generate(
        job=JOB,
        attempt=1,
        request=plan.request,
        init_image=plan.init_image,
        previews=False,
        trajectory=plan.strip is not None or plan.timelapse is not None,
        words=plan.words is not None,
    )
    with Meter() as meter:
        try:
            await dispatcher.start()
            finished = await _develop(dispatcher, order, meter)
            write_whole(plan.out, finished.picture)
            if plan.facts is not None:
                write_whole(plan.facts, facts_json(finished.facts, finished.words))
            if finished.trajectory is not None:
                await _write_figures(plan, dispatcher, finished.facts, finished.trajectory, meter)
            if plan.words is not None:
                await _write_words(plan.words, finished)
            return finished.facts
        finally:
            await dispatcher.close()


def facts_json(facts: RunFacts, words: WordMaps | None = None) -> bytes:
    """The run's record for other programs, as indented JSON.

    `size` reads like the option, `seconds` runs from the first forward to the decoded picture,
    `image_sha256` is taken over the RGB pixels, row by row, of what diffusion made; `noise_levels` and `changes` have
    one figure per step (`changes`: how much the predicted clean latent changed into it, as root mean square).
    With `words`, `word_masses` has the mean share of attention that each word of the prompt got.
    """
    request = facts.request
    record: dict[str, object] = {
        "prompt": request.prompt,
        "negative": request.negative_prompt,
        "tokens": facts.tokens,
        "seed": request.seed,
        "steps": request.steps,
        "guidance": request.guidance_scale,
        "scheduler": facts.scheduler,
        "size": f"{facts.width}x{facts.height}",
        "model": facts.model,
        "model_options": facts.model_options,
        "init_sha256": request.init_image,
        "strength": request.strength,
        "noise_levels": facts.noise_levels,
        "changes": facts.changes,
        "latent_shape": facts.latent_shape,
        "final_touches": facts.final_touches,
        "dtype": facts.dtype,
        "device": facts.device,
        "weights_sha256": facts.weights_sha256,
        "image_sha256": facts.image_sha256,
        "seconds": facts.seconds,
        "versions": facts.versions,
    }
    if words is not None:
        record["word_masses"] = masses(words)
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


async def _write_words(path: Path, finished: events.Finished) -> None:
    if finished.words is None:
        raise WorkerError(finished.unmapped or "This model tells nothing of its words.")
    plain = finished.untouched or finished.picture
    write_whole(path, await asyncio.to_thread(draw_word_maps, plain, finished.words))


async def _develop(dispatcher: Dispatcher, order: events.Generate, meter: Meter) -> events.Finished:
    """Submit the order when a worker is ready, follow it to its end, try once more if the worker dies."""
    ready = submitted = False
    async for event in patient_events(dispatcher):
        match event:
            case events.Loading(what=what, done=done, total=total):
                meter.show(what, done, total)
            case events.Ready(unusable=unusable):
                if order.request.model in unusable:
                    raise ModelError(unusable[order.request.model])
                ready = True
            case events.Progress(step=step, steps=steps, seconds_left=seconds):
                meter.show(f"step {step} of {steps} · {max(0, round(seconds))} s left", step, steps)
            case events.Finished():
                return event
            case events.Failed(retry=True) if order.attempt < ATTEMPTS:
                order = msgspec.structs.replace(order, attempt=order.attempt + 1)
                submitted = False
                meter.show("the worker stopped; starting it again")
            case events.Failed(sentence=sentence, reference=reference):
                raise WorkerError(f"{sentence} (reference {reference})")
            case events.Cancelled():
                raise WorkerError("The worker stopped the job although nobody asked for it.")
        if ready and not submitted and dispatcher.lanes_free > 0:
            submitted = await _submitted(dispatcher, order)
    raise WorkerGone("The worker process ended before the picture was made.")


async def _submitted(dispatcher: Dispatcher, order: events.Generate) -> bool:
    """Hand the order over; False where the worker went away in that moment and another will come."""
    try:
        await dispatcher.submit(order)
    except WorkerGone:
        return False
    return True


async def _write_figures(plan: Plan, dispatcher: Dispatcher, facts: RunFacts, trajectory: bytes, meter: Meter) -> None:
    """Draw strip and timelapse from the trajectory, as far as they were asked for."""

    known: dict[int, events.Frame] = {}

    async def decoded(steps: Sequence[int], what: str, *, noisy: bool = False) -> list[events.Frame]:
        lacking = [step for step in steps if step not in known]
        # a few at a time: a large decoder on a slow machine takes seconds for each
        for start in range(0, len(lacking), FRAMES_AT_ONCE):
            meter.show(what, start, len(lacking))
            query = events.DecodeFrames(
                query=0,  # the dispatcher numbers its queries
                model=plan.model.name,
                trajectory=trajectory,
                steps=tuple(lacking[start : start + FRAMES_AT_ONCE]),
                noisy=noisy,
            )
            known.update({frame.step: frame for frame in (await dispatcher.frames(query)).frames})
        return [known[step] for step in steps if step in known]

    if plan.strip is not None:
        frames = await decoded(strip_steps(facts), "drawing the strip", noisy=plan.noisy)
        write_whole(plan.strip, await asyncio.to_thread(draw_strip, frames, noisy=plan.noisy))
    if plan.timelapse is not None:
        chosen = choose_steps(facts.noise_levels, TIMELAPSE_FRAMES, facts.changes or None)
        frames = await decoded(chosen, "drawing the timelapse")
        write_whole(plan.timelapse, await asyncio.to_thread(draw_timelapse, frames))


def _number(name: str) -> Callable[[str], int]:
    """A parser of whole numbers whose complaint is a sentence."""

    def parse(text: str) -> int:
        try:
            return int(text) if len(text) <= 20 else int("")
        except ValueError:
            raise argparse.ArgumentTypeError(f"the {name} must be a whole number; “{text[:40]}” is not") from None

    return parse


def _decimal(name: str) -> Callable[[str], float]:
    """A parser of numbers whose complaint is a sentence."""

    def parse(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"the {name} must be a number; “{text[:40]}” is not") from None

    return parse
