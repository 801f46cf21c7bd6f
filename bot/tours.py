"""The backstage tour as people see it on Discord: a message to one person alone, whose pages turn.

Each page is an edit of that message and of nothing else. Knows no picture but by its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot import cards, wording
from bot.postbox import Attachment, Letter
from bot.views import tour as views
from generation.backstage import PAGES, Page

if TYPE_CHECKING:
    from bot.client import DarkroomBot


async def open_tour(interaction: discord.Interaction, bot: DarkroomBot, picture_id: int) -> None:
    """Answer with the first page, for the person alone.

    Raises:
        NotThere: the picture was deleted.
    """
    await interaction.response.defer(ephemeral=True, thinking=True)
    await _show(interaction, bot, picture_id, 1)


async def turn_to(interaction: discord.Interaction, bot: DarkroomBot, picture_id: int, number: int) -> None:
    """Turn the message of the tour to another page.

    Raises:
        NotThere: the picture was deleted meanwhile.
    """
    await interaction.response.defer()
    await _show(interaction, bot, picture_id, number)


async def _show(interaction: discord.Interaction, bot: DarkroomBot, picture_id: int, number: int) -> None:
    picture = await bot.conversation.picture(picture_id)
    page = await bot.backstage.page(picture, number)
    await interaction.edit_original_response(**_letter(picture_id, page).as_edit())


def _letter(picture_id: int, page: Page) -> Letter:
    card = discord.Embed(
        title=f"Backstage: {page.title.lower()}", description=wording.escaped(page.text), colour=cards.DONE_COLOUR
    )
    card.set_footer(text=f"Picture {picture_id} · page {page.number} of {PAGES}")
    attachments: tuple[Attachment, ...] = ()
    if page.figure is not None:
        name = f"backstage-{picture_id}-{page.number}.png"
        attachments = (Attachment(name=name, content=page.figure, description=page.alt),)
        card.set_image(url=f"attachment://{name}")
    return Letter(embeds=(card,), attachments=attachments, buttons=lambda: views.tour_buttons(picture_id, page.number))
