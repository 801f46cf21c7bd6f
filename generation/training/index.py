"""Writes down what the pocket model was trained on: every thing at 16x16 pixels, and how often it was seen.

Training draws each scene from the number of its step, so the scenes of a whole training can be drawn
again, without painting them, and counted. `generation.pictures.nearest` reads the result.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from generation.pictures.nearest import ATLAS, NAMES, TILE
from generation.training.compose import Composer
from generation.training.diffusion import BATCH, Stage, scenes_of
from generation.training.sprites import load_sprites
from generation.training.vocabulary import ALL_WAVES, COLOURS, Thing, things

COLUMNS = 16  # of the atlas
THUMBNAILS = 20_000  # training scenes that a model's pictures are compared with


def write_index(
    folder: Path, target: Path, taught: list[Thing], composer_of: Mapping[Stage, Composer], *, pictures: int, seed: int
) -> dict[str, object]:
    """Write the index of a training on `pictures` pictures to `target`; returns what its JSON file holds."""
    views = count_views(folder / "views.json", composer_of, pictures=pictures, seed=seed)
    listed = [
        {
            "name": thing.name,
            "views": {
                colour or "plain": views[thing.label, colour]
                for colour in (None, *COLOURS)
                if views[thing.label, colour]
            },
        }
        for thing in taught
    ]
    record: dict[str, object] = {"pictures": pictures, "colours": COLOURS, "things": listed}
    (target / NAMES).write_text(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
    sprites = load_sprites(folder, [thing.label for thing in taught])
    atlas = np.zeros((math.ceil(len(taught) / COLUMNS) * TILE, COLUMNS * TILE, 4), np.uint8)
    for i, thing in enumerate(taught):
        planes = [
            Image.fromarray(plane).resize((TILE, TILE), Image.Resampling.BOX)  # colour is premultiplied: four planes
            for plane in np.moveaxis(sprites[thing.label], -1, 0)
        ]
        top, left = i // COLUMNS * TILE, i % COLUMNS * TILE
        atlas[top : top + TILE, left : left + TILE] = np.stack([np.asarray(plane) for plane in planes], axis=-1)
    Image.fromarray(atlas).save(target / ATLAS, optimize=True)
    return record


def count_views(
    earlier: Path, composer_of: Mapping[Stage, Composer], *, pictures: int, seed: int
) -> Counter[tuple[str, str | None]]:
    """How many training pictures held each thing in each colour, or plain (None), by label.

    The file `earlier`, where there is one, holds the counts of a training's beginning that an earlier way
    of composing scenes drew: `{"pictures": n, "views": [[label, colour, count], ...]}`.
    """
    views = Counter[tuple[str, str | None]]()
    if earlier.exists():
        views.update({(label, colour): count for label, colour, count in json.loads(earlier.read_text())["views"]})
    for step in range(_first_step(earlier), pictures // BATCH):
        for scene in scenes_of(step, composer_of, seed)[1]:
            views.update({(placement.label, placement.colour) for placement in scene.placements})
    return views


def thumbnails(folder: Path, composer_of: Mapping[Stage, Composer], *, pictures: int, seed: int) -> np.ndarray:
    """About THUMBNAILS training scenes [n, TILE, TILE, 3], spread evenly over those that can be drawn again."""
    steps = range(_first_step(folder / "views.json"), pictures // BATCH)
    tiles = []
    for step in steps[:: max(1, len(steps) * BATCH // THUMBNAILS)]:
        composer, scenes = scenes_of(step, composer_of, seed)
        tiles += [thumbnail(composer.paint(scene, 2 * TILE)) for scene in scenes]
    return np.stack(tiles)


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """A picture of any size at TILE x TILE pixels."""
    return np.asarray(Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.BOX))


def _first_step(earlier: Path) -> int:
    """The first step whose scenes can be drawn again, see `count_views`."""
    return int(json.loads(earlier.read_text())["pictures"]) // BATCH if earlier.exists() else 0


def keep_views(released: Path, folder: Path) -> None:
    """Write what a released model had seen as the beginning of a training that goes on from it, for `count_views`.

    What it had seen of things that its release does not list is not counted.
    """
    record = json.loads((released / NAMES).read_text())
    label_of = {thing.name: thing.label for thing in things(ALL_WAVES)}
    views = [
        [label_of[thing["name"]], None if colour == "plain" else colour, count]
        for thing in record["things"]
        for colour, count in thing["views"].items()
    ]
    (folder / "views.json").write_text(json.dumps({"pictures": record["pictures"], "views": views}))
