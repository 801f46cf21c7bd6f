"""The final touches: what may be done to a finished picture, and what it is called. None is part of diffusion.

Knows only names; `generation.worker.touch_up` does the work.
"""

from __future__ import annotations

from collections.abc import Iterable

from generation.errors import RequestError

TOUCHES: dict[str, str] = {  # name -> what people read, in the order in which they are done
    "repair": "Artefact repair",
    "smooth": "Edge smoothing",
    "upscale": "Upscale",
    "sharpen": "Sharpen",
}


def checked_touches(names: Iterable[str]) -> tuple[str, ...]:
    """The touches of these names, each once, in the order in which they are done.

    Raises:
        RequestError: a name stands for no touch.
    """
    wanted = {name.strip().lower() for name in names if name.strip()}
    for name in sorted(wanted):
        if name not in TOUCHES:
            raise RequestError(f"“{name[:40]}” is no final touch; there are: {', '.join(TOUCHES)}.")
    return tuple(name for name in TOUCHES if name in wanted)


def touches_done(final_touches: Iterable[str]) -> tuple[str, ...]:
    """The names of the touches that a run's record tells of."""
    done = {line.partition(":")[0] for line in final_touches}
    return tuple(name for name in TOUCHES if name in done)
