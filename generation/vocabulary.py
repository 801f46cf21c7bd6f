"""The words that a model was taught, and which words of a prompt are not among them.

A model with a closed vocabulary carries it as `vocabulary.json`; a model without that file takes any
words. Words that carry no content, and the nearest kin of words that are often asked for, are data in
`everyday_words.json`. Nothing here changes a prompt: it finds what is unknown and suggests what is
known. Knows no weights, no tokenizer and no front end.
"""

from __future__ import annotations

import difflib
import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec

from generation.errors import ModelError
from generation.models import ModelInfo

VOCABULARY_FILE = "vocabulary.json"
EVERYDAY_FILE = Path(__file__).parent / "everyday_words.json"

MOST_SUGGESTIONS = 2  # for one word
LIKENESS = 0.8  # least difflib ratio of a misspelt word and the word that was meant
SURE_LIKENESS = 0.88  # the same where the first letters differ, which is rare in misspellings: mouse, house
FUZZY_LETTERS = range(4, 31)  # shorter words are all alike, longer ones are no words

Word = str  # in lower case, as `words` gives it
Phrase = tuple[Word, ...]
Name = Annotated[str, msgspec.Meta(min_length=1)]


class KnownThing(msgspec.Struct, frozen=True):
    """One thing that a model can paint."""

    name: Name  # the usual one
    names: tuple[Name, ...]  # all that it was taught, the usual one among them
    plural: str | None = None  # None: it was taught no plural
    face: bool = False  # whether it wears things


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was taught; only things are a must."""

    things: Annotated[tuple[KnownThing, ...], msgspec.Meta(min_length=1)]
    colours: tuple[Name, ...] = ()
    accessories: tuple[Name, ...] = ()  # names of things that are worn by things with a face
    mounts: tuple[Name, ...] = ()  # names of things that are ridden
    relations: tuple[Name, ...] = ()  # phrases between two things, like "next to"
    wearing: tuple[Name, ...] = ()  # phrases between a wearer and what is worn
    riding: tuple[Name, ...] = ()  # phrases between a rider and what is ridden
    counts: tuple[Name, ...] = ()  # like "two"
    backgrounds: tuple[Name, ...] = ()  # phrases that name the background, like "on a red background"
    openings: tuple[Name, ...] = ()  # phrases that begin a prompt, like "a picture of"


class EverydayWords(msgspec.Struct, frozen=True):
    """What is known of English beside any model's vocabulary."""

    without_content: frozenset[Word]  # words that no picture hangs on, so that nobody needs to hear of them
    nearest: dict[Name, tuple[Name, ...]]  # what a model may know -> synonyms and kin that people say


