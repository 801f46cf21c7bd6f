"""Makes of a message what is to be done: what it wants, which picture it means, and the prompt that follows.

Puts intent, pointing and revising together for the reader process. Starts nothing and remembers nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final

import msgspec

from explainer.intent import Around, Guess, IntentClassifier
from explainer.language import plain, stem, unmarked
from explainer.messages import Changed, Intent, Interpreted, Question, SeenPicture
from explainer.pointing import ORDINALS, default_picture, names_of, point
from explainer.revise import Reviser, Revision

log = logging.getLogger(__name__)

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


_ASKS: Final = re.compile(  # of others than me, or of what is known: nobody orders a picture in this way
    r"(?:can|do|does|did|could|are|were) (?:people|humans|babies|bab(?:y|ies)|children|kids|animals|artists|painters|machines"
    r"|computers|models|everyone|everybody|anyone|anybody|someone|somebody|they)\b|(?:says|according to) who\b"
    r"|(?:show|tell|give|list)(?: me| us)? (?:what|where|how|why|which|when|the (?:seed|settings|details|strip|steps|curve|map"
    r"|noise|facts|record))\b"
    r"|(?:and |the |its )?(?:seed|steps|guidance|cfg|size|model|sampler|scheduler|prompt|negative|settings|tokens)\s*\?+$",
    re.IGNORECASE,
)
_OTHER_WAY: Final = re.compile(
    r"(?:(?:ok|please|pls|now|can you|could you|try|do|make|it|that|this|in)\b[\s,]*)*"
    r"(?:another|a different|some other|the other) (?:way|method)(?: please| around)?[\s.!?]*",
    re.IGNORECASE,
)
_POINTS_AT_SOMETHING: Final = re.compile(
    r"\b(?:it|its|him|her|them|that one|this one|the (?:first|second|last|other) one)\b"
)
_CHANGES: Final = re.compile(  # nobody begins what is to be drawn in this way
    r"(?:(?:now|but|and|ok|so|then|please|pls|no|just)\b[, ]*)*"
    r"(?:(?:without|lose|remove|drop|delete|get rid of|add|replace|swap|the same|same|no|more|less|fewer)\b"
    r"|(?:with|in|at|on|as|under) (?:[\w'-]+[ .!]*){1,4}$|an? [\w, -]+ ones?\b)|.*\binstead\b",
)
_GOES_BACK: Final = re.compile(r"\b(?:back|undo|revert|return)\b", re.IGNORECASE)
_POINTED: Final = re.compile(
    rf"\b(?:(?:the|my|that|this) (?:(?:{'|'.join(ORDINALS)}|other|previous|[\w-]+) )?(?:one|picture|image|pic)"
    rf"|(?:the|my) (?:{'|'.join(ORDINALS)})(?=[,;]| but\b| and\b|$)|(?:picture |image |#)\d+)(?![\w-])",
    re.IGNORECASE,
)
_NO_NAMES: Final = "background sky colour color colours colors scene rest whole same left right"
_DEFINITE: Final = re.compile(r"\b(?:the|my|that|this|his|her|their|[\w-]+'s) (?:[\w-]+ ){0,2}?[\w-]+\b")
_CALLED: Final = re.compile(
    r"^(?:the|my|that|this) [\w-]+(?: one| picture)?,? (?:but|should|needs?|could|with|without|in|at|on)\b"
)


Propose = Callable[[str, str], str | None]  # prompt and change to the prompt after it


def no_proposal(prompt: str, change: str) -> str | None:
    """Nobody proposes anything."""
    return None


class Interpreter:
    """Understands messages; the grammar is loaded with the first change."""

    def __init__(
        self,
        classifier: IntentClassifier,
        make_reviser: Callable[[], Reviser],
        asks: Callable[[str], bool] = lambda text: False,
        propose: Propose = no_proposal,
    ) -> None:
        """`asks`: whether a message is all but one of the questions that are known, however it is put.

        `propose`: a language model that may put a changed prompt into better words; it is checked.
        """
        self._propose = propose
        self._classifier = classifier
        self._asks = asks
        self._make_reviser = make_reviser
        self._reviser: Reviser | None = None

    def interpret(self, question: Question, wanted: Intent | None = None) -> Interpreted:
        """What the message wants, said where and about what the question tells.

        `wanted`: what its author has said that it wants, so that only the rest is to be found out.
        """
        question = msgspec.structs.replace(question, text=unmarked(question.text))
        guess = self._guess(question) if wanted is None else Guess(wanted, True, wanted, {})
        pointed = point(question, question.text).pictures
        meant = pointed[0] if pointed else None
        changed = None
        if guess.intent == "chat" and max(guess.chances.values(), default=1.0) < 1.0 and self._is_change(question):
            guess = Guess("revise", True, "chat", guess.chances)
        would_change = "revise" in (guess.intent, *(() if guess.sure else (guess.second,)))
        if would_change and question.gone:
            return Interpreted(intent="revise", second="ask", sure=True, nothing_there=True)
        if would_change:
            meant = meant_for_change(question)
            changed = None if meant is None else self._change(question.text, meant, final=guess.sure)
            if changed is not None and changed.back is not None:  # "the first" is where it leads, not where it starts
                meant = meant_for_change(msgspec.structs.replace(question, text=""))
        return Interpreted(
            intent=guess.intent,
            second=guess.second,
            sure=guess.sure,
            picture=None if meant is None else meant.id,
            named=meant is not None and _is_named(question, meant),
            prompt=prompt_of(question.text),
            changed=changed,
            nothing_there=meant is None and self._would_change(question.text),
        )

    def _guess(self, question: Question) -> Guess:
        replies = question.about is not None or question.gone
        around: Around = "reply" if replies else "around" if question.pictures else "none"
        if around != "none" and _OTHER_WAY.fullmatch(plain(question.text).strip()):
            return Guess("revise", True, "ask", {"revise": 1.0})
        guess = self._classifier.guess(question.text, around)
        plainly = max(guess.chances.values(), default=0.0) == 1.0  # "draw a cat" is near "how do you draw a cat?"
        if plainly or guess.intent not in ("create", "chat"):
            return guess
        if _ASKS.match(plain(question.text)) or self._asks(question.text):
            return Guess("ask", True, guess.intent, guess.chances)
        return guess

    def _is_change(self, question: Question) -> bool:
        """Whether small talk, as it seemed, says a change in so many words: "green", "now lose the hat"."""
        meant = meant_for_change(question)
        changed = None if meant is None else self._change(question.text, meant)
        return changed is not None and bool(changed.kinds) and not {"append", "replace", "add"} & set(changed.kinds)

    def _would_change(self, text: str) -> bool:
        """Whether it speaks of a picture, where there is none."""
        guess = self._classifier.guess(text, "around")
        settled = max(guess.chances.values()) == 1.0
        low = plain(text).lower()
        points = bool(_POINTS_AT_SOMETHING.search(low) or _CHANGES.match(low))
        return guess.sure and guess.intent == "revise" and (settled or points)

    def _change(self, text: str, picture: SeenPicture, *, final: bool = False) -> Changed:
        """The picture's prompt after the change; `final`: it will be made, so that its wording is worth some time."""
        request = picture.run.request
        if _OTHER_WAY.fullmatch(plain(text).strip()):
            return Changed(
                prompt=request.prompt, negative_prompt=request.negative_prompt, kinds=(), whats=(), local=False,
                other_way=True,
            )  # fmt: skip
        if self._reviser is None:
            self._reviser = self._make_reviser()
        said = _without_pointing(text)
        revision = self._reviser.revise(request.prompt, said, request.negative_prompt)
        proposal = self._proposal(self._reviser, request.prompt, said, revision) if final else None
        return Changed(
            prompt=proposal or revision.prompt,
            negative_prompt=revision.negative_prompt,
            kinds=tuple(change.kind for change in revision.changes),
            whats=tuple(change.what for change in revision.changes),
            local=bool(revision.changes) and all(change.place for change in revision.changes),
            shape=revision.shape,
            back=revision.back,
            again=revision.again,
            conflict=revision.conflict,
            nothing_left=revision.nothing_left,
            reworded=proposal is not None,
        )

    def _proposal(self, reviser: Reviser, prompt: str, said: str, revision: Revision) -> str | None:
        """Other words for the revised prompt that stand the test; None: there are none, or none are needed."""
        words_alone = revision.back is None and not revision.again and revision.shape is None
        undecided = revision.conflict is not None or revision.nothing_left
        if not words_alone or undecided or revision.prompt == plain(prompt):
            return None
        proposal = self._propose(prompt, said)
        if proposal is None or proposal == revision.prompt:
            return None
        against = reviser.objections(prompt, said, revision, proposal)
        if against:
            log.info("a proposed prompt was not taken: %s", "; ".join(against))
        return None if against else proposal


