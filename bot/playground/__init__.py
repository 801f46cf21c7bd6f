"""A Discord of our own on this machine: REST and gateway v10 for the unmodified bot, a page for people.

Needs no account and no network; see `Playground`.
"""

from bot.playground.driver import Person
from bot.playground.errors import ActionError, NotLoopback, PlaygroundError, PortInUse
from bot.playground.limits import Limits, Rate
from bot.playground.server import Playground, point_discord_py

__all__ = [
    "ActionError",
    "Limits",
    "NotLoopback",
    "Person",
    "Playground",
    "PlaygroundError",
    "PortInUse",
    "Rate",
    "point_discord_py",
]
