"""Replays and experiments: planned with their cost, made through the queue, kept, and gone with their picture."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from generation import events
from generation.errors import GenerationError, RequestError
from generation.experiments import STUDY_PRIORITY, Change, StudyPlan, plan_experiment
from generation.laboratory import CANCELLED_SENTENCE, Laboratory
from generation.models import ModelInfo, Models
from generation.replay import report
from generation.studio import JobStudied, Owner, Picture
from store import jobs, people, studies
from tests.bot.scripted import encoded, facts_of
from tests.generation.support import ANN, BOB, MODELS, PATIENCE, House, until, wish


def planned(change: Change, values: str = "", word: str = "", **wishes: Any) -> StudyPlan:
    return plan_experiment(1, facts_of(wish(**wishes)), MODELS, change, values, word)


def labels(plan: StudyPlan) -> list[str]:
    return [cell.label for cell in plan.cells]


def test_a_ladder_holds_the_original_in_its_place_and_is_priced_before() -> None:
    plan = planned("guidance", guidance_scale=4.0)
    assert labels(plan) == ["guidance 1", "guidance 2", "guidance 4", "guidance 7", "guidance 12"]
    assert plan.cells[2].request is None, "the original is not made again"
    assert plan.cost == pytest.approx(4 * 10 * 64 * 64 / 1e6)
    assert plan.sentence(facts_of(wish())) == "It makes 4 pictures, about 5 s of work, when nobody waits for a picture."
    assert labels(planned("steps", "2, 5", steps=10)) == ["2 steps", "5 steps", "10 steps"]
    assert labels(planned("seed", "3 4", seed=3)) == ["seed 3", "seed 4"]
    assert labels(planned("scheduler", "EulerDiscrete")) == ["DDIM", "EulerDiscrete"]
    assert labels(planned("negative")) == ["as it was", "not blurry, deformed"]
    assert labels(planned("negative", negative_prompt="rain")) == ["as it was", "no negative"]


def test_words_are_dropped_and_swapped_where_they_stand() -> None:
    plan = planned("without", word="Fox", prompt="a fox, a foxglove and a fox")
    assert [each.prompt for each in plan.requests] == ["a , a foxglove and a fox"] and plan.value == "Fox"
    assert [each.prompt for each in planned("instead", "blue", "red", prompt="a red fox").requests] == ["a blue fox"]


@pytest.mark.parametrize(
    "change, values, word, wishes, sentence",
    [
        ("seed", " ".join(map(str, range(500))), "", {}, "at most 12 pictures beside the original; 499 are too many"),
        ("without", "", "sunglasses", {}, "“sunglasses” is not in the prompt; its words are: a, red, fox"),
        ("without", "", "fox", {"prompt": "fox"}, "nothing is left of the prompt"),
        ("without", "", "", {}, "Say which word"),
        ("instead", " ", "fox", {}, "Say what is to stand"),
        ("guidance", "much", "", {}, "is no list of guidance scales"),
        ("guidance", "99", "", {}, "must be between 0 and 30"),
        ("steps", "0", "", {}, "must be between 1 and 150"),
        ("steps", "10", "", {"steps": 10}, "Nothing would be different"),
        ("negative", "", "", {"guidance_scale": 1.0}, "without guidance"),
    ],
)
def test_what_cannot_be_tried_is_said_in_a_sentence(
    change: Change, values: str, word: str, wishes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        planned(change, values, word, **wishes)


def test_a_model_of_one_step_has_no_ladder_and_one_that_is_gone_makes_nothing_again() -> None:
    once = Models((ModelInfo(name="small", source="nowhere", max_steps=1),))
    with pytest.raises(RequestError, match="takes one step"):
        plan_experiment(1, facts_of(wish(steps=1)), once, "steps")
    with pytest.raises(RequestError, match="model “small”, which is not there any more"):
        plan_experiment(1, facts_of(wish()), Models((ModelInfo(name="new", source="nowhere"),)), "again")


def test_a_replay_says_how_near_it_came_and_what_has_changed_since() -> None:
    then, picture = facts_of(wish()), encoded(wish(), "PNG")
    assert report(then, picture, then, picture).sentence() == "The replay is identical to the picture, bit for bit."
    now = msgspec.structs.replace(then, versions={"darkroom": "1"}, device="cuda", weights_sha256="1" * 64)
    said = report(then, picture, now, encoded(wish(seed=4), "PNG")).sentence()
    assert "at most " in said and "of 255 grey levels" in said
    assert "the weights of the model “small” are others; darkroom 0 is now 1; device cpu is now cuda" in said


async def queued(house: House, by: Owner) -> int:
    """The job that this person has waiting, as soon as there is one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with house.database.reading() as connection:
                person = await people.find(connection, by.source, by.external_id)
                assert person is not None
                waiting = [row.id for row in await jobs.unended_of(connection, person.id) if row.state == jobs.WAITING]
            if waiting:
                return waiting[0]
            await asyncio.sleep(0.01)


