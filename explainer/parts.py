"""Puts the reader's parts together: encoder, passages, cards, index, spelling. For the reader process and its tests."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from explainer.answer import Answerer
from explainer.encoder import Encoder
from explainer.intent import IntentClassifier, read_said
from explainer.interpret import Interpreter, Propose, no_proposal
from explainer.language import Spelling
from explainer.passages import Passage, load_passages
from explainer.retrieve import Index, entries_of
from explainer.revise import Reviser, load_nlp

ALL_BUT = 0.80  # nearness from which a message counts as one of the known questions
ASKED_OF = 3  # every third example question is learnt from: more of them change nothing but the time


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a reader holds."""

    encoder: Encoder
    passages: Sequence[Passage]
    index: Index
    answerer: Answerer


def load_answerer(cache: Path, threads: int = 1) -> Parts:
    """Load everything; the first time in a cache folder takes some twenty seconds longer.

    Raises:
        EncoderMissing: the encoder's packages are not installed.
        PassageError: a passage is damaged.
    """
    encoder = Encoder(threads)
    passages = load_passages()
    index = Index(entries_of(passages), encoder, cache)
    spelling = Spelling(index.vocabulary(), encoder.vocabulary())
    return Parts(encoder=encoder, passages=passages, index=index, answerer=Answerer(index, passages, spelling))


def load_interpreter(parts: Parts, propose: Propose = no_proposal) -> Interpreter:
    """What reads messages; it learns from the labelled ones and from the passages' example questions."""
    questions = [question for passage in parts.passages for question in passage.questions][::ASKED_OF]
    classifier = IntentClassifier(parts.encoder.encode, read_said(), questions)
    return Interpreter(classifier, lambda: Reviser(load_nlp()), functools.partial(is_known, parts.index), propose)


def is_known(index: Index, text: str) -> bool:
    """Whether a message is all but one of the example questions of a passage or of a field of the record."""
    nearest = max(index.rank({text: 1.0}), key=lambda hit: hit.cosine)
    return nearest.cosine >= ALL_BUT and nearest.domain in ("passage", "facts")
