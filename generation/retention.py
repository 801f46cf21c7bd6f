"""Forgets the steps of old pictures, so that trajectories do not fill the disk. Knows no front end and no SQL."""

from __future__ import annotations

import asyncio
import logging
import time

from generation.studio import Studio
from store.errors import StoreError

log = logging.getLogger(__name__)

LOOK_INTERVAL = 3_600.0  # seconds
DAY = 86_400.0  # seconds


async def keep_forgetting_steps(studio: Studio, days: float) -> None:
    """Delete the steps of runs older than so many days, now and every hour, until cancelled."""
    while True:
        try:
            count = await studio.forget_steps(time.time() - days * DAY)
            if count:
                log.info("The steps of %d pictures were older than %g days and are deleted", count, days)
        except StoreError as error:
            log.warning("Old steps cannot be deleted now, which is tried again: %s", error)
        await asyncio.sleep(LOOK_INTERVAL)
