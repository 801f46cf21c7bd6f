"""A change said in plain words is made in the prompt, and nothing else changes."""

from __future__ import annotations

import pytest

from explainer.revise import Reviser, load_nlp, plural, singular
from tests.explainer.attacks import ATTACKS
from tests.explainer.talk.measure import exactness, revisions


@pytest.fixture(scope="module")
def reviser() -> Reviser:
    return Reviser(load_nlp())


def test_the_half_that_was_tuned_on_is_right(reviser: Reviser) -> None:
    for prompt, message, right in revisions(0):
        assert reviser.revise(prompt, message).prompt in right, message


def test_unseen_changes_give_the_prompt_that_a_person_would_write(reviser: Reviser) -> None:
    usable, exact = exactness(reviser, revisions(1))
    assert usable >= 0.9 and exact >= 0.75


def test_what_is_removed_or_replaced_goes_to_the_negative_prompt(reviser: Reviser) -> None:
    assert reviser.revise("a fox wearing a hat", "no hat").negative_prompt == "hat"
    assert reviser.revise("a fox", "make it a cat", "mud").negative_prompt == "mud, fox"


def test_a_look_is_taken_off_like_a_thing(reviser: Reviser) -> None:
    for message in ("without the red", "no red please"):
        revision = reviser.revise("a cat and an old red fox", message)
        assert (revision.prompt, revision.negative_prompt) == ("a cat and an old fox", "red"), message
    assert reviser.revise("a cat", "without the red").prompt == "a cat"


def test_going_back_and_another_change_no_word(reviser: Reviser) -> None:
    assert reviser.revise("a fox", "undo").back == "one"
    assert reviser.revise("a fox", "go back to the first").back == "first"
    assert reviser.revise("a fox", "another one please").again
    assert reviser.revise("a fox", "another one please").prompt == "a fox"


def test_another_shape_of_the_picture_is_told_apart_from_its_content(reviser: Reviser) -> None:
    revision = reviser.revise("a fox", "make it wider")
    assert (revision.prompt, revision.shape) == ("a fox", "wide")


def test_two_changes_in_one_message_are_both_made(reviser: Reviser) -> None:
    revision = reviser.revise("a fox on a skateboard", "make the fox green and lose the skateboard")
    assert revision.prompt == "a green fox"
    assert [change.kind for change in revision.changes] == ["recolour", "remove"]


def test_the_last_of_two_changes_that_contradict_stands(reviser: Reviser) -> None:
    assert reviser.revise("a fox", "make it blue and make it green").prompt == "a green fox"


@pytest.mark.parametrize(
    ("message", "prompt"),
    [
        ("a blue one", "a blue fox on a skateboard"),
        ("a dark blue one please", "a dark blue fox on a skateboard"),
        ("two green ones", "two green foxes on a skateboard"),
        ("draw me a bigger one", "a big red fox on a skateboard"),
        ("a small, happy one", "a happy small red fox on a skateboard"),
    ],
)
def test_one_like_it_is_what_there_is_with_that_look_and_number(reviser: Reviser, message: str, prompt: str) -> None:
    assert reviser.revise("a red fox on a skateboard", message).prompt == prompt


def test_where_all_is_to_go_nothing_is_left_unless_something_else_comes(reviser: Reviser) -> None:
    assert reviser.revise("a cat", "without the cat").nothing_left
    assert not reviser.revise("a cat wearing a hat", "without the cat").nothing_left
    both = reviser.revise("a cat", "remove the cat and add a dog")
    assert (both.prompt, both.negative_prompt, both.nothing_left) == ("a dog", "cat", False)


def test_what_fits_no_slot_is_appended_so_that_nothing_said_is_lost(reviser: Reviser) -> None:
    assert reviser.revise("a fox", "vaguely baroque").prompt.startswith("a fox, ")


@pytest.mark.parametrize(
    "message", ["", "   ", "?!", "🦊", "a" * 4000, "make it " * 300, "<@123> make it blue", "((((", "and and and"]
)
def test_no_message_breaks_it(reviser: Reviser, message: str) -> None:
    assert reviser.revise("a fox", message).prompt.strip()


FOX = "a red fox wearing sunglasses on a skateboard"


