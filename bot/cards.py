"""How a job looks in a message at each stage of its life: one embed each. Draws no picture, sends nothing."""

from __future__ import annotations

import discord

from bot import wording
from generation.events import Loading
from generation.experiments import Study
from generation.request import GenerationRequest, RunFacts
from generation.touches import TOUCHES, touches_done

WAITING_COLOUR = discord.Colour(0x6B6F76)
RUNNING_COLOUR = discord.Colour(0xC2703D)  # the red-brown of a darkroom lamp
DONE_COLOUR = discord.Colour(0x3D7A5A)
ENDED_COLOUR = discord.Colour(0x8A3A3A)

NEGATIVE_LIMIT = 300  # characters shown; with a prompt and a failure of full length, all escaped, it fits 4,096
FAILURE_LIMIT = 600
TAKING = "Taking your place in the queue …"
NOT_TAKEN = "I was stopped just then and have not taken this; please ask again."


def asked(request: GenerationRequest) -> discord.Embed:
    """The first answer, before the queue has been asked for a place."""
    return _card(request, TAKING, WAITING_COLOUR)


def not_taken(card: discord.Embed) -> discord.Embed | None:
    """What becomes of a first answer that stayed alone; None: the card is none."""
    text = card.description or ""
    if not text.endswith(TAKING):
        return None
    return discord.Embed(description=text.removesuffix(TAKING) + NOT_TAKEN, colour=ENDED_COLOUR)


def waiting(
    request: GenerationRequest, jobs_before: int, ready_at: float | None, busy_with: str | None = None
) -> discord.Embed:
    """The job waits.

    Args:
        jobs_before: jobs that run first.
        ready_at: when its picture is expected, seconds since 1970; None: not known yet.
        busy_with: what keeps the worker from taking any job, like "loading pocket".
    """
    parts = [f"{wording.counted(jobs_before, 'picture')} first" if jobs_before else "next in line"]
    if ready_at is not None:
        parts.append(f"ready {wording.moment(ready_at)}")
    if busy_with:
        parts.append(busy_with)
    return _card(request, f"Waiting: {' · '.join(parts)}", WAITING_COLOUR)


def preparing(request: GenerationRequest, loading: Loading | None = None) -> discord.Embed:
    """A worker has the job, but no step is done. `loading`: its model is still on its way."""
    if loading is None:
        return _card(request, "Starting …", RUNNING_COLOUR)
    what = loading.what[:1].upper() + loading.what[1:]
    return _card(request, f"{wording.bar(loading.done, loading.total)}\n{wording.escaped(what)} …", RUNNING_COLOUR)


def developing(
    request: GenerationRequest, *, step: int, steps: int, seconds_left: float, preview: str | None
) -> discord.Embed:
    """Step `step` of `steps` is done. `preview`: the attached file that shows it."""
    left = f"about {wording.duration(seconds_left)} left" if step < steps else "finishing"
    card = _card(request, f"{wording.bar(step, steps)}\nStep {step} of {steps} · {left}", RUNNING_COLOUR)
    return card.set_image(url=f"attachment://{preview}") if preview else card


def done(facts: RunFacts, picture: str, *, smaller: bool = False, descent: str | None = None) -> discord.Embed:
    """The finished picture, in the attached file `picture`, with what made it.

    `smaller`: Discord does not take the file as it was made. `descent`: which picture it goes on from, and how.
    """
    done = touches_done(facts.final_touches)
    touched = f"Touched up after diffusion: {', '.join(TOUCHES[name].lower() for name in done)}" if done else None
    told = "\n".join(part for part in (descent, touched) if part)
    card = _card(facts.request, told or None, DONE_COLOUR).set_image(url=f"attachment://{picture}")
    line = facts_line(facts)
    return card.set_footer(text=f"{line} · compressed for Discord" if smaller else line)


def strip(strip_file: str) -> discord.Embed:
    """The strip, in the attached file `strip_file`; it stands under the finished picture."""
    card = discord.Embed(description="What the model took the picture to be, step by step", colour=DONE_COLOUR)
    return card.set_image(url=f"attachment://{strip_file}")


def mask(file: str) -> discord.Embed:
    """The picture before, in the attached file, with all but the part darkened that was made anew."""
    card = discord.Embed(description="The part that was made anew; the rest was kept", colour=DONE_COLOUR)
    return card.set_thumbnail(url=f"attachment://{file}")


def timelapse(file: str) -> discord.Embed:
    """The timelapse, in the attached file; it stands under the finished picture."""
    card = discord.Embed(description="The same as a timelapse", colour=DONE_COLOUR)
    return card.set_image(url=f"attachment://{file}")


def studied(study: Study, file: str) -> discord.Embed:
    """What came of making a picture again, in the attached file."""
    card = discord.Embed(description=wording.escaped(study.summary()), colour=DONE_COLOUR)
    card.set_footer(text=f"Picture {study.picture}, made again with one thing changed")
    return card.set_image(url=f"attachment://{file}")


def word_maps(picture_id: int, text: str, file: str) -> discord.Embed:
    """Where words were attended to, in the attached file."""
    card = discord.Embed(description=wording.escaped(text), colour=DONE_COLOUR)
    return card.set_footer(text=f"Picture {picture_id}").set_image(url=f"attachment://{file}")


def failed(request: GenerationRequest, sentence: str, reference: str | None = None) -> discord.Embed:
    """The job ended without a picture. `reference` stands in the log."""
    card = _card(request, wording.escaped(wording.shortened(sentence, FAILURE_LIMIT)), ENDED_COLOUR)
    return card.set_footer(text=f"Reference {reference}") if reference else card


def ended(request: GenerationRequest, word: str) -> discord.Embed:
    """The job ended as somebody wanted: "Cancelled.", "Deleted."."""
    return _card(request, word, WAITING_COLOUR)


def moved(request: GenerationRequest) -> discord.Embed:
    """The job goes on in another message, which its person alone sees."""
    return _card(
        request,
        "Discord lets me change this message for 15 minutes only. It goes on in your direct messages with me.",
        WAITING_COLOUR,
    )


def out_of_reach(request: GenerationRequest) -> discord.Embed:
    """The message will not be changed any more, and its person cannot be written to."""
    return _card(
        request,
        "Discord lets me change this message for 15 minutes only, and you take no direct messages from me. "
        "The picture will be kept: `/original` fetches it.",
        WAITING_COLOUR,
    )


def facts_line(facts: RunFacts) -> str:
    """Seed, steps and the rest of what made a picture, in one line."""
    request = facts.request
    parts = [
        f"Seed {request.seed}",
        wording.counted(request.steps, "step"),
        f"guidance {request.guidance_scale:g}",
        f"{facts.width}×{facts.height}",
        facts.model,
        wording.measured(facts.seconds),
    ]
    return " · ".join(parts)


def _card(request: GenerationRequest, status: str | None, colour: discord.Colour) -> discord.Embed:
    lines = [wording.shown(request.prompt)]
    if request.negative_prompt:
        lines.append(f"Without: {wording.shown(request.negative_prompt, NEGATIVE_LIMIT)}")
    if status:
        lines.append(f"\n{status}")
    return discord.Embed(description="\n".join(lines), colour=colour)
