"""What a person says becomes a request to the studio; what is asked of a picture becomes an answer.

Every front end calls this and hands in plain values and the person; it knows no Discord. Checking a
request (`imagine_request`) touches neither disk nor network, so a mistake is answered at once; a model's
vocabulary is read from disk when it is first needed, and kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Collection, Iterable, Sequence

from bot.errors import NotAllowed, NotThere
from bot.losses import Losses
from generation.errors import GenerationError, RequestError
from generation.experiments import Study
from generation.laboratory import Laboratory
from generation.likeness import Likenesses
from generation.models import ModelInfo, Models
from generation.pictures.experiment import draw_experiment
from generation.pictures.lineage import Node, draw_lineage
from generation.pictures.masks import mask_of
from generation.pictures.strip import choose_steps, draw_strip, strip_steps
from generation.pictures.timelapse import TIMELAPSE_FRAMES, draw_timelapse
from generation.pictures.words import draw_word_maps
from generation.queue import FRESH, same_person
from generation.request import GenerationRequest, make_request, parse_size
from generation.studio import Job, Origin, Owner, Picture, Place, Studio
from generation.touches import checked_touches
from generation.vocabulary import Lexicon, Lexicons
from generation.word_maps import find_word
from store.visibility import Viewer

log = logging.getLogger(__name__)


class Conversation:
    """The acts of people, for every front end alike."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lexicons = Lexicons()
        self._laboratory = Laboratory(studio)
        self._likenesses = Likenesses(studio.models)
        self.laboratory = Laboratory(studio)
        self.losses = Losses()

    @property
    def models(self) -> Models:
        """The models that a person may name."""
        return self._studio.models

    def sizes(self, model: str | None) -> tuple[str, ...]:
        """Sizes worth offering for a model (unknown or None: the default): its own, then wide and tall ones."""
        known = self.models.get(model if model in self.models.names else None)
        sides = [(known.width, known.height)]
        for across, down in ((3, 2), (2, 3), (16, 9), (9, 16)):
            scale = math.sqrt(known.width * known.height / (across * down))
            sides.append((_multiple(across * scale, known), _multiple(down * scale, known)))
        fitting = (side for side in sides if all(known.min_side <= pixels <= known.max_side for pixels in side))
        return tuple(dict.fromkeys(f"{width}x{height}" for width, height in fitting))

    def imagine_request(
        self,
        prompt: str,
        *,
        negative_prompt: str | None = None,
        seed: int | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        size: str | None = None,
        model: str | None = None,
        touches: Iterable[str] = (),
        start: bytes | None = None,
        strength: float | None = None,
    ) -> GenerationRequest:
        """The request of an `/imagine`; None means the model's own value.

        `start`: a picture to begin with, as `generation.pictures.starting` gives it, of which `strength` is redone; the
        job must be submitted with it as a file.

        Raises:
            RequestError: with the sentence that says what to change.
        """
        width, height = parse_size(size) if size and size.strip() else (None, None)
        return make_request(
            self._studio.models.get(model.strip() if model and model.strip() else None),
            prompt=prompt,
            negative_prompt=negative_prompt,
            seed=seed,
            steps=steps,
            guidance_scale=guidance_scale,
            width=width,
            height=height,
            init_image=None if start is None else hashlib.sha256(start).hexdigest(),
            strength=strength,
            touches=touches,
        )

    def changed_request(
        self,
        before: GenerationRequest,
        *,
        prompt: str,
        negative_prompt: str,
        shape: str | None = None,
        init_image: str | None = None,
        strength: float | None = None,
        mask: bytes | None = None,
    ) -> GenerationRequest:
        """A picture's request with other words, and (wide, tall, square) of another shape; all else stays.

        `init_image`: the picture to begin with, by its content hash; None: the noise alone. `mask`: the part of it that
        alone is made anew, a file to be submitted with the job.

        Raises:
            RequestError: its model is no longer configured, or cannot do that.
        """
        model = self.models.get(before.model)
        width, height = (before.width, before.height) if shape is None else _shaped(before, shape, model)
        return make_request(
            model,
            prompt=prompt,
            negative_prompt=negative_prompt,
            seed=before.seed,
            steps=before.steps,
            guidance_scale=before.guidance_scale,
            width=width,
            height=height,
            init_image=init_image,
            strength=strength,
            mask=None if mask is None else hashlib.sha256(mask).hexdigest(),
            touches=before.touches,
        )

    def lexicon(self, model: str) -> Lexicon | None:
        """By which the model reads prompts; None: it takes any words.

        Raises:
            UnknownModel: no configured model has that name.
            ModelError: its vocabulary is damaged.
        """
        return self._lexicons.of(self.models.get(model))

    def unknown_words(self, request: GenerationRequest) -> tuple[str, ...]:
        """The words of the prompt that the model was not taught; none where it takes any words.

        Raises:
            ModelError: the model's vocabulary is damaged.
        """
        lexicon = self.lexicon(request.model)
        return () if lexicon is None else lexicon.unknown(request.prompt)

    async def submit(
        self, request: GenerationRequest, person: Owner, place: Place | None = None, origin: Origin = FRESH
    ) -> Job:
        """Store the request as a job that waits.

        Raises:
            QueueFull: the person has too many waiting.
        """
        return await self._studio.submit(request, person, place, origin)

    async def again_request(self, picture_id: int) -> tuple[GenerationRequest, Origin]:
        """The request of a picture with a new seed, checked against what its model can do today; and where it is from.

        Raises:
            NotThere: the picture is gone.
            RequestError: its model is no longer configured.
        """
        picture = await self.picture(picture_id)
        self._studio.models.get(picture.run.request.model)
        return picture.run.request.again(), Origin(parent=picture.id, method="again", private=picture.private)

    async def picture(self, picture_id: int) -> Picture:
        """A picture with the facts of its run.

        Raises:
            NotThere: it was deleted, or never was.
        """
        picture = await self._studio.picture(picture_id)
        if picture is None:
            raise NotThere("That picture is no longer there; its owner has deleted it.")
        return picture

    async def part(self, picture: Picture, words: Collection[str], person: Owner) -> bytes | None:
        """Where these words of a picture's prompt were attended to, as a mask; None where that cannot be told.

        The first time its run is made again to look, which goes through the queue.
        """
        try:
            maps = await self._laboratory.words(picture, person)
        except GenerationError as error:
            log.info("picture %d cannot be looked into: %s", picture.id, error)
            return None
        named = [word for word in maps.words if word.word.lower() in words]
        return await asyncio.to_thread(mask_of, named, picture.run.width, picture.run.height)

    async def original(self, picture_id: int | None, person: Owner) -> Picture:
        """A picture of this person's (None: their newest), whose file they want.

        Raises:
            NotThere: it was deleted, or they have none.
            NotAllowed: it is somebody else's.
        """
        if picture_id is None:
            newest = await self._studio.newest_picture(person)
            if newest is None:
                raise NotThere("You have no picture yet; `/imagine` makes one.")
            return newest
        picture = await self.picture(picture_id)
        if not same_person(picture.owner, person):
            raise NotAllowed("Only the person who asked for this picture can fetch its file.")
        return picture

    async def strip(self, picture_id: int, *, noisy: bool = False) -> bytes:
        """The strip of a picture's run, as PNG; `noisy`: with the noisy latents as a second row.

        Raises:
            NotThere: the picture is gone.
            WorkerError: its steps cannot be decoded now.
        """
        run = (await self.picture(picture_id)).run
        frames = await self._studio.frames(picture_id, strip_steps(run), noisy=noisy)
        return await asyncio.to_thread(draw_strip, frames, noisy=noisy)

    async def timelapse(self, picture_id: int) -> bytes:
        """The way to the picture as an animated WebP.

        Raises:
            NotThere: the picture is gone.
            WorkerError: its steps cannot be decoded now.
        """
        run = (await self.picture(picture_id)).run
        steps = choose_steps(run.noise_levels, TIMELAPSE_FRAMES, run.changes or None)
        return await asyncio.to_thread(draw_timelapse, await self._studio.frames(picture_id, steps))

    async def nearest(self, picture_id: int) -> bytes:
        """The picture beside the training pictures that it resembles most, as PNG.

        Raises:
            NotThere: the picture is gone.
            GenerationError: what its model was trained on is not at hand.
        """
        picture = await self.picture(picture_id)
        return await self._likenesses.figure(picture.run.model, picture.untouched or picture.path)

    async def experiment(self, job_id: int) -> bytes:
        """The grid of an experiment that was made, as PNG.

        Raises:
            NotThere: it is gone.
        """
        study = await self._studio.study_of(job_id)
        if study is None:
            raise NotThere("That experiment is no longer there.")
        return await asyncio.to_thread(draw_study, study)

    async def word_map(self, picture_id: int, word: str | None = None) -> bytes:
        """Where the words of a picture went, as PNG, if that was looked at before.

        Raises:
            NotThere: the picture is gone, or nobody has looked.
            GenerationError: the word is not in the prompt, or the model is gone.
        """
        picture = await self.picture(picture_id)
        maps = await self.laboratory.known_words(picture)
        if maps is None:
            raise NotThere("No word map was made of this picture.")
        wanted = [find_word(maps, word).word] if word else []
        plain = await asyncio.to_thread((picture.untouched or picture.path).read_bytes)
        return await asyncio.to_thread(draw_word_maps, plain, maps, wanted)

    async def touch_up(self, picture_id: int, touches: Iterable[str], person: Owner) -> Picture:
        """Do these final touches, and no others, to what diffusion made.

        Raises:
            NotThere: the picture is gone.
            NotAllowed: it is not this person's.
            GenerationError: they cannot be done.
        """
        await self.picture(picture_id)
        touched = await self._studio.touch_up(picture_id, checked_touches(touches), by=person)
        if touched is None:
            raise NotAllowed("Only the person who asked for this picture can touch it up.")
        return touched

    async def seen(self, viewer: Viewer, picture_id: int) -> Picture:
        """A picture that the viewer may be told of.

        Raises:
            NotThere: it is not there, or not for them; which of the two is not said.
        """
        found = await self._studio.seen(viewer, ids=[picture_id])
        if not found:
            raise NotThere("There is no such picture here, or it is not for you to see.")
        return found[0]

    async def pictures(self, viewer: Viewer, *, limit: int) -> list[Picture]:
        """The newest pictures that the viewer may be told of."""
        return await self._studio.seen(viewer, limit=limit)

    async def lineage(self, picture_id: int, viewer: Viewer) -> bytes:
        """The picture's family as a tree, as PNG.

        Raises:
            NotThere: the viewer may not be told of it.
        """
        family = await self._studio.family(picture_id, viewer)
        if not family:
            raise NotThere("There is no such picture here, or it is not for you to see.")
        return await asyncio.to_thread(_drawn, family, picture_id)

    async def tree(self, viewer: Viewer, *, limit: int) -> bytes | None:
        """The newest pictures of the conversation with their families, as PNG; None where there are none."""
        pictures = await self._studio.seen(viewer, limit=limit)
        nodes = [(picture.id, picture.parent, picture) for picture in reversed(pictures)]
        return await asyncio.to_thread(_drawn, nodes, None) if nodes else None

    async def delete(self, picture_id: int, person: Owner) -> None:
        """Delete a picture, its steps and its record for good.

        Raises:
            NotThere: it is gone already.
            NotAllowed: it is not this person's.
        """
        await self.picture(picture_id)
        if not await self._studio.delete(picture_id, by=person):
            raise NotAllowed("Only the person who asked for this picture can delete it.")
        self.losses.note(person)

    async def asked_in(self, turn: int) -> Job | None:
        """The newest job that a turn asked for, if it asked for one."""
        return await self._studio.asked_in(turn)

    async def cancel(self, job_id: int, person: Owner) -> None:
        """Cancel a job that waits or runs.

        Raises:
            NotAllowed: it is not this person's, or it has ended.
        """
        if not await self._studio.cancel(job_id, by=person):
            raise NotAllowed("Only the person who asked can cancel this, and only until it is finished.")


