"""Word maps: where in a picture each word of its prompt was attended to, and how much.

At every step a denoiser's attention asks, for each place of the picture, which tokens matter there. A word's *mass*
is the mean share of that attention which its tokens got, over all places, steps, layers and heads (Tang et al. 2023,
arXiv:2210.04885, sum likewise); its map tells where. Masses are never scaled word by word: a word without effect
stays weak. Torch-free records; `generation.worker.attention` measures, `generation.pictures.word_maps` draws.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from generation.errors import RequestError

MOST_NAMED = 12  # words that a complaint lists
SMALL = """
a an the and or but of in on at to for from by with without into onto over under above below behind
beside near next between is are be was were has have it its his her their our your my this that
these those as while
"""
FUNCTION_WORDS = frozenset(SMALL.split())  # which name nothing that could be seen

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[\U0001F000-\U0001FAFF\u2600-\u27BF]")


class WordMap(msgspec.Struct, frozen=True, kw_only=True):
    """One word of the prompt. Numbers are shares of attention, 0 to 1."""

    word: str
    tokens: tuple[int, ...]  # places in what the denoiser was given; empty: the text encoder does not read that far
    mass: float  # mean over the whole picture
    share: float  # of what all words of the prompt got together
    rows: int  # of the map
    columns: int
    values: tuple[float, ...]  # row by row, from the top left; their mean is `mass`

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of mass as shares of width and height, from the top left; the middle for a word without mass."""
        total = sum(self.values)
        if total <= 0:
            return 0.5, 0.5
        across = sum(value * (index % self.columns + 0.5) for index, value in enumerate(self.values))
        down = sum(value * (index // self.columns + 0.5) for index, value in enumerate(self.values))
        return across / total / self.columns, down / total / self.rows


class WordMaps(msgspec.Struct, frozen=True, kw_only=True):
    """All words of one run's prompt, in order."""

    words: tuple[WordMap, ...]
    negative: tuple[WordMap, ...] = ()  # of the negative prompt; empty: there was none, or guidance was off
    kind: Literal["cross", "joint"]  # joint: places of the picture compete with words for attention
    steps: int  # forwards that were looked at
    layers: int  # attention layers that were looked at


def masses(maps: WordMaps) -> dict[str, float]:
    """Mass by word; a word that stands there again is numbered: `cat`, `cat (2)`."""
    return dict(zip(titles(maps.words), (word.mass for word in maps.words), strict=True))


def titles(words: Sequence[WordMap]) -> list[str]:
    """What to call each word, without saying one name twice."""
    seen: dict[str, int] = {}
    names = []
    for word in words:
        count = seen[word.word.casefold()] = seen.get(word.word.casefold(), 0) + 1
        names.append(word.word if count == 1 else f"{word.word} ({count})")
    return names


def find_word(maps: WordMaps, wanted: str) -> WordMap:
    """The first word of the prompt that is `wanted`, whatever its case.

    Raises:
        RequestError: it is not in the prompt.
    """
    for word in maps.words:
        if word.word.casefold() == wanted.strip().casefold():
            return word
    raise RequestError(not_in_prompt(wanted, [word.word for word in maps.words]))


def not_in_prompt(wanted: str, words: Sequence[str]) -> str:
    """The sentence that says so, and which words are."""
    known = ", ".join(dict.fromkeys(words[:MOST_NAMED])) + (" …" if len(words) > MOST_NAMED else "")
    return f"The word “{wanted.strip()[:40]}” is not in the prompt; its words are: {known}."


def content_words(words: Sequence[WordMap]) -> list[WordMap]:
    """The words that name something; all of them where none does."""
    return [word for word in words if word.word.casefold() not in FUNCTION_WORDS] or list(words)


def split_words(text: str) -> list[tuple[str, int, int]]:
    """Each word of a prompt with where it begins and ends, in characters."""
    return [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]
