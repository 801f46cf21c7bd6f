"""Follows jobs and keeps one message per job true: its place, its progress, at last its picture.

Edits come no faster than the interval and than their channel takes them, and always show the latest state; what
happened in between is left out. What a stopped process did not deliver is taken up at the next start: an edit with
the same letter twice leaves one picture, and before a new message is posted a note is made of it, so that after a
restart the message is looked for first. A message that the bot can change by the interaction's token alone
goes on in the person's direct messages before that token dies. Knows messages only as letters, jobs only
through the studio.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import discord

from bot import cards, letters
from bot.asking import TOKEN_LIFE, Asking, note_in, note_of
from bot.conversation import Conversation
from bot.errors import NotAllowed, explain, new_reference
from bot.marking import Marking
from bot.pacing import GAP, Pacing
from bot.places import (
    MessagePlace,
    direct_place,
    message_place,
    missing_beside,
    missing_permissions,
    owner_in,
    owner_of,
    place_of,
    posting_place,
)
from bot.postbox import Letter, Postbox, Undeliverable
from generation.errors import GenerationError
from generation.events import STARTING, Loading
from generation.experiments import StudyPlan
from generation.queue import FRESH
from generation.request import GenerationRequest
from generation.studio import (
    Job,
    JobCancelled,
    JobDone,
    JobFailed,
    JobProgressed,
    JobStarted,
    JobStudied,
    JobUpdate,
    Origin,
    Place,
    Studio,
)
from store.errors import StoreError
from store.jobs import CANCELLED, DONE, FAILED
from store.rules import PAUSED

log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

FIRST_LOOK = 0.4  # seconds before the first edit: a job that starts at once goes straight to its first step
REFRESH = 15.0  # seconds between looks at a job of which nothing is heard: its place in the queue may have changed
LOOKS_PER_SECOND = 10.0  # at such jobs, all together: where very many wait, each is looked at less often
LOOKS_AT_ONCE = 8
TAKEN_UP_AT_ONCE = 500  # undelivered jobs that are read in one go
TOKEN_MARGIN = 60.0  # seconds before that in which the message goes on elsewhere
STEADY = 0.15  # of the time left, by which a foreseen moment may be wrong before another is shown
STEADY_SECONDS = 5.0  # or by so much
TOO_LARGE = 413, 40005  # HTTP status and code of Discord's for a file over the limit
SMALLEST_LIMIT = 256 * 2**10  # bytes; where Discord calls such files too large, it is no use to make them smaller
RETRY_PAUSES = (2.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)  # seconds; the last one is repeated
SENDING_LIMIT = 5.0  # seconds that the end of the process waits for a letter on its way
NO_REASON = "No picture came of this, and no reason was recorded."
NETWORK_TROUBLE = (aiohttp.ClientError, TimeoutError, ConnectionError)


def will_pass(error: Exception) -> bool:
    """Whether the same call may work later: Discord's own trouble or the network's, not a refusal."""
    return not isinstance(error, discord.HTTPException) or error.status >= 500 or error.status == 429


def steady(shown: float | None, ready_at: float, now: float) -> float:
    """The moment to show: the one that is shown already as long as it is about right, since an edit costs one."""
    if shown is not None and shown > now and abs(ready_at - shown) <= max(STEADY_SECONDS, STEADY * (ready_at - now)):
        return shown
    return ready_at


class _Followed:
    """A job whose message is kept true, with the latest that was heard of it."""

    def __init__(self, job: Job, place: MessagePlace) -> None:
        self.job = job
        self.place = place
        self.latest: JobUpdate | None = None
        self.reachable = True
        self.delivered = False
        self.gives_way = False  # its message is another job's from now on, or goes
        self.ready_at: float | None = None  # as last shown, seconds since 1970
        self._news = asyncio.Event()
        self._end = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self._end.is_set()

    def hear(self, update: JobUpdate) -> None:
        self.latest = update.after(self.latest) if isinstance(update, JobProgressed) else update
        if isinstance(update, JobDone | JobStudied | JobFailed | JobCancelled):
            self.end()
        self._news.set()

    def move(self, place: Place) -> None:
        """Its message is another one from now on."""
        self.job = dataclasses.replace(self.job, place=place)
        moved = message_place(self.job)
        assert moved is not None  # it came from Discord, and so does its new place
        self.place = moved

    def end(self) -> None:
        self._news.set()
        self._end.set()

    @property
    def token_left(self) -> float:
        """Seconds until the message must go on elsewhere, since only the interaction's token can change it."""
        if self.place.bot_sees_it or not self.reachable:
            return math.inf
        return self.job.created_at + TOKEN_LIFE - TOKEN_MARGIN - time.time()

    async def news(self, limit: float) -> None:
        """Wait for news, at most `limit` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, limit)):
                await self._news.wait()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the end. What was heard meanwhile is no news any more: `latest` has it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._end.wait()
        if not self.ended:  # else nobody need wait for more
            self._news.clear()


def _refuse(missing: list[str]) -> None:
    if missing:
        raise NotAllowed(
            f"I cannot show pictures in this channel, as I lack the permission {' and '.join(missing)}; "
            "somebody who manages this server can give it to me in the channel's settings."
        )


async def _finished_first(work: Coroutine[Any, Any, None], limit: float) -> None:
    """Await `work`. A cancellation takes effect when it is finished, or after `limit` seconds.

    A letter that Discord has taken, but of which nothing was noted, would be sent again at the next start.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=limit)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


