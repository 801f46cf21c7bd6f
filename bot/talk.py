"""Someone said something: it is remembered, understood, and answered.

Every front end calls this with plain values and gets back what to say; it knows no Discord and no terminal.
What a message wants is `bot.routing`'s to decide, how a picture goes on `bot.revising`'s, what an answer says the
explainer's, what is kept `bot.memory`'s.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from bot.conversation import Conversation
from bot.errors import NotAllowed, NotThere
from bot.memory import Memory, evidence_rows
from bot.revising import DELETED, NOTHING_THERE, UNFINISHED, Back, CannotRevise, Onward, Revising
from bot.routing import Intent, Message, PlainRules, Route, Router, Wanted
from bot.trials import AGREES, Trial
from explainer.messages import Answer
from generation.errors import RequestError
from generation.queue import Owner
from generation.request import GenerationRequest
from generation.studio import Job, Origin, Picture
from store.conversations import ABOUT, EvidenceRow
from store.visibility import Viewer

UNSURE = "Shall I make a picture of that, or is it a question?"
BACK = {  # by what is close; in any order
    frozenset({"create", "revise"}): "Shall I change the picture, or make a new one?",
    frozenset({"ask", "revise"}): "Shall I change the picture, or is it a question?",
    frozenset({"chat", "revise"}): "Shall I change the picture?",
    frozenset({"chat", "create"}): "Shall I make a picture of that?",
}
EDITED = "You have changed what you asked for; shall I do it as it says now?"
SEND_AGAIN = "You have changed what you asked for; send it once more with the picture, and I do it as it says now."
MADE_HOW = "How was this made?"
Tone = Literal["plain", "wry"]
CHAT: dict[Tone, tuple[str, ...]] = {
    "plain": (
        "You're welcome. A question, or something to draw?",
        "Glad to be of use. Ask me anything about it.",
        "Any time.",
    ),
    "wry": (
        "You're welcome. The noise did most of the work.",
        "Any time. I have few other appointments.",
        "Noted, with whatever it is that I have instead of pleasure.",
    ),
}
CANNOT_LOOK = "I cannot look into pictures that people send; tell me what it should become, and I start from it."
SAY_WHAT = "I can start from that picture: say in a few words what it should become."
_INTO = re.compile(
    r"^(?:please )?(?:(?:make|turn|change|draw|paint) (?:it|this|that|him|her|my \w+)(?: in)?(?:to| as)?\b|as)\s*",
    re.IGNORECASE,
)
NO_PROMPT = "What shall I draw? Say it in a few words, like “draw a red fox on a skateboard”."
Missing = Literal["deleted", "unfinished"]
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
    missing: Missing | None = None  # why it replies to a picture that is not there
    start: bytes | None = None  # a picture of theirs to start from, as `generation.pictures.starting` gives it
    message: str | None = None
    private: bool = False  # nobody else sees what was said and what will be answered
    instead: int | None = None  # a turn of Darkroom's that answered what was said before an edit


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What to answer. `answering` is the turn that carries it, whose message the front end notes."""

    intent: Intent
    text: str
    turn: int
    answering: int | None = None
    answer: Answer | None = None
    request: GenerationRequest | None = None  # what to paint, for `create` and `revise`
    onward: Onward | None = None  # from which picture it goes on, for `revise`
    start: bytes | None = None  # the picture of theirs that `request` begins with
    shown: Picture | None = None  # a picture to show once more
    trial: Trial | None = None  # an experiment to make, since it was offered and agreed to
    between: tuple[Wanted, ...] = ("create", "ask")  # what to choose from, for `unsure`
    replaces: Job | None = None  # on its way, asked for before an edit, and not wanted any more

    @property
    def origin(self) -> Origin:
        """Where the picture of `request` comes from."""
        if self.onward is not None:
            return self.onward.origin(self.turn)
        if self.start is not None:
            return Origin(turn=self.turn, method="image", files=(self.start,))
        return Origin(turn=self.turn, method="words")


