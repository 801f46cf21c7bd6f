"""What Discord shows of models: the words that one does not know, one model whole, all models in short.

Keeps within Discord's limits: 4,096 characters of a description, 1,024 of a field, 6,000 of a message's
embeds together, 25 fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import discord

from bot import known_words, wording
from bot.cards import WAITING_COLOUR
from generation.events import Ready
from generation.models import ModelInfo, Models
from generation.vocabulary import Lexicon, Vocabulary

WORD_LIMIT = 40  # characters shown of one unknown word
NAME_LIMIT = 60
TITLE_LIMIT = 120
WEIGHTS_LIMIT = 160
THINGS_LIMIT = 3_000  # characters of the list of things
TOPIC_LIMIT = 500
MOST_MODELS = 12  # in one message


def unknown_words(model: str, lexicon: Lexicon, unknown: Sequence[str]) -> str:
    """The sentence that names the unknown words, for a message."""

    def marked(word: str) -> str:
        return f"*{wording.shown(word, WORD_LIMIT)}*"

    return known_words.unknown_sentence(_plain(model, NAME_LIMIT), lexicon, unknown, marked)


def model(info: ModelInfo, lexicon: Lexicon | None, ready: Ready | None = None) -> discord.Embed:
    """One model with all its words. `ready`: what the worker says of it."""
    weights = _plain(known_words.weights_line(info, ready), WEIGHTS_LIMIT)
    lines = [_plain(info.title, TITLE_LIMIT), known_words.settings_line(info), *([weights] if weights else []), ""]
    vocabulary = None if lexicon is None else lexicon.vocabulary
    if vocabulary is None:
        lines.append("It takes any words.")
    else:
        lines.append(f"**It knows {known_words.words_line(vocabulary)}:** {_things(vocabulary)}")
    card = discord.Embed(
        title=_plain(info.name, NAME_LIMIT), description="\n".join(lines).strip(), colour=WAITING_COLOUR
    )
    for heading, text in known_words.topics(vocabulary) if vocabulary is not None else ():
        card.add_field(name=heading, value=_plain(text, TOPIC_LIMIT), inline=False)
    return card


def models(known: Models, lexicons: Iterable[Lexicon | None], ready: Ready | None = None) -> discord.Embed:
    """All models in short; the first is the default. `ready`: what the worker says of them."""
    card = discord.Embed(title="The models here", colour=WAITING_COLOUR)
    for info, lexicon in list(zip(known.all, lexicons, strict=True))[:MOST_MODELS]:
        name = _plain(info.name, NAME_LIMIT) + (", unless you name another" if info is known.default else "")
        knows = known_words.words_line(None if lexicon is None else lexicon.vocabulary)
        weights = _plain(known_words.weights_line(info, ready), WEIGHTS_LIMIT)
        lines = (_plain(info.title, TITLE_LIMIT), known_words.settings_line(info), weights, f"Knows {knows}")
        card.add_field(name=name, value="\n".join(line for line in lines if line), inline=False)
    if len(known.all) > MOST_MODELS:
        card.set_footer(text=f"And {len(known.all) - MOST_MODELS} more; name one with the option “model”.")
    else:
        card.set_footer(text="Name one with the option “model” to see all that it knows.")
    return card


def _things(vocabulary: Vocabulary) -> str:
    """As many things as fit, by the alphabet, and how many more there are."""
    names = known_words.thing_names(vocabulary)
    shown, length = 0, 0
    while shown < len(names) and (length := length + len(names[shown]) + 2) <= THINGS_LIMIT:
        shown += 1
    more = len(names) - shown
    return wording.escaped(", ".join(names[:shown])) + (f" and {more} more" if more else "")


def _plain(text: str, limit: int) -> str:
    return wording.escaped(wording.shortened(text, limit))