def meant_for_change(question: Question) -> SeenPicture | None:
    """The picture that a change is meant for.

    Unlike a question, a change names things that are not there yet ("add a hat"), so only what is spoken of as there
    ("the hat", "my fox") tells pictures apart. Where none is named, one's own comes before somebody else's.
    """
    words = _spoken_of(question)
    pointed = point(question, words)
    meant = pointed.pictures[0] if pointed.pictures else None
    named = meant is not None and meant != default_picture(question, words)
    if meant is None or meant.mine or named or meant.id == question.about or _was_asked_about(question, meant):
        return meant
    own = [picture for picture in question.pictures if picture.mine]
    things = _things(question)
    called = [picture for picture in own if things & names_of(picture)]
    return (called or own or [meant])[-1]


def _is_named(question: Question, meant: SeenPicture) -> bool:
    """Whether the picture is meant by what is said, and not just for want of another."""
    if meant.id == question.about or _was_asked_about(question, meant):
        return True
    low = plain(question.text).lower()
    return bool(_POINTED.search(low) or _things(question) & names_of(meant) or meant.owner.lower() in low)


def _things(question: Question) -> set[str]:
    """The stems of what the message speaks of as there: "the hat", "my fox"."""
    return {stem(word) for phrase in _DEFINITE.findall(plain(question.text).lower()) for word in phrase.split()}


