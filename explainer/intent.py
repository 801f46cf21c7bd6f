"""What a message wants: a new picture, a change to one, an answer, or nothing.

Logistic regression on the sentence's vector and on a few plain signs, learnt at start from the labelled
messages in `said.txt` and from the example questions of the passages. A few exact words are settled
beforehand; a close call says so, and whoever asked is asked back. Which picture is meant is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal, cast, get_args

import numpy as np

from explainer.language import plain
from explainer.messages import Intent

Around = Literal["reply", "around", "none"]  # the message replies to a picture; one was made here; neither
INTENTS: Final = cast(tuple[Intent, ...], get_args(Intent))

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Encode = Callable[[Sequence[str]], Vectors]  # texts to rows of unit length

CLOSE: Final = 0.1  # of chance between the first and the second: below it, ask back
RIDGE: Final = 1e-3
SIGNS_WEIGHT: Final = 0.7  # of a plain sign beside a sentence vector of unit length
ROUNDS: Final = 400

_LEADS: Final = (
    r"(?:(?:please|pls|now|ok|then|just|what about|how about|can you|could you|(?:can|could) i (?:have|get|see)"
    r"|i(?:'d| would)? (?:want|like|love|prefer))(?: to)? )*"
    r"(?:(?:draw|paint|sketch|make|do|try|give|show|see|have)(?: it| them| me| us)? )?"
)
_REMARKED: Final = r"new|fresh|separate|good|great|nice|lovely|cool|cute|fun|funny|bad|hard|tough|easy|tricky|other"

_EXACT: Final[tuple[tuple[str, Intent], ...]] = (
    (r"(and |ok |so )?now (at|in|on|with|without|under|by|as|during|make|add|give|put) .+", "revise"),
    (r"(please |can you |could you )?replace .+ (with|by) .+", "revise"),
    (r"(an?|the|some) [\w -]+ instead of (the|that|this|his|her|its|my) .+", "revise"),
    (r"(just |now |make it )?(two|three|four|five|\d+) of (them|those|these|it)", "revise"),
    (
        r"(undo|revert|redo|re-?roll|another( (one|try|version))?|again|one more|try again|go back( one| to .*)?)",
        "revise",
    ),
    (
        r"(picture |image |pic |#)\d+,? (but|in|at|with|without|as|on|under|again|should|needs|could)"
        r"(?!.*\b(how|what|which|why|who|steps?|seed|words?)\b) .+",
        "revise",
    ),
    (r"an? different (one|version|seed)", "revise"),
    (  # "a blue one": one like that which is there
        rf"{_LEADS}(?:an?|two|three|four|five|\d+) (?!(?:\w+ly )?(?:{_REMARKED}|different|another)\b)[\w, -]+ ones?"
        r"(?:,? (?:please|pls|instead|then|now|too))*",
        "revise",
    ),
    (r"(thanks?|thank you|thx|ty|ok|okay|lol|haha+|wow|nice|cool|great|hi|hello|hey|bye|good (morning|night))", "chat"),
    (
        r"(please |pls |now |ok |then |just )*(draw|paint|sketch)( me| us)? (an?|some|two|three|four|five|my)\b"
        r"(?!.*\b(it|him|her|them|the|that|this)\b).+",
        "create",
    ),
    (r"why don'?t you (draw|paint|make|do) .+", "create"),
    (r"(and |so |ok )?whose (is|are|was|were) .+", "ask"),
    (r"why( not)?|how( so| come)?|explain( that| this| it)?|what\?*", "ask"),
)

_CREATE_VERB = r"(draw|paint|sketch|generate|render|imagine|create|produce|picture)"
_SIGNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"\?\s*$",
        r"^(what|which|who|when|where)\b(?! (about|if|would it look))",
        r"^(why|how)\b(?! (about|would it look))(?!.*\bdon'?t you (draw|paint|make)\b)",
        r"^(is|are|was|were|do|does|did|has|have)\b(?!.* a (picture|drawing) of)",
        r"\b(explain|tell me|describe|mean|means|difference|understand|wonder|know|remember|learn|learnt|trained|copy|copied)\b",
        rf"^(please |pls |now |just |ok |can you |could you |would you |could you please )*{_CREATE_VERB}\b",
        rf"\b{_CREATE_VERB} (me |us )?(a|an|two|three|something|my|some)\b",
        r"\b(picture|image|drawing|portrait|sketch|poster|logo|wallpaper) of\b|\bnew (one|picture)\b|\bsomething else\b",
        r"^(a|an|two|three|four|five|six|some|my) \w+( \w+)*$",
        r"^(with|without|in|at|on|as|but|and|same|the same|no|less|more|too|maybe)\b",
        r"\b(make|turn|change|give|put|move|add|remove|replace|swap|take|keep|get rid of) (it|him|her|them|that|the|this|my|of)\b",
        r"^(now |then |please |and |so )*(make|turn|change|add|remove|replace|swap|undo|redo|move|put|give) (it|him|her|the|that|this|some|a)\b",
        r"\b(it|him|her|them|that one|the (first|second|third|last) one)\b",
        r"\b\w{3,}(er|ier)\b( please)?$",
        r"\b(instead|same|again|still|rather|too|also|back|version|without)\b",
        r"^(what (about|if)|how about|what would|how would|could (it|he|she|we)|can (it|he|she|we)|would it)\b",
        r"\b(should|needs? to|forgot|wrong|prefer)\b",
        r"\b(you|your|yours)\b",
        r"\b(thanks?|thank|lol|haha|love|great|nice|amazing|cute|funny|beautiful|good|cool|bye|hello|sorry|happy)\b",
        r"\b(i|i'm|we|my)\b",
    )
)


@dataclass(frozen=True)
class Guess:
    """What a message most likely wants."""

    intent: Intent
    sure: bool  # False: ask back, between `intent` and `second`
    second: Intent
    chances: dict[Intent, float]  # sum to 1


@dataclass(frozen=True)
class Said:
    """A message with the intent that people read in it."""

    text: str
    around: Around
    intent: Intent


class IntentClassifier:
    """Learns at start, in well under a second once the vectors are there."""

    def __init__(self, encode: Encode, said: Sequence[Said], questions: Iterable[str] = ()) -> None:
        """Learn from labelled messages; `questions` are further messages that ask, with no picture needed."""
        self._encode = encode
        asked = [Said(text, "around", "ask") for text in questions]
        everything = [*said, *asked]
        features = self._features([one.text for one in everything], [one.around for one in everything])
        wanted = np.array([INTENTS.index(one.intent) for one in everything])
        # the many example questions together weigh as much as the labelled questions
        share = sum(one.intent == "ask" for one in said) / max(1, len(asked))
        weights = np.array([1.0] * len(said) + [min(1.0, share)] * len(asked), np.float32)
        self._weights = _logistic_regression(features, wanted, weights)

    def guess(self, text: str, around: Around) -> Guess:
        """What the message wants, in its surroundings."""
        said = plain(text).lower().strip(" .!,")
        settled = next((intent for pattern, intent in _EXACT if re.fullmatch(pattern, said.rstrip("?"))), None)
        if settled is not None and not (settled == "revise" and around == "none"):
            rest = dict.fromkeys(INTENTS, 0.0)
            return Guess(settled, True, "ask", {**rest, settled: 1.0})
        chances = _softmax(self._features([text], [around]) @ self._weights)[0]
        if around == "none":  # there is nothing to change
            chances[INTENTS.index("revise")] = 0
            chances /= chances.sum()
        first, second = np.argsort(-chances)[:2]
        return Guess(
            INTENTS[first],
            bool(chances[first] - chances[second] >= CLOSE),
            INTENTS[second],
            {intent: float(chance) for intent, chance in zip(INTENTS, chances, strict=True)},
        )

    def _features(self, texts: Sequence[str], around: Sequence[Around]) -> Vectors:
        vectors = self._encode([plain(text).lower() for text in texts])
        signs = np.array([_signs(text, place) for text, place in zip(texts, around, strict=True)], np.float32)
        return np.concatenate([vectors, signs * SIGNS_WEIGHT, np.ones((len(texts), 1), np.float32)], axis=1)


def read_said(lines: Iterable[str] | None = None) -> list[Said]:
    """Labelled messages, by default those that ship: a line under `== intent`, `{p}` or `{n}` before it."""
    if lines is None:
        lines = resources.files("explainer").joinpath("said.txt").read_text(encoding="utf-8").splitlines()
    said, intent = list[Said](), INTENTS[0]
    for line in lines:
        if line.startswith("== "):
            intent = cast(Intent, line[3:].strip())
        elif line.strip() and not line.startswith("#"):
            around = cast(Around, {"{p}": "reply", "{n}": "none"}.get(line[:3], "around"))
            said.append(Said(line.removeprefix("{p}").removeprefix("{n}").strip(), around, intent))
    return said


def _signs(text: str, around: Around) -> list[float]:
    low = plain(text).lower().strip()
    signs = [float(bool(pattern.search(low))) for pattern in _SIGNS]
    count = len(low.split())
    return [*signs, float(count <= 2), float(count >= 6), *(float(around == place) for place in get_args(Around))]


def _logistic_regression(features: Vectors, wanted: np.ndarray[Any, np.dtype[np.int64]], weights: Vectors) -> Vectors:
    """Multinomial, with a ridge penalty, by Nesterov's accelerated gradient; the weights [features, intents]."""
    target = np.eye(len(INTENTS), dtype=np.float32)[wanted]
    share = (weights / weights.sum())[:, None]
    bound = float(np.linalg.norm(features * np.sqrt(share), 2) ** 2) / 2 + RIDGE  # of the second derivative
    position = np.zeros((features.shape[1], len(INTENTS)), np.float32)
    ahead = position
    for round_ in range(1, ROUNDS + 1):
        slope = features.T @ ((_softmax(features @ ahead) - target) * share) + RIDGE * ahead
        before, position = position, ahead - slope / bound
        ahead = position + (round_ - 1) / (round_ + 2) * (position - before)
    return position.astype(np.float32)


def _softmax(scores: Vectors) -> Vectors:
    risen = np.exp(scores - scores.max(axis=1, keepdims=True))
    return cast(Vectors, risen / risen.sum(axis=1, keepdims=True))
