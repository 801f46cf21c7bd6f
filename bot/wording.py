"""Puts what people typed, and figures, into text that is safe and pleasant to read in a Discord message.

Nothing typed by a person becomes a mention, a link, a heading or a mark of Markdown, and nothing can
turn the direction of the text around it. Knows the limits of Discord's fields, but no message.
"""

from __future__ import annotations

import re

PROMPT_LIMIT = 1_000  # characters shown; escaped, two such texts still fit an embed's 4,096
SENTENCE_LIMIT = 900  # characters; escaped, it fits a message's 2,000
BAR_CELLS = 12

_MARKS = re.compile(r"([\\`*_~|<>\[\]])")
_LINE_START = re.compile(r"^([#\-+]|\d+(?=\.))")  # heading, list; the rest is covered by _MARKS
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")  # embeddings, overrides, isolates
_ISOLATE, _END_ISOLATE, _GAP = "\u2068", "\u2069", "\u200b"


def shown(text: str, limit: int = PROMPT_LIMIT) -> str:
    """What a person typed, at most `limit` characters of it, so that Discord shows it exactly as typed."""
    return f"{_ISOLATE}{escaped(_DIRECTION.sub('', shortened(text, limit)))}{_END_ISOLATE}"


def escaped(text: str) -> str:
    """The text without any power over a Discord message: no Markdown, no mention, no link."""
    text = _MARKS.sub(r"\\\1", text)
    text = _LINE_START.sub(r"\\\1", text)
    return text.replace("@", f"@{_GAP}").replace("://", f":{_GAP}//")


def shortened(text: str, limit: int) -> str:
    """The text, cut to `limit` characters with an ellipsis for the last where it is longer."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def duration(seconds: float) -> str:
    """A time that someone waits, as they would say it: "2 s", "3 min", "2 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def moment(at: float) -> str:
    """A time (seconds since 1970) that Discord counts down to by itself: "in 3 minutes"."""
    return f"<t:{round(at)}:R>"


def measured(seconds: float) -> str:
    """A time that was measured, in seconds with the digits that matter: "0.84 s", "4.2 s", "73 s"."""
    digits = 2 if seconds < 1 else 1 if seconds < 10 else 0
    return f"{seconds:.{digits}f} s"


def counted(number: int, thing: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def bar(done: int, total: int) -> str:
    """A progress bar of text; full only when all is done."""
    filled = BAR_CELLS * done // max(1, total)
    return "▰" * filled + "▱" * (BAR_CELLS - filled)
