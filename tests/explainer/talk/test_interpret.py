"""A message is turned into what is to be done, about the picture that it means."""

from __future__ import annotations

import pytest

from explainer.encoder import Encoder
from explainer.intent import IntentClassifier, read_said
from explainer.interpret import Interpreter, prompt_of
from explainer.messages import Question, SeenPicture
from explainer.revise import Reviser, load_nlp
from tests.explainer.exam.scenes import picture

FOX = picture(1, "a red fox wearing sunglasses on a skateboard")
CAT = picture(2, "a blue cat next to a yellow star", negative_prompt="dog")


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    return Interpreter(IntentClassifier(Encoder().encode, read_said()), lambda: Reviser(load_nlp()))


def said(text: str, *pictures: SeenPicture, about: int | None = None) -> Question:
    return Question(text=text, asker="Ann", pictures=pictures, about=about)


def test_a_change_is_made_to_the_picture_that_was_replied_to(interpreter: Interpreter) -> None:
    done = interpreter.interpret(said("same, but at night", FOX, CAT, about=1))
    assert (done.intent, done.picture) == ("revise", 1)
    assert done.changed is not None
    assert done.changed.prompt == "a red fox wearing sunglasses on a skateboard at night"


def test_a_change_goes_to_the_latest_picture_where_none_is_named(interpreter: Interpreter) -> None:
    done = interpreter.interpret(said("make the star red", FOX, CAT))
    assert done.picture == 2 and done.changed is not None
    assert done.changed.prompt == "a blue cat next to a red star"
    assert done.changed.local


def test_a_picture_is_meant_by_its_order(interpreter: Interpreter) -> None:
    done = interpreter.interpret(said("the first one, but at night", FOX, CAT))
    assert done.picture == 1


def test_undo_asks_for_an_earlier_picture(interpreter: Interpreter) -> None:
    done = interpreter.interpret(said("undo", FOX, CAT, about=2))
    assert done.changed is not None and done.changed.back == "one"


def test_without_pictures_nothing_is_changed(interpreter: Interpreter) -> None:
    done = interpreter.interpret(said("make it blue"))
    assert done.picture is None and done.changed is None and done.intent != "revise"


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("a red fox wearing sunglasses on a skateboard", "a red fox wearing sunglasses on a skateboard"),
        ("draw me a cat", "a cat"),
        ("can you draw a penguin with a hat?", "a penguin with a hat"),
        ("make a picture of a castle at night", "a castle at night"),
        ("could you please generate an owl in a library", "an owl in a library"),
        ("why don't you draw a cat instead", "a cat"),
        ("ok now a completely different one, a teapot", "a teapot"),
        ("new picture: a horse on the moon", "a horse on the moon"),
        ("another picture please, of a turtle", "a turtle"),
        ("draw two swans forming a heart", "two swans forming a heart"),
        ("i'd love to see a whale in space", "a whale in space"),
        ("draw my cat, he is orange and fat", "my cat, he is orange and fat"),
        ("draw", ""),
        ("a picture please", ""),
    ],
)
def test_the_asking_is_no_part_of_the_prompt(text: str, prompt: str) -> None:
    assert prompt_of(text) == prompt
