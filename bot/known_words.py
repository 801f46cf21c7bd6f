"""Tells people what a model knows and which of their words it does not: sentences and lists for every front end.

Decides nothing and sends nothing. How a word that somebody typed is set off from the text around it is the
front end's to say (`Mark`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.wording import counted
from generation.events import Ready
from generation.models import ModelInfo
from generation.vocabulary import Lexicon, Vocabulary

MOST_NAMED = 5  # unknown words in one sentence
FINGERPRINT_SHOWN = 16  # hexadecimal digits
EXAMPLES = 4  # known things, where nothing comes near

Mark = Callable[[str], str]


def unknown_sentence(model: str, lexicon: Lexicon, unknown: Sequence[str], mark: Mark) -> str:
    """One sentence that names the unknown words and what the model knows instead.

    Args:
        model: its name, as it stands in the sentence.
        unknown: at least one word, as `Lexicon.unknown` gives them.
        mark: sets a word off.
    """
    named = unknown[:MOST_NAMED]
    nearest = {word: near for word in named if (near := lexicon.nearest(word))}
    more = len(unknown) - len(named)
    words = [mark(word) for word in named] + ([counted(more, "more word")] if more else [])
    return (
        f"The {model} model does not know {_listed(words, 'or')}; {_instead(lexicon.vocabulary, nearest, named, mark)}."
    )


def _instead(vocabulary: Vocabulary, nearest: dict[str, tuple[str, ...]], named: Sequence[str], mark: Mark) -> str:
    if not nearest:
        examples = [mark(thing.name) for thing in vocabulary.things[:EXAMPLES]]
        more = len(vocabulary.things) - len(examples)
        return f"it knows {_listed(examples + ([counted(more, 'more thing')] if more else []), 'and')}"
    if len(named) == 1:
        return f"the nearest it knows is {_listed([mark(near) for near in nearest[named[0]]], 'or')}"
    pairs = [f"{_listed([mark(near) for near in found], 'or')} for {mark(word)}" for word, found in nearest.items()]
    return f"the nearest it knows is {', '.join(pairs)}"


def things_line(vocabulary: Vocabulary) -> str:
    """All things, with their other names in brackets."""
    return ", ".join(thing_names(vocabulary))


def thing_names(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Each thing with its other names in brackets, by the alphabet."""
    lines = []
    for thing in vocabulary.things:
        others = [name for name in thing.names if name != thing.name]
        lines.append(f"{thing.name} ({', '.join(others)})" if others else thing.name)
    return tuple(sorted(lines, key=str.casefold))


def topics(vocabulary: Vocabulary) -> tuple[tuple[str, str], ...]:
    """What the model knows beside things: a heading and a list each."""
    faces = [thing.name for thing in vocabulary.things if thing.face]
    worn = f"{', '.join(vocabulary.accessories)}; on {', '.join(faces)}" if faces and vocabulary.accessories else ""
    lists = (
        ("Colours, also of the background", ", ".join(vocabulary.colours)),
        ("How many", ", ".join(vocabulary.counts)),
        ("Two things together", ", ".join(vocabulary.relations)),
        ("To wear", worn),
        ("To ride", ", ".join(vocabulary.mounts)),
    )
    return tuple((heading, text) for heading, text in lists if text)


def settings_line(model: ModelInfo) -> str:
    """What the model does unless told otherwise, and its limits."""
    low, high = model.min_side, model.max_side
    sides = "no other size" if low == high else f"sides of {low} to {high} pixels in multiples of {model.size_multiple}"
    return (
        f"{counted(model.steps, 'step')}, at most {model.max_steps} · guidance {model.guidance_scale:g} · "
        f"{model.width}×{model.height}, {sides}"
    )


def weights_line(model: ModelInfo, ready: Ready | None) -> str:
    """Whether the model is in memory, with its fingerprint, which stays the same whatever people say or ask."""
    if ready is None:
        return ""
    if model.name in ready.unusable:
        return ready.unusable[model.name]
    if model.name not in ready.weights_sha256:
        return "Not in memory now; loaded when somebody asks for it"
    parts = (f"Weights {ready.weights_sha256[model.name][:FINGERPRINT_SHOWN]}", ready.sharing.get(model.name))
    return " · ".join(part for part in parts if part)


def words_line(vocabulary: Vocabulary | None) -> str:
    """How many things the model knows."""
    return "any words" if vocabulary is None else f"{counted(len(vocabulary.things), 'thing')} and no more"


def _listed(items: Sequence[str], conjunction: str) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {conjunction} {items[-1]}"
