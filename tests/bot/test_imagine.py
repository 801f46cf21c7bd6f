"""`/imagine`, from the words to the picture with its buttons."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from bot import wording
from tests.bot.conftest import INTERVAL, Stage
from tests.bot.driving import Driver, finished, latest, started


async def test_the_picture_comes_with_its_prompt_seed_steps_and_time_and_three_buttons(
    driver: Driver, stage: Stage
) -> None:
    message = await finished(driver, stage.worker, prompt="a red fox", seed=42, steps=7)
    assert "a red fox" in message.text
    assert "Seed 42 · 7 steps · guidance 2.2 · 128×128 · pocket · 1.2 s" in message.text
    assert message.buttons[:6] == ("Again", "How?", "Strip", "Timelapse", "Touch up", "Delete")
    assert message.files == () and message.pictures == ("darkroom-1.png",)
    assert len(driver.messages("ann")) == 1


async def test_every_option_reaches_the_worker(driver: Driver, stage: Stage) -> None:
    options = {"seed": 7, "steps": 12, "guidance": 2.5, "negative_prompt": "snow", "model": "big", "size": "128x96"}
    await started(driver, stage.worker, prompt="a cat", **options)
    request = stage.worker.orders[0].request
    assert (request.prompt, request.negative_prompt, request.seed, request.steps) == ("a cat", "snow", 7, 12)
    assert (request.guidance_scale, request.model, request.width, request.height) == (2.5, "big", 128, 96)


async def test_the_answer_says_how_many_go_first_and_how_long_it_takes(driver: Driver, stage: Stage) -> None:
    await started(driver, stage.worker, prompt="one")
    await driver.slash("ann", prompt="two")
    third = await driver.slash("ann", prompt="three")
    waiting = await driver.until(lambda: seen if "Waiting" in (seen := latest(driver, third)).text else None)
    assert "1 picture first · ready <t:" in waiting.text
    assert waiting.buttons == ("Cancel",)


async def test_progress_shows_the_step_the_time_left_and_the_emerging_picture(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker, steps=20)
    stage.worker.progress(job, 7, seconds_left=6.2)
    seen = await driver.until(lambda: seen if "Step" in (seen := latest(driver, answer)).text else None)
    assert f"{wording.bar(7, 20)}\nStep 7 of 20 · about 6 s left" in seen.text
    assert (seen.pictures, seen.files) == (("step-7.webp",), ())


async def test_the_emerging_picture_stays_while_steps_without_a_preview_go_by(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker, steps=20)
    stage.worker.progress(job, 1)
    for step in range(2, 5):
        stage.worker.progress(job, step, preview=False)
    seen = await driver.until(lambda: seen if "Step 4" in (seen := latest(driver, answer)).text else None)
    assert seen.pictures == ("step-4.webp",)


async def test_edits_keep_their_distance_and_show_only_the_latest_state(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker, steps=20)
    for step in range(1, 20):
        stage.worker.progress(job, step)
        await asyncio.sleep(INTERVAL / 8)
    await driver.until(lambda: "Step 19 of 20" in latest(driver, answer).text)
    edits = driver.edits(answer)
    gaps = [later.at - earlier.at for earlier, later in pairwise(edits)]
    assert min(gaps) >= INTERVAL * 0.9, gaps
    assert len(edits) < 10, "nineteen steps in two and a half intervals need only a few edits"


async def test_the_finished_picture_does_not_wait_for_the_next_edit(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    for step in range(1, 4):
        stage.worker.progress(job, step)
    stage.worker.finish(job)
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)
    assert not any("Step 1 " in edit.text for edit in driver.edits(answer))


async def test_a_strip_that_was_asked_for_comes_along_with_the_picture(driver: Driver, stage: Stage) -> None:
    message = await finished(driver, stage.worker, strip=True)
    assert (message.pictures, message.files) == (("darkroom-1.png", "strip.png"), ())
    assert message.buttons[:6] == ("Again", "How?", "Noisy row", "Timelapse", "Touch up", "Delete")


async def test_a_picture_whose_strip_cannot_be_drawn_comes_with_the_strip_button(driver: Driver, stage: Stage) -> None:
    stage.worker.can_decode = False
    message = await finished(driver, stage.worker, strip=True)
    assert len(message.pictures) == 1 and message.buttons[:6] == (
        "Again",
        "How?",
        "Strip",
        "Timelapse",
        "Touch up",
        "Delete",
    )


async def test_a_failure_is_told_in_the_message_with_its_reference(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    stage.worker.fail(job, "The model has run out of memory; a smaller size may work.")
    seen = await driver.until(lambda: seen if "Reference" in (seen := latest(driver, answer)).text else None)
    assert "The model has run out of memory; a smaller size may work." in seen.text and "abc123" in seen.text
    assert seen.buttons == ()


async def test_a_job_whose_worker_died_goes_on_and_is_delivered_once(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    stage.worker.progress(job, 3)
    stage.worker.fail(job, "The worker ended.", retry=True)
    await driver.until(lambda: len(stage.worker.orders) == 2)
    stage.worker.finish(job)
    await driver.until(lambda: "Again" in latest(driver, answer).buttons)
    assert len(driver.messages("ann")) == 1


async def test_the_owner_cancels_a_running_job_and_nobody_else_can(driver: Driver, stage: Stage) -> None:
    answer, job = await started(driver, stage.worker)
    await driver.until(lambda: "Cancel" in latest(driver, answer).buttons)
    refusal = await driver.click("bob", answer, "Cancel")
    assert refusal is not None and refusal.ephemeral and "Only the person who asked" in refusal.text
    assert stage.worker.cancels == []
    await driver.click("ann", answer, "Cancel")
    seen = await driver.until(lambda: seen if "Cancelled." in (seen := latest(driver, answer)).text else None)
    assert stage.worker.cancels == [job] and seen.buttons == ()


MISTAKES = [
    ({"prompt": " \u200b "}, "The prompt is empty"),
    ({"prompt": "\x00\x00"}, "The prompt is empty"),
    ({"prompt": "fox " * 1250}, "4,999 characters; 1,000 are the most"),
    ({"steps": 0}, "The number of steps must be between 1 and 100; 0 is not."),
    ({"steps": 10_000}, "The number of steps must be between 1 and 100; 10,000 is not."),
    ({"seed": -1}, "The seed must be between 0 and 4,294,967,295; -1 is not."),
    ({"seed": 2**40}, "The seed must be between"),
    ({"guidance": 99.0}, "The guidance scale must be between 0 and 30; 99 is not."),
    ({"size": "130x128", "model": "big"}, "The width must be a multiple of 8 pixels for the big model; 128 is the"),
    ({"size": "16000x16000", "model": "big"}, "must be between 64 and 256 pixels for the big model; 16,000 is not."),
    ({"size": "512x512"}, "The pocket model paints 128x128 pixels only"),
    ({"size": "large"}, "“large” is not a size; write width x height in pixels, like 512x512."),
    ({"model": "dall-e"}, "There is no model called “dall-e” here; choose one of: pocket, big."),
]


@pytest.mark.parametrize("options, sentence", MISTAKES, ids=[str(options)[:40] for options, _ in MISTAKES])
async def test_a_mistake_gets_one_clear_sentence_for_the_person_alone_and_nothing_is_queued(
    driver: Driver, stage: Stage, options: dict[str, object], sentence: str
) -> None:
    answer = await driver.slash("ann", **({"prompt": "a red fox"} | options))
    assert sentence in answer.text.replace("\\", "")
    assert answer.ephemeral and "\n" not in answer.text and "Traceback" not in answer.text
    assert driver.messages("bob") == [] and stage.worker.orders == []


@pytest.mark.parametrize(
    "prompt",
    [
        "🦊🛹😎",
        "שלום עולם",
        "مرحبا \u202eبالعالم",
        "@everyone look here",
        "<@123456789012345678> <@&1> @here",
        "# big **bold** [link](https://example.org) `code` ||spoiler||",
        "nul\x00 byte\x07 and\nlines",
        "x" * 1000,
    ],
)
async def test_whatever_is_typed_makes_a_picture_and_notifies_nobody(driver: Driver, stage: Stage, prompt: str) -> None:
    message = await finished(driver, stage.worker, prompt=prompt)
    assert not message.pings and "@everyone" not in message.text and "https://" not in message.text
    assert wording.shown(stage.worker.orders[0].request.prompt) in message.text


async def test_an_unknown_model_named_like_a_mention_pings_nobody(driver: Driver, stage: Stage) -> None:
    answer = await driver.slash("ann", prompt="a fox", model="@everyone **x**")
    assert not answer.pings and "@everyone" not in answer.text and r"\*\*x\*\*" in answer.text


async def test_one_person_cannot_fill_the_queue(driver: Driver, stage: Stage) -> None:
    await started(driver, stage.worker)
    for _ in range(stage.settings.waiting_limit):
        await driver.slash("ann", prompt="more")
    public = len(driver.messages("bob"))
    refusal = await driver.slash("ann", prompt="too much")
    assert refusal.ephemeral and "You have 3 pictures waiting" in refusal.text
    assert len(driver.messages("bob")) == public, "the answer that could not be kept is taken back"


async def test_models_are_offered_by_name_and_title(driver: Driver) -> None:
    assert await driver.suggestions("ann", "model", "") == ["pocket", "big"]
    assert await driver.suggestions("ann", "model", "EMOJI") == ["pocket"]
    assert await driver.suggestions("ann", "model", "nothing like it") == []


async def test_sizes_are_offered_that_the_model_can_do(driver: Driver) -> None:
    assert await driver.suggestions("ann", "size", "") == ["128x128"]
