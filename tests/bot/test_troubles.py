"""Whatever Discord does while a picture is made, it ends where its person finds it, once.

On our own loopback Discord alone, whose clock and limits a test may set.
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
import random
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from bot import delivery
from bot.asking import Note
from bot.pacing import EDITS
from bot.playground import Limits
from bot.playground.limits import Rate
from bot.playground.permissions import Permission
from bot.settings import DATABASE_NAME
from generation import events
from store.errors import DatabaseUnreachable
from tests.bot.conftest import Stage
from tests.bot.driving import EDIT, POST, Seen, latest, started
from tests.bot.loopback_driver import LoopbackDriver, loopback
from tests.bot.scripted import facts_of

NO_RATES = Limits(rates={})


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_PAUSES", (0.05,))
    monkeypatch.setattr("discord.backoff.ExponentialBackoff.delay", lambda self: 0.0)


@pytest.fixture
async def driver(stage: Stage) -> AsyncIterator[LoopbackDriver]:
    async with loopback(stage) as driver:
        yield driver


@asynccontextmanager
async def with_limits(stage: Stage, limits: Limits) -> AsyncIterator[LoopbackDriver]:
    async with loopback(stage, limits) as driver:
        yield driver


async def shown(driver: LoopbackDriver, answer: Seen) -> Seen:
    """The message once it has its picture."""
    return await driver.until(lambda: seen if "Again" in (seen := latest(driver, answer)).buttons else None)


# --- refusals and outages --------------------------------------------------------------------------


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_rate_limit_is_waited_out_and_the_picture_comes_once(
    driver: LoopbackDriver, stage: Stage, everywhere: bool
) -> None:
    answer, job = await started(driver, stage.worker)
    await driver.until(lambda: driver.edits(answer))
    faults = driver.playground.faults
    faults.rate_limit("PATCH", r"/messages/", retry_after=0.2, is_global=everywhere, times=2)
    stage.worker.finish(job)
    await shown(driver, answer)
    await stage.all_delivered()
    assert len(driver.messages("ann")) == 1 and len(faults.used) == 2


async def test_an_answer_of_discords_that_is_lost_does_not_bring_a_second_picture(
    driver: LoopbackDriver, stage: Stage
) -> None:
    """Discord has made the message, but we never hear of it."""
    answer, job = await started(driver, stage.worker)
    driver.delete(answer)
    driver.playground.faults.disconnect("POST", r"/messages$", after=True)
    stage.worker.finish(job)
    await stage.all_delivered()
    (message,) = driver.messages("ann")
    assert message.pictures == ("darkroom-1.png",)


async def test_a_message_posted_just_before_a_kill_is_found_and_not_posted_again(
    driver: LoopbackDriver, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long after, so that Discord has forgotten the nonce."""
    answer, job = await started(driver, stage.worker)
    driver.delete(answer)

    async def killed(_job: int) -> bool:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(stage.parts.studio, "mark_delivered", killed)
    monkeypatch.setattr(delivery, "SENDING_LIMIT", 0.0)
    stage.worker.finish(job)
    await driver.until(lambda: driver.messages("ann"))
    driver.playground.forget_nonces()
    await driver.restart()
    await stage.all_delivered()
    assert len(driver.messages("ann")) == 1 and driver.count("POST", POST) == 1


async def test_a_gateway_that_breaks_in_the_middle_is_resumed_and_nothing_is_missed(
    driver: LoopbackDriver, stage: Stage
) -> None:
    answer, job = await started(driver, stage.worker)
    resumed = asyncio.create_task(stage.bot.wait_for("resumed", timeout=10))
    await asyncio.sleep(0)
    await driver.playground.gateway.drop()
    stage.worker.progress(job, 2)
    during = await driver.slash("ann", prompt="asked while the connection was gone")
    await resumed
    stage.worker.finish(job)
    await shown(driver, answer)
    second = await driver.until(lambda: stage.worker.orders[1] if len(stage.worker.orders) > 1 else None)
    stage.worker.finish(second.job)
    await shown(driver, during)


async def test_where_the_channel_is_deleted_the_picture_comes_as_a_direct_message(
    driver: LoopbackDriver, stage: Stage
) -> None:
    driver.channel = driver.playground.add_channel("short-lived").name
    _, job = await started(driver, stage.worker)
    driver.playground.world.delete_channel(driver.person("ann").channel("short-lived").id)
    driver.channel = "gallery"
    stage.worker.progress(job, 2)
    stage.worker.finish(job)
    await stage.all_delivered()
    (message,) = driver.direct_messages("ann")
    assert message.pictures == ("darkroom-1.png",)


