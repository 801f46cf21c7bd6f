"""Which training pictures a finished picture resembles, where its model's training set is at hand.

Joins the files (the picture) and the models (their training sets, each read once). Searching and drawing
run in a thread. Knows no database and no front end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from generation.errors import GenerationError, UnknownModel
from generation.models import Models

if TYPE_CHECKING:
    from generation.pictures.nearest import Resemblance, TrainingSet

MOST = 3  # things that a picture is told to resemble


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What a picture resembles most, the most telling first."""

    found: tuple[Resemblance, ...]
    things: int  # training pictures it was compared with: every thing, plain and in each colour
    scenes: int  # training scenes in all, put together from these things


class Likenesses:
    """Compares pictures with their models' training sets."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._sets: dict[str, TrainingSet | None] = {}

    async def of(self, model: str, picture: Path) -> Likeness | None:
        """What the picture in this file resembles; None where the model's training set is not at hand.

        Raises:
            GenerationError: the picture is gone or damaged.
        """
        return await asyncio.to_thread(self._compare, model, picture)

    async def figure(self, model: str, picture: Path) -> bytes:
        """The picture beside what it resembles, as PNG.

        Raises:
            GenerationError: the training set is not at hand, or the picture is gone or damaged.
        """
        return await asyncio.to_thread(self._draw, model, picture)

    def _compare(self, model: str, picture: Path) -> Likeness | None:
        from generation.pictures.draw import open_rgb

        known = self._set(model)
        if known is None:
            return None
        found = known.nearest(open_rgb(_read(picture)), MOST)
        return Likeness(found=tuple(found), things=len(known), scenes=known.seen)

    def _draw(self, model: str, picture: Path) -> bytes:
        from generation.pictures.draw import open_rgb
        from generation.pictures.resemblance import draw_resemblance

        known = self._set(model)
        if known is None:
            raise GenerationError(
                f"What the model “{model}” was trained on is not at hand, so nothing can be compared."
            )
        content = _read(picture)
        found = known.nearest(open_rgb(content), MOST)
        return draw_resemblance(content, [(one, known.thumbnail(one.name, one.colour, 256)) for one in found])

    def _set(self, model: str) -> TrainingSet | None:
        # only here: NumPy takes a moment, and most pictures are never asked about in this way
        from generation.pictures.nearest import NoTrainingSetError, TrainingSet

        if model not in self._sets:
            try:
                self._sets[model] = TrainingSet.load(Path(self._models.get(model).source))
            except (NoTrainingSetError, UnknownModel):
                self._sets[model] = None
        return self._sets[model]


def _read(picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except OSError as error:
        raise GenerationError("That picture is no longer there.") from error
