"""A change to a picture becomes a request that goes on from it, or the way back to an earlier one.

Decides by which method the change is carried out. Knows no front end; what a message wants is `bot.routing`'s to
say, and whether a picture is for somebody's eyes the store's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from bot.changes import touched_words
from bot.conversation import Conversation
from bot.errors import BotError, NotThere
from bot.routing import Route
from explainer.messages import Changed
from generation.queue import same_person
from generation.request import GenerationRequest
from generation.studio import Origin, Owner, Picture
from store.visibility import Viewer

Method = Literal["again", "seed", "image", "mask"]
METHODS: Final[tuple[Method, ...]] = ("image", "mask", "seed")  # in the order in which *Try another way* takes them
DEFAULT_METHOD: Final[Method] = "image"  # measured best, or within three in a hundred of it: docs/revisions.md
MASK_STRENGTH: Final = 1.0  # the same within the part that is made anew
STRENGTH: Final = 0.5  # how much of the parent is noised away, where a picture begins with it
NOTHING_THERE = "There is no picture here yet that I could change; say what to draw."
DELETED = "That picture is deleted, so I cannot go on from it; reply to another one, or say what to draw."
UNFINISHED = "That picture is still on its way; say it again once it is there."
FIRST_OF_ALL = "Picture {} was not made from another one, so there is nothing to go back to."
NO_WAY_BACK = "The picture before that one is deleted or not for you to see, so I cannot go back to it."
SAID_ALREADY = "The prompt says that already; say “another” for a different picture of it."
CONTRADICTION = "“{}” and “{}” contradict each other; which of them shall it be?"
NOTHING_LEFT = "That is all that picture {} shows, so nothing would be left; say what to draw instead."
NO_OTHER_WAY = "Picture {} is no change to another one; say “another” for a new try."

NOT_UNDERSTOOD = "I did not understand what to change; say it like “make the fox blue” or “without the hat”."


class CannotRevise(BotError):
    """The change cannot be made; the sentence says why, and what can be done."""


@dataclass(frozen=True, kw_only=True)
class Onward:
    """A picture to make from another one."""

    parent: Picture
    request: GenerationRequest
    method: Method
    mask: bytes | None = None  # the part that alone is made anew, for `mask`
    reworded: bool = False  # a language model has put the prompt into these words

    def origin(self, turn: int | None) -> Origin:
        """Where it comes from; `turn` asked for it."""
        files = () if self.mask is None else (self.mask,)
        return Origin(parent=self.parent.id, method=self.method, private=self.parent.private, turn=turn, files=files)


@dataclass(frozen=True, kw_only=True)
class Back:
    """An earlier picture, to be shown once more."""

    picture: Picture
    left: int  # the picture that was gone back from


class Revising:
    """Changes to pictures."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def carry_out(self, route: Route, viewer: Viewer, person: Owner) -> Onward | Back:
        """What follows from the change that a message of this person's asks for.

        Raises:
            CannotRevise: nothing does.
            NotThere: its picture is deleted, or not for the viewer's eyes.
            RequestError: its model cannot make what follows.
        """
        changed = route.changed
        if route.picture is None or changed is None:
            raise CannotRevise(NOTHING_THERE)
        picture = await self._conversation.seen(viewer, route.picture)
        theirs = same_person(picture.owner, person)
        if not theirs and not route.named and self._conversation.losses.lately(person):
            raise CannotRevise(DELETED)  # what is left here is somebody else's
        if changed.conflict is not None:
            raise CannotRevise(CONTRADICTION.format(*changed.conflict))
        if changed.back is not None:
            return await self._back(picture, viewer, to_first=changed.back == "first")
        if changed.again:
            request, _ = await self._conversation.again_request(picture.id)
            return Onward(parent=picture, request=request, method="again")
        if changed.other_way:
            return await self.other_way(picture.id, viewer, person)
        return await self._changed(picture, changed, person)

    async def other_way(self, picture_id: int, viewer: Viewer, person: Owner) -> Onward:
        """The change that a picture was, made by the next method; errors as of `carry_out`."""
        picture = await self._conversation.seen(viewer, picture_id)
        if picture.parent is None or picture.method not in METHODS:
            raise CannotRevise(NO_OTHER_WAY.format(picture.id))
        try:
            parent = await self._conversation.seen(viewer, picture.parent)
        except NotThere as error:
            raise CannotRevise(NO_WAY_BACK) from error
        after = picture.run.request
        method = METHODS[(METHODS.index(picture.method) + 1) % len(METHODS)]
        return await self._onward(parent, method, after.prompt, after.negative_prompt, person)

    async def _changed(self, picture: Picture, changed: Changed, person: Owner) -> Onward:
        before = picture.run.request
        if changed.nothing_left:
            raise CannotRevise(NOTHING_LEFT.format(picture.id))
        same = (changed.prompt, changed.negative_prompt) == (before.prompt, before.negative_prompt)
        if same and changed.shape is None:
            raise CannotRevise(SAID_ALREADY if changed.kinds else NOT_UNDERSTOOD)
        if changed.shape is None:
            onward = await self._onward(picture, DEFAULT_METHOD, changed.prompt, changed.negative_prompt, person)
            return replace(onward, reworded=changed.reworded)
        request = self._conversation.changed_request(
            before, prompt=changed.prompt, negative_prompt=changed.negative_prompt, shape=changed.shape
        )
        return Onward(parent=picture, request=request, method="seed")

    async def _onward(
        self, parent: Picture, method: Method, prompt: str, negative_prompt: str, person: Owner
    ) -> Onward:
        """The change by that method; by the same seed where no part can be told that alone is to be made anew."""
        before = parent.run.request
        mask = None
        if method == "mask":
            words = touched_words(before.prompt, prompt)
            mask = await self._conversation.part(parent, words, person) if words else None
            method = "seed" if mask is None else "mask"
        begun_with = parent.untouched or parent.path
        request = self._conversation.changed_request(
            before,
            prompt=prompt,
            negative_prompt=negative_prompt,
            init_image=None if method == "seed" else begun_with.stem,  # files are named by their content
            strength={"image": STRENGTH, "mask": MASK_STRENGTH}.get(method),
            mask=mask,
        )
        return Onward(parent=parent, request=request, method=method, mask=mask)

    async def _back(self, picture: Picture, viewer: Viewer, *, to_first: bool) -> Back:
        """The picture that another was made from, or the first of its line."""
        if picture.parent is None:
            raise CannotRevise(FIRST_OF_ALL.format(picture.id))
        found = picture
        try:
            while found.parent is not None and (to_first or found is picture):
                found = await self._conversation.seen(viewer, found.parent)
        except NotThere as error:
            raise CannotRevise(NO_WAY_BACK) from error
        return Back(picture=found, left=picture.id)
