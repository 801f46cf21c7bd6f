"""Answers a question from what came with it and from the knowledge base.

Looks the question up among passages, fields of the record, things nobody records and experiments; decides which of them
answers; puts the record's words together and lists what they stand on. Every number in an answer comes from a record or a
passage. A voice may say the same in other words afterwards (`explainer.voices`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from explainer import evidence, experiments, premises
from explainer.causes import Cause, read_cause
from explainer.evidence import EXPLAINED, Fact, title_of
from explainer.language import (
    PARTS,
    STOP,
    TWO_IN_ONE,
    Spelling,
    expanded,
    plain,
    sentences,
    stem,
    stripped,
    words,
)
from explainer.messages import (
    Answer,
    Evidence,
    Figure,
    Offer,
    Question,
    Route,
    SeenExperiment,
    SeenPicture,
    Source,
    Want,
)
from explainer.passages import Passage
from explainer.pointing import FIELDS, Pointing, default_picture, point
from explainer.reading import Reading, read
from explainer.retrieve import Hit, Index
from explainer.weighing import COMPARING, WHOSE, fields_named, kept_to, weighed

LEAST: Final = 0.36  # score below which nothing on record answers
LEAST_COSINE: Final = 0.44  # and nearness of the best example: single words in common are not enough
HARDLY: Final = 0.31  # score and nearness from which a passage is offered as what may be meant
HARDLY_COSINE: Final = 0.38
LED: Final = 0.06  # less is asked of a passage where the question leans on the one before
LEAST_PART: Final = 0.50  # score from which a second question in one message is answered too
CLOSE: Final = 0.035  # a second passage so near the first is mentioned too
REASON: Final = 0.42  # score from which a passage may give the reason behind a fact
ASKS: Final = re.compile(
    r"^(?:what|how|which|who|whose|when|why|where|is|are|was|were|did|does|do|can|could|would|has|have)\b",
    re.IGNORECASE,
)
REASONS: Final = "provenance/no-record-of-reasons"
OF_CONTENTS: Final = frozenset(
    {"prompt", "negative", "masses", "nearest", "strip", "owner", "compare", "parent", "experiments"}
)
OF_LACK: Final = frozenset({"failures/missing-objects"})
SAID_ALREADY: Final = 0.80  # nearness of an example question from which that one is what is asked
OF_COPYING: Final = frozenset({"originality/what-did-you-copy", "pocket/nearest-training-pictures"})
SAME_THING: Final = 0.40  # likeness of a phrase and a prompt from which the one may call the other ...
APART: Final = 0.12  # ... where no other prompt comes so near
REPEATED: Final = 0.10
EXPLAINS: Final = 0.12
CALLED: Final = re.compile(r"\b(?:the|my|that|this|your)\s+((?:[a-z'-]+\s*){1,7})")
ENDS: Final = frozenset(
    [
        "did",
        "does",
        "do",
        "was",
        "were",
        "is",
        "are",
        "have",
        "has",
        "had",
        "get",
        "got",
        "take",
        "took",
        "use",
        "used",
        "need",
        "needed",
        "come",
        "came",
        "look",
        "make",
        "made",
        "please",
        "again",
        "and",
        "or",
        "which",
        "what",
        "how",
        "when",
        "who",
        "why",
        "have",
    ]
)
MORE_WORDS: Final = re.compile(
    r"\b(?:most|more|longest|longer|highest|higher|largest|larger|biggest|bigger|slowest|slower)\b"
)
LESS_WORDS: Final = re.compile(
    r"\b(?:least|fewest|fewer|less|shortest|shorter|lowest|lower|smallest|smaller|fastest|faster|quickest|quicker)\b"
)
PER_STEP: Final = re.compile(r"\b(?:long|time|seconds|fast|quick)\b.*\b(?:per|each|a|one|every) step\b", re.IGNORECASE)
LISTED: Final = re.compile(r"\band\b|,|&|\+")
OUT_OF_SEVERAL: Final = re.compile(
    r"\bwhich\b|\bwhat\b.*\b(?:picture|one)\b|\bof (?:them |these |the three )?all\b|\bamong\b"
)
ANY_OF_THEM: Final = re.compile(r"\bwhich (?:one|of (?:them|these|those|all)|picture|image)\b|\ball\b", re.IGNORECASE)
ALL_OF_THEM: Final = re.compile(
    r"\b(?:all|each|every) (?:of |the |my |our |three |four |five |these |those )*(?:them|pictures?|images?"
    r"|three|four|five|ones?|different)\b",
    re.IGNORECASE,
)


@dataclass
class Draft:
    """An answer while it is put together."""

    route: Route
    text: str
    evidence: list[Evidence] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    figure: Figure | None = None
    offer: Offer | None = None
    picture: int | None = None
    wants: Want | None = None

    def finished(self) -> Answer:
        """The answer."""
        return Answer(
            text=self.text.strip(),
            route=self.route,
            evidence=tuple(self.evidence),
            sources=tuple(
                Source(
                    passage=passage.id, title=passage.title, citations=tuple(str(source) for source in passage.sources)
                )
                for passage in dict.fromkeys(self.passages)
            ),
            figure=self.figure,
            offer=self.offer,
            picture=self.picture,
            wants=self.wants,
        )


class Answerer:
    """Answers questions; keeps nothing of them."""

    def __init__(self, index: Index, passages: Sequence[Passage], spelling: Spelling) -> None:
        self._index = index
        self._passages: Mapping[str, Passage] = {passage.id: passage for passage in passages}
        self._spelling = spelling

    def answer(self, question: Question) -> Answer:
        """The record's answer."""
        return self._draft(question).finished()

    def _draft(self, question: Question) -> Draft:
        split = PARTS if COMPARING.search(question.text) else TWO_IN_ONE
        pieces = [piece for piece in split.split(question.text) if len(words(stripped(piece))) >= 3]
        pieces = [piece for piece in pieces if ASKS.search(stripped(expanded(piece)))]
        if len(pieces) < 2 or WHOSE.search(question.text):
            return self._one(question)[0]
        drafts = [self._one(_only(question, piece)) for piece in pieces[:3]]
        good = [draft for draft, score in drafts if score >= LEAST_PART and draft.route != "no record"]
        if len({_about(draft) for draft in good}) < 2:
            return self._one(question)[0]
        return _joined(good[:2])

    def _one(self, question: Question) -> tuple[Draft, float]:
        """One question's answer, and how well it fits."""
        reading = read(question, self._spelling)
        pointing = point(question, reading.text)
        if reading.context and not pointing.explicit:
            pointing = _carried(question, reading, pointing)
        pointing = self._meant(question, reading, pointing)
        hits = self._index.rank(reading.variants, reading.muted)
        if reading.context:
            earlier = next(hit.key for hit in self._index.rank({reading.context: 1.0}) if hit.domain == "passage")
            if reading.more:
                return self._more(earlier, question), 1.0
            hits = kept_to(earlier.partition("/")[0], hits)
        if reading.context and reading.judging:
            hits = self._explaining(hits, reading)
        hits = weighed(hits, reading, pointing)
        best = hits[0]
        if len(pointing.pictures) == 1 and not reading.context and best.cosine < SAID_ALREADY:
            cause = read_cause(reading.core, pointing.pictures[0])
            if cause is not None and (cause.lacking or cause.disowned or not fields_named(reading) - {"prompt"}):
                return self._because(cause, hits, pointing.pictures[0]), 1.0
        led = LED if reading.context and best.domain == "passage" else 0.0
        if best.score < LEAST - led or best.cosine < LEAST_COSINE - led:
            may_be = best.domain == "passage" and best.score >= HARDLY and best.cosine >= HARDLY_COSINE
            return self._perhaps(best) if may_be else self._nothing(hits, question), best.score
        make: dict[str, Callable[[], Draft]] = {
            "passage": lambda: self._knowledge(hits, question, pointing, reading),
            "facts": lambda: self._facts(hits, question, pointing, reading),
            "missing": lambda: self._missing(best, pointing),
            "acts": lambda: self._act(hits, question, pointing, reading),
            "talk": lambda: Draft(route="small talk", text=evidence.TALK[best.key]),
        }
        draft = make[best.domain]()
        if pointing.pictures and best.domain in ("passage", "facts", "missing"):
            _correct(draft, pointing.pictures[0], reading, best)
        return draft, best.score

    def _meant(self, question: Question, reading: Reading, pointing: Pointing) -> Pointing:
        """Where no picture was named by its own words, the one that is called by words of like meaning, if one is."""
        if pointing.explicit or question.about is not None or len(question.pictures) < 2:
            return pointing
        called = [
            phrase for match in CALLED.finditer(plain(reading.text).lower()) if (phrase := _thing(match.group(1)))
        ]
        if not called:
            return pointing
        near = self._index.likeness(called[:3], [picture.run.request.prompt for picture in question.pictures]).max(
            axis=0
        )
        best, second = sorted(near, reverse=True)[:2]
        if best < SAME_THING or best - second < APART:
            return pointing
        return Pointing(pictures=(question.pictures[int(near.argmax())],), explicit=True, called=True)

    def _explaining(self, hits: Sequence[Hit], reading: Reading) -> list[Hit]:
        """The hits, with the passage raised that explains the field that was asked for before."""
        earlier = self._index.rank({reading.context: 1.0})[0]
        passage = EXPLAINED.get(earlier.key) if earlier.domain == "facts" else None
        return [replace(hit, score=hit.score + EXPLAINS) if hit.key == passage else hit for hit in hits]

    # --- knowledge -----------------------------------------------------------------------------

    def _knowledge(self, hits: Sequence[Hit], question: Question, pointing: Pointing, reading: Reading) -> Draft:
        ranked = [hit for hit in hits if hit.domain == "passage"]
        if reading.context:
            ranked = list(self._unsaid(ranked, question))
        first = self._passages[ranked[0].key]
        draft = Draft(route="knowledge", text=first.text)
        self._cite(draft, first, first.text)
        if ranked[0].score - ranked[1].score < CLOSE and ranked[1].score >= LEAST_PART:
            second = self._passages[ranked[1].key]
            more = " ".join(sentences(second.text)[:2])
            draft.text += f"\n\n{more}"
            self._cite(draft, second, more)
        if pointing.pictures:
            self._illustrate(draft, first, pointing.pictures[0])
        if first.id in OF_COPYING and pointing.pictures:
            self._compared(draft, pointing.pictures[0])
        return draft

    def _illustrate(self, draft: Draft, passage: Passage, picture: SeenPicture) -> None:
        """Give the answer the figure of a picture that shows what a passage says, or offer to make it."""
        draft.figure = figure_of(passage, picture)
        draft.offer = experiments.offer_of_passage(passage.id, picture)
        if draft.offer is not None and (done := experiments.finished(draft.offer, picture)) is not None:
            draft.figure, draft.offer = Figure(kind="experiment", picture=picture.id, job=done.job), None
            draft.evidence.append(_experiment_evidence(done, picture))
        if draft.figure is not None and draft.figure.kind == "word map" and not picture.word_masses:
            draft.figure, draft.offer = None, experiments.word_maps(picture)

    def _compared(self, draft: Draft, picture: SeenPicture) -> None:
        """Behind what is said of copying in general, what this very picture is like."""
        if picture.compared is None:
            draft.wants = Want(kind="nearest", picture=picture.id)
        if not picture.compared:
            return
        card = evidence.fact("nearest", picture)
        draft.text = f"{card.text}\n\n{' '.join(sentences(draft.text)[:3])}"
        draft.evidence.append(_run_evidence(card, picture))
        draft.figure, draft.picture, draft.route = card.figure, picture.id, "both"

    def _more(self, earlier: str, question: Question) -> Draft:
        """More on what was asked before: the nearest passage on it that was not said yet, of the same topic first."""
        said = " ".join(turn.said for turn in question.turns[-8:] if turn.speaker is None)
        topic = self._passages[earlier].topics[0]
        ranked = [
            self._passages[hit.key]
            for hit in self._index.rank({self._passages[earlier].title: 1.0})
            if hit.domain == "passage"
        ]
        ranked = sorted(ranked[:40], key=lambda passage: passage.topics[0] != topic)
        passage = next((known for known in ranked if sentences(known.text)[0] not in said), ranked[0])
        draft = Draft(route="knowledge", text=passage.text)
        self._cite(draft, passage, passage.text)
        return draft

    def _unsaid(self, ranked: Sequence[Hit], question: Question) -> Sequence[Hit]:
        """The passages without the one that was told last, where another comes near: nobody wants to hear it twice."""
        said = next((turn.said for turn in reversed(question.turns) if turn.speaker is None), "")
        fresh = [hit for hit in ranked if sentences(self._passages[hit.key].text)[0] not in said]
        return fresh if fresh and ranked[0].score - fresh[0].score < REPEATED else ranked

    def _cite(self, draft: Draft, passage: Passage, quote: str) -> None:
        draft.passages.append(passage)
        draft.evidence.append(Evidence(kind="passage", ref=passage.id, quote=quote))

    # --- the record ----------------------------------------------------------------------------

    def _facts(self, hits: Sequence[Hit], question: Question, pointing: Pointing, reading: Reading) -> Draft:
        key = hits[0].key
        general = self._of_no_picture(key, hits[0], question, pointing, reading)
        if general is not None:
            return general
        named = len(pointing.pictures) >= 2 and not ANY_OF_THEM.search(reading.text)
        field = next((hit.key for hit in hits[:4] if hit.key in evidence.COMPARED), key) if key == "compare" else key
        several = None if named else _superlative(field, question, reading) or _of_all(field, question, reading)
        if several is not None:
            return several
        if (len(pointing.pictures) >= 2 and key != "parent") or key == "compare":
            return self._compare(key, hits, question, pointing, reading)
        picture = _made_of(pointing.pictures[0], question) if key in ("start", "parent") else pointing.pictures[0]
        card = _card(key, picture, question, reading, several=len(question.pictures) > 1)
        also = [other for other in _asked_too(key, reading) if other in evidence.FACTS]
        draft = Draft(
            route="run",
            text=premises.lead(card, picture, reading.text) + card.text,
            figure=card.figure,
            picture=picture.id,
        )
        if key == "nearest" and picture.compared is None:
            draft.wants = Want(kind="nearest", picture=picture.id)
        if key == "masses" and not picture.word_masses:
            draft.offer, draft.figure = experiments.word_maps(picture), None
        if reading.sure:
            draft.text = f"Yes, that is what the record says. {card.text}"
        draft.evidence.append(_run_evidence(card, picture))
        for other in also:
            beside = _card(other, picture, question, reading, several=False)
            draft.text += f" {sentences(beside.text)[0]}"
            draft.evidence.append(_run_evidence(beside, picture))
        if not card.recorded:
            draft.route = "no record"
        self._add_reason(draft, card, hits, reading)
        if draft.route == "run" and hits[1].domain == "passage" and hits[0].score - hits[1].score < CLOSE / 2:
            passage = self._passages[hits[1].key]
            more = " ".join(sentences(passage.text)[:2])
            draft.text, draft.route = f"{draft.text} {more}", "both"
            self._cite(draft, passage, more)
        return draft

    def _of_no_picture(
        self, key: str, best: Hit, question: Question, pointing: Pointing, reading: Reading
    ) -> Draft | None:
        """What is asked of the conversation, or of a picture that is not here; None where it is of one that is."""
        if pointing.absent and not pointing.explicit and not _of_the_field(pointing.absent, best):
            return _absent(pointing.absent, question.pictures)
        if key == "said":
            return _said(question)
        if key == "count" or (key == "owner" and WHOSE.search(reading.core)):
            return _count(question)
        return None if pointing.pictures else self._no_picture()

    def _add_reason(self, draft: Draft, card: Fact, hits: Sequence[Hit], reading: Reading) -> None:
        """Behind a fact that was asked "why" of, the passage that gives the reason."""
        ranked = [hit for hit in hits if hit.domain == "passage" and hit.score >= REASON]
        known = self._passages.get(ranked[0].key if ranked else card.passage or "")
        if known is not None and (reading.why or not card.recorded):
            passage = known if reading.why or card.passage is None else self._passages[card.passage]
            reason = " ".join(sentences(passage.text)[:3])
            draft.text += f" {reason}"
            draft.route = "both" if draft.route == "run" else draft.route
            self._cite(draft, passage, reason)

    def _compare(
        self, key: str, hits: Sequence[Hit], question: Question, pointing: Pointing, reading: Reading
    ) -> Draft:
        pair = _pair(question, pointing)
        if pair is None:
            text = (
                f"{evidence.NO_RECORD} There is only one picture here that I can see, so there is nothing to "
                "compare it with."
            )
            return Draft(route="no record", text=text, evidence=[_missing_evidence("second picture")])
        if key == "compare":
            key = next((hit.key for hit in hits[:4] if hit.key in evidence.COMPARED), "compare")
        one, other = pair
        draft = Draft(
            route="run", text="", figure=Figure(kind="pictures", picture=one.id, other=other.id), picture=one.id
        )
        differing = evidence.differences(one, other)
        if key in evidence.COMPARED:
            left, right = evidence.fact(key, one), evidence.fact(key, other)
            draft.text = _pair_sentence(key, left, right, one, other)
            differing = [(left, right), *[pair for pair in differing if pair[0].key != key]]
            rest = [pair for pair in differing[1:] if pair[0].key not in {"weights", "owner"}]
            listed = "; ".join(f"{left.key} {left.short} and {right.short}" for left, right in rest)
            draft.text += (
                f" Besides, they differ in: {listed}." if listed else " In all else that is recorded they are alike."
            )
        elif differing:
            listed = "; ".join(f"{left.key} {left.short} against {right.short}" for left, right in differing)
            draft.text = f"{title_of(one)} and {title_of(other)} differ in: {listed}. All else on record is the same."
        else:
            draft.text = (
                f"By all that is recorded {title_of(one)} and {title_of(other)} are alike; only their time differs."
            )
        for left, right in differing:
            draft.evidence += [_run_evidence(left, one), _run_evidence(right, other)]
        return draft

    def _no_picture(self) -> Draft:
        """A field is asked for and there is no picture; what is known in general may help."""
        text = (
            f"{evidence.NO_RECORD} There is no picture in this conversation that I can see; make one, or ask under one."
        )
        draft = Draft(route="no record", text=text, evidence=[_missing_evidence("picture")])
        return draft

    def _because(self, cause: Cause, hits: Sequence[Hit], picture: SeenPicture) -> Draft:
        """Why something is in a picture or not: what the prompt says of it, and what settles the rest."""
        held = [_run_evidence(evidence.fact("prompt", picture), picture)]
        text = _by_the_prompt(cause, title_of(picture))
        if cause.asked and (cause.lacking or not cause.unasked) and cause.number is None:
            passage, change = ("failures/missing-objects", "seed") if cause.lacking else (REASONS, "without")
        elif cause.number is not None and not cause.lacking:
            passage, change = "failures/counting", "seed"
        elif cause.lacking:
            return Draft(
                route="run", text=f"{text} Ask for it, and the next one will be.", evidence=held, picture=picture.id
            )
        else:
            seed = evidence.fact("seed", picture)
            held.append(_run_evidence(seed, picture))
            text += (
                f" What words leave open was settled by the noise, drawn from seed {seed.quote}, and by what was usual in "
                "training."
            )
            passage, change = "failures/surprises-and-extras", "seed"
        near = hits[0] if hits[0].domain == "passage" and hits[0].score >= LEAST_PART else None
        if near is not None and near.key.startswith("failures/") and (cause.lacking or near.key not in OF_LACK):
            passage = near.key
        known = self._passages[passage]
        more = " ".join(sentences(known.text)[: 2 if passage != REASONS else 1])
        draft = Draft(route="both", text=f"{text} {more}", evidence=held, picture=picture.id)
        self._cite(draft, known, more)
        word = cause.asked[-1] if change == "without" else ""
        draft.offer = experiments.plan(change, word, picture)
        if (done := experiments.finished(draft.offer, picture)) is not None:
            draft.figure, draft.offer = Figure(kind="experiment", picture=picture.id, job=done.job), None
            draft.text += f" That was tried. {done.summary}"
            draft.evidence.append(_experiment_evidence(done, picture))
        return draft

    # --- what is not there ---------------------------------------------------------------------

    def _missing(self, best: Hit, pointing: Pointing) -> Draft:
        card = evidence.MISSING[best.key]
        draft = Draft(route="no record", text=card.text, evidence=[_missing_evidence(best.key)])
        if card.passage is not None:
            passage = self._passages[card.passage]
            self._cite(draft, passage, sentences(passage.text)[0])
        if card.figure and pointing.pictures:
            picture = pointing.pictures[0]
            draft.picture = picture.id
            if picture.word_masses:
                draft.figure = Figure(kind="word map", picture=picture.id)
            else:
                draft.offer = experiments.word_maps(picture)
        return draft

    def _perhaps(self, best: Hit) -> Draft:
        """What may be meant, told as such."""
        passage = self._passages[best.key]
        more = " ".join(sentences(passage.text)[:3])
        draft = Draft(route="knowledge", text=f"I am not sure that I got your question. Perhaps this helps: {more}")
        self._cite(draft, passage, more)
        return draft

    def _nothing(self, hits: Sequence[Hit], question: Question) -> Draft:
        text = evidence.MISSING["world"].text
        near = next((self._passages[hit.key] for hit in hits if hit.domain == "passage"), None)
        if near is not None and hits[0].score > LEAST - 0.08:
            text = (
                f"{evidence.NO_RECORD} The nearest that I can explain is “{near.title}”; ask me about that, or "
                "about a picture here."
            )
        draft = Draft(route="no record", text=text, evidence=[_missing_evidence("anything near this")])
        draft.passages = [near] if near is not None and near.title in text else []
        return draft

    # --- experiments ---------------------------------------------------------------------------

    def _act(self, hits: Sequence[Hit], question: Question, pointing: Pointing, reading: Reading) -> Draft:
        if not pointing.pictures:
            return self._knowledge([hit for hit in hits if hit.domain == "passage"], question, pointing, reading)
        picture = pointing.pictures[0]
        plan = experiments.plan(hits[0].key, reading.text, picture)
        passage = self._passages["seeds/experiments"]
        done = experiments.finished(plan, picture)
        if done is not None:
            draft = Draft(route="run", text=f"That was tried. {done.summary}", picture=picture.id)
            draft.evidence.append(_experiment_evidence(done, picture))
            draft.figure = Figure(kind="experiment", picture=picture.id, job=done.job)
            return draft
        draft = Draft(
            route="both", text=f"That can be tried on {title_of(picture)}. {plan.text}", offer=plan, picture=picture.id
        )
        draft.evidence.append(_missing_evidence(f"the result of an experiment ({plan.text})"))
        first = sentences(passage.text)[0]
        draft.text = f"{draft.text}\n\n{first}"
        self._cite(draft, passage, first)
        general = next(
            (hit for hit in hits if hit.domain == "passage" and hit.key != passage.id and hit.score >= LEAST_PART), None
        )
        if general is not None:
            more = " ".join(sentences(self._passages[general.key].text)[:2])
            draft.text += f" {more}"
            self._cite(draft, self._passages[general.key], more)
        return draft


