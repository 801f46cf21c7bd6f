"""A change said in plain words, made in the prompt: "same, but at night", "lose the hat", "a bicycle instead of the board".

Reads a message clause by clause and fills slots (add, remove, replace, recolour, restyle, surroundings, count,
position, degree, shape, back); spaCy finds noun phrases and lemmas; what fits no slot is appended. Knows no models
and no pictures: which method carries the change out is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from explainer.language import plain

ChangeKind = Literal[
    "add", "remove", "replace", "recolour", "restyle", "surroundings", "background", "count", "position", "degree",
    "shape", "again", "back", "first", "append",
]  # fmt: skip
Shape = Literal["wide", "tall", "square"]
Nlp = Callable[[str], Any]  # spaCy's Language; it is typed loosely


@dataclass(frozen=True)
class Change:
    """One change that was understood."""

    kind: ChangeKind
    what: str  # the words of the prompt or of the message that it is about
    place: bool = False  # it has a place in the picture, so a masked edit could do it


@dataclass(frozen=True)
class Revision:
    """The prompt after the change."""

    prompt: str
    negative_prompt: str
    changes: tuple[Change, ...]
    shape: Shape | None = None  # of the picture, where another is asked for

    @property
    def back(self) -> Literal["one", "first"] | None:
        """Whether an earlier picture is wanted instead of a new one."""
        kinds = {change.kind for change in self.changes}
        return "first" if "first" in kinds else "one" if "back" in kinds else None

    @property
    def again(self) -> bool:
        """The same prompt, other noise."""
        return {change.kind for change in self.changes} == {"again"}


COLOURS: Final = (
    "red orange yellow green blue purple pink brown black white gray grey violet turquoise teal cyan magenta beige golden gold silver"
    " crimson navy lime maroon olive lavender indigo scarlet colourful colorful rainbow-coloured pastel"
).split()
_SHADE = r"(?:(?:light|dark|bright|pale|deep|neon) )?"
_COLOUR = rf"{_SHADE}(?:{'|'.join(COLOURS)})"
WORN: Final = frozenset(
    "hat cap crown sunglasses glasses shades scarf helmet hood mask goggles shirt t-shirt dress coat jacket suit tie bow necklace earring"
    " earrings boot boots shoe shoes sock socks glove gloves cape tiara beanie monocle headphone headphones backpack".split()
)
STYLES: Final = (
    r"(?:water ?colou?r|oil painting|painting|(?:pencil |charcoal |ink )?(?:sketch|drawing)|cartoon|comic(?: book)?|pixel art|photo(?:graph)?"
    r"|photorealistic|photo-realistic|3d render|render|anime|manga|low poly|collage|mosaic|woodcut|linocut|poster|impressionist painting"
    r"|cubist painting|line art|clay(?:mation)?|stained glass|origami|black and white(?: photo)?|polaroid)"
)
_TIMES = (
    r"(?:night ?time|night|day ?time|day|dawn|dusk|sunset|sunrise|noon|midnight|midday|twilight|golden hour|evening|morning|the morning"
    r"|the evening|the afternoon)"
)
_SEASONS = r"(?:winter|summer|spring|autumn|fall)"
_WEATHER = r"(?:the rain|rain|the snow|snow|fog|the fog|a storm|a thunderstorm|the sun|mist|the mist|the wind|sunshine|a blizzard)"
_MOODS = "snowy rainy foggy sunny stormy cloudy windy misty spooky festive"
NUMBERS: Final = {
    "one": 1, "a single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "a couple of": 2, "a pair of": 2,
}  # fmt: skip
_NUMBER = r"(?:\d+|a single|a couple of|a pair of|" + "|".join(word for word in NUMBERS if " " not in word) + ")"
_RELATIONS = (
    r"(?:to the (?:left|right) of|left of|right of|on top of|in front of|next to|beside|above|below|under|underneath|over|behind|on|near|between)"
)
_CONNECTORS = frozenset(
    "wearing with on in riding holding next to beside above below under over and of top front behind near by carrying , at upon inside".split()
)
_DEGREES: Final = {
    "bigger": "big", "larger": "large", "smaller": "small", "tinier": "tiny", "taller": "tall", "darker": "dark", "brighter": "bright",
    "happier": "happy", "sadder": "sad", "older": "old", "younger": "young", "fatter": "fat", "thinner": "thin", "fluffier": "fluffy",
    "cuter": "cute", "scarier": "scary", "angrier": "angry", "prettier": "pretty", "simpler": "simple", "softer": "soft", "longer": "long",
    "shorter": "short", "sharper": "sharp", "lighter": "light", "rounder": "round", "funnier": "funny", "sleepier": "sleepy",
}  # fmt: skip
_OPPOSITES: Final = (
    {"big", "large", "huge", "small", "tiny", "little"}, {"dark", "bright", "light"}, {"happy", "sad", "angry"}, {"old", "young"},
    {"fat", "thin"}, {"tall", "short", "long"},
)  # fmt: skip
_PRONOUN = r"(?:it|him|her|them|this|that|this one|that one|he|she|they|everything|the (?:picture|image|scene|one))"
_THE = r"(?:the |my |its |his |her |their |that |this )?"

_OPENINGS = re.compile(
    r"^(?:(?:hey|ok(?:ay)?|no|nah|nope|hmm+|wait|now|then|so|and|but|also|please|pls|actually|cool|nice|great|love it|yes|yeah|well|just|maybe"
    r"|perhaps|let's|only|still|this time)\b[,!. ]*"
    r"|(?:can|could|would|will) (?:you|we)(?: please| maybe| also| just)?(?: try(?: to)?| have| get| see)?\b[,]? *(?:it |this )?(?=\S)"
    r"|i(?:'d| would)? (?:want|like|love|prefer|need)(?: you)?(?: to)?(?: have| see| get)? +"
    r"|(?:what would (?:it|he|she|that) look like|how would (?:it|he|she|that) look|what (?:if|about)|how about|would it be possible to(?: see it| have it)?)\b *"
    r"|(?:do|try|show|see|have)(?: it| this| me)?(?: again)? (?=(?:but|in|with|without|as|at|on)\b)"
    r"|(?:the )?same(?: thing| one| picture| image| prompt| again)?\b[, ]*(?:but|only|just)?\b[, ]*)",
    re.IGNORECASE,
)
_ENDINGS = re.compile(
    r"(?:[\s,]+(?:please|pls|instead|though|thanks|this time|if you can|if possible|too|as well|now|again|for me|a bit|a little|maybe))+[\s?!.]*$"
    r"|[\s?!.]+$",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"\s*(?:[,;]|\b(?:and then|and|but|then)\b)+\s+(?=(?:make|add|remove|change|put|give|turn|replace|without|with|no|at|in|as|on|lose|swap|more|less"
    r"|also|take|get rid|drop|delete|and|paint|move|colou?r|(?:a|an|two|three) |" + _COLOUR + r"\b|" + "|".join(_DEGREES) + r")\b)",
    re.IGNORECASE,
)


@dataclass
class _Draft:
    """A prompt while it is being changed."""

    nlp: Nlp
    prompt: str
    negatives: list[str]
    changes: list[Change] = field(default_factory=list)
    shape: Shape | None = None

    def note(self, kind: ChangeKind, what: str, *, place: bool = False) -> None:
        self.changes.append(Change(kind, what, place))


@dataclass(frozen=True)
class _Phrase:
    """A noun phrase of the prompt, by characters."""

    start: int
    end: int
    head_start: int
    head: str  # as written
    lemma: str


Handler = Callable[[_Draft, re.Match[str]], bool]  # False: not this one after all


class Reviser:
    """Understands changes; made once, as it holds spaCy's model."""

    def __init__(self, nlp: Nlp) -> None:
        self._nlp = nlp

    def revise(self, prompt: str, message: str, negative_prompt: str = "") -> Revision:
        """The prompt as it is after the change that the message asks for."""
        draft = _Draft(self._nlp, plain(prompt), [part.strip() for part in negative_prompt.split(",") if part.strip()])
        for clause in clauses(message):
            if not any(
                (match := pattern.fullmatch(clause)) and handler(draft, match) for pattern, handler in _PATTERNS
            ):
                _append(draft, clause)
        return Revision(_tidy(draft.prompt), ", ".join(dict.fromkeys(draft.negatives)), tuple(draft.changes), draft.shape)


