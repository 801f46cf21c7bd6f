"""The buttons under the question whether an experiment is worth its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.views.id_button import IdButton

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class GoAhead(IdButton, template=r"darkroom:compare:(?P<id>\d+)"):
    """Makes the experiment of a draft."""

    ACT, LABEL, STYLE = "compare", "Go ahead", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.comparisons.accept(interaction, self.row_id)


class NeverMind(IdButton, template=r"darkroom:nevermind:(?P<id>\d+)"):
    """Drops the draft and its question."""

    ACT, LABEL = "nevermind", "Never mind"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.comparisons.drop(interaction, self.row_id)


BUTTONS = (GoAhead, NeverMind)


def comparison_buttons(number: int) -> discord.ui.View:
    """The row under the question about draft `number`."""
    return discord.ui.View(timeout=None).add_item(GoAhead(number)).add_item(NeverMind(number))