def _thing(phrase: str) -> str:
    """What a phrase after "the" or "my" names, up to where the question goes on; empty where it names a field of a record."""
    kept: list[str] = []
    for word in phrase.split():
        if word in ENDS:
            break
        kept.append(word)
    while kept and kept[-1] in STOP:
        kept.pop()
    return " ".join(kept) if any(word not in FIELDS and word not in STOP for word in kept) else ""


def _of_the_field(word: str, hit: Hit) -> bool:
    """Whether a word is one that people use of this field ("the latents", "the chip"), and so names no picture."""
    if hit.key in OF_CONTENTS:  # whose example questions name all sorts of things
        return False
    return stem(word) in {stem(known) for text in (hit.key, *hit.entry.questions) for known in words(text)}


def _correct(draft: Draft, picture: SeenPicture, reading: Reading, best: Hit) -> None:
    """Say first what the question takes for granted and the record denies."""
    wrong = premises.corrections(picture, reading.text, best.key if best.domain == "facts" else None)
    if not wrong:
        return
    draft.text = f"{' '.join(sentence for _, sentence in wrong)} {draft.text}"
    draft.evidence = [*(_run_evidence(card, picture) for card, _ in wrong), *draft.evidence]
    draft.route = "both" if draft.route == "knowledge" else draft.route


