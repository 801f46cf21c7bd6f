"""Judges the pocket model: does it paint what it is asked?

    python -m generation.training.evaluate --folder ~/pocket --model generation/pocket

Prints a table (and JSON), with the judge's own score on true scenes beside the model's, and saves a
grid of 48 pictures. Prompts are fixed, seeds are fixed, 25 steps, the model's own guidance.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from generation.training.compose import Composer, Mixture, Scene
from generation.training.diffusion import GUIDANCE, composers
from generation.training.index import thumbnail, thumbnails
from generation.training.judge import Judge, Paint, Pixels, half, halves_of, train_judge, whole
from generation.training.selection import choose, released_things, save_chosen
from generation.training.sprites import load_sprites
from generation.training.vocabulary import things, with_article

STEPS = 25
EVALUATION_SEED = 9_000_000  # of the prompts; neither the model nor the judge was trained on these scenes
CARDS = ("a red fox wearing sunglasses on a skateboard", "an astronaut riding a horse")


@dataclass(frozen=True)
class Jury:
    """The two judges and what they judge."""

    colour: Judge
    shape: Judge
    composer: Composer


def painter(model: Path, batch: int = 16) -> Paint:
    """Paints prompts with the pipeline in `model`; prompt number i gets seed first + i."""
    pipeline = StableDiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)

    def paint(prompts: list[str], first: int) -> list[Pixels]:
        pictures: list[Pixels] = []
        for start in range(0, len(prompts), batch):
            some = prompts[start : start + batch]
            generators = [torch.Generator().manual_seed(first + start + i) for i in range(len(some))]
            made = pipeline(some, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators)
            pictures += [np.asarray(picture) for picture in made.images]
        return pictures

    return paint


def evaluate(paint: Paint, jury: Jury, trained: Pixels, count: int) -> dict[str, float]:
    """All figures as shares of 1 or in grey levels, the model's and, after `true_`, those of true scenes."""
    figures = {"prompts": float(count)} | singles(paint, jury)
    figures |= coloured(paint, jury, count)
    figures |= pairs(paint, jury, count)
    figures |= worn_and_ridden(paint, jury, count)
    figures |= cards(paint, jury)
    figures |= variety(paint, jury, count)
    figures |= nearest_scene(paint, jury, trained, count)
    return {name: round(float(value), 3) for name, value in figures.items()}


def singles(paint: Paint, jury: Jury) -> dict[str, float]:
    """Each thing once, asked for by its usual name."""
    taught = jury.composer.things
    labels = [thing.label for thing in taught]
    made = [whole(picture) for picture in paint([with_article(thing.name) for thing in taught], 1000)]
    true = _true(jury, Mixture(single=1.0), len(taught))
    figures = {}
    for name, judge in (("colour", jury.colour), ("shape", jury.shape)):
        for most in (1, 5):
            figures[f"single_{name}_top{most}"] = _hits(judge, made, labels, most)
            figures[f"true_single_{name}_top{most}"] = _hits(
                judge, [whole(picture) for _, picture in true], [s.placements[0].label for s, _ in true], most
            )
    return figures


def coloured(paint: Paint, jury: Jury, count: int) -> dict[str, float]:
    """Things in a colour they need not have: is it that colour, is it still that shape?"""
    true = _true(jury, Mixture(coloured=1.0), count)
    wanted = [scene.placements[0] for scene, _ in true]
    colours, labels = [str(place.colour) for place in wanted], [place.label for place in wanted]
    made = [whole(picture) for picture in paint([scene.caption for scene, _ in true], 2000)]
    real = [whole(picture) for _, picture in true]
    return {
        "colour_right": _hits(jury.colour, made, colours, 1, "colour"),
        "true_colour_right": _hits(jury.colour, real, colours, 1, "colour"),
        "coloured_shape_top1": _hits(jury.shape, made, labels, 1),
        "true_coloured_shape_top1": _hits(jury.shape, real, labels, 1),
    }


