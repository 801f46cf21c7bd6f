"""Holds a prompt that a language model proposes against the one that was made word by word.

Proposed is the parent's prompt with a change made in it. What the change does not name must still be there and belong
together as before, what it asks for must be there, and nothing else may have come in. Bags of stems and noun phrases
are compared, so a proposal may put things in another order and join them otherwise; it is no judge of style.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from explainer.language import stem, words
from explainer.revise.draft import Change
from explainer.revise.phrases import Nlp, lemma_of_word, noun_phrases

LONGER: Final = 40  # characters by which a proposal may exceed what it is made from
_NO_PROMPT: Final = re.compile(r"https?://|www\.|[@<>{}\[\]`|\\]|\*\*|:\s|\n")
_LIGHT: Final = frozenset(words("a an the and with wear of be as in at to its his her their some it"))  # may change
_DIRECTIONS: Final = frozenset(
    stem(word)
    for word in words(
        "make turn change let have put add give take want like look please draw paint show try see get keep do use"
        " rather more much bit now just also too again instead same but so can could should would you i me we"
        " picture image one them that this there"
    )
)
_NEGATIONS: Final = frozenset(words("no not n't never without nothing nobody none less fewer nor neither"))
_NAMING: Final = frozenset({"NOUN", "PROPN", "ADJ", "NUM"})


def objections(
    nlp: Nlp, prompt: str, message: str, after: str, changes: tuple[Change, ...], proposal: str
) -> list[str]:
    """Why a proposal may not stand, in words that quote nobody; empty where it may.

    Args:
        nlp: spaCy's model.
        prompt: before the change.
        message: that asks for the change.
        after: the prompt as it was changed word by word.
        changes: what was understood of the message; where `append` is among them, `after` only has it at its end.
        proposal: the prompt to be judged.
    """
    if not proposal.strip() or _NO_PROMPT.search(proposal):
        return ["it is no prompt"]
    if len(proposal) > max(len(after), len(prompt) + len(message)) + LONGER:
        return ["it is too long"]
    before, wanted, now, said = (_bag(nlp, text) for text in (prompt, after, proposal, message))
    said = Counter({word: count for word, count in said.items() if word not in _DIRECTIONS})
    understood = all(change.kind != "append" for change in changes)
    if understood:
        must, may, named = wanted, wanted | said, before - wanted
    elif any(token.lower_ in _NEGATIONS for token in nlp(message)):
        return ["what it denies was not understood"]
    else:
        named = Counter({word: count for word, count in before.items() if word in said})
        asked = Counter({word: 1 for word in _naming(nlp, message) if word in said and word not in before})
        must, may = (before - named) + asked, before | said
    found = []
    if must - now:
        found.append("something is missing")
    if now - may:
        found.append("something else came in")
    if understood and any(now[word] > wanted[word] for word in named):
        found.append("something is still there that was to go")
    kept, things = _things(nlp, prompt), _things(nlp, proposal)
    if understood:
        stays = not (kept & _things(nlp, after)) - things
    else:
        new = set(said) - set(before)
        stays = all(_is_among(thing, things, new) for thing in kept if not set(thing) & set(named))
    if not stays:
        found.append("something that was to stay has changed")
    heads = {thing[0] for thing in _things(nlp, after)}
    if understood and any(thing[0] in heads for thing in things - _things(nlp, after)):
        found.append("something is described otherwise")
    return found


def _is_among(thing: tuple[str, ...], things: Counter[tuple[str, ...]], new: set[str]) -> bool:
    """Whether the thing is there as it was, or only described by what is new as well."""
    return any(other[0] == thing[0] and set(thing) <= set(other) and set(other) - set(thing) <= new for other in things)


def _bag(nlp: Nlp, text: str) -> Counter[str]:
    """The stems of the words that say something, each as often as it occurs."""
    words = (
        lemma_of_word(token.text, token.lemma_) for token in nlp(text) if not token.is_punct and not token.is_space
    )
    return Counter(stem(word) for word in words if word not in _LIGHT)


def _naming(nlp: Nlp, text: str) -> Iterator[str]:
    """The stems of what a message names: things, and how they look."""
    for token in nlp(text):
        if token.pos_ in _NAMING:
            yield stem(lemma_of_word(token.text, token.lemma_))


def _things(nlp: Nlp, text: str) -> Counter[tuple[str, ...]]:
    """The noun phrases: the stem of each one's head, then those of what describes it, in order of the alphabet."""
    found: Counter[tuple[str, ...]] = Counter()
    for phrase in noun_phrases(nlp, text):
        described = sorted(_bag(nlp, text[phrase.start : phrase.head_start]))
        found[(stem(phrase.lemma), *described)] += 1
    return found
