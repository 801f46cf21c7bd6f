"""What all buttons have in common: an id in the `custom_id`, and an edge where errors become sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self, cast

import discord

from bot.errors import tell

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class IdButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"darkroom:never:(?P<id>\d+)"):
    """A button about one row of the store, or one draft. A subclass gives its template, its looks and `pressed`."""

    ACT: str
    LABEL: str
    STYLE = discord.ButtonStyle.secondary

    def __init__(self, row_id: int) -> None:
        self.row_id = row_id
        super().__init__(
            discord.ui.Button(label=self.LABEL, style=self.STYLE, custom_id=f"darkroom:{self.ACT}:{row_id}")
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button again, from the id in its `custom_id`."""
        return cls(int(match["id"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        """Do what the button says; an error becomes a sentence for the person who pressed."""
        try:
            await self.pressed(interaction, cast("DarkroomBot", interaction.client))
        except Exception as error:  # noqa: BLE001  # an edge: discord.py would only log it, and the press would hang
            await tell(interaction, error)

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        """What the button does."""
        raise NotImplementedError