def clauses(message: str) -> list[str]:
    """The changes that a message asks for, without what is only said around them."""
    return [bare for part in _CLAUSES.split(_bare(plain(message))) if (bare := _bare(part))]


def _bare(text: str) -> str:
    before = None
    text = text.strip(" ,")
    while text and text != before:
        before = text
        text = _ENDINGS.sub("", _OPENINGS.sub("", text, count=1)).strip(" ,")
    return text or (before or "")


# --- the prompt's noun phrases ---------------------------------------------------------------------


def phrases(nlp: Nlp, prompt: str) -> list[_Phrase]:
    """The noun phrases of a prompt, from left to right."""
    found = []
    for chunk in nlp(prompt).noun_chunks:
        root = chunk.root
        tokens = [token for token in chunk if token.i <= root.i]
        while len(tokens) > 1 and tokens[0].lower_ in _CONNECTORS:  # "wearing sunglasses" is now and then one chunk
            tokens = tokens[1:]
        found.append(
            _Phrase(tokens[0].idx, root.idx + len(root.text), root.idx, root.text, _lemma(root.text, root.lemma_))
        )
    return found


def _lemma(word: str, given: str = "") -> str:
    low = word.lower()
    if low in {"sunglasses", "glasses", "shades"}:
        return "glasses"
    irregular = {"mice": "mouse", "wolves": "wolf", "geese": "goose", "men": "man", "women": "woman", "bike": "bicycle"}
    if low in irregular:
        return irregular[low]
    given = (given or low).lower()
    if given == low and low.endswith("s") and not low.endswith(("ss", "us", "is")) and len(low) > 3:
        return low[:-3] + "y" if low.endswith("ies") else low[:-2] if low.endswith(("xes", "ches", "shes")) else low[:-1]
    return given


