"""How the queue looks: a person's own part of it, the admins' board, limits, statistics, the audit log.

Each is one embed within Discord's limits. Draws no picture, sends nothing.
"""

from __future__ import annotations

import string
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import discord

from bot import wording
from bot.cards import RUNNING_COLOUR, WAITING_COLOUR
from generation.administration import DRAINING, OPEN, PAUSED, Board, JobCard, MyQueue
from generation.events import STARTING, Loading, Ready
from generation.limits import Allowance
from generation.pictures.draw import percent
from generation.stats import HOUR, Stats
from store.audit import Entry
from store.jobs import RUNNING, WAITING
from store.rules import EVERYONE, ROLE, Block, LimitRow

DESCRIPTION_LIMIT = 4_000  # characters; Discord takes 4,096
NAME_LIMIT, WORKER_LIMIT, PROMPT_LIMIT, REASON_LIMIT = 32, 60, 60, 150
MOST_RUNNING = 12  # lines of the board
ROUNDED = 15  # seconds; a time shown to come moves no more often than it must
HIDDEN = "*(its words are not shown here)*"
PLOT_NAME = "queue.png"

MODES = {
    OPEN: "Open",
    PAUSED: "Paused: nothing more starts, requests wait",
    DRAINING: "Draining: no new requests are taken",
}
LIMIT_NAMES = {
    "waiting": "waiting", "running": "running", "steps": "steps", "side": "pixels a side", "per_day": "a day",
    "weight": "weight",
}  # fmt: skip


# --- a person's own part -----------------------------------------------------------------------


def mine(queue: MyQueue) -> discord.Embed:
    """A person's jobs, their share and what they may have."""
    lines = [f"{_number(card)} {_shown(card)}\n{_when(card)}" for card in queue.jobs]
    if queue.total > len(queue.jobs):
        lines.append(f"and {queue.total - len(queue.jobs):,} more")
    if not lines:
        lines = ["Nothing of yours waits or runs. `/imagine` asks for a picture."]
    card = discord.Embed(title="Your pictures on their way", description=_joined(lines, "\n\n"), colour=WAITING_COLOUR)
    if queue.share is not None:
        others = queue.people - 1
        beside = f"beside {wording.counted(others, 'other person')}" if others else "nobody else is waiting"
        beside = beside.replace("persons", "people")
        card.add_field(name="Your share now", value=f"{percent(queue.share)}, {beside}")
    allowed = None if queue.allowed is None else _allowed(queue.allowed)
    if allowed:
        card.add_field(name="What you may have", value=allowed)
    return card


def _allowed(allowed: Allowance) -> str:
    lines = []
    for limits, where in ((allowed.everywhere, ""), (allowed.here, " on this server")):
        known = [
            f"{value:g} {LIMIT_NAMES[name]}"
            for name in ("waiting", "running", "per_day", "steps", "side")
            if (value := getattr(limits, name)) is not None
        ]
        if known:
            lines.append(f"at most {', '.join(known)}{where}")
    if allowed.left_today is not None:
        lines.append(f"{wording.counted(allowed.left_today, 'picture')} left today")
    return "\n".join(lines)


# --- the board ---------------------------------------------------------------------------------


def board(shown: Board, sees: Callable[[JobCard], bool], note: str = "") -> discord.Embed:
    """What runs in which lane and what waits; `note` stands below."""
    lines = [f"**{MODES[shown.mode]}**", *(_by_worker(shown, sees) if shown.workers else _lanes(shown, sees))]
    lines += ["", f"**{shown.waiting:,} waiting**"]
    lines += [_job(card, sees) for card in shown.first]
    if shown.waiting > len(shown.first):
        lines.append(f"and {shown.waiting - len(shown.first):,} more")
    if shown.quarantined:
        lines += ["", f"{wording.counted(shown.quarantined, 'job')} in quarantine: `/admin quarantine`"]
    colour = RUNNING_COLOUR if shown.running else WAITING_COLOUR
    shown_as = discord.Embed(title="The queue", description=_joined(lines), colour=colour)
    return shown_as.set_footer(text=note) if note else shown_as


