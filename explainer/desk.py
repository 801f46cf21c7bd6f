"""Where questions are asked: gathers what the asker may see, hands it to the reader, brings back the answer.

Lives in the bot process and stays light: language is the reader process's business (`explainer.link` starts it). What
somebody may see is decided in `store.visibility` alone; nothing else reaches an answer.
"""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec

from explainer.messages import (
    Answer,
    Intent,
    Interpreted,
    Nearest,
    Question,
    SeenExperiment,
    SeenPicture,
    SeenTurn,
    Want,
)
from generation.errors import GenerationError
from generation.experiments import Change
from generation.likeness import Likenesses
from generation.request import RunFacts
from store import conversations, people, pictures, studies
from store.conversations import TurnRow
from store.database import Database, Transaction
from store.files import Files
from store.pictures import PictureRow
from store.studies import StudyRow
from store.visibility import Viewer

PICTURES_SEEN = 24  # the latest
TURNS_SEEN = 30
MAX_QUESTION = 2_000  # characters; what is longer is cut

log = logging.getLogger(__name__)


class Answerer(Protocol):
    """Whoever answers questions; `explainer.link.ReaderLink` outside of tests."""

    async def ask(self, question: Question) -> Answer:
        """The answer.

        Raises:
            ReaderError: there is none, for a fault of ours; the sentence says so.
        """
        ...

    async def interpret(self, question: Question, wanted: Intent | None = None) -> Interpreted:
        """What a message wants; raises as `ask`."""
        ...


class Desk:
    """Takes people's questions."""

    def __init__(
        self, database: Database, reader: Answerer, files: Files | None = None, likenesses: Likenesses | None = None
    ) -> None:
        """Without files and likenesses no picture is compared with what its model was trained on."""
        self._database = database
        self._reader = reader
        self._files = files
        self._likenesses = likenesses

    async def ask(self, asker: str, text: str, viewer: Viewer, about: int | None = None) -> Answer:
        """Answer a question from what the asker may see where the answer will stand.

        Args:
            asker: the person's name, for the answer to use.
            viewer: who asks and where; it limits what is looked at.
            about: id of the picture that the question was asked under or in reply to. One that the viewer may not see
                counts as none.

        Raises:
            ReaderError: there is no answer, for a fault of ours.
            StoreError: the record cannot be read.
        """
        question = await self.gather(asker, text, viewer, about)
        answer = await self._reader.ask(question)
        if answer.wants is None:
            return answer
        looked_up = await self._looked_up(question, answer.wants)
        return answer if looked_up is None else await self._reader.ask(looked_up)

    async def _looked_up(self, question: Question, want: Want) -> Question | None:
        """The question again, with what the reader wants to know; None where it cannot be found out."""
        seen = next((picture for picture in question.pictures if picture.id == want.picture), None)
        if seen is None or self._files is None or self._likenesses is None:
            return None
        async with self._database.reading() as connection:
            row = await pictures.get(connection, seen.id)
        if row is None:
            return None
        try:
            path = self._files.path(row.untouched or row.content, row.suffix)
            likeness = await self._likenesses.of(seen.run.model, path)
        except GenerationError as error:
            log.warning("picture %d cannot be compared: %s", seen.id, error)
            return None
        known = msgspec.structs.replace(
            seen,
            compared=0 if likeness is None else likeness.things,
            nearest=()
            if likeness is None
            else tuple(
                Nearest(name=one.full_name, distance=round(one.distance, 1), views=one.views) for one in likeness.found
            ),
        )
        others = (known if picture is seen else picture for picture in question.pictures)
        return msgspec.structs.replace(question, pictures=tuple(others))

    async def interpret(
        self,
        asker: str,
        text: str,
        viewer: Viewer,
        about: int | None = None,
        wanted: Intent | None = None,
        *,
        gone: bool = False,
    ) -> Interpreted:
        """What a message wants, and of which picture; arguments and errors as of `ask`.

        `wanted`: what its author has said that it wants. `gone`: the picture that it replies to is not there.
        """
        question = await self.gather(asker, text, viewer, about)
        return await self._reader.interpret(msgspec.structs.replace(question, gone=gone), wanted)

    async def gather(self, asker: str, text: str, viewer: Viewer, about: int | None) -> Question:
        """The question with all that may be used to answer it, and nothing else."""
        async with self._database.reading() as connection:
            seen = await pictures.seen(connection, viewer, limit=PICTURES_SEEN)
            if about is not None and about not in {row.id for row in seen}:
                seen = [*seen, *await pictures.seen(connection, viewer, ids=[about], limit=1)]
            said = await conversations.recent(connection, viewer, limit=TURNS_SEEN)
            return Question(
                text=text[:MAX_QUESTION],
                asker=asker,
                about=about if about in {row.id for row in seen} else None,
                pictures=await _pictures(connection, viewer, seen[::-1]),
                turns=_without(text, await _turns(connection, viewer, said)),
            )


async def _pictures(connection: Transaction, viewer: Viewer, rows: list[PictureRow]) -> tuple[SeenPicture, ...]:
    owners = {number: await people.get(connection, number) for number in {row.person_id for row in rows}}
    mine = await people.find(connection, viewer.source, viewer.person)
    studied: dict[int, list[StudyRow]] = {}
    for study in await studies.of_pictures(connection, [row.id for row in rows]):
        studied.setdefault(study.picture_id, []).append(study)
    return tuple(
        SeenPicture(
            id=row.id,
            run=msgspec.convert(row.facts, RunFacts),
            mine=mine is not None and row.person_id == mine.id,
            owner=owners[row.person_id].name,
            created_at=row.created_at,
            has_steps=row.trajectory is not None,
            parent=row.parent_id,
            method=row.method,
            word_masses=next((study.masses for study in reversed(studied.get(row.id, [])) if study.masses), {}),
            experiments=tuple(_experiment(study) for study in studied.get(row.id, []) if study.change != "words"),
        )
        for row in rows
    )


def _experiment(row: StudyRow) -> SeenExperiment:
    change = msgspec.convert(row.change, Change)
    return SeenExperiment(id=row.id, job=row.job_id, change=change, value=row.value, summary=row.summary)


async def _turns(connection: Transaction, viewer: Viewer, rows: list[TurnRow]) -> tuple[SeenTurn, ...]:
    stands_on = await conversations.evidence_of(connection, [row.id for row in rows])
    mine = await people.find(connection, viewer.source, viewer.person)
    return tuple(
        SeenTurn(
            id=row.id,
            speaker=row.name,
            mine=mine is not None and row.person_id == mine.id,
            said=row.said,
            created_at=row.created_at,
            picture=next((item.picture_id for item in stands_on.get(row.id, []) if item.picture_id is not None), None),
        )
        for row in rows
    )


def _without(text: str, turns: tuple[SeenTurn, ...]) -> tuple[SeenTurn, ...]:
    """The turns before this question, which may have been recorded already."""
    if turns and turns[-1].mine and turns[-1].said.strip() == text.strip():
        return turns[:-1]
    return turns
