"""Which picture a change is meant for, among several people's."""

from __future__ import annotations

from explainer.interpret import meant_for_change
from tests.explainer.talk.measure import targets


def test_the_picture_that_is_meant_is_found_nineteen_times_of_twenty() -> None:
    wrong = [
        (question.asker, question.text, wanted, None if meant is None else meant.id)
        for question, wanted in targets()
        if (meant := meant_for_change(question)) is None or meant.id != wanted
    ]
    assert len(wrong) <= len(targets()) / 20, wrong
