"""`/queue`: what a person sees of their own jobs, and what they may do with them."""

from __future__ import annotations

from tests.bot.conftest import Stage
from tests.bot.driving import Driver, Seen, latest, started


def now(driver: Driver, person: str, message: Seen) -> Seen:
    return next(seen for seen in driver.messages(person) if seen.id == message.id)


async def test_my_queue_shows_my_jobs_only_with_place_share_and_a_cancel_for_each(driver: Driver, stage: Stage) -> None:
    _, running = await started(driver, stage.worker, prompt="a red fox")
    await driver.slash("ann", prompt="a blue cat")
    await driver.slash("bob", prompt="a green owl")
    mine = await driver.command("ann", "queue")
    assert mine.ephemeral
    assert "a red fox" in mine.text and "a blue cat" in mine.text and "a green owl" not in mine.text
    assert "50 %, beside 1 other person" in mine.text and "1 picture first, ready <t:" in mine.text
    assert mine.buttons == (f"Cancel {running}", f"Cancel {running + 1}", "Refresh")
    assert "Nothing of yours waits or runs" in (await driver.command("cid", "queue")).text


async def test_cancel_in_my_queue_stops_a_running_and_a_waiting_job_also_after_a_restart(
    driver: Driver, stage: Stage
) -> None:
    first, running = await started(driver, stage.worker)
    second = await driver.slash("ann", prompt="a blue cat")
    mine = await driver.command("ann", "queue")
    await driver.click("ann", mine, f"Cancel {running}")
    assert stage.worker.cancels == [running]
    await driver.until(lambda: "Cancelled." in latest(driver, first).text)
    assert "a red fox" not in now(driver, "ann", mine).text
    await driver.restart()
    await driver.click("ann", mine, f"Cancel {running + 1}")
    await driver.until(lambda: "Cancelled." in latest(driver, second).text)
    assert "Nothing of yours waits or runs" in now(driver, "ann", mine).text


async def test_a_job_that_is_finished_cannot_be_cancelled_any_more(driver: Driver, stage: Stage) -> None:
    _, job = await started(driver, stage.worker)
    mine = await driver.command("ann", "queue")
    stage.worker.finish(job)
    await stage.stored(job)
    answer = await driver.click("ann", mine, f"Cancel {job}")
    assert answer is not None and answer.ephemeral and "only until it is finished" in answer.text
    await driver.click("ann", mine, "Refresh")
    assert "Nothing of yours" in now(driver, "ann", mine).text


async def test_a_prompt_that_holds_somebodys_id_does_not_let_them_cancel_the_job(driver: Driver, stage: Stage) -> None:
    bob = getattr(driver.member("bob"), "id")  # noqa: B009  # of either harness
    message, job = await started(driver, stage.worker, prompt=f"bob {bob} <@{bob}>")
    await driver.until(lambda: latest(driver, message).buttons)
    answer = await driver.click("bob", latest(driver, message), "Cancel")
    assert answer is not None and answer.ephemeral and "Only the person who asked" in answer.text
    assert stage.worker.cancels == [] and job in stage.worker.running
