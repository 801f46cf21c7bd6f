"""How a change is told: what went out of the prompt and what came in, and by which method the picture goes on.

Only words; a front end says how they are set off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher

from bot import wording
from generation.request import GenerationRequest

Mark = Callable[[str], str]
_WORDS = re.compile(r"[\w'-]+|[^\w\s]")
_SHOWN = 700  # characters of a prompt whose change is told


REWORDED = "the prompt was worded by a language model and checked"


def method_words(method: str, request: GenerationRequest) -> str:
    """How a picture goes on from its parent, in a few words."""
    match method:
        case "again":
            return "same words, new seed"
        case "image":
            return f"begun from the picture, {request.strength or 1:.0%} of it redone"
        case "mask":
            return "one part redone, the rest kept"
        case "words":
            return "new words, new seed"
    return "same seed, new words"


def discord_change(before: str, after: str) -> str:
    """The prompt as Discord shows it, with what went struck out and what came in bold."""
    return marked(before, after, lambda gone: f"~~{gone}~~", lambda new: f"**{new}**", wording.escaped)


def plain_change(before: str, after: str) -> str:
    """The prompt for a terminal: what went in brackets, what came between stars."""
    return marked(before, after, lambda gone: f"[{gone}]", lambda new: f"*{new}*", str)


def marked(before: str, after: str, gone: Mark, new: Mark, kept: Mark) -> str:
    """The prompt after a change with the change marked word by word; `kept` is applied to every run of words."""
    old_words, new_words = _WORDS.findall(before[:_SHOWN]), _WORDS.findall(after[:_SHOWN])
    parts = list[str]()
    matcher = SequenceMatcher(None, [word.lower() for word in old_words], [word.lower() for word in new_words], False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            parts.append(kept(_joined(new_words[c:d])))
            continue
        if a < b:
            parts.append(gone(kept(_joined(old_words[a:b]))))
        if c < d:
            parts.append(new(kept(_joined(new_words[c:d]))))
    text = " ".join(part for part in parts if part)
    return re.sub(r" (?=[,.;:!?])", "", text)


def _joined(words: list[str]) -> str:
    return re.sub(r" (?=[,.;:!?])", "", " ".join(words))


_AROUND = re.compile(r"(?:at|in|during|as|like|under|by|near|from|inside)\b|,", re.IGNORECASE)
_NAMELESS = re.compile(
    r"[\W\d_]+|a|an|the|and|or|of|with|wearing|on|in|at|to|riding|holding|next|some|two|three|its|his|her"
)


def touched_words(before: str, after: str) -> tuple[str, ...]:
    """The words of the prompt before a change, in small letters, that stand where the change is made.

    Empty where it has no place of its own, like another time of day or style.
    """
    old, new = ([word.lower() for word in _WORDS.findall(text)] for text in (before, after))
    touched = list[str]()
    for kind, a, b, c, d in SequenceMatcher(None, old, new, False).get_opcodes():
        if kind == "equal":
            continue
        gone = [word for word in old[a:b] if not _NAMELESS.fullmatch(word)]
        if not gone and a == len(old) and _AROUND.match(" ".join(new[c:d])):
            continue  # surroundings, which are everywhere
        touched += gone
        touched += _beside(old, a, b)
    return tuple(dict.fromkeys(touched))


def _beside(words: list[str], a: int, b: int) -> list[str]:
    """The thing that is described or dressed there: the next word of substance, else the one before."""
    after = [word for word in words[b : b + 2] if not _NAMELESS.fullmatch(word)]
    before = [word for word in reversed(words[:a]) if not _NAMELESS.fullmatch(word)]
    return after[:1] or before[:1]
