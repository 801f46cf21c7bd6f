"""The buttons that confirm a wish to be forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.privacy import EVERYWHERE, HERE
from bot.views.id_button import IdButton

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class ForgetMe(IdButton, template=r"darkroom:forget:(?P<id>\d+)"):
    """Forgets whoever presses, here or everywhere: it can only ever be about themselves."""

    ACT, LABEL, STYLE = "forget", "Delete it for good", discord.ButtonStyle.danger

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.privacy.forget(interaction, everywhere=self.row_id == EVERYWHERE)


BUTTONS = (ForgetMe,)


def forget_buttons(*, everywhere: bool) -> discord.ui.View:
    """The row under the question."""
    return discord.ui.View(timeout=None).add_item(ForgetMe(EVERYWHERE if everywhere else HERE))
