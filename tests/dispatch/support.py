"""A started dispatcher, what it has said, and orders for it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image

from generation.dispatch.local import LocalDispatcher
from generation.events import Cancelled, Event, Failed, Finished, Generate, Progress, Ready
from generation.models import ModelInfo, Models
from generation.request import make_request

LONG = 1_000  # steps: some ten seconds, never run to the end


class Running:
    """A started dispatcher and everything it has said."""

    def __init__(self, dispatcher: LocalDispatcher) -> None:
        self.dispatcher = dispatcher
        self.seen: list[Event] = []
        self.ready: Ready  # the latest
        self._stream = dispatcher.events()

    async def until(self, wanted: Callable[[Event], bool]) -> Event:
        async with asyncio.timeout(60):
            async for event in self._stream:
                self.seen.append(event)
                if wanted(event):
                    return event
        raise AssertionError("the events came to an end")

    async def until_ready(self) -> Ready:
        event = await self.until(lambda event: isinstance(event, Ready))
        assert isinstance(event, Ready)
        self.ready = event
        return event

    async def until_end_of(self, job: int) -> Event:
        return await self.until(
            lambda event: isinstance(event, Finished | Failed | Cancelled) and event.job == job,
        )

    async def until_step(self, job: int, step: int) -> None:
        await self.until(lambda event: isinstance(event, Progress) and event.job == job and event.step >= step)


@asynccontextmanager
async def running(*models: ModelInfo, **options: Any) -> AsyncIterator[Running]:
    dispatcher = LocalDispatcher(Models(models), threads=1, **options)
    await dispatcher.start()
    try:
        yield Running(dispatcher)
    finally:
        await dispatcher.close()


def order(model: ModelInfo, job: int, *, attempt: int = 1, init: bytes | None = None, **wishes: Any) -> Generate:
    wishes = {"prompt": "a red fox", "seed": 3} | wishes
    if init is not None:
        wishes["init_image"] = "named by its hash"
    return Generate(job=job, attempt=attempt, request=make_request(model, **wishes), init_image=init)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((50, 40)).save(buffer, "PNG")
    return buffer.getvalue()
