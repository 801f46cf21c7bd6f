"""The cards of evidence: what each field of a run's record says, how two runs differ, and what nobody records.

Every number in a card is read from the record here and nowhere else. Sentences are complete, so that they can stand alone.
Chooses nothing: which card answers a question is decided in `explainer.answer`.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from explainer.language import words
from explainer.messages import Figure, SeenPicture
from generation.models import POCKET_NAME

SHOWN_PROMPT: Final = 160  # characters of a prompt inside a sentence
POCKET_TOKENS: Final = 24
HARDLY_ALIKE: Final = 50.0  # grey levels; the pocket model's own pictures of one thing lie some 30 to 45 from it
MARKS: Final = ("<|", "<s", "</s", "[CLS", "[SEP", "<pad", "<bos", "<eos")
GRAPHICS: Final = {
    "cuda": "a graphics card",
    "mps": "the graphics part of an Apple chip",
    "cpu": "the processor, without a graphics card",
}
MODELS: Final = (
    "midjourney",
    "dall-e",
    "dalle",
    "dall e",
    "stable diffusion",
    "sdxl",
    "sd3",
    "flux",
    "imagen",
    "chatgpt",
    "gpt",
    "gemini",
    "firefly",
    "ideogram",
    "leonardo",
    "pocket",
    "sora",
    "kandinsky",
    "pixart",
    "sana",
)
SCHEDULERS: Final = ("euler", "ddim", "ddpm", "dpm", "heun", "lcm", "pndm", "lms", "unipc", "karras", "flow match")
FORMATS: Final = ("float16", "fp16", "bfloat16", "bf16", "float32", "fp32", "int8", "float64")
DEVICES: Final = ("gpu", "graphics card", "cuda", "nvidia", "cpu", "processor", "apple")
PREDICTIONS: Final = {
    "epsilon": "the noise in the canvas (epsilon)",
    "v_prediction": "a velocity, a blend of noise and picture (v-prediction)",
    "sample": "the clean picture itself (x0)",
    "flow": "the direction from noise to picture (flow)",
    "flow_prediction": "the direction from noise to picture (flow)",
}
METHODS: Final = {
    "words": "with its words only",
    "again": "by asking again with another seed",
    "seed": "with the same seed and a changed prompt",
    "image": "by starting from that picture",
    "mask": "by a masked edit of a part of it",
}


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What one field says of one picture."""

    key: str
    text: str  # one to three sentences
    quote: str  # as recorded
    short: str = ""  # the value in a comparison; empty: not compared
    number: float | None = None  # for asking which had more
    numbers: tuple[float, ...] = ()  # what the field holds: any other number named in a question is contradicted
    names: tuple[str, ...] = ()  # likewise for names, lower-case ...
    rivals: tuple[str, ...] = ()  # ... of which these are others
    recorded: bool = True
    figure: Figure | None = None
    passage: str | None = None  # id of the passage that explains the field


def title_of(picture: SeenPicture) -> str:
    """The picture as it is named in a sentence."""
    return f"“{shown(picture.run.request.prompt)}”"


def shown(text: str, limit: int = SHOWN_PROMPT) -> str:
    """People's words inside a sentence of ours: on one line, without the quotes that enclose them, not too long."""
    line = " ".join(text.split()).replace("“", "'").replace("”", "'").replace('"', "'")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def counted(number: int, thing: str) -> str:
    """ "1 step", "40 steps"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def seconds_of(seconds: float) -> str:
    """A time as people say it: "2.6 seconds", "3 minutes 20 seconds"."""
    if seconds < 100:
        return f"{seconds:.1f} seconds"
    return f"{int(seconds) // 60} minutes {int(seconds) % 60} seconds"


def fact(key: str, picture: SeenPicture, subject: str = "It") -> Fact:
    """The card of a field. `subject` begins its sentence: "It", or the picture's title."""
    return FACTS[key](picture, subject)


def differences(one: SeenPicture, other: SeenPicture) -> list[tuple[Fact, Fact]]:
    """The fields in which two runs differ, each with both cards."""
    pairs = [(fact(key, one), fact(key, other)) for key in COMPARED]
    return [(left, right) for left, right in pairs if left.short != right.short]


