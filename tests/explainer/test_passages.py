"""The knowledge base is complete, well formed and fit to be quoted."""

import re
from collections import Counter
from pathlib import Path

import pytest

from explainer.errors import ExplainerError, PassageError
from explainer.passages import KNOWLEDGE, OURS, TOPICS, Passage, Source, load_passages, read_passage
from generation.models import pocket_model
from generation.training.vocabulary import COLOURS
from generation.vocabulary import read_vocabulary

PASSAGES = load_passages()
LEAST_WORDS, MOST_WORDS = 60, 140
LEAST_QUESTIONS = 5
LEAST_PASSAGES = 150
MACHINE_PATH = re.compile(r"/(?:home|root|work|tmp|usr|var|Users)/|[A-Z]:\\")
ABOUT_US = {
    "pocket",
    "seeds",
    "frames",
    "wordmaps",
    "editing",
    "learning",
    "provenance",
}  # topics on which we are a source

GOOD = """\
---
title: A title: with a colon
topics: [noise, seeds]
sources:
  - author: Ho, Jain and Abbeel
    year: 2020
    title: Denoising Diffusion Probabilistic Models
questions:
  - What is "noise"?
  - And this: is it noise?
---
First paragraph.

Second one.
"""


def words(text: str) -> list[str]:
    return re.findall(r"\w[\w'’.-]*", text)


def written(folder: Path, content: str) -> Path:
    path = folder / "noise" / "one.md"
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    return path


each = pytest.mark.parametrize("passage", PASSAGES, ids=lambda passage: passage.id)


def test_every_file_in_a_folder_is_a_passage_and_the_readme_is_none() -> None:
    assert len(PASSAGES) == len(list(KNOWLEDGE.glob("*/*.md")))
    assert len(PASSAGES) >= LEAST_PASSAGES
    assert not [path for path in KNOWLEDGE.rglob("*") if path.is_file() and path.suffix != ".md"]
    assert [path.name for path in KNOWLEDGE.glob("*.md")] == ["README.md"]


def test_titles_are_unique() -> None:
    assert [title for title, n in Counter(passage.title.lower() for passage in PASSAGES).items() if n > 1] == []


def test_no_question_stands_in_two_places() -> None:
    asked = Counter(" ".join(words(question.lower())) for passage in PASSAGES for question in passage.questions)
    assert [question for question, n in asked.items() if n > 1] == []


def test_one_paper_is_cited_in_one_way() -> None:
    by_title: dict[str, set[str]] = {}
    for source in {source for passage in PASSAGES for source in passage.sources}:
        by_title.setdefault(source.title.lower(), set()).add(str(source))
    assert [ways for ways in by_title.values() if len(ways) > 1] == []


@each
def test_a_passage_has_questions_enough(passage: Passage) -> None:
    assert len(passage.questions) >= LEAST_QUESTIONS


@each
def test_a_passage_is_neither_too_short_to_explain_nor_too_long_to_read_in_chat(passage: Passage) -> None:
    assert LEAST_WORDS <= len(words(passage.text)) <= MOST_WORDS


@each
def test_a_passage_names_sources_or_is_about_this_program(passage: Passage) -> None:
    assert passage.sources or ABOUT_US & set(passage.topics)
    assert all(1650 <= source.year <= 2030 and source.author and source.title for source in passage.sources)


@each
def test_a_passage_is_plain_sentences(passage: Passage) -> None:
    assert passage.text.rstrip().endswith((".", "?", "!", ".)"))
    assert not re.search(r"^\s*(#|[-*] |>|\||```)|https?://|\bTODO\b", passage.text, re.MULTILINE)
    assert not passage.title.endswith((".", "?"))


@each
def test_a_passage_names_no_place_on_a_machine(passage: Passage) -> None:
    for text in (passage.title, passage.text, *passage.questions):
        assert not MACHINE_PATH.search(text)


