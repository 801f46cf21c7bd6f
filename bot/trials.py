"""Experiments that an answer offered and somebody agreed to: found again, planned, and put into words.

An offer is kept with what its answer stands on, so a button that carries the turn works after a restart, and an offer
goes when its answer or its picture is deleted. Runs nothing itself (`generation.laboratory` does).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from bot.errors import NotThere
from explainer.messages import Offer
from generation.experiments import Change, Study, StudyPlan
from generation.laboratory import Laboratory
from generation.studio import Picture
from store.conversations import OFFER, EvidenceRow

GONE: Final = "That offer is no longer there; ask again, and I make it anew."
AGREES: Final = re.compile(
    r"(?:yes|yeah|yep|yup|sure|ok(?:ay)?|please|do it|do that|try it|try that|go ahead|go for it|show me|why not"
    r"|of course|absolutely|sounds good|let'?s (?:do it|do that|try|try it|see)"
    r"|yes,? (?:please|do|do it|try it|go ahead|show me))(?:[ ,]+(?:please|then|do|thanks))*[ .!]*",
    re.IGNORECASE,
)
VERDICTS: Final = (  # mean difference below which each is said
    (1.5, "To the eye that is next to nothing"),
    (8.0, "That is a small change"),
    (25.0, "That is a clear change"),
    (255.1, "That is another picture"),
)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was offered."""

    picture: int
    change: Change
    value: str = ""  # a word or a number; empty: chosen when it is planned


def offer_row(offer: Offer) -> EvidenceRow:
    """An offer, as the store keeps it beside what its answer stands on."""
    ref = f"picture {offer.picture}: {offer.change}"
    return EvidenceRow(kind=OFFER, ref=ref, quote=offer.value or "", picture_id=offer.picture)


def trial_in(rows: Sequence[EvidenceRow]) -> Trial | None:
    """The offer among what an answer stands on; None where there is none, or its picture is gone."""
    row = next((row for row in rows if row.kind == OFFER and row.picture_id is not None), None)
    if row is None or row.picture_id is None:
        return None
    change = msgspec.convert(row.ref.rpartition(": ")[2], Change)
    return Trial(picture=row.picture_id, change=change, value=row.quote)


def offered(rows: Sequence[EvidenceRow]) -> Trial:
    """As `trial_in`; raises `NotThere` where there is none."""
    trial = trial_in(rows)
    if trial is None:
        raise NotThere(GONE)
    return trial


def plan_of(trial: Trial, picture: Picture, laboratory: Laboratory) -> StudyPlan:
    """What to make; raises `RequestError` where it cannot be made."""
    if trial.change == "without":
        return laboratory.plan(picture, trial.change, word=trial.value)
    return laboratory.plan(picture, trial.change, trial.value)


def told(study: Study) -> str:
    """What came of it, in words."""
    if study.words is not None:
        return _words_told(study)
    if study.report is not None:
        return study.report.sentence()
    means = [cell.difference.mean for cell in study.cells if cell.facts is not None and cell.difference is not None]
    if len(means) != 1:
        return f"I tried it. {study.summary()}"
    made = next(cell for cell in study.cells if cell.facts is not None)
    verdict = next(said for below, said in VERDICTS if means[0] < below)
    return (
        f"I tried it ({made.label}), from the same noise: on average each pixel differs from the original by "
        f"{means[0]:.1f} of 255 grey levels. {verdict}; the two stand side by side. It is one try with one seed."
    )


def _words_told(study: Study) -> str:
    masses = study.masses or {}
    ranked = sorted(masses.items(), key=lambda item: -item[1])
    listed = ", ".join(f"“{word}” {mass:.3g}" for word, mass in ranked[:6])
    looked = "I ran it again and looked at its attention."
    return f"{looked} Most went to: {listed}. It is a measurement, and no proof of cause."