async def test_an_experiment_goes_through_the_queue_behind_pictures_and_is_kept(house: House) -> None:
    picture = (await house.done()).picture
    laboratory = Laboratory(house.studio)
    plan = laboratory.plan(picture, "seed", "4 5")
    holding = await house.running(BOB)
    making = asyncio.create_task(laboratory.run(plan, ANN))
    waiting = await queued(house, ANN)
    later = await house.studio.submit(wish(seed=9), BOB)
    house.worker.finish(holding.id)
    await until(lambda: later.id in house.worker.running)
    assert [order.cells for order in house.worker.orders] == [(), (), ()], "pictures come first"
    house.worker.finish(later.id)
    await until(lambda: bool(house.worker.orders[-1].cells))
    order = house.worker.orders[-1]
    assert [cell.seed for cell in order.cells] == [4, 5] and not order.trajectory and not order.alone
    job = await house.studio.job(order.job)
    assert job is not None and job.id == waiting and job.study == plan and plan.priority == STUDY_PRIORITY
    house.worker.finish(order.job)
    study = await making
    assert [cell.label for cell in study.cells] == ["seed 3", "seed 4", "seed 5"]
    assert study.cells[0].difference is None and study.cells[0].picture == encoded(wish(), "PNG")
    assert study.cells[1].difference is not None and study.cells[1].difference.mean > 0
    assert study.summary().startswith("Other seeds; mean difference to the original in grey levels of 255: seed 4:")
    assert await laboratory.run(plan, BOB) == study and len(house.worker.orders) == 4, "the second look is instant"
    async with house.database.reading() as connection:
        (row,) = await studies.of_pictures(connection, [picture.id])
    assert (row.change, row.value, row.masses) == ("seed", "4 5", None)


async def words_of(house: House, picture: Picture, **changes: Any) -> asyncio.Task[Any]:
    task = asyncio.create_task(Laboratory(house.studio).words(picture, ANN))
    before = len(house.worker.orders)
    await until(lambda: len(house.worker.orders) > before)
    order = house.worker.orders[-1]
    assert order.words and order.alone and order.cells == (order.request,)
    if changes:
        house.worker.running.pop(order.job)
        replicas = tuple(events.Replica(facts=facts_of(each), picture=encoded(each, "PNG")) for each in order.cells)
        house.worker.say(house.worker.finished(order, replicas=replicas, **changes))
    else:
        house.worker.finish(order.job)
    return task


async def test_word_maps_are_made_once_and_their_masses_are_on_record(house: House) -> None:
    picture = (await house.done(touches=("sharpen",))).picture
    maps = await (await words_of(house, picture))
    assert [word.word for word in maps.words] == ["a", "red", "fox"]
    assert await Laboratory(house.studio).known_words(picture) == maps
    async with house.database.reading() as connection:
        (row,) = await studies.of_pictures(connection, [picture.id])
    assert row.masses is not None and list(row.masses) == ["a", "red", "fox"]
    assert "identical to the picture" in row.summary
    again = Laboratory(house.studio).plan(picture, "again")
    assert labels(again) == ["as it was", "again"] and len(again.requests) == 1


async def test_a_model_that_cannot_be_looked_into_and_a_cancel_are_told(house: House) -> None:
    picture = (await house.done()).picture
    with pytest.raises(GenerationError, match="cannot be looked into"):
        await (await words_of(house, picture, words=None, unmapped="This model's attention cannot be looked into."))
    laboratory = Laboratory(house.studio)
    job = await laboratory.begin(laboratory.plan(picture, "again"), ANN)
    assert await house.studio.cancel(job.id, ANN)
    with pytest.raises(GenerationError, match=CANCELLED_SENTENCE):
        await laboratory.wait(job)
    making = asyncio.create_task(laboratory.run(laboratory.plan(picture, "again"), ANN))
    await until(lambda: len(house.worker.orders) > 2 and bool(house.worker.running))
    making.cancel()
    await asyncio.gather(making, return_exceptions=True)
    await until(lambda: not house.worker.running)


async def test_with_a_picture_go_all_studies_of_it_whoever_asked_for_them(house: House) -> None:
    other, picture = (await house.done(seed=77)).picture, (await house.done()).picture
    laboratory = Laboratory(house.studio)
    made = await laboratory.begin(laboratory.plan(picture, "seed", "4"), BOB)
    await until(lambda: made.id in house.worker.running)
    house.worker.finish(made.id)
    await house.news.until(JobStudied, made.id)
    waiting = await laboratory.begin(laboratory.plan(picture, "seed", "5"), BOB)
    await until(lambda: waiting.id in house.worker.running)
    assert any(path.suffix == ".study" for path in house.kept())
    assert await house.studio.delete(picture.id, by=ANN)
    assert [path.suffix for path in house.kept()].count(".study") == 0
    assert await house.studio.job(made.id) is None and await house.studio.job(waiting.id) is None
    house.worker.finish(waiting.id)  # too late
    with pytest.raises(GenerationError, match="no longer there"):
        await laboratory.wait(waiting)
    with pytest.raises(GenerationError, match="no longer there"):
        await laboratory.begin(laboratory.plan(picture, "seed", "5"), BOB)
    made = await laboratory.begin(laboratory.plan(other, "seed", "4"), BOB)
    await until(lambda: made.id in house.worker.running)
    house.worker.finish(made.id)
    await house.news.until(JobStudied, made.id)
    await house.studio.forget(ANN, None)
    assert house.kept() == [] and await house.studio.job(made.id) is None
