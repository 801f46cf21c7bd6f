"""Decoded steps of runs: kept beside the trajectory that they come from, else decoded by a worker.

A decoder is about as heavy as a denoising step, so a strip of eight frames takes longer than several steps whoever
decodes it. Frames are decoded once and kept from then on: when they are asked for, and those of a strip before, one at
a time, whenever no worker has anything else to do (`go_on_ahead`). What is kept of a run has its whole strip. Knows no
jobs and no front end.
"""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from generation.dispatch.base import Dispatcher
from generation.errors import GenerationError
from generation.events import DecodeFrames, Frame
from generation.models import Models
from generation.pictures.draw import open_rgb
from generation.pictures.strip import strip_steps
from generation.request import RunFacts
from store import pictures
from store.database import Database
from store.files import Files
from store.pictures import PictureRow

log = logging.getLogger(__name__)

TRAJECTORY_SUFFIX = ".trajectory"
FRAMES_SUFFIX = ".frames"
SLOW_FRAME = 0.25  # seconds; what takes longer for each is not decoded ahead, as the next job would wait for it
SLOW_FRAMES = 2  # in a row, after which a model counts as slow; one may have waited for something else
LOSSLESS_PIXELS = 256 * 256  # larger frames are kept with loss: a tenth of the size
QUALITY = 90  # of WebP

STEPS_NOT_KEPT = "The steps of this picture were not kept, so there is no strip of it."