# --- deciding ------------------------------------------------------------------------------------


def figure_of(passage: Passage, picture: SeenPicture) -> Figure | None:
    """The figure of a picture's run that would show what a passage says."""
    if passage.topics[0] == "wordmaps" or passage.topics[0] == "attention":
        return Figure(kind="word map", picture=picture.id)
    if passage.id in {"sampling/noise-schedule", "sampling/trailing-spacing", "frames/noise-level-and-step"}:
        return Figure(kind="schedule", picture=picture.id)
    if not picture.has_steps:
        return None
    if passage.id == "frames/clean-and-noisy-frames" or passage.topics[0] == "noise":
        return Figure(kind="noisy strip", picture=picture.id)
    if passage.topics[0] in {"frames", "prediction"} or passage.id in {
        "diffusion/reverse-process",
        "diffusion/whole-canvas-at-once",
    }:
        return Figure(kind="strip", picture=picture.id)
    return None


def _carried(question: Question, reading: Reading, pointing: Pointing) -> Pointing:
    """What the earlier question pointed at, where this one names nothing."""
    if question.about is not None:
        return pointing
    before = point(question, reading.context)
    if before.explicit and len(before.pictures) == 1:
        return Pointing(pictures=before.pictures, explicit=False)
    return pointing


def _card(key: str, picture: SeenPicture, question: Question, reading: Reading, *, several: bool) -> Fact:
    subject = title_of(picture) if several else "It"
    step = premises.named_step(reading.text, len(picture.run.noise_levels))
    if key == "strip":
        return evidence.strip(picture, step)
    if key == "noise levels":
        return evidence.noise_levels(picture, subject, step)
    if key == "parent":
        return evidence.parent(picture, question.pictures, subject)
    if key in ("seconds", "steps") and PER_STEP.search(reading.text):
        return evidence.seconds_per_step(picture, subject)
    if key == "masses":
        said = evidence.said_words(picture)
        return evidence.masses(
            picture, next((word for word in reversed(words(reading.text)) if word in said and len(word) > 2), None)
        )
    return evidence.fact(key, picture, subject)


