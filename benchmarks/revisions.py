"""Which method carries out a change best, on the pocket model: `python -m benchmarks.revisions --judge FOLDER`.

Each of some sixty changes is made to a picture by every method, at several strengths: the same seed with the new
prompt, beginning with the picture itself, and making one part anew. A judge that never saw the pictures
(`generation.training.judge`, whose weights are in FOLDER) says whether what was asked for is there and whether
what else was named still is; how much of the picture stayed is counted in pixels. Takes some ten minutes.
With `--write` the figures go to docs/revisions.md.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from bot.changes import touched_words
from bot.revising import MASK_STRENGTH, STRENGTH
from explainer.revise import Reviser, load_nlp
from generation import events
from generation.dispatch.local import LocalDispatcher
from generation.models import Models, pocket_model
from generation.pictures.masks import mask_of
from generation.request import GenerationRequest, make_request
from generation.vocabulary import read_vocabulary

STEPS = 20
SAME = 24  # grey levels by which a pixel may differ and still count as the same
DOCUMENT = Path(__file__).parents[1] / "docs" / "revisions.md"
THREAD = "1"

RIDERS = ("fox", "cat", "dog", "panda", "penguin", "rabbit", "pig", "owl", "robot", "frog")
WORN = {"hat": "top hat", "crown": "crown", "sunglasses": "sunglasses"}
LABELS = {"dog": "dog face", "cat": "cat face", "rabbit": "rabbit face", "pig": "pig face", "apple": "red apple",
          "car": "automobile", "heart": "red heart", "tree": "deciduous tree", "whale": "spouting whale"}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One change, and what the judge should see afterwards: of what was asked, and of what should have stayed."""

    prompt: str
    message: str
    asked: tuple[str, str]  # the judge's question and the right answer
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Way:
    """A method with its strength."""

    method: str
    strength: float | None = None

    @property
    def name(self) -> str:
        """As the table calls it."""
        titles = {"seed": "same seed, new words", "image": "begun from the picture", "mask": "one part anew"}
        return titles[self.method] + (f", {self.strength:.0%}" if self.strength is not None else "")


WAYS = (
    Way("seed"),
    *(Way("image", strength) for strength in sorted({0.5, STRENGTH})),
    Way("mask", MASK_STRENGTH),
)


def cases() -> list[Case]:
    """The changes: recolour, put on, take off, replace the wearer, replace what is worn, put on a mount."""
    found = list[Case]()
    colours = itertools.cycle(("blue", "green", "purple", "red", "yellow", "pink", "orange"))
    for name in ("fox", "cat", "car", "apple", "whale", "heart", "house", "robot", "dog", "balloon", "fish", "turtle"):
        old, new = next(colours), next(colours)
        found.append(Case(f"a {old} {name}", f"make it {new}", ("colour", new), (("thing", LABELS.get(name, name)),)))
    for name, thing in zip(RIDERS, itertools.cycle(WORN), strict=False):
        found.append(
            Case(_a(name), f"add {_a(thing)}", ("accessory", WORN[thing]), (("thing", LABELS.get(name, name)),))
        )
    for name, thing in zip(RIDERS, itertools.cycle(reversed(WORN)), strict=False):
        kept = (("thing", LABELS.get(name, name)),)
        found.append(Case(f"{_a(name)} wearing {_a(thing)}", f"no {thing}", ("accessory", "none"), kept))
    for name, thing in zip(RIDERS, itertools.cycle(WORN), strict=False):
        new = RIDERS[(RIDERS.index(name) + 3) % len(RIDERS)]
        kept = (("accessory", WORN[thing]),)
        asked = ("thing", LABELS.get(new, new))
        found.append(Case(f"{_a(name)} wearing {_a(thing)}", f"replace the {name} with {_a(new)}", asked, kept))
    for name, mount in zip(RIDERS, itertools.cycle(("skateboard", "horse", "bicycle", "elephant")), strict=False):
        found.append(Case(_a(name), f"put it on {_a(mount)}", ("mount", mount), (("thing", LABELS.get(name, name)),)))
    for name, mount in zip(RIDERS, itertools.cycle(("skateboard", "horse", "turtle", "cloud")), strict=False):
        new = RIDERS[(RIDERS.index(name) + 4) % len(RIDERS)]
        kept = (("mount", mount),)
        asked = ("thing", LABELS.get(new, new))
        found.append(Case(f"{_a(name)} on {_a(mount)}", f"make the {name} {_a(new)}", asked, kept))
    return found


