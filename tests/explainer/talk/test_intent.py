"""What a message wants is told from labelled messages that the classifier never saw."""

from __future__ import annotations

import pytest

from explainer.encoder import Encoder
from explainer.intent import IntentClassifier, read_said
from explainer.passages import load_passages
from tests.explainer.talk.measure import intent_share, reported

EVERY = 3  # of the passages' example questions: all of them would only slow the test


@pytest.fixture(scope="module")
def classifier() -> IntentClassifier:
    questions = [question for passage in load_passages() for question in passage.questions][::EVERY]
    return IntentClassifier(Encoder().encode, read_said(), questions)


def test_the_intent_of_unseen_messages_is_right_nine_times_of_ten(classifier: IntentClassifier) -> None:
    share, wrong = intent_share(classifier, reported())
    assert share >= 0.93, f"{share:.3f}\n" + "\n".join(wrong)


def test_at_least_four_hundred_messages_are_labelled_and_none_is_in_both_halves() -> None:
    learnt, held_out = {(s.text, s.around) for s in read_said()}, {(s.text, s.around) for s in reported()}
    assert len(learnt) + len(held_out) >= 400
    assert not learnt & held_out


def test_without_a_picture_nothing_can_be_revised(classifier: IntentClassifier) -> None:
    for said in ("make it blue", "another", "without the hat"):
        assert classifier.guess(said, "none").intent != "revise"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("can you make it look like night?", "revise"),
        ("how do you draw a cat?", "ask"),
        ("what would it look like with a hat?", "revise"),
        ("why don't you draw a cat instead", "create"),
        ("now explain that", "ask"),
        ("another", "revise"),
        ("thanks", "chat"),
        ("no, bluer", "revise"),
        ("same but 4 of them", "revise"),
        ("undo", "revise"),
        ("a blue one", "revise"),
        ("a different one", "revise"),
        ("draw me two bigger ones please", "revise"),
        ("draw me two cats", "create"),
    ],
)
def test_the_hard_ones_are_told_apart(classifier: IntentClassifier, text: str, intent: str) -> None:
    guess = classifier.guess(text, "reply")
    assert guess.intent == intent or (not guess.sure and guess.second == intent)


@pytest.mark.parametrize(
    ("text", "intent"), [("a blue one", "revise"), ("a funny one", "chat"), ("a nice one", "chat")]
)
def test_one_like_it_is_a_change_and_a_remark_about_it_is_none(
    classifier: IntentClassifier, text: str, intent: str
) -> None:
    assert classifier.guess(text, "around").intent == intent


def test_chances_sum_to_one_and_an_exact_word_is_settled(classifier: IntentClassifier) -> None:
    guess = classifier.guess("Undo!", "reply")
    assert guess.sure and guess.intent == "revise"
    assert sum(classifier.guess("a fox, maybe?", "around").chances.values()) == pytest.approx(1)
