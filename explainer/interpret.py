"""Makes of a message what is to be done: what it wants, which picture it means, and the prompt that follows.

Puts intent, pointing and revising together for the reader process. Starts nothing and remembers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from explainer.intent import Around, IntentClassifier
from explainer.language import plain
from explainer.messages import Changed, Interpreted, Question, SeenPicture
from explainer.pointing import point
from explainer.revise import Reviser

_VERB: Final = r"(?:draw|paint|sketch|generate|render|imagine|create|produce|make|do|give|show|get|see|have|try|picture|whip up|cook up|want|need)"
_MEDIUM: Final = r"(?:picture|image|drawing|painting|sketch|photo|pic|one)"
_ORDER: Final = re.compile(
    r"^(?:(?:ok(?:ay)?|now|then|so|and|hey|hi|please|pls|just|next|well|no|also|kindly|quick|maybe|let's|let us|let me|forget (?:that|it)"
    r"|start over with|how about|what about|new (?:one|picture|image)|a (?:fresh|new) one|draw something else|something else|another one)\b[\s,.:!-]*"
    r"|(?:can|could|would|will) (?:you|we|i)\b[\s,]*|why don'?t (?:you|we)\b\s*|i(?:'d| would)? (?:want|like|love|need|wanna)\b(?: to)?\s*"
    r"|(?:do me a favou?r and|a completely different one|this time|surprise me with)\b[\s,]*"
    rf"|{_VERB}\b(?: up)?(?: me| us| for me)?\b(?: (?:a|an|another|some|one))?(?: new| separate| quick)?(?: {_MEDIUM})?(?: please)?,?(?: this time)?(?: of| with)?(?= \S)\s*"
    rf"|(?:a|an|another|the) (?:new |separate |quick )?(?:{_MEDIUM})(?: please)?,?(?: this time)? of\s*)",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(
    r"(?:[\s,]+(?:please|pls|instead|for me|now|then|next|too|thanks|thank you|separately|on its own|if you can))+[\s?!.]*$|[\s?!.]+$",
    re.IGNORECASE,
)
_ARTICLE: Final = re.compile(rf"^{_VERB}\b(?: me| us)? (?P<article>an?) (?!(?:new |quick )?{_MEDIUM}\b)", re.IGNORECASE)


class Interpreter:
    """Understands messages; the grammar is loaded with the first change."""

    def __init__(self, classifier: IntentClassifier, make_reviser: Callable[[], Reviser]) -> None:
        self._classifier = classifier
        self._make_reviser = make_reviser
        self._reviser: Reviser | None = None

    def interpret(self, question: Question) -> Interpreted:
        """What the message wants, said where and about what the question tells."""
        around: Around = "reply" if question.about is not None else "around" if question.pictures else "none"
        guess = self._classifier.guess(question.text, around)
        pointed = point(question, question.text).pictures
        meant = pointed[0] if pointed else None
        changed = None
        if meant is not None and "revise" in (guess.intent, *(() if guess.sure else (guess.second,))):
            changed = self._change(question.text, meant)
        return Interpreted(
            intent=guess.intent,
            second=guess.second,
            sure=guess.sure,
            picture=None if meant is None else meant.id,
            prompt=prompt_of(question.text),
            changed=changed,
        )

    def _change(self, text: str, picture: SeenPicture) -> Changed:
        if self._reviser is None:
            self._reviser = self._make_reviser()
        request = picture.run.request
        revision = self._reviser.revise(request.prompt, text, request.negative_prompt)
        return Changed(
            prompt=revision.prompt,
            negative_prompt=revision.negative_prompt,
            kinds=tuple(change.kind for change in revision.changes),
            whats=tuple(change.what for change in revision.changes),
            local=bool(revision.changes) and all(change.place for change in revision.changes),
            shape=revision.shape,
            back=revision.back,
            again=revision.again,
        )


def prompt_of(text: str) -> str:
    """What is to be drawn: the message without the asking. Empty: it does not say what."""
    rest = _TAIL.sub("", plain(text)).strip(" ,")
    article, before = "", None
    while rest and rest != before:
        before = rest
        told = _ARTICLE.match(rest)
        article = f"{told['article']} " if told else article
        rest = _ORDER.sub("", rest, count=1).strip(" ,:")
    if re.fullmatch(rf"{_VERB}|(?:a |an )?{_MEDIUM}|(?:me|us)", rest, re.IGNORECASE):
        return ""
    return rest if re.match(r"(?:an?|the|my|some|two|three) ", rest, re.IGNORECASE) else f"{article}{rest}"
