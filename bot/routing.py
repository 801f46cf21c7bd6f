"""What a message wants: read by the reader process, and by a few plain rules while that is down.

By the plain rules a question is asked; an order to draw is drawn; thanks are taken; of anything else the person is
asked back. They know of no changes to pictures.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Literal, Protocol

from explainer import messages
from explainer.errors import ReaderError
from explainer.messages import Changed, Interpreted
from store.visibility import Viewer

log = logging.getLogger(__name__)

Intent = Literal["create", "revise", "ask", "chat", "unsure"]
Wanted = messages.Intent
Between = tuple[Wanted, Wanted]

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
class Message:
    """What somebody has said, as far as its meaning depends on it."""

    text: str
    asker: str  # name
    viewer: Viewer
    about: int | None = None  # the picture that it replies to
    gone: bool = False  # the picture that it replies to is not there


@dataclass(frozen=True, kw_only=True)
class Route:
    """What a message wants."""

    intent: Intent
    prompt: str = ""  # what to draw, should a picture be wanted; empty: it does not say what
    between: Between = ("create", "ask")  # what to ask back about, where it is unsure
    picture: int | None = None  # the picture that is to be changed
    named: bool = False  # what was said tells that it is this one; else it is only meant by default
    changed: Changed | None = None  # how, should a change be wanted
    nothing_there: bool = False  # it would change a picture, and there is none


class Router(Protocol):
    """Whoever decides what messages want."""

    async def route(self, message: Message, wanted: Wanted | None = None) -> Route:
        """What this message wants; `wanted`: as its author has said."""
        ...


class Understanding(Protocol):
    """Whoever reads messages; `explainer.desk.Desk` outside of tests."""

    async def interpret(
        self,
        asker: str,
        text: str,
        viewer: Viewer,
        about: int | None = None,
        wanted: Wanted | None = None,
        *,
        gone: bool = False,
    ) -> Interpreted:
        """What the message wants."""
        ...


class ReadingRouter:
    """The reader process decides; while it is down, the plain rules."""

    def __init__(self, reader: Understanding) -> None:
        self._reader = reader
        self._plain = PlainRules()

    async def route(self, message: Message, wanted: Wanted | None = None) -> Route:
        """What this message wants."""
        try:
            read = await self._reader.interpret(
                message.asker, message.text, message.viewer, message.about, wanted, gone=message.gone
            )
        except ReaderError as error:
            log.warning("A message is read by the plain rules: %s", error)
            return await self._plain.route(message, wanted)
        return _route(read)


class PlainRules:
    """The rules above."""

    async def route(self, message: Message, wanted: Wanted | None = None) -> Route:
        """What this message wants."""
        text = message.text.strip()
        drawn = _DRAW.match(text)
        prompt = drawn["what"].strip() if drawn else text
        if wanted is not None:
            return Route(intent=wanted, prompt=prompt)
        if _CHAT.match(text):
            return Route(intent="chat")
        if drawn:
            return Route(intent="create", prompt=prompt)
        return Route(intent="ask" if _QUESTION.search(text) else "unsure", prompt=prompt)


def _route(read: Interpreted) -> Route:
    """A close call between two that both can be done is asked back; else what can be done is done."""
    possible = [intent for intent in (read.intent, read.second) if _can_be_done(intent, read)]
    unsure = not read.sure and len(possible) == 2 and possible != ["ask", "chat"] and possible != ["chat", "ask"]
    return Route(
        intent="unsure" if unsure else read.intent if read.sure or not possible else possible[0],
        between=(read.intent, read.second),
        prompt=read.prompt,
        picture=read.picture,
        named=read.named,
        changed=read.changed,
        nothing_there=read.nothing_there,
    )


def _can_be_done(intent: Wanted, read: Interpreted) -> bool:
    match intent:
        case "create":
            return bool(read.prompt)
        case "revise":
            return read.changed is not None
    return True
