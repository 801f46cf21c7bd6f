"""Notices what a question takes for granted about a run, and compares it with the record.

Two kinds: a value that is named ("why 50 steps?", "Midjourney made this, right?") and words that are said to have been
asked for ("you forgot the dog"). The record decides; what the question orders the answer to say changes nothing.
"""

from __future__ import annotations

import re
from typing import Final

from explainer.evidence import Fact, fact, said_words, shown
from explainer.language import STOP, numbers, plain, stem, words
from explainer.messages import SeenPicture

YES_NO: Final = re.compile(
    r"^(?:so\s+)?(?:did|was|were|is|are|has|have|had|does|do|can|could|will|would|am)\b|\b(?:right|yes|correct"
    r"|true|agreed|isn't it|didn't you"
    r"|wasn't it|don't you|confirm)\b[\s?!.,]*(?:please)?[\s?!.]*$",
    re.IGNORECASE,
)
CLAUSE: Final = re.compile(r"[,;:.?!](?:\s|$)|\bso\b|\bbut\b")
SUPPOSED: Final = re.compile(  # what might be, or holds in general: nothing is claimed of the run
    r"\b(?:if|would|could|should|instead|try|more|fewer|less|another|next time|let's|rather|suppose|imagine|will|enough|mean"
    r"|means|better|worse|difference|usually|models?|make it|do it|redo|give me|can you|want)\b"
)
OF_THE_RUN: Final = re.compile(
    r"\b(?:did|was|were|used?|ran|run|took|take|made|had|has|since|because|given|with|chose|choose|picked|set|gave|painted"
    r"|drew|rendered|needed?)\b"
)
CLAIMS: Final = {
    "steps": re.compile(
        r"(?<![\w.])(\d{1,4})\s*(?:denoising |diffusion |sampling )?(?:steps|iterations|passes|rounds)\b"
        r"|\bsteps\s+(?:were|was|=|of)\s+(\d{1,4})\b"
    ),
    "seed": re.compile(r"\bseed\s*(?:number|no\.?|was|is|of|=|:|to|being)*\s*(\d{1,10})\b"),
    "guidance": re.compile(
        r"\b(?:guidance|cfg)(?: scale)?(?: cfg)?\s*(?:was|is|of|at|=|:|to|set to|being)*\s*(\d{1,3}(?:\.\d+)?)\b"
    ),
    "size": re.compile(r"\b(\d{2,5})\s*(?:x|by)\s*(\d{2,5})\b"),
}
SHARES: Final = (  # of the way through a run, as people say it; the longer phrases first
    (r"three quarters?|75 ?(?:%|percent)|3/4", 0.75),
    (r"two thirds?|2/3", 2 / 3),
    (r"(?:a|one|the first) quarters?|25 ?(?:%|percent)|1/4", 0.25),
    (r"(?:a|one|the first) thirds?|1/3", 1 / 3),
    (r"(?:at|near|towards) the (?:very )?end|at last", 1.0),
)
LABELS: Final = {"steps": "steps", "seed": "for the seed", "guidance": "for the guidance", "size": "pixels"}
GRAPHICS_CARD: Final = re.compile(r"\bon (?:a |the |your |an |my )?(?:gpu|graphics card|nvidia|rtx|cuda)\b")
POINTERS: Final = re.compile(
    r"(?:\b(?:picture|image|pic|number|step|frame|no\.?|in|after|at step)\s*#?\s*|#)\d+\b", re.IGNORECASE
)
ASKED: Final = re.compile(
    r"\b(?:ask(?:ed)?(?:\s+you)?\s+for|type[d]?|wrote|write|said|say|mention(?:ed)?|wanted|the\s+words?"
    r"|forgot(?:\s+about)?|missed|include[d]?)\s+"
    r"(?:that\s+)?(?:(?:i\s+)?asked\s+for\s+|i\s+wanted\s+)?(?:(?:anything|something|a word)\s+)?(?:about\s+|of\s+)?"
    r"(?:an?|the|some|any|my|word)?\s*[\"']?([a-z]{2,})",
)
WORD_IN: Final = re.compile(
    r"[\"']?([a-z]{2,})[\"']?\s+(?:was\s+)?(?:in|into|part of)\s+(?:the|my|its|that)\s+(?:negative\s+)?prompt"
)
THERE_IN: Final = re.compile(
    r"\b(?:was|is|were|are) there (?:an?|any|some|the)?\s*([a-z]{2,}) in (?:what i|my|the|that) "
    r"(?:asked|prompt|typed|wrote|said|words|sentence|wording)"
)
PUT: Final = re.compile(
    r"\b(?:put|add(?:ed)?|use[d]?|with|had|have)\s+(?:the\s+word\s+)?[\"']?([a-z]{3,})[\"']?\s+(?:in|into|to|as)\b"
)
NO_WORD: Final = frozenset(
    [
        "it",
        "that",
        "this",
        "there",
        "anything",
        "something",
        "nothing",
        "negative",
        "prompt",
        "word",
        "words",
        "in",
        "into",
        "was",
        "were",
        "you",
        "me",
        "exactly",
        "picture",
        "one",
        "what",
        "wording",
        "text",
        "stuff",
        "things",
        "much",
        "many",
        "more",
        "did",
        "do",
        "mention",
        "first",
        "second",
        "last",
    ]
)


