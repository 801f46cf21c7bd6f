"""Reads a question before anything is looked up: its parts, typing errors, what it leans on from before, how it is meant.

Gives `Reading`s; knows the conversation that came with the question, and neither passages nor runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from explainer.language import Spelling, content, expanded, parts, plain, stem, stripped, words
from explainer.messages import Question
from explainer.pointing import named_absent, names_of

LEANS: Final = re.compile(
    r"^(?:and|what about|how about|same for|also|or|but|why|why not|how come|how so|really|are you sure"
    r"|tell me more|more|go on|explain|and what|and how"
    r"|and why|what do you mean|in what way|since when|is it|is that|does it|does that|do you|would it|would"
    r"|can it|how does it|how does that|what does that"
    r"|what is that|what is it|did this|did it|which one|who|when|where|it|that|those)\b",
    re.IGNORECASE,
)
SURE: Final = re.compile(
    r"^(?:are you (?:really )?sure|really|sure|is that (?:true|right|certain)|honestly|seriously)\b", re.IGNORECASE
)
MORE: Final = re.compile(
    r"^(?:please )?(?:tell me more|more|go on|continue|explain more|say more|in more detail|more details?|elaborate)\b",
    re.IGNORECASE,
)
PRONOUN: Final = re.compile(r"\b(?:it|its|that|this|they|them|those|these|so|one|there)\b", re.IGNORECASE)
WHY: Final = re.compile(r"\b(?:why|how come|what for|reason)\b", re.IGNORECASE)
GENERAL: Final = re.compile(
    r"^(?:what (?:is|are|does|do|was|were)|how (?:does|do|is|are|can|did|could|come)|why (?:does|do|is|are|can"
    r"|can't|don't|isn't)|is it (?:true|possible|ok)"
    r"|explain|can (?:people|humans|models|someone|somebody|anyone|a|an|ai)|do (?:people|humans|models|we|all"
    r"|you)|does (?:a|the|an|ai)|are (?:you|people|all|there|humans)"
    r"|who|would|could|should|may|if|some|every|everybody)\b",
    re.IGNORECASE,
)
JUDGING: Final = re.compile(
    r"\b(?:is|was|are|were|isn'?t|wasn'?t|sounds?|seems?) (?:that|it|this|those|they)?\s*(?:really |quite |rather |very |considered )?"
    r"(?:a lot|many|much|normal|usual|typical|good|bad|slow|fast|quick|high|low|big|small|enough|few|little|ok(?:ay)?|standard"
    r"|too \w+)\b",
    re.IGNORECASE,
)
ABOUT_A_RUN: Final = re.compile(
    r"\b(?:this|that one|it|its|mine|these|those|here|this one|did you use|you used|you use|was it|was this"
    r"|did it|picture \d+|#\d+|my (?:picture|pic|image|prompt|last"
    r"|first|fox|cat|negative|photo|one|sentence|word|words|text))\b",
    re.IGNORECASE,
)
ELLIPSIS: Final = re.compile(
    r"^(?:(?:and|but|or|so|ok|what about|how about|same for|and what about|and how about|with|for)\s+)+((?:[\w'-]+\s*){1,3})\??$",
    re.IGNORECASE,
)
AWAY: Final = re.compile(r"\b(?:without|leave|left|leaving|drop|remove|take out|took out|taken out|the words?)\b", re.I)
MOST_SWAPS: Final = 4
MOST_BACK: Final = 3  # questions that one may lean on, one after the other
MASKED: Final = 0.92  # what a question counts that names a picture by what it shows, beside the one that does not
NAMING: Final = (
    0.94  # what any reading counts that speaks of things which the pictures show, beside the one that does not
)
SHORT: Final = 8  # words; a longer question says itself what it is about


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A question, made ready."""

    text: str  # mended, whole
    core: str  # without fillers and tags
    variants: dict[str, float]  # ways to look it up, with how much each counts
    muted: frozenset[str]  # stems that name what the pictures show, and say little of what is asked
    context: str  # the earlier question that it leans on; empty where it stands alone
    why: bool  # it asks for a reason
    general: bool  # it is put as a general question
    about_a_run: bool  # it points at a picture or its making
    more: bool  # it only asks for more of the last answer
    sure: bool  # it only doubts the last answer
    judging: bool  # it asks whether what was told is much, usual or good


