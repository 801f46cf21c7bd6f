"""What is measured of a model when it is loaded."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from generation.models import ModelInfo
from generation.worker import calibrate as calibrate_module
from generation.worker.calibrate import calibrate
from generation.worker.machine import DTYPES, Machine, look_at_machine, resident_mb, versions
from generation.worker.pipelines import LoadedModel
from tests.tiny_models import tiny_info, tiny_pipeline


class Mixing(UNet2DConditionModel):
    """Lets every row see all others, as no denoiser that is shared may."""

    def forward(self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, **rest: Any) -> Any:
        output = super().forward(sample, timestep, encoder_hidden_states, **rest)
        return (output[0] + output[0].mean(dim=0, keepdim=True),)


def calibrated(pipeline: Any, info: ModelInfo) -> LoadedModel:
    model = LoadedModel(info, pipeline, "0" * 64, torch.float32, "cpu")
    calibrate(model, lambda what, done, total: None)
    return model


@pytest.fixture
def info(tmp_path: Any) -> ModelInfo:
    return tiny_info(tmp_path)


def test_a_model_whose_rows_do_not_mix_shares_forwards(info: ModelInfo) -> None:
    model = calibrated(tiny_pipeline(), info)
    assert model.max_rows >= 2
    assert model.sharing == f"up to {model.max_rows} rows in one forward"
    assert model.seconds_per_step > 0


def test_a_model_whose_rows_mix_runs_each_job_alone_and_says_why(info: ModelInfo) -> None:
    pipeline = tiny_pipeline()
    mixing = Mixing.from_config(pipeline.unet.config).eval()
    mixing.load_state_dict(pipeline.unet.state_dict())
    pipeline.unet = mixing
    model = calibrated(pipeline, info)
    assert model.max_rows == 1
    assert model.sharing.startswith("alone: ")


def test_how_many_rows_are_shared_depends_on_the_size_of_the_picture(info: ModelInfo) -> None:
    """The tiny model paints 32 x 32 by default, and up to 64 x 64, which is measured too."""
    model = calibrated(tiny_pipeline(), info)
    assert set(model.rows_at) == {64 * 64}
    model.max_rows, model.rows_at = 16, {64 * 64: 4}
    assert [model.rows_for(side * side) for side in (24, 32, 40, 64, 91, 300)] == [16, 16, 4, 4, 1, 1]
    model.rows_at = {}
    assert [model.rows_for(side * side) for side in (24, 32, 64, 91)] == [16, 16, 4, 1]
    model.max_rows = 1
    assert model.rows_for(16) == 1


class Tight(UNet2DConditionModel):
    """Has memory for four rows."""

    def forward(self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, **rest: Any) -> Any:
        if len(sample) > 4:
            torch.empty(2**62, dtype=torch.uint8)
        return super().forward(sample, timestep, encoder_hidden_states, **rest)


def test_rows_that_do_not_fit_into_memory_cap_what_is_shared_and_the_model_is_used_all_the_same(
    info: ModelInfo,
) -> None:
    pipeline = tiny_pipeline()
    tight = Tight.from_config(pipeline.unet.config).eval()
    tight.load_state_dict(pipeline.unet.state_dict())
    pipeline.unet = tight
    model = calibrated(pipeline, info)
    assert 2 <= model.max_rows <= 4
    assert model.sharing == f"up to {model.max_rows} rows in one forward"


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [
        ({2: 0.010, 4: 0.011, 8: 0.013, 16: 0.025}, 8),  # the knee is at 8
        ({2: 0.010, 4: 0.019, 8: 0.038, 16: 0.076}, 2),  # hardly any gain at all
        ({2: 0.234, 4: 0.439, 8: 0.806, 16: 1.736}, 2),  # small gains that only together are a tenth
        ({2: 0.010, 4: 0.010, 8: 0.010, 16: 0.010}, 16),  # all overhead
        ({2: 3.0}, 2),  # too slow to try more
    ],
)
def test_rows_are_capped_where_more_of_them_gain_nothing(seconds: dict[int, float], rows: int) -> None:
    assert calibrate_module._rows_worth_sharing(seconds) == rows


def test_the_preview_map_shows_pictures_of_this_model(info: ModelInfo) -> None:
    model = calibrated(tiny_pipeline(), info)
    assert model.preview is not None
    image = Image.open(io.BytesIO(model.preview.webp(torch.randn(1, 4, 8, 8), 32, 32)))
    assert image.size == (32, 32)


def test_the_pipeline_itself_is_left_as_it_was(info: ModelInfo) -> None:
    pipeline = tiny_pipeline()
    before = dict(pipeline.components), repr(pipeline.config)
    calibrated(pipeline, info)
    assert (dict(pipeline.components), repr(pipeline.config)) == before


def test_the_machine_is_looked_at() -> None:
    threads = torch.get_num_threads()
    try:
        measured = look_at_machine("cpu", None)
        assert measured.device == "cpu"
        assert measured.threads == torch.get_num_threads() >= 1
        assert measured.auto_dtype in {torch.float32, torch.bfloat16}
        assert measured.dtype("auto", "any") == measured.auto_dtype
        assert Machine("cuda", torch.float16, 1).dtype("float16", "any") == DTYPES["float16"]
    finally:
        torch.set_num_threads(threads)
    assert resident_mb() > 50
    assert all(versions().values())
