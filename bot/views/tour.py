"""The buttons that turn the pages of a backstage tour. Each carries the picture's id and a page, and no more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self

import discord

from bot import tours
from bot.views.id_button import IdButton

if TYPE_CHECKING:
    from bot.client import DarkroomBot

LABELS = ("1 Noise", "2 Words", "3 Steps", "4 Touches")


class How(IdButton, template=r"darkroom:how:(?P<id>\d+)"):
    """Opens the tour of a picture, for whoever presses."""

    ACT, LABEL = "how", "How?"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await tours.open_tour(interaction, bot, self.row_id)


class TourPage(IdButton, template=r"darkroom:tour:(?P<id>\d+):(?P<page>[1-4])"):
    """Turns the tour to one page; the page that is shown cannot be pressed."""

    def __init__(self, row_id: int, page: int, shown: int = 0) -> None:
        self.row_id = row_id
        self.page = page
        style = discord.ButtonStyle.primary if page == shown else discord.ButtonStyle.secondary
        button: discord.ui.Button[discord.ui.View] = discord.ui.Button(
            label=LABELS[page - 1], style=style, disabled=page == shown, custom_id=f"darkroom:tour:{row_id}:{page}"
        )
        discord.ui.DynamicItem.__init__(self, button)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["id"]), int(match["page"]))

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await tours.turn_to(interaction, bot, self.row_id, self.page)


class WordMaps(IdButton, template=r"darkroom:wordmaps:(?P<id>\d+)"):
    """Has the picture made again, to show on page 2 what each word steered."""

    ACT, LABEL = "wordmaps", "Where did each word go?"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await tours.look_at_words(interaction, bot, self.row_id)


BUTTONS = (How, TourPage, WordMaps)


def tour_buttons(picture_id: int, shown: int, *, with_maps: bool = False) -> discord.ui.View:
    """The row under page `shown`; `with_maps`: word maps can be had."""
    view = discord.ui.View(timeout=None)
    for page in range(1, len(LABELS) + 1):
        view.add_item(TourPage(picture_id, page, shown))
    return view.add_item(WordMaps(picture_id)) if with_maps else view