def _target(draft: _Draft, words: str) -> _Phrase | None:
    """The phrase of the prompt that these words mean; a pronoun or nothing means the first one."""
    there = phrases(draft.nlp, draft.prompt)
    bare = re.sub(rf"^{_THE}", "", words.strip(), flags=re.IGNORECASE).strip()
    if not bare or re.fullmatch(_PRONOUN, words.strip(), re.IGNORECASE):
        return next((one for one in there if one.lemma != "background"), None)
    wanted = _lemma(bare.split()[-1], _lemma_of(draft.nlp, bare))
    return next((one for one in there if one.lemma == wanted), None)


def _lemma_of(nlp: Nlp, words: str) -> str:
    document = nlp(f"the {words}")
    return _lemma(document[-1].text, document[-1].lemma_)


def _noun_phrase(nlp: Nlp, words: str) -> bool:
    """Whether the words name a thing: "a dog", "an old lamp"; not "happy" or "gallop"."""
    if re.match(r"(?:a|an|some|two|three|four|my|the) \w", words, re.IGNORECASE):
        return True
    document = nlp(words)
    return len(document) > 0 and document[-1].pos_ in {"NOUN", "PROPN"} and document[-1].tag_ in {"NNS", "NNPS"}


def _article(phrase: str) -> str:
    """The phrase with the article that fits it, if it can have one."""
    bare = re.sub(r"^(?:a|an) ", "", phrase.strip(), flags=re.IGNORECASE)
    if bare == phrase.strip() and not re.match(r"(?:a|an) ", phrase, re.IGNORECASE):
        return phrase.strip()
    vowel = re.match(r"[aeio]|u(?!ni|se|ti)|hour|honest", bare, re.IGNORECASE) and not re.match(r"one\b", bare, re.IGNORECASE)
    return ("an " if vowel else "a ") + bare


def _with_article(phrase: str) -> str:
    """A thing as it stands in a prompt: "hat" becomes "a hat", "the hat" too, "some trees" stays."""
    bare = re.sub(r"^(?:the|my|its|his|her|their) ", "", phrase.strip(), flags=re.IGNORECASE)
    last = bare.split()[-1].lower() if bare else ""
    if re.match(rf"(?:a|an|some|many|few|{_NUMBER}) ", bare, re.IGNORECASE):
        return _article(bare)
    plural = last.endswith("s") and not last.endswith(("ss", "us"))
    mass = last in {"rain", "snow", "fog", "water", "fire", "grass", "smoke", "sand", "light", "space"}
    return bare if plural or mass else _article(f"a {bare}")


def _put(draft: _Draft, start: int, end: int, text: str) -> None:
    draft.prompt = _tidy(draft.prompt[:start] + text + draft.prompt[end:])


def _tidy(prompt: str) -> str:
    prompt = re.sub(r"\s+", " ", prompt).strip(" ,")
    prompt = re.sub(r" ,", ",", re.sub(r",(?:\s*,)+", ",", prompt))
    return re.sub(
        r"\b(a|an) (?=(\w+))", lambda match: _article(f"a {match[2]}").split(" ")[0] + " ", prompt, flags=re.IGNORECASE
    )


def _base(draft: _Draft) -> int:
    """Where the surroundings begin that stay last: style and place in time after a comma."""
    comma = draft.prompt.find(",")
    return comma if comma >= 0 else len(draft.prompt)


def _end_with(draft: _Draft, words: str) -> None:
    base = _base(draft)
    _put(draft, base, base, f" {words}")


# --- the slots -------------------------------------------------------------------------------------


def _back(draft: _Draft, match: re.Match[str]) -> bool:
    first = re.search(r"\b(first|original|start|beginning)\b", match[0], re.IGNORECASE)
    draft.note("first" if first else "back", match[0])
    return True


def _again(draft: _Draft, match: re.Match[str]) -> bool:
    draft.note("again", match[0])
    return True


def _remove_all(draft: _Draft, match: re.Match[str]) -> bool:
    parts = re.split(r"\s*(?:,|\band\b|\bor\b)\s*", match["what"])
    return all([_remove(draft, part) for part in parts if part])


def _remove(draft: _Draft, words: str) -> bool:
    bare = re.sub(rf"^(?:{_THE}|any |all |a |an )", "", words.strip(), flags=re.IGNORECASE)
    target = _target(draft, bare)
    draft.note("remove", bare, place=target is not None)
    if target is None:
        draft.negatives.append(bare)
        return True
    name = draft.prompt[target.head_start : target.end]
    start, end = target.start, target.end
    before = list(re.finditer(r"\w+|,", draft.prompt[:start]))
    while before and before[-1][0].lower() in _CONNECTORS | {"the", "a", "an"}:
        start = before.pop().start()
    if not before:  # it was what the prompt began with: what joined the next thing to it goes too
        after = re.match(rf"[\s,]*(?:wearing|with|and|riding|holding|{_RELATIONS})\s+", draft.prompt[end:], re.IGNORECASE)
        start, end = 0, end + (after.end() if after else 0)
    if name.lower() == "background" or start == 0 and end >= len(draft.prompt):
        draft.negatives += [] if name.lower() == "background" else [name]
        if not (start == 0 and end >= len(draft.prompt)):
            _put(draft, start, end, " ")
        return True
    _put(draft, start, end, " ")
    draft.negatives.append(name)
    return True


