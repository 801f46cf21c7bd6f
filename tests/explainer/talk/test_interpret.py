"""A message is turned into what is to be done, about the picture that it means."""

from __future__ import annotations

import msgspec
import pytest

from explainer.encoder import Encoder
from explainer.intent import IntentClassifier, read_said
from explainer.interpret import Interpreter, prompt_of
from explainer.language import unmarked
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


@pytest.mark.parametrize("text", ["make it blue", "without the cat", "blue", "a blue one", "at night", "undo"])
@pytest.mark.parametrize("pictures", [(), (CAT,)])
def test_a_change_to_a_picture_that_is_gone_is_neither_drawn_nor_made_to_another(
    interpreter: Interpreter, text: str, pictures: tuple[SeenPicture, ...]
) -> None:
    gone = msgspec.structs.replace(said(text, *pictures), gone=True)
    done = interpreter.interpret(gone)
    assert (done.intent, done.sure, done.nothing_there, done.picture) == ("revise", True, True, None)
    drawn = interpreter.interpret(msgspec.structs.replace(gone, text="draw a cat"))
    assert (drawn.intent, drawn.prompt, drawn.nothing_there) == ("create", "a cat", False)


@pytest.mark.parametrize("text", ["make it blue", "without the cat", "a blue one", "add a hat", "at night", "undo"])
def test_a_change_where_there_is_no_picture_is_known_to_be_one(interpreter: Interpreter, text: str) -> None:
    assert interpreter.interpret(said(text)).nothing_there


@pytest.mark.parametrize("text", ["a cat with a hat", "draw a boat", "in a forest of glass, an owl looks at the moon"])
def test_what_is_to_be_drawn_is_no_change_where_there_is_no_picture(interpreter: Interpreter, text: str) -> None:
    done = interpreter.interpret(said(text))
    assert done.intent == "create" and not done.nothing_there


@pytest.mark.parametrize(
    ("text", "named"),
    [("make it green", False), ("make the cat green", True), ("picture 2 in winter", True), ("bob's, but green", True)],
)
def test_a_picture_that_is_only_meant_for_want_of_another_is_told_apart(
    interpreter: Interpreter, text: str, named: bool
) -> None:
    theirs = msgspec.structs.replace(CAT, mine=False, owner="bob")
    done = interpreter.interpret(said(text, theirs))
    assert (done.intent, done.picture, done.named) == ("revise", 2, named)


@pytest.mark.parametrize(
    "text", ["make it **blue**", "make it <b>blue</b>", "make it ~~red~~ blue", "make it ||*blue*||", "make it `blue`"]
)
def test_marks_around_words_are_no_words(interpreter: Interpreter, text: str) -> None:
    changed = interpreter.interpret(said(text, FOX)).changed
    assert changed is not None and changed.prompt == "a blue fox wearing sunglasses on a skateboard"


def test_what_looks_like_a_mark_and_is_none_stays() -> None:
    for text in ("a snake_case_word", "2*3*4", "<3", "a * b * c", "i <3 you, <@123>", "__"):
        assert unmarked(text) == text


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
