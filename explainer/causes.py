"""Reads a question for why something is in a picture or not: "why three cats?", "why is it red?", "you forgot the moon".

Nobody records reasons, and yet much can be said: whether the prompt asked for the thing, and if it did not, that the
starting noise and what was usual in training settled it. Looks at the words of question and prompt only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from explainer.evidence import said_words
from explainer.language import SMALL_NUMBERS, STOP, plain, stem, words
from explainer.messages import SeenPicture
from explainer.pointing import FIELDS

WHY: Final = re.compile(
    r"^(?:(?:and|so|but|then|well)\s+)*(?:why|how come|what is with|what's with|for what reason|what made you)\b(.*)",
    re.IGNORECASE,
)
LACKING: Final = re.compile(
    r"\b(?:you|it|he|she|they)\s+(?:just |clearly |totally |completely )?(?:forgot(?: about)?|left out|missed|ignored"
    r"|skipped)\s+((?:[a-z'-]+\s*){1,4})|"
    r"\b(?:there is|there's|there are|i see|i can see)\s+no\s+((?:[a-z'-]+\s*){1,3})|"
    r"\b(?:i do not|i don't|i can't|i cannot) see (?:any |a |an |the )((?:[a-z'-]+\s*){1,3})|"
    r"\bwhat happened to (?:the|my|his|her|its)\s+((?:[a-z'-]+\s*){1,2}?)(?=$| (?:i|that|which)\b)|"
    r"^where (?:is|are|did) (?:the|my|his|her|its)\s+((?:[a-z'-]+\s*){1,3}?)(?:go|gone)?$|"
    r"\b(?:the|my|his|her|its)\s+((?:[a-z'-]+\s*){1,2})(?:is|are) (?:missing|gone|not there|nowhere)",
    re.IGNORECASE,
)
NOT_ASKED: Final = re.compile(
    r"\bi (?:never|didn't|did not) (?:ask(?:ed)?(?: you)?(?: for)?|typed?|wrote|write|said?|say|want(?:ed)?|mention(?:ed)?)"
    r"\s+(?:anything about |for )?((?:[a-z'-]+\s*){1,3})",
    re.IGNORECASE,
)
CLAIMED: Final = re.compile(
    r"\bi (?:asked|wanted|said|typed|wrote|ordered)(?: you)?(?: for)? (?:an? |the |some )?((?:[a-z'-]+\s*){1,3})",
    re.IGNORECASE,
)
NEGATED: Final = re.compile(
    r"\b(?:no|not|isn't|aren't|wasn't|weren't|doesn't|didn't|hasn't|without|missing|lacks?|gone|forgot|forget|left out"
    r"|nowhere|absent|invisible)\b",
    re.IGNORECASE,
)
# of pictures or programs in general, or of the run rather than of what the picture shows
NOT_OF_CONTENTS: Final = re.compile(
    r"\b(?:models?|ais?|machines?|people|humans?|artists?|always|usually|often|never|generators?|computers?|diffusion"
    r"|noise|noisy|latents?|attention|training|trained|learn(?:ed|t|ing)?|emojis?|copy|copied|steal|stole|slow|slowly|fast"
    r"|quick|quickly|long|look like|blurr?y|soft|sharp|pixelated|low|same|another time|twice|different|each time|every"
    r"|seconds?|frames?|strip|map|begin|start|stop|stopped|queue|wait|cost|nobody|anybody|you think|you feel|you know)\b",
    re.IGNORECASE,
)
PLACES: Final = frozenset({"left", "right", "middle", "background"})  # fields of a record elsewhere
DEFINITE: Final = re.compile(r"\b(?:the|my|this|that|its|his|her)\s+([a-z'-]+)")
FILLING: Final = frozenset(
    words(
        """look looks looking looked put puts draw drew draws drawn paint painted paints make made makes making add added adds
    give gave given gives get got gets getting show shows showing shown appear appears appeared choose chose chosen pick
    picked decide decided see seen sees want wanted like although though asked ask typed type wrote said mention mentioned
    need happen happened come came comes go goes went turn turned end ended way thing things there's kind sort bit lot much
    many so only even still suddenly wearing riding standing sitting because reason prefer liked likes use used did
    forgot forget missed instead when have has having let keep kept place placed"""
    )
)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What is asked of a picture's contents."""

    asked: tuple[str, ...]  # words of the question that the prompt holds
    unasked: tuple[str, ...]  # and those that it does not
    lacking: bool  # the thing is said to be missing
    number: str | None = None  # how many are wondered at
    disowned: bool = False  # it is said that nobody asked for it


def read_cause(text: str, picture: SeenPicture) -> Cause | None:
    """What a question asks of the picture's contents; None where it asks for something else.

    Args:
        text: the question without fillers.
    """
    low = plain(text).lower().strip(" ?!.")
    clauses = [low, *re.split(r"\s*[,;]\s*", low)]
    if claim := NOT_ASKED.search(low):
        return _cause(claim.group(1), picture, lacking=False, disowned=True)
    if lack := next(filter(None, map(LACKING.search, clauses)), None):
        return _cause(next(group for group in lack.groups() if group), picture, lacking=True)
    why = next(filter(None, map(WHY.search, clauses)), None)
    if why is None or NOT_OF_CONTENTS.search(why.group(1)):
        return None
    clause = re.split(r",|\b(?:although|though|when i|if i|even though|but i)\b", why.group(1))[0]
    claim = CLAIMED.search(low)
    return _cause(
        clause, picture, lacking=bool(NEGATED.search(clause)), claimed="" if claim is None else claim.group(1)
    )


def _cause(
    clause: str, picture: SeenPicture, *, lacking: bool, disowned: bool = False, claimed: str = ""
) -> Cause | None:
    prompt = {stem(word) for word in said_words(picture) if word not in STOP}
    number = next((word for word in words(clause) if SMALL_NUMBERS.get(word, 0) >= 2 or word.isdecimal()), None)
    told = [word for word in words(clause) if _tells(word) and word != number]
    subject = {match.group(1) for match in DEFINITE.finditer(clause) if stem(match.group(1)) in prompt}
    if set(told) - subject:  # "why is the fox red": it is the red that is wondered at
        told = [word for word in told if word not in subject]
    asked = tuple(word for word in told if stem(word) in prompt)
    told += [word for word in words(claimed) if _tells(word) and stem(word) not in prompt and word not in told]
    unasked = tuple(word for word in told if stem(word) not in prompt and not NEGATED.fullmatch(word))
    if not asked and not unasked:
        return None
    if number is not None and number in said_words(picture):
        asked, number = (number, *asked), None
    return Cause(asked=asked, unasked=unasked, lacking=lacking, number=number, disowned=disowned)


def _tells(word: str) -> bool:
    """Whether a word may name something that a picture shows."""
    return word not in STOP and word not in FIELDS - PLACES and word not in FILLING and len(word) > 2