class KeptFrames:
    """The frames of all runs."""

    def __init__(
        self, database: Database, files: Files, dispatcher: Dispatcher, models: Models, filing: asyncio.Lock
    ) -> None:
        """`filing`: held between saving a file and recording it."""
        self._database = database
        self._files = files
        self._dispatcher = dispatcher
        self._models = models
        self._filing = filing
        self._keeping: set[asyncio.Task[None]] = set()
        self._ahead_of: int | None = None  # picture
        self._ahead: dict[int, Frame] = {}  # of its steps
        self._slow: Counter[str] = Counter()  # by model, slow frames in a row
        self._left: set[int] = set()  # pictures of which no frame could be decoded ahead

    async def of(self, row: PictureRow, steps: Sequence[int], *, noisy: bool, keep: bool) -> tuple[Frame, ...]:
        """These steps of the picture's run. With `keep` they are kept from now on, unless its strip is yet to be.

        Raises:
            GenerationError: its steps were not kept, or no worker could decode them.
            StoreError: its files cannot be read.
        """
        found = await self._kept(row)
        lacking = [step for step in dict.fromkeys(steps) if step not in found or (noisy and not found[step].noisy)]
        if lacking:
            decoded = {frame.step: frame for frame in await self._decode(row, lacking, noisy=noisy)}
            found |= decoded
            if keep and found.keys() >= set(_strip_steps(row)):
                self._keep_beside(row, list(decoded.values()))
        return tuple(found[step] for step in dict.fromkeys(steps) if step in found)

    async def go_on_ahead(self, models: Collection[str]) -> bool:
        """Decode one more frame for the newest picture of these models whose strip is not kept.

        Returns:
            False if there is no such picture.

        Raises:
            StoreError: it cannot be looked for or kept.
        """
        fast = [name for name in models if self._slow[name] < SLOW_FRAMES]
        async with self._database.reading() as connection:
            row = await pictures.newest_undecoded(connection, fast, self._left)
        if row is None:
            return False
        if row.id != self._ahead_of:
            self._ahead_of, self._ahead = row.id, {}
        wanted = _strip_steps(row)
        try:
            await self._decode_ahead(row, [step for step in wanted if step not in self._ahead])
            if len(self._ahead) == len(wanted):
                await asyncio.shield(self._keep_beside(row, list(self._ahead.values())))
        except GenerationError as error:  # whoever asks for them will be told
            log.info("The strip of picture %d could not be decoded ahead: %s", row.id, error)
            self._left.add(row.id)
        return True

    async def close(self, grace: float) -> None:
        """Wait so many seconds for what is being kept."""
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=grace)
            for task in self._keeping:
                task.cancel()
            await asyncio.gather(*self._keeping, return_exceptions=True)

    async def _kept(self, row: PictureRow) -> dict[int, Frame]:
        packed = None
        if row.frames is not None:
            packed = await asyncio.to_thread(self._files.get, row.frames, FRAMES_SUFFIX)
        return {} if packed is None else unpack_frames(packed)

    async def _decode(self, row: PictureRow, steps: Sequence[int], *, noisy: bool) -> tuple[Frame, ...]:
        stored = None
        if row.trajectory is not None:
            stored = await asyncio.to_thread(self._files.get, row.trajectory, TRAJECTORY_SUFFIX)
        if stored is None:
            raise GenerationError(STEPS_NOT_KEPT)
        model = str(row.facts["model"])
        self._models.get(model)
        query = DecodeFrames(query=0, model=model, trajectory=stored, steps=tuple(steps), noisy=noisy)
        return (await self._dispatcher.frames(query)).frames

    async def _decode_ahead(self, row: PictureRow, missing: Sequence[int]) -> None:
        if not missing:
            return
        began = time.perf_counter()
        (frame,) = await self._decode(row, missing[:1], noisy=False) or (None,)
        if frame is None:
            raise GenerationError("The trajectory lacks a step that the record has.")
        self._ahead[frame.step] = frame
        model = str(row.facts["model"])
        slow = time.perf_counter() - began > SLOW_FRAME
        self._slow[model] = self._slow[model] + 1 if slow else 0

    def _keep_beside(self, row: PictureRow, frames: Sequence[Frame]) -> asyncio.Task[None]:
        """Keep the frames, whatever becomes of the caller."""

        def kept(task: asyncio.Task[None]) -> None:
            self._keeping.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.warning("The frames of picture %d could not be kept: %s", row.id, error)

        task = asyncio.create_task(self._keep(row, frames))
        self._keeping.add(task)
        task.add_done_callback(kept)
        return task

    async def _keep(self, row: PictureRow, frames: Sequence[Frame]) -> None:
        small = await asyncio.to_thread(lambda: {frame.step: smaller(frame) for frame in frames})
        async with self._filing:
            async with self._database.reading() as connection:
                now = await pictures.get(connection, row.id)
            if now is None:  # deleted meanwhile
                return
            packed = pack_frames(await self._kept(now) | small)
            name = await asyncio.to_thread(self._files.put, packed, FRAMES_SUFFIX)
            recorded = False
            try:
                async with self._database.writing() as connection:
                    recorded = await pictures.keep_frames(connection, now, name)
            finally:
                unneeded = now.frames if recorded else name
                if unneeded is not None:
                    await self._drop_unused(unneeded)

    async def _drop_unused(self, name: str) -> None:
        async with self._database.reading() as connection:
            used = await pictures.uses(connection, name)
        if not used:
            await asyncio.to_thread(self._files.delete, name, FRAMES_SUFFIX)


def pack_frames(frames: Mapping[int, Frame]) -> bytes:
    """As bytes to store."""
    return msgspec.msgpack.encode([frames[step] for step in sorted(frames)])


def unpack_frames(packed: bytes) -> dict[int, Frame]:
    """The frames in stored bytes, by step; none where they are damaged, or another version wrote them."""
    try:
        frames: Iterable[Frame] = msgspec.msgpack.decode(packed, type=tuple[Frame, ...])
    except msgspec.DecodeError:
        return {}
    return {frame.step: frame for frame in frames}


def smaller(frame: Frame) -> Frame:
    """The frame as it is kept.

    Raises:
        PictureError: its pictures cannot be read.
    """
    noisy = None if frame.noisy is None else _webp(frame.noisy)
    return msgspec.structs.replace(frame, picture=_webp(frame.picture), noisy=noisy)


def _webp(picture: bytes) -> bytes:
    image, buffer = open_rgb(picture), io.BytesIO()
    if image.width * image.height <= LOSSLESS_PIXELS:
        image.save(buffer, "WEBP", lossless=True)
    else:
        image.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()


def _strip_steps(row: PictureRow) -> tuple[int, ...]:
    return strip_steps(msgspec.convert(row.facts, RunFacts))