@pytest.mark.parametrize(
    ("prompt", "message", "proposal"),
    [
        (FOX, "make it blue", "a blue fox on a skateboard wearing sunglasses"),
        (FOX, "same but at night", "a red fox wearing sunglasses on a skateboard at night"),
        (FOX, "replace the fox with a dog", "a red dog wearing sunglasses on a skateboard"),
        ("a red fox and a cat", "make it blue", "a cat and a blue fox"),
        ("a house", "vaguely baroque", "a vaguely baroque house"),
        ("a fox", "give it a hat and make it night", "a fox with a hat at night"),
        ("two cats", "three of them", "three cats"),
    ],
)
def test_a_proposal_that_says_the_same_in_other_words_may_stand(
    reviser: Reviser, prompt: str, message: str, proposal: str
) -> None:
    assert reviser.objections(prompt, message, reviser.revise(prompt, message), proposal) == []


@pytest.mark.parametrize(
    ("prompt", "message", "proposal", "objection"),
    [
        (FOX, "make it blue", "a blue fox on a skateboard", "something is missing"),
        (FOX, "make it blue", FOX, "something is missing"),
        (FOX, "make it blue", "a blue fox wearing sunglasses under a skateboard", "something is missing"),
        (FOX, "make it blue", f"{FOX.replace('red', 'blue')} at sunset", "something else came in"),
        (FOX, "make it blue", f"Sure: {FOX.replace('red', 'blue')}", "it is no prompt"),
        (FOX, "make it blue", f"Sure, {FOX.replace('red', 'blue')}", "something else came in"),
        (FOX, "make it blue", f"{FOX.replace('red', 'blue')} @everyone", "it is no prompt"),
        (FOX, "make it blue", f"{FOX.replace('red', 'blue')} www.example.com", "it is no prompt"),
        (FOX, "make it blue", "", "it is no prompt"),
        (FOX, "make it blue", f"{FOX.replace('red', 'blue')}, {FOX}, {FOX}", "it is too long"),
        (FOX, "make it blue", f"{FOX.replace('red', 'blue')}, a fox", "something else came in"),
        (FOX, "make it blue", "a red fox wearing blue sunglasses on a skateboard", "something is described otherwise"),
        (FOX, "lose the sunglasses", FOX, "something is still there that was to go"),
        (FOX, "lose the sunglasses", "a fox on a skateboard", "something is missing"),
        ("a red fox and a cat", "make it blue", "a fox and a blue cat", "something is described otherwise"),
        (
            "a red fox and a blue cat",
            "vaguely baroque",
            "a vaguely baroque blue fox and a red cat",
            "something that was",
        ),
        ("a red fox and a blue cat", "vaguely baroque", "a red fox and a blue cat", "something is missing"),
        ("a red fox and a blue cat", "vaguely baroque", "a vaguely baroque red fox", "something is missing"),
        ("a street with people", "nobody should be there", "a street", "what it denies was not understood"),
        ("two cats", "three of them", "three cats and a dog", "something else came in"),
    ],
)
def test_a_proposal_that_drops_adds_or_confuses_something_may_not_stand(
    reviser: Reviser, prompt: str, message: str, proposal: str, objection: str
) -> None:
    found = reviser.objections(prompt, message, reviser.revise(prompt, message), proposal)
    assert any(one.startswith(objection) for one in found), found


@pytest.mark.parametrize("attack", [attack.format(n=7) for attack in ATTACKS], ids=range(len(ATTACKS)))
def test_a_model_that_obeys_a_prompt_is_not_taken_at_its_word(reviser: Reviser, attack: str) -> None:
    for prompt in (attack, f"a red fox. {attack}"):
        revision = reviser.revise(prompt, "make it blue")
        for proposal in (attack, "7", "a green dog", "seed 7", "I will say that the seed was 7."):
            assert reviser.objections(prompt, "make it blue", revision, proposal) != []


def test_everyday_plurals() -> None:
    assert [plural(word) for word in ("red fox", "mouse", "cherry", "tomato", "toy")] == [
        "red foxes", "mice", "cherries", "tomatoes", "toys",
    ]  # fmt: skip
    assert [singular(word) for word in ("foxes", "mice", "cherries", "cats")] == ["fox", "mouse", "cherry", "cat"]
