"""Workers that die, hang, are closed or find nothing to load: each test has its own worker process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from generation.dispatch.local import HUNG, worker_environment
from generation.errors import WorkerGone
from generation.events import Cancelled, Failed, Finished, Loading
from generation.models import ModelInfo, Models
from tests.dispatch.support import LONG, Running, order, running
from tests.tiny_models import tiny_info

FAULTS = """
# Python imports this by itself when the worker process starts: faults that the worker's own code knows nothing of.
import functools, os, time
from pathlib import Path
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

FOLDER = Path(os.environ["FAULTS"])
forward, step = UNet2DConditionModel.forward, DDIMScheduler.step

@functools.wraps(forward)
def faulty_forward(self, sample, *args, **kwargs):
    if (FOLDER / "hang").exists():
        time.sleep(1e6)
    if (FOLDER / "memory").exists() and len(sample) > 1:
        torch.empty(2**62, dtype=torch.uint8)  # the CPU's allocator says no in its own words
    return forward(self, sample, *args, **kwargs)

@functools.wraps(step)
def faulty_step(self, output, timestep, sample, *args, **kwargs):
    self.taken = getattr(self, "taken", 0) + 1
    if self.num_inference_steps == 9 and self.taken == 7:
        raise ZeroDivisionError("stumbled over a pebble")
    if self.num_inference_steps == 11:
        output = output * float("nan")
    return step(self, output, timestep, sample, *args, **kwargs)

