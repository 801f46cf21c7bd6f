"""Someone said something: it is remembered, understood, and answered.

Every front end calls this with plain values and gets back what to say; it knows no Discord and no terminal.
What a message wants is `bot.routing`'s to decide, what an answer says the explainer's, what is kept
`bot.memory`'s.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from bot.conversation import Conversation
from bot.errors import NotAllowed, NotThere
from bot.memory import Memory, evidence_rows
from bot.routing import Intent, PlainRules, Route, Router
from explainer.messages import Answer
from generation.queue import Owner
from generation.request import GenerationRequest
from store.conversations import EvidenceRow
from store.visibility import Viewer

UNSURE = "Shall I make a picture of that, or is it a question?"
MADE_HOW = "How was this made?"
CHAT = (
    "You're welcome. A question, or something to draw?",
    "Glad to be of use. Ask me anything about it.",
    "Any time.",
)
TOO_LONG = 2_000  # characters of a message that are kept


class Asker(Protocol):
    """Whoever answers questions; `explainer.desk.Desk` outside of tests."""

    async def ask(self, asker: str, text: str, viewer: Viewer, about: int | None = None) -> Answer:
        """The answer."""
        ...


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """What somebody said, and where."""

    person: Owner
    viewer: Viewer
    text: str
    about: int | None = None  # the picture that it replies to
    message: str | None = None
    private: bool = False  # nobody else sees what was said and what will be answered


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What to answer. `answering` is the turn that carries it, whose message the front end notes."""

    intent: Intent
    text: str
    turn: int
    answering: int | None = None
    answer: Answer | None = None
    request: GenerationRequest | None = None  # what to paint, for `create`


class Talk:
    """All conversations."""

    def __init__(
        self, conversation: Conversation, memory: Memory, asker: Asker, *, router: Router | None = None
    ) -> None:
        self._conversation = conversation
        self._memory = memory
        self._asker = asker
        self._router = router or PlainRules()

    async def hear(self, utterance: Utterance) -> Reply:
        """Remember what was said, and answer it.

        Raises:
            RequestError: a picture cannot be made as asked.
            ReaderError: there is no answer, for a fault of ours.
        """
        turn = await self._remember(utterance)
        route = await self._router.route(utterance.text, about_picture=utterance.about is not None)
        return await self._follow(utterance, turn, route)

    async def ask(self, utterance: Utterance) -> Reply:
        """The same for what is known to be a question."""
        return await self._follow(utterance, await self._remember(utterance), Route(intent="ask"))

    async def settle(self, turn_id: int, intent: Intent, person: Owner, viewer: Viewer) -> Reply:
        """The person says how what they said was meant.

        Raises:
            NotThere: it was deleted meanwhile.
            NotAllowed: somebody else said it.
        """
        turn = await self._memory.turn(turn_id)
        if turn is None:
            raise NotThere("What you said there is deleted; please say it again.")
        if not await self._memory.is_speaker(turn, person):
            raise NotAllowed("Only the person who said it can decide what it meant.")
        about = None if turn.message is None else await self._memory.picture_of_message(viewer.source, turn.message)
        utterance = Utterance(person=person, viewer=viewer, text=turn.said, about=about, private=turn.private)
        return await self._follow(utterance, turn.id, Route(intent=intent, prompt=turn.said))

    async def edited(self, message: str, utterance: Utterance) -> Reply | None:
        """Follow an edit: the answer to what the message says now, in place of the earlier one.

        None: nothing was said there that was answered, or it is no question any more.
        """
        turn = await self._memory.edited(utterance.viewer.source, message, utterance.text[:TOO_LONG])
        earlier = None if turn is None else await self._memory.answer_to(turn.id)
        if turn is None or earlier is None or not await self._memory.is_speaker(turn, utterance.person):
            return None
        route = await self._router.route(utterance.text, about_picture=utterance.about is not None)
        if route.intent != "ask":
            return None
        answer = await self._asker.ask(utterance.person.name, utterance.text, utterance.viewer, utterance.about)
        await self._memory.rewritten(earlier.id, answer.text, evidence_rows(answer))
        return Reply(intent="ask", text=answer.text, turn=turn.id, answering=earlier.id, answer=answer)

    async def say(
        self, person: Owner, viewer: Viewer, text: str, stands_on: list[EvidenceRow], *, private: bool = False
    ) -> int:
        """Note that Darkroom said something of its own accord; returns the turn."""
        return await self._memory.answered(person, viewer, text, stands_on, private=private)

    async def _remember(self, utterance: Utterance) -> int:
        return await self._memory.heard(
            utterance.person,
            utterance.viewer,
            utterance.text[:TOO_LONG],
            message=utterance.message,
            about=utterance.about,
            private=utterance.private,
        )

    async def _follow(self, utterance: Utterance, turn: int, route: Route) -> Reply:
        await self._memory.decided(turn, route.intent)
        if route.intent == "create":
            request = self._conversation.imagine_request(route.prompt)
            return Reply(intent="create", text="", turn=turn, request=request)
        answer = None
        if route.intent == "ask":
            answer = await self._asker.ask(utterance.person.name, utterance.text, utterance.viewer, utterance.about)
        text = answer.text if answer else random.choice(CHAT) if route.intent == "chat" else UNSURE
        said = await self._memory.answered(
            utterance.person,
            utterance.viewer,
            text,
            evidence_rows(answer) if answer else (),
            reply_to=turn,
            private=utterance.private,
        )
        return Reply(intent=route.intent, text=text, turn=turn, answering=said, answer=answer)
