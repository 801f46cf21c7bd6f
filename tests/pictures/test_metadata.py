"""What stands in a picture's file of how it was made, and who can read it."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from generation.pictures.credentials import CredentialsError, Signer, read_credentials
from generation.pictures.draw import PictureError
from generation.pictures.metadata import parameters, read_parameters, read_text, with_text
from generation.request import RunFacts
from tests.bot.scripted import facts_of
from tests.certificates import write_chain
from tests.generation.support import wish


def run(**changes: object) -> RunFacts:
    return msgspec.structs.replace(facts_of(wish(prompt="a red fox, at dusk", negative_prompt="blur")), **changes)


def noise(form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.effect_noise((48, 32), 60).convert("RGB").save(out, form)
    return out.getvalue()


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(*write_chain(tmp_path_factory.mktemp("certificates")))


def test_parameters_are_in_the_form_that_common_tools_read() -> None:
    assert parameters(run()) == (
        "a red fox, at dusk\nNegative prompt: blur\n"
        "Steps: 10, Sampler: DDIM, CFG scale: 4, Seed: 3, Size: 64x64, Model hash: 0000000000, Model: small, "
        "Version: Darkroom 0"
    )


def test_text_is_added_without_touching_a_pixel_and_read_back_by_pillow_and_by_us() -> None:
    plain = noise()
    marked = with_text(plain, run())
    with Image.open(io.BytesIO(plain)) as before, Image.open(io.BytesIO(marked)) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))
        assert after.info["parameters"] == parameters(run())
    values = read_parameters(read_text(marked)["parameters"])
    assert (values["Prompt"], values["Negative prompt"], values["Seed"]) == ("a red fox, at dusk", "blur", "3")


def test_letters_beyond_latin_1_survive() -> None:
    facts = facts_of(wish(prompt="liška 狐 🦊"))
    assert read_parameters(read_text(with_text(noise(), facts))["parameters"])["Prompt"] == "liška 狐 🦊"


def test_a_prompt_that_looks_like_parameters_does_not_pass_for_them() -> None:
    facts = facts_of(wish(prompt="Steps: 99, Seed: 1, Model: other"))
    values = read_parameters(parameters(facts))
    assert (values["Seed"], values["Model"]) == ("3", "small")


def test_values_with_commas_and_colons_are_quoted_as_the_tools_do() -> None:
    touches = ("upscale: 64x64 to 128x128, by a model", 'sharpen: "a lot"')
    values = read_parameters(parameters(run(final_touches=touches)))
    assert values["Final touches"] == "; ".join(touches)


def test_what_other_tools_put_into_the_exif_comment_is_read_too() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a cat\nSteps: 20, Seed: 9".encode("utf-16-be")
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "WEBP", exif=exif)
    assert read_parameters(read_text(out.getvalue())["parameters"]) == {"Prompt": "a cat", "Steps": "20", "Seed": "9"}


@pytest.mark.parametrize("content", [b"", b"no picture", noise()[:60]])
def test_what_is_no_picture_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(PictureError, match="PNG"):
        read_text(content)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_credentials_say_that_ai_made_it_and_who_signed(signer: Signer, form: str) -> None:
    media_type = f"image/{form.lower()}"
    signed = signer.signed(noise(form), media_type, run(final_touches=("sharpen: unsharp mask",)))
    credentials = read_credentials(signed, media_type)
    assert credentials is not None
    assert credentials.made_by_ai and credentials.by.startswith("Darkroom ") and credentials.signer == "Test Signer"
    assert credentials.state == "Valid", "the signature is right, though nobody vouches for a root of our own"
    assert b"a red fox" not in signed, "the prompt is not in them"
    assert read_credentials(noise(form), media_type) is None


def test_a_file_that_was_changed_after_it_was_signed_is_found_out(signer: Signer) -> None:
    signed = bytearray(signer.signed(noise(), "image/png", run()))
    signed[signed.rfind(b"IDAT") + 40] ^= 1
    credentials = read_credentials(bytes(signed), "image/png")
    assert credentials is not None and credentials.state == "Invalid"


def test_text_and_credentials_stand_side_by_side(signer: Signer) -> None:
    signed = signer.signed(with_text(noise(), run()), "image/png", run())
    assert read_text(signed)["parameters"] == parameters(run())
    assert (found := read_credentials(signed, "image/png")) is not None and found.state == "Valid"


def test_a_key_that_does_not_fit_its_certificate_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    chain, _ = write_chain(tmp_path / "one")
    _, key = write_chain(tmp_path / "other")
    with pytest.raises(CredentialsError):
        Signer(chain, key).signed(noise(), "image/png", run())
    with pytest.raises(CredentialsError, match="cannot be read"):
        Signer(tmp_path / "missing.pem", key)
    with pytest.raises(CredentialsError, match="does not work"):
        Signer(chain, chain)
