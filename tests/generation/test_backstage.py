"""The tour's words: true, short, and honest about what cannot be shown."""

from __future__ import annotations

import asyncio
import io
import itertools
import time
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from generation.backstage import (
    Backstage,
    noise_text,
    steps_text,
    touches_text,
    unread_text,
    words_text,
)
from generation.events import PromptRead
from generation.laboratory import Laboratory
from generation.request import RunFacts
from generation.studio import Picture
from tests.bot.scripted import facts_of, maps_of
from tests.generation.support import ANN, BOB, House, until, wish

LONG = "It cannot be said at the moment, since nobody answered for far too long, and it may be tried again later on."
TOUCHES = (
    "repair: 1234 isolated specks replaced by the median around",
    "smooth: jagged edges averaged along their own direction",
    "upscale: 1024x1024 to 2048x2048 pixels by the super-resolution model RealESRGAN_x4plus, which makes detail up",
    "sharpen: unsharp mask, radius 1.5 pixels, 80 %",
)


def facts(steps: int = 10, **changes: object) -> RunFacts:
    return msgspec.structs.replace(facts_of(wish(steps=steps)), **changes)


def read(*words: str, cut: int = 0) -> PromptRead:
    apart = tuple(tuple(abs(a - b) / 100 for b in range(len(words))) for a in range(len(words)))
    return PromptRead(
        query=0, words=words, tokens=(1,) * len(words), distances=apart, numbers=((0.5,),) * len(words),
        dimensions=768, encoders=1, cut=cut,
    )  # fmt: skip


def every_text() -> list[str]:
    begun_with = msgspec.structs.replace(facts().request, init_image="0" * 64, strength=0.6)
    runs = [
        facts(),
        facts(steps=1),
        facts(changes=(0.0, *(1 / step for step in range(1, 10))), latent_shape=(16, 128, 128)),
        facts(final_touches=TOUCHES, latent_shape=(16, 128, 128)),
        facts(request=begun_with, latent_shape=(16, 128, 128)),
    ]
    texts = [noise_text(run, kept=kept, why=LONG) for run, kept in itertools.product(runs, (True, False))]
    texts += [steps_text(run, frames_shown=shown) for run, shown in itertools.product(runs, (True, False))]
    texts += [touches_text(run) for run in runs] + [unread_text(runs[0], LONG)]
    many = [f"{'long' * 9}{place}" for place in range(40)]
    maps = maps_of(wish(prompt="a red fox"))
    texts += [words_text(runs[0], read(*words, cut=9), maps) for words in (("fox",), many)]
    return texts + [words_text(runs[0], read(*words, cut=9)) for words in (("fox",), ("a", "b"), many)]


def test_no_page_has_more_than_eighty_words() -> None:
    for text in every_text():
        assert 8 < len(text.split()) <= 80, text


def test_the_noise_is_told_with_this_runs_seed_and_count_of_numbers() -> None:
    text = noise_text(facts(latent_shape=(4, 16, 16)), kept=True)
    assert "1,024 numbers" in text and "the seed, 3" in text


def test_the_nearest_and_the_furthest_words_are_named_with_their_distance() -> None:
    text = words_text(facts(), read("red", "fox", "skateboard"))
    assert "“red” and “fox” (0.01)" in text and "“red” and “skateboard” (0.02)" in text
    assert "no distance" in words_text(facts(), read("fox"))


async def test_page_2_shows_what_each_word_steered_once_somebody_has_looked(house: House) -> None:
    picture = (await house.done()).picture
    backstage = Backstage(house.studio)
    before = await backstage.page(picture, 2)
    assert before.lacks_maps and before.figure is not None and "attention" not in before.text
    looking = asyncio.create_task(Laboratory(house.studio).words(picture, BOB))
    await until(lambda: len(house.worker.orders) > 1)
    house.worker.finish(house.worker.orders[-1].job)
    await looking
    after = await backstage.page(picture, 2)
    assert not after.lacks_maps and after.figure is not None and after.figure != before.figure
    assert "Of the attention to words, “red” got most (27 %), “fox” least (18 %)." in after.text


