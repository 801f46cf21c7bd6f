"""Which picture a question points at: "it", "the second one", "my fox", "the blue one", "Bob's", "picture 12", "the one before".

Looks only at the pictures that came with the question, by order, owner and the words of their prompts. It looks at no pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from explainer.language import SMALL_NUMBERS, STOP, plain, stem, words
from explainer.messages import Question, SeenPicture

ORDINALS: Final = {
    "first": 0, "1st": 0, "oldest": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4,
    "5th": 4, "sixth": 5, "seventh": 6, "eighth": 7, "ninth": 8, "tenth": 9,
    "last": -1, "latest": -1, "newest": -1, "recent": -1,
}  # fmt: skip
NOT_A_PICTURE: Final = (
    r"(?!\s+(?:\w+\s+)?(?:step|frame|word|token|time|noise|half|part|thing|message|question"
    r"|prompt|night|week|year|month|day|line|row|opinion))"
)
ORDINAL: Final = re.compile(rf"\b({'|'.join(ORDINALS)})\b{NOT_A_PICTURE}")
NUMBERED: Final = re.compile(
    r"(?:\b(?:picture|image|pic|number|no\.?|nr\.?)\s*#?\s*|#)(\d+)\b"
    r"|\b(?:picture|image|pic|number|nr\.?)\s+(one|two|three|four|five|six|seven|eight|nine|ten)\b"
)
BEFORE: Final = re.compile(
    r"\b(?:one|picture|image)\s+(?:(?:i|we|you) (?:made|did|asked for|had) (?:just |right )?)?before(?:\s+(?:the|my)\s+(\w+)|\s+(?:that|this|it))?|\bprevious\b|\bbefore that\b"
)
TWO: Final = re.compile(
    r"\b(?:both|(?:these|those|the|my|our|your) two|two pictures|two of (?:mine|them)|last two|previous two|each other"
    r"|the pair)\b"
)
OTHER: Final = re.compile(r"\b(?:the|my) other(?: one| picture)?\b")
BESIDE: Final = re.compile(
    r"differ|compare|between|\bthan\b|\bsame\b|\bversus\b|\bvs\b|\band (?:this|it|that)\b|\b(?:this|it|that)(?: one)? and\b"
)
DETERMINED: Final = re.compile(r"\b(?:the|my|this|that|your|our)\s+((?:[\w'-]+\s*){1,3})")
THIS: Final = re.compile(r"\b(?:this|it|its|here|that one)\b")
MINE: Final = re.compile(r"\b(?:my|mine)\b")
NAMED: Final = re.compile(
    r"\b(?:the|my|your)\s+(?:\w+\s+)??([a-z]{3,})(?:'s)?\s*(?:picture|one|image|pic|have|has|had|get|got"
    r"|use|used|take|took|need|needed|made|run|\?|$)"
)
VERBAL: Final = ("ed", "ing")
# words after "the" that name no thing in a picture
FIELDS: Final = frozenset(
    [
        "picture",
        "image",
        "pic",
        "photo",
        "one",
        "ones",
        "step",
        "steps",
        "seed",
        "seeds",
        "guidance",
        "scale",
        "cfg",
        "prompt",
        "prompts",
        "negative",
        "model",
        "models",
        "size",
        "sizes",
        "resolution",
        "scheduler",
        "sampler",
        "noise",
        "time",
        "times",
        "seconds",
        "run",
        "runs",
        "record",
        "settings",
        "setting",
        "weights",
        "tokens",
        "token",
        "words",
        "word",
        "map",
        "maps",
        "strip",
        "frames",
        "frame",
        "preview",
        "start",
        "end",
        "beginning",
        "first",
        "second",
        "third",
        "last",
        "next",
        "other",
        "previous",
        "same",
        "most",
        "more",
        "less",
        "least",
        "fewest",
        "highest",
        "lowest",
        "longest",
        "shortest",
        "slowest",
        "fastest",
        "number",
        "numbers",
        "bot",
        "you",
        "user",
        "users",
        "person",
        "people",
        "network",
        "processor",
        "chip",
        "difference",
        "sentence",
        "become",
        "upload",
        "computer",
        "machine",
        "gpu",
        "cpu",
        "card",
        "hardware",
        "version",
        "versions",
        "format",
        "precision",
        "hash",
        "fingerprint",
        "difference",
        "thing",
        "things",
        "way",
        "chat",
        "conversation",
        "message",
        "question",
        "answer",
        "colour",
        "color",
        "colours",
        "colors",
        "background",
        "result",
        "results",
        "style",
        "method",
        "parent",
        "strength",
        "date",
        "day",
        "hour",
        "whole",
        "all",
        "long",
        "much",
        "many",
        "big",
        "high",
        "exact",
        "very",
        "total",
        "final",
        "software",
        "python",
        "torch",
        "diffusers",
        "app",
        "server",
        "channel",
        "training",
        "data",
        "dataset",
        "emoji",
        "emojis",
        "artist",
        "artists",
        "author",
        "name",
        "names",
        "camera",
        "lens",
        "weather",
        "mood",
        "score",
        "value",
        "values",
        "count",
        "bit",
        "bits",
        "part",
        "stuff",
        "process",
        "diffusion",
        "work",
        "job",
        "drawing",
        "painting",
        "masterpiece",
        "artwork",
        "creation",
        "piece",
        "guy",
        "fact",
        "truth",
        "point",
        "case",
        "story",
        "idea",
        "mind",
        "brain",
        "head",
        "program",
        "software",
        "internet",
        "web",
        "sharpening",
        "smoothing",
        "upscaling",
        "repair",
        "scheduler",
        "middle",
        "left",
        "right",
        "world",
    ]
)


@dataclass(frozen=True, kw_only=True)
class Pointing:
    """What was pointed at."""

    pictures: tuple[SeenPicture, ...]  # in the order of being named; the one that is meant by default if none is
    explicit: bool  # it was named, not just meant by default
    called: bool = False  # a thing that a picture shows was spoken of as "the fox", "my fox"
    absent: str | None = None  # a thing that was named and that no picture here shows


def point(question: Question, text: str) -> Pointing:
    """The pictures that `text` (the question, mended) points at."""
    low = plain(text).lower()
    everything = question.pictures
    pool = _pool(everything, low)
    default = default_picture(question, low)
    found = _mentions(low, everything, pool, default)
    if TWO.search(low) and len(pool) >= 2 and len(found) < 2:
        found = list(pool[-2:])
    if OTHER.search(low) and default is not None and len(pool) == 2 and default in pool:
        found = [picture for picture in pool if picture.id != default.id]
    if not found and len(pool) < len(everything) and pool and not MINE.search(low):
        found = [pool[-1]]
    if found:
        return Pointing(
            pictures=tuple({picture.id: picture for picture in found}.values()),
            explicit=len(everything) > 1,
            called=is_called(low, found),
        )
    absent = named_absent(low, everything)
    return Pointing(pictures=() if default is None else (default,), explicit=False, absent=absent)


def is_called(low: str, pictures: Sequence[SeenPicture]) -> bool:
    """Whether something that these pictures show is spoken of as a certain one: "the fox", "my blue fox"."""
    names = {name for picture in pictures for name in names_of(picture)}
    return any(
        stem(word.removesuffix("'s")) in names for match in DETERMINED.finditer(low) for word in match.group(1).split()
    )


def default_picture(question: Question, low: str = "") -> SeenPicture | None:
    """The picture that is meant when none is named: replied to, else talked about last, else the latest."""
    by_id = {picture.id: picture for picture in question.pictures}
    if question.about in by_id:
        return by_id[question.about]
    own = [picture for picture in question.pictures if picture.mine]
    if not question.pictures:
        return None
    latest = (own or question.pictures)[-1] if MINE.search(low) else question.pictures[-1]
    talked = [turn for turn in question.turns if turn.picture in by_id and turn.speaker is None]
    if talked and talked[-1].created_at >= question.pictures[-1].created_at:
        last = by_id[talked[-1].picture or 0]
        return last if last.mine or not MINE.search(low) else latest
    return latest


def names_of(picture: SeenPicture) -> set[str]:
    """The stems of the words by which a picture may be called."""
    said = words(picture.run.request.prompt)
    return {stem(word) for word in said if word not in STOP and word not in SMALL_NUMBERS and len(word) > 2}


def _pool(pictures: Sequence[SeenPicture], low: str) -> tuple[SeenPicture, ...]:
    """The pictures of the person who is named, or one's own; else all."""
    said = set(re.findall(r"[\w'-]+", low))
    for owner in {picture.owner for picture in pictures}:
        name = owner.lower()
        if name in said or f"{name}'s" in said or f"{name}s" in said:
            return tuple(picture for picture in pictures if picture.owner == owner)
    own = tuple(picture for picture in pictures if picture.mine)
    return own if own and MINE.search(low) else tuple(pictures)


