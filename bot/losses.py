"""Who has lately lost pictures of theirs, so that "it" is not taken to be somebody else's.

Kept in memory for a few minutes and nowhere else, since deleted means gone. Knows people, and no pictures.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from generation.queue import Owner

LASTS = 15 * 60.0  # seconds
MOST = 1_000  # people; the oldest losses go first


class Losses:
    """What was deleted lately, by whom."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds; what it says is only compared with itself."""
        self._clock = clock
        self._since: OrderedDict[tuple[str, str], float] = OrderedDict()

    def note(self, person: Owner) -> None:
        """Pictures of this person's were deleted just now."""
        key = (person.source, person.external_id)
        self._since.pop(key, None)
        self._since[key] = self._clock()
        while len(self._since) > MOST:
            self._since.popitem(last=False)

    def lately(self, person: Owner) -> bool:
        """Whether this person has lost pictures in the last minutes."""
        since = self._since.get((person.source, person.external_id))
        return since is not None and self._clock() - since < LASTS
