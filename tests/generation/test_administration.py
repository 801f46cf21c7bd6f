"""What admins do with the queue, over the real store and the real studio, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from generation.administration import DRAINING, OPEN, PAUSED, Admin, Administration, parse_priority
from generation.errors import ActRefused
from generation.pictures.draw import open_rgb
from generation.pictures.queue_plot import draw_stats
from generation.queue import Job, Place
from generation.stats import summed_up
from generation.studio import Studio
from store.database import Database
from store.files import Files
from store.reports import EndedJob
from tests.generation.support import ANN, BOB, CID, MODELS, PLACE, PlayedWorker, owner, until, wish

ADA = Admin(owner=owner("Ada"), guild="34", everywhere=True)
ED = Admin(owner=owner("Ed"), guild="34", everywhere=True)
LOCAL_ADMIN = Admin(owner=owner("Lou"), guild="99", everywhere=False)
ELSEWHERE = Place(channel="1", guild="99")


class Office:
    """A running studio with one lane, and its admins' desk."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.worker = PlayedWorker()
        self.studio = Studio(database, Files(folder), self.worker, MODELS)
        self.desk = Administration(database, self.studio)

    async def ask(self, who: Any = ANN, place: Place | None = PLACE) -> Job:
        return await self.studio.submit(wish(), who, place)

    async def running(self, who: Any = ANN) -> Job:
        job = await self.ask(who)
        await until(lambda: job.id in self.worker.running)
        return job

    async def state(self, job: Job) -> str:
        found = await self.studio.job(job.id)
        assert found is not None
        return found.state

    async def acts(self) -> list[str]:
        return [entry.act for entry in await self.desk.acts(ADA, 50)]


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(database, tmp_path / "files")
    await office.studio.start()
    yield office
    await office.studio.close()


async def refused(act: Awaitable[object]) -> str:
    with pytest.raises(ActRefused) as error:
        await act
    return str(error.value)


async def outcomes(*acts: Awaitable[object]) -> list[str]:
    """The sentences of those acts, done at once, that were refused."""
    results = await asyncio.gather(*acts, return_exceptions=True)
    assert all(not isinstance(result, BaseException) or isinstance(result, ActRefused) for result in results), results
    return [str(result) for result in results if isinstance(result, ActRefused)]


async def test_of_two_admins_who_cancel_a_running_job_at_once_one_does_and_the_other_is_told(office: Office) -> None:
    job = await office.running()
    sentences = await outcomes(office.desk.cancel(ADA, job.id), office.desk.cancel(ED, job.id))
    assert sentences == [f"Job {job.id} has ended already: it was cancelled."]
    await until(lambda: office.worker.cancels == [job.id])
    assert await office.acts() == ["cancel"]


@pytest.mark.parametrize("act", ["retry", "pause", "front", "block"])
async def test_two_admins_at_the_same_instant_have_one_effect(office: Office, act: str) -> None:
    blocker = await office.running()
    first, second = await office.ask(BOB), await office.ask(CID)
    if act == "retry":
        office.worker.fail(blocker.id, "It failed.")
        await until(lambda: first.id in office.worker.running)
        sentences = await outcomes(*(office.desk.retry(admin, blocker.id) for admin in (ADA, ED)))
        assert len(sentences) == 1
        assert "was retried already, as job" in sentences[0] or "has not failed" in sentences[0]
    elif act == "pause":
        assert await outcomes(*(office.desk.set_mode(admin, PAUSED) for admin in (ADA, ED))) == [
            "The queue is paused already."
        ]
    elif act == "front":
        sentences = await outcomes(*(office.desk.to_front(admin, second.id) for admin in (ADA, ED)))
        assert len(sentences) == 1 and ("at the front already" in sentences[0] or "just moved" in sentences[0])
    else:
        assert await outcomes(*(office.desk.block(admin, BOB, "") for admin in (ADA, ED))) == [
            "They are blocked already."
        ]
    assert await office.acts() == [act]


