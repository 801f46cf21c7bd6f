"""A prompt while it is being changed, and the record of what was changed in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from explainer.revise.phrases import Nlp, Phrase, lemma_of, lemma_of_word, noun_phrases, tidy
from explainer.revise.words import PRONOUN, THE

ChangeKind = Literal[
    "add", "remove", "replace", "recolour", "restyle", "surroundings", "background", "count", "position", "degree",
    "shape", "again", "back", "first", "append",
]  # fmt: skip


Shape = Literal["wide", "tall", "square"]


@dataclass(frozen=True)
class Change:
    """One change that was understood."""

    kind: ChangeKind
    what: str  # the words of the prompt or of the message that it is about
    place: bool = False  # it has a place in the picture, so a masked edit could do it


@dataclass
class Draft:
    """A prompt while it is being changed."""

    nlp: Nlp
    prompt: str
    negatives: list[str]
    changes: list[Change] = field(default_factory=list)
    shape: Shape | None = None
    nothing_left: bool = False  # all that there was is to go

    def note(self, kind: ChangeKind, what: str, *, place: bool = False) -> None:
        self.changes.append(Change(kind, what, place))


def find(draft: Draft, words: str) -> Phrase | None:
    """The phrase of the prompt that these words mean; a pronoun or nothing means the first one."""
    there = noun_phrases(draft.nlp, draft.prompt)
    bare = re.sub(rf"^{THE}", "", words.strip(), flags=re.IGNORECASE).strip()
    if not bare or re.fullmatch(PRONOUN, words.strip(), re.IGNORECASE):
        return next((one for one in there if one.lemma != "background"), None)
    wanted = lemma_of_word(bare.split()[-1], lemma_of(draft.nlp, bare))
    return next((one for one in there if one.lemma == wanted), None)


def put(draft: Draft, start: int, end: int, text: str) -> None:
    draft.prompt = tidy(draft.prompt[:start] + text + draft.prompt[end:])


def end_with(draft: Draft, words: str) -> None:
    base = _base(draft)
    put(draft, base, base, f" {words}")


def _base(draft: Draft) -> int:
    """Where the surroundings begin that stay last: style and place in time after a comma."""
    comma = draft.prompt.find(",")
    return comma if comma >= 0 else len(draft.prompt)
