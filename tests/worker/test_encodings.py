"""What a text encoder said is remembered exactly: nobody's picture differs for it, by any bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from generation.models import ModelInfo
from generation.worker.pipelines import ENCODINGS_KEPT, LoadedModel
from tests.tiny_models import tiny_pipeline


@pytest.fixture
def model(tiny: ModelInfo) -> LoadedModel:
    return LoadedModel(tiny, tiny_pipeline(), "0" * 64, torch.float32, "cpu")


def paint(pipeline: object, prompt: str, negative: str = "") -> np.ndarray:
    assert callable(pipeline)
    arguments = {"num_inference_steps": 2, "height": 32, "width": 32, "guidance_scale": 3.0, "output_type": "np"}
    generator = torch.Generator().manual_seed(1)
    return pipeline(prompt, negative_prompt=negative, generator=generator, **arguments).images[0]


def test_a_prompt_is_encoded_once_and_every_picture_is_the_one_that_diffusers_makes(model: LoadedModel) -> None:
    asked = [("a red fox", ""), ("a red fox", ""), ("a blue cat", ""), ("a red fox", "blue"), ("blue", "a red fox")]
    plain = [paint(model.pipeline, *each) for each in asked]
    encoded: list[int] = []
    model.pipeline.text_encoder.register_forward_hook(lambda *_: encoded.append(1))
    for each, expected in zip(asked, plain, strict=True):
        assert np.array_equal(paint(model.pipeline_for_job(None), *each), expected)
    assert len(encoded) == 4, "a red fox, nothing, a blue cat, blue"


def test_who_changes_an_encoding_changes_it_for_nobody_else(model: LoadedModel) -> None:
    encoder = model.pipeline_for_job(None).text_encoder
    tokens = model.pipeline.tokenizer("a star", padding="max_length", return_tensors="pt").input_ids
    with torch.inference_mode():
        first = encoder(tokens)[0]
        before = first.clone()
        first.zero_()
        assert torch.equal(encoder(tokens)[0], before)


def test_what_was_asked_for_longest_ago_is_forgotten(model: LoadedModel) -> None:
    encoder = model.pipeline_for_job(None).text_encoder
    with torch.inference_mode():
        for number in range(ENCODINGS_KEPT + 5):
            encoder(torch.full((1, 16), number))
    encoded: list[int] = []
    model.pipeline.text_encoder.register_forward_hook(lambda *_: encoded.append(1))
    with torch.inference_mode():
        encoder(torch.full((1, 16), ENCODINGS_KEPT + 4))
        encoder(torch.full((1, 16), 0))
    assert len(encoded) == 1