# --- the fields ----------------------------------------------------------------------------------


def _steps(picture: SeenPicture, subject: str) -> Fact:
    asked, taken = picture.run.request.steps, len(picture.run.timesteps)
    text = f"{subject} took {counted(asked, 'step')}."
    if taken and taken != asked:
        text = (
            f"{subject} was asked for with {counted(asked, 'step')}; as it started from a picture at a strength of "
            f"{picture.run.request.strength or 1:g}, {taken} of them were run."
        )
    quote = (
        str(asked)
        if taken in (0, asked)
        else f"{asked}, {taken} taken at strength {picture.run.request.strength or 1:g}"
    )
    return Fact(
        key="steps",
        text=text,
        quote=quote,
        short=str(asked),
        number=asked,
        numbers=(asked, taken or asked),
        passage="sampling/more-steps-better",
    )


def _seed(picture: SeenPicture, subject: str) -> Fact:
    seed = picture.run.request.seed
    return Fact(
        key="seed",
        text=f"{subject} was made with seed {seed}. The same words and settings with this seed give the same "
        "picture again.",
        quote=str(seed),
        short=str(seed),
        numbers=(seed,),
        passage="seeds/what-a-seed-is",
    )


def _guidance(picture: SeenPicture, subject: str) -> Fact:
    scale = picture.run.request.guidance_scale
    text = f"{subject} was made with a guidance scale of {scale:g}."
    if scale <= 1:
        text += " At this value guidance is off: the network's answer is taken as it is."
    return Fact(
        key="guidance",
        text=text,
        quote=f"{scale:g}",
        short=f"{scale:g}",
        number=scale,
        numbers=(scale,),
        passage="guidance/classifier-free-guidance",
    )


def _size(picture: SeenPicture, subject: str) -> Fact:
    width, height = picture.run.width, picture.run.height
    return Fact(
        key="size",
        text=f"{subject} is {width} pixels wide and {height} high ({width}x{height}).",
        quote=f"{width}x{height}",
        short=f"{width}x{height}",
        number=width * height,
        numbers=(width, height),
        passage="editing/aspect-ratio",
    )


def _model(picture: SeenPicture, subject: str) -> Fact:
    model = picture.run.model
    text = f"{subject} was painted by the model “{shown(model)}”"
    text += ", the small one that ships with Darkroom." if model == POCKET_NAME else "."
    return Fact(
        key="model",
        text=text,
        quote=model,
        short=model,
        names=(model.lower(),),
        rivals=MODELS,
        passage="pocket/what-it-is",
    )


def _weights(picture: SeenPicture, subject: str) -> Fact:
    digest = picture.run.weights_sha256
    return Fact(
        key="weights",
        text=f"The weights that painted it have the fingerprint {digest[:16]}… They are the same for every "
        "picture with this "
        "fingerprint: using the model changes none of them.",
        quote=digest,
        short=digest[:16],
        passage="learning/learning-from-chat",
    )


def _scheduler(picture: SeenPicture, subject: str) -> Fact:
    name = picture.run.scheduler
    return Fact(
        key="scheduler",
        text=f"{subject} was made with the scheduler {shown(name)}.",
        quote=name,
        short=name,
        names=(name.lower().removesuffix("scheduler"), name.lower()),
        rivals=SCHEDULERS,
        passage="sampling/what-a-scheduler-does",
    )


def _prediction(picture: SeenPicture, subject: str) -> Fact:
    kind = picture.run.prediction_type
    return Fact(
        key="prediction",
        text=f"In this run the network predicted {PREDICTIONS.get(kind, shown(kind))} at every step.",
        quote=kind,
        short=kind,
        passage="prediction/what-the-network-predicts",
    )


def noise_levels(picture: SeenPicture, subject: str, step: int | None = None) -> Fact:
    """What was left of the noise after a step (None: halfway), and when half of it was gone."""
    levels = picture.run.noise_levels
    figure = Figure(kind="schedule", picture=picture.id)
    if not levels:
        return Fact(key="noise levels", text="I have no record of this run's noise levels.", quote="", recorded=False)
    step = min(max(step or math.ceil(len(levels) / 2), 1), len(levels))
    half = next((i for i, level in enumerate(levels, 1) if level <= 0.5), len(levels))
    text = f"After step {step} of {len(levels)}, {levels[step - 1]:.0%} of the canvas was still noise."
    text += f" It fell below half at step {half}." if half != step else " That is where it fell below half."
    return Fact(
        key="noise levels",
        text=text,
        quote=", ".join(f"step {i} of {len(levels)}: {level:.0%}" for i, level in enumerate(levels, 1)),
        figure=figure,
        passage="frames/noise-level-and-step",
    )