def _lanes(shown: Board, sees: Callable[[JobCard], bool]) -> list[str]:
    """The one worker and its lanes."""
    lines = [f"Worker: {_state(shown.readiness)}", ""]
    lines += [f"Lane {lane} · {_job(card, sees)}" for lane, card in enumerate(shown.running[:MOST_RUNNING], 1)]
    if len(shown.running) > MOST_RUNNING:
        lines.append(f"and {len(shown.running) - MOST_RUNNING:,} more run")
    return lines + _free(shown.readiness, shown.busy)


def _by_worker(shown: Board, sees: Callable[[JobCard], bool]) -> list[str]:
    """Each worker with its lanes; one that runs nothing of what the admin manages is named all the same."""
    lines, left = [], {card.id: card for card in shown.running}
    for worker in shown.workers:
        lines += ["", f"**{wording.shown(worker.name, WORKER_LIMIT)}**: {_state(worker.state)}"]
        for lane, number in enumerate(worker.jobs, 1):
            card = left.pop(number, None)
            if card is not None and lane <= MOST_RUNNING:
                lines.append(f"Lane {lane} · {_job(card, sees)}")
        lines += _free(worker.state, len(worker.jobs))
    return lines + [f"On its way to a worker · {_job(card, sees)}" for card in list(left.values())[:MOST_RUNNING]]


def _free(state: Loading | Ready | None, busy: int) -> list[str]:
    free = state.lanes - busy if isinstance(state, Ready) else 0
    return [f"{wording.counted(free, 'lane')} free"] if free > 0 else []


def quarantine(cards: Sequence[JobCard], count: int, sees: Callable[[JobCard], bool]) -> discord.Embed:
    """The jobs that were given up since workers died on them."""
    lines = []
    for card in cards:
        ended = f" <t:{int(card.ended_at)}:R>" if card.ended_at is not None else ""
        log = f" · reference `{card.reference}`" if card.reference else ""
        model = f" · {wording.shown(card.request.model, NAME_LIMIT)}" if card.request is not None else ""
        lines.append(f"{_job(card, sees)}{model} · {wording.counted(card.deaths, 'worker')} died{ended}{log}")
    if count > len(cards):
        lines.append(f"and {count - len(cards):,} more")
    if not lines:
        lines = ["Nothing is in quarantine: no picture has ended its worker twice."]
    else:
        lines += ["", "A retry runs alone, and is given up if its worker ends once more."]
    return discord.Embed(title="Quarantine", description=_joined(lines), colour=WAITING_COLOUR)


def job(card: JobCard, sees: Callable[[JobCard], bool]) -> discord.Embed:
    """One job, for an admin."""
    lines = [_job(card, sees), f"Priority {card.priority} (0 is usual, lower runs first)"]
    if card.reason:
        lines.append(wording.escaped(wording.shortened(card.reason, REASON_LIMIT)))
    if card.reference:
        lines.append(f"Reference `{card.reference}`")
    return discord.Embed(title=f"Job {card.id}", description=_joined(lines), colour=WAITING_COLOUR)


def option(card: JobCard) -> str:
    """A job in a menu: never its words, since whoever is offered them need not be allowed to read them."""
    return wording.shortened(f"{card.id} · {card.person} · {card.state}", 100)


def _state(state: Loading | Ready | None) -> str:
    match state:
        case None:
            return STARTING
        case Loading(what=what):
            return what
        case Ready() as ready:
            lanes = wording.counted(ready.lanes, "lane")
            models = ", ".join(ready.models)
            return f"{ready.device}, {ready.dtype}, {lanes}, {wording.escaped(wording.shortened(models, 200))}"


def _job(card: JobCard, sees: Callable[[JobCard], bool]) -> str:
    parts = [_number(card), wording.shown(card.person, NAME_LIMIT), _when(card)]
    if card.priority:
        parts.append(f"priority {card.priority}")
    if card.request is not None:
        parts.append(f"{card.request.steps} steps {card.request.width}×{card.request.height}")
    parts.append(_shown(card) if sees(card) else HIDDEN)
    return " · ".join(parts)


def _number(card: JobCard) -> str:
    return f"**#{card.id}**"


def _shown(card: JobCard) -> str:
    return "(cannot be read)" if card.request is None else wording.shown(card.request.prompt, PROMPT_LIMIT)


