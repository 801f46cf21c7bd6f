"""The backstage tour of one run: four pages, each with one figure and at most 80 words that are true for this run.

What cannot be shown (steps that were not kept, a model that is gone, a model of one step) is said instead. Knows no
front end; the figures are drawn in `generation.pictures`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from generation.errors import GenerationError
from generation.events import Frame, PromptRead
from generation.laboratory import Laboratory
from generation.pictures.draw import percent
from generation.pictures.stages import MOST_WORDS, draw_pair, draw_steered, draw_steps, draw_words
from generation.pictures.strip import some_of, strip_steps
from generation.pictures.words import draw_word_maps
from generation.request import RunFacts
from generation.studio import Picture, Studio
from generation.touches import TOUCHES
from generation.word_maps import WordMaps, content_words
from store.errors import StoreError

log = logging.getLogger(__name__)

TITLES = ("The noise", "The words", "Step by step", "Final touches")
PAGES = len(TITLES)
WORDS_PAGE = 2
FRAMES = 5  # above the plot of page 3
SMALL_WORDS = frozenset(
    ["a", "an", "and", "at", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "with"]
)  # seldom worth a mention
MOST_OF_CHANGE = 0.9  # share of all change, by which a picture is as good as done


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a tour. `figure` is a PNG; None where there is nothing to show, and the text says why."""

    number: int
    title: str
    text: str
    figure: bytes | None
    alt: str  # for people who cannot see the figure
    lacks_maps: bool = False  # what each word steered can be shown too, once a replay has looked at it


