"""One place where an exception becomes one clear sentence for a person.

BotError                 base of every error of this package; `str(error)` is one sentence fit for a user
├── UserMistake          what the person who runs the program can put right; the program ends with status 2
│   ├── SettingsError    a setting has a value that does not work
│   ├── TokenRefused     Discord does not accept the bot's token
│   └── IntentRefused    Discord does not let the bot read all messages
├── DiscordUnreachable   there is no way to Discord
├── NotAllowed           the person who pressed or typed may not do this
└── NotThere             what the person points at is gone

Sentences of known errors are theirs; an unknown one is logged with a short reference and the person
is told that reference. Knows the other packages' base errors, but no command and no view.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets

import discord
from discord import app_commands

from bot import wording
from explainer.errors import ExplainerError
from generation.errors import GenerationError, ModelError, RequestError
from store.errors import StoreError

log = logging.getLogger(__name__)

SUCCESS, FAULT, MISTAKE = 0, 1, 2  # exit statuses of every `darkroom` command


class BotError(Exception):
    """Base of every error of this package; `str(error)` is one sentence fit for a user."""


class UserMistake(BotError):
    """The person who runs the program can put this right; the sentence says how."""


class SettingsError(UserMistake):
    """A setting has a value that does not work."""


class TokenRefused(UserMistake):
    """Discord does not accept the bot's token."""

    def __init__(self) -> None:
        super().__init__(
            "Discord refused the token in DISCORD_TOKEN; copy the bot's current token from "
            "https://discord.com/developers/applications, or unset it to use the playground."
        )


class IntentRefused(UserMistake):
    """Discord does not let the bot read all messages."""

    def __init__(self) -> None:
        super().__init__(
            "Discord does not let the bot read all messages; switch on “Message Content Intent” for it at "
            "https://discord.com/developers/applications, or unset DARKROOM_MESSAGE_CONTENT."
        )


class DiscordUnreachable(BotError):
    """There is no way to Discord."""

    def __init__(self) -> None:
        super().__init__("Discord cannot be reached; check this machine's way to the internet and try again.")


class NotAllowed(BotError):
    """The person who pressed or typed may not do this; the sentence says who may."""


class NotThere(BotError):
    """What the person points at was deleted, or never was."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explained:
    """What a person is told about an error. `reference` stands in the log; None: the error was foreseen."""

    sentence: str
    reference: str | None = None


_SENTENCES: dict[type[BaseException], str | None] = {
    # None: the error's own text is the sentence
    BotError: None,
    ExplainerError: None,
    GenerationError: None,
    StoreError: None,
    discord.Forbidden: "Discord does not let me do that here; I may lack a permission in this channel.",
    discord.NotFound: "That message or picture is no longer there.",
    discord.DiscordServerError: "Discord has trouble of its own right now; please try again in a minute.",
    app_commands.CommandOnCooldown: "That was quick; please wait a few seconds and try again.",
    app_commands.NoPrivateMessage: "That works on a server only, not in a direct message.",
    app_commands.MissingPermissions: "You lack the permission for that on this server.",
    app_commands.BotMissingPermissions: "I lack a permission for that in this channel.",
    app_commands.CommandNotFound: "That command has changed since Discord last looked; please reload Discord (Ctrl+R).",
    app_commands.CommandSignatureMismatch: (
        "That command has changed since Discord last looked; please reload Discord (Ctrl+R)."
    ),
    app_commands.TransformerError: "I cannot read one of the values of that command; please check it.",
}


def explain(error: BaseException) -> Explained:
    """The sentence for a person. An error that nobody foresaw is logged here with a new reference."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    for kind in type(error).__mro__:
        if kind in _SENTENCES:
            return Explained(sentence=_SENTENCES[kind] or str(error))
    reference = new_reference()
    log.error("Unforeseen error, reference %s", reference, exc_info=error)
    return Explained(
        sentence=f"Something went wrong on my side; it is in the log under {reference}.", reference=reference
    )


async def tell(interaction: discord.Interaction, error: BaseException) -> None:
    """Answer an interaction with the sentence for `error`, seen by the person alone."""
    sentence = wording.escaped(wording.shortened(explain(error).sentence, wording.SENTENCE_LIMIT))
    try:
        if interaction.response.is_done():
            await interaction.followup.send(sentence, ephemeral=True)
        else:
            await interaction.response.send_message(sentence, ephemeral=True)
    except discord.HTTPException as failure:
        log.warning("Could not tell %s about an error: %s", interaction.user.id, failure)


def exit_status(error: BaseException) -> int:
    """2 where the person who runs the program can put it right, 1 where the fault is ours."""
    return MISTAKE if isinstance(error, (UserMistake, RequestError, ModelError, StoreError)) else FAULT


def new_reference() -> str:
    """Six characters that connect what a person was told with a line of the log."""
    return secrets.token_hex(3)
