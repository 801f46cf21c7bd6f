"""From nothing to the first picture, each in a new process: `darkroom imagine`, and a short diffusers script."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.spread import Spread, spread
from generation.models import pocket_model

WITHIN = 180.0  # seconds
SCRIPT = """
import sys
import torch
from diffusers import DiffusionPipeline
folder, out, steps, guidance, side, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
pipe = DiffusionPipeline.from_pretrained(folder)
image = pipe("a red fox", num_inference_steps=int(steps), guidance_scale=float(guidance), width=int(side),
             height=int(side)).images[0]
image.save(out)
"""


@dataclass(frozen=True)
class ColdStart:
    """Seconds until the picture lies on the disk."""

    darkroom: Spread
    plain: Spread


def measure_cold_start(rounds: int, threads: int, say: Callable[[str], None]) -> ColdStart:
    """Each of the two, `rounds` times in turn; Darkroom finds out for itself how many threads are best.

    Raises:
        RuntimeError: one of them failed.
        subprocess.TimeoutExpired: one took far too long.
    """
    model = pocket_model()
    numbers = [str(value) for value in (model.steps, model.guidance_scale, model.width, threads)]
    darkroom, plain = [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
            out = str(Path(folder) / "fox.png")
            imagine = [sys.executable, "-m", "bot", "imagine", "a red fox", "--out", out]
            darkroom.append(_seconds(imagine, {"DARKROOM_DATA": folder}))
            plain.append(_seconds([sys.executable, "-c", SCRIPT, model.source, out, *numbers], {}))
        say(f"cold start, round {number + 1}: plain {plain[-1]:.1f} s, Darkroom {darkroom[-1]:.1f} s")
    return ColdStart(spread(darkroom), spread(plain))


def _seconds(command: list[str], variables: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, env=os.environ | variables, check=False, capture_output=True, timeout=WITHIN)
    if done.returncode:
        raise RuntimeError(f"{command[1:3]} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return time.perf_counter() - began
