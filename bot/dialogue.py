"""Conversations on Discord: what was heard goes to `bot.talk`, what comes back becomes a message.

Cogs and buttons call this; it knows messages and interactions, but decides nothing of what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import discord

from bot import answers, letters, topics, wording
from bot.changes import REWORDED, discord_change, method_words
from bot.errors import NotAllowed, NotThere
from bot.figures import answer_figure
from bot.known_words import unknown_sentence
from bot.places import SOURCE, bot_sees, message_place, owner_in, owner_of, viewer_in, viewer_of
from bot.postbox import Attachment
from bot.revising import Onward
from bot.routing import Wanted
from bot.talk import MADE_HOW, SAY_WHAT, Missing, Reply, Utterance
from bot.trials import Trial, offered, plan_of
from bot.views.talk import unsure_buttons
from explainer.passages import Passage, load_passages
from generation.pictures.starting import check_size, starting_picture
from generation.request import GenerationRequest
from generation.studio import Job, Origin, Picture
from store.conversations import EvidenceRow

if TYPE_CHECKING:
    from bot.client import DarkroomBot

QUOTE_LIMIT = 300  # characters of a question that is shown above its answer
THREAD_NAME_LIMIT = 60
THREAD_HELLO = "Ask me anything about this picture, or say what to draw."
HEARS_LITTLE = "I only hear messages here that mention me, or that reply to one of mine."
CONTENT_LIMIT = 1_990  # characters of a message, with a few to spare
STILL_NEW = timedelta(minutes=10)  # in which a message that is edited to speak to the bot is answered
NOTE_LIMIT = 1_900  # characters above a picture to come
_PICTURE = re.compile(r"^darkroom:(?:again|strip|original|delete|ask|talk|lineage):(\d+)$")


class Dialogue:
    """The talk of one bot."""

    def __init__(self, bot: DarkroomBot) -> None:
        self._bot = bot
        self._passages: dict[str, Passage] = {}
        self._following: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()  # by message

    # --- asking --------------------------------------------------------------------------------

    async def ask(
        self,
        interaction: discord.Interaction,
        question: str,
        picture: int | None,
        *,
        private: bool = False,
        quote: bool = False,
    ) -> None:
        """Answer a question that came by a command, a form or a menu.

        `private`: the person alone sees the answer. `quote`: the question stands above it, as nobody else has seen it.
        """
        private = private or (interaction.message is not None and interaction.message.flags.ephemeral)
        await interaction.response.defer(ephemeral=private, thinking=True)
        utterance = Utterance(
            person=owner_of(interaction),
            viewer=viewer_of(interaction, alone=private),
            text=question,
            about=picture,
            private=private,
        )
        reply = await self._bot.talk.ask(utterance)
        above = f"> {wording.shown(question, QUOTE_LIMIT)}\n" if quote else ""
        await self._send_answer(interaction, reply, above)

    async def how_made(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Tell the person alone how the picture in a message was made.

        Raises:
            NotThere: there is none of ours in it.
        """
        picture = picture_in(message)
        if picture is None:
            raise NotThere("There is no picture of mine in that message.")
        await self.ask(interaction, MADE_HOW, picture, private=True)

    async def settle(self, interaction: discord.Interaction, turn: int, intent: Wanted) -> None:
        """The person has said how what they said was meant."""
        if intent == "ask":
            await interaction.response.defer(thinking=True)
        reply = await self._bot.talk.settle(turn, intent, owner_of(interaction), viewer_of(interaction))
        if reply.request is not None:
            await self._paint(interaction, reply.request, reply)
            return
        if not interaction.response.is_done():
            await interaction.response.defer(thinking=True)
        await self._send_answer(interaction, reply, "")

    async def other_way(self, interaction: discord.Interaction, picture: int) -> None:
        """Make the change that a picture was by another method."""
        private = interaction.message is not None and interaction.message.flags.ephemeral
        await interaction.response.defer(ephemeral=private, thinking=True)  # a mask has to be looked for first
        viewer = viewer_of(interaction, alone=private)
        onward = await self._bot.talk.other_way(picture, viewer, owner_of(interaction))
        note = await self._note(onward.request, onward)
        await self._bot.delivery.ask(interaction, onward.request, origin=onward.origin(None), note=note)

    async def try_offer(self, interaction: discord.Interaction, turn: int) -> None:
        """Make the experiment that an answer offered, for the person who pressed.

        Raises:
            NotThere: the offer, or its picture, is gone or not for them.
            RequestError: it cannot be made.
            QueueFull: the person has too many jobs waiting.
        """
        private = interaction.message is not None and interaction.message.flags.ephemeral
        trial = offered(await self._bot.memory.stands_on(turn))
        picture = await self._bot.conversation.seen(viewer_of(interaction, alone=private), trial.picture)
        plan = plan_of(trial, picture, self._bot.laboratory)
        await self._bot.comparisons.make(interaction, plan, private=private)

    async def _try_for(self, message: discord.Message, trial: Trial) -> None:
        """Make the experiment that the person has agreed to in a message."""
        picture = await self._bot.conversation.seen(viewer_in(message), trial.picture)
        plan = plan_of(trial, picture, self._bot.laboratory)
        known = await self._bot.laboratory.known(plan)
        if known is None:
            await self._bot.delivery.reply(message, plan.heaviest, Origin(), study=plan)
            return
        letter = await letters.studied(known)
        reference = message.to_reference(fail_if_not_exists=False)
        files = [attachment.upload() for attachment in letter.attachments]
        await message.channel.send(
            embeds=list(letter.embeds), files=files, view=letter.buttons(), reference=reference, mention_author=False
        )

    async def _paint(self, interaction: discord.Interaction, request: GenerationRequest, reply: Reply) -> None:
        unknown = self._bot.conversation.unknown_words(request)
        if unknown and reply.onward is None:
            await self._bot.offers.ask_first(interaction, request, unknown, strip=False, origin=reply.origin)
        else:
            note = await self._note(request, reply.onward)
            await self._bot.delivery.ask(interaction, request, origin=reply.origin, note=note)

    async def _send_answer(self, interaction: discord.Interaction, reply: Reply, above: str) -> None:
        looks = await self._looks(reply, above)
        sent = await interaction.followup.send(**looks, wait=True)
        await self._carried(reply, sent.id)

    async def _looks(self, reply: Reply, above: str = "") -> dict[str, Any]:
        """Arguments for sending a reply."""
        if reply.answer is None:
            if reply.shown is not None:
                return await self._shown_again(reply.shown, above + reply.text)
            looks: dict[str, Any] = {"content": above + reply.text}
            return looks | ({"view": unsure_buttons(reply.turn, reply.between)} if reply.intent == "unsure" else {})
        figure = await answer_figure(reply.answer, self._bot.conversation)
        looks = {
            "content": above + answers.answer_text(reply.answer),
            "view": answers.answer_buttons(reply.answer, reply.answering),
        }
        return looks | ({"file": figure.upload()} if figure else {})

    async def _shown_again(self, picture: Picture, text: str) -> dict[str, Any]:
        """Arguments for sending a picture that is there already."""
        letter = await letters.finished(picture, marking=self._bot.marking)
        files = [attachment.upload() for attachment in letter.attachments]
        return {"content": text, "embeds": list(letter.embeds), "files": files, "view": letter.buttons()}

    async def _carried(self, reply: Reply, message_id: int) -> None:
        if reply.answering is not None:
            await self._bot.memory.carried(reply.answering, str(message_id))

    # --- messages ------------------------------------------------------------------------------

    async def hear(self, message: discord.Message, text: str) -> None:
        """Answer a message that speaks to the bot."""
        async with self._one_by_one(message.id):
            await self._hear(message, text)

    async def _hear(self, message: discord.Message, text: str) -> None:
        async with message.channel.typing():
            start = await starting_picture_in(message.attachments)
            if start is not None and not text:
                await message.channel.send(SAY_WHAT, reference=message.to_reference(fail_if_not_exists=False))
                return
            reply = await self._bot.talk.hear(await self._utterance(message, text, start))
        if reply.trial is not None:
            await self._try_for(message, reply.trial)
        elif reply.request is not None:
            note = _with_line(await self._note(reply.request, reply.onward), await self._hears(message, reply))
            await self._bot.delivery.reply(message, reply.request, reply.origin, note)
        else:
            await self._answer(message, reply)

    async def _answer(self, message: discord.Message, reply: Reply) -> None:
        """Answer a message in words."""
        reference = message.to_reference(fail_if_not_exists=False)
        looks = await self._looks(reply)
        looks["content"] = _with_line(looks["content"], await self._hears(message, reply))
        sent = await message.channel.send(**looks, reference=reference, mention_author=False)
        await self._carried(reply, sent.id)

    async def _hears(self, message: discord.Message, reply: Reply) -> str | None:
        """What the bot hears where the message stands, if that is little and was not said there yet.

        It is said once on a server, and once in each thread; the bot's own begin with it.
        """
        if message.guild is None or self._bot.intents.message_content:
            return None
        thread = message.channel if isinstance(message.channel, discord.Thread) else None
        if thread is not None and thread.owner_id == message.guild.me.id:
            return None
        spoken_to = await self._bot.memory.spoken_to(viewer_in(message), thread=thread is not None, before=reply.turn)
        return None if spoken_to else HEARS_LITTLE

    async def _note(self, request: GenerationRequest, onward: Onward | None) -> str | None:
        """What is told above a picture to come: the change, by which method and from which picture; unknown words."""
        lines = []
        if onward is not None:
            before = onward.parent.run.request
            if onward.method != "again":
                lines.append(discord_change(before.prompt, request.prompt))
            if request.negative_prompt != before.negative_prompt:
                lines.append(f"Without: {discord_change(before.negative_prompt, request.negative_prompt)}")
            how = method_words(onward.method, request)
            lines.append(f"-# {how[0].upper()}{how[1:]} · from {await self._link(onward.parent)}")
            lines += [f"-# {REWORDED[0].upper()}{REWORDED[1:]}"] if onward.reworded else []
        lines += [unknown] if (unknown := self._unknown_note(request)) else []
        return "\n".join(lines)[:NOTE_LIMIT] or None

    async def _link(self, picture: Picture) -> str:
        """The picture by its number, with the way to its message where there is one."""
        job = await self._bot.parts.studio.job(picture.job)
        place = None if job is None else message_place(job)
        if place is None:
            return f"picture {picture.id}"
        guild = "@me" if place.guild_id is None else place.guild_id
        return f"[picture {picture.id}](https://discord.com/channels/{guild}/{place.channel_id}/{place.message_id})"

    def _unknown_note(self, request: GenerationRequest) -> str | None:
        """Which words the model will not understand, told beforehand."""
        lexicon, unknown = self._bot.conversation.lexicon(request.model), self._bot.conversation.unknown_words(request)
        if lexicon is None or not unknown:
            return None
        return unknown_sentence(request.model, lexicon, unknown, lambda word: f"“{wording.shown(word)}”")[:1_900]

    async def follow_edit(self, message: discord.Message, text: str) -> None:
        """A message was edited: so is what came of it, as far as nothing has been painted yet; else that is offered."""
        async with self._one_by_one(message.id):
            said = await self._bot.memory.said_in(SOURCE, str(message.id))
            if said is None and _edited_lately(message):  # it did not speak to the bot before
                await self._hear(message, text)
            if said is None or said == text:
                return
            utterance = await self._utterance(message, text, await starting_picture_in(message.attachments))
            reply = await self._bot.talk.edited(str(message.id), utterance)
            if reply is not None and reply.replaces is not None:
                reply = await self._instead_of(reply.replaces, utterance, reply)
            if reply is not None:
                await self._answer_again(message, reply)

    async def _instead_of(self, job: Job, utterance: Utterance, reply: Reply) -> Reply | None:
        """Let a reply take the place of a job on its way; what is still to be said after that."""
        if reply.request is None:
            await self._bot.delivery.withdraw(job)
            return reply
        note = await self._note(reply.request, reply.onward)
        if await self._bot.delivery.replace(job, reply.request, reply.origin, note):
            return None
        return await self._bot.talk.offered(utterance, reply)  # it has ended in this moment

    async def _answer_again(self, message: discord.Message, reply: Reply) -> None:
        """Change the message that carries the answer to what is said now; a new one where there was none."""
        turn = None if reply.answering is None else await self._bot.memory.turn(reply.answering)
        if turn is None or turn.message is None:
            await self._answer(message, reply)
            return
        looks: dict[str, Any] = {"embeds": [], "view": None, **await self._looks(reply)}
        files = [*looks.pop("files", ()), *([looks.pop("file")] if "file" in looks else ())]
        answer = message.channel.get_partial_message(int(turn.message))  # type: ignore[union-attr]  # each that has messages can
        with contextlib.suppress(discord.NotFound, discord.Forbidden):
            await answer.edit(**looks, attachments=files)

    async def follow_deletion(self, channel_id: int, message_ids: Collection[int]) -> None:
        """Messages were deleted: what they said is forgotten, the answers go, and what they asked for is cancelled."""
        async with contextlib.AsyncExitStack() as following:
            for message in sorted(message_ids):
                await following.enter_async_context(self._one_by_one(message))
            messages = [str(message) for message in message_ids]
            for job in await self._bot.parts.studio.asked_by_messages(SOURCE, messages):
                if job.place is not None and job.place.message not in messages:  # else only its answer was deleted
                    await self._bot.delivery.withdraw(job)
            left = await self._bot.memory.deleted(SOURCE, messages)
        channel = self._bot.get_partial_messageable(channel_id)
        for answer in left:
            with contextlib.suppress(discord.NotFound, discord.Forbidden):
                await channel.get_partial_message(int(answer)).delete()

    def _one_by_one(self, message: int) -> asyncio.Lock:
        """Held by whoever follows what becomes of a message."""
        return self._following.setdefault(message, asyncio.Lock())

    async def _utterance(self, message: discord.Message, text: str, start: bytes | None = None) -> Utterance:
        about = await self._pointed_at(message)
        return Utterance(
            person=owner_in(message),
            viewer=viewer_in(message),
            text=text,
            about=about if isinstance(about, int) else None,
            missing=None if isinstance(about, int) else about,
            start=start,
            message=str(message.id),
        )

    async def _pointed_at(self, message: discord.Message) -> int | Missing | None:
        """The picture that the message replies to, or why there is none in what it replies to."""
        reference = message.reference
        if reference is None or reference.message_id is None:
            return None
        resolved = reference.resolved
        if isinstance(resolved, discord.DeletedReferencedMessage):
            return "deleted"
        if isinstance(resolved, discord.Message) and resolved.author == self._bot.user:
            if (found := picture_in(resolved)) is not None:
                gone = await self._bot.parts.studio.picture(found) is None
                return "deleted" if gone else found
            if await self._bot.parts.studio.is_awaited_in(str(resolved.id)):
                return "unfinished"
        return await self._bot.memory.picture_of_message(SOURCE, str(reference.message_id))

    # --- showing -------------------------------------------------------------------------------

    async def open_thread(self, interaction: discord.Interaction, picture_id: int) -> None:
        """Open a thread under the message with a picture.

        Raises:
            NotAllowed: threads cannot be opened there.
        """
        message = interaction.message
        if interaction.guild is None or message is None or message.flags.ephemeral:
            raise NotAllowed("We talk alone here already: just write to me, or press Ask.")
        if isinstance(interaction.channel, discord.Thread):
            raise NotAllowed("This is a thread already: just reply to the picture, or mention me.")
        if not bot_sees(interaction) or not interaction.app_permissions.create_public_threads:
            raise NotAllowed("I may not open threads in this channel; reply to the picture instead, or press Ask.")
        picture = await self._bot.conversation.seen(viewer_of(interaction), picture_id)
        await interaction.response.defer(ephemeral=True, thinking=True)
        name = wording.shortened(picture.run.request.prompt, THREAD_NAME_LIMIT)
        partial = self._bot.get_partial_messageable(message.channel.id, guild_id=interaction.guild_id)
        whole = await partial.fetch_message(message.id)
        thread = whole.thread or await whole.create_thread(name=name)
        hears = self._bot.intents.message_content
        hello = THREAD_HELLO + ("" if hears else f" {HEARS_LITTLE}")
        await thread.send(hello)
        viewer = viewer_of(interaction)
        viewer = type(viewer)(**vars(viewer) | {"channels": (str(thread.id), *viewer.channels)})
        about = EvidenceRow(kind="about", ref=f"picture {picture_id}", quote="", picture_id=picture_id)
        await self._bot.talk.say(owner_of(interaction), viewer, hello, [about])
        await interaction.followup.send(f"Let's talk in {thread.mention}.", ephemeral=True)

    async def show_lineage(self, interaction: discord.Interaction, picture_id: int) -> None:
        """Show the person alone which pictures a picture comes from, and what came of it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        private = interaction.message is not None and interaction.message.flags.ephemeral
        tree = await self._bot.conversation.lineage(picture_id, viewer_of(interaction, alone=private))
        figure = Attachment(name="lineage.png", content=tree, description=f"The family of picture {picture_id}")
        card = discord.Embed(description="Every number is a picture: `/explain picture:` takes it.")
        card.set_image(url=f"attachment://{figure.name}")
        await interaction.followup.send(embed=card, file=figure.upload(), ephemeral=True)

    async def read(self, interaction: discord.Interaction, passage: str) -> None:
        """Show the person alone a passage.

        Raises:
            NotThere: there is no such passage (any more).
        """
        card = answers.passage_card(await self._passage(passage))
        await interaction.response.send_message(embed=card, ephemeral=True)

    async def show_topic(self, interaction: discord.Interaction, number: int) -> None:
        """Go to a stop of the guided conversation, in the message that was pressed or in a new one."""
        number %= len(topics.STOPS)
        passage = await self._passage(topics.STOPS[number].passage)
        card, buttons = topics.topic_card(number, passage), topics.topic_buttons(number, passage)
        if interaction.message is None:
            await interaction.response.send_message(embed=card, view=buttons)
        else:
            await interaction.response.edit_message(embed=card, view=buttons)
        stands_on = [EvidenceRow(kind="passage", ref=passage.id, quote=passage.text)]
        await self._bot.talk.say(owner_of(interaction), viewer_of(interaction), passage.text, stands_on)

    async def _passage(self, name: str) -> Passage:
        if not self._passages:
            self._passages = {passage.id: passage for passage in await asyncio.to_thread(load_passages)}
        if name not in self._passages:
            raise NotThere("That passage is not there any more.")
        return self._passages[name]


def _edited_lately(message: discord.Message) -> bool:
    """Whether its author has edited a message that is new enough to be answered still."""
    return message.edited_at is not None and discord.utils.utcnow() - message.created_at < STILL_NEW


def _with_line(text: str | None, line: str | None) -> str | None:
    """The text of a message with a line in small print below it, where there is room."""
    if line is None or len(text or "") + len(line) > CONTENT_LIMIT:
        return text
    return f"{text}\n-# {line}" if text else f"-# {line}"


async def starting_picture_in(attachments: Sequence[discord.Attachment]) -> bytes | None:
    """The picture of theirs that people have sent along first, made fit to start from; None: they sent none.

    Raises:
        RequestError: it will not do; the sentence says why.
    """
    if not attachments:
        return None
    check_size(attachments[0].size)
    return await asyncio.to_thread(starting_picture, await attachments[0].read())


def picture_in(message: discord.Message) -> int | None:
    """The picture that a message of the bot's shows, by its buttons."""
    for row in message.components:
        for item in getattr(row, "children", ()):
            found = _PICTURE.match(getattr(item, "custom_id", None) or "")
            if found and found[1] != "0":
                return int(found[1])
    return None
