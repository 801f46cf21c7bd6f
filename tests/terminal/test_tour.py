"""`darkroom tour` writes the backstage tour of a kept picture, with the real worker and a tiny model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from generation.dispatch.local import LocalDispatcher
from generation.events import Ready
from generation.models import ModelInfo, Models
from generation.request import make_request
from generation.studio import JobDone, Studio
from store.database import Database
from store.files import Files
from tests.generation.support import ANN, Listening
from tests.terminal.conftest import Darkroom

READY_WITHIN = 90.0  # seconds: a start of torch, on a machine that may be busy


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker process has to start first, which takes long on a busy machine."""
    monkeypatch.setattr("tests.generation.support.PATIENCE", 90.0)


async def keep_a_picture(folder: Path, model: ModelInfo) -> int:
    """Have a picture made, touched up as it is asked for, and kept under `folder`; its number."""
    database = Database(f"sqlite+aiosqlite:///{folder}/darkroom.sqlite3")
    await database.open()
    models = Models((model,))
    studio = Studio(database, Files(folder), LocalDispatcher(models, threads=1), models)
    news = Listening(studio)
    await asyncio.sleep(0)
    await studio.start()
    async with asyncio.timeout(READY_WITHIN):
        while not isinstance(studio.readiness, Ready):  # noqa: ASYNC110  # the studio has no event for it
            await asyncio.sleep(0.1)
    request = make_request(model, prompt="a red fox", seed=7, steps=6, touches=("sharpen",))
    job = await studio.submit(request, ANN)
    done: JobDone = await news.until(JobDone, job.id)
    await studio.close()
    await news.stop()
    await database.close()
    return done.picture.id


@pytest.mark.timeout(300)  # it starts three processes that import torch
async def test_four_pages_are_written_and_a_picture_of_a_lost_model_has_honest_ones(
    darkroom: Darkroom, tiny_model: ModelInfo, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    number = await keep_a_picture(tmp_path / "data", tiny_model)
    done = await asyncio.to_thread(darkroom, "tour", str(number), "--out", "tour")
    assert (done.returncode, done.stderr) == (0, "")
    pages = sorted(path.name for path in (tmp_path / "tour").iterdir())
    assert pages == ["1-the-noise.png", "2-the-words.png", "3-step-by-step.png", "4-final-touches.png", "tour.md"]
    for name in pages[:4]:
        with Image.open(tmp_path / "tour" / name) as figure:
            assert figure.width == 720
    text = (tmp_path / "tour" / "tour.md").read_text("utf-8")
    assert (
        "the seed, 7" in text and "In 6 steps" in text and "sharpen (unsharp mask" in text and "“red” and “fox”" in text
    )
    assert "Of the attention to words" in text, "the picture was made again to see that"
    renamed = msgspec.json.encode([msgspec.structs.replace(tiny_model, name="other")]).decode()
    done = await asyncio.to_thread(darkroom, "tour", str(number), "--out", "gone", DARKROOM_MODELS=renamed)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "gone" / "tour.md").read_text("utf-8")
    assert text.count("There is no model called “tiny” here") == 2
    assert sorted(path.name for path in (tmp_path / "gone").glob("*.png")) == [
        "3-step-by-step.png",
        "4-final-touches.png",
    ]


def test_a_picture_that_is_not_there_is_one_sentence_and_status_2(darkroom: Darkroom) -> None:
    done = darkroom("tour", "12", "--out", "tour")
    assert done.returncode == 2 and "There are no pictures under" in done.stderr
    assert len(done.stderr.splitlines()) == 1
