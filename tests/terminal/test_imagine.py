"""`darkroom imagine` checks everything first, follows one job to its end, and says what went wrong in a sentence."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from bot import terminal
from bot.errors import UserMistake, exit_status
from generation import events
from generation.errors import ModelError, RequestError, WorkerError, WorkerGone
from generation.models import Models, pocket_model
from generation.request import RunFacts
from tests.bot.scripted import maps_of

MODELS = Models(all=(pocket_model(),))
READY = events.Ready(
    lanes=2,
    models=("pocket",),
    device="cpu",
    dtype="float32",
    threads=1,
    weights_sha256={},
    seconds_per_step={},
    versions={},
)


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    terminal.add_arguments(parser)
    return parser.parse_args(words)


def plan(tmp_path: Path, *options: str) -> terminal.Plan:
    return terminal.make_plan(arguments("a fox", "--seed", "7", "--out", str(tmp_path / "fox.png"), *options), MODELS)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def png(colour: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (128, 128), (colour, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def finished(order: events.Generate) -> events.Finished:
    request = order.request
    facts = RunFacts(
        request=request,
        tokens=("a", "fox"),
        scheduler="DDIMScheduler",
        scheduler_config={},
        prediction_type="epsilon",
        timesteps=tuple(float(999 - 50 * step) for step in range(request.steps)),
        noise_levels=tuple(1 - (step + 1) / request.steps for step in range(request.steps)),
        seconds=1.25,
        model="pocket",
        weights_sha256="w" * 64,
        image_sha256="i" * 64,
        width=request.width,
        height=request.height,
        dtype="float32",
        device="cpu",
        versions={"torch": "2.13.0"},
    )
    return events.Finished(
        job=order.job,
        attempt=order.attempt,
        facts=facts,
        picture=png(),
        trajectory=b"trajectory" if order.trajectory else None,
    )


class ScriptedDispatcher:
    """Answers each submitted order with the next reply of its script; what the real one does is tested elsewhere."""

    def __init__(self, *replies: Callable[[events.Generate], events.Event], ready: events.Ready = READY) -> None:
        self.orders: list[events.Generate] = []
        self.queries: list[events.DecodeFrames] = []
        self.submitted = asyncio.Event()
        self.closed = False
        self.lanes_free = 0
        self._replies: Iterator[Callable[[events.Generate], events.Event]] = iter(replies)
        self._events: asyncio.Queue[events.Event | None] = asyncio.Queue()
        self._ready = ready

    async def start(self) -> None:
        self._events.put_nowait(events.Loading(what="loading pocket", done=1, total=3))
        self._events.put_nowait(self._ready)

    async def close(self) -> None:
        self.closed = True

    async def submit(self, order: events.Generate) -> None:
        self.orders.append(order)
        self.submitted.set()
        reply = next(self._replies, None)
        self._events.put_nowait(None if reply is None else reply(order))

    async def cancel(self, job: int, attempt: int) -> None:
        raise AssertionError("closing the dispatcher cancels what runs")

    async def events(self) -> AsyncIterator[events.Event]:
        while (event := await self._events.get()) is not None:
            self.lanes_free = 1 if isinstance(event, events.Ready) or len(self.orders) else 0
            yield event

    async def frames(self, query: events.DecodeFrames) -> events.Frames:
        self.queries.append(query)
        frames = (
            events.Frame(step=step, noise_level=0.5, picture=png(step), noisy=png(200) if query.noisy else None)
            for step in query.steps
        )
        return events.Frames(query=1, frames=tuple(frames))

    async def status(self) -> events.Status:
        raise AssertionError("nobody asks")


def failed(order: events.Generate, *, retry: bool = False) -> events.Failed:
    return events.Failed(
        job=order.job, attempt=order.attempt, sentence="The worker ran out of memory.", reference="ab12cd", retry=retry
    )


async def test_picture_facts_strip_and_timelapse_are_written(tmp_path: Path) -> None:
    whole = plan(
        tmp_path,
        *(
            "--steps",
            "20",
            "--strip",
            str(tmp_path / "s.png"),
            "--timelapse",
            str(tmp_path / "t.webp"),
            "--facts",
            str(tmp_path / "f.json"),
        ),
    )
    dispatcher = ScriptedDispatcher(finished)
    await terminal.imagine(whole, dispatcher)
    assert names(tmp_path) == ["f.json", "fox.png", "s.png", "t.webp"]
    assert (tmp_path / "fox.png").read_bytes() == png()
    decoded = [step for query in dispatcher.queries for step in query.steps]
    strip, timelapse = decoded[:8], decoded[8:]
    assert (strip[0], strip[-1], len(set(strip))) == (1, 20, 8)
    assert sorted(strip + timelapse) == list(range(1, 21)), "none of them twice"
    assert dispatcher.closed


async def test_the_facts_file_has_the_keys_that_other_programs_rely_on(tmp_path: Path) -> None:
    whole = plan(
        tmp_path, "--negative", "a hat", "--steps", "5", "--guidance", "2.5", "--facts", str(tmp_path / "f.json")
    )
    await terminal.imagine(whole, ScriptedDispatcher(finished))
    facts = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert (
        facts.items()
        >= {
            "prompt": "a fox",
            "negative": "a hat",
            "tokens": ["a", "fox"],
            "seed": 7,
            "steps": 5,
            "guidance": 2.5,
            "scheduler": "DDIMScheduler",
            "size": "128x128",
            "model": "pocket",
            "weights_sha256": "w" * 64,
            "image_sha256": "i" * 64,
            "seconds": 1.25,
            "versions": {"torch": "2.13.0"},
        }.items()
    )


async def test_word_maps_are_drawn_and_their_masses_stand_in_the_facts(tmp_path: Path) -> None:
    wanted = plan(tmp_path, "--words", str(tmp_path / "w.png"), "--facts", str(tmp_path / "f.json"))
    told = ScriptedDispatcher(lambda order: msgspec.structs.replace(finished(order), words=maps_of(order.request)))
    await terminal.imagine(wanted, told)
    assert told.orders[0].words and names(tmp_path) == ["f.json", "fox.png", "w.png"]
    assert list(json.loads((tmp_path / "f.json").read_text())["word_masses"]) == ["a", "fox"]
    sentence = "This model's attention cannot be looked into."
    mute = ScriptedDispatcher(lambda order: msgspec.structs.replace(finished(order), unmapped=sentence))
    (tmp_path / "w.png").unlink()
    with pytest.raises(WorkerError, match=sentence):
        await terminal.imagine(wanted, mute)
    assert names(tmp_path) == ["f.json", "fox.png"], "the picture is there all the same"


async def test_without_strip_or_timelapse_no_trajectory_is_asked_for(tmp_path: Path) -> None:
    dispatcher = ScriptedDispatcher(finished)
    await terminal.imagine(plan(tmp_path), dispatcher)
    assert [order.trajectory for order in dispatcher.orders] == [False]


async def test_noisy_latents_are_decoded_for_the_strip_alone(tmp_path: Path) -> None:
    dispatcher = ScriptedDispatcher(finished)
    options = ("--steps", "20", "--strip", str(tmp_path / "s.png"), "--noisy", "--timelapse", str(tmp_path / "t.webp"))
    await terminal.imagine(plan(tmp_path, *options), dispatcher)
    assert [query.noisy for query in dispatcher.queries for _ in query.steps] == [True] * 8 + [False] * 12


async def test_a_job_whose_worker_died_is_tried_once_more(tmp_path: Path) -> None:
    dispatcher = ScriptedDispatcher(lambda order: failed(order, retry=True), finished)
    await terminal.imagine(plan(tmp_path), dispatcher)
    assert [order.attempt for order in dispatcher.orders] == [1, 2]
    assert (tmp_path / "fox.png").exists()


async def test_a_job_whose_worker_dies_again_is_given_up_with_sentence_and_reference(tmp_path: Path) -> None:
    dispatcher = ScriptedDispatcher(*[lambda order: failed(order, retry=True)] * 3)
    with pytest.raises(WorkerError, match=r"out of memory\. \(reference ab12cd\)") as caught:
        await terminal.imagine(plan(tmp_path), dispatcher)
    assert exit_status(caught.value) == 1
    assert len(dispatcher.orders) == 2
    assert dispatcher.closed
    assert names(tmp_path) == []


async def test_a_model_that_cannot_be_loaded_is_a_mistake_with_its_own_sentence(tmp_path: Path) -> None:
    ready = msgspec.structs.replace(READY, unusable={"pocket": "The weights file of pocket is damaged."})
    with pytest.raises(ModelError, match="damaged") as caught:
        await terminal.imagine(plan(tmp_path), ScriptedDispatcher(ready=ready))
    assert exit_status(caught.value) == 2


async def test_events_that_end_without_a_picture_are_said(tmp_path: Path) -> None:
    with pytest.raises(WorkerGone, match="ended before"):
        await terminal.imagine(plan(tmp_path), ScriptedDispatcher())


async def test_cancelling_closes_the_dispatcher_and_writes_nothing(tmp_path: Path) -> None:
    dispatcher = ScriptedDispatcher(lambda order: events.Started(job=order.job, attempt=order.attempt))
    task = asyncio.create_task(terminal.imagine(plan(tmp_path), dispatcher))
    await dispatcher.submitted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert dispatcher.closed
    assert names(tmp_path) == []


async def test_a_broken_trajectory_costs_the_strip_but_not_the_picture(tmp_path: Path) -> None:
    class Forgetful(ScriptedDispatcher):
        async def frames(self, query: events.DecodeFrames) -> events.Frames:
            raise WorkerError("The steps cannot be decoded.")

    with pytest.raises(WorkerError, match="cannot be decoded"):
        await terminal.imagine(plan(tmp_path, "--strip", str(tmp_path / "s.png")), Forgetful(finished))
    assert names(tmp_path) == ["fox.png"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--steps", "0"], "number of steps must be between 1 and 100"),
        (["--steps", "10000"], "10,000 is not"),
        (["--seed", "-1"], "seed must be between"),
        (["--seed", "4294967296"], "seed must be between"),
        (["--guidance", "nan"], "guidance scale must be between"),
        (["--size", "16384x16384"], "128x128 pixels only"),
        (["--size", "100"], "is not a size"),
        (["--model", "dall-e"], "There is no model called “dall-e” here; choose one of: pocket"),
        (["--strength", "0.5"], "strength goes with a picture"),
        (["--negative", "x" * 5000], "negative prompt has 5,000 characters"),
    ],
)
def test_a_value_that_the_model_cannot_do_is_said_in_a_sentence(
    tmp_path: Path, options: list[str], sentence: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(sentence)) as caught:
        plan(tmp_path, *options)
    assert exit_status(caught.value) == 2


@pytest.mark.parametrize("prompt", ["", "  \n\t", "\0", "!?…", "x" * 5000])
def test_an_empty_or_endless_prompt_is_said_in_a_sentence(tmp_path: Path, prompt: str) -> None:
    with pytest.raises(RequestError, match="prompt"):
        terminal.make_plan(arguments(prompt, "--out", str(tmp_path / "p.png")), MODELS)


@pytest.mark.parametrize("prompt", ["🦊", "ثعلب أحمر", "@everyone", "**bold**", "a\0b", "a \udcff fox"])
def test_unusual_prompts_are_taken_as_they_are(tmp_path: Path, prompt: str) -> None:
    made = terminal.make_plan(arguments(prompt, "--out", str(tmp_path / "p.png")), MODELS)
    assert made.request.prompt == prompt.replace("\0", "").replace("\udcff ", "")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file"),
        (b"", "not one that I can read"),
        (b"GIF89a", "not one that I can read"),
        (png()[:80], "not one that I can read"),
        (bytes(terminal.MAX_INIT_BYTES + 1), "larger than 32 MB"),
    ],
)
def test_a_picture_to_start_from_that_cannot_be_read_is_said(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "init.png").write_bytes(content)
    with pytest.raises(UserMistake, match=sentence):
        plan(tmp_path, "--init", str(tmp_path / "init.png"))


def test_a_folder_as_picture_to_start_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="Is a directory"):
        plan(tmp_path, "--init", str(tmp_path))


def test_the_picture_to_start_from_travels_with_its_hash(tmp_path: Path) -> None:
    (tmp_path / "init.png").write_bytes(png(9))
    made = plan(tmp_path, "--init", str(tmp_path / "init.png"), "--strength", "0.4")
    assert made.init_image == png(9)
    assert made.request.init_image == hashlib.sha256(png(9)).hexdigest()
    assert made.request.strength == 0.4


def test_a_strength_that_leaves_no_step_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "init.png").write_bytes(png())
    with pytest.raises(RequestError, match="leaves no step to take"):
        plan(tmp_path, "--init", str(tmp_path / "init.png"), "--strength", "0.1", "--steps", "5")


def test_noisy_without_a_strip_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="--strip"):
        plan(tmp_path, "--noisy")


@pytest.mark.parametrize(
    "options", [["--steps", "many"], ["--seed", "1.5"], ["--seed", "9" * 5000], ["--guidance", "high"]]
)
def test_what_is_no_number_ends_with_status_2(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        plan(tmp_path, *options)
    assert caught.value.code == 2
    assert "number" in capsys.readouterr().err