def _seconds(picture: SeenPicture, subject: str) -> Fact:
    seconds = picture.run.seconds
    return Fact(
        key="seconds",
        text=f"{subject} took {seconds_of(seconds)}, from the first step to the finished picture; waiting in the "
        "queue is not counted.",
        quote=f"{seconds:.1f} s ({seconds:.3f})",
        short=f"{seconds:.1f} s",
        number=seconds,
        numbers=(round(seconds, 1),),
        passage="cost/speed",
    )


def seconds_per_step(picture: SeenPicture, subject: str) -> Fact:
    """The time of a run, and what each of its steps took of it on average."""
    card = _seconds(picture, subject)
    taken = len(picture.run.timesteps) or picture.run.request.steps
    each = f"{picture.run.seconds / taken:.2g} seconds"
    text = f"{card.text} With {counted(taken, 'step')} that is about {each} a step, decoding included."
    return replace(card, text=text, quote=f"{card.quote}, {counted(taken, 'step')}: {each} each")


def _prompt(picture: SeenPicture, subject: str) -> Fact:
    prompt = shown(picture.run.request.prompt, 400)
    return Fact(
        key="prompt",
        text=f"The prompt was “{prompt}”.",
        quote=picture.run.request.prompt,
        short=f"“{shown(prompt, 80)}”",
        passage="text/from-words-to-numbers",
    )


def _negative(picture: SeenPicture, subject: str) -> Fact:
    request = picture.run.request
    if not request.negative_prompt:
        text = "There was no negative prompt: nothing was named to steer away from."
        return Fact(key="negative", text=text, quote="", short="none", passage="guidance/negative-prompts")
    text = f"The negative prompt was “{shown(request.negative_prompt)}”."
    if request.guidance_scale <= 1:
        text += (
            f" It had no effect: with a guidance scale of {request.guidance_scale:g} the network is not asked the "
            "second "
            "question in which it would be used."
        )
    return Fact(
        key="negative",
        text=text,
        quote=f"{request.negative_prompt} (guidance scale {request.guidance_scale:g})",
        short=f"“{shown(request.negative_prompt, 60)}”",
        passage="guidance/negative-prompts",
    )


def tokens_of(picture: SeenPicture) -> list[str]:
    """The prompt's tokens as people can read them, without the marks of beginning and end."""
    kept = [token for token in picture.run.tokens if not token.startswith(MARKS)]
    return [token.removesuffix("</w>").lstrip("Ġ▁") or token for token in kept]


def _words(picture: SeenPicture, subject: str) -> Fact:
    tokens = tokens_of(picture)
    text = (
        f"The prompt became {counted(len(tokens), 'token')}: {' · '.join(shown(token, 40) for token in tokens[:60])}."
    )
    if picture.run.model == POCKET_NAME and len(picture.run.tokens) >= POCKET_TOKENS:
        text += f" The pocket model reads {POCKET_TOKENS} with the two marks, so the end may have been cut off."
    return Fact(
        key="words",
        text=text,
        quote=f"{len(tokens)}: {' '.join(tokens)}",
        short=str(len(tokens)),
        number=len(tokens),
        numbers=(len(tokens),),
        passage="text/tokens",
    )


def _device(picture: SeenPicture, subject: str) -> Fact:
    device = picture.run.device
    kind = device.partition(":")[0]
    same = {"cuda": ("gpu", "graphics card", "cuda", "nvidia"), "mps": ("gpu", "apple"), "cpu": ("cpu", "processor")}
    return Fact(
        key="device",
        text=f"{subject} was computed on {GRAPHICS.get(kind, shown(device))} (“{device}”).",
        quote=device,
        short=device,
        names=same.get(kind, (device,)),
        rivals=DEVICES,
        passage="seeds/what-makes-pictures-repeat",
    )


