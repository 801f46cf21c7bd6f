"""Interaction callbacks and what an interaction's token may do: `/interactions`, `/webhooks`."""

from __future__ import annotations

from typing import Any

from bot.playground.interactions import Interactions
from bot.playground.rest.call import Call, Route
from bot.playground.world import World

_WEBHOOK = "/webhooks/{application}/{token:text}"
_MESSAGE = _WEBHOOK + "/messages/{message:text}"


class WebhookRoutes:
    """The endpoints that an interaction's token opens."""

    def __init__(self, world: World, interactions: Interactions) -> None:
        self._world = world
        self._interactions = interactions

    def routes(self) -> tuple[Route, ...]:
        """The endpoints; none needs the bot's own token."""
        return (
            Route("POST", "/interactions/{interaction}/{token:text}/callback", self.answer, needs_bot=False),
            Route("POST", _WEBHOOK, self.follow_up, bucket="webhook", major="token", needs_bot=False),
            Route("GET", _MESSAGE, self.get, needs_bot=False),
            Route("PATCH", _MESSAGE, self.edit, bucket="webhook", major="token", needs_bot=False),
            Route("DELETE", _MESSAGE, self.delete, needs_bot=False),
        )

    async def answer(self, call: Call) -> Any:
        """Answer an interaction."""
        response = await self._interactions.answer(
            call.id("interaction"), call.text("token"), call.fields, call.uploads
        )
        return response if call.query.get("with_response") in ("1", "true") else None

    async def follow_up(self, call: Call) -> Any:
        """Post another message; the webhooks of interactions always wait for it."""
        message = await self._interactions.follow_up(call.text("token"), call.fields, call.uploads)
        return self._world.wire.message(message)

    async def get(self, call: Call) -> Any:
        """A message of this interaction."""
        return self._world.wire.message(self._interactions.fetch(call.text("token"), call.text("message")))

    async def edit(self, call: Call) -> Any:
        """Edit a message of this interaction."""
        message = await self._interactions.edit(call.text("token"), call.text("message"), call.fields, call.uploads)
        return self._world.wire.message(message)

    async def delete(self, call: Call) -> None:
        """Delete a message of this interaction."""
        self._interactions.delete(call.text("token"), call.text("message"))