UNet2DConditionModel.forward, DDIMScheduler.step = faulty_forward, faulty_step
"""


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    """A folder in which a file `memory` or `hang` brings about that fault."""
    (tmp_path / "sitecustomize.py").write_text(FAULTS, encoding="utf-8")
    return tmp_path


def faulty(faults: Path) -> dict[str, str]:
    """The environment of a worker that has the faults."""
    return os.environ | {"FAULTS": str(faults), "PYTHONPATH": f"{faults}{os.pathsep}{Path(__file__).parents[2]}"}


async def ends_of(here: Running, *jobs: int) -> dict[int, Finished | Failed | Cancelled]:
    """How each job ended, in whatever order they did."""
    ends: dict[int, Finished | Failed | Cancelled] = {}
    while set(ends) < set(jobs):
        event = await here.until(lambda event: isinstance(event, Finished | Failed | Cancelled))
        assert isinstance(event, Finished | Failed | Cancelled)
        ends[event.job] = event
    return ends


async def test_what_one_job_of_a_batch_meets_ends_no_other_and_each_is_told_what_it_was(
    tiny: ModelInfo, faults: Path
) -> None:
    """Too little memory for more than one row, numbers that are none, a pipeline that raises at its seventh step."""
    async with running(tiny, environment=faulty(faults)) as here:
        await here.until_ready()
        await here.dispatcher.submit(order(tiny, 1, steps=12, guidance_scale=1.0))
        alone = await here.until_end_of(1)
        (faults / "memory").touch()
        await here.dispatcher.submit(order(tiny, 2, steps=12, guidance_scale=1.0))
        await here.dispatcher.submit(order(tiny, 3, steps=10, guidance_scale=4.0))  # two rows
        await here.dispatcher.submit(order(tiny, 4, steps=11, guidance_scale=1.0))
        await here.dispatcher.submit(order(tiny, 5, steps=9, guidance_scale=1.0))
        await here.dispatcher.submit(order(tiny, 6, steps=5, guidance_scale=1.0))
        ends = await ends_of(here, 2, 3, 4, 5, 6)
        (faults / "memory").unlink()
        await here.dispatcher.submit(order(tiny, 3, attempt=2, steps=10, guidance_scale=4.0))
        assert isinstance(await here.until_end_of(3), Finished)
    assert {job for job, end in ends.items() if isinstance(end, Finished)} == {2, 6}
    together = ends[2]
    assert isinstance(alone, Finished) and isinstance(together, Finished)
    assert together.facts.image_sha256 == alone.facts.image_sha256, "in the end each ran alone, so no bit differs"
    failed = {job: end for job, end in ends.items() if isinstance(end, Failed)}
    assert not any(end.retry for end in failed.values())
    assert "not enough memory" in failed[3].sentence
    assert "NaN" in failed[4].sentence
    assert failed[5].reference in failed[5].sentence and "pebble" not in failed[5].sentence


async def test_a_forward_that_never_returns_costs_its_jobs_one_attempt(tiny: ModelInfo, faults: Path) -> None:
    async with running(tiny, environment=faulty(faults), silence_limit=2.0) as here:
        await here.until_ready()
        for job in (1, 2):
            await here.dispatcher.submit(order(tiny, job, steps=LONG))
        await here.until_step(2, 2)
        (faults / "hang").touch()
        lost = await ends_of(here, 1, 2)
        assert [(end.sentence, end.retry) for end in lost.values() if isinstance(end, Failed)] == [(HUNG, True)] * 2
        (faults / "hang").unlink()
        await here.until_ready()
        for job in (1, 2):
            await here.dispatcher.submit(order(tiny, job, attempt=2))
        assert all(isinstance(end, Finished) for end in (await ends_of(here, 1, 2)).values())


async def test_a_killed_worker_fails_its_job_for_a_retry_and_comes_back(tiny: ModelInfo) -> None:
    async with running(tiny) as here:
        await here.until_ready()
        await here.dispatcher.submit(order(tiny, 1, steps=LONG))
        await here.dispatcher.submit(order(tiny, 2, steps=LONG))
        await here.until_step(1, 2)
        first = here.dispatcher.worker_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        lost = await ends_of(here, 1, 2)
        assert all(isinstance(end, Failed) and end.retry and "unexpectedly" in end.sentence for end in lost.values())
        assert here.dispatcher.lanes_free == 0
        with pytest.raises(WorkerGone):
            await here.dispatcher.submit(order(tiny, 1, attempt=2))
        await here.until_ready()
        assert here.dispatcher.worker_pid != first
        await here.dispatcher.submit(order(tiny, 1, attempt=2))
        assert isinstance(await here.until_end_of(1), Finished)
    ends = [event for event in here.seen if isinstance(event, Finished | Failed | Cancelled)]
    assert [type(event) for event in ends] == [Failed, Failed, Finished]


async def test_closing_in_mid_run_leaves_no_worker_behind(tiny: ModelInfo) -> None:
    async with running(tiny) as here:
        await here.until_ready()
        await here.dispatcher.submit(order(tiny, 1, steps=LONG))
        await here.until_step(1, 2)
        pid = here.dispatcher.worker_pid
        assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(WorkerGone):
        await here.dispatcher.status()


async def test_a_worker_leaves_when_its_parent_is_gone(tiny: ModelInfo) -> None:
    async with running(tiny) as here:
        await here.until_ready()
        await here.dispatcher.submit(order(tiny, 1, steps=LONG))
        await here.until_step(1, 2)
        assert here.dispatcher._child is not None
        process = here.dispatcher._child._process
        assert process.stdin is not None
        process.stdin.close()  # which is what the worker sees of a parent that dies
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_a_damaged_model_fails_its_jobs_with_a_sentence_and_is_tried_again_once_mended(
    tiny: ModelInfo, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny.source, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    model = tiny_info(folder)
    async with running(model) as here:
        ready = await here.until_ready()
        await here.dispatcher.submit(order(model, 1))
        failed = await here.until_end_of(1)
        assert isinstance(failed, Failed)
        assert not failed.retry
        assert failed.reference
        assert "unet/diffusion_pytorch_model.safetensors" in failed.sentence
        assert "damaged" in failed.sentence
        assert ready.unusable == {"tiny": failed.sentence}

        weights.write_bytes(whole)
        await here.dispatcher.submit(order(model, 2))
        assert isinstance(await here.until_end_of(2), Finished)
        assert (await here.dispatcher.status()).ready.unusable == {}


async def test_a_second_model_is_loaded_when_a_job_names_it(tiny: ModelInfo) -> None:
    other = tiny_info(Path(tiny.source), name="other")
    async with running(tiny, other) as here:
        ready = await here.until_ready()
        assert set(ready.weights_sha256) == {"tiny"}
        here.seen.clear()
        await here.dispatcher.submit(order(other, 1))
        assert isinstance(await here.until_end_of(1), Finished)
        assert any(isinstance(event, Loading) and event.what == "loading other" for event in here.seen)
        assert set((await here.dispatcher.status()).ready.weights_sha256) == {"tiny", "other"}


def test_the_worker_gets_no_secrets_and_looks_at_no_hub_unless_it_must(tiny: ModelInfo) -> None:
    surroundings = {"DISCORD_TOKEN": "secret", "PATH": "/bin"}
    local = worker_environment(Models((tiny,)), surroundings)
    assert "DISCORD_TOKEN" not in local
    assert local["PATH"] == "/bin"
    assert local["HF_HUB_OFFLINE"] == "1"
    from_hub = worker_environment(Models((tiny, ModelInfo(name="sd", source="someone/some-model"))), surroundings)
    assert "HF_HUB_OFFLINE" not in from_hub
