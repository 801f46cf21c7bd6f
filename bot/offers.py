"""What a person is asked before a picture is made: words that the model does not know are named first.

The request waits as a draft, see `bot.open_questions`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import discord

from bot import model_cards
from bot.conversation import Conversation
from bot.delivery import Delivery
from bot.open_questions import OpenQuestions
from bot.views.offer import offer_buttons
from generation.queue import FRESH
from generation.request import GenerationRequest
from generation.studio import Origin

EXPIRED = "That question is too old to be answered; please type `/imagine` again."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """A request that nobody has decided on."""

    request: GenerationRequest
    strip: bool
    origin: Origin


class Offers:
    """The questions that stand open."""

    def __init__(self, conversation: Conversation, delivery: Delivery) -> None:
        self._conversation = conversation
        self._delivery = delivery
        self._drafts: OpenQuestions[Draft] = OpenQuestions(
            expired=EXPIRED, others="Only the person who asked for this picture can decide on it."
        )

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
        number = self._drafts.open(interaction, Draft(request=request, strip=strip, origin=origin))
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
        async with self._drafts.decided(interaction, number) as draft:
            await self._delivery.ask(interaction, draft.request, strip=draft.strip, origin=draft.origin)

    async def show_words(self, interaction: discord.Interaction, number: int) -> None:
        """Show the person alone what the model knows.

        Raises:
            NotThere: the draft has expired.
            NotAllowed: it is not this person's.
            RequestError: its model is no longer configured.
        """
        draft = self._drafts.content(interaction, number)
        model = self._conversation.models.get(draft.request.model)
        card = model_cards.model(model, self._conversation.lexicon(model.name))
        await interaction.response.send_message(embed=card, ephemeral=True)
