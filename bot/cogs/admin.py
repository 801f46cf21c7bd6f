"""`/admin`: managing the queue. Parses and answers; what is done stands in `generation.administration`.

Discord offers the group to members who may manage the server; `interaction_check` asks again. No limits are
declared to Discord for numbers: our sentences say what would be right.
"""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot import queue_cards, wording
from bot.authority import admin_of, sees_prompts
from bot.errors import NotAllowed
from bot.places import SOURCE, known_as
from bot.views.admin import CancelAll, CancelJob, CancelUser, confirm, quarantine_view, retried
from bot.views.id_button import IdButton
from generation.administration import DRAINING, OPEN, PAUSED, Admin
from generation.errors import ActRefused
from generation.pictures.queue_plot import draw_stats
from store.jobs import FAILED, RUNNING, WAITING
from store.rules import EVERYONE, PERSON, ROLE, subject_of

if TYPE_CHECKING:
    from bot.client import DarkroomBot

MOST_CHOICES = 25  # Discord's limit for autocomplete
MOST_ENTRIES = 20  # of the audit log at once
MOST_QUARANTINED = 15  # jobs shown at once


@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.default_permissions(manage_guild=True)
class AdminCog(commands.GroupCog, name="Admin", group_name="admin", group_description="Manage the queue"):
    """The commands of admins."""

    def __init__(self, bot: DarkroomBot) -> None:
        super().__init__()
        self._bot = bot
        self._admin = bot.administration

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Whether who typed is an admin, whatever Discord's own command permissions say."""
        try:
            admin_of(interaction, self._bot)
        except NotAllowed as error:
            missing = interaction.guild_id is not None
            raise (
                app_commands.MissingPermissions(["manage_guild"]) if missing else app_commands.NoPrivateMessage()
            ) from error
        return True

    # --- the whole queue -----------------------------------------------------------------------

    @app_commands.command(description="What runs and waits, live")
    async def queue(self, interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._bot.boards.show(interaction)

    @app_commands.command(description="Let nothing more start; what runs is finished, requests wait")
    async def pause(self, interaction: discord.Interaction) -> None:
        await self._mode(interaction, PAUSED, "The queue is paused: what runs is finished, nothing more starts.")

    @app_commands.command(description="Go on as usual after a pause or a drain")
    async def resume(self, interaction: discord.Interaction) -> None:
        await self._mode(interaction, OPEN, "The queue is open.")

    @app_commands.command(description="Take no new requests, but finish all that waits and runs")
    async def drain(self, interaction: discord.Interaction) -> None:
        await self._mode(interaction, DRAINING, "No new requests are taken; what waits and runs is finished.")

    async def _mode(self, interaction: discord.Interaction, mode: str, sentence: str) -> None:
        admin = await self._begin(interaction)
        await self._admin.set_mode(admin, mode)
        await interaction.edit_original_response(content=sentence)

    # --- jobs ----------------------------------------------------------------------------------

    @app_commands.command(description="Cancel one job, whoever it belongs to")
    @app_commands.describe(job="Its number, as /admin queue shows it")
    async def cancel(self, interaction: discord.Interaction, job: int) -> None:
        admin = await self._begin(interaction)
        card = await self._admin.job(admin, job)
        if card.state not in {WAITING, RUNNING}:
            raise ActRefused(f"Job {job} has ended already.")
        embed = queue_cards.job(card, sees_prompts(interaction))
        await self._ask(interaction, "Cancel this job?", CancelJob(job), embed)

    @app_commands.command(name="cancel-user", description="Cancel all jobs of one person")
    async def cancel_user(self, interaction: discord.Interaction, user: discord.User) -> None:
        admin = await self._begin(interaction)
        count = await self._admin.unended(admin, known_as(user))
        if not count:
            raise ActRefused("Nothing of theirs waits or runs.")
        await self._ask(interaction, f"Cancel {wording.counted(count, 'job')} of {user.mention}?", CancelUser(user.id))

    @app_commands.command(name="cancel-all", description="Cancel everything that runs and waits")
    async def cancel_all(self, interaction: discord.Interaction) -> None:
        admin = await self._begin(interaction)
        count = await self._admin.unended(admin)
        if not count:
            raise ActRefused("Nothing waits or runs.")
        where = "" if admin.everywhere else " of this server"
        await self._ask(interaction, f"Cancel {wording.counted(count, 'job')}{where}?", CancelAll(0))

    @app_commands.command(description="Let a waiting job start before all others")
    @app_commands.describe(job="Its number, as /admin queue shows it")
    async def front(self, interaction: discord.Interaction, job: int) -> None:
        admin = await self._begin(interaction)
        await self._admin.to_front(admin, job)
        await interaction.edit_original_response(content=f"Job {job} starts next.")

    @app_commands.command(description="Let a waiting job start earlier or later than others")
    @app_commands.describe(job="Its number", value="-100 to 100; 0 is usual, lower runs first")
    async def priority(self, interaction: discord.Interaction, job: int, value: int) -> None:
        admin = await self._begin(interaction)
        await self._admin.set_priority(admin, job, value)
        await interaction.edit_original_response(content=f"Job {job} has priority {value}.")

    @app_commands.command(description="Let a failed job run again")
    @app_commands.describe(job="Its number")
    async def retry(self, interaction: discord.Interaction, job: int) -> None:
        admin = await self._begin(interaction)
        await interaction.edit_original_response(content=await retried(admin, job, self._bot))

    @app_commands.command(description="Jobs that were given up since they ended their worker twice; retry one")
    async def quarantine(self, interaction: discord.Interaction) -> None:
        admin = await self._begin(interaction)
        cards, count = await self._admin.quarantine(admin, MOST_QUARANTINED)
        embed = queue_cards.quarantine(cards, count, sees_prompts(interaction))
        await interaction.edit_original_response(embed=embed, view=quarantine_view(cards))

    @cancel.autocomplete("job")
    @front.autocomplete("job")
    @priority.autocomplete("job")
    async def _unended(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[int]]:
        return await self._choices(interaction, typed, (RUNNING, WAITING))

    @retry.autocomplete("job")
    async def _failed(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[int]]:
        return await self._choices(interaction, typed, (FAILED,))

    # --- people --------------------------------------------------------------------------------

    @app_commands.command(description="Show or set what may be asked for: of everyone, a role or a person")
    @app_commands.describe(
        role="Set it for those who have this role; of several the most generous counts",
        user="Set it for this person, whatever their roles",
        waiting="Pictures that one person may have waiting at once; 0 allows nothing",
        running="Pictures of one person that are made at once",
        per_day="Pictures in any 24 hours, without those that came to nothing",
        steps="Steps of one picture",
        side="Pixels of a picture's longer side",
        weight="Share beside others; 1 is usual, 2 is twice as much",
        clear="Take all limits back that are set there",
    )
    async def limits(
        self,
        interaction: discord.Interaction,
        role: discord.Role | None = None,
        user: discord.User | None = None,
        waiting: int | None = None,
        running: int | None = None,
        per_day: int | None = None,
        steps: int | None = None,
        side: int | None = None,
        weight: float | None = None,
        clear: bool = False,
    ) -> None:
        admin = await self._begin(interaction)
        given = {
            "waiting": waiting, "running": running, "per_day": per_day, "steps": steps, "side": side, "weight": weight,
        }  # fmt: skip
        values = {name: value for name, value in given.items() if value is not None}
        kind, subject = _whose(role, user)
        if clear and values:
            raise ActRefused("Either set limits or clear them, not both at once.")
        if clear:
            await self._admin.clear_limits(admin, kind, subject)
        elif values:
            await self._admin.set_limits(admin, kind, subject, values)
        limits, blocks = await self._admin.rules(admin)
        await interaction.edit_original_response(embed=queue_cards.rules(limits, blocks, everywhere=admin.everywhere))

    @app_commands.command(description="Let a person ask for no pictures any more")
    @app_commands.describe(reason="They are told it")
    async def block(self, interaction: discord.Interaction, user: discord.User, reason: str = "") -> None:
        admin = await self._begin(interaction)
        await self._admin.block(admin, known_as(user), reason)
        sentence = f"{user.mention} is blocked."
        count = await self._admin.unended(admin, known_as(user))
        if not count:
            await interaction.edit_original_response(content=sentence)
            return
        question = f"{sentence} Cancel {wording.counted(count, 'job')} of theirs too?"
        await self._ask(interaction, question, CancelUser(user.id))

    @app_commands.command(description="Let a blocked person ask again")
    async def unblock(self, interaction: discord.Interaction, user: discord.User) -> None:
        admin = await self._begin(interaction)
        await self._admin.unblock(admin, known_as(user))
        await interaction.edit_original_response(content=f"{user.mention} may ask for pictures again.")

    # --- looking back --------------------------------------------------------------------------

    @app_commands.command(description="Waiting time, throughput, failures and shares, with a plot")
    async def stats(self, interaction: discord.Interaction, period: Literal["day", "week"] = "day") -> None:
        admin = await self._begin(interaction)
        figures, names = await self._admin.stats(admin, period)
        plot = await asyncio.to_thread(draw_stats, figures)
        file = discord.File(
            io.BytesIO(plot), queue_cards.PLOT_NAME, description="Throughput, waiting time, failures and shares"
        )
        await interaction.edit_original_response(embed=queue_cards.stats(figures, names), attachments=[file])

    @app_commands.command(description="What admins have done, the newest first")
    @app_commands.describe(page="Older entries are on later pages")
    async def audit(self, interaction: discord.Interaction, page: int = 1) -> None:
        admin = await self._begin(interaction)
        if page < 1:
            raise ActRefused("Pages are counted from 1.")
        entries = await self._admin.acts(admin, MOST_ENTRIES, skip=(page - 1) * MOST_ENTRIES)
        await interaction.edit_original_response(embed=queue_cards.audit(entries))

    # --- inside --------------------------------------------------------------------------------

    async def _begin(self, interaction: discord.Interaction) -> Admin:
        await interaction.response.defer(ephemeral=True, thinking=True)
        return admin_of(interaction, self._bot)

    @staticmethod
    async def _ask(
        interaction: discord.Interaction, question: str, button: IdButton, embed: discord.Embed | None = None
    ) -> None:
        embeds = [] if embed is None else [embed]
        await interaction.edit_original_response(content=question, embeds=embeds, view=confirm(button))

    async def _choices(
        self, interaction: discord.Interaction, typed: str, states: tuple[str, ...]
    ) -> list[app_commands.Choice[int]]:
        try:
            admin = admin_of(interaction, self._bot)
        except NotAllowed:
            return []
        cards = await self._admin.choices(admin, states, MOST_CHOICES)
        return [
            app_commands.Choice(name=queue_cards.option(card), value=card.id)
            for card in cards
            if typed.casefold() in queue_cards.option(card).casefold()
        ]


def _whose(role: discord.Role | None, user: discord.User | None) -> tuple[str, str]:
    if role is not None and user is not None:
        raise ActRefused("Name a role or a person, not both.")
    if user is not None:
        return PERSON, subject_of(SOURCE, str(user.id))
    return (EVERYONE, "") if role is None or role.is_default() else (ROLE, str(role.id))
