"""A small classifier that says what is in a picture; it judges the pocket model and never trains it.

It learns from scenes composed with other random numbers than the model's, shown whole or as halves
padded to a square (a judge that saw halves squeezed scored true pairs at 8 %). Half of what it sees
has gone through the latent code with some noise, so that softness alone does not mislead it. A second
copy sees grey levels with the contrast evened out: colour alone can fool the first one, shape cannot.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from generation.training import latents
from generation.training.compose import Composer, Mixture, Placement, Scene
from generation.training.vocabulary import ACCESSORIES, COLOURS

SIDE = latents.HALF
FIRST_SEED = 7_000_000  # scenes for the judge; the model's training never uses these numbers
NONE = "none"
WHOLE = Mixture(single=0.3, coloured=0.3, worn=0.2, ridden=0.2)
TINTED = Mixture(single=0.15, coloured=0.55, worn=0.15, ridden=0.15)
HALVES = Mixture(pair=1.0)

Pixels = NDArray[np.uint8]
Paint = Callable[[list[str], int], list[Pixels]]  # prompts and first seed -> pictures


class View:
    """A picture of SIDE x SIDE pixels and what is in it, as indices of the judge's classes."""

    def __init__(self, pixels: Pixels, thing: str, colour: str, accessory: str, mount: str) -> None:
        self.pixels, self.thing, self.colour, self.accessory, self.mount = pixels, thing, colour, accessory, mount


class Judge(nn.Module):
    """Four convolutions and four answers: thing, colour, accessory, mount."""

    def __init__(self, composer: Composer, grey: bool) -> None:
        super().__init__()
        self.grey = grey
        self.classes = {
            "thing": [thing.label for thing in composer.things],
            "colour": [NONE, *COLOURS],
            "accessory": [NONE, *ACCESSORIES],
            "mount": [NONE, *(thing.label for thing in composer.mounts)],
        }
        widths = [1 if grey else 3, 32, 64, 128, 256]
        layers: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            layers += [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers, nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(2))
        self.heads = nn.ModuleDict({name: nn.Linear(1024, len(names)) for name, names in self.classes.items()})

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """Logits of each answer for pictures [n, 3, SIDE, SIDE] in -1..1."""
        seen = even_grey(pixels) if self.grey else pixels
        features = self.features(seen).flatten(1)
        return {name: head(features) for name, head in self.heads.items()}

    @torch.no_grad()
    def ranking(self, pictures: Iterable[Pixels], answer: str) -> list[list[str]]:
        """For each picture all classes of this answer, the likeliest first."""
        self.eval()
        logits = self(_tensor(pictures))[answer]
        return [[self.classes[answer][i] for i in row] for row in logits.argsort(dim=1, descending=True).tolist()]


def even_grey(pixels: Tensor) -> Tensor:
    """Grey levels with mean 0 and deviation 1 in each picture, dark or light things alike."""
    grey = (pixels * torch.tensor([0.3, 0.59, 0.11]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return (grey - grey.mean((2, 3), keepdim=True)) / (grey.std((2, 3), keepdim=True) + 0.05)


def whole(picture: Pixels) -> Pixels:
    """A picture of any size as the judge sees it."""
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))


def half(picture: Pixels, where: str) -> Pixels:
    """The left, right, upper or lower half, padded to a square with the colour of the picture's rim."""
    side = picture.shape[0]
    middle, quarter = side // 2, side // 4
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    square = np.broadcast_to(np.median(rim, axis=0).astype(np.uint8), picture.shape).copy()
    if where in {"left", "right"}:
        part = picture[:, :middle] if where == "left" else picture[:, middle:]
        square[:, quarter : quarter + middle] = part
    else:
        part = picture[:middle] if where == "upper" else picture[middle:]
        square[quarter : quarter + middle] = part
    return whole(square)