def _spoken_of(question: Question) -> str:
    """The words of the message by which a picture may be meant."""
    low = plain(question.text).lower()
    if question.about is not None:  # the reply tells; only another picture named by its place is stronger
        return " ".join(
            match[0] for match in re.finditer(r"(?:the|my) (?:[\w-]+ )?(?:one|picture)\b|picture \d+|#\d+", low)
        )
    kept = [match[0] for match in _DEFINITE.finditer(low)]
    kept += re.findall(r"\b(?:picture|image|pic|number) #?\d+|#\d+|\bmine\b|\bprevious\b", low)
    kept += [f"the {gone}" for gone in re.findall(r"\b(?:no|without|lose|drop|remove) ([\w-]+)", low)]
    text = re.sub(rf"\b(?:{'|'.join(_NO_NAMES.split())})\b", " ", " ".join(kept))
    default = default_picture(question)
    if default is not None and not _CALLED.match(low):  # what the picture at hand shows names no other one
        there = names_of(default)
        text = " ".join(word for word in text.split() if stem(word.removesuffix("'s")) not in there)
    return text


def _without_pointing(text: str) -> str:
    """The change alone: "the second one, but red" is "red", "make my last one darker" is "make it darker"."""
    text = plain(text)
    if _GOES_BACK.search(text):
        return text
    bare = _POINTED.sub("it", text)
    rest = re.sub(
        r"^(?:(?:take|use|do|with) )?it\b[\s,:;-]*(?:(?:again|too|also)\b[\s,]*)?(?:(?:but|and|then|only)\b\s*)?",
        "",
        bare,
    )
    verb_follows = re.match(r"(?:should|needs?|must|could|can|is|was|has|looks?)\b", rest)
    return bare if bare == text or verb_follows or not rest.strip(" .!?") else rest


def _was_asked_about(question: Question, picture: SeenPicture) -> bool:
    """Whether the asker has just talked about this picture."""
    mine = [place for place, turn in enumerate(question.turns) if turn.mine]
    answer = question.turns[mine[-1] + 1 : mine[-1] + 2] if mine else ()
    return any(turn.speaker is None and turn.picture == picture.id for turn in answer)


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
