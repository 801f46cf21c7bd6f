"""What is answered, and what answers stand on."""

from __future__ import annotations

import re

import msgspec
import pytest

from explainer import evidence
from explainer.evidence import FACTS, MISSING, fact
from explainer.messages import Answer, SeenExperiment
from explainer.passages import load_passages
from explainer.retrieve import PARAPHRASES, Entry, Index, entries_of, shipped_vectors, texts_of
from explainer.voices.check import ungrounded
from tests.explainer.exam.exam import KINDS, examine, load_items
from tests.explainer.exam.scenes import SCENES, question
from tests.explainer.support import answerer

PICTURES = [picture for pictures in SCENES.values() for picture in pictures]
PASSAGES = {passage.id for passage in load_passages()}


def ask(scene: str, text: str) -> Answer:
    return answerer().answer(question(scene, text))


@pytest.mark.parametrize("key", FACTS)
def test_every_number_of_a_card_stands_in_what_it_quotes(key: str) -> None:
    for picture in PICTURES:
        card = fact(key, picture)
        ground = f"picture {picture.id}: {card.quote} {picture.run.request.prompt}"
        assert ungrounded(card.text, ground) == []
        assert card.passage is None or card.passage in PASSAGES


def test_every_field_of_a_run_has_a_card() -> None:
    told = (
        " ".join(fact(key, SCENES["edit"][1]).quote for key in FACTS)
        + evidence.parent(SCENES["edit"][1], SCENES["edit"]).quote
    )
    run = SCENES["edit"][1].run
    for value in (
        run.scheduler,
        run.prediction_type,
        run.dtype,
        run.device,
        run.model,
        run.weights_sha256,
        run.image_sha256,
    ):
        assert value in told
    assert str(run.request.seed) in told
    assert run.request.prompt in told


def test_what_is_missing_says_so_and_names_passages_that_exist() -> None:
    for card in MISSING.values():
        assert card.text.startswith("I have no record of that.")
        assert card.passage is None or card.passage in PASSAGES


def test_paraphrases_belong_to_passages_that_exist() -> None:
    assert PARAPHRASES.is_file()
    assert {entry.key for entry in entries_of(load_passages()) if entry.domain == "passage"} == PASSAGES


@pytest.mark.parametrize(
    ("scene", "text", "said", "ref"),
    [
        ("fox", "Why did you use 50 steps?", r"not 50.*\b40 steps", "picture 1: steps"),
        ("fox", "The size is 1024x1024, right?", "not 1024.*128x128", "picture 1: size"),
        ("fox", "It took 40 steps, right?", "^Yes: .*40 steps", "picture 1: steps"),
        ("fox", "Did I ask for a dog?", "^No, “dog” is not in the prompt", "picture 1: prompt"),
        ("fox", "This was made by Midjourney, right?", "No, not midjourney.*“pocket”", "picture 1: model"),
        ("flux", "Did the negative prompt do anything here?", "no effect", "picture 4: negative"),
        ("trio", "What seed did the fox have?", r"\b42\b", "picture 1: seed"),
        ("trio", "How many steps did Bob's picture take?", r"\b60\b", "picture 3: steps"),
        ("trio:2", "What is its seed?", r"\b7\b", "picture 2: seed"),
        ("edit", "Which picture was this made from?", "picture 1, “a house under a tree”, by starting from that "
        "picture", "picture 2: parent"),
        ("near", "What did you copy?", r"Nothing was looked up.*“fox”, 11\.4 grey", "picture 1: nearest"),
        ("none", "What seed did my picture have?", "no record", "not recorded: picture"),
    ],
)  # fmt: skip
def test_the_record_answers(scene: str, text: str, said: str, ref: str) -> None:
    answer = ask(scene, text)
    assert re.search(said, answer.text), answer.text
    assert answer.evidence[0].ref == ref


