"""A reader's inner parts, loaded once for a whole test run; vectors are kept where pytest's other caches are."""

from __future__ import annotations

import functools
from pathlib import Path

from explainer.answer import Answerer
from explainer.parts import load_answerer

CACHE = Path(__file__).parents[2] / ".pytest_cache" / "explainer"


@functools.cache
def answerer() -> Answerer:
    """The real answerer: real encoder, real passages."""
    return load_answerer(CACHE).answerer
