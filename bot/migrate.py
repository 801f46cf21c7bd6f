"""`darkroom migrate`: bring the database to the version of this program, and say so.

`darkroom run` does the same at its start; this is for operators who want to see it done first.
"""

from __future__ import annotations

import argparse
import asyncio

from bot.errors import SUCCESS
from bot.held_log import held_log
from bot.lock import hold_lock
from bot.settings import Settings
from store.database import Database

HELP = "bring the database to the version of this program"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Migrate and return the exit status.

    Raises:
        UserMistake: another Darkroom uses the data folder, or it cannot be written to.
        StoreError: the database cannot be opened or migrated.
    """
    with hold_lock(settings.data), held_log(settings.log_level):
        asyncio.run(_migrate(settings.database_url))
    print("The database is up to date.")
    return SUCCESS


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        await database.open()
    finally:
        await database.close()