def _a(name: str) -> str:
    if name == "sunglasses":
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def main() -> int:
    """Measure, print one JSON object, and write the document where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", type=Path, required=True, help="folder in which the pocket model was made")
    parser.add_argument("--pictures", type=Path, help="also keep a sheet of all pictures in this file (PNG)")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.name}")
    parser.add_argument("--cases", type=int, default=1_000, help="at most so many changes")
    arguments = parser.parse_args()
    began = time.monotonic()
    asked = cases()[: arguments.cases]
    made = asyncio.run(_make(asked))
    figures = _judge(asked, made, arguments.judge)
    if arguments.pictures is not None:
        _sheet(made, arguments.pictures)
    minutes = (time.monotonic() - began) / 60
    sys.stdout.write(json.dumps({"cases": len(asked), "minutes": round(minutes, 1), "ways": figures}) + "\n")
    if arguments.write:
        DOCUMENT.write_text(_document(figures, len(asked)), encoding="utf-8")
    return 0


# --- making --------------------------------------------------------------------------------------


@dataclass
class Made:
    """The pictures of one case as PNG, by way; the parent by none."""

    parent: bytes
    by_way: dict[Way, bytes]


async def _make(asked: Sequence[Case]) -> list[Made]:
    reviser = Reviser(load_nlp())
    async with _Painter() as painter:
        first = [
            make_request(pocket_model(), prompt=case.prompt, seed=seed, steps=STEPS) for seed, case in enumerate(asked)
        ]
        parents = await painter.paint([(request, None, None) for request in first], words=True)
        made = []
        wishes = []
        for case, request, parent in zip(asked, first, parents, strict=True):
            revised = reviser.revise(case.prompt, case.message)
            changed = msgspec.structs.replace(request, prompt=revised.prompt, negative_prompt=revised.negative_prompt)
            made.append(Made(parent.picture, {}))
            wishes += [_wish(changed, way, case, parent) for way in WAYS]
        finished = iter(await painter.paint(wishes))
        for one in made:
            one.by_way = {way: next(finished).picture for way in WAYS}
    return made


def _wish(
    changed: GenerationRequest, way: Way, case: Case, parent: events.Finished
) -> tuple[GenerationRequest, bytes | None, bytes | None]:
    if way.method == "seed":
        return changed, None, None
    mask = None
    if way.method == "mask":
        assert parent.words is not None  # they were ordered
        wanted = touched_words(case.prompt, changed.prompt)
        maps = [word for word in parent.words.words if word.word.lower() in wanted]
        mask = mask_of(maps, changed.width, changed.height)
    request = msgspec.structs.replace(
        changed, init_image="parent", strength=way.strength, mask=None if mask is None else "mask"
    )
    return request, parent.picture, mask


class _Painter:
    """The pocket model in a worker process of its own."""

    def __init__(self) -> None:
        self._dispatcher = LocalDispatcher(Models(all=(pocket_model(),)))
        self._last = 0

    async def __aenter__(self) -> _Painter:
        await self._dispatcher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._dispatcher.close()

    async def paint(
        self, wishes: Sequence[tuple[GenerationRequest, bytes | None, bytes | None]], *, words: bool = False
    ) -> list[events.Finished]:
        """The finished pictures, in order.

        Raises:
            RuntimeError: one failed.
        """
        numbers = range(self._last + 1, self._last + 1 + len(wishes))
        self._last = numbers[-1]
        waiting = list(zip(numbers, wishes, strict=True))
        finished: dict[int, events.Finished] = {}
        while len(finished) < len(wishes):
            while waiting and self._dispatcher.lanes_free > 0:
                number, (request, image, mask) = waiting.pop(0)
                order = events.Generate(
                    job=number, attempt=1, request=request, init_image=image, mask=mask, previews=False,
                    trajectory=False, words=words,
                )  # fmt: skip
                await self._dispatcher.submit(order)
            async for event in self._dispatcher.events():
                if isinstance(event, events.Failed):
                    raise RuntimeError(event.sentence)
                if isinstance(event, events.Finished):
                    finished[event.job] = event
                if isinstance(event, (events.Finished, events.Ready)):
                    break
        return [finished[number] for number in numbers]


# --- judging -------------------------------------------------------------------------------------


def _judge(asked: Sequence[Case], made: Sequence[Made], folder: Path) -> list[dict[str, Any]]:
    """The figures of each way."""
    # here, because the training code imports torch, which making the pictures does not need in this process
    from generation.training.compose import Composer
    from generation.training.judge import train_judge, whole
    from generation.training.sprites import load_sprites
    from generation.training.vocabulary import things, wave_of

    vocabulary = read_vocabulary(pocket_model())
    assert vocabulary is not None
    shown = things(wave_of(thing.name for thing in vocabulary.things))
    composer = Composer(shown, load_sprites(folder, [thing.label for thing in shown]))
    judges = {
        "colour": train_judge(folder, composer, grey=False, steps=0),
        "thing": train_judge(folder, composer, grey=True, steps=0),
    }

    def seen(picture: bytes, question: str) -> str:
        judge = judges["thing" if question == "thing" else "colour"]
        return judge.ranking([whole(_pixels(picture))], question)[0][0]

    # a change counts only where the picture before was what its own prompt says, as far as the judge can tell
    fair = [
        all(seen(one.parent, *[question]) == answer for question, answer in case.kept)
        for case, one in zip(asked, made, strict=True)
    ]
    figures = []
    for way in WAYS:
        pictures = [one.by_way[way] for one in made]
        there = [seen(picture, case.asked[0]) == case.asked[1] for case, picture in zip(asked, pictures, strict=True)]
        stayed = [
            all(seen(picture, question) == answer for question, answer in case.kept)
            for case, picture in zip(asked, pictures, strict=True)
        ]
        same = [_same(one.parent, picture) for one, picture in zip(made, pictures, strict=True)]
        figures.append(
            {
                "way": way.name,
                "asked": round(float(np.mean(there)), 3),
                "rest": round(float(np.mean([kept for kept, is_fair in zip(stayed, fair, strict=True) if is_fair])), 3),
                "both": round(float(np.mean([a and b for a, b in zip(there, stayed, strict=True)])), 3),
                "pixels": round(float(np.mean(same)), 3),
            }
            | {kind: round(share, 3) for kind, share in _by_kind(asked, there)}
        )
    return figures


def _by_kind(asked: Sequence[Case], there: Sequence[bool]) -> Iterable[tuple[str, float]]:
    for kind in dict.fromkeys(case.asked[0] for case in asked):
        yield kind, float(np.mean([hit for case, hit in zip(asked, there, strict=True) if case.asked[0] == kind]))


def _same(before: bytes, after: bytes) -> float:
    """The share of pixels that are as before."""
    difference = np.abs(_pixels(before).astype(int) - _pixels(after).astype(int)).max(axis=2)
    return float((difference <= SAME).mean())


def _pixels(picture: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def _sheet(made: Sequence[Made], path: Path) -> None:
    """One row each: the picture before, then each way."""
    side = 96
    sheet = Image.new("RGB", (side * (1 + len(WAYS)), side * len(made)))
    for row, one in enumerate(made):
        for column, picture in enumerate([one.parent, *one.by_way.values()]):
            small = Image.open(io.BytesIO(picture)).convert("RGB").resize((side, side))
            sheet.paste(small, (column * side, row * side))
    sheet.save(path)


def _document(figures: Sequence[Mapping[str, Any]], count: int) -> str:
    best = max(figures, key=lambda row: (row["both"], row["pixels"]))
    lines = [
        "# How well changes are carried out",
        "",
        f"{count} changes (colours, things put on and taken off, one thing for another, something to ride) made to",
        f"pictures of the pocket model, {STEPS} steps each, by every method that Darkroom has. A judge that never",
        "saw the pictures says whether what was asked for is there, and whether what else was named still is (of those",
        "pictures in which it was before); how much of the picture stayed is the share of its pixels that differ by at",
        f"most {SAME} of 255 grey levels.",
        "",
        "| method | asked is there | rest is there | both | pixels that stayed | colour | accessory | thing | mount |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in figures:
        shares = (row["asked"], row["rest"], row["both"], row["pixels"])
        kinds = (row.get(kind, 0.0) for kind in ("colour", "accessory", "thing", "mount"))
        cells = " | ".join(f"{share:.0%}" for share in (*shares, *kinds))
        lines.append(f"| {row['way']} | {cells} |")
    lines += [
        "",
        f"“{best['way']}” has both most often. The last columns tell “asked is there” by kind. The judge is",
        "not always right on true scenes either, so no figure can reach 100 %.",
        "",
        "Measured by `python -m benchmarks.revisions --judge FOLDER --write`; FOLDER: where the pocket model was made.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