def test_the_step_of_the_largest_change_is_named_and_when_the_picture_was_as_good_as_done() -> None:
    text = steps_text(facts(steps=5, changes=(0.0, 1.0, 8.0, 0.5, 0.5)), frames_shown=True)
    assert "changed most at step 3, with 60 % of the noise left. By step 3, nine tenths" in text
    assert "not recorded" in steps_text(facts(), frames_shown=True)


def test_a_one_step_model_has_no_stages_and_says_so() -> None:
    assert "There was one step" in steps_text(facts(steps=1, changes=(0.0,)), frames_shown=True)


def test_touches_are_named_as_no_part_of_diffusion() -> None:
    assert "nothing was upscaled" in touches_text(facts())
    assert "no part of it: sharpen (unsharp mask" in touches_text(facts(final_touches=TOUCHES[3:]))


def size_of(figure: bytes | None) -> tuple[int, int]:
    assert figure is not None
    with Image.open(io.BytesIO(figure)) as image:
        return image.size


async def picture_of(house: House, **wishes: object) -> Picture:
    return (await house.done(**wishes)).picture


async def test_every_page_of_a_stored_picture_has_a_figure(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open()
    picture = await picture_of(house, prompt="a red fox, liška", steps=10)
    for number in (1, 2, 3, 4):
        page = await Backstage(house.studio).page(picture, number)
        assert page.number == number and size_of(page.figure)[0] == 720
    await house.close()


async def test_a_picture_whose_steps_are_gone_still_has_a_tour_that_says_so(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open()
    picture = await picture_of(house)
    assert await house.studio.forget_steps(time.time() + 1) == 1
    assert [path.suffix for path in house.kept()] == [".png"], "their file is deleted, the picture stays"
    assert await house.studio.forget_steps(time.time() + 1) == 0
    stage = Backstage(house.studio)
    noise, steps = await stage.page(picture, 1), await stage.page(picture, 3)
    assert noise.figure is None and "were not kept" in noise.text
    assert size_of(steps.figure)[0] == 720 and "not kept any more" in steps.text
    house.worker.can_decode = False
    words = await stage.page(picture, 2)
    assert words.figure is None and "The worker ended" in words.text
    await house.close()


async def test_steps_younger_than_the_limit_are_kept(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open()
    await picture_of(house)
    assert await house.studio.forget_steps(time.time() - 60) == 0
    await house.close()


async def test_a_picture_is_touched_up_and_back_and_no_file_is_left_behind(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open()
    plain = await picture_of(house)
    touched = await house.studio.touch_up(plain.id, ("sharpen", "upscale"), by=ANN)
    assert touched is not None and touched.untouched == plain.path and touched.path != plain.path
    assert touched.run.final_touches == ("sharpen: done", "upscale: done")
    assert touched.run.image_sha256 == plain.run.image_sha256, "the record is of what diffusion made"
    page = await Backstage(house.studio).page(touched, 4)
    assert "no part of it" in page.text and page.figure is not None
    again = await house.studio.touch_up(plain.id, ("upscale",), by=ANN)
    assert again is not None and again.untouched == plain.path, "touches are done to what diffusion made, not on top"
    back = await house.studio.touch_up(plain.id, (), by=ANN)
    assert back is not None and back.untouched is None and back.path == plain.path
    assert [path.name for path in house.kept() if path.suffix == ".png"] == [plain.path.name]
    await house.close()


async def test_only_its_owner_touches_a_picture_up_and_deleting_it_takes_both_files(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open()
    plain = await picture_of(house)
    assert await house.studio.touch_up(plain.id, ("sharpen",), by=BOB) is None
    assert await house.studio.touch_up(plain.id, ("sharpen",), by=ANN) is not None
    assert len([path for path in house.kept() if path.suffix == ".png"]) == 2
    assert await house.studio.delete(plain.id, by=ANN)
    assert house.kept() == []
    assert await house.studio.touch_up(plain.id, ("sharpen",), by=ANN) is None
    await house.close()


async def test_a_touch_that_the_worker_cannot_do_leaves_all_as_it_was(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.open()
    plain = await picture_of(house)
    house.worker.can_decode = False
    with pytest.raises(Exception, match="worker ended"):
        await house.studio.touch_up(plain.id, ("sharpen",), by=ANN)
    assert await house.studio.picture(plain.id) == plain
    await house.close()
