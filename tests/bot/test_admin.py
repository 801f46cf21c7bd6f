"""`/admin` as admins and others meet it."""

from __future__ import annotations

import pytest

from bot.boards import INTERVAL
from generation.dispatch.base import WorkerSeen
from generation.events import Loading
from generation.queue import Owner, Place
from generation.request import make_request
from tests.bot.conftest import Stage
from tests.bot.driving import Driver, Seen, latest, started


@pytest.fixture(autouse=True)
def admins(driver: Driver) -> None:
    driver.add_admin("ada")
    driver.add_admin("ed")


def now(driver: Driver, message: Seen, person: str = "ada") -> Seen:
    return next(seen for seen in driver.messages(person) if seen.id == message.id)


async def test_the_board_is_live_for_the_admin_alone_and_hides_words_said_elsewhere(
    driver: Driver, stage: Stage
) -> None:
    stage.bot.boards.interval = 0.05
    request = make_request(stage.settings.known_models.default, prompt="a secret wish")
    stranger = Owner(source="discord", external_id="5", name="Stranger")
    await stage.parts.studio.submit(request, stranger, Place(channel="6", guild="7"))
    job = 1
    await driver.slash("bob", prompt="a green owl")
    board = await driver.command("ada", "admin queue")
    assert board.ephemeral and {"Refresh", "Pause", "Drain"} <= set(board.buttons)
    assert "Lane 1" in board.text and "Stranger" in board.text and "a secret wish" not in board.text
    assert "**1 waiting**" in board.text and "bob" in board.text and "a green owl" in board.text
    await driver.until(lambda: job in stage.worker.running or None)
    stage.worker.progress(job, 3)
    await driver.until(lambda: "step 3 of" in now(driver, board).text or None)
    stage.worker.finish(job)
    await driver.until(lambda: "**0 waiting**" in now(driver, board).text or None)


async def test_who_may_not_manage_the_server_can_do_nothing_even_with_an_old_button(
    driver: Driver, stage: Stage
) -> None:
    board = await driver.command("ada", "admin queue")
    driver.demote("ada")
    answer = await driver.click("ada", board, "Pause")
    assert answer is not None and "Only members with the permission Manage Server" in answer.text
    assert stage.parts.studio.mode == "open"
    with pytest.raises(Exception, match=r"(?i)no command|not|permission"):
        await driver.command("bob", "admin pause")


async def test_a_paused_queue_starts_nothing_until_it_is_resumed_also_from_the_board(
    driver: Driver, stage: Stage
) -> None:
    assert "is paused" in (await driver.command("ada", "admin pause")).text
    assert (await driver.command("ed", "admin pause")).text.strip() == "The queue is paused already."
    answer = await driver.slash("ann", prompt="a red fox")
    await driver.until(lambda: "paused by an admin" in latest(driver, answer).text or None)
    assert stage.worker.orders == [] and "ready <t:" not in latest(driver, answer).text, "nobody knows when"
    assert "ready <t:" not in (await driver.command("ann", "queue")).text
    board = await driver.command("ada", "admin queue")
    assert "Paused" in board.text and "next in line" in board.text and "ready <t:" not in board.text
    await driver.click("ada", board, "Resume")
    await driver.until(lambda: stage.worker.orders)
    assert "No new requests are taken" in (await driver.command("ada", "admin drain")).text
    refused = await driver.slash("bob", prompt="a cat")
    assert refused.ephemeral and "No new pictures are taken for now" in refused.text


async def test_of_two_admins_who_confirm_the_same_cancel_one_has_it_and_the_other_is_told(
    driver: Driver, stage: Stage
) -> None:
    message, job = await started(driver, stage.worker)
    questions = {name: await driver.command(name, "admin cancel", job=job) for name in ("ada", "ed")}
    assert questions["ada"].buttons == ("Cancel it", "Leave it") and "a red fox" in questions["ada"].text
    assert stage.worker.cancels == [], "it is only asked"
    await driver.click("ada", questions["ada"], "Cancel it")
    assert now(driver, questions["ada"]).text.strip() == f"Job {job} is cancelled."
    answer = await driver.click("ed", questions["ed"], "Cancel it")
    assert answer is not None and f"Job {job} has ended already" in answer.text
    await driver.until(lambda: "Cancelled." in latest(driver, message).text or None)
    assert (await driver.command("ed", "admin audit")).text.count("**cancel**") == 1


async def test_everything_is_cancelled_only_after_a_yes_also_after_a_restart(driver: Driver, stage: Stage) -> None:
    message, _ = await started(driver, stage.worker)
    await driver.click("ada", kept := await driver.command("ada", "admin cancel-all"), "Leave it")
    assert now(driver, kept).text.strip() == "Nothing was changed."
    question = await driver.command("ada", "admin cancel-all")
    await driver.restart()
    await driver.click("ada", question, "Cancel everything")
    await driver.until(lambda: "Cancelled." in latest(driver, message).text or None)
    assert now(driver, question).text.strip() == "1 job is cancelled."


async def test_a_job_is_picked_from_the_board_and_moved(driver: Driver, stage: Stage) -> None:
    _, running = await started(driver, stage.worker)
    for person in ("bob", "cid"):
        await driver.slash(person, prompt="a cat")
    board = await driver.command("ada", "admin queue")
    picked = await driver.choose("ada", board, str(running + 2))
    assert picked.ephemeral and picked.buttons == ("To the front", "Priority …", "Cancel …")
    answer = await driver.fill("ada", picked, "Priority …", priority="soon")
    assert "“soon” is no priority" in answer.text
    await driver.click("ada", picked, "To the front")
    assert now(driver, picked).text.strip() == f"Job {running + 2} starts next."
    refused = await driver.command("ada", "admin front", job=running)
    assert "runs already, so it cannot be moved" in refused.text
    stage.worker.finish(running)
    await driver.until(lambda: running + 2 in stage.worker.running or None)


