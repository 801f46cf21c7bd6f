"""`/metadata` says what is written into pictures' files; *Inspect* on a message reads it back."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Literal

import discord
import yarl
from discord import app_commands
from discord.ext import commands

from bot import cards, wording
from bot.errors import NotAllowed, NotThere, tell
from bot.marking import Choice
from bot.places import owner_of
from generation.pictures.credentials import (
    Credentials,
    CredentialsError,
    carries_credentials,
    read_credentials,
)
from generation.pictures.metadata import PARAMETERS, read_parameters, read_text

if TYPE_CHECKING:
    from bot.client import DarkroomBot

Wish = Literal["on", "off", "as usual"]
WISHES: dict[str, bool | None] = {"on": True, "off": False, "as usual": None}
DISCORDS_OWN = ("cdn.discordapp.com", "media.discordapp.net")
MEDIA_TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
MOST_BYTES = 50 * 2**20
MOST_PICTURES = 4  # of one message
VALUE_LIMIT = 300  # characters of one value
NOTHING = "Nothing is written in it of how it was made."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """What a picture's file says of itself."""

    name: str
    values: dict[str, str]
    credentials: Credentials | None
    trouble: str | None  # why credentials that are there were not read


class MetadataCog(commands.Cog, name="Metadata"):
    """What is written into files, and what stands in them."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot
        self._menu = app_commands.ContextMenu(name="Inspect", callback=self._inspect)
        self._menu.error(self._on_error)
        bot.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Take the context menu away."""
        self._bot.tree.remove_command(self._menu.name, type=self._menu.type)

    @app_commands.command(description="What is written into picture files: the request, and that AI made them")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        text="Prompt, seed and model in the file, for other tools to read",
        credentials="Signed content credentials that say “made with AI”",
        whose="Your pictures, or what this server wants where people have set nothing",
    )
    async def metadata(
        self,
        interaction: discord.Interaction,
        text: Wish | None = None,
        credentials: Wish | None = None,
        whose: Literal["mine", "this server"] = "mine",
    ) -> None:
        marking, person = self._bot.marking, owner_of(interaction)
        guild = str(interaction.guild_id) if interaction.guild_id is not None else None
        if text is not None or credentials is not None:
            if whose == "mine":
                await marking.set_for_person(person, _changed(await marking.of_person(person), text, credentials))
            elif guild is None or not interaction.permissions.manage_guild:
                raise NotAllowed("Only somebody who may manage this server can set that for it.")
            else:
                await marking.set_for_guild(guild, _changed(await marking.of_guild(guild), text, credentials))
        choice = await marking.choice(person, guild)
        lines = [f"Prompt, seed and model in your files here: **{_word(choice.text)}**."]
        if marking.can_sign:
            lines.append(f"Content credentials that say “made with AI”: **{_word(choice.credentials)}**.")
        else:
            lines.append("Content credentials: none, as whoever runs Darkroom has given no certificate.")
        await interaction.response.send_message("\n".join(lines), ephemeral=True)

    async def _inspect(self, interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        urls = picture_urls(message)
        if not urls:
            raise NotThere("That message has no picture that I can look into.")
        found = [await self._look_into(url) for url in urls[:MOST_PICTURES]]
        await interaction.followup.send(embeds=[card_of(each) for each in found], ephemeral=True)

    async def _look_into(self, url: yarl.URL) -> Found:
        try:
            content = await self._bot.http.get_from_cdn(str(url))
        except discord.HTTPException as error:
            raise NotThere("The picture's file is no longer there.") from error
        if len(content) > MOST_BYTES:
            raise NotThere("The picture's file is too large to be looked into.")
        return await asyncio.to_thread(look_into, url.name, content)

    async def _on_error(self, interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        await tell(interaction, error)


def picture_urls(message: discord.Message) -> list[yarl.URL]:
    """Where Discord itself keeps the pictures of a message; a stranger's server is never asked."""
    own = {*DISCORDS_OWN, yarl.URL(discord.http.Route.BASE).host}
    shown = [str(embed.image.proxy_url or embed.image.url or "") for embed in message.embeds]
    urls = [yarl.URL(url) for url in (*(item.url for item in message.attachments), *shown) if url]
    kept = [url for url in urls if url.host in own and _suffix(url) in MEDIA_TYPES]
    return list(dict.fromkeys(kept))


def look_into(name: str, content: bytes) -> Found:
    """What the file says.

    Raises:
        PictureError: it is no picture.
    """
    texts = read_text(content)
    values = read_parameters(texts.pop(PARAMETERS, ""))
    values |= {key: text for key, text in texts.items() if key in {"Software", "prompt", "workflow", "Description"}}
    trouble, credentials = None, None
    try:
        credentials = read_credentials(content, MEDIA_TYPES["." + name.rpartition(".")[2].lower()])
    except CredentialsError as error:
        trouble = str(error) if carries_credentials(content) else None
    return Found(name=name, values=values, credentials=credentials, trouble=trouble)


def card_of(found: Found) -> discord.Embed:
    """What was found in one file."""
    lines = [wording.shown(f"{name}: {value}", VALUE_LIMIT) for name, value in found.values.items()] or [NOTHING]
    card = discord.Embed(title=wording.shortened(found.name, 100), colour=cards.DONE_COLOUR)
    card.description = wording.shortened("\n".join(lines), 3_500)
    if found.credentials is not None:
        card.add_field(name="Content credentials", value=credentials_sentence(found.credentials), inline=False)
    elif found.trouble is not None:
        card.add_field(name="Content credentials", value=wording.escaped(found.trouble)[:1_000], inline=False)
    return card


def credentials_sentence(credentials: Credentials) -> str:
    """The credentials in words."""
    made = "Made with AI" if credentials.made_by_ai else "They do not say that AI made it"
    by, signer = (wording.shown(name, 100) for name in (credentials.by, credentials.signer))
    state = {
        "Trusted": "The signature is right, and the signer is known.",
        "Valid": "The signature is right; who the signer is, nobody that I know vouches for.",
    }.get(credentials.state, "**The file was changed after it was signed, or the signature is wrong.**")
    return f"{made}, according to {by}, signed by {signer}. {state}"


def _changed(before: Choice, text: Wish | None, credentials: Wish | None) -> Choice:
    return Choice(
        text=before.text if text is None else WISHES[text],
        credentials=before.credentials if credentials is None else WISHES[credentials],
    )


def _suffix(url: yarl.URL) -> str:
    return "." + url.name.rpartition(".")[2].lower()


def _word(on: bool | None) -> str:
    return "written" if on else "left out"
