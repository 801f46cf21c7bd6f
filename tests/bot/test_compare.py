"""`/compare` and `/words` on two Discords: the cost first, one message to the end, and every refusal a sentence."""

from __future__ import annotations

import re

from tests.bot.conftest import Stage
from tests.bot.driving import Driver, Seen, finished, latest

ISOLATES = re.compile("[\u2068\u2069]")


def plain(seen: Seen) -> str:
    return ISOLATES.sub("", seen.text)


async def test_an_experiment_is_priced_accepted_shown_and_known_from_then_on(driver: Driver, stage: Stage) -> None:
    await finished(driver, stage.worker, prompt="a red fox", seed=3)
    question = await driver.command("ann", "compare", what="seed", values="4, 5")
    assert question.ephemeral and "seed 3, seed 4, seed 5" in plain(question)
    assert "It makes 2 pictures, about " in plain(question) and "when nobody waits for a picture" in plain(question)
    assert question.buttons == ("Go ahead", "Never mind")
    answer = await driver.click("ann", question, "Go ahead")
    assert answer is not None and not answer.ephemeral
    order = await driver.until(lambda: stage.worker.orders[-1] if stage.worker.orders[-1].cells else None)
    assert [cell.seed for cell in order.cells] == [4, 5]
    stage.worker.finish(order.job)
    shown = await driver.until(lambda: seen if (seen := latest(driver, answer)).pictures else None)
    assert shown.pictures == ("compared-1.png",) and shown.files == () and shown.buttons == ("Ask",)
    assert "Other seeds; mean difference to the original" in plain(shown)
    again = await driver.command("ann", "compare", what="seed", values="5 4 4")
    assert again.pictures == () and again.buttons == ("Go ahead", "Never mind"), "another order is another grid"
    again = await driver.command("ann", "compare", what="seed", values="4 5")
    assert again.pictures == ("compared-1.png",) and len(stage.worker.orders) == 2, "made before: shown at once"


async def test_an_experiment_under_way_can_be_cancelled_and_survives_a_restart(driver: Driver, stage: Stage) -> None:
    await finished(driver, stage.worker)
    for fate in ("cancel", "restart"):
        question = await driver.command("ann", "compare", what="guidance")
        answer = await driver.click("ann", question, "Go ahead")
        assert answer is not None
        await driver.until(lambda: bool(stage.worker.orders and stage.worker.orders[-1].cells))
        if fate == "cancel":
            waiting = await driver.until(lambda now=answer: seen if (seen := latest(driver, now)).buttons else None)
            await driver.click("ann", waiting, "Cancel")
            await driver.until(lambda now=answer: "Cancelled" in latest(driver, now).text)
        else:
            await driver.restart()
            order = await driver.until(lambda: stage.worker.orders[-1] if stage.worker.orders else None)
            stage.worker.finish(order.job)
            shown = await driver.until(lambda now=answer: seen if (seen := latest(driver, now)).pictures else None)
            assert shown.pictures == ("compared-1.png",)


async def test_what_cannot_be_compared_is_said_to_the_person_alone(driver: Driver, stage: Stage) -> None:
    assert "no picture yet" in (await driver.command("ann", "compare", what="seed")).text
    await finished(driver, stage.worker, prompt="a red fox")
    refusal = await driver.command("ann", "compare", what="without", word="sunglasses")
    assert refusal.ephemeral and "“sunglasses” is not in the prompt; its words are: a, red, fox" in refusal.text
    many = await driver.command("ann", "compare", what="seed", values=" ".join(map(str, range(500))))
    assert "at most 12 pictures beside the original" in many.text
    assert "no such picture here" in (await driver.command("ann", "words", picture=99)).text
    question = await driver.command("ann", "compare", what="seed")
    await driver.restart()
    expired = await driver.click("ann", question, "Go ahead")
    assert expired is not None and "too old" in expired.text


async def test_words_are_looked_for_once_and_the_tour_shows_them_too(driver: Driver, stage: Stage) -> None:
    stage.worker.by_itself = True
    picture = await driver.slash("ann", prompt="a red fox")
    picture = await driver.until(lambda: seen if "How?" in (seen := latest(driver, picture)).buttons else None)
    tour = await driver.click("ann", picture, "How?")
    assert tour is not None
    await driver.click("ann", tour, "2 Words")
    assert "Where did each word go?" in latest(driver, tour).buttons
    await driver.click("ann", latest(driver, tour), "Where did each word go?")
    turned = latest(driver, tour)
    assert (
        "Of the attention to words, “red” got most" in turned.text and "Where did each word go?" not in turned.buttons
    )
    made = len(stage.worker.orders)
    shown = await driver.command("ann", "words")
    assert shown.ephemeral and shown.pictures == ("words-1.png",)
    assert (await driver.command("ann", "words", word="FOX")).pictures == ("words-1.png",)
    assert "“hat” is not in the prompt" in (await driver.command("ann", "words", word="hat")).text
    assert len(stage.worker.orders) == made, "the second look is instant"