def _format(picture: SeenPicture, subject: str) -> Fact:
    dtype = picture.run.dtype
    aliases = {"float16": ("float16", "fp16"), "bfloat16": ("bfloat16", "bf16"), "float32": ("float32", "fp32")}
    text = f"{subject} was computed in {dtype}"
    text += (
        ", a half-precision format."
        if dtype in {"float16", "bfloat16"}
        else ", full precision."
        if dtype == "float32"
        else "."
    )
    return Fact(
        key="format",
        text=text,
        quote=dtype,
        short=dtype,
        names=aliases.get(dtype, (dtype,)),
        rivals=FORMATS,
        passage="cost/number-formats",
    )


def _versions(picture: SeenPicture, subject: str) -> Fact:
    parts = ", ".join(f"{name} {version}" for name, version in sorted(picture.run.versions.items()))
    return Fact(
        key="versions",
        text=f"{subject} was made with {parts}.",
        quote=parts,
        short=parts,
        passage="seeds/what-makes-pictures-repeat",
    )


def _touches(picture: SeenPicture, subject: str) -> Fact:
    touches = picture.run.final_touches
    if touches:
        text = (
            f"After diffusion this was done: {', '.join(shown(touch) for touch in touches)}. That is not part "
            "of diffusion itself."
        )
    else:
        text = (
            "Nothing was done after diffusion: the picture is as the decoder gave it, with no sharpening, "
            "upscaling or repair."
        )
    return Fact(
        key="final touches",
        text=text,
        quote=", ".join(touches) or "none",
        short=", ".join(touches) or "none",
        passage="finishing/final-touches",
    )


def _start(picture: SeenPicture, subject: str) -> Fact:
    request = picture.run.request
    if request.init_image is None:
        text = f"{subject} began from pure noise and not from a picture; no photo or upload was used."
        return Fact(key="start", text=text, quote="noise", short="noise", passage="editing/image-to-image")
    strength = 1.0 if request.strength is None else request.strength
    text = (
        f"{subject} began from a picture, at a strength of {strength:g}: so much of it was covered with noise "
        "and made anew."
    )
    return Fact(
        key="start",
        text=text,
        quote=f"{request.init_image[:16]}, strength {strength:g}",
        short=f"a picture at strength {strength:g}",
        numbers=(strength, strength * 100),
        passage="editing/strength",
    )


def parent(picture: SeenPicture, pictures: Sequence[SeenPicture], subject: str = "It") -> Fact:
    """Which picture it goes on from."""
    if picture.parent is None:
        text = f"{subject} goes on from no other picture: it was asked for afresh."
        return Fact(key="parent", text=text, quote="none", passage="editing/ways-of-revising")
    found = next((other for other in pictures if other.id == picture.parent), None)
    name = title_of(found) if found else "a picture that is no longer there"
    how = METHODS.get(picture.method or "", "")
    text = f"{subject} goes on from picture {picture.parent}, {name}{', ' + how if how else ''}."
    figure = Figure(kind="pictures", picture=picture.id, other=picture.parent) if found else None
    return Fact(key="parent", text=text, quote=str(picture.parent), figure=figure, passage="editing/ways-of-revising")


def _created(picture: SeenPicture, subject: str) -> Fact:
    when = datetime.datetime.fromtimestamp(picture.created_at, datetime.UTC)
    text = f"{subject} was finished on {when:%-d %B %Y at %H:%M} (UTC)."
    return Fact(key="created", text=text, quote=f"{when:%-d %B %Y %H:%M} (UTC)", passage="provenance/record-of-a-run")


def _owner(picture: SeenPicture, subject: str) -> Fact:
    name = shown(picture.owner, 60)
    what = "it" if subject == "It" else subject
    text = f"You asked for {what}, {name}." if picture.mine else f"{name} asked for {what}."
    text += f" The model “{shown(picture.run.model)}” painted it."
    return Fact(
        key="owner",
        text=text,
        quote=f"{picture.owner} (model {picture.run.model})",
        short=name,
        names=(picture.owner.lower(),),
        passage="authorship/whose-picture",
    )


