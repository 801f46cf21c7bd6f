"""Words that a model does not know are named before anything is painted; `/models` tells what each knows."""

from __future__ import annotations

import json
import re

import pytest

from bot import offers, open_questions
from bot.wording import escaped
from tests.bot.conftest import Stage
from tests.bot.driving import Driver, Seen, finished, started

VOCABULARY = {
    "things": [
        {"name": "fox", "names": ["fox"], "plural": "foxes", "face": True},
        {"name": "dog", "names": ["dog", "puppy"], "plural": "dogs", "face": True},
        {"name": "car", "names": ["car"], "plural": "cars"},
        {"name": "skateboard", "names": ["skateboard"], "plural": "skateboards"},
        {"name": "ice cream", "names": ["ice cream"], "plural": None},
        {"name": "sunglasses", "names": ["sunglasses"], "plural": None},
    ],
    "colours": ["red", "blue"],
    "accessories": ["sunglasses"],
    "mounts": ["skateboard"],
    "relations": ["next to", "on top of"],
    "wearing": ["wearing"],
}
ISOLATES = re.compile("[\u2068\u2069]")


@pytest.fixture
def taught(stage: Stage) -> None:
    stage.pocket.mkdir()
    (stage.pocket / "vocabulary.json").write_text(json.dumps(VOCABULARY))


pytestmark = pytest.mark.usefixtures("taught")


async def asked(driver: Driver, prompt: str, **options: object) -> Seen:
    return await driver.slash("ann", prompt=prompt, **options)


def plain(seen: Seen) -> str:
    return ISOLATES.sub("", seen.text)


async def test_a_prompt_of_known_words_is_painted_without_a_question(driver: Driver, stage: Stage) -> None:
    await finished(driver, stage.worker, prompt="A cute red fox wearing sunglasses, next to an ice-cream!")
    assert len(driver.messages("ann")) == 1


@pytest.mark.parametrize(
    "prompt, sentence",
    [
        ("a red automobile", "The pocket model does not know *automobile*; the nearest it knows is *car*."),
        ("a fox on a skatboard", "The pocket model does not know *skatboard*; the nearest it knows is *skateboard*."),
        (
            "a cathedral",
            "The pocket model does not know *cathedral*; it knows *fox*, *dog*, *car*, *skateboard* and 2 more things.",
        ),
        (
            "a hound driving an automobile to a cathedral",
            "The pocket model does not know *hound*, *driving*, *automobile* or *cathedral*; "
            "the nearest it knows is *dog* for *hound*, *car* for *automobile*.",
        ),
    ],
)
async def test_unknown_words_are_named_in_one_sentence_to_the_person_alone_and_nothing_is_queued(
    driver: Driver, stage: Stage, prompt: str, sentence: str
) -> None:
    answer = await asked(driver, prompt)
    assert (plain(answer), answer.buttons) == (sentence, ("Paint it anyway", "What does it know?"))
    assert answer.ephemeral and driver.messages("bob") == [] and stage.worker.orders == []


async def test_a_model_without_a_vocabulary_takes_any_words(driver: Driver, stage: Stage) -> None:
    await started(driver, stage.worker, prompt="a cathedral", model="big")


async def test_painting_anyway_makes_the_picture_exactly_as_it_was_asked_for(driver: Driver, stage: Stage) -> None:
    question = await asked(driver, "a Red Automobile", seed=42, steps=7, strip=True)
    answer = await driver.click("ann", question, "Paint it anyway")
    assert answer is not None and not answer.ephemeral
    order = await driver.until(lambda: stage.worker.orders[0] if stage.worker.orders else None)
    assert (order.request.prompt, order.request.seed, order.request.steps) == ("a Red Automobile", 42, 7)
    stage.worker.finish(order.job)
    (message,) = await driver.until(lambda: seen if "Again" in (seen := driver.messages("ann"))[-1].buttons else None)
    assert message.pictures == ("darkroom-1.png", "strip.png"), "the question is gone, the picture has its strip"