def _superlative(key: str, question: Question, reading: Reading) -> Draft | None:
    """Which of several pictures has the most or the least of something."""
    low = reading.text.lower()
    more, less = MORE_WORDS.search(low), LESS_WORDS.search(low)
    if not OUT_OF_SEVERAL.search(low) or not (more or less) or len(question.pictures) < 2:
        return None
    cards = [(evidence.fact(key, picture), picture) for picture in question.pictures if key in evidence.FACTS]
    held = [(card.number, card, picture) for card, picture in cards if card.number is not None]
    if len(held) < 2:
        return None
    _number, card, picture = (max if more else min)(held, key=lambda item: item[0])
    listed = "; ".join(f"{title_of(picture)} {card.short}" for _, card, picture in held)
    text = f"{title_of(picture)}, with {card.short}. By {key}: {listed}."
    draft = Draft(route="run", text=text, picture=picture.id)
    draft.evidence = [_run_evidence(card, picture) for _, card, picture in held]
    return draft


def _of_all(key: str, question: Question, reading: Reading) -> Draft | None:
    """One field of every picture, where a question asks for all of them."""
    if key not in evidence.COMPARED or len(question.pictures) < 2 or not ALL_OF_THEM.search(reading.text):
        return None
    cards = [(evidence.fact(key, picture), picture) for picture in question.pictures]
    kinds = {card.short for card, _ in cards}
    lead = f"All {len(cards)} have the same {key}" if len(kinds) == 1 else f"By {key}"
    listed = "; ".join(f"{title_of(picture)} {card.short}" for card, picture in cards)
    draft = Draft(route="run", text=f"{lead}: {listed}.")
    draft.evidence = [_run_evidence(card, picture) for card, picture in cards]
    draft.evidence += _listed(question.pictures)
    return draft


