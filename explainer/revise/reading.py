"""Reads a message clause by clause and makes its changes in the prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from explainer.language import plain
from explainer.revise.conflict import conflict
from explainer.revise.draft import Change, Draft, Shape
from explainer.revise.patterns import PATTERNS
from explainer.revise.phrases import Nlp, lemma_of, tidy
from explainer.revise.proposal import objections
from explainer.revise.slots import append
from explainer.revise.words import COLOUR, DEGREES


@dataclass(frozen=True)
class Revision:
    """The prompt after the change."""

    prompt: str
    negative_prompt: str
    changes: tuple[Change, ...]
    shape: Shape | None = None  # of the picture, where another is asked for
    conflict: tuple[str, str] | None = None  # two changes that contradict each other; the later one stands
    nothing_left: bool = False  # what is to go is all that there is

    @property
    def back(self) -> Literal["one", "first"] | None:
        """Whether an earlier picture is wanted instead of a new one."""
        kinds = {change.kind for change in self.changes}
        return "first" if "first" in kinds else "one" if "back" in kinds else None

    @property
    def again(self) -> bool:
        """The same prompt, other noise."""
        return {change.kind for change in self.changes} == {"again"}


_OPENINGS = re.compile(
    r"^(?:(?:hey|ok(?:ay)?|no(?=[,.!]| (?:make|i|it|put|give|the)\b)|nah|nope|hmm+|wait|now|then|so|and|but|also|please|pls|actually|cool|nice|great|love it|yes|yeah|well|just|maybe"
    r"|perhaps|let's|only|still|this time)\b[,!. ]*"
    r"|(?:can|could|would|will) (?:you|we)(?: please| maybe| also| just)?(?: try(?: to)?| have| get| see)?\b[,]? *(?:it |this )?(?=\S)"
    r"|i(?:'d| would)? (?:want|like|love|prefer|need|rather|meant|said)(?: you| it)?(?: to)?(?: have| see| get| be)?(?: it(?= from))? +"
    r"|(?:it|he|she|they) (?:should|could|must|might|needs? to|has to|ought to|can) be +"
    r"|(?:could|can|should|might) (?:it|he|she|they) be +|let (?:it|him|her|them) be +"
    r"|(?:what would (?:it|he|she|that) look like|how would (?:it|he|she|that) look|what (?:if|about)|how about|would it be possible to(?: see it| have it)?)\b *"
    r"|(?:do|try|show|see|have)(?: it| this| me)?(?: again)? (?=(?:but|in|with|without|as|at|on|from)\b)"
    r"|(?:the )?same(?: thing| one| picture| image| prompt| seed| again)?\b[, ]*(?:but|only|just)?\b[, ]*)",
    re.IGNORECASE,
)


_ENDINGS = re.compile(
    r"(?:[\s,]+(?:please|pls|instead|though|thanks|this time|if you can|if possible|too|as well|now|again|for me|a bit|a little|maybe))+[\s?!.]*$"
    r"|[\s?!.]+$",
    re.IGNORECASE,
)


_CLAUSES = re.compile(
    r"\s*(?:[,;]|\b(?:and then|and|but|then)\b)+\s+(?=(?:make|add|remove|change|put|give|turn|replace|without|with|no|at|in|as|on|lose|swap|more|less"
    r"|also|take|get rid|drop|delete|and|paint|move|colou?r|(?:a|an|two|three) |the \w+ (?:should|"
    + COLOUR
    + r")|"
    + COLOUR
    + r"\b|"
    + "|".join(DEGREES)
    + r")\b)",
    re.IGNORECASE,
)


_RATHER = re.compile(
    r"(?:.*\b)?(?:no|not|without|remove|drop|lose) (?:the |an? )?(?P<what>(?:(?!\b(?:add|put|give|draw|paint)\b)[\w ])+?)(?: please)?,? (?:but |and |use |make it |show )*(?P<new>an? [\w -]+?)(?: instead)?",
    re.IGNORECASE,
)


class Reviser:
    """Understands changes; made once, as it holds spaCy's model."""

    def __init__(self, nlp: Nlp) -> None:
        self._nlp = nlp

    def revise(self, prompt: str, message: str, negative_prompt: str = "") -> Revision:
        """The prompt as it is after the change that the message asks for."""
        draft = Draft(self._nlp, plain(prompt), [part.strip() for part in negative_prompt.split(",") if part.strip()])
        unwanted = len(draft.negatives)
        for clause in clauses(message):
            if not any((match := pattern.fullmatch(clause)) and handler(draft, match) for pattern, handler in PATTERNS):
                append(draft, clause)
        negatives = ", ".join(dict.fromkeys(draft.negatives))
        against = conflict(draft.changes, draft.negatives[unwanted:], lambda words: lemma_of(self._nlp, words))
        return Revision(tidy(draft.prompt), negatives, tuple(draft.changes), draft.shape, against, draft.nothing_left)

    def objections(self, prompt: str, message: str, revision: Revision, proposal: str) -> list[str]:
        """Why somebody else's proposal may not take the place of the revision that was made here; empty: it may."""
        changed = revision.changes
        return objections(self._nlp, plain(prompt), plain(message), revision.prompt, changed, proposal)


def clauses(message: str) -> list[str]:
    """The changes that a message asks for, without what is only said around them."""
    whole = plain(message)
    other = _RATHER.fullmatch(whole.strip(" .!?"))
    if other:  # "no skateboard, a horse instead"
        return [f"{other['new']} instead of {other['what']}"]
    found = []
    for part in _CLAUSES.split(_bare(whole)):
        bare = _bare(part)
        if (
            bare
            and re.search(r"\b(?:instead|rather have|meant)\b", whole, re.IGNORECASE)
            and re.fullmatch(r"an? [\w -]+", bare)
        ):
            bare = f"make it {bare}"
        found += [bare] if bare else []
    return found


def _bare(text: str) -> str:
    before = None
    text = text.strip(" ,")
    while text and text != before:
        before = text
        text = _ENDINGS.sub("", _OPENINGS.sub("", text, count=1)).strip(" ,")
    return text or (before or "")
