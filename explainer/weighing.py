"""Weighs what the look-up found by how a question is put: what its form says for and against fields, passages and experiments.

The look-up (`explainer.retrieve`) compares meanings and is blind to form: "is the first one mine?" and "whose are pictures?"
lie close together. Each shift here stands for one such form. Answers nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from explainer import premises
from explainer.language import numbers, words
from explainer.pointing import Pointing
from explainer.reading import Reading
from explainer.retrieve import Domain, Hit

SAME_TOPIC: Final = 0.06  # for a question that leans on the one before
NAMED: Final = 0.07  # for a field that is called by its own words
TOLD: Final = 0.20  # for a field that the form of the question gives away
CLAIMED: Final = 0.12  # for fields where a value is put into the record's mouth
CURT: Final = 4  # words of a question that only names a field: "guidance?"
BRIEF: Final = 8  # words of a question that asks for one thing
DEFINING: Final = re.compile(
    r"^(?:what (?:is|are|does|do) (?:an? )?(?!the\b|my\b|its\b|this\b)|what's an? |why (?:do|does|are"
    r"|is) (?!the\b|my\b|this\b|it\b)|how (?:do|does) |can |do |does )",
    re.IGNORECASE,
)
OWN_ONE: Final = re.compile(
    r"\b(?:did|had|was|were) (?:the|my|that|this|it)\b|"
    r"\b(?:my|mine|our)\b.*\b(?:picture|image|one|drawing|prompt)\b|\b(?:this|that) (?:picture|image)\b",
    re.IGNORECASE,
)
FIELD_WORDS: Final = {
    key: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
    for key, pattern in {
        "steps": r"steps?|step count|iterations",
        "seed": r"seeds?",
        "guidance": r"guidance|cfg",
        "size": r"size|resolution|pixels|dimensions|\d{2,5} ?x ?\d{2,5}|aspect ratio|how (?:big|large|wide|high|tall)",
        "model": r"model|checkpoint|midjourney|dall-?e|sdxl|stable diffusion|chatgpt",
        "scheduler": r"scheduler|sampler|sampling method",
        "seconds": r"seconds|minutes|how long|how fast|how quick|long|while|took|render time",
        "negative": r"negative(?: prompt)?|excluded|left out",
        "prompt": r"prompt|wording|asked for|typed?",
        "words": r"tokens?|tokeni[sz]ed|tokeni[sz]er",
        "device": r"gpu|cpu|graphics card|processor|hardware|device",
        "format": r"dtype|float\d*|precision|fp16|bf16|number format",
        "versions": r"versions?",
        "final touches": r"upscaled?|sharpen(?:ed)?|retouch(?:ed)?|post-?process(?:ed|ing)?|touch(?:ed|es)?",
        "start": r"start(?:ed|ing)? (?:from|point|picture)|upload|init|strength|began|begin",
        "prediction": r"prediction(?: type)?|epsilon|v-prediction",
        "parent": r"method|parent|based on|version of|made from|goes? back to",
        "weights": r"weights|fingerprint of the (?:model|weights)",
    }.items()
}
DEFINITE: Final = re.compile(r"\b(?:the|its|this|that|his|her|their|my)\s", re.IGNORECASE)
COMPARING: Final = re.compile(
    r"\b(?:differ\w*|compare\w*|versus|vs|same|equal|between|both|than|changed?|which (?:of|one|had|took|used"
    r"|was|has))\b",
    re.IGNORECASE,
)
FIRST_SEEN: Final = re.compile(
    r"\b(?:when (?:did|could|was|were|does|do|is|can)|(?:at|in|from) (?:which|what) (?:step|point|frame))\b.*\b(?:shows?|showed|appear|emerge|visible|recogni[sz]\w+"
    r"|come|came|see|seen|become|became|turn|start|tell|clear|there)\b",
    re.IGNORECASE,
)
OWNED: Final = re.compile(
    r"^(?:and |so )?(?:is|are|was|were)\b.*\b(?:mine|yours|ours|theirs|his|hers|\w+'s)[ ?!.]*$", re.IGNORECASE
)
WHOSE: Final = re.compile(
    r"\bwhich\b.*\b(?:mine|yours|ours|theirs|his|hers|\w+'s)\b.*\bwhich\b|\bwhose is which\b", re.IGNORECASE
)
SIDE_BY_SIDE: Final = re.compile(
    r"\bdifferen\w+ between\b|\bcompare\b|\bversus\b|\bwhat (?:has |have |did you )?chang", re.IGNORECASE
)
MADE_FROM: Final = re.compile(
    r"\b(?:made|based|built|comes?|came|derived|going) (?:out of|from|on)\b|\bversion of\b", re.IGNORECASE
)
TRY: Final = re.compile(
    r"\b(?:show|try|do|make|paint|render|run|redo|see)\b.*\bwith (?:only |just |a )?(?:\d+ (?:denoising )?steps|guidance|cfg)\b",
    re.IGNORECASE,
)
SUPPOSING: Final = re.compile(
    r"^(?:and |so |but |ok )*(?:what if|what would (?:it|that|happen|be|\d+)|would (?:it|that|half)|suppose|if (?:it|you|i))\b",
    re.I,
)
Shifts = defaultdict[Domain, float]
GIVEN_AWAY: Final = (  # fields that the form of a question gives away, wherever the look-up puts them
    ("strip", FIRST_SEEN),
    ("owner", OWNED),
    ("parent", MADE_FROM),
    ("compare", SIDE_BY_SIDE),
)


def weighed(hits: Sequence[Hit], reading: Reading, pointing: Pointing) -> list[Hit]:
    """The hits, best first, with what the form of the question says for and against each."""
    named = fields_named(reading) if pointing.pictures else frozenset()
    curt = _is_curt(reading, named)
    shifts: Shifts = defaultdict(float)
    _by_pointing(shifts, reading, pointing)
    _by_form(shifts, reading, pointing, named, curt=curt)
    if reading.context:
        _by_context(shifts, reading, pointing)
    told = _given_away(reading, pointing)
    alone = len(pointing.pictures) < 2 and not COMPARING.search(reading.text)

    def moved(hit: Hit) -> Hit:
        score = hit.score + shifts[hit.domain]
        if hit.domain == "facts":
            score += TOLD * (hit.key in told) + (NAMED + 0.04 * curt) * (hit.key in named)
            score -= NAMED * (alone and hit.key == "compare")
        return replace(hit, score=score)

    return sorted(map(moved, hits), key=lambda hit: -hit.score)


def fields_named(reading: Reading) -> frozenset[str]:
    """The fields of a record that a question calls by their own words; none where it asks what such a field is."""
    if DEFINING.search(reading.core):
        return frozenset()
    return frozenset(key for key, pattern in FIELD_WORDS.items() if pattern.search(reading.text))


def kept_to(topic: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits, with passages of the topic that was talked of raised."""
    raised = [replace(hit, score=hit.score + SAME_TOPIC) if hit.key.startswith(f"{topic}/") else hit for hit in hits]
    return sorted(raised, key=lambda hit: -hit.score)


