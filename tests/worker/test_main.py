"""The worker's loop, in this process: what one job meets stays with that job."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.events import (
    Cancelled,
    Configure,
    Event,
    Failed,
    Finished,
    Generate,
    Loading,
    Order,
    Ready,
    Stop,
    unpack_event,
)
from generation.frames import FRAME_HEADER, pack
from generation.models import ModelInfo
from generation.request import make_request
from generation.worker import job as job_module
from generation.worker.main import Worker
from tests.tiny_models import save_tiny_model


def work(model: ModelInfo, *orders: Order, ends: int) -> list[Event]:
    """Everything a worker says until so many jobs have come to an end."""
    waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
    said: list[Event] = []

    def emit(event: Event) -> None:
        said.append(event)
        if sum(isinstance(each, Finished | Failed | Cancelled) for each in said) == ends:
            waiting.put(Stop())

    for order in orders:
        waiting.put(order)
    Worker(Configure(models=(model,), device="cpu", threads=1), emit).run(waiting)
    return said


def order(model: ModelInfo, job: int, **wishes: Any) -> Generate:
    return Generate(job=job, attempt=1, request=make_request(model, **({"prompt": "a red fox", "seed": 3} | wishes)))


def test_a_model_that_loses_its_numbers_fails_the_job_with_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    model = save_tiny_model(tmp_path / "tiny")
    weights = tmp_path / "tiny" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_out.bias"][0] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    said = work(model, order(model, 1), ends=1)
    failed = said[-1]
    assert isinstance(failed, Failed)
    assert "NaN" in failed.sentence
    assert failed.reference in caplog.text


def test_a_job_that_raises_is_alone_in_failing_and_its_reference_is_in_the_log(
    tiny: ModelInfo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken = job_module.PictureJob._step_taken

    def stumble(self: Any, step: Any) -> None:
        if self._order.job == 1 and step.step == 3:
            raise ZeroDivisionError("stumbled over a pebble")
        taken(self, step)

    monkeypatch.setattr(job_module.PictureJob, "_step_taken", stumble)
    said = work(tiny, order(tiny, 1), order(tiny, 2, seed=4), order(tiny, 3, guidance_scale=1.0), ends=3)
    ends = {event.job: event for event in said if isinstance(event, Finished | Failed | Cancelled)}
    failed = ends[1]
    assert isinstance(failed, Failed)
    assert failed.reference in failed.sentence
    assert "pebble" not in failed.sentence
    assert f"reference {failed.reference}" in caplog.text
    assert "stumbled over a pebble" in caplog.text
    assert isinstance(ends[2], Finished)
    assert isinstance(ends[3], Finished)


@pytest.mark.parametrize("device", ["a GPU", "a CPU"])
def test_too_little_memory_says_so(tiny: ModelInfo, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    def no_room(self: Any, step: Any) -> None:
        if device == "a CPU":
            torch.empty(2**62, dtype=torch.uint8)
        raise torch.OutOfMemoryError("tried to allocate 16 EiB")

    monkeypatch.setattr(job_module.PictureJob, "_step_taken", no_room)
    failed = work(tiny, order(tiny, 1), ends=1)[-1]
    assert isinstance(failed, Failed)
    assert "not enough memory" in failed.sentence


def test_what_still_runs_at_stop_is_cancelled(tiny: ModelInfo) -> None:
    said = work(tiny, order(tiny, 1), Stop(), ends=9)
    assert said[-1] == Cancelled(job=1, attempt=1)


def test_a_device_that_is_not_there_is_named_and_fails_every_job(tiny: ModelInfo) -> None:
    waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
    said: list[Event] = []
    waiting.put(order(tiny, 1))
    waiting.put(Stop())
    Worker(Configure(models=(tiny,), device="cuda:77", threads=1), said.append).run(waiting)
    ready = next(event for event in said if isinstance(event, Ready))
    assert "cuda:77" in ready.unusable["tiny"]
    assert isinstance(said[-1], Failed)
    assert "cuda:77" in said[-1].sentence


def test_loading_goes_up_to_its_end_and_tells_the_same_fingerprint_each_time(tiny: ModelInfo) -> None:
    said = [work(tiny, Stop(), ends=9) for _ in range(2)]
    for what in ("loading tiny", "warming up tiny"):
        parts = [event for event in said[0] if isinstance(event, Loading) and event.what == what]
        assert [part.done for part in parts] == sorted(part.done for part in parts)
        assert parts[-1].done == parts[-1].total
    first, second = (next(event for event in each if isinstance(event, Ready)) for each in said)
    assert first.weights_sha256 == second.weights_sha256
    assert first.sharing["tiny"].startswith("up to ")


def start_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "generation.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_only_events_come_out_of_standard_output_and_sigterm_ends_the_worker_in_order(tiny: ModelInfo) -> None:
    with start_process() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pack(Configure(models=(tiny,), device="cpu", threads=1)))
        process.stdin.flush()
        seen: list[Event] = []
        while not any(isinstance(event, Ready) for event in seen):
            (length,) = FRAME_HEADER.unpack(process.stdout.read(FRAME_HEADER.size))
            seen.append(unpack_event(process.stdout.read(length)))
        process.terminate()
        assert process.stdout.read() == b""
        assert process.wait(30) == 0


def test_a_worker_that_is_told_nonsense_first_leaves_with_status_2() -> None:
    with start_process() as process:
        out, err = process.communicate(pack(Stop()), timeout=30)
    assert (process.returncode, out) == (2, b"")
    assert b"configure" in err


def test_a_worker_whose_parent_never_says_a_word_leaves() -> None:
    with start_process() as process:
        out, _ = process.communicate(b"", timeout=30)
    assert (process.returncode, out) == (2, b"")


def test_stray_prints_cannot_get_among_the_events() -> None:
    program = (
        "import os; from generation.events import Stop, unpack_order; from generation.frames import ParentPipe;"
        "pipe = ParentPipe(unpack_order, Stop());"
        "print('by print', flush=True); os.write(1, b'by write'); pipe.emit(Stop())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=30)
    assert done.stdout == pack(Stop())
    assert b"by print" in done.stderr
    assert b"by write" in done.stderr
