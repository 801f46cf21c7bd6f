"""The backstage tour as people see it on Discord: a message to one person alone, whose pages turn.

Each page is an edit of that message and of nothing else. Knows no picture but by its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot import cards, wording
from bot.places import owner_of
from bot.postbox import Attachment, Letter
from bot.views import tour as views
from generation.backstage import PAGES, WORDS_PAGE, Page
from generation.errors import GenerationError

if TYPE_CHECKING:
    from bot.client import DarkroomBot

LOOKING = "I make the picture once more, to see what each of its words steers …"


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


async def look_at_words(interaction: discord.Interaction, bot: DarkroomBot, picture_id: int) -> None:
    """Have the picture made again to see what each word steered, and show page 2 with that.

    Raises:
        NotThere: the picture was deleted meanwhile.
        GenerationError: it cannot be made again, or its model's attention cannot be looked into.
    """
    await interaction.response.defer()
    picture = await bot.conversation.picture(picture_id)
    card = discord.Embed(title="Backstage: the words", description=LOOKING, colour=cards.RUNNING_COLOUR)
    await interaction.edit_original_response(**Letter(embeds=(card,)).as_edit())
    try:
        await bot.laboratory.words(picture, owner_of(interaction))
    except GenerationError:
        await _show(interaction, bot, picture_id, WORDS_PAGE)
        raise
    await _show(interaction, bot, picture_id, WORDS_PAGE)


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
    return Letter(
        embeds=(card,),
        attachments=attachments,
        buttons=lambda: views.tour_buttons(picture_id, page.number, with_maps=page.lacks_maps),
    )
