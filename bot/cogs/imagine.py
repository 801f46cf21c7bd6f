"""`/imagine`: reads what was typed and asks for the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.models import MAX_CHOICES, model_choices
from bot.dialogue import starting_picture_in
from generation.pictures.starting import check_size
from generation.studio import Origin
from generation.touches import TOUCHES

if TYPE_CHECKING:
    from bot.client import DarkroomBot

EVERYTHING = "everything"
TOUCH_CHOICES = [
    *(app_commands.Choice(name=title, value=name) for name, title in TOUCHES.items()),
    app_commands.Choice(name="Everything", value=EVERYTHING),
]


class Imagine(commands.Cog):
    """The command that makes pictures."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot

    @app_commands.command(description="Make a picture from words and watch it develop")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        prompt="What the picture should show",
        negative_prompt="What it should not show",
        seed="A whole number; the same seed and settings make the same picture",
        steps="How many denoising steps to take",
        guidance="How closely to follow the prompt; 1 is loosely",
        size="Width x height in pixels, like 512x512",
        model="Which model paints",
        strip="Also show how the picture came out of the noise",
        image="A drawing or photo of yours to start from instead of pure noise",
        strength="How much of that to make anew, 0.05 to 1",
        private="Only you see the picture, and I speak of it to nobody else",
        touch_up="Change the picture after diffusion, which is no part of it",
    )
    @app_commands.choices(touch_up=TOUCH_CHOICES)
    async def imagine(
        self,
        interaction: discord.Interaction,
        prompt: str,
        negative_prompt: str | None = None,
        seed: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        size: str | None = None,
        model: str | None = None,
        strip: bool = False,
        private: bool = False,
        touch_up: str | None = None,
        image: discord.Attachment | None = None,
        strength: float | None = None,
    ) -> None:
        start = None
        if image is not None:
            check_size(image.size)
            await interaction.response.defer(ephemeral=private, thinking=True)  # fetching it takes its time
            start = await starting_picture_in([image])
        # No limits are declared to Discord: they differ by model, and our sentence says what would be right.
        request = self._bot.conversation.imagine_request(
            prompt,
            negative_prompt=negative_prompt,
            seed=seed,
            steps=steps,
            guidance_scale=guidance,
            size=size,
            model=model,
            touches=TOUCHES if touch_up == EVERYTHING else (touch_up or "").split(),
            start=start,
            strength=strength,
        )
        if start is not None:
            origin = Origin(method="image", private=private, files=(start,))
            await self._bot.delivery.ask(interaction, request, strip=strip, origin=origin)
            return
        unknown = self._bot.conversation.unknown_words(request)
        origin = Origin(method="words", private=private)
        if unknown:
            await self._bot.offers.ask_first(interaction, request, unknown, strip=strip, origin=origin)
        else:
            await self._bot.delivery.ask(interaction, request, strip=strip, origin=origin)

    @imagine.autocomplete("model")
    async def _models(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return model_choices(self._bot.conversation.models, typed)

    @imagine.autocomplete("size")
    async def _sizes(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        sizes = self._bot.conversation.sizes(getattr(interaction.namespace, "model", None))
        wanted = typed.replace(" ", "").lower()
        return [app_commands.Choice(name=size, value=size) for size in sizes if size.startswith(wanted)][:MAX_CHOICES]
