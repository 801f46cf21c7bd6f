"""The buttons under the question whether to paint words that the model does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.views.id_button import IdButton

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class PaintAnyway(IdButton, template=r"darkroom:paint:(?P<id>\d+)"):
    """Makes the picture of a draft."""

    ACT, LABEL, STYLE = "paint", "Paint it anyway", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.offers.paint(interaction, self.row_id)


class ShowWords(IdButton, template=r"darkroom:words:(?P<id>\d+)"):
    """Shows what the model of a draft knows."""

    ACT, LABEL = "words", "What does it know?"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.offers.show_words(interaction, self.row_id)


BUTTONS = (PaintAnyway, ShowWords)


def offer_buttons(number: int) -> discord.ui.View:
    """The row under the question about draft `number`."""
    return discord.ui.View(timeout=None).add_item(PaintAnyway(number)).add_item(ShowWords(number))
