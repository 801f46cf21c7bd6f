"""How a prompt is read by the model's text encoder."""

from __future__ import annotations

import torch

from generation.worker.pipelines import LoadedModel
from generation.worker.reading import read_prompt


def test_words_are_told_apart_and_sub_words_counted(loaded: LoadedModel) -> None:
    read = read_prompt(3, loaded.pipeline, "a red foxes, café!")
    assert read.query == 3
    assert read.words == ("a", "red", "foxes", "café")
    assert read.tokens[1] == 1 and read.tokens[2] > 1
    assert read.dimensions == 32 and read.encoders == 1 and len(read.numbers[0]) == 32


def test_distances_are_those_between_the_vectors_that_the_denoiser_is_given(loaded: LoadedModel) -> None:
    pipeline = loaded.pipeline
    read = read_prompt(1, pipeline, "red fox")
    with torch.inference_mode():
        embeds = pipeline.encode_prompt("red fox", "cpu", 1, False)[0][0]
    red, fox = embeds[1], embeds[2]
    expected = 1 - torch.nn.functional.cosine_similarity(red, fox, dim=0)
    assert abs(read.distances[0][1] - float(expected)) < 1e-3
    assert read.distances[0][0] == 0 and read.distances[0][1] == read.distances[1][0]


def test_the_same_word_twice_is_near_itself_but_not_equal_as_its_surroundings_differ(loaded: LoadedModel) -> None:
    read = read_prompt(1, loaded.pipeline, "fox cat fox")
    assert 0 < read.distances[0][2] < 2


def test_a_prompt_of_one_word_and_one_far_too_long_can_be_read(loaded: LoadedModel) -> None:
    one = read_prompt(1, loaded.pipeline, "fox")
    assert one.words == ("fox",) and one.distances == ((0.0,),) and one.cut == 0
    long = read_prompt(1, loaded.pipeline, "fox " * 100)
    assert long.cut > 0 and len(long.words) < 16
    assert read_prompt(1, loaded.pipeline, "?!").words == ()