def _fingerprint(picture: SeenPicture, subject: str) -> Fact:
    digest = picture.run.image_sha256
    text = f"The picture's pixels have the fingerprint {digest[:16]}… A single changed pixel would give another one."
    return Fact(key="fingerprint", text=text, quote=digest, passage="seeds/replay")


def masses(picture: SeenPicture, word: str | None = None) -> Fact:
    """How much attention the words got, where a word map was made."""
    figure = Figure(kind="word map", picture=picture.id, word=word)
    if not picture.word_masses:
        text = (
            "I have no record of that yet: no word map was made of this picture. One can be made by running it again from "
            "its record."
        )
        return Fact(
            key="masses", text=text, quote="", recorded=False, figure=figure, passage="wordmaps/what-a-word-map-is"
        )
    ranked = sorted(picture.word_masses.items(), key=lambda item: -item[1])
    known = {name.lower(): mass for name, mass in ranked}
    lead = f"“{word}” got an attention mass of {known[word]:.3g}. " if word in known else ""
    listed = ", ".join(f"{shown(name, 30)} {mass:.3g}" for name, mass in ranked[:8])
    text = f"{lead}The words by attention, most first: {listed}. It is a measurement, and no proof of cause."
    return Fact(key="masses", text=text, quote=listed, figure=figure, passage="wordmaps/what-maps-do-not-prove")


def _masses(picture: SeenPicture, subject: str) -> Fact:
    return masses(picture)


def _nearest(picture: SeenPicture, subject: str) -> Fact:
    if not picture.compared:
        text = (
            f"Nothing is looked up while a picture is painted. What the model “{shown(picture.run.model)}” was trained "
            "on is not at hand here, so I have no record of what this picture resembles there."
        )
        if picture.compared is None:
            text = "I have no record of the nearest training pictures of this one: it was not compared with any."
        return Fact(key="nearest", text=text, quote="", recorded=False, passage="originality/what-did-you-copy")
    figure = Figure(kind="nearest", picture=picture.id)
    if not picture.nearest:
        text = (
            f"Nothing was looked up or pasted in. Compared with all {picture.compared:,} pictures that its training "
            "scenes were made of, it resembles none."
        )
        quote = f"compared with {picture.compared:,} training pictures: none resembles it"
        return Fact(key="nearest", text=text, quote=quote, passage="pocket/nearest-training-pictures")
    ranked = sorted(picture.nearest, key=lambda near: near.distance)  # they come by how much of it they cover
    first, *rest = ranked
    text = (
        "Nothing was looked up or pasted in while it was painted. But everything that this model was trained on is "
        f"known, so I compared: the nearest is “{shown(first.name, 40)}”, {first.distance:.1f} grey levels of 255 away"
    )
    text += f" (it was part of {first.views:,} training scenes)." if first.views else "."
    if rest:
        text += f" Then {' and '.join(f'“{shown(near.name, 40)}” at {near.distance:.1f}' for near in rest[:2])}."
    if first.distance > HARDLY_ALIKE:
        text += " At that distance the likeness is slight."
    text += " Near means alike, not copied from."
    quote = f"of {picture.compared:,} training pictures, by grey levels of 255: " + ", ".join(
        f"{near.name} {near.distance:.1f} ({near.views:,} scenes)" for near in ranked[:5]
    )
    return Fact(key="nearest", text=text, quote=quote, figure=figure, passage="pocket/nearest-training-pictures")


def _experiments(picture: SeenPicture, subject: str) -> Fact:
    if not picture.experiments:
        text = "I have no record of an experiment on this picture: none was made. Ask me to leave a word out, or for other steps."
        return Fact(key="experiments", text=text, quote="", recorded=False, passage="seeds/experiments")
    latest = picture.experiments[-1]
    listed = " ".join(done.summary for done in reversed(picture.experiments[-2:]))
    figure = Figure(kind="experiment", picture=picture.id, job=latest.job)
    text = f"{listed} The difference is due to what was changed, as all else was the same; another seed may show more or less."
    return Fact(key="experiments", text=text, quote=listed, figure=figure, passage="seeds/experiments")


