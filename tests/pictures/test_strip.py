"""The strip shows the right steps, in the right places, at a size that reads on a phone."""

from __future__ import annotations

import io
import math

import pytest
from PIL import Image

from generation.events import Frame
from generation.pictures import draw
from generation.pictures.strip import choose_steps, columns_for, draw_strip


def encoded(colour: tuple[int, int, int], size: tuple[int, int] = (128, 128)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def frames(count: int, size: tuple[int, int] = (128, 128), *, noisy: bool = False) -> list[Frame]:
    """Frames whose red tells their place: 10, 20, 30 and so on."""
    return [
        Frame(
            step=place,
            noise_level=1 - place / count,
            picture=encoded((place * 10, 0, 0), size),
            noisy=encoded((0, 0, place * 10), size) if noisy else None,
        )
        for place in range(1, count + 1)
    ]


def opened(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image


def reds_in_reading_order(sheet: Image.Image) -> list[int]:
    """The pure reds of the sheet, in the order in which one meets them reading."""
    seen: list[int] = []
    for y in range(0, sheet.height, 8):
        for x in range(0, sheet.width, 8):
            pixel = sheet.getpixel((x, y))
            assert isinstance(pixel, tuple)
            red, green, blue = pixel
            if green == blue == 0 and red and red not in seen:
                seen.append(red)
    return seen


def test_first_and_last_step_are_always_shown() -> None:
    levels = [1 - step / 19 for step in range(20)]
    steps = choose_steps(levels, 8)
    assert len(steps) == 8
    assert (steps[0], steps[-1]) == (1, 20)
    assert list(steps) == sorted(set(steps))


def test_steps_gather_where_the_picture_changes_most() -> None:
    changes = [0.1] * 30
    changes[10:16] = [5.0] * 6
    steps = choose_steps([1 - step / 29 for step in range(30)], 8, changes)
    assert (steps[0], steps[-1]) == (1, 30)
    assert sum(10 <= step <= 16 for step in steps) >= 5


def test_without_changes_the_steps_are_spaced_by_noise_not_by_time() -> None:
    levels = [1.0, 0.99, 0.98, 0.97, 0.96, 0.95, 0.6, 0.4, 0.2, 0.0]
    assert choose_steps(levels, 5) == (1, 7, 8, 9, 10)


@pytest.mark.parametrize("changes", [[], [0.0] * 12, [math.nan] * 12, [math.inf] * 12, [-1.0] * 12])
def test_unusable_change_figures_fall_back_to_the_noise_level(changes: list[float]) -> None:
    levels = [1 - step / 11 for step in range(12)]
    assert choose_steps(levels, 6, changes) == choose_steps(levels, 6)


@pytest.mark.parametrize("levels", [[0.5] * 9, [math.nan] * 9])
def test_a_run_without_usable_noise_levels_still_gets_spread_steps(levels: list[float]) -> None:
    assert choose_steps(levels, 5) == (1, 3, 5, 7, 9)


@pytest.mark.parametrize(("total", "expected"), [(0, ()), (1, (1,)), (2, (1, 2)), (5, (1, 2, 3, 4, 5))])
def test_a_short_run_shows_every_step_it_had(total: int, expected: tuple[int, ...]) -> None:
    assert choose_steps([1 - step / 10 for step in range(total)], 8) == expected


def test_every_length_and_count_gives_distinct_rising_steps() -> None:
    for total in range(1, 40):
        for count in range(1, 10):
            steps = choose_steps([(1 - step / total) ** 3 for step in range(total)], count)
            assert len(steps) == min(total, count)
            assert list(steps) == sorted(set(steps))
            assert steps[-1] == total


def test_eight_square_frames_stand_in_two_rows_of_four_in_order() -> None:
    sheet = opened(draw_strip(frames(8)))
    assert reds_in_reading_order(sheet) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert columns_for(8, 256, 338) == 4
    assert sheet.width > sheet.height


def test_small_frames_are_drawn_larger_than_they_are() -> None:
    sheet = opened(draw_strip(frames(1, (64, 64))))
    assert sheet.width >= 256


def test_each_frame_has_a_caption_under_it() -> None:
    sheet = opened(draw_strip(frames(8)))
    caption = sheet.crop((16, 16 + 256 + 16, 16 + 256, 16 + 256 + draw.CAPTION + 20))
    assert draw.TEXT in {colour for _, colour in caption.getcolors(100_000)}


def test_the_bar_under_a_frame_is_as_long_as_the_noise_left() -> None:
    half = Frame(step=3, noise_level=0.5, picture=encoded((10, 0, 0)))
    sheet = opened(draw_strip([half]))
    row = [sheet.getpixel((x, 16 + 256 + 10)) for x in range(sheet.width)]
    assert row.count(draw.ACCENT) == pytest.approx(128, abs=4)
    assert row.count(draw.TRACK) == pytest.approx(128, abs=8)


def test_the_noisy_latent_stands_under_its_predicted_picture() -> None:
    sheet = opened(draw_strip(frames(4, noisy=True), noisy=True))
    plain = opened(draw_strip(frames(4, noisy=True)))
    column = [sheet.getpixel((16 + 128, y)) for y in range(sheet.height)]
    assert column.index((10, 0, 0)) < column.index((0, 0, 10))
    assert (0, 0, 10) not in [plain.getpixel((16 + 128, y)) for y in range(plain.height)]


def test_asking_for_noisy_frames_that_are_not_there_draws_the_plain_strip() -> None:
    assert draw_strip(frames(4), noisy=True) == draw_strip(frames(4))


@pytest.mark.parametrize("size", [(768, 512), (512, 1024), (2048, 64), (16, 512)])
def test_frames_keep_their_proportions(size: tuple[int, int]) -> None:
    width, height = draw.fitted_size(*size, 256)
    assert width / height == pytest.approx(size[0] / size[1], rel=0.05)
    sheet = opened(draw_strip(frames(3, size)))
    assert reds_in_reading_order(sheet) == [10, 20, 30]


def test_a_damaged_frame_is_said_in_a_sentence() -> None:
    good = frames(2)
    truncated = Frame(step=2, noise_level=0.1, picture=good[0].picture[:60])
    for damaged in (truncated, Frame(step=2, noise_level=0.1, picture=b"no picture")):
        with pytest.raises(draw.PictureError, match="damaged"):
            draw_strip([good[0], damaged])


def test_no_frames_are_said_in_a_sentence() -> None:
    with pytest.raises(draw.PictureError, match="no recorded steps"):
        draw_strip([])


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, "100 %"),
        (0.999, ">99 %"),
        (0.714, "71 %"),
        (0.004, "<1 %"),
        (0.0, "0 %"),
        (math.nan, "? %"),
        (7.0, "100 %"),
    ],
)
def test_noise_left_is_said_as_people_read_it(share: float, words: str) -> None:
    assert draw.percent(share) == words


def test_every_character_of_the_captions_is_in_the_font() -> None:
    """The font has ASCII and a few marks; a caption outside it would show empty boxes."""
    missing = bytes(draw.font(30).getmask("\u0c8a"))
    for character in set("step 0123456789 · % ? < > noise top: predicted picture below: noisy latent") - {" "}:
        assert bytes(draw.font(30).getmask(character)) != missing, character
