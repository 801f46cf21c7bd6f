"""The buttons under a picture, also after a restart."""

from __future__ import annotations

from tests.bot.conftest import Stage
from tests.bot.driving import Driver, finished, latest, started


async def test_again_makes_a_new_picture_of_the_same_request_with_a_new_seed(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker, prompt="a red fox", seed=42, steps=7)
    answer = await driver.click("bob", message, "Again")
    assert answer is not None and not answer.ephemeral
    again = await driver.until(lambda: stage.worker.orders[1] if len(stage.worker.orders) > 1 else None)
    assert again.request.seed != 42
    assert again.request.again(seed=42) == stage.worker.orders[0].request
    stage.worker.finish(again.job)
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)
    assert latest(driver, message) == message


async def test_strip_adds_the_strip_to_the_picture_and_takes_its_button_away(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker)
    assert await driver.click("bob", message, "Strip") is None
    with_strip = latest(driver, message)
    assert (with_strip.pictures, with_strip.files) == ((*message.pictures, "strip.png"), ())
    assert with_strip.cards[0] == message.cards[0]
    assert "Strip" in message.buttons and "Strip" not in with_strip.buttons


async def test_a_strip_that_cannot_be_drawn_is_told_to_the_person_who_pressed(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker)
    stage.worker.can_decode = False
    answer = await driver.click("bob", message, "Strip")
    assert answer is not None and answer.ephemeral and "The worker ended before it answered" in answer.text
    assert latest(driver, message) == message


async def test_the_owner_deletes_a_picture_with_its_message_its_files_and_its_record(
    driver: Driver, stage: Stage
) -> None:
    message = await finished(driver, stage.worker)
    await driver.click("ann", message, "Delete")
    assert driver.messages("ann") == []
    assert [path for path in stage.settings.data.rglob("files/*/*") if path.is_file()] == []
    assert await stage.parts.studio.picture(1) is None


async def test_nobody_else_can_delete_it(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker)
    answer = await driver.click("bob", message, "Delete")
    assert answer is not None and answer.ephemeral
    assert answer.text == "Only the person who asked for this picture can delete it."
    assert latest(driver, message) == message and await stage.parts.studio.picture(1) is not None


async def test_a_prompt_that_holds_somebodys_id_does_not_make_them_the_owner(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker, prompt="for bob and ann and 100000000000000000")
    answer = await driver.click("bob", message, "Delete")
    assert answer is not None and "Only the person who asked" in answer.text


async def test_the_buttons_work_after_a_restart(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker, seed=42)
    await driver.restart()
    assert await driver.click("bob", message, "Again") is not None
    await driver.until(lambda: stage.worker.orders)
    await driver.click("ann", message, "Delete")
    assert message.id not in [seen.id for seen in driver.messages("ann")]


async def test_a_job_that_waited_at_a_restart_is_made_and_delivered_once(driver: Driver, stage: Stage) -> None:
    await started(driver, stage.worker, prompt="running")
    waiting = await driver.slash("ann", prompt="waiting")
    await driver.restart()
    for number in (1, 2):
        await driver.until(lambda number=number: len(stage.worker.orders) == number)
        stage.worker.finish(stage.worker.orders[-1].job)
    await driver.until(lambda: "Again" in latest(driver, waiting).buttons)
    assert [seen.buttons[0] for seen in driver.messages("ann")] == ["Again", "Again"]
    await stage.all_delivered()
    assert await stage.parts.studio.undelivered() == []


async def test_a_picture_stored_but_not_shown_when_the_process_ended_is_shown_after_the_restart(
    driver: Driver, stage: Stage
) -> None:
    answer, job = await started(driver, stage.worker)
    await stage.bot.delivery.close()
    stage.worker.finish(job)
    await stage.stored(job)
    await driver.restart()
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)
    assert stage.worker.orders == [] and len(driver.messages("ann")) == 1


async def test_what_was_delivered_is_not_touched_by_a_restart(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker)
    await stage.all_delivered()
    before = driver.edits(message)
    await driver.restart()
    await stage.all_delivered()
    assert driver.edits(message) == before
