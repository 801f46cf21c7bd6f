"""Gathers a conversation for somebody who may see it: as an export, or in brief. For every front end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from bot.conversation import Conversation
from bot.errors import NotThere
from bot.export import Piece, WordMap, as_markdown, as_page
from bot.memory import Entry, Memory
from bot.revising import METHODS
from generation.errors import GenerationError
from generation.request import GenerationRequest
from generation.studio import Picture
from store.visibility import Viewer

log = logging.getLogger(__name__)

MOST_TURNS = 500  # of an export
MOST_STRIPS = 12  # the latest; a worker decodes each
MOST_WORD_MAPS = 12  # the latest; each is as large as several pictures


class Recollection:
    """What was said and made in a conversation."""

    def __init__(self, conversation: Conversation, memory: Memory) -> None:
        self._conversation = conversation
        self._memory = memory

    async def export(self, viewer: Viewer, title: str, *, markdown: bool = False) -> bytes:
        """The conversation as one file."""
        entries = await self._memory.entries(viewer, limit=MOST_TURNS)
        with_steps = [entry.picture.id for entry in entries if entry.picture is not None and entry.picture.has_steps]
        stripped = set(with_steps[-MOST_STRIPS:])
        maps = await self._word_maps(entries)
        pieces = [await self._piece(entry, viewer, stripped, maps.get(entry.turn.id, ())) for entry in entries]
        return await asyncio.to_thread(as_markdown if markdown else as_page, title, pieces)

    async def _piece(
        self, entry: Entry, viewer: Viewer, stripped: Collection[int], word_maps: Sequence[WordMap]
    ) -> Piece:
        picture = entry.picture
        if picture is None:
            return Piece(entry=entry, word_maps=tuple(word_maps))
        return Piece(
            entry=entry,
            picture=await asyncio.to_thread(picture.path.read_bytes),
            strip=await self._strip(picture.id) if picture.id in stripped else None,
            before=await self._before(picture, viewer),
            word_maps=tuple(word_maps),
        )

    async def _before(self, picture: Picture, viewer: Viewer) -> GenerationRequest | None:
        """The request of the picture that this one is a change to, if the viewer may be told of it."""
        if picture.parent is None or picture.method not in METHODS:
            return None
        try:
            return (await self._conversation.seen(viewer, picture.parent)).run.request
        except NotThere:
            return None

    async def _word_maps(self, entries: Sequence[Entry]) -> dict[int, list[WordMap]]:
        """The word maps of the pictures that are told of, by the turn after which each was made."""
        told = [entry.picture.id for entry in entries if entry.picture is not None]
        looked = sorted((at, picture) for picture, at in (await self._memory.looked_into(told)).items())
        found: dict[int, list[WordMap]] = {}
        for at, picture in looked[-MOST_WORD_MAPS:]:
            turn = max((entry.turn.id for entry in entries if entry.turn.created_at <= at), default=entries[0].turn.id)
            try:
                content = await self._conversation.word_map(picture)
            except (GenerationError, NotThere) as error:
                log.info("the word map of picture %d is left out: %s", picture, error)
                continue
            found.setdefault(turn, []).append(WordMap(picture=picture, content=content))
        return found

    async def _strip(self, picture: int) -> bytes | None:
        try:
            return await self._conversation.strip(picture)
        except GenerationError:
            return None  # no worker can decode it now: the page stands without