def _swap_places(draft: _Draft, match: re.Match[str]) -> bool:
    there = [one for one in phrases(draft.nlp, draft.prompt) if one.lemma != "background"]
    if len(there) < 2:
        return False
    one, other = there[0], there[1]
    a, b = draft.prompt[one.start : one.end], draft.prompt[other.start : other.end]
    draft.prompt = draft.prompt[: one.start] + b + draft.prompt[one.end : other.start] + a + draft.prompt[other.end :]
    draft.note("position", "swap")
    return True


def _swap_named(draft: _Draft, match: re.Match[str]) -> bool:
    return bool(_target(draft, match["what"]) and _target(draft, match["new"])) and _swap_places(draft, match)


def _replace(draft: _Draft, match: re.Match[str]) -> bool:
    what, new = match.groupdict().get("what") or "it", match["new"].strip()
    if re.fullmatch(_COLOUR, new, re.IGNORECASE):
        return _recolour_words(draft, what, new)
    if re.fullmatch(rf"(?:a |an )?{STYLES}", new, re.IGNORECASE) and re.fullmatch(_PRONOUN, what, re.IGNORECASE):
        return _style(draft, f"as {_with_article(new)}")
    if re.fullmatch(_TIMES, new, re.IGNORECASE) and re.fullmatch(_PRONOUN, what, re.IGNORECASE):
        return _surround(draft, _time(new))
    if not _noun_phrase(draft.nlp, new) and not match.groupdict().get("sure"):
        return False
    target = _target(draft, what)
    if target is None:
        return False
    worn = re.match(r"(.+?) (?:with|wearing) (.+)$", new, re.IGNORECASE)
    main, extra = (worn[1], worn[2]) if worn else (new, None)
    old = draft.prompt[target.start : target.end]
    _put(draft, target.start, target.end, _reclothed(old, main))
    draft.negatives.append(target.head)
    draft.note("replace", new, place=True)
    if extra:
        _add_words(draft, extra)
    return True


def _reclothed(old: str, new: str) -> str:
    """The new thing with what was said of the old one and still holds: "a red fox", "cat" -> "a red cat"."""
    fresh = _with_article(new)
    if len(re.sub(r"^(?:a|an|some) ", "", fresh).split()) > 1 or re.match(rf"{_NUMBER} ", old, re.IGNORECASE):
        kept = re.match(rf"({_NUMBER}) ", old, re.IGNORECASE)
        return f"{kept[1]} {plural(re.sub(r'^(?:a|an) ', '', fresh))}" if kept else fresh
    described = old.split()[:-1]
    if described and described[0].lower() in {"a", "an", "the"}:
        described = described[1:]
    bare = re.sub(r"^(?:a|an) ", "", fresh)
    return _article(f"a {' '.join([*described, bare])}") if fresh != bare else " ".join([*described, bare])


def _recolour(draft: _Draft, match: re.Match[str]) -> bool:
    return _recolour_words(draft, match.groupdict().get("what") or "it", match["colour"])


def _recolour_words(draft: _Draft, what: str, colour: str) -> bool:
    colour = _plain_colour(colour)
    target = _target(draft, what)
    if re.search(r"\bbackground\b", what, re.IGNORECASE):
        return _backdrop(draft, colour)
    if target is None:
        _end_with(draft, f"with {_with_article(f'{colour} ' + re.sub(rf'^{_THE}', '', what, flags=re.IGNORECASE))}")
        draft.note("recolour", f"{colour} {what}", place=True)
        return True
    old = draft.prompt[target.start : target.end]
    without = re.sub(rf"\b{_COLOUR}\s+", "", old, flags=re.IGNORECASE)
    words = without.split()
    _put(draft, target.start, target.end, _article(" ".join([*words[:-1], colour, words[-1]])))
    draft.note("recolour", f"{colour} {target.head}", place=True)
    return True


def _plain_colour(word: str) -> str:
    low = word.lower().strip()
    stems = {"bluer": "blue", "redder": "red", "greener": "green", "pinker": "pink", "blacker": "black", "whiter": "white",
             "browner": "brown", "yellower": "yellow", "grayer": "gray", "greyer": "grey"}  # fmt: skip
    return stems.get(low, low)


def _thing_in_colour(draft: _Draft, match: re.Match[str]) -> bool:
    if _target(draft, match["what"]) is None:
        return False
    return _recolour_words(draft, match["what"], match["colour"])


def _background(draft: _Draft, match: re.Match[str]) -> bool:
    return _backdrop(draft, match["colour"])


def _backdrop(draft: _Draft, look: str) -> bool:
    look = _plain_colour(re.sub(r"^(?:a|an) ", "", look))
    draft.prompt = re.sub(r",?\s*(?:(?:on|with|against) )?(?:a |an |the )?(?:[\w-]+ )?background\b", "", draft.prompt, flags=re.IGNORECASE)
    _end_with(draft, f"on {_with_article(f'{look} background')}")
    draft.note("background", look)
    return True