async def test_live_messages_of_one_channel_share_what_discord_takes_and_each_is_seen_to_go_on(stage: Stage) -> None:
    """Five at once, at a third of the usual pace: neither Discord nor discord.py has to hold anything up."""
    stage.interval, stage.lanes = 0.5, 5
    async with with_limits(stage, Limits(rates={"edit": Rate(EDITS, 1.6)})) as driver:
        answers = [await driver.slash(name, prompt="a red fox") for name in ("ann", "bob", "cid", "dan", "eve")]
        await driver.until(lambda: len(stage.worker.running) == 5 or None)
        jobs = list(stage.worker.running)
        for step in range(1, 10):
            for job in jobs:
                stage.worker.progress(job, step)
            await asyncio.sleep(0.45)
        for job in jobs:
            stage.worker.finish(job)
        for answer in answers:
            await shown(driver, answer)
            assert any("Step " in edit.text for edit in driver.edits(answer))
        assert [sent.status for sent in driver.playground.requests if sent.status == 429] == []


# --- a kill between the answer and the job ---------------------------------------------------------


@pytest.mark.parametrize(("token_seconds", "private"), [(900.0, False), (900.0, True), (0.0, False)])
async def test_an_answer_whose_bot_was_killed_before_it_took_the_job_says_so_at_the_next_start(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, token_seconds: float, private: bool
) -> None:
    reached = asyncio.Event()

    async def killed(*_given: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with with_limits(stage, dataclasses.replace(NO_RATES, token_seconds=token_seconds)) as driver:
        monkeypatch.setattr(stage.parts.studio, "submit", killed)
        asking = asyncio.create_task(driver.slash("ann", prompt="a red fox", private=private))
        await reached.wait()
        (answer,) = driver.messages("ann")
        assert "Taking your place" in answer.text
        for task in [task for task in asyncio.all_tasks() if task.get_name().startswith("CommandTree-invoker")]:
            task.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        notes = stage.settings.data / "asking"
        assert "fox" not in "".join(path.read_text() for path in notes.iterdir()), "it holds nobody's words"
        await driver.restart()
        told = await driver.until(lambda: seen if "ask again" in (seen := latest(driver, answer)).text else None)
        assert "a red fox" in told.text and "Taking your place" not in told.text and told.buttons == ()
        await driver.until(lambda: not list(notes.iterdir()))


async def test_a_job_that_was_stored_before_the_kill_is_not_said_to_be_lost(
    driver: LoopbackDriver, stage: Stage
) -> None:
    answer, job = await started(driver, stage.worker)
    notes, stored = stage.settings.data / "asking", await stage.parts.studio.job(job)
    assert stored is not None and stored.place is not None
    note = Note(asked_at=time.time(), channel=int(stored.place.channel), answers=1, token=stored.place.interaction)
    (notes / "left.json").write_bytes(msgspec.json.encode(note))
    await driver.restart()
    await driver.until(lambda: not list(notes.iterdir()))
    await driver.until(lambda: job in stage.worker.running or None)
    stage.worker.finish(job)
    await shown(driver, answer)
    assert not any("ask again" in edit.text for edit in driver.edits(answer))


# --- permissions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "denied, named",
    [
        (Permission.ATTACH_FILES, "the permission Attach Files;"),
        (Permission.ATTACH_FILES | Permission.EMBED_LINKS, "the permission Embed Links and Attach Files;"),
    ],
)
async def test_a_missing_permission_is_named_before_anything_is_queued(
    driver: LoopbackDriver, stage: Stage, denied: Permission, named: str
) -> None:
    driver.channel = driver.playground.add_channel("quiet", deny_bot=denied).name
    answer = await driver.slash("ann", prompt="a red fox")
    assert answer.ephemeral and named in answer.text
    assert driver.messages("bob") == [] and await stage.parts.studio.undelivered() == []


# --- a token that dies -----------------------------------------------------------------------------


