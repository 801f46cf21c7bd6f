"""A model comes from its hub with a bar and nothing that could run, or one sentence says why it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from generation.models import ModelInfo
from tests.model_hub import ModelHub, model_hub

UNET = "unet/diffusion_pytorch_model.safetensors"
PROGRAM = """
import sys, json
from generation.errors import ModelError
from generation.model_files import check_folder, locate
from generation.models import Lora, ModelInfo
from generation.worker.download import download, lora_file
for name in sys.argv[1:]:
    source, _, variant = name.partition("@")
    info = ModelInfo(name=name, source=f"somebody/{source}", variant=variant or None)
    seen = []
    try:
        if source.startswith("lora"):
            print(lora_file(info, Lora(source=info.source)).name)
            continue
        folder = download(info, lambda done, total: seen.append((done, total)))
        check_folder(info, folder)
        assert locate(info) == folder
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        print(json.dumps({"first": seen[0], "last": seen[-1], "steps": len(set(seen))} if seen else "the copy here"))
    except ModelError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def hub(tiny: ModelInfo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelHub]:
    """Has the tiny model whole, as pickles, as a variant alone, as no diffusers model; and a LoRA."""
    root = Path(tmp_path_factory.mktemp("hub"))
    folders = {name: root / name for name in ("whole", "pickled", "varied", "other", "lora", "loras")}
    for name in ("whole", "pickled", "varied", "other"):
        shutil.copytree(tiny.source, folders[name])
    (folders["whole"] / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"c__builtin__\neval\n(S'1/0'\ntR.")
    (folders["whole"] / "pipeline.py").write_text("raise SystemExit")
    (folders["pickled"] / UNET).rename((folders["pickled"] / UNET).with_suffix(".bin"))
    (folders["varied"] / UNET).rename(folders["varied"] / UNET.replace(".safetensors", ".fp16.safetensors"))
    (folders["other"] / "model_index.json").unlink()
    for name, files in (("lora", ["one"]), ("loras", ["one", "two"])):
        folders[name].mkdir()
        for file in files:
            shutil.copy(Path(tiny.source, UNET), folders[name] / f"{file}.safetensors")
    with model_hub({f"somebody/{name}": folder for name, folder in folders.items()}) as server:
        yield server


def answers(folder: Path, *names: str, **environment: str) -> list[str]:
    """What is said of each model by a process with this environment: the client reads it when imported."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept |= {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "0"} | environment
    kept.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], env=kept, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_model_is_fetched_with_a_bar_of_bytes_and_a_second_time_from_this_machine(
    tmp_path: Path, hub: ModelHub, tiny: ModelInfo
) -> None:
    (said,) = answers(tmp_path, "whole", HF_ENDPOINT=hub.address)
    bar = msgspec.json.decode(said)
    weights = sum(file.stat().st_size for file in Path(tiny.source).rglob("*.safetensors"))
    assert bar["first"][0] < weights < bar["last"][0] == bar["last"][1]
    assert bar["steps"] > 2
    assert not [name for name in hub.asked if name.endswith((".bin", ".py"))], "nothing that could run was fetched"
    hub.asked.clear()
    (again,) = answers(tmp_path, "whole", HF_ENDPOINT=hub.address)
    assert msgspec.json.decode(again)["first"] == bar["last"]
    assert not [name for name in hub.asked if name.endswith(".safetensors")]
    (offline,) = answers(tmp_path, "whole", HF_HUB_OFFLINE="1")
    assert offline == '"the copy here"'


def test_each_model_that_cannot_be_had_gets_its_own_sentence(tmp_path: Path, hub: ModelHub) -> None:
    names = (
        "gated",
        "missing",
        "forbidden",
        "pickled",
        "varied",
        "whole@fp16",
        "varied@bf16",
        "other",
        "lora",
        "loras",
    )
    gated, missing, forbidden, pickled, varied, absent, misnamed, other, lora, loras = answers(
        tmp_path, *names, HF_ENDPOINT=hub.address
    )
    assert "somebody/gated" in gated and "accept its terms" in gated
    assert "not on its hub" in missing
    assert "HF_TOKEN" in forbidden and "renew" in forbidden
    assert "comes as a pickle" in pickled and "only safetensors" in pickled
    assert "only as a variant" in varied and "set the model's variant" in varied
    assert "has no variant “fp16”; leave the variant out" in absent
    assert "only as a variant" in misnamed
    assert "no model_index.json on its hub" in other
    assert lora == "one.safetensors"
    assert "several files; name one of one.safetensors, two.safetensors" in loras


def test_a_hub_that_cannot_be_reached_is_told_from_a_model_that_is_not_there(tmp_path: Path) -> None:
    (unreachable,) = answers(tmp_path, "some", HF_ENDPOINT="http://127.0.0.1:9")
    assert "cannot be reached" in unreachable


def test_where_fetching_is_forbidden_the_sentence_names_what_forbids_it(tmp_path: Path) -> None:
    (offline,) = answers(tmp_path, "some", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in offline
