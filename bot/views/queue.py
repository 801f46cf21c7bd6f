"""The buttons under a person's own queue. What they cancel is looked up by id, and is theirs or is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot import queue_cards
from bot.places import owner_of
from bot.views.id_button import IdButton
from generation.administration import MyQueue

if TYPE_CHECKING:
    from bot.client import DarkroomBot

MOST_SHOWN = 10  # jobs; Discord takes 25 buttons


class CancelMine(IdButton, template=r"darkroom:cancel-mine:(?P<id>\d+)"):
    """Cancels one of the person's jobs, whether it waits or runs, and shows what is left."""

    ACT, LABEL = "cancel-mine", "Cancel"

    def __init__(self, row_id: int) -> None:
        super().__init__(row_id)
        self.item.label = f"{self.LABEL} {row_id}"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await interaction.response.defer()
        await bot.conversation.cancel(self.row_id, owner_of(interaction))
        await show_mine(interaction, bot)


class RefreshMine(IdButton, template=r"darkroom:my-queue:(?P<id>\d+)"):
    """Shows the person's queue as it is now."""

    ACT, LABEL = "my-queue", "Refresh"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await interaction.response.defer()
        await show_mine(interaction, bot)


BUTTONS = (CancelMine, RefreshMine)


async def show_mine(interaction: discord.Interaction, bot: DarkroomBot) -> None:
    """Make the answer to an interaction that was deferred the person's queue as it is now."""
    guild = None if interaction.guild_id is None else str(interaction.guild_id)
    queue = await bot.administration.mine(owner_of(interaction), guild, MOST_SHOWN)
    await interaction.edit_original_response(embed=queue_cards.mine(queue), view=my_buttons(queue))


def my_buttons(queue: MyQueue) -> discord.ui.View:
    """A *Cancel* for each job that is shown, and *Refresh*."""
    view = discord.ui.View(timeout=None)
    for card in queue.jobs:
        view.add_item(CancelMine(card.id))
    return view.add_item(RefreshMine(0))
