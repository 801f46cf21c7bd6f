"""How an answer looks in a message: its words, where they come from, and the buttons under it. Sends nothing."""

from __future__ import annotations

import re

import discord

from bot import wording
from bot.views import talk as views
from explainer.messages import Answer
from explainer.passages import Passage

TEXT_LIMIT = 1_600  # characters of an answer; with its sources it fits a message's 2,000
SOURCES_SHOWN = 3
_LINK = re.compile(r"\]\(")
_CITED = re.compile(r"^picture (\d+)")


def answer_text(answer: Answer) -> str:
    """What is said, and briefly on what it stands."""
    text = harmless(wording.shortened(answer.text, TEXT_LIMIT))
    records = sorted({int(found[1]) for item in answer.evidence if (found := _CITED.match(item.ref))})
    named = [f"the record of picture {number}" for number in records[:2]]
    named += [f"*{wording.escaped(source.title)}*" for source in answer.sources[:SOURCES_SHOWN]]
    return f"{text}\n-# From {', '.join(named)}" if named else text


def harmless(text: str) -> str:
    """The text without mentions and links; emphasis stays."""
    return _LINK.sub("]\u200b(", text).replace("@", "@\u200b").replace("://", ":\u200b//")


def answer_buttons(answer: Answer, turn: int | None) -> discord.ui.View:
    """*Try it* for an experiment that the answer (of that turn) offers, *Read* for each source, and *Ask* for more."""
    view = discord.ui.View(timeout=None)
    if answer.offer is not None and turn is not None:
        view.add_item(views.TryIt(turn))
    for source in answer.sources[:SOURCES_SHOWN]:
        view.add_item(views.Read(source.passage, source.title))
    return view.add_item(views.Ask(answer.picture or 0))


def passage_card(passage: Passage) -> discord.Embed:
    """A passage of the knowledge base, to be read whole."""
    card = discord.Embed(title=wording.shortened(passage.title, 256), description=passage.text[:4_000])
    sources = "\n".join(f"• {source}" for source in passage.sources)
    return card.add_field(name="Sources", value=sources[:1_024] or "What this program knows of itself.")
