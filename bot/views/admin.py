"""What admins press and choose. Everything carries only an id and asks anew whether who pressed is an admin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import discord

from bot import queue_cards, wording
from bot.authority import admin_of, sees_prompts
from bot.errors import tell
from bot.places import SOURCE
from bot.views.id_button import IdButton
from generation.administration import DRAINING, OPEN, PAUSED, Admin, Board, JobCard, parse_priority
from generation.queue import Owner
from store.jobs import FAILED, RUNNING, WAITING

if TYPE_CHECKING:
    from bot.client import DarkroomBot

MODES = (OPEN, PAUSED, DRAINING)  # by the number in a button's id
NOBODY_IN_PARTICULAR = 0


class _AdminButton(IdButton, template=r"darkroom:never-admin:(?P<id>\d+)"):
    """A button that does something for an admin and then shows a sentence in its own message's place."""

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        admin = admin_of(interaction, bot)
        await interaction.response.defer()
        sentence = await self.act(admin, bot)
        await interaction.edit_original_response(content=sentence, embed=None, view=None)

    async def act(self, admin: Admin, bot: DarkroomBot) -> str:
        """What it does; the sentence that tells of it."""
        raise NotImplementedError


class CancelJob(_AdminButton, template=r"darkroom:admin-cancel:(?P<id>\d+)"):
    """Cancels anybody's job."""

    ACT, LABEL, STYLE = "admin-cancel", "Cancel it", discord.ButtonStyle.danger

    async def act(self, admin: Admin, bot: DarkroomBot) -> str:
        await bot.administration.cancel(admin, self.row_id)
        return f"Job {self.row_id} is cancelled."


class CancelUser(_AdminButton, template=r"darkroom:admin-cancel-user:(?P<id>\d+)"):
    """Cancels all jobs of a person, by Discord's id."""

    ACT, LABEL, STYLE = "admin-cancel-user", "Cancel them all", discord.ButtonStyle.danger

    async def act(self, admin: Admin, bot: DarkroomBot) -> str:
        user = bot.get_user(self.row_id)
        who = Owner(source=SOURCE, external_id=str(self.row_id), name="" if user is None else user.display_name)
        count = await bot.administration.cancel_of(admin, who)
        return f"{wording.counted(count, 'job')} of <@{self.row_id}> {'is' if count == 1 else 'are'} cancelled."


class CancelAll(_AdminButton, template=r"darkroom:admin-cancel-all:(?P<id>\d+)"):
    """Cancels everything."""

    ACT, LABEL, STYLE = "admin-cancel-all", "Cancel everything", discord.ButtonStyle.danger

    async def act(self, admin: Admin, bot: DarkroomBot) -> str:
        count = await bot.administration.cancel_everything(admin)
        return f"{wording.counted(count, 'job')} {'is' if count == 1 else 'are'} cancelled."


class Keep(_AdminButton, template=r"darkroom:admin-keep:(?P<id>\d+)"):
    """Does nothing after all."""

    ACT, LABEL = "admin-keep", "Leave it"

    async def act(self, admin: Admin, bot: DarkroomBot) -> str:
        return "Nothing was changed."


class ToFront(_AdminButton, template=r"darkroom:admin-front:(?P<id>\d+)"):
    """Lets a waiting job start first."""

    ACT, LABEL = "admin-front", "To the front"

    async def act(self, admin: Admin, bot: DarkroomBot) -> str:
        await bot.administration.to_front(admin, self.row_id)
        return f"Job {self.row_id} starts next."


class RetryJob(_AdminButton, template=r"darkroom:admin-retry:(?P<id>\d+)"):
    """Lets a failed job run again."""

    ACT, LABEL = "admin-retry", "Retry"

    async def act(self, admin: Admin, bot: DarkroomBot) -> str:
        return await retried(admin, self.row_id, bot)


class AskPriority(IdButton, template=r"darkroom:admin-priority:(?P<id>\d+)"):
    """Asks for a priority."""

    ACT, LABEL = "admin-priority", "Priority …"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        admin_of(interaction, bot)
        await interaction.response.send_modal(PriorityForm(self.row_id))


class AskCancel(IdButton, template=r"darkroom:admin-ask-cancel:(?P<id>\d+)"):
    """Asks whether the job is to be cancelled."""

    ACT, LABEL, STYLE = "admin-ask-cancel", "Cancel …", discord.ButtonStyle.danger

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        admin = admin_of(interaction, bot)
        await interaction.response.defer()
        card = await bot.administration.job(admin, self.row_id)
        embed = queue_cards.job(card, sees_prompts(interaction))
        await interaction.edit_original_response(
            content="Cancel this job?", embed=embed, view=confirm(CancelJob(self.row_id))
        )


class RefreshBoard(IdButton, template=r"darkroom:admin-board:(?P<id>\d+)"):
    """Shows the board as it is now, which refreshes by itself again."""

    ACT, LABEL = "admin-board", "Refresh"

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        admin_of(interaction, bot)
        await interaction.response.defer()
        await bot.boards.show(interaction)


