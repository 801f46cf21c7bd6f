"""Changes of one message that cannot both be made: two colours of one thing, day and night, a thing added and left out.

Looks at what was noted of the changes only; which of them stands is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final

from explainer.revise.draft import Change
from explainer.revise.words import COLOUR, NUMBER, OPPOSITES, TIMES

_TIME: Final = re.compile(rf"\b(?:at|in|during) (?:the )?(?P<time>{TIMES})\b", re.IGNORECASE)
_COLOURED: Final = re.compile(rf"(?P<value>{COLOUR}) (?P<thing>.+)", re.IGNORECASE)
_COUNTED: Final = re.compile(rf"(?P<value>an?|{NUMBER}) (?P<thing>.+)", re.IGNORECASE)
_DESCRIBED: Final = re.compile(r"(?P<value>[\w-]+) (?P<thing>[\w-]+)")


def conflict(changes: Sequence[Change], unwanted: Sequence[str], lemma: Callable[[str], str]) -> tuple[str, str] | None:
    """What two of the changes say that cannot both be; None: they go together.

    Args:
        changes: in the order in which they were said.
        unwanted: what they have put into the negative prompt.
        lemma: the dictionary form of a thing's name.
    """
    for one, other in combinations(changes, 2):
        if (found := _against(one, other, lemma)) is not None:
            return found
    removed = {lemma(thing) for thing in unwanted}
    for change in changes:
        if change.kind in ("add", "replace") and lemma(change.what) in removed:
            return (change.what, f"no {change.what.split()[-1]}")
    return None


def _against(one: Change, other: Change, lemma: Callable[[str], str]) -> tuple[str, str] | None:
    if one.kind != other.kind:
        return None
    match one.kind:
        case "recolour":
            return _differing(_COLOURED, one.what, other.what, lemma)
        case "count":
            return _differing(_COUNTED, one.what, other.what, lemma)
        case "background" | "shape":
            return (one.what, other.what) if one.what != other.what else None
        case "surroundings":
            first, second = _TIME.search(one.what), _TIME.search(other.what)
            differ = first and second and first["time"].lower() != second["time"].lower()
            return (one.what, other.what) if differ else None
        case "degree":
            found = _differing(_DESCRIBED, one.what, other.what, lemma)
            return found if found and any(set(found) <= group for group in OPPOSITES) else None
    return None


def _differing(pattern: re.Pattern[str], one: str, other: str, lemma: Callable[[str], str]) -> tuple[str, str] | None:
    """The two values that are given to one thing."""
    first, second = pattern.fullmatch(one), pattern.fullmatch(other)
    if not first or not second or lemma(first["thing"]) != lemma(second["thing"]):
        return None
    a, b = first["value"].lower(), second["value"].lower()
    return (a, b) if a != b else None
