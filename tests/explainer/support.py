"""A reader's inner parts, loaded once for a whole test run; vectors are kept where pytest's other caches are."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from explainer.answer import Answerer
from explainer.parts import load_answerer

CACHE = Path(__file__).parents[2] / ".pytest_cache" / "explainer"


@contextlib.contextmanager
def chat_server() -> Iterator[str]:
    """The address of a running `tests.explainer.chat_server`."""
    program = [sys.executable, "-m", "tests.explainer.chat_server"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


@functools.cache
def answerer() -> Answerer:
    """The real answerer: real encoder, real passages."""
    return load_answerer(CACHE).answerer