def _pair(question: Question, pointing: Pointing) -> tuple[SeenPicture, SeenPicture] | None:
    """The two pictures to compare: the two that were named, else the one that is meant and the one before it or its parent."""
    if len(pointing.pictures) >= 2:
        return pointing.pictures[0], pointing.pictures[1]
    if not pointing.pictures or len(question.pictures) < 2:
        return None
    picture = pointing.pictures[0]
    parent = next((other for other in question.pictures if other.id == picture.parent), None)
    place = question.pictures.index(picture)
    before = parent or question.pictures[place - 1 if place else 1]
    return (before, picture) if question.pictures.index(before) < place else (picture, before)


def _pair_sentence(key: str, left: Fact, right: Fact, one: SeenPicture, other: SeenPicture) -> str:
    if left.short == right.short:
        return f"Yes, the same {key} for both: {left.short}."
    text = f"Not the same {key}: {left.short} for {title_of(one)}, {right.short} for {title_of(other)}."
    if left.number is not None and right.number is not None:
        most = one if left.number > right.number else other
        text += f" The larger is that of {title_of(most)}."
    return text


def _count(question: Question) -> Draft:
    own = [picture for picture in question.pictures if picture.mine]
    text = f"I can see {evidence.counted(len(question.pictures), 'picture')} here, {len(own)} of them yours."
    if len(own) == len(question.pictures):
        text = (
            f"I can see {evidence.counted(len(own), 'picture')} here, all yours."
            if len(own) > 1
            else f"I can see {len(own)} picture here, and it is yours."
        )
    if not question.pictures:
        text = "No picture has been made in this conversation that I can see."
    listed = known_pictures(question.pictures)
    kept = _listed(question.pictures)
    return Draft(route="run", text=f"{text} {listed}", evidence=kept or [_missing_evidence("picture")])


