"""Captioned scenes: what the pocket model is trained and judged on.

A scene is first a description (a caption, a background, sprites with their places) and only then a
picture, so that whoever judges a picture knows where each thing is. Knows nothing of networks.
"""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.pictures.recolour import recolour
from generation.training import vocabulary
from generation.training.sprites import Rgba, sprite_image
from generation.training.vocabulary import (
    BACKGROUND,
    COLOUR_SYNONYMS,
    COLOURS,
    COUNTS,
    OPENINGS,
    RELATIONS,
    RIDING,
    WEARING,
    Thing,
    plural,
    with_article,
)

Picture = NDArray[np.uint8]  # [side, side, 3], sRGB
CELL = 1 / 8  # of a picture's side: one cell of the latent grid, see `_cells`
LARGE, SMALL = 6 * CELL, 4 * CELL  # the two sizes of a thing in a scene, see docs/decisions/0005
OVERLAP = 0.04  # how deep a rider sits in its seat
BACKDROP = 0.33  # how often the background has a colour that a caption can name
NEAR_WHITE = 0.30 / 0.67  # how many of the other backgrounds are near white


@dataclass(frozen=True)
class Placement:
    """One sprite in a scene. Lengths are parts of the picture's side, from the top left corner."""

    label: str
    x: float  # of the sprite's middle
    y: float
    size: float
    colour: str | None = None
    angle: float = 0.0  # degrees, counter-clockwise
    mirrored: bool = False


@dataclass(frozen=True)
class Scene:
    """A caption and what it describes; later placements cover earlier ones."""

    caption: str
    kind: str
    top: tuple[float, float, float]  # background, sRGB 0..1, at the top edge
    bottom: tuple[float, float, float]
    placements: tuple[Placement, ...]

    @property
    def says_where(self) -> bool:
        """Whether a pair's caption places its things; "a cat and a dog" leaves open who is on which side."""
        return not any(f" {words} " in self.caption for words in RELATIONS["beside"])


@dataclass(frozen=True)
class Mixture:
    """How often each kind of scene is made."""

    canonical: float = 0.0  # one thing, large and centred
    single: float = 0.0  # one thing, anywhere
    coloured: float = 0.0  # one thing in a colour that it need not have
    pair: float = 0.0
    worn: float = 0.0  # wearing sunglasses, a hat, a crown
    ridden: float = 0.0
    count: float = 0.0  # two or three of a kind


