"""What tests of several packages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.postgresql import server

# Their tests start workers, readers or the whole program, which use all cores and have to answer within seconds;
# side by side they would time each other out. All others may run side by side.
WHOLE = (
    "benchmarks", "dispatch", "terminal", "worker", "bot/test_run.py", "explainer/test_reader.py",
    "test_end_to_end.py", "test_survival.py", "playground/test_browser.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of `WHOLE`."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(WHOLE):
            item.add_marker(pytest.mark.whole)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A real PostgreSQL, started when the first test asks for it."""
    yield from server()