def read(question: Question, spelling: Spelling) -> Reading:
    """Make a question ready to be looked up.

    What the pictures show is put aside for the look-up: "how did the fox get its seed" asks for a seed, not for foxes.
    """
    own_words = [
        word for picture in question.pictures for word in (*words(picture.run.request.prompt), *words(picture.owner))
    ]
    text = spelling.mend(expanded(question.text), own_words)
    core = stripped(text)
    context = _context(question, spelling) if _leans(text, question) else ""
    masked = _masked(core, question)
    variants = dict.fromkeys(parts(text), 0.97)
    variants[core] = 1.0
    if masked != core:
        told = 1.0 if AWAY.search(core) else MASKED
        variants = {variant: weight * told for variant, weight in variants.items()} | {
            masked: MASKED if told == 1.0 else 1.0
        }
    generic = _without_names(masked, question)
    if generic != masked:
        if not AWAY.search(core):
            variants = {variant: min(weight, NAMING) for variant, weight in variants.items()}
        variants[generic] = 1.0
    if context:
        context = _masked(context, question)
        swapped = _swapped(context, text) if not _pointers(question) & set(content(core)) else []
        variants |= dict.fromkeys(swapped, 1.0)
        variants[f"{context} {masked}"] = 0.80 if swapped else 0.95
        if not set(content(core)) - set(content(context)) - _pointers(question):
            variants[context] = 1.0  # "and the robot?" asks the same of another picture
    return Reading(
        text=text,
        core=core,
        variants=variants,
        muted=frozenset(name for picture in question.pictures for name in names_of(picture)),
        context=context,
        why=bool(WHY.search(core)),
        general=bool(GENERAL.search(core)),
        about_a_run=bool(ABOUT_A_RUN.search(text)),
        more=bool(MORE.search(plain(core))),
        sure=bool(SURE.search(plain(core))),
        judging=bool(JUDGING.search(core)),
    )


def _masked(text: str, question: Question) -> str:
    """The text with "the picture" where it names one by what it shows."""
    names = {name for picture in question.pictures for name in names_of(picture)}
    absent = named_absent(text.lower(), question.pictures) if question.pictures else None

    def put(match: re.Match[str]) -> str:
        named = [word for word in words(match.group(2)) if stem(word) in names or word == absent]
        rest = match.group(2)
        for word in named:
            rest = re.sub(rf"\b{re.escape(word)}(?:'s)?\s*", "", rest, flags=re.IGNORECASE)
        if not named:
            return match.group()
        return f"{match.group(1)} picture {rest}".rstrip() + (" " if match.group().endswith(" ") else "")

    return (
        re.sub(
            r"\b(the|this|that|my|your|its|exact|same|both|of)\s+((?:[\w'-]+\s*){1,3})", put, text, flags=re.IGNORECASE
        )
        if names
        else text
    )


def _without_names(text: str, question: Question) -> str:
    """The text with "thing" for what the pictures show: what is asked counts, not of which thing."""
    names = {name for picture in question.pictures for name in names_of(picture)}
    return re.sub(r"[\w'-]+", lambda word: "thing" if stem(word.group().lower()) in names else word.group(), text)


def _swapped(context: str, text: str) -> list[str]:
    """ "and text?" after "why are hands hard?": the earlier question with each of its things replaced by the new one."""
    match = ELLIPSIS.match(plain(text).strip(" ?!."))
    if match is None or not content(match.group(1)):
        return []
    telling = [word for word in words(context) if content(word)]
    return [re.sub(rf"\b{re.escape(word)}\b", match.group(1), context.lower()) for word in telling[:MOST_SWAPS]]


def leans(text: str) -> bool:
    """Whether a question may only be understood from the one before."""
    core = stripped(text)
    low = plain(text).lower().lstrip()
    if len(words(core)) > SHORT:
        return False
    return bool(
        LEANS.search(core)
        or low.startswith(("and ", "but ", "or "))
        or not content(core)
        or (PRONOUN.search(core) and len(content(core)) <= 2)
    )


def _leans(text: str, question: Question) -> bool:
    """Whether a question leans on the one before, be it that it only names another picture: "frogs?"."""
    return leans(text) or not set(content(stripped(text))) - _pointers(question)


def _context(question: Question, spelling: Spelling) -> str:
    """The asker's last question, with what that one leaned on."""
    found: list[str] = []
    for said in _own_questions(question):
        found.insert(0, stripped(spelling.mend(expanded(said))))
        if not _leans(said, question) or len(found) == MOST_BACK:
            break
    return " ".join(found)


def _own_questions(question: Question) -> Iterator[str]:
    prompts = {picture.run.request.prompt for picture in question.pictures}
    for turn in reversed(question.turns):
        if turn.mine and turn.said not in prompts:
            yield turn.said


def _pointers(question: Question) -> set[str]:
    """Stems that only point: words of prompts and names."""
    named = {
        stem
        for picture in question.pictures
        for text in (picture.run.request.prompt, picture.owner)
        for stem in content(text)
    }
    return named | set(
        content(
            "first second third fourth fifth last latest previous next picture image before other about between one bob"
        )
    )
