"""Workers that die, hang, are closed or find nothing to load: each test has its own worker process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from generation.dispatch.local import worker_environment
from generation.errors import WorkerGone
from generation.events import Cancelled, Failed, Finished, Loading
from generation.models import ModelInfo, Models
from tests.dispatch.support import LONG, order, running
from tests.tiny_models import tiny_info


async def test_a_killed_worker_fails_its_job_for_a_retry_and_comes_back(tiny: ModelInfo) -> None:
    async with running(tiny) as here:
        await here.until_ready()
        await here.dispatcher.submit(order(tiny, 1, steps=LONG))
        await here.until_step(1, 2)
        first = here.dispatcher.worker_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        lost = await here.until_end_of(1)
        assert isinstance(lost, Failed)
        assert lost.retry
        assert here.dispatcher.lanes_free == 0
        with pytest.raises(WorkerGone):
            await here.dispatcher.submit(order(tiny, 1, attempt=2))
        await here.until_ready()
        assert here.dispatcher.worker_pid != first
        await here.dispatcher.submit(order(tiny, 1, attempt=2))
        assert isinstance(await here.until_end_of(1), Finished)
    ends = [event for event in here.seen if isinstance(event, Finished | Failed | Cancelled)]
    assert [type(event) for event in ends] == [Failed, Finished]


async def test_a_hung_worker_is_replaced(tiny: ModelInfo) -> None:
    """A stopped process is as silent as one in a forward that never returns."""
    async with running(tiny, silence_limit=2.0) as here:
        await here.until_ready()
        await here.dispatcher.submit(order(tiny, 1, steps=LONG))
        await here.until_step(1, 2)
        pid = here.dispatcher.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        lost = await here.until_end_of(1)
        assert isinstance(lost, Failed)
        assert lost.retry
        await here.until_ready()


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