class Composer:
    """Makes scenes at random and paints them.

    Args:
        things: what the scenes hold.
        sprites: their pictures, by label.
        favour: how many times as often some things and colours are drawn as the others.
        favoured: the labels of those things; none given, they are the last wave's.
        favoured_colours: those colours.
        backdrop: how often the background has a colour that a caption can name.
    """

    def __init__(
        self,
        things: Sequence[Thing],
        sprites: dict[str, Rgba],
        favour: int = 1,
        favoured: Collection[str] = (),
        *,
        favoured_colours: Collection[str] = (),
        backdrop: float = BACKDROP,
    ) -> None:
        self.things = list(things)
        newest = max(thing.wave for thing in things)
        often = set(favoured) or {thing.label for thing in things if thing.wave == newest}
        self._pool = [thing for thing in things for _ in range(favour if thing.label in often else 1)]
        self._faces = [thing for thing in self._pool if thing.face]
        self._colours = [colour for colour in COLOURS for _ in range(favour if colour in favoured_colours else 1)]
        self._backdrop = backdrop
        self.mounts = [thing for thing in things if thing.mount]
        self._sprites = sprites
        self._pyramids: dict[tuple[str, str | None], list[Image.Image]] = {}

    # --- describing ----------------------------------------------------------------------------

    def scene(self, rng: random.Random, mixture: Mixture) -> Scene:
        """One scene at random."""
        weights = vars(mixture)
        kind = rng.choices(list(weights), list(weights.values()))[0]
        background = _Background.at_random(rng, self._backdrop)
        placements, caption = getattr(self, f"_{kind}")(rng, background)
        return Scene(_dress(rng, caption, background), kind, background.top, background.bottom, tuple(placements))

    def _canonical(self, rng: random.Random, background: _Background) -> tuple[list[Placement], str]:
        thing = rng.choice(self._pool)
        return [Placement(thing.label, 0.5, 0.5, LARGE)], with_article(_say(rng, thing))

    def _single(self, rng: random.Random, background: _Background) -> tuple[list[Placement], str]:
        thing = rng.choice(self._pool)
        return [_anywhere(rng, thing.label)], with_article(_say(rng, thing))

    def _coloured(self, rng: random.Random, background: _Background) -> tuple[list[Placement], str]:
        thing = rng.choice(self._pool)
        colour = self._colour_but(rng, background.colour)
        place = replace(_anywhere(rng, thing.label), colour=colour)
        return [place], with_article(_in_colour(rng, colour, _say(rng, thing)))

    def _pair(self, rng: random.Random, background: _Background) -> tuple[list[Placement], str]:
        first, first_name = self._maybe_coloured(rng, background, 0.35)
        second, second_name = self._maybe_coloured(rng, background, 0.35)
        relation = rng.choices(
            ["beside", "left", "right", "above", "below", "on"], [0.34, 0.12, 0.12, 0.15, 0.12, 0.15]
        )[0]
        words, a, b = _arrange(rng, relation)
        placements = [
            replace(second, x=b[0], y=b[1], size=b[2]),
            replace(first, x=a[0], y=a[1], size=a[2]),
        ]
        return placements, f"{first_name} {words} {second_name}"

    def _worn(self, rng: random.Random, background: _Background) -> tuple[list[Placement], str]:
        wearer, name = self._maybe_coloured(rng, background, 0.35, self._faces)
        wearer = replace(wearer, x=0.5 + _cells(rng, 1), y=5 * CELL, size=LARGE)
        return self._wear(rng, wearer, name, _accessory(rng))

    def _ridden(self, rng: random.Random, background: _Background) -> tuple[list[Placement], str]:
        mount = rng.choices(self.mounts, [thing.mount.weight for thing in self.mounts if thing.mount])[0]
        mount_name = _say(rng, mount)
        colour = self._colour_but(rng, background.colour) if rng.random() < 0.15 else None
        if colour:
            mount_name = _in_colour(rng, colour, mount_name)
        rider, name = self._maybe_coloured(rng, background, 0.35, self._faces if rng.random() < 0.75 else None)
        worn = _accessory(rng) if self._thing(rider.label).face and rng.random() < 0.4 else None
        under, rider = _seat(rng, mount, rider, hatted=worn is not None and worn != "sunglasses")
        placements, caption = self._wear(rng, rider, name, worn) if worn else ([rider], name)
        verb = rng.choice(RIDING)
        return [replace(under, colour=colour), *placements], f"{caption} {verb} {with_article(mount_name)}"

    def _count(self, rng: random.Random, background: _Background) -> tuple[list[Placement], str]:
        thing = rng.choice([thing for thing in self._pool if plural(thing.name)])
        many = rng.choice([2, 2, 3])
        colour = self._colour_but(rng, background.colour) if rng.random() < 0.25 else None
        name = f"{plural(thing.name)}"
        if colour:
            name = _in_colour(rng, colour, name)
        height = 0.5 + _cells(rng, 1)
        spots = [(0.25, height), (0.75, height)] if many == 2 else [(0.5, 0.25), (0.25, 0.75), (0.75, 0.75)]
        places = [Placement(thing.label, x, y, SMALL, colour) for x, y in spots]
        return places, f"{COUNTS[many - 2]} {name}"

    def _thing(self, label: str) -> Thing:
        return next(thing for thing in self.things if thing.label == label)

    def _colour_but(self, rng: random.Random, other: str | None) -> str:
        return rng.choice([colour for colour in self._colours if colour != other])

    def _maybe_coloured(
        self, rng: random.Random, background: _Background, chance: float, among: Sequence[Thing] | None = None
    ) -> tuple[Placement, str]:
        """A sprite not yet placed, with its name and article."""
        thing = rng.choice(self._pool if among is None else among)
        name, colour = _say(rng, thing), None
        if rng.random() < chance:
            colour = self._colour_but(rng, background.colour)
            name = _in_colour(rng, colour, name)
        return Placement(thing.label, 0.5, 0.5, 0.5, colour), with_article(name)

    def _wear(self, rng: random.Random, wearer: Placement, name: str, label: str) -> tuple[list[Placement], str]:
        """The wearer with the accessory of this label on its face or head."""
        face = self._thing(wearer.label).face
        assert face is not None
        on_eyes = label == "sunglasses"
        size = (face.width if on_eyes else face.crown_width) * wearer.size
        height = face.y if on_eyes else face.crown - face.crown_width * 0.36
        side = -1 if wearer.mirrored else 1
        x, y = wearer.x + side * (face.x - 0.5) * wearer.size, wearer.y + (height - 0.5) * wearer.size
        worn = _say(rng, self._thing(label))
        verb = rng.choice(WEARING)
        return [wearer, Placement(label, x, y, size)], f"{name} {verb} {with_article(worn)}"

    # --- painting ------------------------------------------------------------------------------

    def paint(self, scene: Scene, side: int) -> Picture:
        """The scene as `side` x `side` pixels."""
        share = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
        canvas = np.asarray(scene.top, np.float32) * (1 - share) + np.asarray(scene.bottom, np.float32) * share
        canvas = np.repeat(canvas, side, axis=1)
        for placement in scene.placements:
            layer = np.asarray(self._lay(placement, side), np.float32) / 255
            canvas = canvas * (1 - layer[..., 3:]) + layer[..., :3]
        return (canvas.clip(0, 1) * 255).round().astype(np.uint8)

    def _lay(self, placement: Placement, side: int) -> Image.Image:
        """The sprite alone on a transparent canvas of `side` pixels, turned and scaled in one resampling."""
        pixels = placement.size * side
        pyramid = self._pyramid(placement.label, placement.colour)
        sprite = next((level for level in reversed(pyramid) if level.width >= pixels), pyramid[0])
        scale = sprite.width / pixels
        radians = math.radians(placement.angle)
        cosine, sine = math.cos(radians) * scale, math.sin(radians) * scale
        flip = -1 if placement.mirrored else 1
        x, y, half = placement.x * side, placement.y * side, sprite.width / 2
        # maps each canvas pixel (u, v) to the sprite: turn about (x, y), then mirror about the sprite's middle
        matrix = (
            flip * cosine, -flip * sine, half - flip * (cosine * x - sine * y),
            sine, cosine, half - (sine * x + cosine * y),
        )  # fmt: skip
        return sprite.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)

    def _pyramid(self, label: str, colour: str | None) -> list[Image.Image]:
        """The sprite at 128, 64, 32 and 16 pixels, in the colour asked for."""
        key = (label, colour)
        if key not in self._pyramids:
            pixels = self._sprites[label]
            image = sprite_image(pixels if colour is None else recolour(pixels, COLOURS[colour]))
            sides = (128, 64, 32, 16)
            self._pyramids[key] = [
                image if image.width == side else image.resize((side, side), Image.Resampling.BOX) for side in sides
            ]
        return self._pyramids[key]