def _settings(picture: SeenPicture, subject: str) -> Fact:
    run, request = picture.run, picture.run.request
    parts = [
        f"seed {request.seed}",
        counted(request.steps, "step"),
        f"guidance {request.guidance_scale:g}",
        f"{run.width}x{run.height} pixels",
        f"scheduler {run.scheduler}",
        f"model {shown(run.model)}",
        f"{run.dtype} on {run.device}",
        seconds_of(run.seconds),
    ]
    if request.negative_prompt:
        parts.append(f"negative prompt “{shown(request.negative_prompt, 80)}”")
    if request.init_image is not None:
        parts.append(f"started from a picture at strength {request.strength or 1:g}")
    text = f"“{shown(request.prompt)}” " + _story(picture)
    return Fact(key="settings", text=text, quote="; ".join(parts), passage="provenance/record-of-a-run")


def _story(picture: SeenPicture) -> str:
    run, request = picture.run, picture.run.request
    start = "began as noise" if request.init_image is None else "began from a picture, covered with noise"
    pull = "without guidance" if request.guidance_scale <= 1 else f"with a guidance of {request.guidance_scale:g}"
    text = (
        f"{start} drawn from seed {request.seed}. In {counted(request.steps, 'step')} the model “{shown(run.model)}” took "
        f"the noise away, {pull} (scheduler {shown(run.scheduler)}); that gave {run.width}x{run.height} pixels in "
        f"{seconds_of(run.seconds)}, computed in {run.dtype} on {run.device}."
    )
    if request.negative_prompt:
        text += f" It steered away from “{shown(request.negative_prompt, 80)}”."
    if request.init_image is not None:
        text += f" The strength was {request.strength or 1:g}."
    return text


def strip(picture: SeenPicture, step: int | None = None) -> Fact:
    """How the picture came out of the noise."""
    levels = noise_levels(picture, "It", step)
    if not picture.has_steps:
        text = "The steps of this picture were not kept, so there is no strip of it; a replay can bring them back."
        return Fact(key="strip", text=text, quote="", recorded=False, passage="seeds/replay")
    text = (
        f"The strip shows what the model took the picture to be at each step. {levels.text} What can be seen in a "
        "frame is for your "
        "eyes: the record holds the numbers and no description."
    )
    return Fact(
        key="strip",
        text=text,
        quote=levels.quote,
        figure=Figure(kind="strip", picture=picture.id),
        passage="frames/what-a-strip-shows",
    )


def _latents(picture: SeenPicture, subject: str) -> Fact:
    shape = picture.run.latent_shape
    if not shape:
        text = "I have no record of the shape of this run's latents; pictures made earlier were stored without it."
        return Fact(key="latents", text=text, quote="", recorded=False, passage="latents/what-latents-are")
    text = (
        f"{subject} was worked out as latents of the shape {' x '.join(map(str, shape))}, and decoded to "
        "pixels at the end."
    )
    return Fact(key="latents", text=text, quote=" x ".join(map(str, shape)), passage="latents/what-latents-are")


def _changes(picture: SeenPicture, subject: str) -> Fact:
    changes = picture.run.changes
    if not changes:
        text = "I have no record of how much each step changed; pictures made earlier were stored without it."
        return Fact(key="changes", text=text, quote="", recorded=False, passage="frames/picture-changes-its-mind")
    most = max(range(len(changes)), key=changes.__getitem__)
    text = (
        f"The model's guess changed most at step {most + 1} of {len(changes)}, by {changes[most]:.3g}, and by "
        f"{changes[-1]:.3g} at the "
        "last. That measures the latents; what it means for the eye the strip shows."
    )
    quote = ", ".join(f"step {i} of {len(changes)}: {change:.3g}" for i, change in enumerate(changes, 1))
    figure = Figure(kind="strip", picture=picture.id) if picture.has_steps else None
    return Fact(key="changes", text=text, quote=quote, figure=figure, passage="frames/picture-changes-its-mind")