async def test_a_job_moved_to_the_front_starts_next_and_a_running_one_cannot_be_moved(office: Office) -> None:
    runs = await office.running()
    await office.ask(BOB)
    last = await office.ask(CID)
    await office.desk.to_front(ADA, last.id)
    assert await refused(office.desk.to_front(ADA, runs.id)) == f"Job {runs.id} runs already, so it cannot be moved."
    assert "runs already" in await refused(office.desk.set_priority(ADA, runs.id, 5))
    assert [card.id for card in (await office.desk.board(ADA, 1)).first] == [last.id]
    office.worker.finish(runs.id)
    await until(lambda: last.id in office.worker.running)
    office.worker.finish(last.id)
    await until(lambda: last.id not in office.studio.in_hand)
    while await office.state(last) != "done":  # noqa: ASYNC110  # the store has no event to wait for
        await asyncio.sleep(0.01)
    assert await refused(office.desk.cancel(ADA, last.id)) == f"Job {last.id} has ended already: its picture is made."


async def test_a_lower_priority_number_runs_first_and_none_that_is_no_number_is_taken(office: Office) -> None:
    await office.running()
    early, late = await office.ask(BOB), await office.ask(CID)
    await office.desk.set_priority(ADA, early.id, parse_priority(" 5 "))
    assert [card.id for card in (await office.desk.board(ADA, 9)).first] == [late.id, early.id]
    assert "has priority 5 already" in await refused(office.desk.set_priority(ADA, early.id, 5))
    assert "from -100 to 100" in await refused(office.desk.set_priority(ADA, early.id, 101))
    for typed in ("soon", "", "1.5", "１e3"):
        with pytest.raises(ActRefused, match="is no priority"):
            parse_priority(typed)


async def test_a_failed_job_is_retried_as_a_new_one_in_the_same_place(office: Office) -> None:
    failed = await office.running()
    assert "has not failed" in await refused(office.desk.retry(ADA, failed.id))
    office.worker.fail(failed.id, "It failed.")
    while await office.state(failed) != "failed":  # noqa: ASYNC110  # the store has no event to wait for
        await asyncio.sleep(0.01)
    again = await office.desk.retry(ADA, failed.id)
    await until(lambda: again.id in office.worker.running)
    assert again.request == failed.request and again.owner.external_id == ANN.external_id
    assert again.place is not None and again.place.message == PLACE.message
    assert "was retried already" in await refused(office.desk.retry(ADA, failed.id))


async def test_cancelling_everything_owes_nobody_a_turn(office: Office) -> None:
    await office.running()
    for _ in range(5):
        await office.ask()
    assert await office.desk.unended(ADA) == 6
    assert await office.desk.cancel_everything(ADA) == 6
    assert await refused(office.desk.cancel_everything(ADA)) == "Nothing waits or runs."
    await until(lambda: not office.worker.running)
    await office.running(CID)
    mine, theirs = await office.ask(), await office.ask(CID)
    assert [card.id for card in (await office.desk.board(ADA, 9)).first] == [mine.id, theirs.id]


async def test_cancelling_a_person_s_jobs_leaves_the_others(office: Office) -> None:
    runs, waits, other = await office.running(), await office.ask(), await office.ask(BOB)
    assert await office.desk.cancel_of(ADA, ANN) == 2
    assert [await office.state(job) for job in (runs, waits)] == ["cancelled"] * 2
    await until(lambda: other.id in office.worker.running)
    assert "Nothing of theirs" in await refused(office.desk.cancel_of(ADA, ANN))


