"""The buttons under pictures and under jobs on their way.

Each button carries only an id in its `custom_id`, so it works after a restart; everything else, the
owner too, is looked up in the store when it is pressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.originals import send_original
from bot.places import owner_of
from bot.views.beneath import NoisyRow, Strip, Timelapse, TouchUp
from bot.views.id_button import IdButton
from bot.views.talk import Ask, Lineage, OtherWay, TalkAbout
from bot.views.tour import How

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class Again(IdButton, template=r"darkroom:again:(?P<id>\d+)"):
    """The same request with a new seed, as a new message."""

    ACT, LABEL, STYLE = "again", "Again", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        request, origin = await bot.conversation.again_request(self.row_id)
        await bot.delivery.ask(interaction, request, origin=origin)


class Original(IdButton, template=r"darkroom:original:(?P<id>\d+)"):
    """Gives the file as it was made to the person who presses."""

    ACT, LABEL = "original", "Original"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await send_original(interaction, await bot.conversation.picture(self.row_id))


class Delete(IdButton, template=r"darkroom:delete:(?P<id>\d+)"):
    """Deletes the picture, its record and its message; its owner's to press."""

    ACT, LABEL, STYLE = "delete", "Delete", discord.ButtonStyle.danger

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await interaction.response.defer()
        await bot.conversation.delete(self.row_id, owner_of(interaction))
        await interaction.delete_original_response()


class Cancel(IdButton, template=r"darkroom:cancel:(?P<id>\d+)"):
    """Cancels a job that waits or runs; its owner's to press."""

    ACT, LABEL = "cancel", "Cancel"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await interaction.response.defer()
        await bot.conversation.cancel(self.row_id, owner_of(interaction))


BUTTONS = (Again, Original, Delete, Cancel)


def picture_buttons(
    picture_id: int,
    *,
    with_strip: bool = True,
    with_noisy: bool = False,
    with_timelapse: bool = True,
    with_original: bool = False,
    with_other_way: bool = False,
) -> discord.ui.View:
    """The buttons under a finished picture, without those whose wish is shown already.

    `with_original`: what is shown is not the file as it was made. `with_other_way`: it is a change to another one.
    """
    view = discord.ui.View(timeout=None)
    view.add_item(Again(picture_id)).add_item(How(picture_id))
    if with_other_way:
        view.add_item(OtherWay(picture_id))
    if with_strip:
        view.add_item(Strip(picture_id))
    if with_noisy:
        view.add_item(NoisyRow(picture_id))
    if with_timelapse:
        view.add_item(Timelapse(picture_id))
    view.add_item(TouchUp(picture_id))
    if with_original:
        view.add_item(Original(picture_id))
    view.add_item(Delete(picture_id))
    return view.add_item(Ask(picture_id)).add_item(TalkAbout(picture_id)).add_item(Lineage(picture_id))


def job_buttons(job_id: int) -> discord.ui.View:
    """The row under a job on its way."""
    return discord.ui.View(timeout=None).add_item(Cancel(job_id))