class Backstage:
    """Tours of stored pictures."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._laboratory = Laboratory(studio)

    async def page(self, picture: Picture, number: int, maps: WordMaps | None = None) -> Page:
        """Page 1 to 4 of the picture's tour. `maps`: of its words; None: those that are kept, if there are any.

        Raises:
            GenerationError: the picture's own file cannot be read.
        """
        title = TITLES[number - 1]
        alt = f"{title}: a figure on how this picture came about"
        if number == WORDS_PAGE:
            maps = maps or await self._known_maps(picture)
            text, figure = await self._words(picture, maps)
            lacks = maps is None and figure is not None
            return Page(number=number, title=title, text=text, figure=figure, alt=alt, lacks_maps=lacks)
        text, figure = await {1: self._noise, 3: self._steps, 4: self._touches}[number](picture)
        return Page(number=number, title=title, text=text, figure=figure, alt=alt)

    async def _known_maps(self, picture: Picture) -> WordMaps | None:
        try:
            return await self._laboratory.known_words(picture)
        except GenerationError:  # then the page says why
            return None

    async def _noise(self, picture: Picture) -> tuple[str, bytes | None]:
        frames = await self._frames(picture, (0,))
        if isinstance(frames, str):
            return noise_text(picture.run, kept=False, why=frames), None
        plain = await self._plain(picture)
        begun = "noise over a picture" if picture.run.request.init_image else "the noise"
        figure = await asyncio.to_thread(draw_pair, [(frames[0].picture, begun), (plain, "the picture")])
        return noise_text(picture.run, kept=True), figure

    async def _words(self, picture: Picture, maps: WordMaps | None) -> tuple[str, bytes | None]:
        try:
            read = await self._studio.read_prompt(picture.run)
        except GenerationError as error:
            return unread_text(picture.run, str(error)), None
        if not read.words:
            return unread_text(picture.run, "The prompt has no word of letters in it."), None
        text = words_text(picture.run, read, maps)
        if maps is None:
            return text, await asyncio.to_thread(draw_words, read.words, read.numbers, read.distances)
        sheet = await asyncio.to_thread(draw_word_maps, await self._plain(picture), maps)
        return text, await asyncio.to_thread(draw_steered, read.words, read.distances, sheet)

    async def _steps(self, picture: Picture) -> tuple[str, bytes | None]:
        run = picture.run
        chosen = some_of(strip_steps(run), FRAMES)  # of those that are kept decoded
        if len(run.noise_levels) == 1:
            chosen = (0, 1)
        frames = await self._frames(picture, chosen)
        kept = not isinstance(frames, str)
        figure = await asyncio.to_thread(
            draw_steps, run.noise_levels, run.changes, () if isinstance(frames, str) else frames
        )
        return steps_text(run, frames_shown=kept), figure

    async def _touches(self, picture: Picture) -> tuple[str, bytes | None]:
        plain = await self._plain(picture)
        if picture.untouched is None:
            return touches_text(picture.run), await asyncio.to_thread(draw_pair, [(plain, "as diffusion left it")])
        touched = await _read(picture, touched=True)
        pair = [(plain, "as diffusion left it"), (touched, "after the final touches")]
        return touches_text(picture.run), await asyncio.to_thread(draw_pair, pair)

    async def _plain(self, picture: Picture) -> bytes:
        """The picture as diffusion left it."""
        return await _read(picture, touched=False)

    async def _frames(self, picture: Picture, steps: tuple[int, ...]) -> Sequence[Frame] | str:
        """Decoded steps, or the sentence that says why there are none."""
        try:
            frames = await self._studio.frames(picture.id, steps)
        except (GenerationError, StoreError) as error:
            log.info("The tour of picture %d goes without its steps: %s", picture.id, error)
            return str(error)
        return frames or "The steps of this picture are not there."


async def _read(picture: Picture, *, touched: bool) -> bytes:
    path = picture.path if touched or picture.untouched is None else picture.untouched
    try:
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise GenerationError("The file of this picture is no longer there.") from error


def noise_text(run: RunFacts, *, kept: bool, why: str = "") -> str:
    """Page 1."""
    seed = run.request.seed
    if not kept:
        return (
            f"{why} The noise that it began with was drawn from the seed {seed}: a number from which the computer "
            "works out what looks like chance. With the same seed, model and settings the same "
            "noise comes again, and with it the same picture."
        )
    numbers = f"{math.prod(run.latent_shape):,} numbers" if run.latent_shape else "Numbers"
    if run.request.init_image is not None:
        return (
            f"This picture began with another picture, over which noise was laid: {percent(run.request.strength or 0)} "
            f"of the way back to pure noise. {numbers} hold it all. The noise was drawn from the seed {seed}; the same "
            "seed gives the same noise again. So the outlines of the picture it began with can shine through."
        )
    return (
        f"{numbers} of pure chance, decoded here as if they were a picture: nothing of your prompt is in them yet. "
        f"They were drawn from the seed, {seed}. A seed is no secret of the picture but the start of a number "
        "series: the same seed gives the same noise, and with the same settings the same picture. Another seed "
        "begins elsewhere and ends in another picture."
    )


def unread_text(run: RunFacts, why: str) -> str:
    """Page 2, where the words cannot be looked at."""
    known = f"Its tokenizer cut this one into {_counted(len(run.tokens), 'token')}. " if run.tokens else ""
    return f"A model reads no letters: a prompt is cut into tokens, and each becomes a list of numbers. {known}{why}"


def words_text(run: RunFacts, read: PromptRead, maps: WordMaps | None = None) -> str:
    """Page 2."""
    text = (
        f"The model reads no letters. Your prompt became {_counted(len(run.tokens), 'token')}, and each of them "
        f"{read.dimensions} numbers, which steer every step."
    )
    shown = range(min(len(read.words), MOST_WORDS))
    places = [place for place in shown if read.words[place].lower() not in SMALL_WORDS]
    places = places if len(places) > 1 else list(shown)
    pairs = sorted(
        (read.distances[a][b], a, b) for a in places for b in places if a < b and read.words[a] != read.words[b]
    )
    if pairs:
        near, far = pairs[0], pairs[-1]
        text += f" 0 means: the same to the model. Nearest lie “{_pair(read, near)}” ({near[0]:.2f})"
        text += f", furthest “{_pair(read, far)}” ({far[0]:.2f})." if len(pairs) > 1 else "."
    else:
        text += " With one word there is no distance to tell of."
    if maps is not None:
        text += _steered(maps)
    if read.cut:
        text += f" The last {_counted(read.cut, 'token')} did not fit and were not read."
    elif len(read.words) > MOST_WORDS:
        text += f" The first {MOST_WORDS} words are shown."
    return text


def _steered(maps: WordMaps) -> str:
    """Which word was attended to most, and which least."""
    ranked = sorted(content_words(maps.words), key=lambda word: word.share)
    if len(ranked) < 2:
        return ""
    least, most = ranked[0], ranked[-1]
    return (
        f" Of the attention to words, “{most.word[:24]}” got most ({percent(most.share)}), “{least.word[:24]}” "
        f"least ({percent(least.share)})."
    )


def steps_text(run: RunFacts, *, frames_shown: bool) -> str:
    """Page 3."""
    count = len(run.noise_levels)
    if count == 1:
        return (
            "There was one step: this model goes from noise to picture at once, so there are no stages in between "
            "to show. All of the change happened there."
        )
    name = run.scheduler.removesuffix("Scheduler")
    text = f"In {count} steps the scheduler ({name}) took the noise away, each time guessing the finished picture."
    if len(run.changes) == count and any(run.changes[1:]):
        total = sum(run.changes[1:])
        biggest = max(range(1, count), key=lambda index: run.changes[index])
        so_far, done = 0.0, count
        for index in range(1, count):
            so_far += run.changes[index]
            if so_far >= MOST_OF_CHANGE * total:
                done = index + 1
                break
        text += (
            f" The guess changed most at step {biggest + 1}, with {percent(run.noise_levels[biggest])} of the noise "
            f"left. By step {done}, nine tenths of all change was over; the rest was finish."
        )
    else:
        text += " How much each step changed was not recorded."
    return text if frames_shown else f"{text} Its steps are not kept any more, so no frames are shown."


def touches_text(run: RunFacts) -> str:
    """Page 4."""
    shape = "×".join(map(str, run.latent_shape))
    decoded = f"A decoder turned the last {shape} numbers" if shape else "A decoder turned the last numbers"
    decoded += f" into {run.width}×{run.height} pixels."
    if not run.final_touches:
        return (
            f"{decoded} That was all: nothing was upscaled, sharpened, smoothed or repaired afterwards. What you see "
            "is what diffusion made. Final touches would be ordinary image processing and no part of diffusion; the "
            "picture's owner can have them added."
        )
    done = "; ".join(_told(line) for line in run.final_touches)
    return f"{decoded} Diffusion ended there. What came after is no part of it: {done}."


def _told(line: str) -> str:
    name, _, how = line.partition(": ")
    return f"{TOUCHES.get(name, name).lower()} ({how})"


def _pair(read: PromptRead, pair: tuple[float, int, int]) -> str:
    return f"{read.words[pair[1]][:24]}” and “{read.words[pair[2]][:24]}"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