class SetMode(IdButton, template=r"darkroom:admin-mode:(?P<id>[0-2])"):
    """Opens, pauses or drains the queue, and shows the board."""

    ACT, LABEL = "admin-mode", "Mode"
    LABELS = ("Resume", "Pause", "Drain")

    def __init__(self, row_id: int) -> None:
        super().__init__(row_id)
        self.item.label = self.LABELS[row_id]

    async def pressed(self, interaction: discord.Interaction, bot: DarkroomBot) -> None:
        admin = admin_of(interaction, bot)
        await interaction.response.defer()
        await bot.administration.set_mode(admin, MODES[self.row_id])
        await bot.boards.show(interaction)


class PickJob(discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]], template=r"darkroom:admin-pick"):
    """A menu of the jobs on the board; a choice shows what can be done with one."""

    def __init__(self, options: list[discord.SelectOption]) -> None:
        super().__init__(
            discord.ui.Select(custom_id="darkroom:admin-pick", placeholder="Do something with a job …", options=options)
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The menu again, with the options that its message has."""
        return cls(cast("discord.ui.Select[discord.ui.View]", item).options)

    async def callback(self, interaction: discord.Interaction) -> None:
        """Show the chosen job to who chose it; an error becomes a sentence for them."""
        bot = cast("DarkroomBot", interaction.client)
        try:
            admin = admin_of(interaction, bot)
            await interaction.response.defer(ephemeral=True, thinking=True)
            card = await bot.administration.job(admin, int(self.item.values[0]))
            embed = queue_cards.job(card, sees_prompts(interaction))
            await interaction.edit_original_response(embed=embed, view=job_view(card))
        except Exception as error:  # noqa: BLE001  # an edge, as in `IdButton`
            await tell(interaction, error)


class PriorityForm(discord.ui.Modal, title="Priority"):
    """Asks for a number."""

    priority = discord.ui.TextInput["PriorityForm"](
        label="-100 to 100; 0 is usual, lower runs first", max_length=10, placeholder="0", custom_id="priority"
    )

    def __init__(self, job_id: int) -> None:
        super().__init__(custom_id=f"darkroom:priority-form:{job_id}")
        self._job = job_id

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Move the job, and say so in place of what was shown."""
        bot = cast("DarkroomBot", interaction.client)
        admin = admin_of(interaction, bot)
        priority = parse_priority(self.priority.value)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await bot.administration.set_priority(admin, self._job, priority)
        await interaction.edit_original_response(content=f"Job {self._job} has priority {priority}.")

    async def on_error(  # type: ignore[override]  # discord.py's own forms differ from its views in this
        self, interaction: discord.Interaction, error: Exception
    ) -> None:
        """An error becomes a sentence for who filled the form in."""
        await tell(interaction, error)


BUTTONS = (
    CancelJob, CancelUser, CancelAll, Keep, ToFront, RetryJob, AskPriority, AskCancel, RefreshBoard, SetMode, PickJob,
)  # fmt: skip


async def retried(admin: Admin, job_id: int, bot: DarkroomBot) -> str:
    """Let a failed job run again and keep its message true; the sentence that tells of it."""
    again = await bot.administration.retry(admin, job_id)
    bot.delivery.follow(again)
    return f"Job {job_id} runs again, as job {again.id}."


def confirm(button: IdButton) -> discord.ui.View:
    """The row under a question: the act, and not to."""
    return discord.ui.View(timeout=None).add_item(button).add_item(Keep(NOBODY_IN_PARTICULAR))


def board_view(board: Board) -> discord.ui.View:
    """What can be done from the board."""
    view = discord.ui.View(timeout=None)
    _offer(view, [*board.running, *board.first])
    view.add_item(RefreshBoard(NOBODY_IN_PARTICULAR))
    for number, mode in enumerate(MODES):
        if mode != board.mode:
            view.add_item(SetMode(number))
    return view


def quarantine_view(cards: Sequence[JobCard]) -> discord.ui.View:
    """A menu of the jobs in quarantine."""
    view = discord.ui.View(timeout=None)
    _offer(view, cards)
    return view


def _offer(view: discord.ui.View, cards: Sequence[JobCard]) -> None:
    if cards:
        options = [discord.SelectOption(label=queue_cards.option(card), value=str(card.id)) for card in cards[:25]]
        view.add_item(PickJob(options))


def job_view(card: JobCard) -> discord.ui.View:
    """What can be done with a job."""
    view = discord.ui.View(timeout=None)
    if card.state == WAITING:
        view.add_item(ToFront(card.id)).add_item(AskPriority(card.id))
    if card.state in {WAITING, RUNNING}:
        view.add_item(AskCancel(card.id))
    if card.state == FAILED:
        view.add_item(RetryJob(card.id))
    return view
