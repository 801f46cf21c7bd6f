"""Reads the questions, asks them, and holds the answers against what a right one must and must not say."""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from explainer.answer import Answerer
from explainer.messages import Answer, SeenTurn
from explainer.voices.check import ground_of, ungrounded
from tests.explainer.exam.scenes import BEGINNING, question

FOLDER = Path(__file__).parent
ASKED_ONCE = ("everyday", "fresh", "spoken", "market", "garden")  # each before anything was tuned on it
KINDS = ("run", "pointing", "compare", "missing", "premise", "follow-up", "knowledge", "human", "experiment", "copy")
SEPARATOR = re.compile(r"\s\|(?:\s|$)")
CHATTER = re.compile(r"^([A-Z][a-z]+): (.*)$")  # what another person says, to nobody


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question of the exam."""

    kind: str
    scene: str
    asked: tuple[str, ...]  # the last is examined, those before lead to it
    sources: tuple[
        str, ...
    ]  # any of them is right: a field of the record, "missing", a passage's id, or a folder of passages
    must: tuple[str, ...]  # regular expressions, all of which the answer must match
    must_not: tuple[str, ...]

    @property
    def half(self) -> str:
        """Tuned on, or reported."""
        parity = hashlib.sha256(" >> ".join(self.asked).encode()).digest()[0] % 2
        return "reported" if parity else "tuned"


@dataclass(kw_only=True)
class Outcome:
    """What was answered, and what is wrong with it."""

    item: Item
    answer: Answer
    seconds: float
    found: int = 0  # required facts that are there
    right_source: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.faults


def load_items(name: str = "questions") -> list[Item]:
    """All questions of an examination, in the order of its file."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [_item(line) for line in lines if line.strip() and not line.startswith("#")]


def examine(answerer: Answerer, items: Iterable[Item]) -> list[Outcome]:
    """Ask each question in its scene."""
    return [_ask(answerer, item) for item in items]


def summary(outcomes: Sequence[Outcome]) -> str:
    """The figures per kind and in all."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.item.kind].append(outcome)
    lines = [f"\n{'kind':12} {'asked':>5} {'passed':>7} {'facts':>7} {'source':>7} {'grounded':>9}"]
    lines += [_line(kind, by_kind[kind]) for kind in KINDS if by_kind[kind]]
    lines.append(_line("all", outcomes))
    times = sorted(outcome.seconds for outcome in outcomes)
    lines.append(
        f"median {times[len(times) // 2] * 1000:.0f} ms, 95 % within {times[int(len(times) * 0.95)] * 1000:.0f} ms"
    )
    return "\n".join(lines)


def _item(line: str) -> Item:
    kind, scene, asked, sources, must, *rest = (part.strip() for part in SEPARATOR.split(line))
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of question: {line}")
    return Item(
        kind=kind,
        scene=scene,
        asked=tuple(part.strip() for part in asked.split(">>")),
        sources=tuple(part.strip() for part in sources.split(",")),
        must=tuple(part.strip() for part in must.split("&&") if part.strip()),
        must_not=tuple(part.strip() for part in (rest[0] if rest else "").split("&&") if part.strip()),
    )


def _ask(answerer: Answerer, item: Item) -> Outcome:
    turns: tuple[SeenTurn, ...] = ()
    for said in item.asked[:-1]:
        number, now = 1000 + len(turns), BEGINNING + 10_000 + len(turns)
        if chatter := CHATTER.match(said):
            name, text = chatter.groups()
            turns = (*turns, SeenTurn(id=number, speaker=name, mine=False, said=text, created_at=now))
            continue
        answer = answerer.answer(question(item.scene, said, turns))
        turns = (
            *turns,
            SeenTurn(id=number, speaker="Ann", mine=True, said=said, created_at=now),
            SeenTurn(
                id=number + 1, speaker=None, mine=False, said=answer.text, created_at=now + 1, picture=answer.picture
            ),
        )
    asked = question(item.scene, item.asked[-1], turns)
    before = time.perf_counter()
    answer = answerer.answer(asked)
    outcome = Outcome(item=item, answer=answer, seconds=time.perf_counter() - before)
    _judge(outcome)
    prompts = (seen.run.request.prompt for seen in asked.pictures)
    for part in ungrounded(answer.text, "\n".join((ground_of(answer), asked.text, *prompts))):
        outcome.faults.append(f"stands on nothing: {part}")
    return outcome


def _judge(outcome: Outcome) -> None:
    item, text = outcome.item, outcome.answer.text
    for wanted in item.must:
        if re.search(wanted, text, re.IGNORECASE):
            outcome.found += 1
        else:
            outcome.faults.append(f"does not say {wanted}")
    outcome.faults += [f"says {banned}" for banned in item.must_not if re.search(banned, text, re.IGNORECASE)]
    outcome.right_source = any(_has_source(outcome.answer, source) for source in item.sources)
    if not outcome.right_source:
        outcome.faults.append(f"stands first on {first_source(outcome.answer)}, not on {', '.join(item.sources)}")


def first_source(answer: Answer) -> str:
    """What an answer stands on first."""
    return answer.evidence[0].ref if answer.evidence else "nothing"


def _has_source(answer: Answer, wanted: str) -> bool:
    first = first_source(answer)
    if wanted.endswith("/*"):
        return first.startswith(wanted.removesuffix("*"))
    if wanted == "missing":
        return first.startswith("not recorded")
    if wanted == "experiment":
        return answer.offer is not None
    if wanted == "passage":
        return any(item.kind == "passage" for item in answer.evidence)
    if wanted == "compare":
        return len({item.ref.partition(":")[0] for item in answer.evidence if item.kind == "run"}) >= 2
    if "/" in wanted:
        return next((item.ref for item in answer.evidence if item.kind == "passage"), "") == wanted and (
            first == wanted or answer.route in ("both", "no record")
        )
    if wanted in {"noise"}:
        return first.partition("/")[0] == wanted or first.endswith(f": {wanted}")
    return first.endswith(f": {wanted}") or first.endswith(f": {wanted}s")


def _line(kind: str, outcomes: Sequence[Outcome]) -> str:
    asked = len(outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    wanted = sum(len(outcome.item.must) for outcome in outcomes)
    found = sum(outcome.found for outcome in outcomes)
    sources = sum(outcome.right_source for outcome in outcomes)
    grounded = sum(not any(fault.startswith("stands on nothing") for fault in outcome.faults) for outcome in outcomes)
    shares = [passed / asked, found / max(1, wanted), sources / asked, grounded / asked]
    return f"{kind:12} {asked:5d} {shares[0]:7.0%} {shares[1]:7.0%} {shares[2]:7.0%} {shares[3]:9.0%}"
