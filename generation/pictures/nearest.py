"""Which training pictures a picture resembles most, found in the pocket model's own training set.

The pocket model was trained on scenes put together from a known set of small pictures, plain or in
one colour. `training_set.png` beside its weights keeps each of them at 16x16 pixels, and
`training_set.json` how often each was seen, so the question "what did you copy?" has an exact
answer. Knows no network and no Discord.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.errors import GenerationError
from generation.pictures.recolour import recolour

TILE = 16  # pixels a side of a kept training picture
CELLS = 8  # windows that are compared begin at these parts of the picture's side
SIDES = (8, 7, 6, 5, 4)  # of windows, in cells
ATLAS, NAMES = "training_set.png", "training_set.json"

Floats = NDArray[np.float32]


class NoTrainingSetError(GenerationError):
    """The model at hand comes without a record of what it was trained on."""


@dataclass(frozen=True)
class Resemblance:
    """A training picture and the part of a picture that it resembles."""

    name: str
    colour: str | None  # None: in its own colours
    distance: float  # root mean square difference over the part, grey levels 0..255, both at 16x16 pixels
    box: tuple[float, float, float, float]  # left, top, right, bottom, in parts of the picture's side
    views: int  # training pictures that held this thing in this colour

    @property
    def full_name(self) -> str:
        """The training picture as people call it: "fox", "blue fox"."""
        return self.name if self.colour is None else f"{self.colour} {self.name}"


@dataclass(frozen=True)
class _Entry:
    name: str
    colour: str | None
    views: int


class TrainingSet:
    """The small pictures that a model's training scenes were made of."""

    def __init__(self, entries: list[_Entry], pictures: NDArray[np.uint8], seen: int) -> None:
        self._entries = entries
        self._pictures = pictures  # [entries, TILE, TILE, 4], colour multiplied by alpha
        self.seen = seen  # training pictures in all

    def __len__(self) -> int:
        """How many pictures are kept: every thing, plain and in each colour."""
        return len(self._entries)

    @classmethod
    def load(cls, folder: Path) -> TrainingSet:
        """The training set kept beside a model's weights.

        Raises:
            NoTrainingSetError: there is none, or it cannot be read.
        """
        try:
            record = json.loads((folder / NAMES).read_text())
            with Image.open(folder / ATLAS, formats=["PNG"]) as image:
                atlas = np.asarray(image.convert("RGBA"))
        except (OSError, ValueError) as error:
            raise NoTrainingSetError("There is no record of what this model was trained on.") from error
        colours = {name: (int(r), int(g), int(b)) for name, (r, g, b) in record["colours"].items()}
        entries, pictures = list[_Entry](), list[NDArray[np.uint8]]()
        for thing, tile in zip(record["things"], _tiles(atlas), strict=False):
            for colour in (None, *colours):
                entries.append(_Entry(thing["name"], colour, thing["views"].get(colour or "plain", 0)))
                pictures.append(tile if colour is None else recolour(tile, colours[colour]))
        return cls(entries, np.stack(pictures), record["pictures"])

    def nearest(self, picture: Image.Image, most: int = 2) -> list[Resemblance]:
        """The training pictures that together account best for this one, the most telling first.

        Each window of the picture is compared with each training picture laid on the picture's own
        background; the best is the one that explains most of what is not background. What it covers
        counts as background for the next. A picture of nothing resembles nothing: the list is empty.
        """
        side = TILE * CELLS // 4  # 32: a window of four cells has exactly TILE pixels
        small = np.asarray(picture.convert("RGB").resize((side, side), Image.Resampling.BOX), np.float32)
        background = np.median(np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]]), axis=0)
        found = list[Resemblance]()
        left = small.copy()
        for _ in range(most):
            best = self._best(left, background)
            if best is None:
                break
            found.append(best)
            x0, y0, x1, y1 = (round(edge * side) for edge in best.box)
            left[y0:y1, x0:x1] = background
        return found

    def thumbnail(self, name: str, colour: str | None, side: int) -> Image.Image:
        """The kept training picture on white, enlarged to `side` pixels.

        Raises:
            KeyError: it is not in the set.
        """
        for entry, pixels in zip(self._entries, self._pictures, strict=True):
            if (entry.name, entry.colour) == (name, colour):
                plain = pixels[..., :3].astype(np.uint16) + (255 - pixels[..., 3:].astype(np.uint16))
                image = Image.fromarray(plain.clip(0, 255).astype(np.uint8))
                return image.resize((side, side), Image.Resampling.BICUBIC)
        raise KeyError((name, colour))

    def _best(self, picture: Floats, background: Floats) -> Resemblance | None:
        boxes, windows = _windows(picture)
        alpha = self._pictures[..., 3:].astype(np.float32) / 255
        laid = (self._pictures[..., :3] + background * (1 - alpha)).reshape(len(self), -1)
        flat = windows.reshape(len(windows), -1)
        areas = np.array([(box[2] - box[0]) ** 2 for box in boxes], np.float32)
        unlike = (flat**2).sum(1)[:, None] - 2 * flat @ laid.T + (laid**2).sum(1)  # [windows, entries]
        unlike = unlike.clip(0) / flat.shape[1]  # mean square difference
        empty = ((windows - background) ** 2).mean((1, 2, 3))
        explained = (empty[:, None] - unlike) * areas[:, None]
        window, entry = np.unravel_index(int(explained.argmax()), explained.shape)
        if explained[window, entry] < 0.02 * float(((picture - background) ** 2).mean()) + 1.0:
            return None
        kept = self._entries[entry]
        distance = float(np.sqrt(unlike[window, entry]))
        return Resemblance(kept.name, kept.colour, distance, boxes[window], kept.views)


def _tiles(atlas: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The atlas cut into tiles, row by row."""
    rows, columns = atlas.shape[0] // TILE, atlas.shape[1] // TILE
    cut = atlas.reshape(rows, TILE, columns, TILE, 4).transpose(0, 2, 1, 3, 4)
    return list(cut.reshape(rows * columns, TILE, TILE, 4))


def _windows(picture: Floats) -> tuple[list[tuple[float, float, float, float]], Floats]:
    """All square windows on whole cells, in parts of the side, and their pixels [n, TILE, TILE, 3]."""
    side = len(picture)
    image = Image.fromarray(picture.round().clip(0, 255).astype(np.uint8))
    boxes, windows = list[tuple[float, float, float, float]](), list[Floats]()
    for cells in SIDES:
        for top in range(CELLS - cells + 1):
            for left in range(CELLS - cells + 1):
                box = (left / CELLS, top / CELLS, (left + cells) / CELLS, (top + cells) / CELLS)
                x0, y0, x1, y1 = (edge * side for edge in box)
                part = image.resize((TILE, TILE), Image.Resampling.BOX, box=(x0, y0, x1, y1))
                boxes.append(box)
                windows.append(np.asarray(part, np.float32))
    return boxes, np.stack(windows)