def test_every_topic_is_in_use_or_waits_for_its_first_passage_as_a_folder_name() -> None:
    assert all(topic.isidentifier() and topic.islower() for topic in TOPICS)
    assert {passage.topics[0] for passage in PASSAGES} <= TOPICS


def test_values_are_taken_literally(tmp_path: Path) -> None:
    passage = read_passage(written(tmp_path, GOOD))
    assert passage == Passage(
        id="noise/one",
        title="A title: with a colon",
        topics=("noise", "seeds"),
        sources=(Source(author="Ho, Jain and Abbeel", year=2020, title="Denoising Diffusion Probabilistic Models"),),
        questions=('What is "noise"?', "And this: is it noise?"),
        text="First paragraph.\n\nSecond one.",
    )
    assert str(passage.sources[0]) == "Ho, Jain and Abbeel (2020): Denoising Diffusion Probabilistic Models"


def test_facts_about_this_program_need_no_paper(tmp_path: Path) -> None:
    beginning, _, rest = GOOD.partition("sources:\n")
    content = f"{beginning}sources: {OURS}\n{rest[rest.index('questions:') :]}"
    assert read_passage(written(tmp_path, content)).sources == ()


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("---\ntitle", "title", "between two lines"),
        ("\n---\nFirst", "\nFirst", "between two lines"),
        ("title: A title: with a colon\n", "", "in this order"),
        ("title: A", "name: A", "none of the fields"),
        ("topics: [", "title: again\ntopics: [", "stands twice"),
        ("[noise, seeds]", "noise, seeds", "written as"),
        ("[noise, seeds]", "[noise, sausages]", "'sausages' is not in the list"),
        ("[noise, seeds]", "[seeds, noise]", "name of its folder"),
        ("    year: 2020\n", "", "author, year and title"),
        ("    year: 2020\n", "    year: last\n", "invalid literal"),
        ("  - author:", "  - writer:", "should begin with"),
        ('  - What is "noise"?', '  What is "noise"?', "begin with a dash"),
        ("First paragraph.\n\nSecond one.\n", "\n", "no text"),
    ],
)
def test_a_badly_written_passage_is_named_with_the_cause(tmp_path: Path, old: str, new: str, cause: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(PassageError, match=cause) as caught:
        load_passages(tmp_path)
    assert "noise/one" in str(caught.value)
    assert str(path) not in str(caught.value)
    assert isinstance(caught.value, ExplainerError)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    written(tmp_path, "").write_bytes(b"---\n\xff")
    with pytest.raises(PassageError, match="noise/one"):
        load_passages(tmp_path)


def text_of(name: str) -> str:
    return next(passage.text for passage in PASSAGES if passage.id == name)


def test_what_is_said_of_the_pocket_model_is_what_it_is_run_and_taught_with() -> None:
    pocket = pocket_model()
    assert f"{pocket.width} by {pocket.height} pixels" in text_of("pocket/what-it-is")
    assert f"in {pocket.steps} steps with a guidance of {pocket.guidance_scale:g}" in text_of("pocket/what-it-is")
    assert f"{pocket.guidance_scale:g} for Darkroom's pocket model" in text_of("guidance/too-much-guidance")
    assert f"pocket model knows {pocket.width} by {pocket.height} pixels only" in text_of("editing/aspect-ratio")
    vocabulary = read_vocabulary(pocket)
    assert vocabulary is not None
    taught = {thing.name for thing in vocabulary.things}
    assert len(taught) > 200
    assert "more than two hundred things" in text_of("pocket/what-it-knows")
    assert (len(COLOURS), "eleven colours" in text_of("pocket/what-it-knows")) == (11, True)
    named = {"fox", "giraffe", "parrot", "pizza", "avocado", "rocket", "umbrella", "guitar", "wizard", "astronaut"}
    assert named <= taught
    assert all(name in text_of("pocket/what-it-knows") for name in named)
