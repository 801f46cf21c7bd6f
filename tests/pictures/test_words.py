"""Overlays of word maps and grids of experiments: weak looks weak, places are right, nothing overflows."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from generation.events import Finished, Replica
from generation.experiments import conclude, plan_experiment
from generation.pictures.draw import PictureError, open_rgb
from generation.pictures.experiment import draw_experiment
from generation.pictures.words import SHEET_WIDTH, dimmed, draw_word_maps, heated, word_mask
from generation.word_maps import WordMap, WordMaps
from tests.bot.scripted import encoded, facts_of, maps_of
from tests.generation.support import MODELS, wish


def word(name: str, values: list[float], columns: int = 4) -> WordMap:
    mass = sum(values) / len(values)
    return WordMap(
        word=name, tokens=(1,), mass=mass, share=0.5, rows=len(values) // columns, columns=columns, values=tuple(values)
    )


def brightness(image: Image.Image) -> float:
    histogram = image.convert("L").histogram()
    return sum(level * count for level, count in enumerate(histogram)) / sum(histogram)


def test_a_weak_word_stays_dark_and_the_heat_lies_where_the_word_is() -> None:
    beneath = dimmed(Image.new("RGB", (64, 64), (120, 120, 120)))
    strong = word("fox", [0.4 if index % 4 == 3 else 0.0 for index in range(16)])
    weak = word("hat", [value / 20 for value in strong.values])
    hot, cold = heated(beneath, strong, 0.4), heated(beneath, weak, 0.4)
    right, left = (hot.crop(box) for box in ((48, 0, 64, 64), (0, 0, 16, 64)))
    assert brightness(right) > brightness(left) + 80
    assert brightness(cold) < brightness(hot) and brightness(cold.crop((48, 0, 64, 64))) < brightness(right) - 80
    assert strong.centre[0] > 0.8


@pytest.mark.parametrize("prompt", ["fox", "a red fox", "the fox " + "wearing sunglasses on a skateboard " * 12])
@pytest.mark.parametrize("size", [(64, 64), (512, 128), (96, 256)])
def test_sheets_have_one_width_and_few_panels(prompt: str, size: tuple[int, int]) -> None:
    picture = io.BytesIO()
    Image.new("RGB", size, (90, 120, 90)).save(picture, "PNG")
    sheet = open_rgb(draw_word_maps(picture.getvalue(), maps_of(wish(prompt=prompt))))
    assert sheet.width == SHEET_WIDTH and sheet.height < 3_200
    assert open_rgb(draw_word_maps(picture.getvalue(), maps_of(wish(prompt=prompt)), ["FOX"])).width == SHEET_WIDTH


def test_a_word_beyond_what_the_encoder_reads_is_drawn_without_heat_and_damage_is_said() -> None:
    unread = WordMap(word="cat", tokens=(), mass=0.0, share=0.0, rows=2, columns=2, values=(0.0,) * 4)
    maps = WordMaps(words=(unread,), kind="cross", steps=1, layers=1)
    assert open_rgb(draw_word_maps(encoded(wish(), "PNG"), maps)).width == SHEET_WIDTH
    with pytest.raises(PictureError):
        draw_word_maps(b"no picture", maps)


def test_a_mask_covers_the_word_and_leaves_the_rest() -> None:
    mask = word_mask(word("fox", [0.4 if index % 4 == 0 else 0.02 for index in range(16)]), 128, 64)
    assert mask.size == (128, 64) and mask.mode == "L"
    assert mask.getpixel((8, 32)) == 255 and mask.getpixel((120, 32)) == 0
    assert word_mask(word("sky", [0.1] * 16), 8, 8).getextrema() == (255, 255), "everywhere alike: all of it"


def test_the_grid_of_an_experiment_shows_every_cell_also_of_another_shape() -> None:
    run = facts_of(wish())
    plan = plan_experiment(1, run, MODELS, "guidance")
    replicas = [Replica(facts=facts_of(each), picture=encoded(each, "PNG")) for each in plan.requests]
    wide = io.BytesIO()
    Image.new("RGB", (128, 32)).save(wide, "PNG")
    replicas[0] = Replica(facts=replicas[0].facts, picture=wide.getvalue())
    made = Finished(job=1, attempt=1, facts=run, picture=b"", replicas=tuple(replicas))
    study = conclude(plan, run, encoded(wish(), "PNG"), made)
    assert study.cells[0].difference is None and "guidance 1: another size" in study.summary()
    sheet = open_rgb(draw_experiment(study))
    assert sheet.width > 3 * 256 and sheet.height > 2 * 256
