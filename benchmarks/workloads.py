"""What is asked for: the same mixed jobs for every server under test, new prompts in every round.

Prompts are new so that nobody is served from a memory of text encodings; steps are a shuffled hand of fixed cards, so
that every round is the same amount of work in another order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import msgspec

from generation.models import ModelInfo
from generation.request import GenerationRequest, make_request

STEPS = (4, 8, 8, 20, 28, 50)
GUIDANCE = (1.0, 3.5, 5.0, 7.5)
THINGS = ("fox", "cat", "owl", "apple", "tree", "fish", "car", "cake", "bear", "bee", "rose", "lemon")
COLOURS = ("red", "blue", "green", "yellow", "purple", "orange")


@dataclass(frozen=True)
class Asked:
    """A request and when it arrives, in seconds from the beginning."""

    request: GenerationRequest
    arrives: float = 0.0

    def in_other_words(self, dice: random.Random) -> Asked:
        """The same with a prompt that nobody has encoded before."""
        return Asked(msgspec.structs.replace(self.request, prompt=_prompt(dice)), self.arrives)


def one_job(model: ModelInfo, dice: random.Random, steps: int) -> Asked:
    """A single picture with guidance."""
    return Asked(_request(model, dice, steps, model.guidance_scale))


def burst(model: ModelInfo, dice: random.Random, count: int, scale: float) -> list[Asked]:
    """`count` mixed jobs at once; `scale` shortens their steps for slow models."""
    steps = [max(2, round(STEPS[i % len(STEPS)] * scale)) for i in range(count)]
    guidance = [GUIDANCE[i % len(GUIDANCE)] for i in range(count)]
    dice.shuffle(steps)
    dice.shuffle(guidance)
    return [Asked(_request(model, dice, *each)) for each in zip(steps, guidance, strict=True)]


def stream(jobs: list[Asked], dice: random.Random, seconds: float) -> list[Asked]:
    """The same jobs, arriving as a Poisson process that takes `seconds` in the mean."""
    now, arriving = 0.0, []
    for asked in jobs:
        arriving.append(Asked(asked.request, now))
        now += dice.expovariate(len(jobs) / seconds)
    return arriving


def _request(model: ModelInfo, dice: random.Random, steps: int, guidance: float) -> GenerationRequest:
    return make_request(model, prompt=_prompt(dice), seed=dice.randrange(2**32), steps=steps, guidance_scale=guidance)


def _prompt(dice: random.Random) -> str:
    words = [f"{dice.choice(COLOURS)} {dice.choice(THINGS)}" for _ in range(3)]
    return f"a {words[0]} beside a {words[1]} over a {words[2]}"
