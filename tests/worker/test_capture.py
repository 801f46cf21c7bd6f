"""What the recorder hears of a scheduler."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from generation.errors import RequestError
from generation.worker import capture, finish
from generation.worker.capture import Recorder, pack_trajectory, unpack_trajectory
from tests.tiny_models import SCHEDULERS, ddim, tiny_pipeline

KINDS = [
    *((name, kind) for name in SCHEDULERS if name != "flow-match euler" for kind in ("epsilon", "v_prediction")),
    ("flow-match euler", "flow"),
]


def run(pipeline: Any, *, steps: int = 5, guidance: float = 3.0, **options: Any) -> tuple[np.ndarray, Recorder]:
    recorder = Recorder(pipeline.scheduler, options.pop("on_step", lambda step: None), keep=True)
    output = pipeline(
        "a red fox",
        num_inference_steps=steps,
        guidance_scale=guidance,
        height=32,
        width=32,
        generator=torch.Generator().manual_seed(5),
        output_type="np",
        **options,
    )
    return output.images[0], recorder


def decoded(pipeline: Any, latents: torch.Tensor) -> np.ndarray:
    return np.asarray(finish.decode_images(pipeline, latents)[0], dtype=np.int16)


@pytest.mark.parametrize(
    ("name", "kind", "returned"),
    # LCM's last picture is a mixture of the prediction and its input, which only it knows, and returns
    [(*each, returned) for each in KINDS for returned in (True, False) if returned or each[0] != "lcm"],
)
def test_the_clean_prediction_of_the_last_step_is_the_picture(
    name: str, kind: str, returned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one grey level, whether the scheduler says what it predicted or not."""
    if not returned:
        monkeypatch.setattr(capture, "_returned_clean", lambda result: None)
    pipeline = tiny_pipeline(SCHEDULERS[name](kind))
    predicted: list[torch.Tensor] = []
    picture, _ = run(pipeline, on_step=lambda step: predicted.append(step.clean))
    painted = np.asarray(finish.to_image(picture), dtype=np.int16)
    assert painted.std() > 10, "a flat picture would prove nothing"
    assert np.abs(decoded(pipeline, predicted[-1]) - painted).max() <= 1
    assert np.abs(decoded(pipeline, predicted[0]) - painted).max() > 1


@pytest.mark.parametrize("steps", [1, 5, 6, 12])
@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_the_last_stored_frame_is_the_picture(name: str, kind: str, steps: int) -> None:
    """Also where the scheduler stops short of zero noise, and in spite of the storage's sixteen bits."""
    pipeline = tiny_pipeline(SCHEDULERS[name](kind))
    picture, recorder = run(pipeline, steps=steps)
    trajectory = recorder.trajectory(32, 32)
    assert trajectory is not None
    painted = np.asarray(finish.to_image(picture), dtype=np.int16)
    assert np.abs(decoded(pipeline, trajectory.clean[-1:]) - painted).max() <= 1


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_the_recorder_does_not_change_the_picture(name: str, kind: str) -> None:
    plain = tiny_pipeline(SCHEDULERS[name](kind))(
        "a red fox",
        num_inference_steps=5,
        guidance_scale=3.0,
        height=32,
        width=32,
        generator=torch.Generator().manual_seed(5),
        output_type="np",
    ).images[0]
    recorded, _ = run(tiny_pipeline(SCHEDULERS[name](kind)))
    assert np.array_equal(plain, recorded)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_noise_levels_fall_from_near_one_to_zero(name: str, kind: str) -> None:
    _, recorder = run(tiny_pipeline(SCHEDULERS[name](kind)))
    levels = recorder.noise_levels
    assert all(later <= earlier for earlier, later in itertools.pairwise(levels))
    assert 0.7 < levels[0] <= 1.0
    assert levels[-1] == pytest.approx(0.0, abs=1e-6)
    assert len(levels) == len(recorder.timesteps)


def test_latents_of_every_scheduler_begin_at_the_size_of_pure_noise() -> None:
    """Euler keeps its latents 14 times as large; in a trajectory they are all alike."""
    for name in ("ddim", "euler", "heun", "unipc", "flow-match euler"):
        _, recorder = run(tiny_pipeline(SCHEDULERS[name]()))
        trajectory = recorder.trajectory(32, 32)
        assert trajectory is not None
        assert trajectory.latents[0].float().std() == pytest.approx(1.0, abs=0.25), name


@pytest.mark.parametrize(("config", "steps"), [({"set_alpha_to_one": False}, 5), ({}, 6)])
def test_a_scheduler_that_stops_short_of_zero_noise_says_so(config: dict[str, Any], steps: int) -> None:
    """DDIM does, by its configuration or because the steps do not divide the schedule."""
    _, recorder = run(tiny_pipeline(ddim(**config)), steps=steps)
    assert 0.0 < recorder.noise_levels[-1] < 0.05


def test_steps_are_counted_as_the_scheduler_takes_them() -> None:
    """A second-order scheduler takes two for each but the last."""
    counted: list[tuple[int, int]] = []
    run(tiny_pipeline(SCHEDULERS["heun"]()), on_step=lambda step: counted.append((step.step, step.steps)))
    assert counted == [(i, 9) for i in range(1, 10)]


def test_a_run_from_a_picture_counts_only_the_steps_it_takes(loaded: Any) -> None:
    for scheduler, expected in (("DDIMScheduler", 3), ("EulerDiscreteScheduler", 3)):
        pipeline = loaded.pipeline_for_job(scheduler, from_image=True)
        counted: list[tuple[int, int]] = []
        recorder = Recorder(pipeline.scheduler, lambda step, to=counted: to.append((step.step, step.steps)))
        pipeline(
            "a cat",
            image=torch.rand(1, 3, 32, 32),
            strength=0.5,
            num_inference_steps=6,
            generator=torch.Generator().manual_seed(1),
        )
        assert counted == [(i, expected) for i in range(1, expected + 1)]
        assert recorder.noise_levels[-1] < 0.05


def test_a_trajectory_comes_back_from_its_bytes_as_it_was() -> None:
    _, recorder = run(tiny_pipeline())
    before = recorder.trajectory(32, 32)
    assert before is not None
    after = unpack_trajectory(pack_trajectory(before))
    assert torch.equal(after.latents, before.latents)
    assert torch.equal(after.clean, before.clean)
    assert torch.equal(after.noise_levels, before.noise_levels)
    assert (after.width, after.height, after.steps) == (32, 32, 5)


@pytest.mark.parametrize(
    "harm", [lambda b: b[: len(b) // 2], lambda b: b[:40] + b[80:], lambda b: b"", lambda b: b"no"]
)
def test_a_damaged_trajectory_is_refused_with_a_sentence(harm: Any) -> None:
    _, recorder = run(tiny_pipeline(), steps=2)
    trajectory = recorder.trajectory(32, 32)
    assert trajectory is not None
    with pytest.raises(RequestError, match="damaged"):
        unpack_trajectory(harm(pack_trajectory(trajectory)))


def test_nothing_is_kept_when_nobody_asked() -> None:
    pipeline = tiny_pipeline()
    recorder = Recorder(pipeline.scheduler, lambda step: None)
    pipeline("a cat", num_inference_steps=2, height=32, width=32)
    assert recorder.trajectory(32, 32) is None
    assert len(recorder.timesteps) == 2
