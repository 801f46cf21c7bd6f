"""Who may see which pictures and turns: the one place where that is decided.

Two rules, the same for both. What is private reaches only its owner, and only where nobody reads along. All
else is told where it was said and shown: in its own channel, or in a thread of it; its owner, alone, is told of
it anywhere. Other servers, other channels and other front ends never hear of it. Deleted rows are not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, false, not_, or_, select

from store.tables import conversations, jobs, people, pictures, runs, turns


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who is to be told something, and where.

    Args:
        source: the front end.
        person: by which id it knows them.
        guild: the server; None outside one.
        channels: the channel where the answer will stand, then those whose talk belongs to it (a thread's parent).
        alone: nobody else will read the answer.
    """

    source: str
    person: str
    guild: str | None
    channels: tuple[str, ...]
    alone: bool = False


def pictures_seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """Which rows of `pictures` the viewer may be told of."""
    place = select(jobs.c.conversation_id).join(runs, runs.c.job_id == jobs.c.id).where(runs.c.id == pictures.c.run_id)
    told_here = and_(not_(pictures.c.private), place.scalar_subquery().in_(_conversations(viewer)))
    return or_(told_here, pictures.c.person_id == _me(viewer)) if viewer.alone else told_here


def turns_seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """Which rows of `turns` the viewer may be told of."""
    told_here = and_(not_(turns.c.private), turns.c.conversation_id.in_(_conversations(viewer)))
    mine = or_(turns.c.person_id == _me(viewer), turns.c.to_id == _me(viewer))
    return or_(told_here, mine) if viewer.alone else told_here


def is_own(viewer: Viewer) -> ColumnElement[bool]:
    """Which rows of `pictures` are the viewer's."""
    return pictures.c.person_id == _me(viewer)


def _me(viewer: Viewer) -> ScalarSelect[Any]:
    found = select(people.c.id).where(people.c.source == viewer.source, people.c.external_id == viewer.person)
    return found.scalar_subquery()


def _conversations(viewer: Viewer) -> Select[Any]:
    """The conversations whose talk may be repeated where the answer will stand."""
    same_guild = conversations.c.guild.is_(None) if viewer.guild is None else conversations.c.guild == viewer.guild
    there = conversations.c.channel.in_(viewer.channels) if viewer.channels else false()
    return select(conversations.c.id).where(conversations.c.source == viewer.source, same_guild, there)