def _add(draft: _Draft, match: re.Match[str]) -> bool:
    for part in re.split(r"\s*(?:,|\band\b)\s+(?=(?:a|an|some|two|three|the) )", match["new"]):
        _add_words(draft, part, match.groupdict().get("how"), match.groupdict().get("what"))
    return True


def _add_words(draft: _Draft, new: str, how: str | None = None, wearer: str | None = None) -> bool:
    thing = _with_article(re.sub(r"^(?:another|one more) ", "a second ", new.strip(), flags=re.IGNORECASE))
    head = re.split(r" (?:of|on|in|with) ", thing)[0].split()[-1].lower()
    target = _target(draft, wearer or "it")
    if head in WORN and target is not None:
        at = target.end
        worn = re.match(r" wearing [\w -]+?(?= (?:on|riding|in|next|beside|above|below|under|with)\b|,|$)", draft.prompt[at:], re.IGNORECASE)
        if worn:
            _put(draft, at + worn.end(), at + worn.end(), f" and {thing}")
        else:
            _put(draft, at, at, f" wearing {thing}")
    else:
        joined = "with" if how == "with" or how == "give" else "and"
        _end_with(draft, f"{joined} {thing}")
    draft.note("add", thing, place=True)
    return True


def _do(draft: _Draft, match: re.Match[str]) -> bool:
    """ "have him ride a horse", "make it gallop": the verb as a participle behind whom it is about."""
    verb = draft.nlp(f"to {match['verb']}")[-1]
    if verb.pos_ != "VERB" and not match["rest"]:
        return False
    target = _target(draft, match["what"])
    if target is None:
        return False
    _put(draft, target.end, target.end, f" {_participle(match['verb'].lower())}{match['rest'] or ''}")
    draft.note("add", match[0], place=True)
    return True


def _participle(verb: str) -> str:
    if verb.endswith("ing"):
        return verb
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb):
        return verb + verb[-1] + "ing"
    return verb + "ing"


def _surroundings(draft: _Draft, match: re.Match[str]) -> bool:
    return _surround(draft, match["place"])


def _surround(draft: _Draft, place: str) -> bool:
    """Where and when: a new time takes the place of the old one, a new ground that of the old ground."""
    place = re.sub(r"^(?:onto)\b", "on", place.strip())
    background = re.fullmatch(rf"(?:on|with|against) (?:a |an |the )?(?P<look>[\w-]+) background", place, re.IGNORECASE)
    if background:
        return _backdrop(draft, background["look"])
    for kind in (rf"(?:at|during|in|by) (?:the )?{_TIMES}", rf"in {_SEASONS}", rf"in {_WEATHER}"):
        if re.fullmatch(kind, place, re.IGNORECASE):
            draft.prompt = re.sub(rf",?\s*\b{kind}\b", "", draft.prompt, flags=re.IGNORECASE)
    words = place.split(" ", 1)
    if words[0].lower() in {"on", "in", "at", "under", "inside", "by", "near", "behind"} and len(words) == 2:
        ground = words[1]
        places = re.match(rf"(?:the |{_TIMES}|{_SEASONS}|space\b|front\b|top\b)", ground, re.IGNORECASE)
        place = f"{words[0]} {ground if places or ground[0].isupper() else _with_article(ground)}"
    _end_with(draft, place)
    draft.note("surroundings", place)
    return True


def _time_of_day(draft: _Draft, match: re.Match[str]) -> bool:
    return _surround(draft, _time(match["time"]))


def _time(word: str) -> str:
    low = re.sub(r"^(?:the )", "", word.lower().strip())
    if re.fullmatch(_SEASONS, low):
        return f"in {low}"
    if low in {"day", "daytime", "day time"}:
        return "during the day"
    if low in {"morning", "evening", "afternoon"}:
        return f"in the {low}"
    return f"at {low.replace('night time', 'night').replace('nighttime', 'night')}"


def _raining(draft: _Draft, match: re.Match[str]) -> bool:
    return _surround(draft, "in the rain" if match["weather"].lower().startswith("rain") else "in the snow")


def _mood(draft: _Draft, match: re.Match[str]) -> bool:
    return _describe(draft, "it", match["mood"])


def _restyle(draft: _Draft, match: re.Match[str]) -> bool:
    return _style(draft, match["style"])


def _look_like(draft: _Draft, match: re.Match[str]) -> bool:
    look = match["look"].strip()
    bare = re.sub(r"^(?:a|an|the) ", "", look, flags=re.IGNORECASE)
    if re.fullmatch(_TIMES, bare, re.IGNORECASE) or re.fullmatch(_SEASONS, bare, re.IGNORECASE):
        return _surround(draft, _time(bare))
    return _style(draft, f"like {look}")


