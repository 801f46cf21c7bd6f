"""What was measured, as one JSON object, as a page of Markdown and as a plot. Measures nothing."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib import metadata

from PIL import Image, ImageDraw

from benchmarks.cold_start import ColdStart
from benchmarks.measure import Compared, ManyJobs, OneJob
from benchmarks.spread import Spread
from generation.pictures.draw import ACCENT, BACKGROUND, QUIET_TEXT, TEXT, TRACK, font

COMMAND = "darkroom bench --docs docs"
WIDTH, ROW, MARGIN, LABEL = 1000, 44, 32, 330  # pixels
LONGEST = 2.6  # times as fast as plain diffusers, at the right edge of the plot

Acknowledged = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything measured on one model."""

    name: str
    title: str
    sharing: str
    one_job: OneJob
    burst: ManyJobs
    stream: ManyJobs | None


@dataclass(frozen=True, kw_only=True)
class Results:
    """One run of the benchmark; the pocket model is the first of `models`."""

    models: tuple[Model, ...]
    acknowledged: Acknowledged
    cold_start: ColdStart
    threads: int
    processor: str
    cores: int
    load: float  # how many processes of others wanted a core when it began, in the mean of a minute
    minutes: float
    quick: bool


def as_json(results: Results) -> dict[str, object]:
    """The headline figures on top, everything beneath."""
    pocket = results.models[0]
    burst = pocket.burst.servers["darkroom"]
    return {
        "one_job_ratio": pocket.one_job.ratios["bare"].median,
        "strip_ratio": pocket.one_job.ratios["strip"].median,
        "previews_ratio": pocket.one_job.ratios["previews"].median,
        "strip_decoded_in_steps": pocket.one_job.strip_decoded_in_steps.median,
        "strip_kept_in_steps": pocket.one_job.strip_kept_in_steps.median,
        "burst_throughput_ratio": burst.throughput.median,
        "burst_mean_latency_ratio": burst.mean_latency.median,
        **_bursts_of_others(results),
        **results.acknowledged,
        "cold_start_seconds": results.cold_start.darkroom.median,
        "cold_start_ratio": results.cold_start.darkroom.median / results.cold_start.plain.median,
        "quick": results.quick,
        "details": asdict(results),
    }


def _bursts_of_others(results: Results) -> dict[str, float]:
    """The burst on each model with random weights, as `small_burst_throughput_ratio` and the like."""
    figures = {}
    for model in results.models[1:]:
        burst = model.burst.servers["darkroom"]
        figures[f"{model.name}_burst_throughput_ratio"] = burst.throughput.median
        figures[f"{model.name}_burst_mean_latency_ratio"] = burst.mean_latency.median
    return figures


def as_markdown(results: Results) -> str:
    """The page `docs/performance.md`."""
    sections = [
        _introduction(results),
        _table(
            "## One picture at a time",
            ("model", "plain diffusers", "Darkroom", "with previews", "keeping steps", "both", "strip", "kept strip"),
            [_one_job_row(model) for model in results.models],
            "Darkroom's columns are its time divided by that of plain diffusers: 1.00 means equally long. "
            "The last columns are the time from what is kept on the disk to the strip as a PNG, in denoising steps of "
            "the same model: of a picture whose frames have yet to be decoded, and of one whose frames are kept, as "
            "they are soon after it was made.",
        ),
        _table(
            "## A burst of mixed jobs, all at once",
            ("model", "server", "throughput", "mean wait", "95th percentile of the wait"),
            [row for model in results.models for row in _many_rows(model.name, model.burst)],
            "Each figure is relative to plain diffusers, one picture at a time, first in, first out: a throughput "
            "above 1 is better, a wait below 1 is better.",
        ),
        _table(
            "## A stream of mixed jobs that keeps plain diffusers just busy",
            ("model", "server", "throughput", "mean wait", "95th percentile of the wait"),
            [row for model in results.models if model.stream for row in _many_rows(model.name, model.stream)],
            "Jobs arrive at random moments (a Poisson process). Throughput can hardly differ here, as nobody can be "
            "faster than the last arrival; the waits can.",
        ),
        _rest(results),
    ]
    return "\n\n".join(sections) + "\n"


def as_plot(results: Results) -> Image.Image:
    """Throughput and mean wait of the burst on each model, as bars; the line is plain diffusers."""
    rows = [
        (f"{model.name}: {label}", _gain(what, compared), server == "darkroom")
        for model in results.models
        for label, what in (("throughput", "throughput"), ("shorter mean wait", "mean_latency"))
        for server, compared in model.burst.servers.items()
    ]
    image = Image.new("RGB", (WIDTH, 2 * MARGIN + ROW * (len(rows) + 3)), BACKGROUND)
    canvas = ImageDraw.Draw(image)
    canvas.text((MARGIN, MARGIN), "A burst of mixed jobs, times plain diffusers", TEXT, font(26))
    legend = (("Darkroom", ACCENT), ("static batches", TRACK))
    for number, (name, colour) in enumerate(legend):
        left = MARGIN + 180 * number
        canvas.rectangle((left, MARGIN + ROW + 8, left + 18, MARGIN + ROW + 26), fill=colour)
        canvas.text((left + 28, MARGIN + ROW + 6), name, QUIET_TEXT, font(20))
    top = MARGIN + 2 * ROW
    for number, (label, gain, ours) in enumerate(rows):
        _bar(canvas, top + ROW * number, label if not ours else "", gain, ACCENT if ours else TRACK)
    line = _x(1.0)
    canvas.line((line, top - 6, line, top + ROW * len(rows)), fill=QUIET_TEXT, width=2)
    canvas.text((line + 6, top + ROW * len(rows)), "1 = plain diffusers", QUIET_TEXT, font(18))
    return image


