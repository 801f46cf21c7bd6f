"""Offers of experiments: which one thing to change in a replay, and what it would cost. Runs nothing; the bot does, if accepted."""

from __future__ import annotations

import re
from typing import Final

from explainer.evidence import counted, said_words, seconds_of, shown
from explainer.language import NUMBER, STOP, plain, stem, words
from explainer.messages import Offer, SeenExperiment, SeenPicture
from generation.experiments import Change

MOST_STEPS: Final = 100
MOST_GUIDANCE: Final = 30.0
FEWER: Final = re.compile(r"\b(?:fewer|less|lower|half|weaker|without|no|off|reduce)\b")
OF_PASSAGES: Final[dict[str, Change]] = {
    "sampling/more-steps-better": "steps",
    "sampling/why-step-counts-differ": "steps",
    "diffusion/why-not-one-step": "steps",
    "guidance/classifier-free-guidance": "guidance",
    "guidance/too-much-guidance": "guidance",
    "guidance/low-or-no-guidance": "guidance",
    "seeds/seed-and-composition": "seed",
    "seeds/same-prompt-other-picture": "seed",
    "seeds/what-a-seed-is": "seed",
    "failures/missing-objects": "seed",
    "seeds/replay": "again",
    "seeds/what-makes-pictures-repeat": "again",
    "guidance/negative-prompts": "negative",
}


def offer_of_passage(passage: str, picture: SeenPicture) -> Offer | None:
    """The experiment that would show on this picture what a passage says; None where none would."""
    change = OF_PASSAGES.get(passage)
    if change is None or (change == "negative" and not picture.run.request.negative_prompt):
        return None
    return plan(change, "", picture)


def plan(change: str, text: str, picture: SeenPicture) -> Offer:
    """The experiment that a question asks for."""
    low = plain(text).lower()
    request = picture.run.request
    match change:
        case "without":
            word = _word(low, picture)
            if word is None:
                return _offer(picture, "seed", None, "with another seed and all else the same")
            return _offer(picture, "without", word, f"without “{shown(word, 40)}”, all else the same")
        case "steps":
            steps = _steps(low, request.steps)
            factor = steps / request.steps
            return _offer(
                picture, "steps", str(steps), f"with {counted(steps, 'step')} instead of {request.steps}", factor
            )
        case "guidance":
            scale = _guidance(low, request.guidance_scale)
            return _offer(
                picture, "guidance", f"{scale:g}", f"with a guidance of {scale:g} instead of {request.guidance_scale:g}"
            )
        case "negative":
            what = "without its negative prompt" if request.negative_prompt else "with a negative prompt that you name"
            return _offer(picture, "negative", "" if request.negative_prompt else None, what)
        case "again":
            return _offer(
                picture, "again", None, "once more from its record, with nothing changed, to see whether it repeats"
            )
        case _:
            return _offer(picture, "seed", None, "with another seed and all else the same")


def finished(offer: Offer, picture: SeenPicture) -> SeenExperiment | None:
    """The experiment, if it has been made already."""
    same = (
        done
        for done in picture.experiments
        if done.change == offer.change and (offer.value or "").casefold() in ("", done.value.casefold())
    )
    return next(same, None)


def word_maps(picture: SeenPicture) -> Offer:
    """The look at where the words of a picture went."""
    return _offer(picture, "words", None, "once more with its attention looked at, and map where its words went")


def _offer(picture: SeenPicture, change: Change, value: str | None, how: str, factor: float = 1.0) -> Offer:
    seconds = picture.run.seconds * factor
    asked = "Shall I run it" if change in ("again", "words") else "Shall I try it"
    return Offer(
        picture=picture.id,
        change=change,
        value=value,
        pictures=1,
        seconds=round(seconds, 1),
        text=f"{asked} {how}? It costs one picture, about {seconds_of(seconds)}.",
    )


def _word(low: str, picture: SeenPicture) -> str | None:
    """The word of the prompt that a question names."""
    said = {stem(word): word for word in said_words(picture) if word not in STOP}
    named = [said[stem(word)] for word in words(low) if stem(word) in said]
    return named[-1] if named else None


def _steps(low: str, now: int) -> int:
    named = [int(float(number.replace(",", ""))) for number in NUMBER.findall(low)]
    wanted = [number for number in named if 1 <= number <= MOST_STEPS and number != now]
    if wanted:
        return wanted[0]
    if re.search(r"\bhalf\b", low):
        return max(1, now // 2)
    if FEWER.search(low) or now * 2 > MOST_STEPS:
        return max(1, now // 4)
    return now * 2


def _guidance(low: str, now: float) -> float:
    named = [float(number.replace(",", "")) for number in NUMBER.findall(low)]
    wanted = [number for number in named if 0 <= number <= MOST_GUIDANCE and number != now]
    if wanted:
        return wanted[0]
    if FEWER.search(low) and now > 1:
        return 1.0
    return min(MOST_GUIDANCE, max(now * 2, 4.0))