@dataclass(frozen=True)
class _Background:
    colour: str | None  # the word for it, where the caption may name it
    top: tuple[float, float, float]
    bottom: tuple[float, float, float]

    @classmethod
    def at_random(cls, rng: random.Random, backdrop: float) -> _Background:
        """So often in a nameable colour, the rest near white or in a pale tint, so that seeds can differ."""
        draw = rng.random()
        if draw < backdrop:
            colour = rng.choice(list(COLOURS))
            shift = rng.uniform(-0.04, 0.04)
            flat = tuple(min(1.0, max(0.0, channel / 255 + shift)) for channel in COLOURS[colour])
            return cls(colour, _triple(flat), _triple(flat))
        if draw < backdrop + (1 - backdrop) * NEAR_WHITE:
            white = rng.uniform(0.97, 1.0)
            return cls("white" if rng.random() < 0.4 else None, (white,) * 3, (white,) * 3)
        hue, saturation = rng.random(), rng.uniform(0.06, 0.30)
        top = colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.93, 1.0))
        bottom = colorsys.hsv_to_rgb(hue, saturation * rng.uniform(0.4, 1.4), rng.uniform(0.90, 1.0))
        return cls(None, top, bottom)


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def _say(rng: random.Random, thing: Thing) -> str:
    """One of the thing's names: the usual one two times of three."""
    return thing.name if len(thing.names) == 1 or rng.random() < 0.65 else rng.choice(thing.names[1:])


