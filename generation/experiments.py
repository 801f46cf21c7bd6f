"""Experiments: one run made again several times, each time with one thing changed.

Plans what is to be made and what it costs; refuses what cannot be made or is too much; sums up what came of it. The
studio carries a plan out (`Studio.submit_study`), the worker makes its cells. Torch-free; knows no front end.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from generation.errors import RequestError
from generation.events import Finished
from generation.models import ModelInfo, Models
from generation.replay import Difference, ReplayReport, compare_pictures, report
from generation.request import MAX_GUIDANCE, MAX_SEED, MIN_GUIDANCE, GenerationRequest, RunFacts, clean_text
from generation.word_maps import WordMaps, masses, not_in_prompt, split_words

Change = Literal["words", "again", "guidance", "steps", "seed", "scheduler", "without", "instead", "negative"]
LOOKS: tuple[Change, ...] = ("words", "again")  # the run itself once more, with nothing changed
EXPERIMENTS: tuple[Change, ...] = ("guidance", "steps", "seed", "scheduler", "without", "instead", "negative")

MOST_CELLS = 12  # pictures beside the original: as many as can be told apart on a phone
STUDY_PRIORITY = 10  # behind all pictures that people wait for
PIXELS_PER_MEGAPIXEL = 1_000_000
GUIDANCE_LADDER = (1.0, 2.0, 4.0, 7.0, 12.0)
STEP_SHARES = (0.1, 0.25, 0.5, 1.5)  # of the original's steps
OTHER_SEEDS = 3
USUAL_NEGATIVE = "blurry, deformed"
SCHEDULERS = ("DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler")


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of an experiment. Without a request it is the original, which is not made again."""

    label: str
    request: GenerationRequest | None = None


class StudyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to make again of a picture's run, and why."""

    picture: int  # its id
    change: Change
    cells: tuple[Cell, ...]
    said: str  # what the person asked for, in short
    value: str = ""  # what it is changed to: a word, or numbers

    @property
    def requests(self) -> tuple[GenerationRequest, ...]:
        return tuple(cell.request for cell in self.cells if cell.request is not None)

    @property
    def heaviest(self) -> GenerationRequest:
        """The request that takes the most work: the limits of the person are held against it."""
        return max(self.requests, key=lambda each: each.steps * each.width * each.height)

    @property
    def key(self) -> str:
        """Equal for plans that make the same."""
        return hashlib.sha256(msgspec.json.encode((self.change, self.requests))).hexdigest()

    @property
    def priority(self) -> int:
        """Of its job: what one picture needs waits with the pictures, an experiment behind them."""
        return 0 if self.change in LOOKS else STUDY_PRIORITY

    @property
    def cost(self) -> float:
        """Steps x megapixels."""
        return sum(each.steps * each.width * each.height for each in self.requests) / PIXELS_PER_MEGAPIXEL

    def seconds(self, run: RunFacts) -> float:
        """How long it takes, going by how long the original's own steps took."""
        own = run.request.steps * run.request.width * run.request.height / PIXELS_PER_MEGAPIXEL
        return self.cost / own * run.seconds if own else 0.0

    def sentence(self, run: RunFacts) -> str:
        """What it costs, for whoever decides on it."""
        count, seconds = len(self.requests), self.seconds(run)
        about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
        behind = ", when nobody waits for a picture" if self.priority else ""
        return f"It makes {count} picture{'s' * (count != 1)}, about {about} of work{behind}."