def _style(draft: _Draft, style: str) -> bool:
    draft.prompt = re.sub(
        rf",\s*(?:as|like|in) (?:an? |the )?(?:style of [\w ]+|[\w ]+ style|{STYLES})(?=,|$)", "", draft.prompt, flags=re.IGNORECASE
    )
    draft.prompt = f"{draft.prompt}, {style.strip()}"
    draft.note("restyle", style)
    return True


def _count(draft: _Draft, match: re.Match[str]) -> bool:
    written = match["number"].lower()
    many = int(written) if written.isdigit() else NUMBERS[written]
    target = _target(draft, match.groupdict().get("what") or "it")
    if target is None:
        return False
    if match.groupdict().get("what") and many == 1 and written != "one" and not re.match(r"just|only", match[0], re.IGNORECASE):
        return False
    old = re.sub(rf"^(?:a|an|the|some|many|{_NUMBER}) ", "", draft.prompt[target.start : target.end], flags=re.IGNORECASE)
    words = next((word for word, number in NUMBERS.items() if number == many and " " not in word), str(many))
    new = _article(f"a {singular(old)}") if many == 1 else f"{words} {plural(old)}"
    _put(draft, target.start, target.end, new)
    draft.note("count", new)
    return True


def plural(phrase: str) -> str:
    """The phrase with its last word in the plural."""
    *rest, noun = phrase.split()
    irregular = {"mouse": "mice", "wolf": "wolves", "goose": "geese", "man": "men", "woman": "women", "child": "children",
                 "leaf": "leaves", "knife": "knives", "foot": "feet", "tooth": "teeth", "fish": "fish", "sheep": "sheep"}  # fmt: skip
    if noun in irregular:
        noun = irregular[noun]
    elif noun not in irregular.values() and not (noun.endswith("s") and not noun.endswith(("ss", "us"))):
        if re.search(r"(?:s|x|z|ch|sh|tomato|potato|hero)$", noun):
            noun += "es"
        elif re.search(r"[^aeiou]y$", noun):
            noun = noun[:-1] + "ies"
        else:
            noun += "s"
    return " ".join([*rest, noun])


def singular(phrase: str) -> str:
    """The phrase with its last word in the singular."""
    *rest, noun = phrase.split()
    return " ".join([*rest, _lemma(noun) if noun != "glasses" else noun])


def _more(draft: _Draft, match: re.Match[str]) -> bool:
    what, fewer = match["what"].strip(), match["much"].lower() in {"less", "fewer"}
    if re.fullmatch(_COLOUR, what, re.IGNORECASE):
        if not fewer:
            return _recolour_words(draft, "it", what)
        draft.prompt = _tidy(re.sub(rf"\b{re.escape(what)}\s+", "", draft.prompt, flags=re.IGNORECASE))
        draft.negatives.append(what)
        draft.note("degree", match[0])
        return True
    noun = draft.nlp(f"more {what}")[-1].pos_ in {"NOUN", "PROPN"} or _target(draft, what) is not None
    if noun:
        target, many = _target(draft, what), "few" if fewer else "many"
        bare = plural(singular(what)) if what.endswith("s") else what
        if what.endswith("s"):
            bare = f"{many} {bare}"
        else:
            bare = f"{'little' if fewer else 'much'} {bare}"
        if target is None:
            _end_with(draft, f"with {bare}")
        else:
            _put(draft, target.start, target.end, bare)
        draft.note("degree", bare)
        return True
    if fewer:
        draft.prompt = _tidy(re.sub(rf"\b{re.escape(what)}\s+", "", draft.prompt, flags=re.IGNORECASE))
        draft.negatives.append(what)
        draft.note("degree", match[0])
        return True
    return _describe(draft, "it", what)


def _degree(draft: _Draft, match: re.Match[str]) -> bool:
    much = re.match(r"(?:much|a lot|way) ", match[0], re.IGNORECASE)
    word = _DEGREES[match["degree"].lower()]
    return _describe(draft, match.groupdict().get("what") or "it", "huge" if much and word in {"big", "large"} else word)


def _described(draft: _Draft, match: re.Match[str]) -> bool:
    words = draft.nlp(match["look"])
    if not len(words) or words[-1].pos_ not in {"ADJ", "VERB", "ADV"} or words[-1].tag_ == "VB":
        return False
    return _describe(draft, match["what"], match["look"])


def _describe(draft: _Draft, what: str, look: str) -> bool:
    target = _target(draft, what)
    if target is None:
        return False
    old = draft.prompt[target.start : target.end]
    for group in _OPPOSITES:
        if look in group:
            old = re.sub(rf"\b(?:{'|'.join(sorted(group))})\s+", "", old)
    words = old.split()
    at = 1 if len(words) > 1 and re.fullmatch(rf"a|an|the|some|{_NUMBER}", words[0], re.IGNORECASE) else 0
    _put(draft, target.start, target.end, _article(" ".join([*words[:at], look, *words[at:]])))
    draft.note("degree", f"{look} {target.head}", place=True)
    return True


def _made_of(draft: _Draft, match: re.Match[str]) -> bool:
    target = _target(draft, match["what"])
    if target is None:
        return False
    _put(draft, target.end, target.end, f" made of {match['stuff']}")
    draft.note("recolour", match["stuff"], place=True)
    return True