def _when(card: JobCard) -> str:
    if card.state == RUNNING:
        if card.progress is None:
            return "starting"
        left = wording.duration(card.progress.seconds_left)
        return f"step {card.progress.step} of {card.progress.steps}, about {left} left"
    if card.state != WAITING:
        return card.state
    before = "next in line" if not card.before else f"{wording.counted(card.before, 'picture')} first"
    if card.seconds is None:
        return before
    at = round((time.time() + card.seconds) / ROUNDED + 0.5) * ROUNDED
    return f"{before}, ready <t:{at}:R>"


# --- limits, statistics, audit -----------------------------------------------------------------


def rules(limits: Sequence[LimitRow], blocks: Sequence[Block], *, everywhere: bool) -> discord.Embed:
    """What is set, and for whom."""
    where = "everywhere" if everywhere else "on this server; elsewhere other rules hold"
    lines = [f"These hold {where}.", ""]
    lines += [f"{_whose(row)}: {_set(row)}" for row in limits] or ["No limits are set."]
    if blocks:
        lines += ["", "**Blocked**"]
        for block in blocks:
            why = f": {wording.shown(block.reason, REASON_LIMIT)}" if block.reason else ""
            lines.append(f"<@{block.external_id}>{why}")
    return discord.Embed(title="Limits", description=_joined(lines), colour=WAITING_COLOUR)


def _whose(row: LimitRow) -> str:
    if row.kind == EVERYONE:
        return "Everyone"
    return f"<@&{row.subject}>" if row.kind == ROLE else f"<@{row.subject.partition(':')[2]}>"


def _set(row: LimitRow) -> str:
    known = [(text, getattr(row, name)) for name, text in LIMIT_NAMES.items()]
    return ", ".join(f"{text} {value:g}" for text, value in known if value is not None)


def stats(figures: Stats, names: Mapping[int, str]) -> discord.Embed:
    """The figures, and what the letters and numbers of the plot stand for; the plot is attached as `PLOT_NAME`."""
    hours = round(figures.seconds / HOUR)
    title = f"The last {wording.counted(hours // 24, 'day') if hours > 24 else '24 hours'}"
    lines = [
        f"{wording.counted(figures.done, 'picture')} made, {figures.failed:,} failed, {figures.cancelled:,} cancelled"
    ]
    if figures.median_wait is not None:
        long = "" if figures.long_wait is None else f"; nine of ten less than {wording.duration(figures.long_wait)}"
        lines.append(f"People waited {wording.duration(figures.median_wait)} (median){long}")
    if figures.reasons:
        lines += ["", "**Failures by reason**"]
        for letter, (reason, count) in zip(string.ascii_uppercase, figures.reasons, strict=False):
            lines.append(f"{letter}. {wording.escaped(wording.shortened(reason, REASON_LIMIT))} ({count:,})")
    if figures.shares:
        lines += ["", "**Share per person**"]
        for place, (person, share) in enumerate(figures.shares, 1):
            lines.append(f"{place}. {wording.shown(names.get(person, 'somebody'), NAME_LIMIT)}: {percent(share)}")
    card = discord.Embed(title=title, description=_joined(lines), colour=WAITING_COLOUR)
    return card.set_image(url=f"attachment://{PLOT_NAME}")


def audit(entries: Iterable[Entry]) -> discord.Embed:
    """What admins have done, the newest first."""
    lines = []
    for entry in entries:
        parts = [f"<t:{int(entry.created_at)}:f> {wording.shown(entry.actor_name, NAME_LIMIT)}: **{entry.act}**"]
        parts += [wording.escaped(text) for text in (entry.subject, entry.detail) if text]
        lines.append(wording.shortened(" · ".join(parts), 400))
    description = _joined(lines) if lines else "No admin has done anything yet."
    return discord.Embed(title="Audit log", description=description, colour=WAITING_COLOUR)


def _joined(lines: Sequence[str], between: str = "\n") -> str:
    """As many lines as fit, and how many do not."""
    kept, length = 0, 0
    while kept < len(lines) and (length := length + len(lines[kept]) + len(between)) <= DESCRIPTION_LIMIT:
        kept += 1
    left = [] if kept == len(lines) else [f"and {len(lines) - kept:,} more lines"]
    return between.join([*lines[:kept], *left])
