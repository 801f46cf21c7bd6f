"""How long a command that waits for one worker goes on waiting: a few starts, not for ever.

A dispatcher starts its worker again and again, as a bot that runs for months must; a person at a terminal
wants to be told. Knows no particular dispatcher.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from generation import events
from generation.dispatch.base import Dispatcher
from generation.errors import WorkerGone

STARTS = 2  # a worker that ends twice before it is ready will end again
FIRST_SIGN = 60.0  # seconds until a started worker process must have said something


async def patient_events(dispatcher: Dispatcher) -> AsyncIterator[events.Event]:
    """The dispatcher's events, as long as a worker may still get ready.

    Raises:
        WorkerGone: workers keep ending before one is ready, or none gives a sign of life.
    """
    starts = 0
    stream = aiter(dispatcher.events())
    while True:
        try:
            event = await asyncio.wait_for(anext(stream), None if starts else FIRST_SIGN)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise WorkerGone("The worker process gives no sign of life.") from None
        match event:
            case events.Loading(what=events.STARTING, done=0):
                starts += 1
            case events.Ready():
                starts = 1  # counts anew: this one was ready, and only those that follow are in question
        if starts > STARTS:
            raise WorkerGone("The worker process keeps ending before it is ready.")
        yield event
