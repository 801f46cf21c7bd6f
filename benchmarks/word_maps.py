"""Do word maps point at the right place? On the pocket model, against what a judge sees where.

    python -m benchmarks.word_maps --folder ~/pocket [--model generation/pocket] [--count 40]

Prompts name two things side by side. The training's judge says which things are really there, and in which half; for
each of those the map's centre of mass should lie in that half. Prints a table and one JSON object. `--folder` is the
training's working folder (sprites and judges, see `generation.training`).
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from PIL import Image

from generation.events import Finished, Generate
from generation.models import pocket_model
from generation.request import make_request
from generation.training.compose import Composer
from generation.training.judge import Judge, half, train_judge
from generation.training.sprites import load_sprites
from generation.training.vocabulary import Thing, things, with_article
from generation.word_maps import WordMap, WordMaps
from generation.worker import loading
from generation.worker.hub import Hub
from generation.worker.job import PictureJob
from generation.worker.machine import Machine
from generation.worker.pipelines import LoadedModel

RELATIONS = ("to the left of", "next to", "beside", "to the right of")
FIRST_SEED = 31_000
STEPS = 20
SIDES = ("left", "right")
LIKELY, LIKELY_SHAPE = 3, 2  # guesses among which a thing must be: of the judge of colours, and of the judge of shapes
JUDGE_STEPS = 1200  # where the folder has no judge yet
SURE = 1.96  # standard deviations: of 20 such runs, 19 lie within


@dataclass(frozen=True)
class Found:
    """A thing of a prompt that the judges see in one half and in no other."""

    prompt: str
    name: str
    side: str
    centre: float  # of the map, as a share of the picture's width

    @property
    def is_right(self) -> bool:
        return (self.centre < 0.5) == (self.side == "left")


def main() -> int:
    """Exit status 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.word_maps", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the training's working folder")
    parser.add_argument("--model", type=Path, default=Path("generation/pocket"))
    parser.add_argument("--count", type=int, default=40, help="prompts")
    parser.add_argument("--wave", type=int, default=1, help="the last wave of things that the judges know")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    taught = things(arguments.wave)
    composer = Composer(taught, load_sprites(arguments.folder, [thing.label for thing in taught]))
    judges = [train_judge(arguments.folder, composer, grey=grey, steps=JUDGE_STEPS) for grey in (False, True)]
    info = msgspec.structs.replace(pocket_model(), source=str(arguments.model))
    machine = Machine(device="cpu", auto_dtype=torch.float32, threads=arguments.threads)
    model = loading.load(info, machine, lambda what, done, total: None)
    found = list(_found(model, judges, taught, arguments.count))
    print(json.dumps(_figures(found, arguments.count)))
    return 0


def _found(model: LoadedModel, judges: Sequence[Judge], taught: Sequence[Thing], count: int) -> Iterator[Found]:
    dice = random.Random(FIRST_SEED)
    for number in range(count):
        first, second = dice.sample(list(taught), 2)
        prompt = f"{with_article(first.name)} {RELATIONS[number % len(RELATIONS)]} {with_article(second.name)}"
        made = _made(model, prompt, FIRST_SEED + number)
        assert made.words is not None  # the pocket model can be looked into
        with Image.open(io.BytesIO(made.picture)) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        for thing in (first, second):
            sides = [side for side in SIDES if _sees(judges, half(pixels, side), thing.label)]
            if len(sides) == 1:
                found = Found(prompt, thing.name, sides[0], _centre(made.words, thing.name))
                print(f"{'right' if found.is_right else 'WRONG'}  {found}", file=sys.stderr, flush=True)
                yield found


def _made(model: LoadedModel, prompt: str, seed: int) -> Finished:
    request = make_request(model.info, prompt=prompt, seed=seed, steps=STEPS)
    order = Generate(job=1, attempt=1, request=request, previews=False, trajectory=False, words=True)
    hub = Hub()
    task = hub.spawn(PictureJob(order, model, lambda event: None).work)
    while hub.tasks:
        hub.step()
    if task.error is not None:
        raise task.error
    made: Finished = task.result
    return made


def _sees(judges: Sequence[Judge], pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], label: str) -> bool:
    colour, shape = (judge.ranking([pixels], "thing")[0] for judge in judges)
    return label == colour[0] or (label in colour[:LIKELY] and label in shape[:LIKELY_SHAPE])


def _centre(maps: WordMaps, name: str) -> float:
    """Of all words of a thing's name together."""
    own: list[WordMap] = [word for word in maps.words if word.word in name.split()]
    mass = sum(word.mass for word in own)
    return sum(word.centre[0] * word.mass for word in own) / mass if mass else 0.5


def _figures(found: Sequence[Found], count: int) -> dict[str, float]:
    right = sum(each.is_right for each in found)
    share = right / len(found) if found else 0.0
    low, high = _interval(share, len(found))
    figures: dict[str, float] = {"prompts": count, "words_named": 2 * count, "words_really_there": len(found)}
    figures |= {"centre_on_the_right_side": round(share, 3), "at_least": round(low, 3), "at_most": round(high, 3)}
    return figures


def _interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's interval of a share seen in `count` trials."""
    if not count:
        return 0.0, 1.0
    square = SURE**2 / count
    middle = (share + square / 2) / (1 + square)
    spread = SURE * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return middle - spread, middle + spread


if __name__ == "__main__":
    sys.exit(main())