def _is_curt(reading: Reading, named: frozenset[str]) -> bool:
    """Whether a question asks for little but the field that it names: "guidance?", "what was the seed of the fox"."""
    long = len(words(reading.core))
    return bool(named) and (long <= CURT or (bool(DEFINITE.search(reading.core)) and long <= BRIEF))


def _given_away(reading: Reading, pointing: Pointing) -> set[str]:
    if not pointing.pictures:
        return set()
    return {
        key
        for key, pattern in GIVEN_AWAY
        if (pointing.explicit or key == "strip" or (pointing.called and key == "owner"))
        and pattern.search(reading.core)
    }


def _by_pointing(shifts: Shifts, reading: Reading, pointing: Pointing) -> None:
    """By what is pointed at."""
    if not pointing.pictures:
        shifts["facts"] += 0.10 if OWN_ONE.search(reading.text) else -0.03
        shifts["acts"] -= 0.10
        return
    if pointing.explicit or pointing.called:
        shifts["facts"] += 0.05
        shifts["acts"] += 0.02
    if reading.about_a_run:
        shifts["facts"] += 0.03
        shifts["missing"] += 0.02
    if len(pointing.pictures) >= 2 and COMPARING.search(reading.text):
        shifts["facts"] += 0.12


def _by_form(shifts: Shifts, reading: Reading, pointing: Pointing, named: frozenset[str], *, curt: bool) -> None:
    """By how the question is put."""
    if pointing.pictures and TRY.search(reading.core):
        shifts["acts"] += 0.20
    elif named and numbers(reading.text) and premises.YES_NO.search(reading.text):
        shifts["facts"] += CLAIMED
    if reading.general and not pointing.explicit and not reading.about_a_run and not curt:
        shifts["passage"] += 0.04
    if reading.why and not pointing.explicit and not pointing.called:
        shifts["passage"] += 0.03


def _by_context(shifts: Shifts, reading: Reading, pointing: Pointing) -> None:
    """By how it leans on the question before."""
    of_a_run = bool(pointing.pictures) and (pointing.explicit or reading.about_a_run)
    if pointing.pictures and SUPPOSING.search(reading.core):
        shifts["acts"] += 0.14  # of the field that was asked for before
        shifts["facts"] -= 0.10
    if pointing.pictures and reading.sure:
        shifts["facts"] += 0.10
    elif reading.why or reading.judging:
        shifts["passage"] += 0.08  # the fact has been told already
    if of_a_run and not reading.why and not reading.judging:
        shifts["facts"] += 0.10
