"""Three ways to serve the same requests with the same weights in the same process and thread.

Each server turns every request into a PNG and tells how long each person waited. Plain diffusers is what a short
script does: one `pipe()` after another, or one `pipe()` over several requests that have equal steps and guidance.
"""

from __future__ import annotations

import io
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image

from benchmarks.workloads import Asked
from generation.events import Configure, DecodeFrames, Event, Failed, Finished, Frames, Generate, Order, Stop
from generation.frames import pack
from generation.kept_frames import FRAMES_SUFFIX, TRAJECTORY_SUFFIX, pack_frames, smaller, unpack_frames
from generation.models import ModelInfo
from generation.pictures.strip import draw_strip, strip_steps
from generation.request import GenerationRequest
from generation.worker.main import LANES, Worker
from store.files import Files


@dataclass(frozen=True)
class Served:
    """How it went: seconds from the first arrival to the last picture, and of waiting for each picture."""

    seconds: float
    latencies: tuple[float, ...]

    @property
    def mean_latency(self) -> float:
        return fmean(self.latencies)


Server = Callable[[Sequence[Asked]], Served]


class Subject:
    """One model in memory, with the servers under test on it."""

    def __init__(self, info: ModelInfo, threads: int) -> None:
        self.info = info
        self._hear: Callable[[Event], None] = lambda event: None
        self._worker = Worker(Configure(models=(info,), device="cpu", threads=threads), lambda event: self._hear(event))
        self.model = self._worker.model(info)

    def plain(self, asked: Sequence[Asked]) -> Served:
        """One at a time, first in, first out."""
        return self._one_after_another([[each] for each in asked])

    def static(self, asked: Sequence[Asked]) -> Served:
        """Whoever waits and wants the same steps and guidance as the first in line goes along with it."""
        began = time.perf_counter()
        left, latencies = list(asked), []
        while left:
            _sleep_until(began + left[0].arrives)
            now = time.perf_counter() - began
            like = [each for each in left if each.arrives <= now and _form(each.request) == _form(left[0].request)]
            batch = like[: max(1, self.model.max_rows // 2)]
            self._call([each.request for each in batch])
            latencies += [time.perf_counter() - began - each.arrives for each in batch]
            left = [each for each in left if all(each is not other for other in batch)]
        return Served(time.perf_counter() - began, tuple(latencies))

    def darkroom(self, asked: Sequence[Asked], *, previews: bool = True, strip: bool = True) -> Served:
        """The worker's own loop; as many jobs in its hands as it has lanes."""
        arrivals = _Arrivals(asked, LANES, previews=previews, strip=strip)
        self._hear = arrivals.hear
        self._worker.run(arrivals)
        return arrivals.served()

    def strip_seconds(self, asked: Asked, folder: Path) -> tuple[float, float]:
        """How long a strip (PNG) of a run takes: one whose frames the worker decodes, and one from kept frames.

        Both begin with reading what is kept of the run from `folder`.
        """
        arrivals = _Arrivals([asked], LANES, previews=False, strip=True)
        self._hear = arrivals.hear
        self._worker.run(arrivals)
        finished = arrivals.last
        assert finished is not None and finished.trajectory is not None  # the worker was asked to keep it
        files = Files(folder)
        name = files.put(finished.trajectory, TRAJECTORY_SUFFIX)
        answered: list[Event] = []
        self._hear = answered.append
        began = time.perf_counter()
        stored = files.get(name, TRAJECTORY_SUFFIX)
        assert stored is not None  # it was put there
        steps = strip_steps(finished.facts)
        order = DecodeFrames(query=1, model=self.info.name, trajectory=stored, steps=steps)
        self._worker.run(_Orders(order, Stop()))
        frames = next(event.frames for event in answered if isinstance(event, Frames))
        draw_strip(frames)
        decoded = time.perf_counter() - began
        name = files.put(pack_frames({frame.step: smaller(frame) for frame in frames}), FRAMES_SUFFIX)
        began = time.perf_counter()
        packed = files.get(name, FRAMES_SUFFIX)
        assert packed is not None  # it was put there
        kept = unpack_frames(packed)
        draw_strip([kept[step] for step in steps])
        return decoded, time.perf_counter() - began

    def _one_after_another(self, batches: Sequence[Sequence[Asked]]) -> Served:
        began = time.perf_counter()
        latencies = []
        for batch in batches:
            _sleep_until(began + batch[-1].arrives)
            self._call([each.request for each in batch])
            latencies += [time.perf_counter() - began - each.arrives for each in batch]
        return Served(time.perf_counter() - began, tuple(latencies))

    def _call(self, requests: Sequence[GenerationRequest]) -> None:
        first = requests[0]
        output: Any = self.model.pipeline(
            [each.prompt for each in requests],
            negative_prompt=[each.negative_prompt for each in requests],
            num_inference_steps=first.steps,
            guidance_scale=first.guidance_scale,
            width=first.width,
            height=first.height,
            generator=[torch.Generator().manual_seed(each.seed) for each in requests],
        )
        for image in output.images:
            _png(image)


class _Orders:
    """These orders, one after the other."""

    def __init__(self, *orders: Order) -> None:
        self._orders = list(orders)

    def get(self, block: bool = True) -> Order:
        """The next."""
        return self._orders.pop(0)


class _Arrivals:
    """Stands where the pipe is: hands the worker its orders as they arrive, and hears what it says."""

    def __init__(self, asked: Sequence[Asked], lanes: int, *, previews: bool, strip: bool) -> None:
        self._asked = asked
        self._lanes = lanes
        self._previews = previews
        self._strip = strip
        self._handed_out = 0
        self._latencies: list[float] = []
        self._began = time.perf_counter()
        self._ended = self._began
        self.last: Finished | None = None

    def get(self, block: bool = True) -> Order:
        """The next order, if it has arrived and a lane is free; Stop after the last picture."""
        if len(self._latencies) == len(self._asked):
            return Stop()
        if self._handed_out == len(self._asked) or self._handed_out - len(self._latencies) >= self._lanes:
            raise queue.Empty
        asked = self._asked[self._handed_out]
        if block:
            _sleep_until(self._began + asked.arrives)
        elif time.perf_counter() < self._began + asked.arrives:
            raise queue.Empty
        self._handed_out += 1
        return Generate(
            job=self._handed_out,
            attempt=1,
            request=asked.request,
            previews=self._previews,
            trajectory=self._strip,
        )

    def hear(self, event: Event) -> None:
        """Pack every event, as for the pipe; note the finished ones.

        Raises:
            RuntimeError: a job made no picture, so there is nothing to compare.
        """
        pack(event)
        if isinstance(event, Failed):
            raise RuntimeError(event.sentence)
        if isinstance(event, Finished):
            self.last = event
            self._ended = time.perf_counter()
            self._latencies.append(self._ended - self._began - self._asked[event.job - 1].arrives)

    def served(self) -> Served:
        """How it went."""
        return Served(self._ended - self._began, tuple(self._latencies))


def _form(request: GenerationRequest) -> tuple[int, float]:
    return request.steps, request.guidance_scale


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
