"""The benchmark gives every server the same work, and reports what it saw. No test looks at how long anything took."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks import report
from benchmarks.cold_start import ColdStart
from benchmarks.measure import Effort, measure_many, measure_one_job
from benchmarks.servers import Subject
from benchmarks.spread import percentile, spread
from benchmarks.workloads import STEPS, burst, stream
from bot import bench
from bot.__main__ import build_parser, main
from generation.models import ModelInfo
from tests.tiny_models import save_tiny_model

ONCE = Effort(least=1, most=1, seconds=0.0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    return save_tiny_model(Path(tmp_path_factory.mktemp("models")) / "tiny")


@pytest.fixture(scope="module")
def subject(tiny: ModelInfo) -> Iterator[Subject]:
    before = torch.get_num_threads()
    yield Subject(tiny, 1)
    torch.set_num_threads(before)


def test_every_server_makes_every_picture_of_a_burst_and_of_a_stream(subject: Subject) -> None:
    dice = random.Random(0)
    jobs = burst(subject.info, dice, 6, 0.25)
    for asked in (jobs, stream(jobs, dice, 0.2)):
        for serve in (subject.plain, subject.static, subject.darkroom):
            served = serve(asked)
            assert len(served.latencies) == len(asked)
            assert all(0 < latency <= served.seconds for latency in served.latencies)


def test_a_job_that_fails_stops_the_benchmark_instead_of_flattering_it(
    tiny: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(tiny, 1)

    def fail(*args: object, **kwargs: object) -> None:
        raise ValueError("no picture")

    monkeypatch.setattr("generation.worker.finish.png", fail)
    with pytest.raises(RuntimeError, match="went wrong"):
        subject.darkroom(burst(subject.info, random.Random(0), 2, 0.25))


def test_every_round_is_the_same_amount_of_work_in_another_order(tiny: ModelInfo) -> None:
    dice = random.Random(0)
    rounds = [burst(tiny, dice, 16, 1.0) for _ in range(2)]
    steps = [[asked.request.steps for asked in jobs] for jobs in rounds]
    assert sorted(steps[0]) == sorted(steps[1])
    assert steps[0] != steps[1]
    assert set(steps[0]) == set(STEPS)
    assert {asked.request.guidance_scale > 1 for asked in rounds[0]} == {True, False}


def test_a_stream_arrives_over_the_time_it_was_given_in_the_mean(tiny: ModelInfo) -> None:
    arriving = stream(burst(tiny, random.Random(0), 400, 1.0), random.Random(1), 60.0)
    times = [asked.arrives for asked in arriving]
    assert times == sorted(times)
    assert 50 < times[-1] < 70


def test_spreads_and_percentiles_are_those_of_the_textbook() -> None:
    seen = spread([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (seen.median, seen.low, seen.high, seen.rounds) == (3.0, 2.0, 4.0, 5)
    assert spread([7.0]).low == spread([7.0]).high == 7.0
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([1.0], 0.99) == 1.0


def test_the_report_has_the_promised_figures_as_json_page_and_plot(subject: Subject) -> None:
    said: list[str] = []
    model = report.Model(
        name="tiny",
        title="for tests",
        sharing=subject.model.sharing,
        one_job=measure_one_job(subject, ONCE, 3, said.append),
        burst=measure_many(subject, ONCE, 3, 0.25, said.append),
        stream=measure_many(subject, ONCE, 3, 0.25, said.append, load=1.0),
    )
    results = report.Results(
        models=(model,),
        acknowledged={
            "ack_p50_ms": 3.0,
            "ack_p99_ms": 40.0,
            "bot_rss_mb": 100.0,
            "questions": 10,
            "bot_imported_torch": False,
        },
        cold_start=ColdStart(spread([2.0]), spread([4.0])),
        threads=1,
        processor="a processor",
        cores=2,
        load=0.1,
        minutes=0.1,
        quick=True,
    )
    figures = json.loads(json.dumps(report.as_json(results)))
    promised = {"one_job_ratio", "burst_throughput_ratio", "burst_mean_latency_ratio", "strip_ratio"}
    assert promised | {"ack_p99_ms", "bot_rss_mb"} <= figures.keys()
    assert figures["cold_start_ratio"] == 0.5
    page = report.as_markdown(results)
    assert report.COMMAND in page
    assert "A trial" in page
    measured = dataclasses.replace(results, quick=False)
    assert "**A trial" not in report.as_markdown(measured) and "busy" not in report.as_markdown(measured)[:900]
    assert "9.5 processes wanted its 2 cores" in report.as_markdown(dataclasses.replace(measured, load=9.5))
    assert "| tiny | **Darkroom** |" in page
    assert report.as_plot(results).width == report.WIDTH
    assert len(said) == 3


def test_the_command_hands_its_options_on_and_returns_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    class Done:
        returncode = 1

    def run(command: list[str], **options: object) -> Done:
        called.append(command[1:])
        return Done()

    monkeypatch.setattr(bench.subprocess, "run", run)
    assert main(["bench", "--json", "--quick", "--docs", "here"]) == 1
    assert called == [["-m", "benchmarks", "--json", "--quick", "--docs", "here"]]


def test_an_installation_without_the_benchmark_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "PROGRAM", "benchmarks_that_are_not_there")
    assert main(["bench"]) == 2
    assert "checkout" in capsys.readouterr().err


def test_the_command_is_offered() -> None:
    _, commands = build_parser()
    assert commands["bench"].HELP == bench.HELP