def known_pictures(pictures: Sequence[SeenPicture], most: int = 8) -> str:
    """The pictures that can be seen, in one sentence; nothing where there are none."""
    if not pictures:
        return ""
    several = len({picture.owner for picture in pictures}) > 1
    listed = ", ".join(
        f"picture {picture.id} {title_of(picture)}" + (f" by {evidence.shown(picture.owner, 40)}" if several else "")
        for picture in pictures[-most:]
    )
    return f"There {'is' if len(pictures) == 1 else 'are'} {listed}."


def _listed(pictures: Sequence[SeenPicture]) -> list[Evidence]:
    """The pictures as evidence, with how many there are."""
    own = sum(picture.mine for picture in pictures)
    counts = f"one of {len(pictures)}, {own} of them the asker's"
    return [
        Evidence(kind="run", ref=f"picture {picture.id}: count", quote=f"{picture.run.request.prompt} ({counts})")
        for picture in pictures
    ]


def _by_the_prompt(cause: Cause, titled: str) -> str:
    """What the prompt says of what is wondered at."""
    asked, unasked = (
        " and ".join(f"“{evidence.shown(word, 30)}”" for word in some[:3]) for some in (cause.asked, cause.unasked)
    )
    if cause.number is not None and not cause.lacking:
        return f"The prompt, {titled}, does not say “{evidence.shown(cause.number, 12)}”."
    if not asked:
        pulled = " So nothing pulled the picture that way." if cause.lacking else ""
        return f"Nothing in the prompt says {unasked}: it was {titled}.{pulled}"
    pulled = "" if cause.lacking or cause.disowned else " That pulled on the canvas at every step."
    denied = f" Nothing in it says {unasked}." if unasked else ""
    return f"The prompt did ask for {asked}: {titled}.{pulled}{denied}"