class CellResult(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that was made."""

    label: str
    facts: RunFacts | None  # None: the original
    picture: bytes  # PNG
    difference: Difference | None  # to the original; None: of another size


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a plan."""

    picture: int
    change: Change
    said: str
    cells: tuple[CellResult, ...]
    words: WordMaps | None = None  # of change "words"
    report: ReplayReport | None = None  # of changes "words" and "again"

    @property
    def masses(self) -> dict[str, float] | None:
        """How much each word was attended to; None: that was not looked at."""
        return None if self.words is None else masses(self.words)

    def summary(self) -> str:
        """In one sentence."""
        if self.report is not None:
            return self.report.sentence()
        parts = [
            f"{cell.label}: {cell.difference.mean:.1f}" if cell.difference else f"{cell.label}: another size"
            for cell in self.cells
            if cell.facts is not None
        ]
        return f"{self.said}; mean difference to the original in grey levels of 255: {', '.join(parts)}."


def conclude(plan: StudyPlan, run: RunFacts, original: bytes, made: Finished) -> Study:
    """What came of a plan: `original` (PNG) is what diffusion made in `run`.

    Raises:
        PictureError: a picture cannot be read.
    """
    replicas = iter(made.replicas)
    cells = []
    for cell in plan.cells:
        if cell.request is None:
            cells.append(CellResult(label=cell.label, facts=None, picture=original, difference=None))
            continue
        replica = next(replicas)
        apart = compare_pictures(original, replica.picture)
        cells.append(CellResult(label=cell.label, facts=replica.facts, picture=replica.picture, difference=apart))
    first = made.replicas[0]
    return Study(
        picture=plan.picture,
        change=plan.change,
        said=plan.said,
        cells=tuple(cells),
        words=made.words,
        report=report(run, original, first.facts, first.picture) if plan.change in LOOKS else None,
    )


def pack_study(study: Study) -> bytes:
    """As bytes to store."""
    return zlib.compress(msgspec.msgpack.encode(study), 1)


def unpack_study(packed: bytes) -> Study | None:
    """The study in stored bytes; None: they are damaged, or another version wrote them."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(packed), type=Study)
    except (zlib.error, msgspec.DecodeError):
        return None


def plan_replay(picture: int, run: RunFacts, models: Models, *, words: bool = False) -> StudyPlan:
    """The run once more, with nothing changed; with `words` to see where its words were attended to.

    Raises:
        RequestError: its model is gone.
    """
    request, _ = _replayed(run, models)
    said = "word maps" if words else "replay"
    return StudyPlan(
        picture=picture,
        change="words" if words else "again",
        cells=(Cell(label="as it was"), Cell(label="again", request=request)),
        said=said,
    )


def plan_experiment(
    picture: int, run: RunFacts, models: Models, change: Change, values: str = "", word: str = ""
) -> StudyPlan:
    """An experiment on a run.

    Args:
        picture: its id.
        values: what to change it to: numbers for guidance, steps and seeds, names of schedulers, another word
            (`instead`), another negative prompt; empty: a choice that shows the difference well.
        word: which word of the prompt to leave out or replace.

    Raises:
        RequestError: it cannot be made, or has too many cells; the sentence says what would do.
    """
    request, model = _replayed(run, models)
    match change:
        case "guidance":
            cells = _guidance(request, values)
        case "steps":
            cells = _steps(request, model, values)
        case "seed":
            cells = _seeds(request, values)
        case "scheduler":
            cells = _schedulers(request, run, values)
        case "without" | "instead":
            cells = [_reworded(request, change, word, values)]
            values = word.strip() if change == "without" else f"{word.strip()}: {values.strip()}"
        case "negative":
            cells = [_negated(request, values)]
        case _:
            return plan_replay(picture, run, models, words=change == "words")
    whole = _with_original(change, request, cells)
    return StudyPlan(picture=picture, change=change, cells=whole, said=_said(change), value=clean_text(values))


def _replayed(run: RunFacts, models: Models) -> tuple[GenerationRequest, ModelInfo]:
    """The run's request, tied to the scheduler that it had and without what came after diffusion."""
    if run.request.model not in models.names:
        raise RequestError(
            f"This picture was made with the model “{run.request.model[:40]}”, which is not there any more, so it "
            "cannot be made again."
        )
    return msgspec.structs.replace(run.request, scheduler=run.scheduler, touches=()), models.get(run.request.model)


def _guidance(request: GenerationRequest, values: str) -> list[Cell]:
    wanted = _numbers(values, "guidance scales") or list(GUIDANCE_LADDER)
    for scale in wanted:
        if not MIN_GUIDANCE <= scale <= MAX_GUIDANCE:
            raise RequestError(
                f"The guidance scale must be between {MIN_GUIDANCE:g} and {MAX_GUIDANCE:g}; {scale:g} is not."
            )
    return [
        Cell(label=f"guidance {scale:g}", request=msgspec.structs.replace(request, guidance_scale=scale))
        for scale in sorted(set(wanted))
        if scale != request.guidance_scale
    ]


def _steps(request: GenerationRequest, model: ModelInfo, values: str) -> list[Cell]:
    if model.max_steps == 1:
        raise RequestError(f"The model “{model.name}” takes one step and no more, so there is no ladder of steps.")
    usual = [max(1, round(request.steps * share)) for share in STEP_SHARES]
    wanted = _whole(values, "numbers of steps") or [count for count in usual if count <= model.max_steps]
    for count in wanted:
        if not 1 <= count <= model.max_steps:
            raise RequestError(f"The number of steps must be between 1 and {model.max_steps:,}; {count:,} is not.")
        if request.strength is not None and int(count * request.strength) < 1:
            raise RequestError(f"A strength of {request.strength:g} over {count} steps leaves no step to take.")
    return [
        Cell(label=f"{count} step{'s' * (count != 1)}", request=msgspec.structs.replace(request, steps=count))
        for count in sorted(set(wanted))
        if count != request.steps
    ]


def _seeds(request: GenerationRequest, values: str) -> list[Cell]:
    wanted = _whole(values, "seeds")
    for seed in wanted:
        if not 0 <= seed <= MAX_SEED:
            raise RequestError(f"The seed must be between 0 and {MAX_SEED:,}; {seed:,} is not.")
    if not wanted:  # the next ones: as good as any, and the same whenever somebody asks
        wanted = [(request.seed + each) % (MAX_SEED + 1) for each in range(1, OTHER_SEEDS + 1)]
    return [
        Cell(label=f"seed {seed}", request=request.again(seed))
        for seed in dict.fromkeys(wanted)
        if seed != request.seed
    ]


def _schedulers(request: GenerationRequest, run: RunFacts, values: str) -> list[Cell]:
    wanted = [name if name.endswith("Scheduler") else f"{name}Scheduler" for name in _items(values)]
    if not wanted and run.prediction_type == "flow":
        raise RequestError("This model was made for one scheduler, and there is no other worth a comparison.")
    return [
        Cell(label=name.removesuffix("Scheduler"), request=msgspec.structs.replace(request, scheduler=name))
        for name in dict.fromkeys(wanted or SCHEDULERS)
        if name != run.scheduler
    ]


def _reworded(request: GenerationRequest, change: Change, word: str, values: str) -> Cell:
    named = split_words(request.prompt)
    found = [place for place in named if place[0].casefold() == word.strip().casefold()]
    if not word.strip():
        raise RequestError("Say which word of the prompt it is about.")
    if not found:
        raise RequestError(not_in_prompt(word, [each for each, _, _ in named]))
    instead = clean_text(values) if change == "instead" else ""
    if change == "instead" and not instead:
        raise RequestError(f"Say what is to stand in the prompt instead of “{word.strip()[:40]}”.")
    said, begin, end = found[0]
    prompt = clean_text(f"{request.prompt[:begin]}{instead}{request.prompt[end:]}")
    if not split_words(prompt):
        raise RequestError(f"Without “{said[:40]}” nothing is left of the prompt, so there is nothing to compare with.")
    label = f"{instead[:24]} for {said[:24]}" if instead else f"without {said[:24]}"
    return Cell(label=label, request=msgspec.structs.replace(request, prompt=prompt))


def _negated(request: GenerationRequest, values: str) -> Cell:
    if request.guidance_scale <= 1:
        raise RequestError("This picture was made without guidance, so a negative prompt has no effect on it.")
    if request.negative_prompt and not values.strip():
        return Cell(label="no negative", request=msgspec.structs.replace(request, negative_prompt=""))
    negative = clean_text(values) or USUAL_NEGATIVE
    return Cell(label=f"not {negative[:24]}", request=msgspec.structs.replace(request, negative_prompt=negative))


def _with_original(change: Change, request: GenerationRequest, cells: list[Cell]) -> tuple[Cell, ...]:
    """The cells with the original in its place on the ladder, else at the front."""
    if len(cells) > MOST_CELLS:
        raise RequestError(
            f"An experiment has at most {MOST_CELLS} pictures beside the original; {len(cells):,} are too many."
        )
    if not cells:
        raise RequestError("Nothing would be different from the original; name other values.")
    place = 0
    if change == "guidance":
        place = sum(cell.request is not None and cell.request.guidance_scale < request.guidance_scale for cell in cells)
    elif change == "steps":
        place = sum(cell.request is not None and cell.request.steps < request.steps for cell in cells)
    return (*cells[:place], Cell(label=_own(change, request)), *cells[place:])


def _own(change: Change, request: GenerationRequest) -> str:
    match change:
        case "guidance":
            return f"guidance {request.guidance_scale:g}"
        case "steps":
            return f"{request.steps} step{'s' * (request.steps != 1)}"
        case "seed":
            return f"seed {request.seed}"
        case "scheduler":
            return (request.scheduler or "").removesuffix("Scheduler")
        case _:
            return "as it was"


def _said(change: Change) -> str:
    return {
        "guidance": "Other strengths of guidance",
        "steps": "Other numbers of steps",
        "seed": "Other seeds",
        "scheduler": "Other schedulers",
        "without": "Without one word",
        "instead": "Another word instead",
        "negative": "Another negative prompt",
    }[change]


def _items(values: str) -> list[str]:
    return [part for part in re.split(r"[\s,;]+", values.strip()) if part]


def _numbers(values: str, what: str) -> list[float]:
    try:
        return [float(part) for part in _items(values)]
    except ValueError:
        raise RequestError(f"“{values.strip()[:40]}” is no list of {what}; write them like 1, 4, 8.") from None


def _whole(values: str, what: str) -> list[int]:
    parts: Sequence[str] = _items(values)
    if not all(part.isascii() and part.isdigit() and len(part) <= 12 for part in parts):
        raise RequestError(f"“{values.strip()[:40]}” is no list of {what}; write whole numbers like 5, 10, 20.")
    return [int(part) for part in parts]
