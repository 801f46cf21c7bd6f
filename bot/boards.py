"""Boards that stay true: each shows an admin the queue and is refreshed for as long as Discord lets it be.

A board is for its admin's eyes only, so that only the interaction's token can change it, which dies after
15 minutes; a press of *Refresh* brings a new one. What did not change is not sent again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot import queue_cards
from bot.authority import admin_of, sees_prompts
from bot.views.admin import board_view
from generation.administration import Admin
from store.errors import StoreError

if TYPE_CHECKING:
    from bot.client import DarkroomBot
    from bot.delivery import Spawn

log = logging.getLogger(__name__)

INTERVAL = 5.0  # seconds between two looks
FIRST = 1.0  # seconds until the first look: what an admin has just done has its effect by then
SLOWING = 1.5  # each pause is this much longer than the one before, up to the interval
LIFETIME = 14 * 60.0  # seconds; the interaction's token lives for 15 minutes
MOST_WAITING = 8  # jobs shown of those that wait
LIVE = "Refreshes by itself"
STILL = "No longer refreshes by itself; press Refresh"


class Boards:
    """All boards that are open; an admin's newer one lets the older ones rest."""

    def __init__(self, bot: DarkroomBot, spawn: Spawn, *, interval: float = INTERVAL) -> None:
        self.interval = interval
        self._bot = bot
        self._spawn = spawn
        self._open: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def show(self, interaction: discord.Interaction) -> None:
        """Make the answer to an interaction that was deferred a board, and keep it true from then on.

        Raises:
            NotAllowed: the person is no admin.
        """
        admin = admin_of(interaction, self._bot)
        card, view = await self._look(interaction, admin, LIVE)
        await interaction.edit_original_response(content=None, embed=card, view=view)
        key = (admin.guild, admin.owner.external_id)
        if older := self._open.get(key):
            older.cancel()
        task = self._open[key] = self._spawn(self._keep(interaction, admin, card))
        task.add_done_callback(lambda ended: self._forget(key, ended))

    async def close(self) -> None:
        """Let all boards rest as they are."""
        tasks = tuple(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: tuple[str, str], ended: asyncio.Task[None]) -> None:
        if self._open.get(key) is ended:
            del self._open[key]

    async def _look(
        self, interaction: discord.Interaction, admin: Admin, note: str
    ) -> tuple[discord.Embed, discord.ui.View]:
        board = await self._bot.administration.board(admin, MOST_WAITING)
        return queue_cards.board(board, sees_prompts(interaction), note), board_view(board)

    async def _keep(self, interaction: discord.Interaction, admin: Admin, shown: discord.Embed) -> None:
        clock = asyncio.get_running_loop().time
        until = clock() + LIFETIME
        pause = min(FIRST, self.interval)
        while clock() < until:
            await asyncio.sleep(pause)
            pause = min(pause * SLOWING, self.interval)
            note = LIVE if clock() < until else STILL
            try:
                card, view = await self._look(interaction, admin, note)
                if card != shown:
                    await interaction.edit_original_response(embed=card, view=view)
                    shown = card
            except discord.NotFound:
                return  # it was dismissed
            except (discord.HTTPException, aiohttp.ClientError, TimeoutError, StoreError) as error:
                log.info("A board was not refreshed: %s", error)
