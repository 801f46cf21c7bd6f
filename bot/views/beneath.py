"""The buttons that change what a picture's message shows beneath it, and those that touch the picture up."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Self

import discord

from bot.views.id_button import IdButton
from generation.touches import TOUCHES

if TYPE_CHECKING:
    from bot.client import DarkroomBot


class Strip(IdButton, template=r"darkroom:strip:(?P<id>\d+)"):
    """Adds the strip."""

    ACT, LABEL = "strip", "Strip"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.exhibits.change(interaction, self.row_id, lambda now: dataclasses.replace(now, strip="clean"))


class NoisyRow(IdButton, template=r"darkroom:noisy:(?P<id>\d+)"):
    """Adds the noisy latents to the strip."""

    ACT, LABEL = "noisy", "Noisy row"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.exhibits.change(interaction, self.row_id, lambda now: dataclasses.replace(now, strip="noisy"))


class Timelapse(IdButton, template=r"darkroom:timelapse:(?P<id>\d+)"):
    """Adds the timelapse."""

    ACT, LABEL = "timelapse", "Timelapse"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.exhibits.change(interaction, self.row_id, lambda now: dataclasses.replace(now, timelapse=True))


class TouchUp(IdButton, template=r"darkroom:touchup:(?P<id>\d+)"):
    """Shows a button for each final touch; the owner's to press."""

    ACT, LABEL = "touchup", "Touch up"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.exhibits.begin_touching(interaction, self.row_id)


class Touch(IdButton, template=r"darkroom:touch:(?P<id>\d+):(?P<name>[a-z]+)"):
    """Does one final touch, or takes it back; the owner's to press."""

    def __init__(self, row_id: int, name: str, *, is_done: bool = False) -> None:
        self.row_id = row_id
        self.name = name
        style = discord.ButtonStyle.success if is_done else discord.ButtonStyle.secondary
        label = f"✓ {TOUCHES.get(name, name)}" if is_done else TOUCHES.get(name, name)
        button: discord.ui.Button[discord.ui.View] = discord.ui.Button(
            label=label, style=style, custom_id=f"darkroom:touch:{row_id}:{name}"
        )
        discord.ui.DynamicItem.__init__(self, button)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["id"]), match["name"])

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.exhibits.touch(interaction, self.row_id, self.name)


class Touched(IdButton, template=r"darkroom:touched:(?P<id>\d+)"):
    """Brings the usual buttons back."""

    ACT, LABEL, STYLE = "touched", "Done", discord.ButtonStyle.primary

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        await bot.exhibits.change(interaction, self.row_id, lambda now: dataclasses.replace(now, touching=False))


BUTTONS = (Strip, NoisyRow, Timelapse, TouchUp, Touch, Touched)


def touch_buttons(picture_id: int, done: tuple[str, ...]) -> discord.ui.View:
    """A button for each final touch; those that are `done` are marked."""
    view = discord.ui.View(timeout=None)
    for name in TOUCHES:
        view.add_item(Touch(picture_id, name, is_done=name in done))
    return view.add_item(Touched(picture_id))
