"""The guided conversation of `/topics`: diffusion, then the five themes, one passage at a time. Sends nothing."""

from __future__ import annotations

import dataclasses

import discord

from bot.views import talk as views
from explainer.passages import Passage


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stop:
    """One stop on the way."""

    passage: str
    title: str
    lead: str  # what leads over from the stop before


STOPS = (
    Stop(
        passage="diffusion/reverse-process",
        title="How I make a picture",
        lead="Six short stops: first what I do, then five ways in which it is like your imagination, or not.",
    ),
    Stop(
        passage="themes/shared-pattern-prediction",
        title="Both predict patterns",
        lead="That was noise and prediction. You predict too, all the time.",
    ),
    Stop(
        passage="themes/meaning-and-correlation",
        title="Meaning, or correlation?",
        lead="So we both predict. But what do the words that steer it mean, and to whom?",
    ),
    Stop(
        passage="themes/simulating-world-and-data",
        title="Simulating the world, simulating data",
        lead="Words aside: what is it that is being imitated?",
    ),
    Stop(
        passage="themes/goals-and-prompts",
        title="Whose goal is it?",
        lead="Imitating is one thing; wanting to is another.",
    ),
    Stop(
        passage="themes/learning-and-frozen-weights",
        title="Learning always, and frozen weights",
        lead="One last difference, and perhaps the plainest.",
    ),
)


def topic_card(number: int, passage: Passage) -> discord.Embed:
    """A stop, with questions to go on from."""
    stop = STOPS[number]
    card = discord.Embed(title=stop.title, description=f"*{stop.lead}*\n\n{passage.text}"[:4_096])
    card.add_field(name="You could ask", value="\n".join(f"• {question}" for question in passage.questions[:2]))
    return card.set_footer(text=f"Stop {number + 1} of {len(STOPS)}")


def topic_buttons(number: int, passage: Passage) -> discord.ui.View:
    """*Next*, *Ask* and the sources; at the end back to the beginning."""
    view = discord.ui.View(timeout=None)
    following = views.Topic((number + 1) % len(STOPS))
    if number + 1 == len(STOPS):
        following.item.label, following.item.style = "From the beginning", discord.ButtonStyle.secondary
    view.add_item(following).add_item(views.Ask(0))
    return view.add_item(views.Read(passage.id, passage.title))
