"""Gathers a conversation for somebody who may see it: as an export, or in brief. For every front end."""

from __future__ import annotations

import asyncio

from bot.conversation import Conversation
from bot.export import Piece, as_markdown, as_page
from bot.memory import Entry, Memory
from generation.errors import GenerationError
from store.visibility import Viewer

MOST_TURNS = 500  # of an export
MOST_STRIPS = 12  # the latest; a worker decodes each


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
        pieces = [await self._piece(entry, stripped) for entry in entries]
        return await asyncio.to_thread(as_markdown if markdown else as_page, title, pieces)

    async def _piece(self, entry: Entry, stripped: set[int]) -> Piece:
        picture = entry.picture
        if picture is None:
            return Piece(entry=entry)
        strip = await self._strip(picture.id) if picture.id in stripped else None
        return Piece(entry=entry, picture=await asyncio.to_thread(picture.path.read_bytes), strip=strip)

    async def _strip(self, picture: int) -> bytes | None:
        try:
            return await self._conversation.strip(picture)
        except GenerationError:
            return None  # no worker can decode it now: the page stands without
