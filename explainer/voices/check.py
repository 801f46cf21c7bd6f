"""Holds sentences against the evidence: every number and every quoted word must stand in it.

Used on whatever a language model says, and by the examination on our own words. It catches invented figures, invented
quotations, invented names and turned answers; it does not understand, so a wrong sentence of right words may pass.
"""

from __future__ import annotations

import re
from typing import Final

from explainer.language import content, numbers, plain, sentences, stem, words
from explainer.messages import Answer

QUOTED: Final = re.compile(r"[“\"‘`]([^”\"’`\n]{1,400})[”\"’`]")
LINK: Final = re.compile(r"https?://|www\.|<@|@everyone|@here|\[[^\]]*\]\(", re.IGNORECASE)
NAME: Final = re.compile(r"(?<![.!?:“\"'(\n] )(?<!^)\b([A-Z][a-z]{2,})\b")
LEADS: Final = re.compile(r"^\W*(yes|no)\b", re.IGNORECASE)
COVERED: Final = 0.6  # share of a sentence's content words that must be in the evidence


def ungrounded(text: str, ground: str) -> list[str]:
    """Numbers and quotations in `text` that do not stand in `ground`."""
    known = set(numbers(ground))
    found = [number for number in numbers(text) if number not in known]
    low = plain(ground).lower()
    found += [quote for quote in QUOTED.findall(text) if plain(quote).lower().rstrip(".,!?…") not in low]
    return found


def ground_of(answer: Answer) -> str:
    """All that an answer stands on, as one text: its evidence, and the titles of what it names."""
    quotes = [f"{item.ref} {item.quote}" for item in answer.evidence]
    return "\n".join((*quotes, *(source.title for source in answer.sources)))


def faults(said: str, answer: Answer) -> list[str]:
    """What is wrong with a language model's wording of an answer; empty where it may be shown.

    `answer` holds the record's words and its evidence.
    """
    ground = f"{ground_of(answer)}\n{answer.text}"
    found = [f"not in the evidence: {part}" for part in ungrounded(said, ground)]
    if LINK.search(said):
        found.append("a link or a mention")
    if not said.strip() or len(said) > max(400, 2 * len(answer.text)):
        found.append("empty or far too long")
    found += _turned(said, answer)
    stems, names = set(content(ground)), set(words(ground))
    for sentence in sentences(said):
        own = content(sentence)
        if own and sum(word in stems for word in own) / len(own) < COVERED:
            found.append(f"a sentence of other things: {sentence[:60]}")
        found += [
            f"a name that is not in the evidence: {name}"
            for name in NAME.findall(sentence)
            if name.lower() not in names and stem(name.lower()) not in stems
        ]
    return found


def _turned(said: str, answer: Answer) -> list[str]:
    """A yes for a no, a record that is claimed where there is none, a value that was left out."""
    found = []
    ours, theirs = LEADS.match(answer.text), LEADS.match(said)
    if ours and (theirs is None or theirs.group(1).lower() != ours.group(1).lower()):
        found.append("a yes or no was lost or turned")
    if answer.route == "no record" and not re.search(
        r"no record|not recorded|don't know|do not know", plain(said), re.IGNORECASE
    ):
        found.append("does not say that there is no record")
    if answer.route in ("run", "both"):
        first = sentences(answer.text)[0]
        missing = set(numbers(first)) - set(numbers(said))
        found += [f"leaves out {number}" for number in sorted(missing)]
    return found