def test_two_runs_are_compared_field_by_field() -> None:
    answer = ask("trio", "What is the difference between the fox and the robot?")
    assert {"picture 1: seed", "picture 2: seed", "picture 1: steps", "picture 2: steps"} <= {
        item.ref for item in answer.evidence
    }
    assert answer.figure is not None
    assert (answer.figure.kind, answer.figure.picture, answer.figure.other) == ("pictures", 1, 2)


def test_an_experiment_is_offered_with_its_cost_and_told_once_it_was_made() -> None:
    asked = question("fox", "What if you leave out the sunglasses?")
    offer = answerer().answer(asked).offer
    assert offer is not None
    assert (offer.change, offer.value, offer.pictures) == ("without", "sunglasses", 1)
    assert "2.6 seconds" in offer.text
    done = SeenExperiment(id=3, job=9, change="without", value="sunglasses", summary="12 % of the pixels changed.")
    seen = msgspec.structs.replace(asked.pictures[0], experiments=(done,))
    answer = answerer().answer(msgspec.structs.replace(asked, pictures=(seen,)))
    assert "12 % of the pixels changed." in answer.text
    assert [(item.kind, item.ref) for item in answer.evidence] == [("experiment", "experiment 3 on picture 1")]


def test_a_passage_is_quoted_with_its_sources() -> None:
    answer = ask("none", "What is classifier-free guidance?")
    assert answer.sources[0].passage == "guidance/classifier-free-guidance"
    assert answer.sources[0].citations
    assert answer.evidence[0].quote in answer.text


def test_two_questions_in_one_message_are_both_answered() -> None:
    answer = ask("fox", "How many steps did it take? And what is a scheduler?")
    assert "40 steps" in answer.text
    assert "sampling/what-a-scheduler-does" in [source.passage for source in answer.sources]


@pytest.mark.parametrize(
    "text", ["", "?", "...", "😀", "a", "why", "the the the", "\u202e\u200b", "x" * 2_000, "1 2 3 4 5"]
)
def test_odd_input_gets_an_answer_that_stands_on_something(text: str) -> None:
    for scene in ("none", "fox", "trio"):
        answer = ask(scene, text)
        assert answer.text
        assert answer.evidence or answer.route == "small talk"


def test_the_vectors_are_computed_once_and_again_when_an_entry_changes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    own = [Entry(key=f"own/{name}", domain="passage", questions=(f"what about {name}?",)) for name in ("ants", "bees")]
    encoder = answerer()._index._encoder
    Index(own, encoder, tmp_path)
    (kept,) = tmp_path.glob("vectors-*.npz")
    stamp = kept.stat().st_mtime_ns
    Index(own, encoder, tmp_path)
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [stamp]
    kept.write_bytes(b"damaged")
    Index(own, encoder, tmp_path)
    Index(own[:1], encoder, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_vectors_that_come_along_are_those_of_the_entries() -> None:
    encoder, texts = answerer()._index._encoder, texts_of(entries_of(load_passages()))
    shipped = shipped_vectors(texts, encoder.fingerprint)
    assert shipped is not None, "python -m explainer.ship brings them up to date"
    chosen = slice(None, None, 97)
    near = (encoder.encode(texts[chosen]) * shipped[chosen]).sum(axis=1)
    assert near.min() > 0.999
    assert shipped_vectors([*texts, "a text that nobody foresaw"], encoder.fingerprint) is None
    assert shipped_vectors(texts, "another encoder") is None


def test_the_reported_half_of_the_exam_is_passed() -> None:
    """Figures to hold: nine of ten required facts, no number out of nowhere. `make exam` prints the rest."""
    items = [item for item in load_items() if item.half == "reported"]
    assert len(load_items()) >= 200
    assert {item.kind for item in items} >= set(KINDS) - {"copy"}
    outcomes = examine(answerer(), items)
    facts = sum(outcome.found for outcome in outcomes) / sum(len(item.must) for item in items)
    sources = sum(outcome.right_source for outcome in outcomes) / len(outcomes)
    invented = [fault for outcome in outcomes for fault in outcome.faults if fault.startswith("stands on nothing")]
    assert invented == []
    assert facts >= 0.9
    assert sources >= 0.84
