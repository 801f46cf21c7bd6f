"""Finds what a question is about: passages, fields of the record, things nobody records, experiments, small talk.

Everything that can answer is an `Entry` with example questions. What was asked is compared with the nearest of these, with
the entry's whole text, and by BM25 (Robertson and Zaragoza 2009) with all its words: the examples serve
questions that were foreseen, the rest those that were not (docs/decisions/0161). Vectors of the entries come along in
`vectors.npz`, which `python -m explainer.ship` writes; where an entry has changed since, they are computed once and kept
in the data folder. Knows no pictures and forms no sentence.
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
SHIPPED = Path(__file__).parent / "vectors.npz"
PARAPHRASES = Path(__file__).parent / "paraphrases.toml"
NEAREST, AROUND, WHOLE, LEXICAL = 0.45, 0.20, 0.10, 0.25  # best example, mean of the three best, whole text, BM25
NO_WHOLE = 0.70  # a card has no text; this share of its best example stands for it, as passages have it on average
K1, B = 1.2, 0.75
MUTED = 0.3
LEVELS = 31  # of a shipped vector's numbers, either way from nought

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
    also = tomllib.loads(PARAPHRASES.read_text(encoding="utf-8"))
    from_passages = [
        Entry(
            key=passage.id,
            domain="passage",
            questions=(*passage.questions, *also.get(passage.id, ())),
            title=passage.title,
            body=passage.text,
        )
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
        groups = [group for entry in self.entries for group in (_asked(entry), _said(entry))]
        self._vectors = cached_vectors(texts_of(self.entries), encoder, cache)
        ends = np.cumsum([len(group) for group in groups])
        starts = ends - [len(group) for group in groups]
        self._asked = [slice(*span) for span in zip(starts[::2], ends[::2], strict=True)]
        self._said = [slice(*span) for span in zip(starts[1::2], ends[1::2], strict=True)]
        self._words = Words([" ".join((entry.title, *entry.questions, entry.body)) for entry in self.entries])

    @property
    def questions(self) -> int:
        """How many example questions there are."""
        return sum(len(entry.questions) for entry in self.entries)

    def vocabulary(self) -> Counter[str]:
        """The words of all entries, with how often they occur."""
        return Counter(
            word for entry in self.entries for word in words(" ".join((*entry.questions, entry.title, entry.body)))
        )

    def rank(self, variants: Mapping[str, float], muted: frozenset[str] = frozenset()) -> list[Hit]:
        """All entries, best first.

        Args:
            variants: ways to read what was asked, each with how much it counts (0..1).
            muted: stems that count little as words, since they name what the pictures at hand show.
        """
        weights = np.array(list(variants.values()), np.float32)
        cosines = (self._encoder.encode(list(variants)) @ self._vectors.T) * weights[:, None]
        lexical = np.max([self._words.scores(text, muted) * weight for text, weight in variants.items()], axis=0)
        best = cosines.max(axis=0)
        hits = [self._hit(i, best, float(lexical[i])) for i in range(len(self.entries))]
        return sorted(hits, key=lambda hit: -hit.score)

    def likeness(self, texts: Sequence[str], others: Sequence[str]) -> Vectors:
        """How near each text comes to each of the others: cosines, shape (len(texts), len(others))."""
        near: Vectors = self._encoder.encode(texts) @ self._encoder.encode(others).T
        return near

    def _hit(self, i: int, best: Vectors, lexical: float) -> Hit:
        asked = np.sort(best[self._asked[i]])[::-1]
        nearest, around = float(asked[0]), float(asked[:3].mean())
        said = best[self._said[i]]
        whole = float(said[0]) if said.size else NO_WHOLE * nearest
        score = NEAREST * nearest + AROUND * around + WHOLE * whole + LEXICAL * lexical
        return Hit(entry=self.entries[i], score=score, cosine=nearest)


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

    def scores(self, query: str, muted: frozenset[str] = frozenset()) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """One score of 0..1 for each body."""
        result = np.zeros(self._count, np.float32)
        best = 0.0
        for word in set(content(query)):
            rows, counts = self._postings.get(word, ([], []))
            weight = math.log(1 + (self._count - len(rows) + 0.5) / (len(rows) + 0.5))
            weight *= MUTED if word in muted else 1
            best += weight * (K1 + 1)
            if rows:
                often = np.array(counts, np.float32)
                result[rows] += weight * often * (K1 + 1) / (often + self._norm[rows])
        return result / best if best else result


def cached_vectors(texts: Sequence[str], encoder: Encoder, cache: Path) -> Vectors:
    """The vectors of the texts: those that come along, else from the cache; computed and kept where there are none."""
    shipped = shipped_vectors(texts, encoder.fingerprint)
    if shipped is not None:
        return shipped
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


def shipped_vectors(texts: Sequence[str], fingerprint: str, path: Path = SHIPPED) -> Vectors | None:
    """The vectors that come along with the program, in the order of the texts; None where some are not among them."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            keys, rows, scales, made_by = (stored[name] for name in ("keys", "rows", "scales", "encoder"))
    except (OSError, ValueError, KeyError, EOFError):
        return None
    place = {int(key): i for i, key in enumerate(keys)}
    wanted = [place.get(key_of(text), -1) for text in texts]
    if str(made_by) != fingerprint or -1 in wanted:
        return None
    vectors: Vectors = rows[wanted].astype(np.float32) * scales[wanted, None]
    return vectors


def ship_vectors(texts: Sequence[str], encoder: Encoder, path: Path = SHIPPED) -> None:
    """Compute the vectors of the texts and write them to come along.

    Each number keeps its sign and LEVELS steps, six bits in all, which moves a cosine by 0.002 (one in a hundred by more
    than 0.004) and packs a quarter smaller than eight.
    """
    texts = list(dict.fromkeys(texts))
    vectors = encoder.encode(texts)
    rows = np.round(vectors / np.abs(vectors).max(axis=1, keepdims=True) * LEVELS).astype(np.int8)
    scales = (1 / np.linalg.norm(rows.astype(np.float32), axis=1)).astype(np.float32)
    keys = np.array([key_of(text) for text in texts], np.uint64)
    np.savez_compressed(path, keys=keys, rows=rows, scales=scales, encoder=np.array(encoder.fingerprint))


def key_of(text: str) -> int:
    """A number for a text, the same everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def texts_of(entries: Sequence[Entry]) -> list[str]:
    """All texts of the entries whose vectors are looked at, in the index's order."""
    return [text for entry in entries for group in (_asked(entry), _said(entry)) for text in group]


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


def _asked(entry: Entry) -> tuple[str, ...]:
    """The texts that a question may be like."""
    return (*entry.questions, entry.title) if entry.title else entry.questions


def _said(entry: Entry) -> tuple[str, ...]:
    """The text that may answer it."""
    return (entry.body,) if entry.body else ()
