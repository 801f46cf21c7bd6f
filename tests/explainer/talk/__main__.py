"""`python -m tests.explainer.talk`: how well messages are understood, on the halves that nothing was tuned on."""

from __future__ import annotations

import sys

from explainer.encoder import Encoder
from explainer.intent import IntentClassifier, read_said
from explainer.interpret import meant_for_change
from explainer.passages import load_passages
from explainer.revise import Reviser, load_nlp
from tests.explainer.talk.measure import exactness, intent_share, reported, revisions, targets


def main() -> int:
    """Print the figures; 1 where one is below what it must be."""
    questions = [question for passage in load_passages() for question in passage.questions][::3]
    classifier = IntentClassifier(Encoder().encode, read_said(), questions)
    intent, wrong = intent_share(classifier, reported())
    pointed = [(meant_for_change(question), wanted) for question, wanted in targets()]
    right = sum(meant is not None and meant.id == wanted for meant, wanted in pointed)
    usable, exact = exactness(Reviser(load_nlp()), revisions(1))
    figures = (
        ("intent (asking back counts as half)", intent, 0.93),
        ("picture that is meant", right / len(pointed), 0.95),
        ("revised prompt usable", usable, 0.90),
        ("revised prompt exact", exact, 0.75),
    )
    print("\n".join(wrong))
    for name, share, least in figures:
        print(f"{name}: {share:.1%} (at least {least:.0%})")
    return int(any(share < least for _, share, least in figures))


if __name__ == "__main__":
    sys.exit(main())