async def test_where_the_queue_is_full_the_question_stays_and_can_be_answered_later(
    driver: Driver, stage: Stage
) -> None:
    _, job = await started(driver, stage.worker)
    question = await asked(driver, "a cathedral")
    for _ in range(stage.settings.waiting_limit):
        await driver.slash("ann", prompt="a dog")
    refusal = await driver.click("ann", question, "Paint it anyway")
    assert refusal is not None and "You have 3 pictures waiting" in refusal.text
    stage.worker.finish(job)
    await driver.until(lambda: len(stage.worker.orders) == 2)
    answer = await driver.click("ann", question, "Paint it anyway")
    assert answer is not None and "a cathedral" in answer.text


async def test_what_the_model_knows_is_shown_to_the_person_alone_and_the_question_stays(
    driver: Driver, stage: Stage
) -> None:
    question = await asked(driver, "a cathedral")
    answer = await driver.click("ann", question, "What does it know?")
    assert answer is not None and answer.ephemeral
    assert "6 things and no more:** car, dog (puppy), fox, ice cream, skateboard, sunglasses" in answer.text
    assert "To wear\nsunglasses; on fox, dog" in answer.text and "next to, on top of" in answer.text
    assert await driver.click("ann", question, "Paint it anyway") is not None
    await driver.until(lambda: stage.worker.orders)


@pytest.mark.parametrize("button", ["Paint it anyway", "What does it know?"])
async def test_after_a_restart_a_question_says_that_it_is_too_old(driver: Driver, stage: Stage, button: str) -> None:
    question = await asked(driver, "a cathedral")
    await driver.restart()
    answer = await driver.click("ann", question, button)
    assert answer is not None and answer.ephemeral
    assert answer.text == escaped(offers.EXPIRED)
    assert stage.worker.orders == []


async def test_a_question_gets_too_old(driver: Driver, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_questions, "LIFETIME", -1.0)
    question = await asked(driver, "a cathedral")
    answer = await driver.click("ann", question, "Paint it anyway")
    assert answer is not None and answer.text == escaped(offers.EXPIRED) and stage.worker.orders == []


async def test_open_questions_have_a_limit_and_the_oldest_gives_way(
    driver: Driver, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_questions, "MOST", 1)
    first, second = await asked(driver, "a cathedral"), await asked(driver, "a church")
    answer = await driver.click("ann", first, "What does it know?")
    assert answer is not None and answer.text == escaped(offers.EXPIRED)
    assert await driver.click("ann", second, "Paint it anyway") is not None


async def test_unknown_words_have_no_power_over_the_sentence(driver: Driver) -> None:
    answer = await asked(driver, "@everyone **bold** <@123456789012345678> " + "z" * 900)
    assert not answer.pings and "@everyone" not in answer.text and "**" not in answer.text
    assert len(answer.text) < 500


async def test_a_damaged_vocabulary_is_told_in_one_sentence(driver: Driver, stage: Stage) -> None:
    (stage.pocket / "vocabulary.json").write_text('{"things": [')
    answer = await asked(driver, "a fox")
    assert answer.ephemeral and "The vocabulary of the model “pocket” is damaged" in answer.text
    assert "\n" not in answer.text and stage.worker.orders == []


async def test_models_lists_every_model_with_defaults_limits_and_how_much_it_knows(driver: Driver) -> None:
    answer = await driver.command("ann", "models")
    assert answer.ephemeral
    assert "pocket, unless you name another\nSmall emoji-like pictures" in answer.text
    assert "40 steps, at most 100 · guidance 2.2 · 128×128, no other size\n" in answer.text
    assert "\nWeights 0000000000000000\nKnows 6 things and no more" in answer.text
    assert "big\nLarge pictures\n30 steps, at most 150 · guidance 4 · 64×64, sides of 64 to 256" in answer.text
    assert "Knows any words" in answer.text


async def test_models_shows_one_model_with_all_its_words(driver: Driver) -> None:
    answer = await driver.command("ann", "models", model="pocket")
    assert "car, dog (puppy), fox, ice cream, skateboard, sunglasses" in answer.text
    answer = await driver.command("ann", "models", model="big")
    assert "It takes any words." in answer.text
    answer = await driver.command("ann", "models", model="dall-e")
    assert "There is no model called “dall-e” here" in answer.text
