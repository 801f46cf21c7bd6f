"""`darkroom imagine` as a process, with the real worker and a tiny model with random weights."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from pathlib import Path

from PIL import Image

from tests.terminal.conftest import Darkroom


def pixels_sha256(path: Path) -> str:
    with Image.open(path) as image:
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def test_one_command_makes_picture_strip_timelapse_and_facts(darkroom: Darkroom) -> None:
    done = darkroom(
        *("imagine", "a red fox", "--negative", "blue", "--seed", "7", "--steps", "9", "--guidance", "2.5"),
        *("--out", "p.png", "--strip", "s.png", "--noisy", "--timelapse", "t.webp", "--facts", "f.json"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("p.png: seed 7, 9 steps, ")
    facts = json.loads((darkroom.folder / "f.json").read_text("utf-8"))
    assert facts["image_sha256"] == pixels_sha256(darkroom.folder / "p.png")
    assert (facts["prompt"], facts["negative"], facts["seed"], facts["steps"]) == ("a red fox", "blue", 7, 9)
    assert (facts["guidance"], facts["size"], facts["model"]) == (2.5, "32x32", "tiny")
    assert "fox" in "".join(facts["tokens"])
    assert len(facts["weights_sha256"]) == 64
    assert len(facts["noise_levels"]) == 9
    assert {"darkroom", "torch", "diffusers", "transformers", "python"} <= facts["versions"].keys()
    with Image.open(darkroom.folder / "s.png") as strip:
        assert strip.width > 4 * 256
    with Image.open(darkroom.folder / "t.webp") as timelapse:
        assert getattr(timelapse, "n_frames", 1) == 9
    assert not (darkroom.folder / "data").exists(), "the data folder is left alone"


def test_a_picture_can_start_from_another_and_the_facts_say_so(darkroom: Darkroom) -> None:
    Image.new("RGB", (90, 60), (20, 40, 200)).save(darkroom.folder / "blue.png")
    done = darkroom(
        *("imagine", "a cat", "--seed", "3", "--steps", "8", "--init", "blue.png", "--strength", "0.5"),
        *("--out", "p.png", "--facts", "f.json"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads((darkroom.folder / "f.json").read_text("utf-8"))
    assert facts["init_sha256"] == hashlib.sha256((darkroom.folder / "blue.png").read_bytes()).hexdigest()
    assert facts["strength"] == 0.5
    assert len(facts["noise_levels"]) == 4, "half of the steps are taken"


def test_a_mistake_is_one_sentence_on_stderr_and_status_2(darkroom: Darkroom) -> None:
    for options, words in (
        (["  "], "prompt is empty"),
        (["fox", "--size", "16384x16384"], "between 32 and 64 pixels"),
        (["fox", "--model", "nope"], "choose one of: tiny"),
        (["fox", "--init", "missing.png"], "cannot be read"),
        (["fox", "--steps", "many"], "must be a whole number; “many” is not"),
        (["fox", "--colour", "red"], "unrecognized arguments: --colour red"),
    ):
        done = darkroom("imagine", *options, "--out", "p.png")
        assert done.returncode == 2
        assert done.stdout == ""
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert list(darkroom.folder.iterdir()) == []


def test_a_damaged_model_is_one_sentence_on_stderr_and_status_2(darkroom: Darkroom, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text('{"unet": ["diffusers", "UNet2DConditionModel"]}')
    (tmp_path / "model" / "unet").mkdir()
    (tmp_path / "model" / "unet" / "model.safetensors").write_bytes(b"no weights")
    models = json.dumps([{"name": "broken", "source": str(tmp_path / "model"), "width": 64, "height": 64}])
    done = darkroom("imagine", "fox", "--out", "p.png", DARKROOM_MODELS=models)
    assert done.returncode == 2
    assert "damaged" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_stops_within_seconds_with_status_130_and_writes_nothing(darkroom: Darkroom) -> None:
    with subprocess.Popen(
        darkroom.command("imagine", "a fox", "--steps", "1000", "--out", "p.png"),
        cwd=darkroom.folder,
        env=darkroom.environment | {"DARKROOM_LOG_LEVEL": "DEBUG"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "worker" in line:  # it has started one
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert rest.splitlines()[-1] == "darkroom: Cancelled."
    assert list(darkroom.folder.iterdir()) == []