def _bar(canvas: ImageDraw.ImageDraw, top: int, label: str, gain: Spread, colour: tuple[int, int, int]) -> None:
    canvas.text((MARGIN, top + 8), label, TEXT, font(20))
    canvas.rectangle((LABEL, top + 6, _x(gain.median), top + ROW - 8), fill=colour)
    middle = top + ROW // 2
    canvas.line((_x(gain.low), middle, _x(gain.high), middle), fill=TEXT, width=2)
    canvas.text((max(_x(gain.high), _x(gain.median)) + 8, top + 8), f"{gain.median:.2f}", TEXT, font(20))


def _x(times: float) -> int:
    return LABEL + round(min(times, LONGEST) / LONGEST * (WIDTH - LABEL - 2 * MARGIN - 40))


def _gain(what: str, compared: Compared) -> Spread:
    """More is better: waits are turned around."""
    if what == "throughput":
        return compared.throughput
    wait = compared.mean_latency
    return Spread(1 / wait.median, 1 / wait.high, 1 / wait.low, wait.rounds)


def _introduction(results: Results) -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "diffusers", "transformers"))
    models = "\n".join(f"- **{model.name}**: {model.title}. Sharing: {model.sharing}." for model in results.models)
    return f"""# How fast it is

Written by the program itself; this makes the page anew, on your machine, in a quarter of an hour:

    {COMMAND}

Measured on {results.processor}, {results.cores} cores, {results.threads} thread(s) of torch, Python
{platform.python_version()}, {versions}.{_caution(results)}
Darkroom and plain diffusers use the same weights in the same process and take turns, round by round, so that what else
the machine does falls on both. A figure is the median of the rounds' ratios, with the quartiles in brackets. Every
picture is made from new words and ends as a PNG; Darkroom's also has its facts recorded and its messages packed, and in
bursts and streams previews are made and steps are kept. *Static batches* is plain diffusers that takes those who wait
and want the same number of steps and the same guidance into one call.

{models}

![Throughput and waits of a burst](images/performance.png)"""


def _caution(results: Results) -> str:
    """What a reader must know before believing a figure; empty where there is nothing."""
    if results.quick:
        return "\n**A trial: one small round of each, which says nothing of how fast it is.**"
    if results.load > results.cores / 2:
        return (
            f"\n**The machine was busy with other work: {results.load:.1f} processes wanted its {results.cores} cores "
            "when this began. Times are longer than on a quiet one, and ratios stray.**"
        )
    return ""


def _one_job_row(model: Model) -> tuple[str, ...]:
    job = model.one_job
    ratios = (str(job.ratios[name]) for name in ("bare", "previews", "strip", "both"))
    return (
        model.name,
        f"{job.plain_seconds} s",
        *ratios,
        str(job.strip_decoded_in_steps),
        str(job.strip_kept_in_steps),
    )


def _many_rows(name: str, many: ManyJobs) -> list[tuple[str, ...]]:
    own = (name, f"plain, {many.jobs} jobs", f"{many.plain_seconds} s", f"{many.plain_mean_latency} s", "")
    titles = {"static": "static batches", "darkroom": "**Darkroom**"}
    return [
        own,
        *(
            (name, titles[server], str(each.throughput), str(each.mean_latency), str(each.p95_latency))
            for server, each in many.servers.items()
        ),
    ]


def _rest(results: Results) -> str:
    asked, cold = results.acknowledged, results.cold_start
    return f"""## Answers while the worker is busy

The real bot with a real worker on the loopback Discord: ten people ask for {asked["questions"]:.0f} pictures one after
another, while the worker has more to do than it can. From the command to the first answer: {asked["ack_p50_ms"]:.0f} ms
in the median, {asked["ack_p99_ms"]:.0f} ms at the 99th percentile. The process of the bot, with the loopback Discord
in it, held {asked["bot_rss_mb"]:.0f} MB and had {"" if asked["bot_imported_torch"] else "not "}imported torch.

## From nothing to the first picture

`darkroom imagine` took {cold.darkroom} s, of which measuring the model at its start is a part; a short diffusers script
took {cold.plain} s."""


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]], note: str) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, tuple("---" for _ in head), *rows)]
    return f"{title}\n\n" + "\n".join(lines) + f"\n\n{note}"