def pairs(paint: Paint, jury: Jury, count: int) -> dict[str, float]:
    """Two things: each right in its own half, by the first and by the first ten guesses.

    Where the caption leaves open who is on which side, they are judged both ways round and the better one counts.
    Where it does not, the place is right if they are seen better as asked than exchanged.
    """
    true = _true(jury, Mixture(pair=1.0), count)
    made = paint([scene.caption for scene, _ in true], 3000)
    figures = {}
    for of, pictures in (("", made), ("true_", [picture for _, picture in true])):
        seen = [_ranks_as_asked_and_exchanged(jury.colour, s, p) for (s, _), p in zip(true, pictures, strict=True)]
        ranks = [ways[0] if s.says_where else min(ways, key=_worse) for (s, _), ways in zip(true, seen, strict=True)]
        placed = [_worse(ways[0]) < _worse(ways[1]) for (s, _), ways in zip(true, seen, strict=True) if s.says_where]
        worst = np.array(ranks).max(axis=1)
        figures[f"{of}pair_both_top1"] = float((worst < 1).mean())
        figures[f"{of}pair_both_top10"] = float((worst < 10).mean())
        figures[f"{of}pair_each_top1"] = float((np.array(ranks) < 1).mean())
        figures[f"{of}place_right"] = float(np.mean(placed))
    return figures


def worn_and_ridden(paint: Paint, jury: Jury, count: int) -> dict[str, float]:
    """Accessory and mount present, and the right one."""
    figures = {}
    for kind, answer, place in (("worn", "accessory", -1), ("ridden", "mount", 0)):
        true = _true(jury, Mixture(**{kind: 1.0}), count)
        labels = [scene.placements[place].label for scene, _ in true]
        made = [whole(picture) for picture in paint([scene.caption for scene, _ in true], 4000)]
        figures[f"{answer}_right"] = _hits(jury.colour, made, labels, 1, answer)
        figures[f"true_{answer}_right"] = _hits(jury.colour, [whole(p) for _, p in true], labels, 1, answer)
    return figures


def cards(paint: Paint, jury: Jury) -> dict[str, float]:
    """The two test prompts with ten seeds each: everything that is named is there."""
    fox, astronaut = ([whole(picture) for picture in paint([card] * 10, 5000)] for card in CARDS)
    right_fox = [
        thing[0] == "fox" and accessory[0] == "sunglasses" and mount[0] == "skateboard"
        for thing, accessory, mount in zip(
            *(jury.colour.ranking(fox, answer) for answer in ("thing", "accessory", "mount")), strict=True
        )
    ]
    right_astronaut = [
        thing[0] == "astronaut" and mount[0] == "horse"
        for thing, mount in zip(*(jury.colour.ranking(astronaut, a) for a in ("thing", "mount")), strict=True)
    ]
    return {"fox_card": float(np.mean(right_fox)), "astronaut_card": float(np.mean(right_astronaut))}


def variety(paint: Paint, jury: Jury, count: int) -> dict[str, float]:
    """How far two seeds of one prompt lie apart, in grey levels (root mean square)."""
    prompts = [with_article(thing.name) for thing in jury.composer.things][:count]
    first, second = paint(prompts, 6000), paint(prompts, 7000)
    apart = [np.sqrt(np.mean((a.astype(float) - b) ** 2)) for a, b in zip(first, second, strict=True)]
    return {"seeds_apart_median": float(np.median(apart)), "seeds_apart_least": float(np.min(apart))}


def nearest_scene(paint: Paint, jury: Jury, trained: Pixels, count: int) -> dict[str, float]:
    """How far from the nearest of the `trained` thumbnails, in grey levels (root mean square).

    A model that gives its training scenes back paints nearer to them than scenes are that nobody was trained on.
    """
    true = _true(jury, Mixture(coloured=0.4, pair=0.4, ridden=0.2), count)
    made = paint([scene.caption for scene, _ in true], 9000)
    scenes = trained.reshape(len(trained), -1).astype(np.float32)
    figures = {"nearest_scene_among": float(len(trained))}
    for name, pictures in (("", made), ("true_", [picture for _, picture in true])):
        distances = [np.sqrt(np.mean((scenes - thumbnail(p).ravel()) ** 2, axis=1).min()) for p in pictures]
        figures |= {f"{name}nearest_scene_median": float(np.median(distances))}
        figures |= {f"{name}nearest_scene_least": float(np.min(distances))}
    return figures