def _move(draft: _Draft, match: re.Match[str]) -> bool:
    """ "put the star below the cat": both are in the prompt, so only their relation changes."""
    one, other = _target(draft, match["what"]), _target(draft, match["other"])
    if one is None:
        return False
    if other is None or other == one:
        place = f"{match['relation']} {match['other']}"
        return _surround(draft, place)
    a, b = draft.prompt[one.start : one.end], draft.prompt[other.start : other.end]
    first, last = sorted((one, other), key=lambda phrase: phrase.start)
    draft.prompt = f"{draft.prompt[: first.start]}{a} {match['relation']} {b}{draft.prompt[last.end :]}"
    draft.note("position", match[0], place=True)
    return True


def _shape(draft: _Draft, match: re.Match[str]) -> bool:
    word = match["shape"].lower()
    draft.shape = "wide" if word in {"wide", "wider", "landscape", "horizontal", "panorama"} else "square" if word == "square" else "tall"
    draft.note("shape", draft.shape)
    return True


def _append(draft: _Draft, clause: str) -> None:
    joined = "" if re.match(r"(?:wearing|holding|riding|with|of|that|who)\b", clause, re.IGNORECASE) else ","
    draft.prompt = _tidy(f"{draft.prompt}{joined} {clause}")
    draft.note("append", clause)


