"""Where finished pictures are looked into: replays, word maps, experiments; by every front end and the explainer alike.

A plan is made and priced here (`generation.experiments`), carried out through the queue, and what came of it is kept,
so that a second look costs nothing. Knows no front end; who may see a picture is the caller's to ask.
"""

from __future__ import annotations

import asyncio

from generation.errors import GenerationError
from generation.experiments import Change, Study, StudyPlan, plan_experiment
from generation.queue import Job, Owner, Place
from generation.studio import Picture, Studio
from generation.word_maps import WordMaps
from store.jobs import CANCELLED, DONE

LOOK_INTERVAL = 0.2  # seconds between looks at a job, which another process may have ended
CANCELLED_SENTENCE = "It was cancelled before it was made."
GONE = "That picture, or what was made of it, is no longer there."


class Laboratory:
    """Studies of the pictures of one studio."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def plan(self, picture: Picture, change: Change, values: str = "", word: str = "") -> StudyPlan:
        """What to make of a picture again; see `generation.experiments.plan_experiment` for the arguments.

        Raises:
            RequestError: it cannot be made, or is too much; the sentence says what would do.
        """
        return plan_experiment(picture.id, picture.run, self._studio.models, change, values, word)

    async def known(self, plan: StudyPlan) -> Study | None:
        """What came of the same plan before; a plain replay is always made anew, since that is what it asks."""
        return None if plan.change == "again" else await self._studio.known_study(plan)

    async def begin(self, plan: StudyPlan, by: Owner, place: Place | None = None) -> Job:
        """Put the plan in the queue, for `wait`, or with a place to be delivered there.

        Raises:
            QueueFull, NotAdmitted: as for pictures.
            GenerationError: the picture is gone.
        """
        return await self._studio.submit_study(plan, by, place)

    async def wait(self, begun: Job) -> Study:
        """What comes of a job of `begin`, however long it takes.

        Raises:
            GenerationError: it failed, was cancelled, or its picture was deleted; the sentence says so.
        """
        job = await self._again(begun)
        while job is not None and not job.ended:
            await asyncio.sleep(LOOK_INTERVAL)
            job = await self._again(begun)
        study = await self._studio.study_of(job.id) if job is not None and job.state == DONE else None
        if study is not None:
            return study
        if job is not None and job.state == CANCELLED:
            raise GenerationError(CANCELLED_SENTENCE)
        raise GenerationError(GONE if job is None else job.reason or GONE)

    async def _again(self, begun: Job) -> Job | None:
        """The job as it is now; None: it was deleted, and its number may be another's."""
        job = await self._studio.job(begun.id)
        return job if job is not None and job.created_at == begun.created_at else None

    async def run(self, plan: StudyPlan, by: Owner) -> Study:
        """What comes of the plan: at once where it is known, else through the queue.

        Who stops waiting cancels the job.

        Raises:
            GenerationError: as `begin` and `wait`.
        """
        known = await self.known(plan)
        if known is not None:
            return known
        job = await self.begin(plan, by)
        try:
            return await self.wait(job)
        except asyncio.CancelledError:
            await asyncio.shield(self._studio.cancel(job.id, by))
            raise

    async def words(self, picture: Picture, by: Owner) -> WordMaps:
        """Where the words of the picture's prompt were attended to; made by a replay where nobody has asked before.

        Raises:
            GenerationError: as `run`; or its model's attention cannot be looked into.
        """
        study = await self.run(self.plan(picture, "words"), by)
        if study.words is None:
            raise GenerationError(GONE)
        return study.words

    async def known_words(self, picture: Picture) -> WordMaps | None:
        """The word maps, if somebody has asked for them before and they can be planned now."""
        study = await self.known(self.plan(picture, "words"))
        return None if study is None else study.words