class Lexicon:
    """Reads prompts by one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, everyday: EverydayWords) -> None:
        self.vocabulary = vocabulary
        self._without_content = everyday.without_content
        self._kin: dict[Phrase, list[str]] = {}
        for known, said in everyday.nearest.items():
            for phrase in said:
                self._kin.setdefault(phrase_of(phrase), []).append(known)
        self._longest = max(map(len, itertools.chain(self._known, self._kin)))

    def unknown(self, prompt: str) -> tuple[str, ...]:
        """The words and phrases of the prompt that the model was not taught, each once, in lower case.

        The longest match counts: with "hot dog" in the everyday words, a dog is not found in it.
        """
        found: dict[str, None] = {}
        rest = words(prompt)
        while rest:
            length, is_known = self._match(rest)
            if not is_known:
                found[" ".join(rest[:length])] = None
            rest = rest[length:]
        return tuple(found)

    def nearest(self, unknown: str) -> tuple[str, ...]:
        """What the model knows that comes nearest to an unknown word: kin, the same thing's name, or the spelling."""
        phrase = phrase_of(unknown)
        ways = (self._by_kin, self._by_form, self._by_part, self._by_sign, self._by_spelling)
        suggestions = next((found for way in ways if (found := list(way(phrase)))), [])
        return tuple(dict.fromkeys(suggestions))[:MOST_SUGGESTIONS]

    @cached_property
    def _known(self) -> dict[Phrase, str]:
        """Each phrase that the model was taught, and how it is written."""
        taught = self.vocabulary
        names = [name for thing in taught.things for name in (*thing.names, thing.name, thing.plural) if name]
        grammar = (taught.relations, taught.wearing, taught.riding, taught.counts, taught.backgrounds, taught.openings)
        phrases = list(itertools.chain(*grammar))
        single = [word for phrase in phrases for word in words(phrase)]
        return {phrase_of(text): text for text in (*names, *taught.colours, *phrases, *single)}

    @cached_property
    def _things(self) -> dict[Phrase, KnownThing]:
        return {phrase_of(name): thing for thing in self.vocabulary.things for name in (*thing.names, thing.name)}

    def _match(self, rest: list[Word]) -> tuple[int, bool]:
        """How many words at the beginning belong together, and whether that is known or of no account."""
        for length in range(min(self._longest, len(rest)), 0, -1):
            phrase = tuple(rest[:length])
            if phrase in self._known:
                return length, True
            if length == 1 and rest[0] in self._without_content:
                return 1, True
            if any(form in self._kin for form in (phrase, *_singulars(phrase))) or self._is_split(phrase):
                return length, False
        return 1, False

    def _is_split(self, phrase: Phrase) -> bool:
        """Whether it is one known word, written as two: "skate board"."""
        return len(phrase) == 2 and ("".join(phrase),) in self._known

    def _by_kin(self, phrase: Phrase) -> Iterator[str]:
        for form in (phrase, *_singulars(phrase)):
            for known in self._kin.get(form, ()):
                if phrase_of(known) in self._known:
                    yield self._in_number(known, is_plural=form != phrase)

    def _by_form(self, phrase: Phrase) -> Iterator[str]:
        """The plural of a name that was taught in the singular only, and a word written as two."""
        for form in _singulars(phrase):
            if form in self._things:
                yield self._in_number(self._things[form].name, is_plural=True)
        if self._is_split(phrase):
            yield self._known["".join(phrase),]

    def _by_part(self, phrase: Phrase) -> Iterator[str]:
        """A name of several words that this is one of: "palm" for "palm tree"."""
        return (self._known[name] for name in self._things if len(name) > 1 and phrase[0] in name)

    def _by_sign(self, phrase: Phrase) -> Iterator[str]:
        """What an emoji shows, by its name in Unicode."""
        if len(phrase) == 1 and len(phrase[0]) == 1 and _is_sign(phrase[0]):
            told = words(unicodedata.name(phrase[0], ""))
            yield from (self._known[(word,)] for word in told if (word,) in self._things)

    def _by_spelling(self, phrase: Phrase) -> Iterator[str]:
        text = " ".join(phrase)
        if len(text) not in FUZZY_LETTERS:
            return
        written = {" ".join(known): name for known, name in self._known.items()}
        for close in difflib.get_close_matches(text, written, n=1, cutoff=LIKENESS):
            if close[0] == text[0] or difflib.SequenceMatcher(None, close, text).ratio() >= SURE_LIKENESS:
                yield written[close]

    def _in_number(self, known: str, *, is_plural: bool) -> str:
        thing = self._things.get(phrase_of(known))
        return thing.plural if is_plural and thing is not None and thing.plural else known


class Lexicons:
    """The lexicon of each model, read when it is first asked for and kept from then on."""

    def __init__(self) -> None:
        self._kept: dict[str, Lexicon | None] = {}

    def of(self, model: ModelInfo) -> Lexicon | None:
        """The model's lexicon; None: it takes any words.

        Raises:
            ModelError: its vocabulary cannot be read.
        """
        if model.name not in self._kept:
            vocabulary = read_vocabulary(model)
            self._kept[model.name] = None if vocabulary is None else Lexicon(vocabulary, read_everyday_words())
        return self._kept[model.name]


def read_vocabulary(model: ModelInfo) -> Vocabulary | None:
    """The vocabulary in the model's folder; None: it has none, so it takes any words.

    Raises:
        ModelError: the file is there, but it cannot be read.
    """
    path = Path(model.source) / VOCABULARY_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Vocabulary)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error)
    raise ModelError(
        f"The vocabulary of the model “{model.name}” is damaged; fetch {path} anew, or remove it and the model "
        f"takes any words ({reason})."
    )


def read_everyday_words() -> EverydayWords:
    """The words that ship with this package."""
    return msgspec.json.decode(EVERYDAY_FILE.read_bytes(), type=EverydayWords)


def words(text: str) -> list[Word]:
    """The words of a text in lower case; hyphens part words, and each sign such as an emoji is a word of its own."""
    kept = []
    for character in unicodedata.normalize("NFC", text).replace("’s", "").replace("'s", "").casefold():
        if unicodedata.category(character)[0] in "LMN" or character in "'’":
            kept.append(character)
        else:
            kept.append(f" {character} " if _is_sign(character) else " ")
    found = (word.strip("'’") for word in "".join(kept).split())
    return [word for word in found if any(character.isalnum() or _is_sign(character) for character in word)]


def phrase_of(text: str) -> Phrase:
    """The text as a phrase, to be compared with others."""
    return tuple(words(text))


def _is_sign(character: str) -> bool:
    return unicodedata.category(character) == "So"


def _singulars(phrase: Phrase) -> Iterable[Phrase]:
    """What the phrase may be the plural of."""
    *before, last = phrase
    for ending, instead in (("ies", "y"), ("ves", "f"), ("men", "man"), ("es", ""), ("s", "")):
        if last.endswith(ending) and len(last) > len(ending) + 1:
            yield (*before, last.removesuffix(ending) + instead)