@pytest.fixture
def short_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds instead of minutes."""
    monkeypatch.setattr(delivery, "TOKEN_LIFE", 1.5)
    monkeypatch.setattr(delivery, "TOKEN_MARGIN", 0.5)


@pytest.mark.usefixtures("short_lives")
async def test_where_only_the_token_reaches_the_message_goes_on_as_a_direct_message_before_it_dies(
    stage: Stage,
) -> None:
    async with with_limits(stage, dataclasses.replace(NO_RATES, token_seconds=1.5)) as driver:
        driver.hide_channel()
        answer, job = await started(driver, stage.worker)
        direct = await driver.until(lambda: next(iter(driver.direct_messages("ann")), None))
        assert direct.buttons == ("Cancel",)
        told = await driver.until(lambda: seen if "direct messages" in (seen := latest(driver, answer)).text else None)
        assert "It goes on in your direct messages with me." in told.text
        stage.worker.progress(job, 3)
        await driver.until(lambda: "Step 3" in driver.direct_messages("ann")[0].text)
        await asyncio.sleep(0.6)  # the token is dead
        stage.worker.finish(job)
        await stage.all_delivered()
        (message,) = driver.direct_messages("ann")
        assert message.id == direct.id and message.pictures == ("darkroom-1.png",)
        assert len(driver.messages("ann")) == 1 and latest(driver, answer).pictures == ()


@pytest.mark.usefixtures("short_lives")
async def test_who_takes_no_direct_messages_is_told_how_to_fetch_the_picture(stage: Stage) -> None:
    async with with_limits(stage, dataclasses.replace(NO_RATES, token_seconds=1.5)) as driver:
        driver.hide_channel()
        driver.playground.change_user(driver.person("ann"), accepts_dms=False)
        answer, job = await started(driver, stage.worker)
        told = await driver.until(lambda: seen if "/original" in (seen := latest(driver, answer)).text else None)
        assert "you take no direct messages from me" in told.text
        await asyncio.sleep(0.6)
        stage.worker.finish(job)
        await stage.all_delivered()
        fetched = await driver.command("ann", "original")
        assert fetched.files == ("darkroom-1.png",) and fetched.ephemeral


async def test_after_a_quarter_of_an_hour_the_bots_own_token_still_edits(stage: Stage) -> None:
    async with with_limits(stage, dataclasses.replace(NO_RATES, token_seconds=0.0)) as driver:
        answer, job = await started(driver, stage.worker)
        stage.worker.progress(job, 3)
        await driver.until(lambda: "Step 3" in latest(driver, answer).text)
        stage.worker.finish(job)
        assert (await shown(driver, answer)).pictures == ("darkroom-1.png",)
        assert driver.direct_messages("ann") == []


# --- files that are too large ----------------------------------------------------------------------


def large_picture(side: int) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3)).save(out, "PNG")
    return out.getvalue()


def finish_with(stage: Stage, job: int, picture: bytes) -> None:
    order = stage.worker.running.pop(job)
    stage.worker._events.put_nowait(
        events.Finished(job=job, attempt=order.attempt, facts=facts_of(order.request), picture=picture)
    )


async def test_a_picture_over_the_limit_is_shown_compressed_and_given_whole_on_demand(stage: Stage) -> None:
    content = large_picture(256)
    async with with_limits(stage, dataclasses.replace(NO_RATES, file_bytes=len(content) - 1)) as driver:
        answer, job = await started(driver, stage.worker)
        finish_with(stage, job, content)
        message = await driver.until(lambda: seen if "Original" in (seen := latest(driver, answer)).buttons else None)
        assert message.pictures == ("darkroom-1.webp",) and "compressed for Discord" in message.text
        pressed = await driver.click("bob", message, "Original")
        assert pressed is not None and pressed.ephemeral and pressed.files
        fetched = await driver.command("ann", "original", picture=1)
        assert fetched.files == ("darkroom-1.webp",) and "pixel by pixel" in fetched.text
        assert all(size < len(content) for sent in driver.playground.requests for _, size in sent.files)
        refused = await driver.command("bob", "original", picture=1)
        assert "Only the person who asked" in refused.text
        nothing = await driver.command("bob", "original")
        assert "You have no picture yet" in nothing.text


async def test_where_discord_takes_less_than_it_says_the_picture_is_made_smaller_until_it_fits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SMALLEST_LIMIT", 1_000)
    content = large_picture(256)
    async with with_limits(stage, NO_RATES) as driver:
        answer, job = await started(driver, stage.worker)
        await driver.until(lambda: driver.edits(answer))
        driver.fail("PATCH", EDIT, status=413, code=40005, times=2)
        finish_with(stage, job, content)
        message = await shown(driver, answer)
        assert message.pictures == ("darkroom-1.webp",)
        assert len(driver.messages("ann")) == 1


# --- the machine's own troubles --------------------------------------------------------------------


async def test_a_database_that_another_program_holds_delays_the_job_but_not_the_answer(
    driver: LoopbackDriver, stage: Stage
) -> None:
    with closing(sqlite3.connect(stage.settings.data / DATABASE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asking = asyncio.create_task(driver.slash("ann", prompt="a red fox"))
        answer = await driver.until(lambda: next(iter(driver.messages("ann")), None))
        assert "Taking your place in the queue" in answer.text
        await asyncio.sleep(1.0)  # ten would only take longer: nothing here counts them
        assert stage.worker.orders == []
        other.execute("COMMIT")
    await asking
    order = await driver.until(lambda: stage.worker.orders[0] if stage.worker.orders else None)
    stage.worker.finish(order.job)
    await shown(driver, answer)


async def test_a_press_is_acknowledged_while_the_database_is_held(driver: LoopbackDriver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    await driver.until(lambda: "Cancel" in latest(driver, answer).buttons)
    with closing(sqlite3.connect(stage.settings.data / DATABASE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pressing = asyncio.create_task(driver.click("ann", answer, "Cancel"))
        await driver.until(lambda: driver.count("POST", "/interactions/*/*/callback") == 2)
        assert stage.worker.cancels == []
        other.execute("COMMIT")
    await pressing
    await driver.until(lambda: "Cancelled." in latest(driver, answer).text)
    assert stage.worker.cancels == [job]


async def test_a_disk_that_is_full_when_a_picture_is_saved_ends_in_a_clear_failure_and_the_next_one_comes(
    driver: LoopbackDriver, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    answer, job = await started(driver, stage.worker)
    with monkeypatch.context() as full:
        full.setattr("store.files._write", no_room)
        stage.worker.finish(job)
        failed = await driver.until(lambda: seen if "Reference" in (seen := latest(driver, answer)).text else None)
    assert "could not be saved" in failed.text and failed.buttons == ()
    other, job = await started(driver, stage.worker, prompt="another")
    stage.worker.finish(job)
    await shown(driver, other)


async def test_a_store_that_fails_when_the_delivery_is_noted_is_asked_again_and_nothing_is_sent_twice(
    driver: LoopbackDriver, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, job = await started(driver, stage.worker)
    await driver.until(lambda: driver.edits(answer))
    note, failures = stage.parts.studio.mark_delivered, iter([True, True, False])

    async def seldom(job: int) -> bool:
        if next(failures):
            raise DatabaseUnreachable("The database is held by another program; close that and try again.")
        return await note(job)

    monkeypatch.setattr(stage.parts.studio, "mark_delivered", seldom)
    before = driver.count("PATCH", EDIT)
    stage.worker.finish(job)
    await stage.all_delivered()
    assert driver.count("PATCH", EDIT) == before + 1


# --- the moment that is foreseen -------------------------------------------------------------------


async def test_the_waiting_message_names_a_moment_and_is_brought_up_to_date(
    driver: LoopbackDriver, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "REFRESH", 0.1)
    _, first = await started(driver, stage.worker, prompt="one")
    await driver.slash("bob", prompt="two")
    third = await driver.slash("ann", prompt="three", steps=50)
    waiting = await driver.until(lambda: seen if "1 picture first" in (seen := latest(driver, third)).text else None)
    stamp = re.search(r"ready <t:(\d+):R>", waiting.text)
    assert stamp is not None and int(stamp[1]) >= time.time() - 1
    stage.worker.finish(first)
    await driver.until(lambda: "next in line" in latest(driver, third).text)


@pytest.mark.parametrize(
    "was, foreseen, now, shown",
    [
        (None, 160.0, 100.0, 160.0),
        (160.0, 164.0, 100.0, 160.0),
        (160.0, 190.0, 100.0, 190.0),
        (99.0, 103.0, 100.0, 103.0),
        (1_000_000.0, 160.0, 100.0, 160.0),
    ],
    ids=["first", "about right", "wrong", "gone by", "after the clock jumped"],
)
def test_a_moment_that_is_about_right_is_left_as_it_is(
    was: float | None, foreseen: float, now: float, shown: float
) -> None:
    assert delivery.steady(was, foreseen, now) == shown
