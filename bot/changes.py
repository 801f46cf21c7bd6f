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
