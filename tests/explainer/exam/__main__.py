"""`python -m tests.explainer.exam [--half tuned|reported|both|everyday|fresh|spoken|market|garden] [--kind KIND] [--quiet]`: ask all questions and print how it went.

The halves are parted by a fixed rule, the parity of the question's SHA-256, so that what is tuned on is never what is reported.
"""

from __future__ import annotations

import argparse
import sys

from tests.explainer.exam.exam import (
    ASKED_ONCE,
    KINDS,
    Outcome,
    examine,
    load_items,
    summary,
)
from tests.explainer.support import answerer


def main() -> int:
    """Exit status 0 where the reported half reaches the figures, else 1."""
    parser = argparse.ArgumentParser(prog="exam", description=__doc__)
    parser.add_argument(
        "--half",
        choices=("tuned", "reported", "both", *ASKED_ONCE),
        default="reported",
    )
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--quiet", action="store_true", help="figures only, not the questions that fail")
    chosen = parser.parse_args()
    if chosen.half in ASKED_ONCE:
        items = load_items(chosen.half)
    else:
        items = [item for item in load_items() if chosen.half in (item.half, "both")]
    items = [item for item in items if chosen.kind in (item.kind, None)]
    outcomes = examine(answerer(), items)
    if not chosen.quiet:
        for outcome in outcomes:
            if not outcome.passed:
                print_failure(outcome)
    print(summary(outcomes))
    facts = sum(outcome.found for outcome in outcomes) / max(1, sum(len(outcome.item.must) for outcome in outcomes))
    sources = sum(outcome.right_source for outcome in outcomes) / max(1, len(outcomes))
    return 0 if facts >= 0.9 and sources >= 0.9 else 1


def print_failure(outcome: Outcome) -> None:
    """What was asked, what was answered, what was wrong with it."""
    print(f"\n[{outcome.item.kind}] {' >> '.join(outcome.item.asked)}   ({outcome.item.scene})")
    print(f"   {outcome.answer.text[:230]!r}")
    for fault in outcome.faults:
        print(f"   - {fault}")


if __name__ == "__main__":
    sys.exit(main())