class Talk:
    """All conversations."""

    def __init__(
        self,
        conversation: Conversation,
        memory: Memory,
        asker: Asker,
        *,
        router: Router | None = None,
        tone: Tone = "plain",
    ) -> None:
        self._tone: Tone = tone
        self._conversation = conversation
        self._memory = memory
        self._asker = asker
        self._router = router or PlainRules()
        self._revising = Revising(conversation)

    async def hear(self, utterance: Utterance) -> Reply:
        """Remember what was said, and answer it.

        Raises:
            RequestError: a picture cannot be made as asked.
            ReaderError: there is no answer, for a fault of ours.
        """
        trial = await self._memory.last_offer(utterance.viewer) if AGREES.fullmatch(utterance.text.strip()) else None
        turn = await self._remember(utterance)
        if trial is not None:
            await self._memory.decided(turn, "ask")
            return Reply(intent="ask", text="", turn=turn, trial=trial)
        route = await self._router.route(_message(utterance))
        if utterance.start is not None:
            return await self._start_from(utterance, turn, route)
        return await self._follow(utterance, turn, route)

    async def ask(self, utterance: Utterance) -> Reply:
        """The same for what is known to be a question."""
        return await self._follow(utterance, await self._remember(utterance), Route(intent="ask"))

    async def settle(self, turn_id: int, intent: Wanted, person: Owner, viewer: Viewer) -> Reply:
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
        about = await self._memory.about(turn_id)
        utterance = Utterance(person=person, viewer=viewer, text=turn.said, about=about, private=turn.private)
        route = Route(intent=intent) if intent == "ask" else await self._routed(utterance, turn.id, intent)
        return await self._follow(utterance, turn.id, route)

    async def other_way(self, picture: int, viewer: Viewer, person: Owner) -> Onward:
        """The change that a picture was, by another method.

        Raises:
            CannotRevise: there is none.
            NotThere: the picture is deleted, or not for the viewer's eyes.
        """
        return await self._revising.other_way(picture, viewer, person)

    async def edited(self, message: str, utterance: Utterance) -> Reply | None:
        """Follow an edit: what to answer to what the message says now, in place of the earlier answer if there was one.

        An order takes the place of the job that was asked for before, as long as that is on its way (`replaces`); else
        it is offered. None: nothing was said there, or nothing else is wanted.

        Raises:
            RequestError, ReaderError: as of `hear`.
        """
        turn = await self._memory.edited(utterance.viewer.source, message, utterance.text[:TOO_LONG])
        if turn is None or not await self._memory.is_speaker(turn, utterance.person):
            return None
        route = await self._routed(utterance, turn.id)
        if route.intent == "chat" and not route.nothing_there:
            return None
        earlier = await self._memory.answer_to(turn.id)
        utterance = replace(utterance, instead=None if earlier is None else earlier.id)
        if utterance.start is not None:
            reply = await self._start_from(utterance, turn.id, route)
        else:
            reply = await self._follow(utterance, turn.id, route)
        job = await self._conversation.asked_in(turn.id)
        if reply.request is None:  # who asks a question now wants no picture any more
            on_its_way = reply.intent == "ask" and job is not None and not job.ended
            return replace(reply, replaces=job) if on_its_way else reply
        if job is not None and _same_wish(job.request, reply.request):
            return None
        if job is None or job.ended:
            return await self.offered(utterance, reply)
        return replace(reply, replaces=job)

    async def offered(self, utterance: Utterance, reply: Reply) -> Reply:
        """Ask whether to paint what a message says after an edit."""
        if reply.start is not None:
            return await self._said(utterance, reply.turn, reply.intent, SEND_AGAIN)
        intent: Wanted = "create" if reply.onward is None else "revise"
        return await self._said(utterance, reply.turn, "unsure", EDITED, between=(intent,))

    async def _routed(self, utterance: Utterance, turn: int, wanted: Wanted | None = None) -> Route:
        """What is wanted by a turn that may have been followed before.

        "It" is still the picture that was gone on from then, not the one that came of it.
        """
        route = await self._router.route(_message(utterance), wanted)
        if route.changed is None or route.named or utterance.about is not None:
            return route
        job = await self._conversation.asked_in(turn)
        if job is None or job.parent is None or job.parent == route.picture:
            return route
        return await self._router.route(_message(replace(utterance, about=job.parent)), wanted)

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
        intent: Intent = "revise" if route.nothing_there and route.intent != "ask" else route.intent
        await self._memory.decided(turn, intent)
        match intent:
            case "create" if route.prompt:
                request = self._conversation.imagine_request(route.prompt)
                return Reply(intent=intent, text="", turn=turn, request=request)
            case "create":
                return await self._said(utterance, turn, intent, NO_PROMPT)
            case "revise":
                return await self._revise(utterance, turn, route)
            case "ask":
                answer = await self._asker.ask(utterance.person.name, utterance.text, utterance.viewer, utterance.about)
                return await self._said(utterance, turn, intent, answer.text, evidence_rows(answer), answer=answer)
            case "chat":
                return await self._said(utterance, turn, intent, random.choice(CHAT[self._tone]))
            case "unsure":
                question = BACK.get(frozenset(route.between), UNSURE)
                return await self._said(utterance, turn, intent, question, between=route.between)

    async def _start_from(self, utterance: Utterance, turn: int, route: Route) -> Reply:
        """Paint from a picture that somebody has sent along."""
        await self._memory.decided(turn, "ask" if route.intent == "ask" else "create")
        if route.intent == "ask":
            return await self._said(utterance, turn, "ask", CANNOT_LOOK)
        bare = _INTO.sub("", utterance.text).strip(" .!")
        prompt = bare if bare != utterance.text.strip(" .!") else route.prompt or utterance.text
        if not prompt or route.intent == "chat":
            return await self._said(utterance, turn, "create", SAY_WHAT)
        request = self._conversation.imagine_request(prompt, start=utterance.start)
        return Reply(intent="create", text="", turn=turn, request=request, start=utterance.start)

    async def _revise(self, utterance: Utterance, turn: int, route: Route) -> Reply:
        try:
            outcome = await self._outcome(utterance, route)
        except (CannotRevise, NotThere, RequestError) as error:
            return await self._said(utterance, turn, "revise", str(error))
        if isinstance(outcome, Onward):
            return Reply(intent="revise", text="", turn=turn, request=outcome.request, onward=outcome)
        about = EvidenceRow(kind=ABOUT, ref=f"picture {outcome.picture.id}", quote="", picture_id=outcome.picture.id)
        text = f"Back to picture {outcome.picture.id}."
        return await self._said(utterance, turn, "revise", text, [about], shown=outcome.picture)

    async def _outcome(self, utterance: Utterance, route: Route) -> Onward | Back:
        if utterance.missing is not None:
            raise CannotRevise(DELETED if utterance.missing == "deleted" else UNFINISHED)
        if utterance.about is not None and route.picture != utterance.about:
            await self._conversation.picture(utterance.about)
            await self._conversation.seen(utterance.viewer, utterance.about)
        if route.nothing_there:
            raise CannotRevise(NOTHING_THERE)
        return await self._revising.carry_out(route, utterance.viewer, utterance.person)

    async def _said(
        self,
        utterance: Utterance,
        turn: int,
        intent: Intent,
        text: str,
        stands_on: Sequence[EvidenceRow] = (),
        *,
        answer: Answer | None = None,
        shown: Picture | None = None,
        between: tuple[Wanted, ...] = ("create", "ask"),
    ) -> Reply:
        """Remember what is said to that, and say it."""
        if utterance.instead is not None:
            said = utterance.instead
            await self._memory.rewritten(said, text, stands_on)
        else:
            said = await self._memory.answered(
                utterance.person, utterance.viewer, text, stands_on, reply_to=turn, private=utterance.private
            )
        return Reply(intent=intent, text=text, turn=turn, answering=said, answer=answer, shown=shown, between=between)


def _same_wish(one: GenerationRequest, other: GenerationRequest) -> bool:
    """Whether the two ask for the same, by whatever seed."""
    return one.again(other.seed) == other


def _message(utterance: Utterance) -> Message:
    return Message(
        text=utterance.text,
        asker=utterance.person.name,
        viewer=utterance.viewer,
        about=utterance.about,
        gone=utterance.missing is not None,
    )
