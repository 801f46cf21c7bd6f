"""Experiments as people ask for them on Discord: the cost is named first, then one message shows them to their end.

A plan waits for its decision as a draft, see `bot.open_questions`. What was made before is shown at once, without a
question.
"""

from __future__ import annotations

import asyncio
import dataclasses

import discord

from bot import cards, letters, wording
from bot.delivery import Delivery
from bot.open_questions import OpenQuestions
from bot.places import file_limit, owner_of
from bot.postbox import Attachment, Letter
from bot.views.comparison import comparison_buttons
from generation.errors import RequestError
from generation.experiments import Change, StudyPlan
from generation.laboratory import Laboratory
from generation.pictures.words import draw_word_maps
from generation.queue import Origin
from generation.studio import Picture
from generation.word_maps import WordMaps, content_words, find_word

EXPIRED = "That question is too old to be answered; please type `/compare` again."
SUMMED_UP = "For each word its share of the attention that all words got, and its mass: its part of all attention."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """An experiment that nobody has decided on."""

    plan: StudyPlan
    private: bool


class Comparisons:
    """Experiments and word maps of one bot."""

    def __init__(self, laboratory: Laboratory, delivery: Delivery) -> None:
        self._laboratory = laboratory
        self._delivery = delivery
        self._drafts: OpenQuestions[Draft] = OpenQuestions(
            expired=EXPIRED, others="Only the person who asked for this comparison can decide on it."
        )

    async def ask_first(
        self, interaction: discord.Interaction, picture: Picture, change: Change, values: str = "", word: str = ""
    ) -> None:
        """Name the cost to the person alone, who then decides; what was made before is shown at once.

        Raises:
            RequestError: it cannot be made, or is too much.
        """
        plan = self._laboratory.plan(picture, change, values, word)
        if await self._shown(interaction, plan, private=picture.private):
            return
        number = self._drafts.open(interaction, Draft(plan=plan, private=picture.private))
        sentence = f"{plan.said}: {', '.join(wording.shown(cell.label) for cell in plan.cells)}.\n"
        await interaction.response.send_message(
            sentence + plan.sentence(picture.run), view=comparison_buttons(number), ephemeral=True
        )

    async def accept(self, interaction: discord.Interaction, number: int) -> None:
        """Put the experiment in the queue; the question goes away.

        Raises:
            NotThere: the draft has expired, or was accepted already.
            NotAllowed: it is not this person's.
            QueueFull: the person has too many jobs waiting; the question stays.
        """
        async with self._drafts.decided(interaction, number) as draft:
            await self.make(interaction, draft.plan, private=draft.private)

    async def drop(self, interaction: discord.Interaction, number: int) -> None:
        """Forget the draft and take the question away."""
        await self._drafts.drop(interaction, number)

    async def make(self, interaction: discord.Interaction, plan: StudyPlan, *, private: bool) -> None:
        """Answer with what comes of the plan: at once where it is known, else a message that follows its job.

        Raises:
            NotAllowed: the bot may not show pictures there.
            QueueFull: the person has too many jobs waiting.
        """
        if not await self._shown(interaction, plan, private=private):
            await self._delivery.ask(interaction, plan.heaviest, origin=Origin(private=private), study=plan)

    async def _shown(self, interaction: discord.Interaction, plan: StudyPlan, *, private: bool) -> bool:
        """Show what was made of the same plan before; False: nothing was."""
        study = await self._laboratory.known(plan)
        if study is None:
            return False
        await interaction.response.defer(ephemeral=private, thinking=True)
        letter = await letters.studied(study, file_limit=file_limit(interaction))
        await interaction.edit_original_response(**letter.as_edit())
        return True

    async def show_words(self, interaction: discord.Interaction, picture: Picture, word: str | None) -> None:
        """Show the person alone where the words of a picture were attended to, or one of them.

        Raises:
            RequestError: the word is not in the prompt.
            GenerationError: the picture cannot be made again, or its model's attention cannot be looked into.
        """
        wanted = word.strip() if word else ""
        plan = self._laboratory.plan(picture, "words")
        await interaction.response.defer(ephemeral=True, thinking=True)
        if wanted and (known := await self._laboratory.known(plan)) and known.words:
            find_word(known.words, wanted)
        maps = await self._laboratory.words(picture, owner_of(interaction))
        if wanted:
            wanted = find_word(maps, wanted).word
        await interaction.edit_original_response(**(await words_letter(picture, maps, wanted)).as_edit())


async def words_letter(picture: Picture, maps: WordMaps, word: str = "") -> Letter:
    """The word maps of a picture as a message; `word`: of that one alone."""
    path = picture.untouched or picture.path
    if not maps.words:
        raise RequestError("The prompt has no word of letters in it.")
    plain = await asyncio.to_thread(path.read_bytes)
    figure = await asyncio.to_thread(draw_word_maps, plain, maps, [word] if word else [])
    name = f"words-{picture.id}.png"
    lines = sorted(
        (each for each in content_words(maps.words) if not word or each.word == word), key=lambda each: -each.share
    )
    alt = ", ".join(f"{each.word} {each.share:.0%}" for each in lines)[:1_000]
    return Letter(
        embeds=(cards.word_maps(picture.id, SUMMED_UP, name),),
        attachments=(Attachment(name=name, content=figure, description=f"Attention to words: {alt}"),),
    )