async def test_an_admin_of_another_server_sees_and_does_nothing_here(office: Office) -> None:
    job, theirs = await office.running(), await office.ask(BOB, ELSEWHERE)
    board = await office.desk.board(LOCAL_ADMIN, 9)
    assert (board.running, [card.id for card in board.first], board.waiting) == ((), [theirs.id], 1)
    assert await refused(office.desk.cancel(LOCAL_ADMIN, job.id)) == f"There is no job {job.id} here."
    for act in (office.desk.set_mode(LOCAL_ADMIN, PAUSED), office.desk.to_front(LOCAL_ADMIN, theirs.id)):
        assert "for other servers too" in await refused(act)
    assert await office.desk.cancel_everything(LOCAL_ADMIN) == 1
    assert await office.state(job) == "running"
    assert [entry.act for entry in await office.desk.acts(LOCAL_ADMIN, 9)] == ["cancel all"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"per_day": -1}, "The limit “daily quota” must be between 0 and 1,000,000; 0 allows nothing; -1 is not."),
        ({"running": 0}, "The limit “running” must be between 1 and 1,000,000; 0 is not."),
        ({"weight": 0.0}, "A weight is a number from 0.01 to 100; 0 is not."),
        ({"weight": float("nan")}, "A weight is a number from 0.01 to 100; nan is not."),
    ],
)
async def test_limits_that_make_no_sense_are_refused(office: Office, values: dict[str, float], sentence: str) -> None:
    assert await refused(office.desk.set_limits(ADA, "everyone", "", values)) == sentence
    assert await office.desk.rules(ADA) == ([], [])


async def test_a_paused_queue_stays_so_over_a_restart_and_goes_on_when_it_is_opened(
    office: Office, database: Database, tmp_path: Path
) -> None:
    await office.desk.set_mode(ADA, PAUSED)
    waits = await office.ask()
    await office.studio.close()
    later = Office(database, tmp_path / "files")
    await later.studio.start()
    assert later.studio.mode == PAUSED and not later.worker.running
    assert await refused(later.desk.set_mode(ADA, PAUSED)) == "The queue is paused already."
    await later.desk.set_mode(ADA, DRAINING)
    await until(lambda: waits.id in later.worker.running)
    await later.desk.set_mode(ADA, OPEN)
    await later.studio.close()


async def test_my_queue_tells_share_and_what_is_left_of_the_quota(office: Office) -> None:
    await office.desk.set_limits(ADA, "everyone", "", {"per_day": 5})
    await office.running()
    await office.ask()
    await office.ask(BOB)
    mine = await office.desk.mine(ANN, "34", 1)
    assert (len(mine.jobs), mine.total, mine.people, mine.share) == (1, 2, 2, 0.5)
    assert mine.allowed is not None and mine.allowed.left_today == 3
    assert (await office.desk.mine(CID, "34", 1)).share is None


def test_statistics_count_waits_failures_and_shares() -> None:
    def ended(state: str, wait: float, at: float, person: int, reason: str | None = None) -> EndedJob:
        return EndedJob(
            state=state, reason=reason, created_at=at - wait - 1, started_at=at - 1, ended_at=at, person=person, cost=2
        )

    jobs = [ended("done", 10, 3_600, 1), ended("done", 30, 7_300, 2), ended("done", 20, 86_400, 1)]
    jobs += [ended("failed", 5, 7_400, 2, "It broke."), ended("cancelled", 0, 10, 3)]
    stats = summed_up(jobs, 0.0, 86_400.0)
    assert (stats.done, stats.failed, stats.cancelled, stats.median_wait) == (3, 1, 1, 10)
    assert (stats.made[1], stats.made[2], stats.made[23], stats.lost[2]) == (1, 1, 1, 1)
    assert stats.reasons == (("It broke.", 1),)
    assert [person for person, _ in stats.shares] == [1, 2] and sum(share for _, share in stats.shares) == 1


@pytest.mark.parametrize("count", [0, 300])
def test_the_plot_is_drawn_for_any_number_of_jobs(count: int) -> None:
    jobs = [
        EndedJob(
            state=("done", "failed", "done", "cancelled")[n % 4],
            reason=f"Reason {n % 7}.",
            created_at=n * 280.0,
            started_at=n * 280.0 + n % 50,
            ended_at=n * 280.0 + 60,
            person=n % 11,
            cost=1 + n % 3,
        )
        for n in range(count)
    ]
    plot = open_rgb(draw_stats(summed_up(jobs, 0.0, 86_400.0)))
    assert plot.size == (1100, 900)
    assert (len(plot.getcolors(1_000_000) or []) > 100) == (count > 0) or count == 0
