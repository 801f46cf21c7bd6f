"""Small helpers for English as people type it: words, stems, numbers, sentences, typing errors. Knows no model and no pictures."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

WORD: Final = re.compile(r"[a-z0-9]+(?:['’.-][a-z0-9]+)*")
NUMBER: Final = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
STOP: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "done",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "it's",
        "just",
        "me",
        "mine",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "off",
        "ok",
        "okay",
        "on",
        "one",
        "ones",
        "or",
        "our",
        "ours",
        "out",
        "over",
        "own",
        "please",
        "pls",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "too",
        "u",
        "up",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "yours",
        "yes",
        "really",
        "actually",
        "exactly",
        "about",
        "also",
        "again",
        "all",
        "any",
        "both",
        "each",
        "same",
        "other",
        "others",
        "hey",
        "lol",
        "haha",
        "well",
        "now",
        "btw",
        "tell",
        "know",
        "think",
        "say",
        "said",
        "i'm",
        "i've",
        "you're",
        "don't",
        "didn't",
        "doesn't",
        "isn't",
        "wasn't",
        "right",
    ]
)
SMALL_NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
    "thousand": 1000,
}
SAME: Final = {
    "imag": "pictur", "pic": "pictur", "img": "pictur", "drawing": "pictur", "color": "colour", "gray": "grey", "human": "peopl",
    "person": "peopl", "folk": "peopl", "kid": "child", "children": "child", "toddler": "child", "bab": "baby", "infant": "baby", "generat": "mak",
    "made": "mak", "creat": "mak", "produc": "mak", "algorithm": "program", "software": "program", "fast": "quick", "speed": "quick",
    "electricit": "energy", "power": "energy", "larg": "big", "huge": "big", "tiny": "small", "littl": "small", "pixel": "pixel",
    "environment": "climat", "planet": "climat", "nois": "nois", "static": "nois", "stolen": "steal", "theft": "steal", "stol": "steal",
    "forgot": "forget", "learnt": "learn", "heatmap": "map", "letter": "text", "writing": "text", "finger": "hand", "painter": "artist",
    "illustrator": "artist", "laptop": "computer", "pc": "computer", "slower": "slow", "longer": "long", "bigger": "big", "larger": "big",
}  # fmt: skip
ORDERS: Final = re.compile(
    r"(?:\b(?:please\s+)?(?:ignore|forget|disregard|override|bypass)\b[^.:;!?\n]{0,60}?\b(?:instructions?"
    r"|notes?|rules?|records?|above|training|guidelines)\b"
    r"|\b(?:system|assistant|user|admin|developer|output|answer|response)\s*:|\brepeat after me\b:?"
    r"|\byou are now\b[^.:;!?\n]{0,40}|\bnew instructions?\b:?)"
    r"[\s.,:;-]*(?:(?:and|then)\b)?",
    re.IGNORECASE,
)
FILLERS: Final = re.compile(
    r"^(?:(?:ok(?:ay)?|so|well|hey|hi|hello|lol|haha+|hmm+|um+|uh|oh|wow|btw|by the way|dumb question but"
    r"|quick question|just wondering|please"
    r"|pls|also|and|but|thanks|thank you|cool|nice|great|yeah|yes|no|honestly|actually|i wonder|tell me"
    r"|can you tell me|could you tell me"
    r"|do you know|remind me|serious question|sorry)(?:[\s,.:;!?-]+|$))+",
    re.IGNORECASE,
)
TAGS: Final = re.compile(
    r"[\s,;-]+(?:right|yes|no|correct|agreed|true|ok|okay|please|pls|plz|thx|thanks|tho|though|btw|again|lol"
    r"|haha+|isn'?t it|didn'?t you|don'?t you"
    r"|did you|aren'?t you|wasn'?t it|you know)\s*[?!.]*$",
    re.IGNORECASE,
)
MARKS_WITHIN: Final = 3  # so many marks stand within each other
_STRUCK: Final = re.compile(r"~~.+?~~|<(s|del|strike)>.+?</\1>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?>", re.IGNORECASE)
_MARKED: Final = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3}|\|\||`{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*])")
SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\s\"”’)]+(?=[A-Z“\"(0-9])")
PARTS: Final = re.compile(r"[?!;\n]+|\.(?=\s)|\s+-+\s+|,?\s+(?:btw|but|also)\s+", re.IGNORECASE)
TWO_IN_ONE: Final = re.compile(
    rf"{PARTS.pattern}|,?\s+and\s+(?=(?:also |then )?(?:what|how|which|who|whose|when|why|where)\b)", re.IGNORECASE
)
EMPHASIS: Final = re.compile(r"\b(?:even|actually|literally|basically|honestly|exactly|really)\s+(?=\w)", re.IGNORECASE)
PREFIXES: Final = ("re", "un", "over", "under", "non", "pre", "de", "anti", "mis")
SHORTHAND: Final = {
    "u": "you", "ur": "your", "r": "are", "pls": "please", "plz": "please", "pic": "picture", "pics": "pictures", "img": "image",
    "cuz": "because", "wanna": "want to", "gonna": "going to", "dont": "don't", "didnt": "didn't", "whats": "what is", "hows": "how is",
    "wheres": "where is", "whos": "who is", "cant": "can't", "isnt": "isn't", "doesnt": "doesn't", "im": "i am", "tho": "though",
    "wich": "which", "ppl": "people", "smth": "something", "sth": "something", "abt": "about", "bc": "because", "thats": "that is",
    "theres": "there is", "gimme": "give me", "lemme": "let me", "dunno": "don't know", "idk": "i don't know", "kinda": "kind of",
    "wont": "won't", "wasnt": "wasn't", "couldnt": "couldn't", "shouldnt": "shouldn't", "arent": "aren't", "werent": "weren't",
    "youre": "you are", "theyre": "they are", "youve": "you have", "ive": "i have", "id": "i would", "wdym": "what do you mean",
    "em": "them", "ya": "you", "yer": "your", "cos": "because", "coz": "because", "thru": "through", "vs": "versus", "diff": "difference",
    "thx": "thanks", "y": "why", "b4": "before", "eli5": "explain simply", "cfg": "guidance scale cfg",
}  # fmt: skip


def plain(text: str) -> str:
    """The text with typographic quotes, dashes and invisible characters made plain, white space folded."""
    table = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "×": "x", "…": "..."})
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cf"} else c for c in unicodedata.normalize("NFKC", text))
    return " ".join(kept.translate(table).split())


def unmarked(text: str) -> str:
    """The text without what only dresses it: Discord's and HTML's marks go, and with them what is struck out."""
    text = _TAG.sub("", _STRUCK.sub(" ", text))
    for _ in range(MARKS_WITHIN):
        text = _MARKED.sub(r"\2", text)
    return text


def words(text: str) -> list[str]:
    """Lower-case words."""
    return WORD.findall(plain(text).lower())


def stem(word: str) -> str:
    """A crude stem: enough to let "steps" meet "step" and "denoising" meet "denoise"."""
    word = word.removesuffix("'s")
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ers", "er"), ("ed", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word.removesuffix(ending) + rest
            break
    return word.removesuffix("e") if len(word) > 4 else word


def content(text: str) -> list[str]:
    """Stems of the words that carry content; words for the same thing become one."""
    return [SAME.get(found := stem(word), found) for word in words(text) if word not in STOP]


def numbers(text: str) -> list[str]:
    """The numbers in a text in one form: "1,024" and "1024.0" as "1024"; number words from three on count too."""
    found = [
        _normal(match.group()) for match in NUMBER.finditer(re.sub(r"(?<=\d)\s*x\s*(?=\d)", " x ", plain(text).lower()))
    ]
    return found + [str(SMALL_NUMBERS[word]) for word in words(text) if SMALL_NUMBERS.get(word, 0) > 2]


def _normal(number: str) -> str:
    value = number.replace(",", "")
    return value.rstrip("0").rstrip(".") if "." in value else value


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [part.strip() for part in SENTENCE_END.split(text) if part.strip()]


def expanded(text: str) -> str:
    """The text with chat shorthand written out."""
    whole = re.sub(r"\bw/o\b", "without", plain(text), flags=re.IGNORECASE)
    whole = re.sub(r"\bw/\s?", "with ", whole, flags=re.IGNORECASE)
    return re.sub(r"[\w']+", lambda match: SHORTHAND.get(match.group().lower(), match.group()), whole)


def stripped(text: str) -> str:
    """The text without opening fillers and closing tags."""
    core = FILLERS.sub("", ORDERS.sub(" ", text).strip())
    for _ in range(2):
        core = TAGS.sub("", core)
    core = EMPHASIS.sub("", core)
    return core.strip(" ,;:-") or text.strip()


def parts(text: str, least: int = 3) -> list[str]:
    """The whole text without its fillers, then each part of it that has words enough to mean something."""
    whole = stripped(text)
    pieces = [stripped(piece) for piece in PARTS.split(ORDERS.sub(" ", text))]
    return list(dict.fromkeys([whole, *(piece for piece in pieces if len(words(piece)) >= least)]))


class Spelling:
    """Mends words that nobody knows into words of ours that are one or two slips away."""

    def __init__(self, ours: Mapping[str, int], known: Iterable[str]) -> None:
        self._ours = ours  # word: how often
        self._known = set(known) | set(ours) | STOP | set(SHORTHAND)
        self._by_length: dict[int, list[str]] = {}
        for word in ours:
            if len(word) >= 4 and word.isalpha():
                self._by_length.setdefault(len(word), []).append(word)

    def mend(self, text: str, also: Iterable[str] = ()) -> str:
        """The text with its unknown words mended. `also`: further words that are right."""
        right = self._known | set(also)
        return re.sub(r"[A-Za-z]{4,}", lambda match: self._mended(match.group(), right), text)

    def _mended(self, word: str, right: set[str]) -> str:
        low = word.lower()
        if (
            low in right
            or stem(low) in right
            or any(low.startswith(start) and low[len(start) :] in right for start in PREFIXES)
        ):
            return word
        slips = 1 if len(low) < 7 else 2
        near = [
            (slips_between(low, candidate, slips), -self._ours[candidate], candidate)
            for length in range(len(low) - slips, len(low) + slips + 1)
            for candidate in self._by_length.get(length, ())
            if candidate[0] == low[0]
        ]
        best = min(near, default=(slips + 1, 0, word))
        return best[2] if best[0] <= slips else word


def slips_between(one: str, other: str, most: int) -> int:
    """Insertions, deletions, exchanges and swaps of neighbours between two words; `most + 1` where there are more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row = row, [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = last
        if min(row) > most:
            return most + 1
    return row[-1]
