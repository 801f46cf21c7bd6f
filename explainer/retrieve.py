"""Finds what a question is about: passages, fields of the record, things nobody records, experiments, small talk.

Everything that can answer is an `Entry` with example questions; the nearest of these to what was asked counts, mixed with
BM25 (Robertson and Zaragoza 2009) over all its words. Vectors of the entries are computed once and kept in the data folder,
under a name that changes with the entries and the encoder. Knows no pictures and forms no sentence.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from explainer.encoder import Encoder, Vectors
from explainer.language import content, words
from explainer.passages import Passage

log = logging.getLogger(__name__)

CARDS = Path(__file__).parent / "cards.toml"
NEAREST, AROUND, LEXICAL = 0.70, 0.15, 0.15  # weights of: best example, mean of the three best, BM25
K1, B = 1.2, 0.75
TITLE_WEIGHT = 0.95  # a title is no question, and meets fewer of them

Domain = Literal["passage", "facts", "missing", "acts", "talk"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Something that can answer."""

    key: str  # a passage's id, or a card's name
    domain: Domain
    questions: tuple[str, ...]
    title: str = ""
    body: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """How well an entry fits what was asked; scores run from about 0 to 1."""

    entry: Entry
    score: float
    cosine: float

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def domain(self) -> Domain:
        return self.entry.domain


def entries_of(passages: Iterable[Passage], cards: Path = CARDS) -> tuple[Entry, ...]:
    """All that can answer: the passages and the cards."""
    known = tomllib.loads(cards.read_text(encoding="utf-8"))
    from_passages = [
        Entry(key=passage.id, domain="passage", questions=passage.questions, title=passage.title, body=passage.text)
        for passage in passages
    ]
    domains: tuple[Domain, ...] = ("facts", "missing", "acts", "talk")
    from_cards = [
        Entry(key=key, domain=domain, questions=tuple(card["questions"]))
        for domain in domains
        for key, card in known[domain].items()
    ]
    return (*from_passages, *from_cards)


class Index:
    """The entries, ready to be asked."""

    def __init__(self, entries: Sequence[Entry], encoder: Encoder, cache: Path) -> None:
        self.entries = tuple(entries)
        self._encoder = encoder
        texts = [text for entry in self.entries for text in _texts(entry)]
        self._vectors = cached_vectors(texts, encoder, cache)
        self._weights = np.array(
            [weight for entry in self.entries for weight in _weights(entry)], np.float32
        )
        sizes = [len(_texts(entry)) for entry in self.entries]
        self._ends = np.cumsum(sizes)
        self._starts = self._ends - sizes
        self._words = Words([" ".join((entry.title, *entry.questions, entry.body)) for entry in self.entries])

    @property
    def questions(self) -> int:
        """How many example questions there are."""
        return sum(len(entry.questions) for entry in self.entries)

    def vocabulary(self) -> Counter[str]:
        """The words of all entries, with how often they occur."""
        return Counter(word for entry in self.entries for word in words(" ".join((*entry.questions, entry.title, entry.body))))

    def rank(self, variants: Mapping[str, float]) -> list[Hit]:
        """All entries, best first. `variants`: ways to read what was asked, each with how much it counts (0..1)."""
        texts, weights = list(variants), np.array(list(variants.values()), np.float32)
        cosines = (self._encoder.encode(texts) @ self._vectors.T) * self._weights * weights[:, None]
        lexical = np.max([self._words.scores(text) * weight for text, weight in variants.items()], axis=0)
        best = cosines.max(axis=0)
        hits = []
        for i, entry in enumerate(self.entries):
            own = np.sort(best[self._starts[i] : self._ends[i]])[::-1]
            score = NEAREST * own[0] + AROUND * own[:3].mean() + LEXICAL * lexical[i]
            hits.append(Hit(entry=entry, score=float(score), cosine=float(own[0])))
        return sorted(hits, key=lambda hit: -hit.score)


class Words:
    """BM25 over bags of stems, scaled by the best score that the query could reach."""

    def __init__(self, bodies: Sequence[str]) -> None:
        bags = [Counter(content(body)) for body in bodies]
        self._count = len(bags)
        lengths = np.array([sum(bag.values()) for bag in bags], np.float32)
        self._norm = K1 * (1 - B + B * lengths / lengths.mean())
        self._postings: dict[str, tuple[list[int], list[int]]] = {}
        for i, bag in enumerate(bags):
            for word, often in bag.items():
                rows, counts = self._postings.setdefault(word, ([], []))
                rows.append(i)
                counts.append(often)

    def scores(self, query: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """One score of 0..1 for each body."""
        result = np.zeros(self._count, np.float32)
        best = 0.0
        for word in set(content(query)):
            rows, counts = self._postings.get(word, ([], []))
            weight = math.log(1 + (self._count - len(rows) + 0.5) / (len(rows) + 0.5))
            best += weight * (K1 + 1)
            if rows:
                often = np.array(counts, np.float32)
                result[rows] += weight * often * (K1 + 1) / (often + self._norm[rows])
        return result / best if best else result


def cached_vectors(texts: Sequence[str], encoder: Encoder, cache: Path) -> Vectors:
    """The vectors of the texts, from the cache where they are there; computed and kept where not."""
    digest = hashlib.sha256("\n".join((encoder.fingerprint, *texts)).encode()).hexdigest()[:24]
    path = cache / f"vectors-{digest}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            kept: Vectors = stored["vectors"]
        if kept.shape[0] == len(texts):
            return kept
    except (OSError, ValueError, KeyError, EOFError) as error:
        log.info("vectors of %d texts are computed (%s)", len(texts), type(error).__name__)
    vectors = encoder.encode(texts)
    _keep(path, vectors)
    return vectors


def _keep(path: Path, vectors: Vectors) -> None:
    """Write the cache whole or not at all; without it the next start computes again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rough = path.with_suffix(f".{os.getpid()}.part")
        with rough.open("wb") as file:
            np.savez(file, vectors=vectors)
        rough.replace(path)
        for old in path.parent.glob("vectors-*.npz"):
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        log.warning("vectors cannot be kept in %s: %s", path.parent, error)


def _texts(entry: Entry) -> tuple[str, ...]:
    return (*entry.questions, entry.title) if entry.title else entry.questions


def _weights(entry: Entry) -> list[float]:
    return [1.0] * len(entry.questions) + [TITLE_WEIGHT] * bool(entry.title)