def draw_study(study: Study) -> bytes:
    """The figure of what came of making a picture again: its word maps, or all its pictures side by side."""
    if study.words is None:
        return draw_experiment(study)
    return draw_word_maps(study.cells[0].picture, study.words)


def _drawn(family: Sequence[tuple[int, int | None, Picture | None]], chosen: int | None) -> bytes:
    nodes = [
        Node(
            id=number,
            parent=parent,
            picture=None if picture is None else picture.path.read_bytes(),
            method=None if picture is None else picture.method,
        )
        for number, parent, picture in family
    ]
    return draw_lineage(nodes, chosen)


def _shaped(before: GenerationRequest, shape: str, model: ModelInfo) -> tuple[int, int]:
    """Another shape of about the same area, as width and height in pixels."""
    if model.min_side == model.max_side:
        side = model.min_side
        raise RequestError(f"The {model.name} model paints {side}x{side} pixels only, so it can have no other shape.")
    across, down = {"wide": (3, 2), "tall": (2, 3)}.get(shape, (1, 1))
    scale = math.sqrt(before.width * before.height / (across * down))
    width, height = (
        min(max(_multiple(part * scale, model), model.min_side), model.max_side) for part in (across, down)
    )
    return width, height


def _multiple(pixels: float, model: ModelInfo) -> int:
    """The nearest side that the model can do, ignoring its least and largest."""
    return round(pixels / model.size_multiple) * model.size_multiple
