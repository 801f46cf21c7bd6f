"""A picture finds its way although Discord makes trouble."""

from __future__ import annotations

import pytest

from bot import delivery
from tests.bot.conftest import Stage
from tests.bot.driving import ALWAYS, EDIT, EDIT_BY_TOKEN, POST, Driver, latest, started


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_PAUSES", (0.05,))


async def test_edits_go_by_the_bots_own_token_and_the_interactions_is_left_alone(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    stage.worker.progress(job, 1)
    stage.worker.finish(job)
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)
    assert driver.count("PATCH", "/webhooks/*") == 0


async def test_where_the_bot_cannot_look_edits_go_by_the_interactions_token(driver: Driver, stage: Stage) -> None:
    driver.hide_channel()
    answer, job = await started(driver, stage.worker)
    stage.worker.finish(job)
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)
    assert driver.count("PATCH", EDIT) == 0


async def test_a_message_deleted_while_its_picture_was_made_is_replaced_by_a_new_one(
    driver: Driver, stage: Stage
) -> None:
    answer, job = await started(driver, stage.worker)
    driver.delete(answer)
    stage.worker.progress(job, 3)
    stage.worker.finish(job)
    await stage.all_delivered()
    (message,) = driver.messages("ann")
    assert message.id != answer.id and message.buttons[:6] == (
        "Again",
        "How?",
        "Strip",
        "Timelapse",
        "Touch up",
        "Delete",
    )


async def test_where_no_token_helps_the_picture_comes_as_a_direct_message(driver: Driver, stage: Stage) -> None:
    _, job = await started(driver, stage.worker)
    driver.fail("PATCH", EDIT, status=403, code=50001, times=ALWAYS)
    driver.fail("PATCH", EDIT_BY_TOKEN, status=401, code=50027, times=ALWAYS)
    driver.fail("POST", POST, status=403, code=50001)
    stage.worker.finish(job)
    await stage.all_delivered()
    (message,) = driver.direct_messages("ann")
    assert message.pictures == ("darkroom-1.png",)


async def test_where_nothing_leads_to_the_person_the_job_still_comes_to_rest(
    driver: Driver, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    _, job = await started(driver, stage.worker)
    driver.fail("PATCH", "*", status=404, code=10008, times=ALWAYS)
    driver.fail("POST", POST, status=403, code=50007, times=ALWAYS)
    stage.worker.finish(job)
    await stage.all_delivered()
    assert "no way leads to the person who asked" in caplog.text
    assert await stage.parts.studio.picture_of(job) is not None


async def test_trouble_of_discords_own_is_waited_out(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    await driver.until(lambda: driver.edits(answer))
    driver.fail("PATCH", EDIT, status=503, times=3)
    stage.worker.finish(job)
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)
    assert len(driver.messages("ann")) == 1


async def test_a_lost_edit_of_progress_does_not_lose_the_picture(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    driver.fail("PATCH", EDIT, status=500, times=1)
    stage.worker.progress(job, 1)
    await driver.until(lambda: driver.count("PATCH", EDIT))
    stage.worker.progress(job, 2)
    await driver.until(lambda: "Step 2" in latest(driver, answer).text)
    stage.worker.finish(job)
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)


async def test_a_picture_that_discord_does_not_take_ends_in_a_clear_failure(
    driver: Driver, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    answer, job = await started(driver, stage.worker)
    await driver.until(lambda: driver.edits(answer))
    driver.fail("PATCH", EDIT, status=413, code=40005, times=1)
    stage.worker.finish(job)
    await stage.all_delivered()
    message = latest(driver, answer)
    assert "Discord does not take this picture from me." in message.text
    assert message.text.rpartition("Reference ")[2] in caplog.text


async def test_a_letter_on_its_way_when_the_process_ends_is_not_sent_again(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    await driver.until(lambda: driver.edits(answer))
    before = driver.count("PATCH", EDIT)
    stage.worker.finish(job)
    await driver.until(lambda: driver.count("PATCH", EDIT) > before)
    await driver.restart()
    await stage.all_delivered()
    assert "Again" in latest(driver, answer).buttons and driver.count("PATCH", EDIT) == before + 1


async def test_a_waiting_message_goes_on_after_a_restart(driver: Driver, stage: Stage) -> None:
    first, _ = await started(driver, stage.worker)
    second = await driver.slash("bob", prompt="a blue cat")
    await driver.until(lambda: "next in line" in latest(driver, second).text)
    await driver.restart()
    job = await driver.until(lambda: next(iter(stage.worker.running), None))
    stage.worker.finish(job)
    await driver.until(lambda: "Again" in latest(driver, first).buttons)
    other = await driver.until(lambda: next(iter(stage.worker.running), None))
    stage.worker.progress(other, 4)
    await driver.until(lambda: "Step 4" in latest(driver, second).text)
    stage.worker.finish(other)
    await driver.until(lambda: "Again" in latest(driver, second).buttons)
    assert len(driver.messages("ann")) == 2


async def test_jobs_of_the_terminal_are_left_alone(driver: Driver, stage: Stage) -> None:
    from generation.studio import Owner

    request = stage.bot.conversation.imagine_request("a fox")
    job = await stage.bot.conversation.submit(request, Owner(source="terminal", external_id="me", name="me"))
    await driver.until(lambda: stage.worker.orders)
    stage.worker.finish(job.id)
    await stage.stored(job.id)
    assert driver.messages("ann") == [] and driver.count("PATCH", "*") == 0
