"""Questions with buttons under them that only who was asked may decide, such as whether to paint or to compare.

What waits for the decision is kept in memory, for as long as Discord lets the question be answered; the buttons carry
only its number. A restart forgets all of it, and a press then says so. Knows neither pictures nor experiments.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import discord

from bot.errors import NotAllowed, NotThere
from bot.places import owner_of

LIFETIME = 14 * 60.0  # seconds; the interaction that the question answers lives for 15 minutes
MOST = 1_000  # the oldest gives way

_Content = TypeVar("_Content")


@dataclass(frozen=True)
class Question(Generic[_Content]):
    """A question that nobody has decided."""

    content: _Content  # what waits
    person: str  # Discord's id of who was asked
    asked: discord.Interaction  # whose answer asks
    until: float  # on the questions' clock


class OpenQuestions(Generic[_Content]):
    """The questions of one kind that stand open.

    `expired` tells who presses too late what to do, `others` who was not asked that it is not theirs to decide.
    """

    def __init__(self, *, expired: str, others: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._expired = expired
        self._others = others
        self._clock = clock
        self._open: dict[int, Question[_Content]] = {}

    def open(self, interaction: discord.Interaction, content: _Content) -> int:
        """Keep what waits for this person's decision; returns the number for the buttons."""
        number = secrets.randbits(63)  # unknown to a question of an earlier process
        person = owner_of(interaction).external_id
        self._keep(number, Question(content, person, interaction, self._clock() + LIFETIME))
        return number

    def content(self, interaction: discord.Interaction, number: int) -> _Content:
        """What waits there.

        Raises:
            NotThere: the question is too old, or decided already.
            NotAllowed: another person was asked.
        """
        return self._question(interaction, number).content

    @contextlib.asynccontextmanager
    async def decided(self, interaction: discord.Interaction, number: int) -> AsyncIterator[_Content]:
        """What waits there, taken out at once, so that a second press does nothing twice.

        Where the body fails it waits again; else the question goes away.

        Raises:
            NotThere, NotAllowed: as `content`.
        """
        question = self._question(interaction, number)
        del self._open[number]
        try:
            yield question.content
        except BaseException:
            self._keep(number, question)
            raise
        await _take_away(question.asked)

    async def drop(self, interaction: discord.Interaction, number: int) -> None:
        """Forget what waits, and take the question away."""
        question = self._open.pop(number, None)
        await interaction.response.defer()
        await _take_away(question.asked if question else interaction)

    def _keep(self, number: int, question: Question[_Content]) -> None:
        self._open[number] = question
        while len(self._open) > MOST:
            del self._open[next(iter(self._open))]

    def _question(self, interaction: discord.Interaction, number: int) -> Question[_Content]:
        question = self._open.get(number)
        if question is None or question.until < self._clock():
            self._open.pop(number, None)
            raise NotThere(self._expired)
        if question.person != owner_of(interaction).external_id:
            raise NotAllowed(self._others)
        return question


async def _take_away(asked: discord.Interaction) -> None:
    with contextlib.suppress(discord.HTTPException):  # it is gone, or its token is
        await asked.delete_original_response()
