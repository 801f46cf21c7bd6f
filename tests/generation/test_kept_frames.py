"""A strip's frames are decoded once, ahead where nothing waits, and kept beside the steps for as long as these."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import text

from generation import kept_frames
from generation.dispatch.local import LocalDispatcher
from generation.errors import GenerationError, WorkerGone
from generation.events import DecodeFrames, Frame, Frames
from generation.kept_frames import pack_frames, unpack_frames
from generation.models import ModelInfo, Models
from generation.pictures.strip import strip_steps
from generation.request import make_request
from generation.studio import JobDone, Studio
from generation.updates import Picture
from store import pictures
from store.database import Database
from store.files import Files
from tests.generation.support import ANN, BOB, House, NoWorker, until
from tests.tiny_models import save_tiny_model


class Ahead(House):
    """A house where strips are decoded ahead."""

    async def begin(self) -> None:
        self.ahead = asyncio.create_task(self.studio.keep_strips_ahead())

    async def end(self) -> None:
        self.ahead.cancel()
        await asyncio.gather(self.ahead, return_exceptions=True)
        await self.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Ahead]:
    """Here nothing is decoded ahead."""
    house = Ahead(tmp_path)
    await house.open()
    yield house
    await house.close()


@pytest.fixture
async def ahead(tmp_path: Path) -> AsyncIterator[Ahead]:
    house = Ahead(tmp_path)
    await house.open()
    await house.begin()
    yield house
    await house.end()


def suffixes(house: House) -> list[str]:
    return sorted(path.suffix for path in house.kept())


def png(side: int, colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


# --- ahead ----------------------------------------------------------------------------------------------


async def test_a_strip_is_decoded_ahead_one_frame_at_a_time_and_answered_after_a_restart(ahead: Ahead) -> None:
    picture = (await ahead.done()).picture
    await ahead.frames_kept()
    steps = strip_steps(picture.run)
    assert [query.steps for query in ahead.worker.decoded] == [(step,) for step in steps]
    await ahead.close()
    await ahead.open(NoWorker())
    ahead.worker.can_decode = False
    frames = await ahead.studio.frames(picture.id, steps)
    assert [frame.step for frame in frames] == list(steps)
    assert [frame.step for frame in await ahead.studio.frames(picture.id, steps[::-2])] == list(steps[::-2])
    with pytest.raises(WorkerGone):
        await ahead.studio.frames(picture.id, (0, 1))


async def test_frames_ahead_wait_for_every_job(ahead: Ahead) -> None:
    held, go_on = asyncio.Event(), asyncio.Event()
    frames = ahead.worker.frames

    async def slowly(query: DecodeFrames) -> Frames:
        held.set()
        await go_on.wait()
        return await frames(query)

    ahead.worker.frames = slowly  # type: ignore[method-assign]
    await ahead.done()
    await held.wait()
    job = await ahead.running(seed=4)  # it comes while the first frame is being decoded
    go_on.set()
    await until(lambda: len(ahead.worker.decoded) == 1)
    await asyncio.sleep(0.1)
    assert len(ahead.worker.decoded) == 1, "no frame is begun while somebody's picture is being made"
    ahead.worker.finish(job.id)
    await ahead.frames_kept(2)


async def test_what_an_earlier_process_did_not_come_to_is_decoded_after_a_restart(tmp_path: Path) -> None:
    house = Ahead(tmp_path)
    await house.open()
    old, new = (await house.done()).picture, (await house.done(seed=4)).picture
    await house.close()
    await house.open()
    await house.begin()
    await house.frames_kept(2)
    assert [query.steps for query in house.worker.decoded] == [
        (step,) for picture in (new, old) for step in strip_steps(picture.run)
    ], "the newest first"
    await house.end()


async def test_a_model_with_a_slow_decoder_decodes_none_ahead_but_keeps_what_was_asked_for(
    ahead: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_frames, "SLOW_FRAME", 0.0)
    picture = (await ahead.done()).picture
    await until(lambda: len(ahead.worker.decoded) == 2)
    await ahead.done(seed=4)
    await asyncio.sleep(0.1)
    assert len(ahead.worker.decoded) == 2 and await ahead.count_frames() == 0
    await ahead.studio.frames(picture.id, strip_steps(picture.run))
    await ahead.frames_kept()
    assert await ahead.studio.frames(picture.id, strip_steps(picture.run)) and len(ahead.worker.decoded) == 3


@pytest.mark.parametrize(("unreadable", "times"), [(False, 1), (True, 8)])
async def test_a_picture_whose_steps_cannot_be_decoded_is_tried_once_and_holds_up_no_other(
    ahead: Ahead, unreadable: bool, times: int
) -> None:
    frames, tried = ahead.worker.frames, []

    async def broken(query: DecodeFrames) -> Frames:
        if query.trajectory == b"damaged":
            tried.append(query)
            if unreadable:
                return Frames(query=0, frames=(Frame(step=query.steps[0], noise_level=0.5, picture=b"no picture"),))
            raise GenerationError("This trajectory is damaged.")
        return await frames(query)

    ahead.worker.frames = broken  # type: ignore[method-assign]
    await ahead.done()
    await ahead.frames_kept(1)
    job = await ahead.running(seed=4)
    ahead.worker.say(ahead.worker.finished(ahead.worker.running.pop(job.id), trajectory=b"damaged"))
    await ahead.news.until(JobDone, job.id)
    await ahead.done(BOB, seed=5)
    await ahead.frames_kept(2)
    assert len(tried) == times


# --- when they are asked for ----------------------------------------------------------------------------


async def test_frames_are_kept_once_asked_for_when_the_whole_strip_is_there(house: Ahead) -> None:
    picture = (await house.done(steps=20)).picture
    steps, every = strip_steps(picture.run), tuple(range(1, 21))
    for asked in ((0,), steps[:5], steps):
        await house.studio.frames(picture.id, asked)
    await house.frames_kept()
    assert [frame.step for frame in await house.studio.frames(picture.id, every)] == list(every)
    await house.studio.close()  # then all of it is kept
    assert [query.steps for query in house.worker.decoded] == [
        (0,),
        steps[:5],
        steps,
        tuple(step for step in every if step not in steps),
    ]
    assert [frame.step for frame in await house.studio.frames(picture.id, every[::-1])] == list(every[::-1])
    assert len(house.worker.decoded) == 4


async def test_the_noisy_row_is_kept_too_and_the_file_that_it_replaces_is_deleted(house: Ahead) -> None:
    picture = (await house.done()).picture
    steps = strip_steps(picture.run)
    await house.studio.frames(picture.id, steps)
    await house.frames_kept()
    (before,) = [path for path in house.kept() if path.suffix == ".frames"]
    assert all(frame.noisy for frame in await house.studio.frames(picture.id, steps, noisy=True))
    await until(lambda: not before.exists())
    assert all(frame.noisy for frame in await house.studio.frames(picture.id, steps, noisy=True))
    assert len(house.worker.decoded) == 2 and suffixes(house) == [".frames", ".png", ".trajectory"]


async def test_frames_that_are_damaged_or_lost_are_decoded_again(house: Ahead) -> None:
    picture = (await house.done()).picture
    steps = strip_steps(picture.run)
    await house.studio.frames(picture.id, steps)
    await house.frames_kept()
    (kept,) = [path for path in house.kept() if path.suffix == ".frames"]
    kept.write_bytes(b"\xc1 nothing of ours")
    assert [frame.step for frame in await house.studio.frames(picture.id, steps)] == list(steps)
    kept.unlink()
    assert [frame.step for frame in await house.studio.frames(picture.id, steps)] == list(steps)
    await until(kept.exists)
    assert await house.studio.frames(picture.id, steps) and len(house.worker.decoded) == 3


async def test_a_studio_that_was_not_started_keeps_nothing(house: Ahead) -> None:
    picture = (await house.done()).picture
    idle = Studio(house.database, house.files, house.worker, house.studio.models)
    assert await idle.frames(picture.id, strip_steps(picture.run))
    await idle.close()
    assert suffixes(house) == [".png", ".trajectory"]


def test_small_frames_are_kept_without_loss_and_large_ones_far_smaller() -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    small = kept_frames._webp(out.getvalue())
    with Image.open(io.BytesIO(small)) as image:
        assert image.convert("RGB").tobytes() == noise.tobytes()
    large = Image.linear_gradient("L").resize((1024, 1024)).convert("RGB")
    out = io.BytesIO()
    large.save(out, "PNG", compress_level=1)
    assert len(kept_frames._webp(out.getvalue())) < len(out.getvalue()) / 2


def test_packed_frames_come_back_as_they_were_and_damaged_ones_are_none() -> None:
    frames = {
        8: Frame(step=8, noise_level=0.5, picture=png(8, (1, 2, 3)), noisy=png(8, (9, 9, 9))),
        1: Frame(step=1, noise_level=1.0, picture=png(8, (4, 5, 6))),
    }
    packed = pack_frames(frames)
    assert unpack_frames(packed) == frames
    for damaged in (packed[:-9], b"", b"\x93\x01\x02\x03", packed + b"\x00"):
        assert unpack_frames(damaged) == {}


# --- deletion -------------------------------------------------------------------------------------------


async def test_whatever_deletes_the_steps_deletes_their_frames(ahead: Ahead) -> None:
    first = (await ahead.done()).picture
    await ahead.frames_kept()
    second = (await ahead.done(BOB, seed=4)).picture
    await ahead.frames_kept(2)
    assert suffixes(ahead).count(".frames") == 2
    assert await ahead.studio.delete(first.id, by=ANN)
    assert suffixes(ahead) == [".frames", ".png", ".trajectory"]
    assert await ahead.studio.forget_steps(time.time() + 1) == 1
    assert suffixes(ahead) == [".png"]
    with pytest.raises(GenerationError, match="were not kept"):
        await ahead.studio.frames(second.id, strip_steps(second.run))


async def test_frames_of_a_picture_that_is_deleted_while_they_are_decoded_are_not_kept(ahead: Ahead) -> None:
    held, go_on = asyncio.Event(), asyncio.Event()
    frames = ahead.worker.frames

    async def slowly(query: DecodeFrames) -> Frames:
        if len(ahead.worker.decoded) == 7:  # the last
            held.set()
            await go_on.wait()
        return await frames(query)

    ahead.worker.frames = slowly  # type: ignore[method-assign]
    picture = (await ahead.done()).picture
    await held.wait()
    assert await ahead.studio.delete(picture.id, by=ANN)
    go_on.set()
    await ahead.done(BOB, seed=4)
    await ahead.frames_kept(1)
    assert suffixes(ahead) == [".frames", ".png", ".trajectory"]


async def test_frames_are_recorded_only_beside_the_steps_that_they_came_from(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO people VALUES (1, 'discord', '7', 'Ann', 0)"))
        for number, model in ((1, "small"), (2, "small"), (3, "slow")):
            await connection.execute(
                text(
                    "INSERT INTO jobs (id, person_id, request, state, priority, tag, cost, attempt, deaths, created_at,"
                    f" model) VALUES ({number}, 1, '{{}}', 'done', 0, 0, 1, 1, 0, 1, '{model}')"
                )
            )
            await pictures.add(
                connection, job_id=number, person_id=1, facts={}, content=f"c{number}", suffix=".png",
                trajectory=f"t{number}", now=1.0,
            )  # fmt: skip
        newest = await pictures.newest_undecoded(connection, ["small"], [])
        assert newest is not None and newest.job_id == 2
        older = await pictures.newest_undecoded(connection, ["small", "slow"], [newest.id, newest.id + 1])
        assert older is not None and older.job_id == 1
        assert await pictures.newest_undecoded(connection, [], []) is None
        assert await pictures.keep_frames(connection, newest, "f2")
        after = await pictures.newest_undecoded(connection, ["small"], [])
        assert after is not None and after.job_id == 1
        assert await pictures.drop_steps(connection, 2.0, 10) == (
            3,
            {("t1", ".trajectory"), ("t2", ".trajectory"), ("t3", ".trajectory"), ("f2", ".frames")},
        )
        assert not await pictures.keep_frames(connection, newest, "f3")
        assert await pictures.newest_undecoded(connection, ["small", "slow"], []) is None


# --- for real -------------------------------------------------------------------------------------------


async def test_a_real_workers_frames_are_the_same_from_a_later_process(tmp_path: Path) -> None:
    tiny = await asyncio.to_thread(save_tiny_model, tmp_path / "tiny")
    picture, before = await _made(tmp_path, tiny)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/darkroom.sqlite3")
    studio = Studio(database, Files(tmp_path), NoWorker(), Models((tiny,)))
    after = await studio.frames(picture.id, strip_steps(picture.run))
    assert [_pixels(frame) for frame in after] == [_pixels(frame) for frame in before]
    await database.close()


async def _made(folder: Path, tiny: ModelInfo) -> tuple[Picture, tuple[Frame, ...]]:
    """A picture whose strip was kept, and its frames as the worker decodes them."""
    database, models = Database(f"sqlite+aiosqlite:///{folder}/darkroom.sqlite3"), Models((tiny,))
    await database.open()
    worker = LocalDispatcher(models, device="cpu", threads=1)
    studio = Studio(database, Files(folder), worker, models)
    ahead = asyncio.create_task(studio.keep_strips_ahead())
    await studio.start()
    job = await studio.submit(make_request(tiny, prompt="a red fox", seed=3, steps=12), ANN)
    await until(lambda: any(folder.rglob("*.frames")), patience=300)
    ahead.cancel()  # in the middle of keeping them, perhaps
    picture = await studio.picture_of(job.id)
    assert picture is not None
    (trajectory,) = await asyncio.to_thread(lambda: [path.read_bytes() for path in folder.rglob("*.trajectory")])
    query = DecodeFrames(query=0, model=tiny.name, trajectory=trajectory, steps=strip_steps(picture.run))
    frames = (await worker.frames(query)).frames
    await studio.close()
    await database.close()
    return picture, frames


def _pixels(frame: Frame) -> tuple[int, float, bytes]:
    with Image.open(io.BytesIO(frame.picture)) as image:
        return frame.step, frame.noise_level, image.convert("RGB").tobytes()