def _in_colour(rng: random.Random, colour: str, name: str) -> str:
    return f"{rng.choice(COLOUR_SYNONYMS.get(colour, (colour,)))} {name}"


def _cells(rng: random.Random, most: int) -> float:
    """A shift by whole latent cells, at most `most` of them either way, in parts of the picture's side.

    A latent cell holds one patch of pixels. Moved by whole cells, a thing has the same latents elsewhere, which
    a convolution knows at once; moved by a third of a cell, it is another thing to learn. See docs/decisions/0004.
    """
    return rng.randint(-most, most) * CELL


def _anywhere(rng: random.Random, label: str) -> Placement:
    return Placement(label, 0.5 + _cells(rng, 1), 0.5 + _cells(rng, 1), LARGE)


def _arrange(rng: random.Random, relation: str) -> tuple[str, tuple[float, float, float], tuple[float, float, float]]:
    """The words for a relation, and (x, y, size) of the first and of the second thing."""
    if relation in {"beside", "left", "right"}:
        left, right = (0.25, 0.5 + _cells(rng, 1)), (0.75, 0.5 + _cells(rng, 1))
        swap = relation == "right" or (relation == "beside" and rng.random() < 0.25)
        a, b = (right, left) if swap else (left, right)
    elif relation in {"above", "below"}:
        upper, lower = (0.5 + _cells(rng, 1), 0.25), (0.5 + _cells(rng, 1), 0.75)
        a, b = (upper, lower) if relation == "above" else (lower, upper)
    else:
        x = 0.5 + _cells(rng, 1)
        a, b = (x, 3 * CELL), (x, 6 * CELL)
    return rng.choice(RELATIONS[relation]), (*a, SMALL), (*b, SMALL)


def _accessory(rng: random.Random) -> str:
    """The label of something to wear."""
    return rng.choices(vocabulary.ACCESSORIES, [0.5, 0.25, 0.25])[0]


def _seat(rng: random.Random, mount: Thing, rider: Placement, *, hatted: bool) -> tuple[Placement, Placement]:
    """Mount and rider: the rider on whole cells, the mount where its seat meets the rider's lower edge.

    Who stands on a board is large, unless a hat needs the room above.
    """
    how = mount.mount
    assert how is not None
    on_board = mount.label == "skateboard"
    size = LARGE if on_board and not hatted else SMALL
    lower_edge = 6 * CELL
    if not on_board:  # the mount near the middle
        lower_edge = round((0.62 + OVERLAP + (how.seat - 0.5) * LARGE) / CELL) * CELL
    x = 0.5 + _cells(rng, 1)
    y = lower_edge - OVERLAP - (how.seat - 0.5) * LARGE
    under = Placement(mount.label, x - how.back * LARGE, y, LARGE, angle=how.tilt)
    return under, replace(rider, x=x, y=lower_edge - size / 2, size=size)


def _dress(rng: random.Random, caption: str, background: _Background) -> str:
    """The caption with the background named where it has a name, and some of the ways people begin or shorten it."""
    if background.colour:
        named = f"{background.colour} {BACKGROUND}"
        caption += f" on {with_article(named)}" if rng.random() < 0.75 else f", {named}"
    draw = rng.random()
    if draw < 0.10:
        return f"{rng.choice(OPENINGS)} {caption}"
    if draw < 0.22 and caption.startswith(("a ", "an ")):
        return caption.split(" ", 1)[1]
    return caption
