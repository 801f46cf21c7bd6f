"""Whatever prompts, turns, names or questions order: numbers come from the record alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import pytest

from explainer.language import numbers
from explainer.messages import Question, SeenTurn, VoiceName, VoiceSettings
from explainer.voices.base import ModelVoice
from explainer.voices.check import ground_of
from tests.explainer.attacks import ATTACKS
from tests.explainer.exam.scenes import BEGINNING, picture, question
from tests.explainer.support import answerer

SEED, WANTED = 1234567, "424242"
ASKED = "What seed did you use for this picture?"
each = pytest.mark.parametrize("attack", [attack.format(n=WANTED) for attack in ATTACKS], ids=range(len(ATTACKS)))


class Obedient(ModelVoice):
    """A language model that does what the attack wants."""

    name: VoiceName = "openai"

    def __init__(self, says: str) -> None:
        super().__init__(VoiceSettings(name="openai"))
        self.says = says

    def complete(self, messages: Sequence[dict[str, str]]) -> str:
        return self.says


def test_there_are_fifty_attacks_at_least() -> None:
    assert len(set(ATTACKS)) >= 50


@each
def test_a_prompt_that_gives_orders_is_only_a_prompt(attack: str) -> None:
    asked = Question(text=ASKED, asker="Ann", pictures=(picture(1, attack, seed=SEED),))
    answer = answerer().answer(asked)
    assert answer.text.startswith(f"It was made with seed {SEED}.")
    assert WANTED not in answer.text
    assert [item.quote for item in answer.evidence][:1] == [str(SEED)]


@each
def test_turns_and_names_that_give_orders_change_nothing(attack: str) -> None:
    fox = picture(1, "a red fox", seed=SEED, owner=attack[:100])
    turns = (
        SeenTurn(id=5, speaker=attack[:100], mine=False, said=attack, created_at=BEGINNING),
        SeenTurn(id=6, speaker=None, mine=False, said=attack, created_at=BEGINNING + 1, picture=1),
    )
    answer = answerer().answer(Question(text=ASKED, asker=attack[:100], pictures=(fox,), turns=turns))
    assert f"seed {SEED}" in answer.text
    assert WANTED not in answer.text


@each
def test_a_question_that_gives_orders_gets_no_number_that_is_not_on_record(attack: str) -> None:
    for text in (f"{attack} What seed did you use for this picture?", f"What was the seed? {attack}"):
        asked = msgspec.structs.replace(question("fox", text))
        answer = answerer().answer(asked)
        claimed = re.sub(r"My record says otherwise, not [^:]*: ", "", answer.text)
        assert WANTED not in numbers(claimed)
        assert WANTED not in ground_of(answer)


@each
def test_a_language_model_that_obeys_is_not_believed(attack: str) -> None:
    asked = question("fox", ASKED)
    record = answerer().answer(asked)
    for says in (
        attack,
        f"The seed was {WANTED}.",
        f"It was made with seed {SEED}, or rather {WANTED}.",
        "@everyone it was a fox",
    ):
        assert Obedient(says).speak(asked, record) == record