def _mentions(
    low: str, pictures: Sequence[SeenPicture], pool: Sequence[SeenPicture], default: SeenPicture | None
) -> list[SeenPicture]:
    """Named pictures, in the order in which they are named."""
    found: list[tuple[int, SeenPicture]] = []
    before = BEFORE.search(low)
    by_words = _by_words(low, pool if len(pool) < len(pictures) else pictures)
    if before is not None:
        anchor = next((picture for _, picture in by_words), default) if before.group(1) else default
        place = pictures.index(anchor) if anchor in pictures else len(pictures)
        if place > 0:
            found.append((before.start(), pictures[place - 1]))
        by_words = [] if before.group(1) else by_words
    found += by_words
    for match in NUMBERED.finditer(low):
        number = int(match.group(1) or SMALL_NUMBERS[match.group(2)])
        found += [(match.start(), picture) for picture in _numbered(number, pictures)]
    for match in ORDINAL.finditer(low):
        if before is not None and before.start() <= match.start() < before.end():
            continue
        place = ORDINALS[match.group(1)]
        if pool and -len(pool) <= place < len(pool):
            found.append((match.start(), pool[place]))
    this = THIS.search(low)
    if this is not None and default is not None and found and BESIDE.search(low):
        found.append((this.start(), default))
    return [picture for _, picture in sorted(found, key=lambda item: item[0])]


