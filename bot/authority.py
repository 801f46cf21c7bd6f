"""Who may manage the queue, how far it reaches, and whose prompts they see.

Discord hides `/admin` from members who may not manage the server; this is the check that counts. An act
reaches beyond the admin's own server only from the home server, or by the application's owner or team.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import discord

from bot.errors import NotAllowed
from bot.places import owner_of
from generation.administration import Admin, JobCard

if TYPE_CHECKING:
    from bot.client import DarkroomBot

ON_A_SERVER = "That works on a server only, not in a direct message."
FORBIDDEN = "Only members with the permission Manage Server can do that."


def admin_of(interaction: discord.Interaction, bot: DarkroomBot) -> Admin:
    """The admin who typed or pressed.

    Raises:
        NotAllowed: they are none.
    """
    if interaction.guild_id is None:
        raise NotAllowed(ON_A_SERVER)
    if not interaction.permissions.manage_guild:
        raise NotAllowed(FORBIDDEN)
    everywhere = _is_home(bot, interaction.guild_id) or _is_operator(bot, interaction.user.id)
    return Admin(owner=owner_of(interaction), guild=str(interaction.guild_id), everywhere=everywhere)


def sees_prompts(interaction: discord.Interaction) -> Callable[[JobCard], bool]:
    """Whether who typed or pressed may read what a job asks for: it stands in a channel that they can see."""
    guild, member = interaction.guild, interaction.user

    def sees(card: JobCard) -> bool:
        if guild is None or not isinstance(member, discord.Member) or card.private or card.channel is None:
            return False
        channel = guild.get_channel_or_thread(int(card.channel)) if card.guild == str(guild.id) else None
        if channel is None:
            return False
        may = channel.permissions_for(member)
        hidden = isinstance(channel, discord.Thread) and channel.is_private()
        return may.view_channel and (not hidden or may.manage_threads)

    return sees


def _is_home(bot: DarkroomBot, guild_id: int) -> bool:
    home = bot.settings.home_server
    return len(bot.guilds) == 1 if home is None else guild_id == home


def _is_operator(bot: DarkroomBot, user_id: int) -> bool:
    application = bot.application
    if application is None:
        return False
    team = application.team
    return user_id == application.owner.id if team is None else user_id in {member.id for member in team.members}
