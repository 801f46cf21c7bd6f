"""From a request to a stored picture, with a worker that does what a test says when it says it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from generation import events
from generation.dispatch.base import Dispatcher
from generation.errors import GenerationError, QueueFull, WorkerGone
from generation.queue import GIVEN_UP, Owner
from generation.studio import (
    INIT_IMAGE_GONE,
    NOT_HANDED_OUT,
    NOT_SAVED,
    JobCancelled,
    JobDone,
    JobFailed,
    JobProgressed,
    JobStarted,
    JobWaiting,
    Studio,
)
from store.database import Database
from store.errors import DatabaseUnreachable, FolderUnusable
from store.files import Files
from tests.bot.scripted import encoded, facts_of
from tests.generation.support import (
    ANN,
    BOB,
    CID,
    MODELS,
    PLACE,
    House,
    Listening,
    NoWorker,
    PlayedWorker,
    until,
    wish,
)


async def state(house: House, job: int) -> str:
    found = await house.studio.job(job)
    assert found is not None
    return found.state


async def rows(house: House, table: str) -> int:
    async with house.database.reading() as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


def test_the_played_worker_is_a_dispatcher() -> None:
    worker: Dispatcher = PlayedWorker()
    assert worker.lanes_free == 1


# --- to the end ------------------------------------------------------------------------------------


async def test_a_finished_picture_is_on_disk_with_its_record_before_anybody_is_told(house: House) -> None:
    told = await house.done(prompt="a blue cat")
    picture = told.picture
    assert picture.path.read_bytes() == encoded(picture.run.request, "PNG")
    assert picture.run == facts_of(wish(prompt="a blue cat"))
    assert (picture.owner, picture.job, picture.has_steps) == (ANN, told.job, True)
    assert await house.studio.picture(picture.id) == await house.studio.picture_of(told.job) == picture
    assert await state(house, told.job) == "done"


async def test_a_listener_hears_of_waiting_start_progress_and_end_in_that_order(house: House) -> None:
    job = await house.running()
    house.worker.progress(job.id, 1)
    await house.news.until(JobProgressed, job.id)
    house.worker.progress(job.id, 2)
    house.worker.finish(job.id)
    await house.news.until(JobDone, job.id)
    kinds = house.news.kinds(job.id)
    assert kinds[:3] == ["JobWaiting", "JobStarted", "JobProgressed"] and kinds[-1] == "JobDone"


async def test_a_failure_is_told_with_its_sentence_and_reference_and_kept(house: House) -> None:
    job = await house.running()
    house.worker.fail(job.id, "The model is damaged.")
    told = await house.news.until(JobFailed, job.id)
    assert (told.sentence, told.reference) == ("The model is damaged.", "abc123")
    kept = await house.studio.job(job.id)
    assert kept is not None and (kept.state, kept.reason, kept.reference) == ("failed", told.sentence, told.reference)


async def test_jobs_wait_until_a_lane_is_free(house: House) -> None:
    first, second = await house.running(), await house.studio.submit(wish(), BOB, PLACE)
    assert await state(house, second.id) == "waiting"
    house.worker.finish(first.id)
    await until(lambda: second.id in house.worker.running)


async def test_a_full_queue_is_told_to_who_asks(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open(NoWorker(), most_waiting=1)
    await house.studio.submit(wish(), ANN, PLACE)
    with pytest.raises(QueueFull, match="1 picture waiting"):
        await house.studio.submit(wish(), ANN, PLACE)
    await house.close()


async def test_a_burst_of_requests_is_all_served(tmp_path: Path) -> None:
    house = House(tmp_path)
    worker = PlayedWorker(lanes=4)
    worker.by_itself = True
    await house.open(worker)
    people = [Owner(source="discord", external_id=str(n % 9), name="N") for n in range(60)]
    jobs = await asyncio.gather(*(house.studio.submit(wish(seed=n), person, PLACE) for n, person in enumerate(people)))
    for job in jobs:
        await house.news.until(JobDone, job.id)
    assert len({order.job for order in worker.orders}) == len(worker.orders) == 60
    await house.close()


# --- cancelling ------------------------------------------------------------------------------------


async def test_a_waiting_job_is_cancelled_and_never_reaches_a_worker(house: House) -> None:
    first, second = await house.running(), await house.studio.submit(wish(), ANN, PLACE)
    assert await house.studio.cancel(second.id, by=ANN)
    await house.news.until(JobCancelled, second.id)
    house.worker.finish(first.id)
    await house.news.until(JobDone, first.id)
    assert [order.job for order in house.worker.orders] == [first.id]
    assert house.worker.cancels == []


async def test_a_running_job_is_cancelled_at_once_and_its_worker_is_told(house: House) -> None:
    job = await house.running()
    house.worker.progress(job.id, 3)
    await house.news.until(JobProgressed, job.id)
    assert await house.studio.cancel(job.id, by=ANN)
    assert await state(house, job.id) == "cancelled"
    await house.news.until(JobCancelled, job.id)
    assert house.worker.cancels == [job.id]
    following = await house.running(BOB)
    assert house.news.kinds(job.id).count("JobCancelled") == 1 and following.id != job.id


async def test_a_picture_that_comes_after_the_cancel_is_left_out(house: House) -> None:
    house.worker.stops_at_once = False
    job = await house.running()
    assert await house.studio.cancel(job.id, by=ANN)
    house.worker.progress(job.id, 4)
    house.worker.finish(job.id)
    following = await house.running(BOB)
    house.worker.finish(following.id)
    await house.news.until(JobDone, following.id)
    assert house.news.kinds(job.id) == ["JobWaiting", "JobCancelled"]
    assert await house.studio.picture_of(job.id) is None
    assert len(house.kept()) == 2, "the files of the picture that was left out stayed"


async def test_a_job_cancelled_on_its_way_to_the_worker_is_cancelled_there(house: House) -> None:
    house.worker.hold.clear()
    job = await house.studio.submit(wish(), ANN, PLACE)
    await house.worker.taking.wait()
    assert await house.studio.cancel(job.id, by=ANN)
    house.worker.hold.set()
    following = await house.running(BOB)
    assert job.id in house.worker.cancels and job.id not in house.worker.running
    assert (await state(house, job.id), await state(house, following.id)) == ("cancelled", "running")


async def test_a_job_cancelled_between_claim_and_hand_over_never_reaches_a_worker(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: object) -> bytes:
        reading.set()
        await go_on.wait()
        return b"picture"

    monkeypatch.setattr(house.studio, "_named", slow)
    job = await house.studio.submit(wish(init_image="ab" * 32), ANN, PLACE)
    await reading.wait()
    assert await house.studio.cancel(job.id, by=ANN)
    go_on.set()
    following = await house.running(BOB)
    assert [order.job for order in house.worker.orders] == [following.id]
    assert house.studio._recalled == set()


async def test_nobody_else_can_cancel_a_job(house: House) -> None:
    running, waiting = await house.running(), await house.studio.submit(wish(prompt=BOB.external_id), ANN, PLACE)
    for job in (running, waiting):
        assert not await house.studio.cancel(job.id, by=BOB)
        assert not await house.studio.cancel(
            job.id, by=Owner(source="terminal", external_id=ANN.external_id, name="Ann")
        )
    assert (await state(house, running.id), await state(house, waiting.id)) == ("running", "waiting")
    assert house.worker.cancels == []


async def test_a_job_that_has_ended_or_never_was_cannot_be_cancelled(house: House) -> None:
    told = await house.done()
    assert not await house.studio.cancel(told.job, by=ANN)
    assert not await house.studio.cancel(4_711, by=ANN)
    assert await house.studio.picture_of(told.job) is not None


async def test_a_cancelled_job_does_not_run_again_when_its_worker_dies(house: House) -> None:
    house.worker.stops_at_once = False
    job = await house.running()
    assert await house.studio.cancel(job.id, by=ANN)
    house.worker.die()
    await house.running(BOB)
    assert [order.job for order in house.worker.orders].count(job.id) == 1
    assert await state(house, job.id) == "cancelled"


@pytest.mark.parametrize("turn", range(12))
async def test_cancel_and_finish_at_the_same_moment_leave_one_end(house: House, turn: int) -> None:
    house.worker.stops_at_once = False
    job = await house.running()
    cancelling = asyncio.create_task(house.studio.cancel(job.id, by=ANN))
    for _ in range(turn * 3):
        await asyncio.sleep(0)
    house.worker.finish(job.id)
    cancelled = await cancelling
    await house.news.until(JobCancelled if cancelled else JobDone, job.id)
    following = await house.running(BOB)
    ends = [kind for kind in house.news.kinds(job.id) if kind in {"JobCancelled", "JobDone", "JobFailed"}]
    assert ends == (["JobCancelled"] if cancelled else ["JobDone"])
    assert (await house.studio.picture_of(job.id) is None) == cancelled
    assert following.id in house.worker.running and house.studio._recalled == set()


# --- workers that go -------------------------------------------------------------------------------


async def test_a_job_whose_worker_dies_runs_again_once_and_is_then_given_up(house: House) -> None:
    job = await house.running()
    house.worker.die()
    await until(lambda: len(house.worker.orders) == 2)
    assert [order.attempt for order in house.worker.orders] == [1, 2]
    assert house.news.kinds(job.id) == ["JobWaiting", "JobWaiting"]
    house.worker.die()
    told = await house.news.until(JobFailed, job.id)
    assert (told.sentence, told.reference) == (GIVEN_UP, "abc123")
    assert await state(house, job.id) == "failed"


async def test_a_job_that_killed_a_worker_runs_alone_the_second_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open(PlayedWorker(lanes=3))
    guilty, innocent = await house.running(ANN), await house.running(BOB)
    house.worker.die()
    await until(lambda: len(house.worker.running) == 1 and len(house.worker.orders) >= 3)
    assert list(house.worker.running) == [guilty.id], "it does not run alone"
    third = await house.studio.submit(wish(), BOB, PLACE)
    house.worker.die()
    await house.news.until(JobFailed, guilty.id)
    await until(lambda: list(house.worker.running) == [innocent.id])
    house.worker.finish(innocent.id)
    await house.news.until(JobDone, innocent.id)
    await until(lambda: list(house.worker.running) == [third.id])
    await house.close()


async def test_a_job_that_killed_a_worker_waits_until_nothing_else_runs(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open(PlayedWorker(lanes=2))
    guilty, other = await house.running(ANN), await house.running(BOB)
    house.worker.fail(guilty.id, "One of several workers ended.", retry=True)
    await until(lambda: house.news.kinds(guilty.id).count("JobWaiting") == 2)
    await house.studio.submit(wish(), BOB, PLACE)
    await asyncio.sleep(0.1)
    assert list(house.worker.running) == [other.id]
    house.worker.finish(other.id)
    await until(lambda: list(house.worker.running) == [guilty.id])
    await house.close()


async def test_a_job_that_no_worker_takes_waits_for_the_next_one(house: House) -> None:
    gone = [WorkerGone("The worker is not running.")]
    house.worker.takes = lambda _order: gone.pop() if gone else None
    job = await house.studio.submit(wish(), ANN, PLACE)
    await until(lambda: not gone)
    await house.worker.start()  # ready again
    await until(lambda: job.id in house.worker.running)
    assert house.worker.orders[-1].attempt == 2


async def test_a_job_that_cannot_be_handed_out_fails_and_the_next_one_runs(house: House) -> None:
    house.worker.takes = lambda order: ValueError("too large") if order.request.prompt == "bad" else None
    job = await house.studio.submit(wish(prompt="bad"), ANN, PLACE)
    told = await house.news.until(JobFailed, job.id)
    assert told.sentence == NOT_HANDED_OUT and told.reference
    await house.running(BOB)


async def test_a_late_result_of_an_attempt_that_was_given_up_is_left_out(house: House) -> None:
    job = await house.running()
    first = house.worker.orders[0]
    house.worker.die()
    await until(lambda: len(house.worker.orders) == 2)
    house.worker.say(house.worker.finished(first, picture=b"of the first attempt"))
    house.worker.say(events.Failed(job=job.id, attempt=1, sentence="No.", reference="ref"))
    house.worker.say(events.Progress(job=job.id, attempt=1, step=9, steps=10, seconds_left=1.0, noise_level=0.1))
    house.worker.finish(job.id)
    told = await house.news.until(JobDone, job.id)
    assert told.picture.path.read_bytes() != b"of the first attempt"
    assert len(house.kept()) == 2 and "JobProgressed" not in house.news.kinds(job.id)


async def test_an_attempt_that_is_stopped_though_nobody_asked_runs_again(house: House) -> None:
    job = await house.running()
    del house.worker.running[job.id]
    house.worker.say(events.Cancelled(job=job.id, attempt=1))
    await until(lambda: job.id in house.worker.running)
    assert house.worker.orders[-1].attempt == 2


async def test_readiness_is_the_latest_that_the_worker_said(house: House) -> None:
    await until(lambda: isinstance(house.studio.readiness, events.Ready))
    house.worker.say(events.Loading(what="loading slow", done=1, total=4))
    await until(lambda: isinstance(house.studio.readiness, events.Loading))


async def test_an_error_among_the_worker_s_events_does_not_end_the_listening(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise ZeroDivisionError(name)

    house.worker.say(Broken())  # type: ignore[arg-type]  # no worker can say it, which is the point
    told = await house.done()
    assert told.picture.path.exists()


# --- restarts --------------------------------------------------------------------------------------


async def test_a_job_that_ran_when_the_program_was_closed_runs_again_and_is_delivered_once(house: House) -> None:
    job = await house.running()
    await house.close()
    await house.open()
    await until(lambda: job.id in house.worker.running)
    assert house.worker.orders[0].attempt == 2
    assert [found.id for found in await house.studio.undelivered()] == [job.id]
    house.worker.finish(job.id)
    await house.news.until(JobDone, job.id)
    assert await house.studio.mark_delivered(job.id)
    assert not await house.studio.mark_delivered(job.id)
    assert await house.studio.undelivered() == []
    assert await rows(house, "pictures") == 1


async def test_a_program_that_was_killed_leaves_its_jobs_to_the_next(house: House) -> None:
    job, waiting = await house.running(), await house.studio.submit(wish(), BOB, PLACE)
    await house.vanish()
    await house.open()
    await until(lambda: job.id in house.worker.running)
    house.worker.finish(job.id)
    await until(lambda: waiting.id in house.worker.running)


async def test_a_cancel_outlives_the_program(house: House) -> None:
    house.worker.stops_at_once = False
    job = await house.running()
    assert await house.studio.cancel(job.id, by=ANN)
    await house.vanish()
    await house.open()
    await house.running(BOB)
    assert [order.job for order in house.worker.orders].count(job.id) == 0
    assert await state(house, job.id) == "cancelled"


async def test_a_picture_that_was_finished_when_the_program_closes_is_still_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await house.running()
    waiting, go_on = asyncio.Event(), asyncio.Event()
    put = house.studio._record

    async def slow(event: events.Finished) -> object:
        waiting.set()
        await go_on.wait()
        return await put(event)

    monkeypatch.setattr(house.studio, "_record", slow)
    house.worker.finish(job.id)
    await waiting.wait()
    closing = asyncio.create_task(house.studio.close())
    await asyncio.sleep(0.05)
    go_on.set()
    await closing
    assert await state(house, job.id) == "done"
    assert await house.studio.picture_of(job.id) is not None


async def test_closing_has_an_end_even_while_nothing_can_be_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generation.studio.CLOSING_GRACE", 0.1)
    job = await house.running()

    async def never(_event: events.Finished) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(house.studio, "_record", never)
    house.worker.finish(job.id)
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        await house.studio.close()
    assert await state(house, job.id) == "waiting", "it runs again at the next start"


async def test_jobs_that_a_closing_worker_stops_wait_for_the_next_start(house: House) -> None:
    job = await house.running()
    house.worker.say(events.Cancelled(job=job.id, attempt=1))
    house.worker.say(events.Failed(job=job.id, attempt=1, sentence="", reference="", retry=True))
    await house.studio.close()
    kept = await house.studio.job(job.id)
    assert kept is not None and (kept.state, kept.deaths) == ("waiting", 0)


async def test_a_studio_that_never_started_can_be_closed(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/darkroom.sqlite3")
    await Studio(database, Files(tmp_path), PlayedWorker(), MODELS).close()
    await database.close()


# --- trouble with the store ------------------------------------------------------------------------


@pytest.mark.parametrize("fails_at", [".png", ".trajectory"])
async def test_a_picture_that_cannot_be_saved_is_a_failure_with_a_reference_and_leaves_nothing_half(
    house: House, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    put = house.files.put

    def full(content: bytes, suffix: str) -> str:
        if suffix == fails_at:
            raise FolderUnusable("Nothing can be saved: No space left on device.")
        return put(content, suffix)

    monkeypatch.setattr(house.files, "put", full)
    job = await house.running()
    house.worker.finish(job.id)
    told = await house.news.until(JobFailed, job.id)
    assert told.sentence == NOT_SAVED and told.reference
    assert await state(house, job.id) == "failed"
    assert house.kept() == [] and await rows(house, "runs") == await rows(house, "pictures") == 0
    monkeypatch.undo()
    monkeypatch.setattr("generation.studio.RETRY_PAUSE", 0.05)
    assert (await house.done(BOB)).picture.path.exists(), "the next picture is none the worse for it"


async def test_an_end_that_cannot_be_noted_is_noted_when_the_store_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail, tries = house.studio._queue.fail, []

    async def refusing(*of: object) -> object:
        tries.append(of)
        if len(tries) < 4:
            raise DatabaseUnreachable("The database is held by another program.")
        return await fail(*of)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(house.studio._queue, "fail", refusing)
    job = await house.running()
    house.worker.fail(job.id, "The model is damaged.")
    await house.news.until(JobFailed, job.id)
    assert len(tries) == 4 and await state(house, job.id) == "failed"


async def test_handing_out_goes_on_when_the_store_is_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, tries = house.studio._queue.claim, []

    async def refusing() -> object:
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseUnreachable("The database is held by another program.")
        return await claim()

    monkeypatch.setattr(house.studio._queue, "claim", refusing)
    await house.running()
    assert len(tries) >= 3


async def test_a_result_that_breaks_our_own_code_still_ends_the_job(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_event: events.Finished) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.studio, "_record", broken)
    job = await house.running()
    house.worker.finish(job.id)
    told = await house.news.until(JobFailed, job.id)
    assert told.sentence == NOT_SAVED and told.reference


# --- pictures --------------------------------------------------------------------------------------


async def test_the_worker_gets_the_picture_to_start_from(house: House) -> None:
    name = await asyncio.to_thread(house.files.put, b"a photograph", ".png")
    await house.running(init_image=name)
    assert house.worker.orders[0].init_image == b"a photograph"


async def test_a_picture_to_start_from_that_is_gone_is_a_clear_failure(house: House) -> None:
    job = await house.studio.submit(wish(init_image="ab" * 32), ANN, PLACE)
    told = await house.news.until(JobFailed, job.id)
    assert told.sentence == INIT_IMAGE_GONE
    assert house.worker.orders == []


async def test_deleting_takes_file_steps_run_job_and_turn(house: House) -> None:
    told = await house.done()
    assert len(house.kept()) == 2
    assert await house.studio.delete(told.picture.id, by=ANN)
    assert house.kept() == []
    for table in ("pictures", "runs", "jobs", "turns"):
        assert await rows(house, table) == 0, table
    assert await house.studio.picture(told.picture.id) is None
    assert not await house.studio.delete(told.picture.id, by=ANN), "it is gone already"


async def test_content_that_another_picture_shares_stays_until_the_last_is_deleted(house: House) -> None:
    first, second = await house.done(seed=9), await house.done(BOB, seed=9)
    assert first.picture.path == second.picture.path
    assert await house.studio.delete(first.picture.id, by=ANN)
    assert second.picture.path.exists() and await house.studio.frames(second.picture.id, (1,))
    assert await house.studio.delete(second.picture.id, by=BOB)
    assert house.kept() == []


async def test_nobody_else_can_delete_a_picture(house: House) -> None:
    told = await house.done()
    await house.done(BOB)
    assert not await house.studio.delete(told.picture.id, by=BOB)
    assert not await house.studio.delete(told.picture.id, by=Owner(source="discord", external_id="new", name="New"))
    assert told.picture.path.exists() and await house.studio.picture(told.picture.id) is not None


async def test_a_file_that_cannot_be_deleted_keeps_its_record_so_that_it_can_be_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await house.done()

    def stuck(_name: str, _suffix: str) -> None:
        raise FolderUnusable("Nothing can be deleted.")

    with monkeypatch.context() as patch:
        patch.setattr(house.files, "delete", stuck)
        with pytest.raises(FolderUnusable):
            await house.studio.delete(told.picture.id, by=ANN)
    assert await house.studio.picture(told.picture.id) == told.picture
    assert await house.studio.delete(told.picture.id, by=ANN) and house.kept() == []


async def test_chosen_steps_of_a_run_are_decoded_by_the_worker(house: House) -> None:
    told = await house.done()
    frames = await house.studio.frames(told.picture.id, (1, 5, 10))
    assert [frame.step for frame in frames] == [1, 5, 10]


async def test_steps_of_a_picture_that_is_gone_or_kept_none_are_refused_in_a_sentence(house: House) -> None:
    with pytest.raises(GenerationError, match="no longer there"):
        await house.studio.frames(4_711, (1,))
    job = await house.running()
    house.worker.say(house.worker.finished(house.worker.running.pop(job.id), trajectory=None))
    bare = (await house.news.until(JobDone, job.id)).picture
    assert not bare.has_steps
    with pytest.raises(GenerationError, match="were not kept"):
        await house.studio.frames(bare.id, (1,))
    lost = (await house.done(BOB, seed=8)).picture
    for path in house.kept():
        if path.suffix == ".trajectory":
            path.unlink()
    with pytest.raises(GenerationError, match="were not kept"):
        await house.studio.frames(lost.id, (1,))


async def test_steps_that_no_worker_can_decode_now_say_so(house: House) -> None:
    told = await house.done()
    house.worker.can_decode = False
    with pytest.raises(WorkerGone):
        await house.studio.frames(told.picture.id, (1,))


# --- listening -------------------------------------------------------------------------------------


async def test_a_slow_listener_holds_up_nobody_and_gets_the_latest_progress_and_the_end(house: House) -> None:
    slow = house.studio.watch()
    fetching = asyncio.ensure_future(anext(slow))
    await asyncio.sleep(0)
    job = await house.running()
    for step in range(1, 11):
        house.worker.progress(job.id, step)
    await until(lambda: "JobProgressed" in house.news.kinds(job.id))
    await until(lambda: house.studio._handed[job.id, 1].progress is not None)
    await until(lambda: house.studio._handed[job.id, 1].progress.step == 10)  # type: ignore[union-attr]  # waited for above
    assert isinstance(await fetching, JobWaiting)
    assert isinstance(await anext(slow), JobStarted)
    latest = await anext(slow)
    assert isinstance(latest, JobProgressed) and latest.progress.step == 10
    house.worker.progress(job.id, 10)
    house.worker.finish(job.id)
    await house.news.until(JobDone, job.id)
    assert isinstance(await anext(slow), JobDone), "progress that nobody fetched stands before the end"


async def test_who_listens_comes_to_an_end_when_the_studio_closes(house: House) -> None:
    more = Listening(house.studio)
    await house.done()
    await house.studio.close()
    async with asyncio.timeout(5):
        await more._task


async def test_the_estimate_is_positive_and_falls_as_the_work_before_it_is_done(house: House) -> None:
    first = await house.running()
    second, third = await house.studio.submit(wish(), ANN, PLACE), await house.studio.submit(wish(), BOB, PLACE)
    assert await house.studio.position(first.id) is None, "it runs"
    estimates = []
    for step, left in ((1, 9.0), (5, 5.0), (9, 1.0)):
        house.worker.progress(first.id, step, seconds_left=left)
        await until(lambda step=step: getattr(house.studio._handed[first.id, 1].progress, "step", 0) == step)
        before, seconds = await house.studio.position(second.id) or pytest.fail("it does not wait")
        assert before == 1 and seconds is not None
        estimates.append(seconds)
    assert estimates == sorted(estimates, reverse=True) and estimates[-1] > 0 and estimates[0] - estimates[-1] > 0.5
    house.worker.finish(first.id)
    await until(lambda: third.id in house.worker.running)
    before, seconds = await house.studio.position(second.id) or pytest.fail("it does not wait")
    assert before == 0 and seconds is not None and seconds > 0


async def test_a_job_just_handed_out_counts_before_its_first_step(house: House) -> None:
    first, second = await house.running(), await house.studio.submit(wish(), BOB, PLACE)
    _, seconds = await house.studio.position(second.id) or pytest.fail("it does not wait")
    assert seconds == pytest.approx(2 * 10 * 0.1, rel=0.1), "two pictures of ten steps at the worker's own speed"
    assert first.id in house.worker.running


async def test_jobs_that_run_alone_make_those_after_them_wait_however_many_lanes_there_are(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open(PlayedWorker(lanes=4))
    for who in (ANN, BOB, CID):
        await house.running(by=who)
    house.worker.die()
    await until(lambda: any(order.attempt > 1 for order in house.worker.orders))
    last = await house.studio.submit(wish(), ANN, PLACE)
    before, seconds = await house.studio.position(last.id) or pytest.fail("it does not wait")
    one = 10 * 0.1  # seconds: ten steps at the worker's own speed
    assert before == 2 and seconds == pytest.approx(4 * one, rel=0.1), "three that run alone, then its own"
    await house.close()


async def test_no_estimate_is_given_before_the_worker_is_ready(tmp_path: Path) -> None:
    house = House(tmp_path)
    worker = NoWorker()
    await house.open(worker)
    await until(lambda: house.studio.readiness is not None)
    worker.say(events.Loading(what="loading small", done=0, total=3))
    await until(lambda: isinstance(house.studio.readiness, events.Loading))
    job = await house.studio.submit(wish(), ANN, PLACE)
    assert await house.studio.position(job.id) == (0, None)
    await house.close()
