"""What is written into the files that people get: the request as PNG text, and content credentials.

Each person chooses for their own pictures, each server for what is shown in it; what the person says counts first, then
the server, then that both are written. Credentials need the operator's certificate. Knows no command.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Any

from generation.errors import GenerationError
from generation.pictures.credentials import Signer
from generation.pictures.metadata import with_text
from generation.queue import Owner
from generation.studio import Picture
from store import guilds, preferences
from store.database import Database

log = logging.getLogger(__name__)

KEY = "metadata"  # in both stores of settings
MEDIA_TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What somebody wants in files; None: whatever else is set."""

    text: bool | None = None
    credentials: bool | None = None

    def over(self, other: Choice) -> Choice:
        """This choice, and the other where this one says nothing."""
        return Choice(
            text=other.text if self.text is None else self.text,
            credentials=other.credentials if self.credentials is None else self.credentials,
        )


USUAL = Choice(text=True, credentials=True)


class Marking:
    """Writes into files what their people want there."""

    def __init__(self, database: Database, signer: Signer | None) -> None:
        self._database = database
        self._signer = signer

    @property
    def can_sign(self) -> bool:
        """Whether the operator has given a certificate."""
        return self._signer is not None

    async def choice(self, person: Owner, guild: str | None) -> Choice:
        """What is written into this person's pictures there; both values are set."""
        async with self._database.reading() as connection:
            own = _choice(await preferences.preferences_of(connection, person.source, person.external_id))
            of_guild = _choice(await guilds.settings_of(connection, guild)) if guild is not None else Choice()
        return own.over(of_guild).over(USUAL)

    async def of_person(self, person: Owner) -> Choice:
        """What the person has set."""
        async with self._database.reading() as connection:
            return _choice(await preferences.preferences_of(connection, person.source, person.external_id))

    async def of_guild(self, guild: str) -> Choice:
        """What the server has set."""
        async with self._database.reading() as connection:
            return _choice(await guilds.settings_of(connection, guild))

    async def set_for_person(self, person: Owner, choice: Choice) -> None:
        """Note what the person wants, in place of what they wanted before."""
        async with self._database.writing() as connection:
            kept = await preferences.preferences_of(connection, person.source, person.external_id)
            await preferences.set_preferences(connection, person.source, person.external_id, _with(kept, choice))

    async def set_for_guild(self, guild: str, choice: Choice) -> None:
        """Note what the server wants, in place of what it wanted before."""
        async with self._database.writing() as connection:
            await guilds.set_settings(connection, guild, _with(await guilds.settings_of(connection, guild), choice))

    async def marked(self, picture: Picture, content: bytes, suffix: str, guild: str | None) -> bytes:
        """The file (of the picture, perhaps compressed) with what is wanted in it.

        A file that cannot be written into goes out as it is: better without a note than no picture.
        """
        choice = await self.choice(picture.owner, guild)
        try:
            return await asyncio.to_thread(self._marked, picture, content, suffix, choice)
        except GenerationError as error:
            log.warning("Picture %d goes out without what should be written into it: %s", picture.id, error)
            return content

    def _marked(self, picture: Picture, content: bytes, suffix: str, choice: Choice) -> bytes:
        if choice.text and suffix == ".png":
            content = with_text(content, picture.run)
        if choice.credentials and self._signer is not None and suffix in MEDIA_TYPES:
            content = self._signer.signed(content, MEDIA_TYPES[suffix], picture.run)
        return content


def _choice(settings: dict[str, Any]) -> Choice:
    kept = settings.get(KEY)
    values = kept if isinstance(kept, dict) else {}
    return Choice(text=values.get("text"), credentials=values.get("credentials"))


def _with(settings: dict[str, Any], choice: Choice) -> dict[str, Any]:
    values = {name: value for name, value in dataclasses.asdict(choice).items() if value is not None}
    return {name: value for name, value in settings.items() if name != KEY} | ({KEY: values} if values else {})
