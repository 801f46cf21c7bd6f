"""What a person is asked before a picture is made: words that the model does not know are named first.

The request waits as a draft in memory, for as long as Discord lets the question be answered; the
buttons under the question carry only its number. A restart forgets drafts, and a press then says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable, Sequence

import discord

from bot import model_cards
from bot.conversation import Conversation
from bot.delivery import Delivery
from bot.errors import NotAllowed, NotThere
from bot.places import owner_of
from bot.views.offer import offer_buttons
from generation.queue import FRESH
from generation.request import GenerationRequest
from generation.studio import Origin, Owner

LIFETIME = 14 * 60.0  # seconds; the interaction that the question answers lives for 15 minutes
MOST_DRAFTS = 1_000  # the oldest gives way
EXPIRED = "That question is too old to be answered; please type `/imagine` again."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """A request that nobody has decided on."""

    request: GenerationRequest
    strip: bool
    origin: Origin
    person: Owner
    question: discord.Interaction  # whose answer asks
    until: float  # on the offers' clock


class Offers:
    """The questions that stand open."""

    def __init__(
        self, conversation: Conversation, delivery: Delivery, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._conversation = conversation
        self._delivery = delivery
        self._clock = clock
        self._drafts: dict[int, Draft] = {}

    async def ask_first(
        self,
        interaction: discord.Interaction,
        request: GenerationRequest,
        unknown: Sequence[str],
        *,
        strip: bool,
        origin: Origin = FRESH,
    ) -> None:
        """Name the unknown words to the person alone, who then decides."""
        number = secrets.randbits(63)  # unknown to a draft of an earlier process
        self._keep(
            number,
            Draft(
                request=request,
                strip=strip,
                origin=origin,
                person=owner_of(interaction),
                question=interaction,
                until=self._clock() + LIFETIME,
            ),
        )
        lexicon = self._conversation.lexicon(request.model)
        assert lexicon is not None  # or no word would be unknown
        sentence = model_cards.unknown_words(request.model, lexicon, unknown)
        await interaction.response.send_message(sentence, view=offer_buttons(number), ephemeral=True)

    async def paint(self, interaction: discord.Interaction, number: int) -> None:
        """Make the picture after all; the question goes away.

        Raises:
            NotThere: the draft has expired, or was painted already.
            NotAllowed: it is not this person's.
            QueueFull: the person has too many jobs waiting; the question stays.
        """
        draft = self._draft(interaction, number)
        del self._drafts[number]  # before anything is awaited: a second press must not paint it twice
        try:
            await self._delivery.ask(interaction, draft.request, strip=draft.strip, origin=draft.origin)
        except BaseException:
            self._keep(number, draft)
            raise
        with contextlib.suppress(discord.HTTPException):
            await draft.question.delete_original_response()

    async def show_words(self, interaction: discord.Interaction, number: int) -> None:
        """Show the person alone what the model knows.

        Raises:
            NotThere: the draft has expired.
            NotAllowed: it is not this person's.
            RequestError: its model is no longer configured.
        """
        draft = self._draft(interaction, number)
        model = self._conversation.models.get(draft.request.model)
        card = model_cards.model(model, self._conversation.lexicon(model.name))
        await interaction.response.send_message(embed=card, ephemeral=True)

    def _keep(self, number: int, draft: Draft) -> None:
        self._drafts[number] = draft
        while len(self._drafts) > MOST_DRAFTS:
            del self._drafts[next(iter(self._drafts))]

    def _draft(self, interaction: discord.Interaction, number: int) -> Draft:
        draft = self._drafts.get(number)
        if draft is None or draft.until < self._clock():
            self._drafts.pop(number, None)
            raise NotThere(EXPIRED)
        if draft.person.external_id != owner_of(interaction).external_id:
            raise NotAllowed("Only the person who asked for this picture can decide on it.")
        return draft
