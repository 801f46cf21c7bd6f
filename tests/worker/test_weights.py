"""A model's files are looked at before anything is loaded from them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from generation import model_files
from generation.errors import ModelError
from generation.models import ModelInfo
from generation.worker import loading
from generation.worker.machine import Machine
from tests.tiny_models import tiny_info

UNET = "unet/diffusion_pytorch_model.safetensors"


def cut(folder: Path) -> None:
    (folder / UNET).write_bytes((folder / UNET).read_bytes()[:-100])


def zero_header(folder: Path) -> None:
    (folder / UNET).write_bytes(b"\0" * 100 + (folder / UNET).read_bytes()[100:])


def lose(folder: Path) -> None:
    (folder / UNET).unlink()


def pickle(folder: Path) -> None:
    (folder / UNET).rename((folder / UNET).with_suffix(".bin"))


def lose_part(folder: Path) -> None:
    shutil.rmtree(folder / "vae")


def lose_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


def scribble_index(folder: Path) -> None:
    (folder / "model_index.json").write_text("{not json")


def only_variant(folder: Path) -> None:
    (folder / UNET).rename(folder / UNET.replace(".safetensors", ".fp16.safetensors"))


def lose_all(folder: Path) -> None:
    shutil.rmtree(folder)


def strange_class(folder: Path) -> None:
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("StableDiffusionPipeline", "NoSuchPipeline"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, f"{UNET} .*damaged"),
        (zero_header, f"{UNET} .*damaged"),
        (lose, "“unet”.* no safetensors"),
        (pickle, r"diffusion_pytorch_model\.bin.*only safetensors"),
        (lose_part, "“vae”.* missing"),
        (lose_index, "no model_index.json"),
        (scribble_index, "model_index.json .*cannot be read"),
        (only_variant, "set the model's variant"),
        (lose_all, "not there"),
        (strange_class, "cannot be loaded"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_that_cannot_be_loaded_says_why_in_one_sentence(
    tiny: ModelInfo, machine: Machine, tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.source, folder)
    harm(folder)
    with pytest.raises(ModelError, match=words) as caught:
        loading.load(tiny_info(folder), machine, lambda what, done, total: None)
    assert "“tiny”" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_beside_safetensors_is_never_read(tiny: ModelInfo, machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.source, folder)
    (folder / UNET).with_suffix(".bin").write_bytes(b"c__builtin__\neval\n(S'1/0'\ntR.")
    loading.load(tiny_info(folder), machine, lambda what, done, total: None)


def test_the_named_variant_is_taken_where_a_part_has_one(tiny: ModelInfo, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.source, folder)
    half = folder / UNET.replace(".safetensors", ".fp16.safetensors")
    shutil.copy(folder / UNET, half)
    info = tiny_info(folder)
    assert half not in model_files.check_folder(info, folder)
    with_variant = model_files.check_folder(msgspec.structs.replace(info, variant="fp16"), folder)
    assert half in with_variant
    assert folder / UNET not in with_variant
    assert folder / "text_encoder/model.safetensors" in with_variant


def test_the_fingerprint_is_what_sha256sum_would_give(tiny: ModelInfo) -> None:
    folder = Path(tiny.source)
    files = model_files.check_folder(tiny, folder)
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("text_encoder/model.safetensors", UNET, "vae/diffusion_pytorch_model.safetensors")
    ]
    told: list[int] = []
    assert model_files.fingerprint(folder, files, told.append) == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert told == [1, 2, 3]


def test_half_precision_on_a_cpu_is_refused(tiny: ModelInfo, machine: Machine) -> None:
    with pytest.raises(ModelError, match=r"float16.* slower"):
        loading.load(msgspec.structs.replace(tiny, dtype="float16"), machine, lambda what, done, total: None)
    with pytest.raises(ModelError, match="float8"):
        loading.load(msgspec.structs.replace(tiny, dtype="float8"), machine, lambda what, done, total: None)


@pytest.mark.parametrize(("source", "is_hub"), [("someone/model-1.5", True), ("/a/b", False), ("./a", False)])
def test_a_hub_id_is_told_from_a_folder(source: str, is_hub: bool) -> None:
    assert model_files.is_hub_id(source) is is_hub
