"""What people send to start from: made fit, or refused with one sentence; and masks, made and shown."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from generation.errors import RequestError
from generation.pictures.masks import draw_mask, mask_of
from generation.pictures.starting import LONGEST_SIDE, MOST_BYTES, check_size, starting_picture
from generation.word_maps import WordMap


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def gif(frames: int) -> bytes:
    first, *others = [Image.new("RGB", (8, 8), (90 * number, 0, 0)) for number in range(frames)]
    return encoded(first, "GIF", save_all=True, append_images=others)


BAD = {
    "a text file named .png": (b"hello, I am no picture", "no picture that I can read"),
    "a drawing in SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "an animation": (gif(3), "moves"),
    "a GIF that unfolds to four gigapixels": (
        b"GIF89a"
        + (65_000).to_bytes(2, "little") * 2
        + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
        "picture",
    ),
    "half of a PNG": (encoded(Image.new("RGB", (64, 64)), "PNG")[:60], "no picture that I can read"),
    "nothing": (b"", "no picture that I can read"),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_what_is_no_picture_to_start_from_is_refused_with_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words) as refused:
        starting_picture(content)
    assert str(refused.value).count(".") == 1


def test_a_file_of_forty_megabytes_is_refused_by_its_size_alone() -> None:
    with pytest.raises(RequestError, match="40 MB; a picture to start from may have 20 MB"):
        check_size(40 * 2**20)
    check_size(MOST_BYTES)


def test_a_photo_is_turned_upright_and_loses_what_it_says_of_itself() -> None:
    photo = Image.new("RGB", (40, 20), "red")
    ImageDraw.Draw(photo).rectangle((0, 0, 19, 19), fill="blue")  # the left half
    exif = photo.getexif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "A camera of Ann's"
    kept = starting_picture(encoded(photo, "JPEG", exif=exif, quality=95))
    with Image.open(io.BytesIO(kept)) as image:
        assert image.format == "PNG" and image.size == (20, 40) and not image.getexif() and not image.info
        red, _, blue = image.getpixel((10, 5))  # type: ignore[misc]  # three channels
        assert blue > red
    assert b"camera" not in kept


def test_a_large_picture_is_scaled_down_and_a_transparent_one_lies_on_white() -> None:
    wide = starting_picture(encoded(Image.new("RGB", (3 * LONGEST_SIDE, 30)), "PNG"))
    with Image.open(io.BytesIO(wide)) as image:
        assert image.size == (LONGEST_SIDE, 10)
    clear = starting_picture(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "WEBP", lossless=True))
    with Image.open(io.BytesIO(clear)) as image:
        assert image.getpixel((1, 1)) == (255, 255, 255)


def there(values: list[float]) -> WordMap:
    return WordMap(
        word="fox", tokens=(1,), mass=sum(values) / len(values), share=0.5, rows=4, columns=4, values=tuple(values)
    )


def test_a_mask_covers_where_the_words_are_and_is_shown_bright() -> None:
    left = there([1, 0, 0, 0] * 4)
    mask = mask_of([left], 64, 64)
    assert mask is not None and mask_of([], 64, 64) is None
    with Image.open(io.BytesIO(mask)) as image:
        white = np.asarray(image.convert("L")) > 0
    assert white[:, :10].all() and not white[:, 40:].any()
    shown = draw_mask(encoded(Image.new("RGB", (64, 64), (200, 200, 200)), "PNG"), mask)
    with Image.open(io.BytesIO(shown)) as image:
        assert image.getpixel((2, 32)) == (200, 200, 200) and max(image.getpixel((60, 32))) < 150  # type: ignore[arg-type]  # three channels
