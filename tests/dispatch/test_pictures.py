"""One real worker process makes all these pictures."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from PIL import Image

from generation.errors import WorkerError
from generation.events import Cancelled, DecodeFrames, Failed, Finished, Loading, Progress, Started
from generation.models import ModelInfo
from tests.dispatch.support import LONG, Running, order, png, running
from tests.tiny_models import tiny_info

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tiny: ModelInfo) -> AsyncIterator[Running]:
    async with running(tiny) as started:
        await started.until_ready()
        loading = [event for event in started.seen if isinstance(event, Loading)]
        assert {event.what for event in loading} == {"starting the worker", "loading tiny", "warming up tiny"}
        yield started


async def test_a_picture_is_made_with_progress_previews_and_complete_facts(here: Running, tiny: ModelInfo) -> None:
    here.seen.clear()
    ready = here.ready
    assert ready.models == ("tiny",)
    assert ready.seconds_per_step["tiny"] > 0
    assert ready.lanes == here.dispatcher.lanes_free

    await here.dispatcher.submit(order(tiny, 7, attempt=2))
    assert here.dispatcher.lanes_free == ready.lanes - 1
    end = await here.until_end_of(7)
    assert here.dispatcher.lanes_free == ready.lanes

    assert isinstance(end, Finished)
    assert isinstance(here.seen[0], Started)
    progress = [event for event in here.seen if isinstance(event, Progress)]
    assert [event.step for event in progress] == [1, 2, 3, 4, 5, 6]
    assert {event.steps for event in progress} == {6}
    assert [event.noise_level for event in progress] == sorted((e.noise_level for e in progress), reverse=True)
    previews = [event.preview for event in progress if event.preview is not None]
    assert previews
    assert Image.open(io.BytesIO(previews[0])).size == (32, 32)

    picture = Image.open(io.BytesIO(end.picture))
    assert (picture.format, picture.size, picture.mode) == ("PNG", (32, 32), "RGB")
    facts = end.facts
    assert end.attempt == 2
    assert facts.request.prompt == "a red fox"
    assert facts.tokens == ("a</w>", "red</w>", "fox</w>")
    assert (facts.scheduler, facts.prediction_type) == ("DDIMScheduler", "v_prediction")
    assert facts.scheduler_config["beta_schedule"] == "scaled_linear"
    assert facts.timesteps == (999, 832, 666, 499, 332, 166)
    assert len(facts.noise_levels) == 6
    assert facts.image_sha256 == hashlib.sha256(picture.tobytes()).hexdigest()
    assert facts.weights_sha256 == ready.weights_sha256["tiny"]
    assert facts.seconds > 0
    assert (facts.width, facts.height, facts.dtype, facts.device) == (32, 32, "float32", "cpu")
    assert set(facts.versions) == {"darkroom", "torch", "diffusers", "transformers", "python"}


async def test_the_same_request_gives_the_same_picture_and_another_seed_another(here: Running, tiny: ModelInfo) -> None:
    pictures = []
    here.seen.clear()
    for job, seed in enumerate((11, 11, 12)):
        await here.dispatcher.submit(order(tiny, job, seed=seed))
        end = await here.until_end_of(job)
        assert isinstance(end, Finished)
        pictures.append(end.picture)
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


async def test_the_steps_of_a_stored_trajectory_are_decoded(here: Running, tiny: ModelInfo) -> None:
    here.seen.clear()
    await here.dispatcher.submit(order(tiny, 1))
    end = await here.until_end_of(1)
    assert isinstance(end, Finished)
    assert end.trajectory is not None
    query = DecodeFrames(query=0, model="tiny", trajectory=end.trajectory, steps=(0, 1, 6, 99), noisy=True)
    frames = (await here.dispatcher.frames(query)).frames
    assert [frame.step for frame in frames] == [0, 1, 6]
    assert frames[0].noise_level > frames[1].noise_level > frames[2].noise_level
    assert frames[0].picture == frames[0].noisy
    assert frames[1].picture != frames[1].noisy
    last, whole = (Image.open(io.BytesIO(png)) for png in (frames[2].picture, end.picture))
    difference = max(abs(a - b) for a, b in zip(last.tobytes(), whole.tobytes(), strict=True))
    assert difference <= 1

    broken = DecodeFrames(query=0, model="tiny", trajectory=end.trajectory[:50], steps=(1,))
    with pytest.raises(WorkerError, match="damaged"):
        await here.dispatcher.frames(broken)
    status = await here.dispatcher.status()
    assert status.running == ()
    assert status.resident_mb > 50


async def test_a_cancelled_job_ends_in_mid_run_and_another_finishes(here: Running, tiny: ModelInfo) -> None:
    here.seen.clear()
    await here.dispatcher.submit(order(tiny, 1, steps=LONG))
    await here.until_step(1, 3)
    await here.dispatcher.cancel(1, attempt=9)  # another attempt: not this one
    await here.dispatcher.submit(order(tiny, 2))
    await here.until_end_of(2)
    assert isinstance(here.seen[-1], Finished)
    await here.dispatcher.cancel(1, attempt=1)
    assert await here.until_end_of(1) == Cancelled(job=1, attempt=1)


async def test_jobs_run_side_by_side_and_a_short_one_overtakes(here: Running, tiny: ModelInfo) -> None:
    here.seen.clear()
    await here.dispatcher.submit(order(tiny, 1, steps=200))
    await here.until_step(1, 2)
    await here.dispatcher.submit(order(tiny, 2, steps=4, guidance_scale=1.0, seed=5))
    first = await here.until(lambda event: isinstance(event, Finished))
    assert isinstance(first, Finished)
    assert first.job == 2
    assert isinstance(await here.until_end_of(1), Finished)


async def test_a_job_that_cannot_be_done_fails_alone_with_a_sentence(here: Running, tiny: ModelInfo) -> None:
    here.seen.clear()
    await here.dispatcher.submit(order(tiny, 1, init=b"no picture at all", strength=0.5))
    failed = await here.until_end_of(1)
    assert isinstance(failed, Failed)
    assert "cannot be read" in failed.sentence
    strange = tiny_info(Path(tiny.source))
    strange = msgspec.structs.replace(strange, scheduler="os.system")
    await here.dispatcher.submit(order(strange, 3))
    failed = await here.until_end_of(3)
    assert isinstance(failed, Failed)
    assert "choose one of" in failed.sentence


async def test_a_picture_can_start_from_another(here: Running, tiny: ModelInfo) -> None:
    pictures = []
    here.seen.clear()
    for job, strength in enumerate((0.5, 1.0)):
        await here.dispatcher.submit(order(tiny, job, init=png(), strength=strength))
        end = await here.until_end_of(job)
        assert isinstance(end, Finished)
        assert len(end.facts.timesteps) == round(6 * strength)
        pictures.append(end.picture)
    assert pictures[0] != pictures[1]