def halves_of(scene: Scene) -> tuple[str, str]:
    """Which half holds the scene's last placement, and which the first one."""
    under, over = scene.placements[:2]
    if abs(over.x - under.x) > abs(over.y - under.y):
        return ("left", "right") if over.x < under.x else ("right", "left")
    return ("upper", "lower") if over.y < under.y else ("lower", "upper")


def views(composer: Composer, rng: random.Random, wholes: Mixture) -> list[View]:
    """One scene of this mixture seen whole, or the two halves of a pair."""
    if rng.random() < 0.6:
        scene = composer.scene(rng, wholes)
        return [_labelled(whole(composer.paint(scene, SIDE)), composer, scene.placements)]
    scene = composer.scene(rng, HALVES)
    picture = composer.paint(scene, SIDE)
    over, under = halves_of(scene)
    return [
        _labelled(half(picture, over), composer, scene.placements[1:]),
        _labelled(half(picture, under), composer, scene.placements[:1]),
    ]


def train_judge(folder: Path, composer: Composer, *, grey: bool, steps: int) -> Judge:
    """The judge from `folder`, trained first if it is not there.

    The judge of colours learns a second time, half as many steps with more recoloured things: after the first it
    names 97 % of the colours in true scenes, after the second 99 (docs/decisions/0016).
    """
    path = folder / f"judge-{'shape' if grey else 'colour'}-{len(composer.things)}.safetensors"
    torch.manual_seed(FIRST_SEED)
    judge = Judge(composer, grey)
    if path.exists():
        judge.load_state_dict(load_file(path))
        return judge.eval()
    code = latents.Code.load(folder / "code.npz")
    _teach(judge, composer, code, random.Random(FIRST_SEED), WHOLE, steps, 3e-3)
    if not grey:
        _teach(judge, composer, code, random.Random(FIRST_SEED + 1), TINTED, steps // 2, 2e-3)
    save_file(judge.state_dict(), path)
    return judge.eval()


def _teach(
    judge: Judge,
    composer: Composer,
    code: latents.Code,
    rng: random.Random,
    wholes: Mixture,
    steps: int,
    learning_rate: float,
) -> None:
    """Train for so many steps, the learning rate rising to `learning_rate` and falling to nothing."""
    optimizer = torch.optim.AdamW(judge.parameters())
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    judge.train()
    for step in range(steps):
        batch = [view for _ in range(46) for view in views(composer, rng, wholes)]
        pictures = _soften(np.stack([view.pixels for view in batch]), code, step)
        answers = judge(_tensor(pictures))
        loss = torch.zeros(())
        for name, names in judge.classes.items():
            truth = torch.tensor([names.index(getattr(view, name)) for view in batch])
            loss = loss + nn.functional.cross_entropy(answers[name], truth)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        optimizer.zero_grad()
        falling.step()
        if step % 100 == 0:
            print(f"judge: step {step} of {steps}, loss {loss.item():.3f}", flush=True)


def _labelled(pixels: Pixels, composer: Composer, placements: tuple[Placement, ...]) -> View:
    labels = [placement.label for placement in placements]
    mounts = [thing.label for thing in composer.mounts]
    mount = labels[0] if len(labels) > 1 and labels[0] in mounts else NONE
    main = placements[1 if mount != NONE else 0]
    accessory = labels[-1] if labels[-1] in ACCESSORIES and labels[-1] != main.label else NONE
    return View(pixels, main.label, main.colour or NONE, accessory, mount)


def _soften(pictures: Pixels, code: latents.Code, step: int) -> Pixels:
    """Every other picture through the latent code, with noise."""
    rng = np.random.default_rng(step)
    coded = code.latents(pictures[::2])
    strength = rng.uniform(0, 0.12, (len(coded), 1, 1, 1))
    softened = pictures.copy()
    softened[::2] = code.halves((coded + rng.standard_normal(coded.shape) * strength).astype(np.float32))
    return softened


def _tensor(pictures: Iterable[Pixels]) -> Tensor:
    stacked = np.stack(list(pictures))
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1
