"""A person of the playground, to be driven from Python: what tests use in place of the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bot.playground.command_line import parse
from bot.playground.drafts import Upload, walk
from bot.playground.errors import ActionError, PlaygroundError
from bot.playground.interactions import Interaction
from bot.playground.records import Channel, Json, Message, User
from bot.playground.world import Event, World

if TYPE_CHECKING:
    from bot.playground.server import Playground

Place = str | int | Channel  # a channel's name, "dm" for the direct message, an id or the channel
_T = TypeVar("_T")
_LOOK_AGAIN = 0.05  # seconds


async def wait_for(world: World, predicate: Callable[[], _T | None], within: float) -> _T:
    """The first truthy result of `predicate`, asked now, after everything that happens and now and then.

    Raises:
        TimeoutError: it stayed falsy for `within` seconds.
    """
    happened = asyncio.Event()

    def hear(event: Event) -> None:
        happened.set()

    stop = world.listen(hear)
    try:
        async with asyncio.timeout(within):
            while not (result := predicate()):
                happened.clear()
                with suppress(TimeoutError):  # the predicate may look at what the bot did since
                    await asyncio.wait_for(happened.wait(), _LOOK_AGAIN)
            return result
    finally:
        stop()


class Person:
    """One user. Every method acts in `channel`, which is #gallery unless told otherwise."""

    def __init__(self, playground: Playground, user: User) -> None:
        self._playground = playground
        self._actions = playground.actions
        self.id = user.id
        self.name = user.display_name

    def channel(self, place: Place) -> Channel:
        """The channel that `place` names.

        Raises:
            ActionError: there is none.
        """
        world = self._playground.world
        if isinstance(place, Channel):
            return world.channel(place.id)
        if place == "dm":
            return world.direct_channel(self.id)
        for channel in world.channels.values():
            if place in (channel.id, channel.name):
                return channel
        raise ActionError(f"There is no channel {place!r}.")

    def messages(self, channel: Place = "gallery") -> list[Message]:
        """What this person sees there, oldest first."""
        return self._actions.visible_messages(self.id, self.channel(channel).id)

    def json(self, message: Message) -> Json:
        """The message as the API shows it now, links resolved."""
        return self._playground.world.wire.message(self.fresh(message))

    def fresh(self, message: Message) -> Message:
        """The message as it is now."""
        return self._playground.world.message(message.channel_id, message.id)

    # --- talking -------------------------------------------------------------------------------

    async def send(
        self, content: str, *, channel: Place = "gallery", reply_to: Message | None = None,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> Message:  # fmt: skip
        """Send a message; `files` are names with bytes."""
        uploads = [Upload(index, name, data) for index, (name, data) in enumerate(files)]
        return await self._actions.send(
            self.id, self.channel(channel).id, content, reply_to=reply_to.id if reply_to else None, uploads=uploads
        )

    async def edit(self, message: Message, content: str) -> Message:
        """Edit one's own message."""
        return await self._actions.edit(self.id, message.channel_id, message.id, content)

    def delete(self, message: Message) -> None:
        """Delete a message."""
        self._actions.delete(self.id, message.channel_id, message.id)

    def react(self, message: Message, emoji: str, *, on: bool = True) -> Message:
        """Set or take away a reaction."""
        return self._actions.react(self.id, message.channel_id, message.id, emoji, on=on)

    def start_thread(self, name: str, *, channel: Place = "gallery", message: Message | None = None) -> Channel:
        """Start a thread."""
        place = self.channel(message.channel_id if message else channel)
        return self._actions.start_thread(self.id, place.id, name, message_id=message.id if message else None)

    # --- commands ------------------------------------------------------------------------------

    async def slash(self, words: str, *, channel: Place = "gallery", **options: Any) -> Interaction:
        """Run a slash command, e.g. `slash("admin queue", limit=3)`; a file is a `Path` or an `Upload`."""
        place = self.channel(channel)
        command, path = self._actions.find_command(self.id, place.id, words)
        values = {name: _uploaded(value) for name, value in options.items()}
        return await self._actions.run(self.id, place.id, command, path, values)

    async def type(self, line: str, *, channel: Place = "gallery") -> Interaction:
        """Run a command typed as one line, e.g. `/imagine a fox steps: 30`."""
        place = self.channel(channel)
        parsed = parse(line, self._actions.visible_commands(self.id, place))
        return await self._actions.run(self.id, place.id, parsed.command, parsed.path, parsed.values)

    async def autocomplete(
        self, words: str, option: str, text: str, *, channel: Place = "gallery", within: float = 5.0, **options: Any
    ) -> list[Json]:
        """The choices that the bot offers for `text` in `option`."""
        place = self.channel(channel)
        command, path = self._actions.find_command(self.id, place.id, words)
        values = {**options, option: text}
        interaction = self._actions.autocomplete(self.id, place.id, command, path, values, option)
        await self.answered(interaction, within=within)
        return interaction.choices

    async def use_on_message(self, name: str, message: Message) -> Interaction:
        """Run a message context-menu command."""
        command, _ = self._actions.find_command(self.id, message.channel_id, name, kind=3)
        return self._actions.run_on_message(self.id, message.channel_id, command, message.id)

    async def use_on_user(self, name: str, target: object, *, channel: Place = "gallery") -> Interaction:
        """Run a user context-menu command."""
        place = self.channel(channel)
        command, _ = self._actions.find_command(self.id, place.id, name, kind=2)
        return self._actions.run_on_user(self.id, place.id, command, getattr(target, "id", target))

    def commands(self, channel: Place = "gallery") -> list[str]:
        """The names of the commands offered to this person there."""
        return [command.name for command in self._actions.visible_commands(self.id, self.channel(channel))]

    # --- components ----------------------------------------------------------------------------

    async def click(self, message: Message, custom_id: str | None = None, *, label: str | None = None) -> Interaction:
        """Press the button with this custom_id or this label."""
        message = self.fresh(message)
        if custom_id is None:
            labelled = [item for item in walk(list(message.components)) if item.get("label") == label]
            if not labelled:
                raise ActionError(f"That message has no button {label!r}.")
            custom_id = str(labelled[0]["custom_id"])
        return self._actions.use_component(self.id, message.channel_id, message.id, custom_id)

    async def select(self, message: Message, custom_id: str, *values: Any) -> Interaction:
        """Choose in a select."""
        return self._actions.use_component(self.id, message.channel_id, message.id, custom_id, values)

    async def submit_modal(self, opener: Interaction, **values: Any) -> Interaction:
        """Fill in the form that `opener` got for an answer, by custom_id, and send it."""
        return await self._actions.submit_modal(self.id, opener.id, values)

    # --- waiting -------------------------------------------------------------------------------

    async def answered(self, interaction: Interaction, *, within: float = 5.0) -> Interaction:
        """Wait until the bot has answered (perhaps by "thinking").

        Raises:
            PlaygroundError: "This interaction failed".
            TimeoutError: neither happened in time.
        """
        world = self._playground.world
        await wait_for(world, lambda: interaction.failed or self._settled(interaction), within)
        if interaction.failed:
            raise PlaygroundError(f"This interaction failed: {interaction.command or 'component'} got no answer.")
        return interaction

    def _settled(self, interaction: Interaction) -> bool:
        if interaction.answer is None:
            return False
        return interaction.response_id is not None or interaction.modal is not None or interaction.kind == 4

    async def response(self, interaction: Interaction, *, within: float = 5.0) -> Message:
        """The message that answers the interaction, once it is more than "thinking"."""
        await self.answered(interaction, within=within)
        world = self._playground.world

        def finished() -> Message | None:
            message = world.find_message(interaction.channel_id, interaction.response_id or 0)
            return message if message and not message.loading else None

        return await wait_for(world, finished, within)


def _uploaded(value: Any) -> Any:
    return Upload(0, value.name, value.read_bytes()) if isinstance(value, Path) else value