def _asked_too(key: str, reading: Reading) -> list[str]:
    """The other fields of a question that lists several: "seed and steps please"."""
    named = fields_named(reading)
    return sorted(named - {key}) if key in named and LISTED.search(reading.text) else []


def _made_of(picture: SeenPicture, question: Question) -> SeenPicture:
    """The picture, or what was made of it, where it goes on from none: "how much of the first one did you keep?"."""
    later = (other for other in question.pictures if picture.parent is None and other.parent == picture.id)
    return next(later, picture)


def _absent(name: str, pictures: Sequence[SeenPicture]) -> Draft:
    """A picture is spoken of that is not here."""
    text = (
        f"{evidence.NO_RECORD} Among the pictures that I can see here none was asked for with "
        f"“{evidence.shown(name, 40)}”. {known_pictures(pictures)}"
    )
    kept = [_missing_evidence(f"a picture of “{name}”"), *_listed(pictures)]
    return Draft(route="no record", text=text, evidence=kept)


def _said(question: Question) -> Draft:
    own = [turn for turn in question.turns if turn.mine][-3:]
    if not own:
        return Draft(
            route="no record",
            text=f"{evidence.NO_RECORD} Nothing that you said before is in this conversation.",
            evidence=[_missing_evidence("turn")],
        )
    listed = "; ".join(f"“{evidence.shown(turn.said, 120)}”" for turn in own)
    kept = [Evidence(kind="turn", ref=f"turn {turn.id}", quote=turn.said) for turn in own]
    return Draft(
        route="run", text=f"Of this conversation I have kept what was said. Your last: {listed}.", evidence=kept
    )


