"""`python -m benchmarks` (or `darkroom bench`): everything measured in one run of at most 15 minutes on two cores.

Says on standard error what it is at; prints a table, and with --json one JSON object as the last line. Interrupted or
failing, it prints neither.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from benchmarks import report
from benchmarks.cold_start import measure_cold_start
from benchmarks.measure import Effort, measure_many, measure_one_job
from benchmarks.servers import Subject
from benchmarks.subjects import saturated_model, small_model
from generation.models import ModelInfo, pocket_model
from generation.worker.machine import look_at_machine

ACKNOWLEDGED_WITHIN = 240.0  # seconds
FULL_COUNT, QUICK_COUNT = 16, 4  # jobs of a burst


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one model is measured. Seconds bound the rounds; the first of each always runs."""

    title: str
    make: Callable[[Path], ModelInfo]
    steps: int  # of the single picture
    one_job: Effort
    burst: Effort
    scale: float = 1.0  # of the burst's steps
    stream: Effort | None = None


QUICK = Effort(least=1, most=1, seconds=0.0)
PLANS = (
    Plan(
        title="the model that ships with Darkroom, 128 x 128 pixels",
        make=lambda folder: pocket_model(),
        steps=20,
        one_job=Effort(least=5, most=15, seconds=60.0),
        burst=Effort(least=2, most=5, seconds=180.0),
        stream=Effort(least=1, most=3, seconds=120.0),
    ),
    Plan(
        title="random weights; a forward costs mostly overhead",
        make=small_model,
        steps=20,
        one_job=Effort(least=5, most=12, seconds=12.0),
        burst=Effort(least=2, most=5, seconds=20.0),
    ),
    Plan(
        title="random weights, shaped like SDXL; one picture keeps the processor busy",
        make=saturated_model,
        steps=4,
        one_job=Effort(least=3, most=8, seconds=30.0),
        burst=Effort(least=2, most=5, seconds=90.0),
        stream=Effort(least=1, most=3, seconds=60.0),
        scale=0.2,
    ),
)


def main() -> int:
    """Exit status 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="one small round of each: a trial, not a measurement")
    parser.add_argument("--docs", type=Path, help="write performance.md and images/performance.png into this folder")
    arguments = parser.parse_args()
    _quiet()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        results = measure(Path(folder), quick=arguments.quick, began=began)
    print(report.as_markdown(results), flush=True)
    if arguments.docs is not None:
        write(results, arguments.docs)
    if arguments.json:
        print(json.dumps(report.as_json(results)), flush=True)
    return 0


def measure(folder: Path, *, quick: bool, began: float) -> report.Results:
    """Run everything; models made on the spot lie in `folder`.

    Raises:
        subprocess.SubprocessError, RuntimeError: a part failed.
    """
    load = os.getloadavg()[0]
    threads = look_at_machine("cpu", None).threads
    models = tuple(_measure_model(plan, folder / str(number), threads, quick) for number, plan in enumerate(PLANS))
    say("answers while the worker is busy")
    acknowledged = _acknowledged(10 if quick else 120)
    say("from nothing to the first picture")
    cold = measure_cold_start(1 if quick else 2, threads, say)
    return report.Results(
        models=models,
        acknowledged=acknowledged,
        cold_start=cold,
        threads=threads,
        processor=processor(),
        cores=os.cpu_count() or 1,
        load=load,
        minutes=(time.perf_counter() - began) / 60,
        quick=quick,
    )


def say(sentence: str) -> None:
    """Progress, for people."""
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


def write(results: report.Results, folder: Path) -> None:
    """The page and its plot."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "performance.md").write_text(report.as_markdown(results), encoding="utf-8")
    report.as_plot(results).save(folder / "images" / "performance.png")
    say(f"wrote {folder / 'performance.md'} and {folder / 'images' / 'performance.png'}")


def processor() -> str:
    """What the processor calls itself."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass  # no Linux
    return name


def _measure_model(plan: Plan, folder: Path, threads: int, quick: bool) -> report.Model:
    info = plan.make(folder)
    say(f"{info.name}: loading")
    subject = Subject(info, threads)
    count = QUICK_COUNT if quick else FULL_COUNT
    scale = plan.scale / 4 if quick else plan.scale
    stream = None
    if plan.stream is not None:
        stream = measure_many(subject, QUICK if quick else plan.stream, count, scale, say, load=1.0)
    return report.Model(
        name=info.name,
        title=plan.title,
        sharing=subject.model.sharing,
        one_job=measure_one_job(subject, QUICK if quick else plan.one_job, 2 if quick else plan.steps, say),
        burst=measure_many(subject, QUICK if quick else plan.burst, count, scale, say),
        stream=stream,
    )


def _acknowledged(questions: int) -> report.Acknowledged:
    """The figures of `benchmarks.acknowledge`, which must run where torch is not imported."""
    command = [sys.executable, "-m", "benchmarks.acknowledge", "--questions", str(questions)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=ACKNOWLEDGED_WITHIN)
    figures: report.Acknowledged = json.loads(done.stdout.splitlines()[-1])
    say(f"answers after {figures['ack_p50_ms']:.0f} ms in the median, {figures['ack_p99_ms']:.0f} ms at the 99th part")
    return figures


def _quiet() -> None:
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it is typed in part
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # as above


if __name__ == "__main__":
    sys.exit(main())