class Delivery:
    """The messages of all jobs that came from Discord."""

    def __init__(
        self,
        bot: discord.Client,
        studio: Studio,
        conversation: Conversation,
        *,
        interval: float,
        asking: Asking,
        spawn: Spawn = asyncio.create_task,
        marking: Marking | None = None,
    ) -> None:
        """`interval`: seconds between two edits of a message. `spawn` starts a background task."""
        self._asking = asking
        self._pacing = Pacing(min(interval, GAP))
        self._conversation = conversation
        self._marking = marking
        self._studio = studio
        self._postbox = Postbox(bot)
        self._interval = interval
        self._spawn = spawn
        self._followed: dict[int, _Followed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def start(self) -> None:
        """Listen to the studio, and take up what an earlier process did not deliver or did not even take."""
        self._start(self._listen())
        left, taken, after = await self._asking.left(), set(), 0
        while jobs := await self._studio.undelivered(after, TAKEN_UP_AT_ONCE):
            for job in jobs:
                self._follow(job)
            taken |= {place.message_id for job in jobs if (place := message_place(job)) is not None}
            after = jobs[-1].id
        if left:
            self._start(self._asking.mend(left, taken))

    async def close(self) -> None:
        """Stop. What is being delivered at this moment is finished first; all else stays undelivered in the store."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(
        self,
        interaction: discord.Interaction,
        request: GenerationRequest,
        *,
        strip: bool = False,
        origin: Origin = FRESH,
        note: str | None = None,
        study: StudyPlan | None = None,
    ) -> None:
        """Answer the interaction at once, store the request as a job, and keep the answer true from then on.

        `note` stands above it. `study`: make that instead, of which `request` is the heaviest part.

        Raises:
            NotAllowed: the bot may not show pictures there.
            QueueFull: the person has too many jobs waiting; the answer is taken back.
        """
        _refuse(missing_permissions(interaction))
        async with self._asking.noted(note_of(interaction)):
            card = cards.asked(request)
            message = await self._answered(interaction, note, card, private=origin.private)
            place = place_of(interaction, message, with_strip=strip, private=origin.private)
            try:
                if study is not None:
                    job = await self._studio.submit_study(study, owner_of(interaction), place)
                else:
                    job = await self._conversation.submit(request, owner_of(interaction), place, origin)
            except Exception:
                with contextlib.suppress(discord.HTTPException):
                    await interaction.delete_original_response()
                raise
        self._follow(job)

    async def _answered(
        self, interaction: discord.Interaction, note: str | None, card: discord.Embed, *, private: bool
    ) -> int:
        """Answer an interaction, which may have been acknowledged before; the message's id."""
        if interaction.response.is_done():
            return (await interaction.edit_original_response(content=note, embed=card)).id
        answer = await interaction.response.send_message(note, embed=card, ephemeral=private)
        assert answer.message_id is not None  # Discord names the message that it has just made
        return answer.message_id

    async def reply(
        self,
        message: discord.Message,
        request: GenerationRequest,
        origin: Origin,
        note: str | None = None,
        study: StudyPlan | None = None,
    ) -> None:
        """Answer a message with a picture to come. `note` stands above it. `study`: make that instead, as in `ask`.

        Raises:
            NotAllowed: the bot may not show pictures there.
            QueueFull: the person has too many jobs waiting; the answer is taken back.
        """
        _refuse(missing_beside(message))
        reference = message.to_reference(fail_if_not_exists=False)
        card = cards.asked(request)
        async with self._asking.noted(note_in(message)):
            answer = await message.channel.send(note, embed=card, reference=reference, mention_author=False)
            place = Place(
                guild=None if message.guild is None else str(message.guild.id),
                channel=str(message.channel.id),
                message=str(answer.id),
                extra={"bot_sees_it": True},
            )
            try:
                if study is not None:
                    job = await self._studio.submit_study(study, owner_in(message), place)
                else:
                    job = await self._conversation.submit(request, owner_in(message), place, origin)
            except Exception:
                with contextlib.suppress(discord.HTTPException):
                    await answer.delete()
                raise
        self._follow(job)

    async def replace(self, job: Job, request: GenerationRequest, origin: Origin, note: str | None) -> bool:
        """Let another request take the place of a job on its way, in the same message, with `note` above it.

        Returns:
            False where the job has ended by now; then nothing has changed.

        Raises:
            NotAdmitted: it may not be asked for; the old job is cancelled all the same.
        """
        if job.place is None or not await self._called_off(job):
            return False
        message = self._postbox.message(job.place)
        try:
            with contextlib.suppress(discord.NotFound, discord.Forbidden):
                await message.edit(content=note, embed=cards.asked(request))
            fresh = await self._conversation.submit(request, job.owner, job.place, origin)
        except Exception:
            with contextlib.suppress(discord.HTTPException):
                await message.edit(content=None, **letters.ended(cards.ended(job.request, "Cancelled.")).as_edit())
            raise
        self._follow(fresh)
        return True

    async def withdraw(self, job: Job) -> None:
        """Cancel a job on its way, and take its message away."""
        if job.place is not None and await self._called_off(job):
            with contextlib.suppress(discord.NotFound, discord.Forbidden):
                await self._postbox.message(job.place).delete()

    async def _called_off(self, job: Job) -> bool:
        """Cancel a job without a word in its message. False: it has ended."""
        followed = self._followed.get(job.id)
        if followed is not None:
            followed.gives_way = True
        cancelled = await self._studio.cancel(job.id, by=job.owner)
        if followed is not None:
            followed.gives_way = cancelled
        return cancelled

    def follow(self, job: Job) -> None:
        """Keep the message of a job true that nobody has asked for here, such as one that an admin lets run again."""
        self._follow(job)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self) -> None:
        async for update in self._studio.watch():
            if followed := self._followed.get(update.job):
                followed.hear(update)

    def _follow(self, job: Job) -> None:
        place = message_place(job)
        if place is not None and job.id not in self._followed:
            followed = self._followed[job.id] = _Followed(job, place)
            self._start(self._keep(followed))

    async def _keep(self, followed: _Followed) -> None:
        try:
            await self._keep_true(followed)
        except Exception as error:  # noqa: BLE001  # an edge: one job's trouble must not end the others' delivery
            log.error("Job %s stays undelivered for now: %s", followed.job.id, explain(error).sentence)
        finally:
            del self._followed[followed.job.id]

    async def _keep_true(self, followed: _Followed) -> None:
        job = await self._studio.job(followed.job.id)
        if job is None or job.ended:
            followed.end()  # before anybody listened
        clock = asyncio.get_running_loop().time
        shown, shown_at = None, -math.inf
        await followed.pause(min(FIRST_LOOK, self._interval))
        while not followed.ended:
            if followed.token_left <= 0:
                await self._move(followed)
            letter = await self._look(followed, shown)
            if letter is not None:
                shown, shown_at = letter, clock()
            await followed.news(min(self._refresh, followed.token_left))
            await followed.pause(shown_at + self._interval - clock())
        await self._deliver(followed)

    @property
    def _refresh(self) -> float:
        """Seconds between two looks at a job of which nothing is heard."""
        return max(REFRESH, len(self._followed) / LOOKS_PER_SECOND)

    async def _look(self, followed: _Followed, shown: Letter | None) -> Letter | None:
        """Show the job as it stands, if that is anything new: what was shown then."""
        try:
            if not isinstance(followed.latest, JobProgressed):  # else there is something new for certain
                async with self._looks:
                    letter = await self._letter(followed)
                if letter.looks_like(shown):
                    return None
            if not await self._turn(followed):
                return None
            letter = await self._letter(followed)  # as it is by now
            if letter.looks_like(shown) or followed.ended or followed.gives_way:
                return None
            await self._show(followed, letter)
            return letter
        except StoreError as error:
            log.warning("Job %s cannot be looked at for now: %s", followed.job.id, error)
            return None

    async def _turn(self, followed: _Followed) -> bool:
        """Wait until the channel takes an edit that is not the last. False: the job has ended meanwhile."""
        channel = followed.place.channel_id
        while followed.place.bot_sees_it and not followed.ended:  # an interaction's token has a budget of its own
            await followed.pause(self._pacing.reserve(channel))
            if not followed.ended and self._pacing.begin(channel):
                break
        return not followed.ended

    async def _move(self, followed: _Followed) -> None:
        """Let the message go on where the bot's own token can change it: in the person's direct messages."""
        job, before = followed.job, followed.place
        assert job.place is not None  # or it would not be followed
        letter = letters.on_its_way(job.id, cards.preparing(job.request))
        try:
            message = await self._postbox.post(before, int(job.owner.external_id), letter, f"darkroom-{job.id}-moved")
        except Undeliverable:
            farewell = cards.out_of_reach(job.request)
        except (discord.HTTPException, *NETWORK_TROUBLE) as error:
            log.info("Job %s: its message cannot go on elsewhere: %s", job.id, error)
            farewell = cards.out_of_reach(job.request)
        else:
            place = direct_place(job.place, message.channel.id, message.id)
            await self._studio.set_place(job.id, place)
            followed.move(place)
            farewell = cards.moved(job.request)
        with contextlib.suppress(Undeliverable, discord.HTTPException, *NETWORK_TROUBLE):
            await self._postbox.edit(before, letters.ended(farewell))
        followed.reachable = followed.place.bot_sees_it

    async def _letter(self, followed: _Followed) -> Letter:
        """The job as it stands now, on its way."""
        job = followed.job
        if isinstance(followed.latest, JobProgressed):
            return await letters.developing(job.id, job.request, followed.latest.progress)
        place = None if isinstance(followed.latest, JobStarted) else await self._studio.position(job.id)
        if place is None:
            return letters.on_its_way(job.id, cards.preparing(job.request, self._loading(job)))
        before, seconds = place
        if seconds is not None:
            now = time.time()
            followed.ready_at = steady(followed.ready_at, now + seconds, now)
        ready_at = followed.ready_at if seconds is not None else None
        return letters.on_its_way(job.id, cards.waiting(job.request, before, ready_at, self._busy_with(job)))

    def _loading(self, job: Job) -> Loading | None:
        """The job's model on its way, which may take minutes the first time."""
        loading = self._studio.loading
        return loading if loading is not None and loading.model == job.request.model else None

    def _busy_with(self, job: Job) -> str | None:
        """What keeps the worker from taking the job; None: it takes it."""
        if self._studio.mode == PAUSED:
            return "paused by an admin"
        match self._loading(job) or self._studio.readiness:
            case None:
                return STARTING
            case Loading(what=what, done=done, total=total):
                return f"{what}, {100 * done // total} %" if 0 < done < total else what
        return None

    async def _show(self, followed: _Followed, letter: Letter) -> None:
        """Show a state that passes. Whatever goes wrong here, the end will be delivered or say so."""
        if not followed.reachable:
            return
        try:
            await self._postbox.edit(followed.place, letter)
        except Undeliverable:
            followed.reachable = False
        except (discord.HTTPException, *NETWORK_TROUBLE) as error:
            log.info("Job %s: an edit of its message was lost: %s", followed.job.id, error)

    async def _deliver(self, followed: _Followed) -> None:
        """Show the end, however long it takes, and note that it was shown."""
        for pause in itertools.chain((0.0,), RETRY_PAUSES, itertools.repeat(RETRY_PAUSES[-1])):
            await asyncio.sleep(pause)
            try:
                await _finished_first(self._deliver_and_note(followed), SENDING_LIMIT)
                return
            except (discord.HTTPException, StoreError, *NETWORK_TROUBLE) as error:
                if not will_pass(error):
                    raise
                log.warning("Job %s cannot be delivered yet: %s", followed.job.id, error)

    async def _deliver_and_note(self, followed: _Followed) -> None:
        if not followed.delivered and not followed.gives_way:
            await self._deliver_once(followed)
            followed.delivered = True
        await self._studio.mark_delivered(followed.job.id)

    async def _deliver_once(self, followed: _Followed) -> None:
        limit = followed.place.file_limit
        letter = await self._last_letter(followed, limit)
        try:
            while True:
                try:
                    await self._put(followed, letter)
                    return
                except discord.HTTPException as error:
                    largest = max((len(each.content) for each in letter.attachments), default=0)
                    if (error.status, error.code) != TOO_LARGE or largest <= SMALLEST_LIMIT:
                        raise
                limit = min(limit, largest) // 2
                letter = await self._last_letter(followed, limit)
        except discord.HTTPException as error:
            if will_pass(error):
                raise
            reference = new_reference()
            log.error("Job %s: Discord refuses its letter, reference %s", followed.job.id, reference, exc_info=error)
            refused = cards.failed(followed.job.request, "Discord does not take this picture from me.", reference)
            await self._put(followed, letters.ended(refused))

    async def _put(self, followed: _Followed, letter: Letter) -> None:
        job = followed.job
        if followed.place.bot_sees_it:
            await self._pacing.result(followed.place.channel_id)
        try:
            await self._postbox.edit(followed.place, letter)
            return
        except Undeliverable:
            if isinstance(followed.latest, JobCancelled):
                return  # nobody waits for that word
        person = int(job.owner.external_id)
        try:
            if followed.place.posting and await self._postbox.posted(followed.place, person, letter):
                return
            await self._note_posting(followed)
            await self._postbox.post(followed.place, person, letter, nonce=f"darkroom-{job.id}")
        except Undeliverable:
            log.warning("Job %s: no way leads to the person who asked any more", job.id)

    async def _note_posting(self, followed: _Followed) -> None:
        """Note that a message may be there from now on, even if we never hear of it."""
        place = followed.job.place
        if place is not None and not followed.place.posting:
            await self._studio.set_place(followed.job.id, posting_place(place))
            followed.move(posting_place(place))

    async def _last_letter(self, followed: _Followed, limit: int) -> Letter:
        """The end of the job, from the store."""
        job = await self._studio.job(followed.job.id) or followed.job
        study = await self._studio.study_of(job.id) if job.study is not None and job.state == DONE else None
        if study is not None:
            return await letters.studied(study, file_limit=limit)
        picture = await self._studio.picture_of(job.id) if job.state == DONE else None
        if picture is not None:
            strip = await self._strip(picture.id) if followed.place.with_strip else None
            guild = job.place.guild if job.place is not None else None
            return await letters.finished(
                picture, letters.Shown(strip=strip), file_limit=limit, marking=self._marking, guild=guild
            )
        if job.state == FAILED:
            return letters.ended(cards.failed(job.request, job.reason or NO_REASON, job.reference))
        return letters.ended(cards.ended(job.request, "Cancelled." if job.state == CANCELLED else "Deleted."))

    async def _strip(self, picture_id: int) -> bytes | None:
        """The strip; None where it cannot be drawn now: its button stays to be pressed later."""
        try:
            return await self._conversation.strip(picture_id)
        except GenerationError as error:
            log.warning("Picture %s goes out without its strip: %s", picture_id, error)
            return None