async def test_a_quota_is_shown_and_holds_and_one_of_minus_one_is_refused(driver: Driver, stage: Stage) -> None:
    refused = await driver.command("ada", "admin limits", per_day=-1)
    assert "“daily quota” must be between 0" in refused.text
    assert "Everyone: a day 1" in (await driver.command("ada", "admin limits", per_day=1)).text
    await started(driver, stage.worker)
    second = await driver.slash("ann", prompt="a cat")
    assert second.ephemeral and "daily quota of 1 picture" in second.text
    assert "No limits are set." in (await driver.command("ada", "admin limits", clear=True)).text


async def test_a_blocked_person_is_told_why_until_they_are_unblocked(driver: Driver, stage: Stage) -> None:
    await started(driver, stage.worker)
    answer = await driver.command("ada", "admin block", user=driver.member("ann"), reason="too @everyone loud")
    assert "is blocked. Cancel 1 job of theirs too?" in answer.text
    await driver.click("ada", answer, "Cancel them all")
    refused = await driver.slash("ann", prompt="a cat")
    assert refused.ephemeral and "An admin has blocked you" in refused.text and not refused.pings
    await driver.command("ada", "admin unblock", user=driver.member("ann"))
    assert "a cat" in (await driver.slash("ann", prompt="a cat")).text


async def test_a_failed_job_runs_again_in_its_own_message(driver: Driver, stage: Stage) -> None:
    message, job = await started(driver, stage.worker)
    stage.worker.fail(job, "The paint ran out.")
    await driver.until(lambda: "The paint ran out." in latest(driver, message).text or None)
    await stage.all_delivered()
    assert f"as job {job + 1}" in (await driver.command("ada", "admin retry", job=job)).text
    await driver.until(lambda: job + 1 in stage.worker.running or None)
    stage.worker.finish(job + 1)
    await driver.until(lambda: "Again" in latest(driver, message).buttons or None)
    assert "was retried already" in (await driver.command("ada", "admin retry", job=job)).text


async def test_what_ended_its_worker_twice_is_in_quarantine_and_is_retried_from_there_once(
    driver: Driver, stage: Stage
) -> None:
    message, job = await started(driver, stage.worker)
    for attempt in (1, 2):
        await driver.until(lambda n=attempt: (len(stage.worker.orders) >= n and job in stage.worker.running) or None)
        stage.worker.fail(job, "The worker ended.", retry=True)
    await driver.until(lambda: "gave it up" in latest(driver, message).text or None)
    await stage.all_delivered()
    assert "1 job in quarantine" in (await driver.command("ada", "admin queue")).text
    listed = await driver.command("ada", "admin quarantine")
    assert listed.ephemeral and "2 workers died" in listed.text and "a red fox" in listed.text
    picked = await driver.choose("ada", listed, str(job))
    assert picked.buttons == ("Retry",) and "gave it up" in picked.text
    await driver.click("ada", picked, "Retry")
    assert now(driver, picked).text.strip() == f"Job {job} runs again, as job {job + 1}."
    await driver.until(lambda: job + 1 in stage.worker.running or None)
    stage.worker.fail(job + 1, "The worker ended.", retry=True)
    await stage.all_delivered()
    assert "gave it up" in latest(driver, message).text, "one death is enough now"
    again = await driver.command("ada", "admin quarantine")
    assert f"**#{job + 1}**" in again.text and f"**#{job}**" not in again.text


async def test_the_board_names_each_of_several_workers_with_what_it_runs(driver: Driver, stage: Stage) -> None:
    await driver.until(lambda: stage.parts.studio.readiness)
    ready = stage.parts.studio.readiness
    _, job = await started(driver, stage.worker)
    stage.worker.named = (
        WorkerSeen(name="attic-1", state=Loading(what="loading big", done=0, total=1), jobs=()),
        WorkerSeen(name="cellar-2", state=ready, jobs=(job,)),
    )
    board = await driver.command("ada", "admin queue")
    lines = board.text.splitlines()
    (attic,) = (number for number, line in enumerate(lines) if "attic-1" in line)
    (cellar,) = (number for number, line in enumerate(lines) if "cellar-2" in line)
    assert "loading big" in lines[attic] and "1 lane" in lines[cellar] and "Lane 1 · **#1**" in lines[cellar + 1]


async def test_words_of_a_private_picture_are_shown_to_no_admin(driver: Driver, stage: Stage) -> None:
    await started(driver, stage.worker)
    await driver.slash("bob", prompt="a secret owl", private=True)
    board = await driver.command("ada", "admin queue")
    question = await driver.command("ada", "admin cancel", job=2)
    picked = await driver.choose("ada", board, "2")
    for seen in (board, question, picked):
        assert "bob" in seen.text and "its words are not shown here" in seen.text and "secret" not in seen.text
    assert "a red fox" in board.text, "which everybody can read in the channel"


async def test_statistics_come_with_a_plot(driver: Driver, stage: Stage) -> None:
    _, job = await started(driver, stage.worker)
    stage.worker.fail(job, "The paint ran out.")
    await stage.all_delivered()
    shown = await driver.command("ada", "admin stats", period="week")
    assert shown.pictures == ("queue.png",) and "A. The paint ran out. (1)" in shown.text


def test_boards_are_refreshed_at_a_pace_that_discord_allows() -> None:
    assert INTERVAL >= 2.0  # seconds
