"""What is said of why something is in a picture or not, and of what a question takes for granted."""

from __future__ import annotations

import pytest

from explainer.causes import read_cause
from explainer.premises import corrections
from tests.explainer.exam.scenes import FOX, SCENES, question
from tests.explainer.support import answerer


@pytest.mark.parametrize(
    ("asked", "in_prompt", "not_in_prompt", "lacking"),
    [
        ("why is the fox red?", ("red",), (), False),
        ("why a skateboard", ("skateboard",), (), False),
        ("why does the fox look to the left", (), ("left",), False),
        ("how come there is a tree in the back", (), ("tree", "back"), False),
        ("why is there no helmet although I asked for it", (), ("helmet",), True),
        ("you forgot the moon", (), ("moon",), True),
        ("where are the sunglasses, i can't see them", ("sunglasses",), (), True),
        ("i never asked for sunglasses", ("sunglasses",), (), False),
    ],
)
def test_what_is_wondered_at_is_held_against_the_prompt(
    asked: str, in_prompt: tuple[str, ...], not_in_prompt: tuple[str, ...], lacking: bool
) -> None:
    cause = read_cause(asked, FOX)
    assert cause is not None
    assert (cause.asked, cause.unasked, cause.lacking) == (in_prompt, not_in_prompt, lacking)


def test_a_number_is_wondered_at() -> None:
    cause = read_cause("why three foxes?", FOX)
    assert cause is not None
    assert cause.number == "three"


@pytest.mark.parametrize(
    "asked",
    ["why do models mess up hands", "why is it so slow", "how many steps?", "why start from noise", "is it red?"],
)
def test_questions_about_runs_and_models_ask_for_no_cause(asked: str) -> None:
    assert read_cause(asked, FOX) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("why did you choose seed 42?", "It was 1234567 for the seed, not 42."),
        ("with 60 steps it took long, why", "It was 40 steps, not 60."),
        ("since you ran on a gpu, is it exact", "It ran on the processor, without a graphics card."),
        ("you made it 512x512, so why is it soft", "It was 128x128 pixels, not 512 x 512."),
        ("with a guidance of 12 it looks harsh", "It was 3.5 for the guidance, not 12."),
    ],
)
def test_what_a_question_takes_for_granted_is_set_right(asked: str, said: str) -> None:
    assert [sentence for _, sentence in corrections(FOX, asked, None)] == [said]


@pytest.mark.parametrize(
    "asked", ["what if it had 60 steps?", "would 100 steps be better", "is 20 steps enough", "it took 40 steps, why"]
)
def test_what_is_only_supposed_or_true_is_left_alone(asked: str) -> None:
    assert corrections(FOX, asked, None) == []


def test_why_three_of_them_is_answered_from_the_prompt_and_with_an_offer() -> None:
    answer = answerer().answer(question("fox", "why three foxes?"))
    assert "does not say “three”" in answer.text
    assert answer.evidence[0].ref == "picture 1: prompt"
    assert answer.offer is not None
    assert answer.offer.change == "seed"


def test_whose_pictures_they_are_is_listed_with_names() -> None:
    answer = answerer().answer(question("trio", "which is mine and which is bob's"))
    assert "“two green frogs” by Bob" in answer.text
    assert len(SCENES["trio"]) == 3