def _numbered(number: int, pictures: Sequence[SeenPicture]) -> list[SeenPicture]:
    named = [picture for picture in pictures if picture.id == number]
    return named or ([pictures[number - 1]] if 0 < number <= len(pictures) else [])


def _by_words(low: str, pictures: Sequence[SeenPicture]) -> list[tuple[int, SeenPicture]]:
    """Pictures called by words of their prompts, as far as the words tell them apart."""
    names = [names_of(picture) for picture in pictures]
    if len(pictures) < 2:
        told = [m.start() for m in re.finditer(r"[\w'-]+", low) if names and stem(m.group()) in names[0]]
        return [(told[0], pictures[0])] if told else []
    votes: dict[int, tuple[int, int]] = {}  # by place: how many words, where the first
    for match in re.finditer(r"[\w'-]+", low):
        word = stem(match.group().removesuffix("'s"))
        owners = [i for i, own in enumerate(names) if word in own]
        if owners and len(owners) < len(pictures):
            for i in owners:
                often, first = votes.get(i, (0, match.start()))
                votes[i] = (often + (3 if len(owners) == 1 else 1), first)
    if not votes:
        return []
    single = [(first, pictures[i]) for i, (often, first) in votes.items() if often >= 3]
    if single:
        return single
    best = max(often for often, _ in votes.values())
    latest = max(i for i, (often, _) in votes.items() if often == best)
    return [(votes[latest][1], pictures[latest])]


def named_absent(low: str, pictures: Sequence[SeenPicture]) -> str | None:
    """A thing that is spoken of like a picture here, and that none of the prompts names."""
    known = {name for picture in pictures for name in names_of(picture)}
    owners = {picture.owner.lower() for picture in pictures}
    for match in NAMED.finditer(low):
        word = match.group(1)
        if word in FIELDS or word in STOP or word in SMALL_NUMBERS or word in owners or word.endswith(VERBAL):
            continue
        if stem(word) not in known:
            return word
    return None