def _run_evidence(card: Fact, picture: SeenPicture) -> Evidence:
    if not card.recorded:
        return Evidence(kind="missing", ref=f"not recorded: picture {picture.id}: {card.key}", quote="")
    return Evidence(kind="run", ref=f"picture {picture.id}: {card.key}", quote=card.quote)


def _experiment_evidence(done: SeenExperiment, picture: SeenPicture) -> Evidence:
    return Evidence(kind="experiment", ref=f"experiment {done.id} on picture {picture.id}", quote=done.summary)


def _missing_evidence(what: str) -> Evidence:
    return Evidence(kind="missing", ref=f"not recorded: {what}", quote="")


def _only(question: Question, text: str) -> Question:
    return Question(
        query=question.query,
        text=text,
        asker=question.asker,
        about=question.about,
        pictures=question.pictures,
        turns=question.turns,
    )


def _about(draft: Draft) -> str:
    return draft.evidence[0].ref if draft.evidence else draft.text


def _joined(drafts: Sequence[Draft]) -> Draft:
    """Two answers to two questions in one message."""
    first, second = drafts
    return Draft(
        route="both" if first.route != second.route else first.route,
        text=f"{first.text}\n\n{second.text}",
        evidence=[*first.evidence, *second.evidence],
        passages=[*first.passages, *second.passages],
        figure=first.figure or second.figure,
        offer=first.offer or second.offer,
        picture=first.picture or second.picture,
        wants=first.wants or second.wants,
    )


__all__ = ["Answerer", "default_picture", "figure_of", "known_pictures", "weighed"]