_MAKE = r"(?:make|turn|paint|colou?r|dye|tint|have|let|render)"
_SOURCES: Final[Sequence[tuple[str, Handler]]] = (
    (r"(?:undo|revert|go back|take that back|(?:the )?previous (?:one|version)|(?:the )?(?:first|original) (?:one|version|picture)|back)(?: .*)?", _back),
    (r"(?:another(?: (?:one|try|version|go|seed))?|again|one more(?: time)?|re-?roll|re-?do(?: it)?|try again|(?:a )?different (?:one|version|seed)|(?:a )?new seed|next)(?: of it)?", _again),
    (r"(?:make it |in )?(?:a )?(?P<shape>wide|wider|landscape|horizontal|panorama|tall|portrait|vertical|square)(?: format| picture| image)?", _shape),
    (r"(?:remove|delete|drop|lose|erase|get rid of|without|no(?: more)?|leave (?:out|off|away)|ditch|minus|skip|hide|omit|cut(?: out)?) (?P<what>.+)", _remove_all),
    (r"(?:take|leave|cut) (?:off|out|away) (?P<what>.+)", _remove_all),
    (r"(?:take|leave|cut) (?P<what>.+?) (?:off|out|away)", _remove_all),
    (r"(?:i )?(?:don't|do not|didn't) (?:want|need|like|show|ask for) (?P<what>.+)", _remove_all),
    (rf"(?:swap|switch|exchange) (?:them|(?:their |the )?(?:places|positions|sides))(?: around)?|(?:the )?other way (?:a)?round", _swap_places),
    (r"(?:swap|switch|exchange) (?P<what>.+?) and (?P<new>.+)", _swap_named),
    (rf"(?:put|change|set|make|have|use|with|on|against|give it)?\s*(?:the |a |an )?background (?:should be |to be |to |is |into )?(?P<colour>{_COLOUR}|\w+)", _background),
    (rf"(?:put it |make it |with |on |in front of |against )?(?:a |an |the )?(?P<colour>{_COLOUR}|plain|dark|light) background", _background),
    (rf"(?:change|set|switch|turn) (?:the |its |his |her )?colou?r(?: of (?P<what>.+?))? (?:to|into) (?P<colour>{_COLOUR})", _recolour),
    (rf"(?:{_MAKE}|change|turn) (?P<what>.+?) (?:to |into |in )?(?:be )?(?P<colour>{_COLOUR})", _recolour),
    (rf"(?P<what>.+?) (?:should be|to be|must be|could be|be|was|were|is) (?P<colour>{_COLOUR})", _recolour),
    (rf"(?:could|can|should|might) (?P<what>.+?) be (?P<colour>{_COLOUR})", _recolour),
    (rf"(?:in )?(?P<colour>{_COLOUR}|bluer|redder|greener|pinker|blacker|whiter|browner|yellower|gr[ae]yer)", _recolour),
    (rf"(?:a |an |the )?(?P<colour>{_COLOUR}) (?P<what>[\w-]+)", _thing_in_colour),
    (rf"{_MAKE} (?:it )?(?:just |only )?(?P<number>{_NUMBER})(?: of (?:them|it|those|these))?", _count),
    (rf"(?:just |only )?(?P<number>{_NUMBER})(?: of (?:them|it|those|these|each)| only)?", _count),
    (rf"(?:{_MAKE} (?:it |that )?)?(?:just |only )?(?P<number>{_NUMBER}) (?P<what>[\w-]+)", _count),
    (rf"(?:could|can|should) (?P<what>.+?) be made (?:out )?of (?P<stuff>\w+)", _made_of),
    (rf"make (?P<what>.+?) (?:out )?of (?P<stuff>\w+)", _made_of),
    (rf"(?:replace|swap|exchange|substitute) (?P<what>.+?) (?:with|by|for) (?P<new>.+)(?P<sure>)", _replace),
    (rf"(?:change|turn|transform|switch) (?P<what>.+?) (?:to|into|for) (?P<new>.+)(?P<sure>)", _replace),
    (rf"(?P<new>.+?) (?:instead of|rather than|in place of) (?P<what>.+)", _replace),
    (rf"(?:{_MAKE} it|it's|set it|turn it)(?: to| in| into| at)? (?P<time>{_TIMES}|{_SEASONS})", _time_of_day),
    (rf"(?:it was |it were |it is |make it )?(?P<weather>rain|snow)(?:ing)?", _raining),
    (rf"(?:make it |it was |it were |if it was )?(?P<mood>{'|'.join(_MOODS.split())})", _mood),
    (rf"(?:make|have|let) it look (?:more )?like (?P<look>.+)", _look_like),
    (rf"(?:make (?:it|this) |draw it |paint it )?(?P<style>as (?:an? )?{STYLES}|(?:in )?(?:the )?style of .+|in (?:an? )?[\w ]+ style)", _restyle),
    (rf"(?:make it |in )(?:an? )?(?P<style>{STYLES})", lambda draft, match: _style(draft, f"as {_with_article(match['style'])}")),
    (rf"(?:make |but )?(?:it |him |her |them )?(?:much |a lot |way |a bit |a little |even )?(?P<degree>{'|'.join(_DEGREES)})", _degree),
    (rf"(?:a |an |the )?(?:much )?(?P<degree>{'|'.join(_DEGREES)}) (?P<what>.+)", _degree),
    (rf"make (?P<what>.+?) (?:much |a lot |a bit |a little )?(?P<degree>{'|'.join(_DEGREES)})", _degree),
    (rf"(?:put|place|move|set) (?P<what>.+?) (?P<relation>{_RELATIONS}) (?P<other>.+)", lambda draft, match: _put_somewhere(draft, match)),
    (r"give (?P<what>it|him|her|them|the \w+) (?P<new>.+)", _add),
    (r"(?:add|include|draw in|bring in) (?P<new>.+?)(?: (?:to|on) (?:it|the picture|him|her))?", _add),
    (rf"(?P<how>with) (?P<new>.+)", _add),
    (r"(?:he|she|it) (?:needs|has|wears|wearing|should have|should wear|could have) (?P<new>.+)", _add),
    (r"(?:could|can|should) (?:he|she|it) (?:have|wear|get) (?P<new>.+)", _add),
    (r"wearing (?P<new>.+)", _add),
    (rf"(?P<what>.+?) (?:should be|to be|must be) (?P<new>(?:a|an) .+)", _replace),
    (rf"make (?P<what>{_PRONOUN}|the [\w-]+|[\w-]+) (?P<new>(?:an? |some )?.+)", _replace),
    (rf"make (?P<what>{_PRONOUN}|the [\w-]+) (?P<look>[\w-]+)", _described),
    (rf"(?:have|make|let) (?P<what>{_PRONOUN}|the [\w-]+) (?P<verb>\w+)(?P<rest> .+)?", _do),
    (r"(?P<much>more|less|fewer) (?P<what>.+)", _more),
    (rf"(?:set it |put it |place it |it's |show it |see it )?(?P<place>(?:in|on|at|under|inside|by|near|behind|against|onto|during) .+)", _surroundings),
    (r"(?P<new>(?:a|an|some) .+)", lambda draft, match: _thing(draft, match)),
)  # fmt: skip
_PATTERNS: Final = tuple((re.compile(source, re.IGNORECASE), handler) for source, handler in _SOURCES)


def _put_somewhere(draft: _Draft, match: re.Match[str]) -> bool:
    what = match["what"]
    thing = re.sub(r"^(?:an?|some|the) ", "", what, flags=re.IGNORECASE)
    if re.fullmatch(_PRONOUN, what, re.IGNORECASE):
        return _surround(draft, f"{match['relation']} {match['other']}")
    if _target(draft, what) is None:
        if thing.split()[-1].lower() in WORN or re.fullmatch(_PRONOUN, match["other"], re.IGNORECASE):
            return _add_words(draft, what, wearer=match["other"])
        _end_with(draft, f"with {_with_article(what)} {match['relation']} {_with_article(match['other'])}")
        draft.note("add", what, place=True)
        return True
    return _move(draft, match)


def _thing(draft: _Draft, match: re.Match[str]) -> bool:
    """A bare thing: instead of the first one if it is alone and nothing joins them, else beside it."""
    there = phrases(draft.nlp, draft.prompt)
    new = match["new"]
    head = re.split(r" (?:of|on|in|with|wearing) ", new)[0].split()[-1].lower()
    if head in WORN or len(there) != 1:
        return _add_words(draft, new)
    _put(draft, there[0].start, there[0].end, _reclothed(draft.prompt[there[0].start : there[0].end], new))
    draft.negatives.append(there[0].head)
    draft.note("replace", new, place=True)
    return True