def lead(fact: Fact, picture: SeenPicture, text: str) -> str:
    """What is to be said first: that the question is right, or kindly what is not so; empty where it takes nothing for granted."""
    low = plain(text).lower()
    if fact.key == "prompt":
        return _of_words(low, said_words(picture), "the prompt")
    if fact.key == "negative":
        return _of_negative(low, picture)
    if fact.numbers:
        return _of_numbers(fact, low)
    if fact.names:
        return _of_names(fact, low)
    return ""


def corrections(picture: SeenPicture, text: str, besides: str | None) -> list[tuple[Fact, str]]:
    """What a question takes for granted about the run and the record denies, whatever else it asks.

    Each is the card of a field and a sentence that says how it was. `besides` is the field that is answered anyway.
    """
    found: list[tuple[Fact, str]] = []
    for clause in CLAUSE.split(plain(text).lower()):
        if SUPPOSED.search(clause) or not OF_THE_RUN.search(clause):
            continue
        for key, pattern in CLAIMS.items():
            match = pattern.search(clause)
            if match is None or key == besides:
                continue
            card = fact(key, picture)
            said = [float(group) for group in match.groups() if group]
            if said and all(abs(value - held) > 1e-6 for value in said for held in card.numbers):
                named = " x ".join(f"{value:g}" for value in said)
                found.append((card, f"It was {card.short} {LABELS[key]}, not {named}."))
        graphics = GRAPHICS_CARD.search(clause)
        if graphics is not None and besides != "device" and picture.run.device.startswith("cpu"):
            found.append((fact("device", picture), "It ran on the processor, without a graphics card."))
    return list({card.key: (card, sentence) for card, sentence in found}.values())


def named_step(text: str, steps: int) -> int | None:
    """The step of a run of `steps` that a question names: "at step 5", "three quarters through", "at the end"."""
    low = plain(text).lower()
    if match := re.search(r"\bsteps?\s+(?:number\s+)?#?(\d{1,4})\b", low):
        return int(match.group(1))
    share = next((share for phrase, share in SHARES if re.search(rf"\b{phrase}\b", low)), None)
    return None if share is None else max(1, round(share * steps))


def _of_numbers(fact: Fact, low: str) -> str:
    named = [float(number) for number in numbers(POINTERS.sub(" ", low))]
    if not named:
        return ""
    slack = 0.5 if fact.key == "seconds" else 1e-6
    wrong = [number for number in named if all(abs(number - held) > slack for held in fact.numbers)]
    if not wrong:
        return "Yes: " if YES_NO.search(low) else ""
    said = " and ".join(f"{number:g}" for number in dict.fromkeys(wrong))
    return f"My record says otherwise, not {said}: "


def _of_names(fact: Fact, low: str) -> str:
    own = [name for name in fact.names if name in low]
    others = [name for name in fact.rivals if re.search(rf"\b{re.escape(name)}", low) and name not in fact.names]
    others = [name for name in others if not any(name in held or held in name for held in fact.names)]
    if own:
        return "Yes: " if YES_NO.search(low) and not others else ""
    if others and (YES_NO.search(low) or re.search(r"\bwhy\b|\bsays?\b", low)):
        return f"No, not {others[0]} as far as my record goes: "
    return ""


def _of_words(low: str, said: set[str], where: str) -> str:
    stems = {stem(word) for word in said}
    for pattern in (THERE_IN, WORD_IN, ASKED):
        for match in pattern.finditer(low):
            word = match.group(1)
            if word in NO_WORD or word in STOP:
                continue
            if stem(word) in stems:
                return f"Yes, “{shown(word)}” is in {where}. "
            return f"No, “{shown(word)}” is not in {where}. "
    return ""


def _of_negative(low: str, picture: SeenPicture) -> str:
    negative = picture.run.request.negative_prompt
    for pattern in (PUT, WORD_IN):
        match = pattern.search(low)
        if match and match.group(1) not in NO_WORD and match.group(1) not in STOP:
            return _of_words(f"the word {match.group(1)}", set(words(negative)), "the negative prompt")
    if (
        YES_NO.search(low)
        and re.search(r"\b(?:have|has|had|use|used|any|anything|was|there|put)\b", low)
        and "do anything" not in low
    ):
        return "Yes. " if negative else "No. "
    return ""