def grid(paint: Paint, jury: Jury, path: Path) -> None:
    """48 pictures: 24 things, then colours, pairs, accessories and mounts, and the two test prompts."""
    rng = random.Random(EVALUATION_SEED)
    prompts = [with_article(thing.name) for thing in rng.sample(jury.composer.things, 24)]
    mixture = Mixture(coloured=0.3, pair=0.3, worn=0.2, ridden=0.2)
    prompts += [jury.composer.scene(rng, mixture).caption for _ in range(18)] + [CARDS[0]] * 3 + [CARDS[1]] * 3
    sheet = Image.new("RGB", (8 * 128, 6 * 128))
    for i, pixels in enumerate(paint(prompts, 8000)):
        sheet.paste(Image.fromarray(pixels), (i % 8 * 128, i // 8 * 128))
    sheet.save(path, quality=92)
    path.with_suffix(".txt").write_text("\n".join(prompts) + "\n")


def _true(jury: Jury, mixture: Mixture, count: int) -> list[tuple[Scene, Pixels]]:
    """Scenes that nobody was trained on, and their pictures."""
    rng = random.Random(EVALUATION_SEED)
    scenes = [jury.composer.scene(rng, mixture) for _ in range(count)]
    return [(scene, jury.composer.paint(scene, 128)) for scene in scenes]


def _hits(judge: Judge, pictures: list[Pixels], truth: list[str], most: int, answer: str = "thing") -> float:
    rankings = judge.ranking(pictures, answer)
    return float(np.mean([label in ranking[:most] for label, ranking in zip(truth, rankings, strict=True)]))


def _ranks_as_asked_and_exchanged(judge: Judge, scene: Scene, picture: Pixels) -> list[tuple[int, int]]:
    """At which guess each of the scene's two things comes, 0 for the first: in its own half, then in the other's."""
    under, over = (placement.label for placement in scene.placements)
    here, there = halves_of(scene)
    ways = ((here, there), (there, here))
    return [(_rank(judge, half(picture, a), over), _rank(judge, half(picture, b), under)) for a, b in ways]


def _worse(ranks: tuple[int, int]) -> tuple[int, int]:
    """What two ranks are compared by: the worse one first."""
    return max(ranks), min(ranks)


def _rank(judge: Judge, picture: Pixels, label: str) -> int:
    return judge.ranking([picture], "thing")[0].index(label)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m generation.training.evaluate", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="working folder, outside the repository")
    parser.add_argument("--model", type=Path, default=Path("generation/pocket"))
    parser.add_argument("--wave", type=int, default=1)
    parser.add_argument("--count", type=int, default=288, help="prompts of each kind")
    parser.add_argument("--judge-steps", type=int, default=1800)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--choose", action="store_true", help="only choose what is to be released")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    taught = things(arguments.wave)
    sprites = load_sprites(arguments.folder, [thing.label for thing in taught])
    shown = Composer(taught, sprites)
    colour, shape = (
        train_judge(arguments.folder, shown, grey=grey, steps=arguments.judge_steps) for grey in (False, True)
    )
    paint = painter(arguments.model)
    if arguments.choose:
        chosen = choose(paint, (colour, shape), taught)
        save_chosen(arguments.folder, chosen)
        print("left out:", ", ".join(thing.name for thing in taught if thing.label not in chosen))
        return
    jury = Jury(colour, shape, Composer(released_things(arguments.folder, arguments.wave), sprites))
    grid(paint, jury, arguments.folder / "samples" / "pocket-grid.jpg")
    seen = json.loads((arguments.model / "recipe.json").read_text())
    trained = thumbnails(
        arguments.folder, composers(arguments.folder), pictures=seen["pictures_seen"], seed=seen["seed"]
    )
    figures = evaluate(paint, jury, trained, arguments.count)
    (arguments.folder / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
