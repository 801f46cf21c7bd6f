"""The comparisons: the same jobs to each server in turn, round by round, and the ratios of each round.

Interleaved, with the order turned around every other round, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Served, Server, Subject
from benchmarks.spread import Spread, percentile, spread
from benchmarks.workloads import burst, one_job, stream

Say = Callable[[str], None]
STRIP_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured: rounds until `seconds` have gone by, but at least `least` and at most `most`."""

    least: int
    most: int
    seconds: float

    def rounds(self) -> Iterator[int]:
        """The numbers of the rounds, as long as there is time for one more like those before."""
        began = time.perf_counter()
        for number in range(self.most):
            spent = time.perf_counter() - began
            if number >= self.least and spent + spent / number > self.seconds:
                return
            yield number


@dataclass(frozen=True)
class OneJob:
    """A single picture: seconds of plain diffusers, and each variant of Darkroom relative to it."""

    plain_seconds: Spread
    ratios: Mapping[str, Spread]  # by variant: bare, previews, strip, both
    strip_decoded_in_steps: Spread  # a strip whose frames are decoded when asked for, in denoising steps of the model
    strip_kept_in_steps: Spread  # the same from kept frames


@dataclass(frozen=True)
class Compared:
    """Many jobs on one server relative to plain diffusers, first in first out."""

    throughput: Spread  # more is better
    mean_latency: Spread  # less is better
    p95_latency: Spread


@dataclass(frozen=True)
class ManyJobs:
    """A burst or a stream, with each server's ratios and plain diffusers' own figures."""

    jobs: int
    plain_seconds: Spread
    plain_mean_latency: Spread
    servers: Mapping[str, Compared]


def measure_one_job(subject: Subject, effort: Effort, steps: int, say: Say) -> OneJob:
    """One picture at a time by each variant in turn."""
    dice = random.Random(f"one job {subject.info.name}")
    variants: dict[str, Server] = {
        "plain": subject.plain,
        "bare": lambda asked: subject.darkroom(asked, previews=False, strip=False),
        "previews": lambda asked: subject.darkroom(asked, previews=True, strip=False),
        "strip": lambda asked: subject.darkroom(asked, previews=False, strip=True),
        "both": lambda asked: subject.darkroom(asked, previews=True, strip=True),
    }
    for serve in variants.values():
        serve([one_job(subject.info, dice, 2)])
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in effort.rounds():
        for name, serve in _in_turn(variants, number):
            seconds[name].append(serve([one_job(subject.info, dice, steps)]).seconds)
        say(f"{subject.info.name}, one job, round {number + 1}: " + _ratio_text(seconds, "both"))
    with tempfile.TemporaryDirectory() as folder:
        asked = [one_job(subject.info, dice, steps) for _ in range(STRIP_ROUNDS)]
        strips = [subject.strip_seconds(each, Path(folder)) for each in asked]
    step = min(seconds["plain"]) / steps
    ratios = {
        name: spread(own / plain for own, plain in zip(values, seconds["plain"], strict=True))
        for name, values in seconds.items()
        if name != "plain"
    }
    in_steps = (spread(each / step for each in every) for every in zip(*strips, strict=True))
    return OneJob(spread(seconds["plain"]), ratios, *in_steps)


def measure_many(
    subject: Subject, effort: Effort, count: int, scale: float, say: Say, *, load: float | None = None
) -> ManyJobs:
    """A burst of mixed jobs; or, with `load`, a Poisson stream that asks plain diffusers for that much of its time."""
    dice = random.Random(f"many jobs {subject.info.name} {load}")
    servers: dict[str, Server] = {"plain": subject.plain, "static": subject.static, "darkroom": subject.darkroom}
    seconds_per_job = _seconds_per_job(subject, dice, count, scale) if load is not None else 0.0
    served: dict[str, list[Served]] = {name: [] for name in servers}
    for number in effort.rounds():
        jobs = burst(subject.info, dice, count, scale)
        if load is not None:
            jobs = stream(jobs, dice, seconds_per_job * count / load)
        for name, serve in _in_turn(servers, number):
            served[name].append(serve([job.in_other_words(dice) for job in jobs]))
        what = "burst" if load is None else "stream"
        times = ", ".join(f"{name} {each[-1].seconds:.2f} s" for name, each in served.items())
        say(f"{subject.info.name}, {what} of {count}, round {number + 1}: {times}")
    return ManyJobs(
        count,
        spread(each.seconds for each in served["plain"]),
        spread(each.mean_latency for each in served["plain"]),
        {name: _compared(served[name], served["plain"]) for name in servers if name != "plain"},
    )


def _seconds_per_job(subject: Subject, dice: random.Random, count: int, scale: float) -> float:
    jobs = burst(subject.info, dice, count, scale)
    few = jobs[: max(3, count // 3)]
    steps = sum(each.request.steps for each in jobs) / len(jobs)
    return subject.plain(few).seconds / sum(each.request.steps for each in few) * steps


def _compared(own: Sequence[Served], plain: Sequence[Served]) -> Compared:
    pairs = list(zip(own, plain, strict=True))
    return Compared(
        spread(b.seconds / a.seconds for a, b in pairs),
        spread(a.mean_latency / b.mean_latency for a, b in pairs),
        spread(percentile(a.latencies, 0.95) / percentile(b.latencies, 0.95) for a, b in pairs),
    )


def _in_turn(servers: Mapping[str, Server], number: int) -> list[tuple[str, Server]]:
    every = list(servers.items())
    return every if number % 2 == 0 else every[::-1]


def _ratio_text(seconds: Mapping[str, Sequence[float]], name: str) -> str:
    return f"plain {seconds['plain'][-1]:.3f} s, Darkroom x{seconds[name][-1] / seconds['plain'][-1]:.2f}"
