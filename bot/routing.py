"""What a message wants, by a few plain rules: the one place to put something cleverer in.

A question is asked; an order to draw is drawn; thanks are taken; of anything else the person is asked back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

Intent = Literal["create", "ask", "chat", "unsure"]

_QUESTION = re.compile(
    r"\?\s*$|^(why|what|how|which|who|whose|when|where|is|are|was|were|does|did|do|has|have)\b"
    r"|^(explain|describe|tell me)\b",
    re.IGNORECASE,
)
_DRAW = re.compile(r"^(?:please\s+)?(?:draw|paint|sketch|imagine)(?:\s+(?:me|us))?\s+(?P<what>.+)$", re.I | re.S)
_CHAT = re.compile(
    r"^(thanks?( you| a lot| so much)?|thx|ty|ok(ay)?|hi|hello|hey|bye|good ?bye|wow|nice|cool)[\s!.]*$", re.I
)


@dataclass(frozen=True, kw_only=True)
class Route:
    """What a message wants. `prompt`: what to draw, for `create`."""

    intent: Intent
    prompt: str = ""


class Router(Protocol):
    """Whoever decides what messages want."""

    async def route(self, text: str, *, about_picture: bool) -> Route:
        """What this message wants; `about_picture`: it replies to one."""
        ...


class PlainRules:
    """The rules above."""

    async def route(self, text: str, *, about_picture: bool) -> Route:
        """What this message wants."""
        text = text.strip()
        if _CHAT.match(text):
            return Route(intent="chat")
        if drawn := _DRAW.match(text):
            return Route(intent="create", prompt=drawn["what"].strip())
        if _QUESTION.search(text):
            return Route(intent="ask")
        return Route(intent="unsure")
