"""Buttons that lead on in a conversation: ask, talk about it, look up where it comes from."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Self, cast

import discord

from bot import wording
from bot.errors import tell
from bot.views.id_button import IdButton

if TYPE_CHECKING:
    from bot.client import DarkroomBot

LABEL_LIMIT = 80  # characters of a button's label
QUESTION_LIMIT = 500  # characters that a form takes


class AskForm(discord.ui.Modal, title="Ask about it"):
    """One line for a question."""

    question: discord.ui.TextInput[AskForm] = discord.ui.TextInput(
        label="Your question",
        custom_id="question",
        placeholder="Why is the sky green?",
        max_length=QUESTION_LIMIT,
        style=discord.TextStyle.paragraph,
    )

    def __init__(self, picture: int | None) -> None:
        super().__init__(custom_id=f"darkroom:question:{picture or 0}", timeout=15 * 60)
        self._picture = picture

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        bot = cast("DarkroomBot", interaction.client)
        await bot.dialogue.ask(interaction, self.question.value, self._picture, quote=True)

    # mypy takes the method of `BaseView` for it, which gets the item as well; discord.py calls a modal's with these two
    async def on_error(self, interaction: discord.Interaction, error: Exception, /) -> None:  # type: ignore[override]
        await tell(interaction, error)


class Ask(IdButton, template=r"darkroom:ask:(?P<id>\d+)"):
    """Opens a form for a question; about a picture, or (0) about anything."""

    ACT, LABEL = "ask", "Ask"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await interaction.response.send_modal(AskForm(self.row_id or None))


class TalkAbout(IdButton, template=r"darkroom:talk:(?P<id>\d+)"):
    """Opens a thread under a picture."""

    ACT, LABEL = "talk", "Talk about this"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.open_thread(interaction, self.row_id)


class Lineage(IdButton, template=r"darkroom:lineage:(?P<id>\d+)"):
    """Shows the presser where a picture comes from and what came of it."""

    ACT, LABEL = "lineage", "Lineage"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.show_lineage(interaction, self.row_id)


class ChangeIt(IdButton, template=r"darkroom:changeit:(?P<id>\d+)"):
    """What was said is to change a picture."""

    ACT, LABEL, STYLE = "changeit", "Change the picture", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.settle(interaction, self.row_id, "revise")


class JustTalk(IdButton, template=r"darkroom:justtalk:(?P<id>\d+)"):
    """Nothing was wanted."""

    ACT, LABEL = "justtalk", "No, just talking"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.settle(interaction, self.row_id, "chat")


class OtherWay(IdButton, template=r"darkroom:otherway:(?P<id>\d+)"):
    """Makes the change that a picture was by another method."""

    ACT, LABEL = "otherway", "Try another way"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.other_way(interaction, self.row_id)


class MakeIt(IdButton, template=r"darkroom:makeit:(?P<id>\d+)"):
    """What was said is to become a picture."""

    ACT, LABEL, STYLE = "makeit", "Make a picture", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.settle(interaction, self.row_id, "create")


class AskIt(IdButton, template=r"darkroom:askit:(?P<id>\d+)"):
    """What was said is a question."""

    ACT, LABEL = "askit", "Ask about it"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.settle(interaction, self.row_id, "ask")


class TryIt(IdButton, template=r"darkroom:try:(?P<id>\d+)"):
    """Makes the experiment that an answer offered."""

    ACT, LABEL, STYLE = "try", "Try it", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.try_offer(interaction, self.row_id)


class Topic(IdButton, template=r"darkroom:topic:(?P<id>\d+)"):
    """Goes on to a stop of the guided conversation."""

    ACT, LABEL, STYLE = "topic", "Next", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.dialogue.show_topic(interaction, self.row_id)


class Read(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"darkroom:read:(?P<slug>[\w/-]+)"):
    """Shows the presser a passage of the knowledge base."""

    def __init__(self, slug: str, title: str = "") -> None:
        self.slug = slug
        label = wording.shortened(f"Read: {title}", LABEL_LIMIT)
        super().__init__(discord.ui.Button(label=label, custom_id=f"darkroom:read:{slug}"))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button again, from the passage in its `custom_id`."""
        return cls(match["slug"])

    async def callback(self, interaction: discord.Interaction) -> None:
        """Show the passage; an error becomes a sentence for the person who pressed."""
        try:
            await cast("DarkroomBot", interaction.client).dialogue.read(interaction, self.slug)
        except Exception as error:  # noqa: BLE001  # an edge: discord.py would only log it, and the press would hang
            await tell(interaction, error)


BUTTONS = (Ask, TalkAbout, Lineage, ChangeIt, JustTalk, OtherWay, MakeIt, AskIt, TryIt, Topic, Read)
MEANT: dict[str, type[IdButton]] = {"revise": ChangeIt, "create": MakeIt, "ask": AskIt, "chat": JustTalk}


def unsure_buttons(turn: int, between: Collection[str]) -> discord.ui.View:
    """The row under a question back, about what was said in that turn: one for each thing it may want."""
    view = discord.ui.View(timeout=None)
    for intent, button in MEANT.items():
        if intent in between:
            view.add_item(button(turn))
    return view