FACTS: Final[dict[str, Callable[[SeenPicture, str], Fact]]] = {
    "steps": _steps,
    "seed": _seed,
    "guidance": _guidance,
    "size": _size,
    "model": _model,
    "weights": _weights,
    "scheduler": _scheduler,
    "prediction": _prediction,
    "noise levels": noise_levels,
    "seconds": _seconds,
    "prompt": _prompt,
    "negative": _negative,
    "words": _words,
    "device": _device,
    "format": _format,
    "versions": _versions,
    "final touches": _touches,
    "start": _start,
    "created": _created,
    "owner": _owner,
    "fingerprint": _fingerprint,
    "masses": _masses,
    "nearest": _nearest,
    "experiments": _experiments,
    "settings": _settings,
    "latents": _latents,
    "changes": _changes,
}
COMPARED: Final = (
    "prompt",
    "negative",
    "seed",
    "steps",
    "guidance",
    "size",
    "model",
    "weights",
    "scheduler",
    "prediction",
    "start",
    "format",
    "device",
    "versions",
    "final touches",
    "owner",
    "seconds",
)


EXPLAINED: Final = {  # by which passage a field is explained, for whoever asks whether what it says is much or usual
    "steps": "sampling/more-steps-better",
    "seconds": "cost/speed",
    "guidance": "guidance/too-much-guidance",
    "size": "editing/aspect-ratio",
    "words": "text/token-limit",
    "noise levels": "frames/noise-level-and-step",
    "seed": "seeds/what-a-seed-is",
    "format": "cost/number-formats",
    "start": "editing/strength",
    "scheduler": "sampling/what-a-scheduler-does",
}


# --- what is not recorded ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Something that is asked for and that nobody writes down."""

    text: str
    passage: str | None = None  # id of the passage that says why
    figure: bool = False  # the word map may help


NO_RECORD: Final = "I have no record of that."
MISSING: Final[dict[str, Missing]] = {
    "camera": Missing(
        text=f"{NO_RECORD} There was no camera and no place: the picture was computed from noise and words. What "
        "was recorded are its "
        "settings, such as seed, steps and size.",
        passage="noise/noise-is-not-an-effect",
    ),
    "energy": Missing(
        text=f"{NO_RECORD} Neither electricity, heat nor memory is measured for a run; its time and its device "
        "are, and I can tell you those.",
        passage="cost/energy",
    ),
    "money": Missing(
        text=f"{NO_RECORD} Darkroom keeps no prices; I can tell you the time and the steps that the picture took."
    ),
    "audience": Missing(
        text=f"{NO_RECORD} Who looks at a picture, likes it or saves it is not written down; I only know who "
        "asked for what here."
    ),
    "contents": Missing(
        text=f"{NO_RECORD} I do not look at the finished picture, so what can be seen in it is not written down. "
        "I know what was asked for, "
        "and a word map can show where each word drew attention; the rest your own eyes tell better.",
        passage="guidance/guidance-has-no-second-opinion",
        figure=True,
    ),
    "mood": Missing(
        text=f"{NO_RECORD} There is no mood or thought of mine in the record, as nothing of the kind takes part "
        "in a run.",
        passage="provenance/no-record-of-reasons",
    ),
    "alternatives": Missing(
        text=f"{NO_RECORD} A run makes one picture and weighs no others. To see others, ask for the same words "
        "with another seed.",
        passage="seeds/same-prompt-other-picture",
    ),
    "influences": Missing(
        text=f"{NO_RECORD} A model keeps no list of who contributed, so one picture cannot be traced back to "
        "single artists or pictures.",
        passage="authorship/artists-consent",
    ),
    "elsewhere": Missing(
        text=f"{NO_RECORD} I know only what was said and made in this conversation, as far as you may see it."
    ),
    "world": Missing(
        text=f"{NO_RECORD} I know the pictures made here, how such pictures come about, and something of human "
        "and machine creativity; ask me "
        "about any of these."
    ),
}
TALK: Final = {
    "thanks": "You're welcome. Ask me how it was made whenever you like.",
    "hello": "Hello! Ask me for a picture, or ask how one came about.",
    "help": "Ask me about any picture here: its seed, steps, words, how it came out of the noise, how two "
    "pictures differ. Ask how image models "
    "work, or how their way of making pictures compares with yours. I answer from the record and name my sources.",
    "self": "I am Darkroom: a program that talks with you here, and beside it an image model that paints. A small team wrote "
    "it, and no person sits behind it. Ask how either of the two works.",
    "bye": "Goodbye! The record keeps until you delete it.",
}


def said_words(picture: SeenPicture) -> set[str]:
    """The words of a picture's prompt, lower-case."""
    return set(words(picture.run.request.prompt))
