"""What Darkroom remembers of conversations: turns go in, and come out for those who may be told of them.

Works for every front end and knows none. Who may see what is `store.visibility`'s to say; what becomes of a
turn is `bot.talk`'s.
"""

from __future__ import annotations

import asyncio
import io
import re
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import msgspec

from bot.trials import Trial, offer_row, trial_in
from explainer.messages import Answer
from generation.queue import Owner
from generation.studio import Picture, Studio
from store import conversations, forgetting, people, pictures, studies
from store.conversations import ABOUT, EvidenceRow, TurnRow
from store.database import Database, Transaction
from store.files import Files
from store.search import find_turns
from store.visibility import Viewer

LATELY = 6  # turns among which an offer still stands open
REF_LIMIT = 120  # characters, as in the table
FOLDERS = {".trajectory": "steps", ".frames": "frames", ".study": "studies"}  # of what is handed out
_PICTURE_REF = re.compile(r"\bpicture (\d+)")
_TURN_REF = re.compile(r"\bturn (\d+)")
OWN_DATA_README = """This is everything that Darkroom keeps of you.

data.json    every row that names you or belongs to you, by table
pictures/    your pictures as they were made, and what you gave to start from
steps/       the recorded steps of your pictures (Darkroom's own format; strips are drawn from them)
frames/      some of these steps as pictures, packed (the same)
studies/     word maps and comparisons of your pictures, or asked for by you (the same)

Numbers connect the rows: a job has a turn that asked for it, a run has a job, a picture has a run.
/forget deletes all of it.
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One piece of a conversation, for history and export: a turn, with the picture it asked for if there is one."""

    turn: TurnRow
    evidence: tuple[EvidenceRow, ...]
    picture: Picture | None


class Memory:
    """Turns, what they stand on, and what is kept of a person."""

    def __init__(self, database: Database, files: Files, studio: Studio) -> None:
        self._database = database
        self._files = files
        self._studio = studio

    # --- remembering ---------------------------------------------------------------------------

    async def heard(
        self, person: Owner, viewer: Viewer, said: str, *, message: str | None = None, about: int | None = None,
        private: bool = False,
    ) -> int:  # fmt: skip
        """Record what a person said, about which picture, and return the turn's id."""
        async with self._database.writing() as connection:
            speaker = await people.remember(connection, person.source, person.external_id, person.name)
            place = await conversations.remember(connection, viewer.source, viewer.channels[0], viewer.guild)
            points = [EvidenceRow(kind=ABOUT, ref=f"picture {about}", quote="", picture_id=about)] if about else []
            return await conversations.add_turn(
                connection, place, person_id=speaker.id, said=said, message=message, now=time.time(), private=private,
                stands_on=await _still_there(connection, points),
            )  # fmt: skip

    async def answered(
        self, person: Owner, viewer: Viewer, said: str, stands_on: Sequence[EvidenceRow] = (), *,
        reply_to: int | None = None, private: bool = False,
    ) -> int:  # fmt: skip
        """Record what Darkroom said to a person, and on what it stands, and return the turn's id."""
        async with self._database.writing() as connection:
            hearer = await people.remember(connection, person.source, person.external_id, person.name)
            place = await conversations.remember(connection, viewer.source, viewer.channels[0], viewer.guild)
            return await conversations.add_turn(
                connection, place, person_id=None, to_id=hearer.id, said=said, message=None, now=time.time(),
                private=private, reply_to=reply_to, stands_on=await _still_there(connection, stands_on),
            )  # fmt: skip

    async def carried(self, turn_id: int, message: str) -> None:
        """Note which message carries a turn."""
        async with self._database.writing() as connection:
            await conversations.set_message(connection, turn_id, message)

    async def decided(self, turn_id: int, intent: str) -> None:
        """Note what was made of a turn."""
        async with self._database.writing() as connection:
            await conversations.set_intent(connection, turn_id, intent)

    async def said_in(self, source: str, message: str) -> str | None:
        """What a person has said in a message; None: nothing is remembered of it."""
        async with self._database.reading() as connection:
            turn = await conversations.by_message(connection, source, message)
        return None if turn is None or turn.person_id is None else turn.said

    async def edited(self, source: str, message: str, said: str) -> TurnRow | None:
        """Follow an edit of a person's message; None: it carries no turn, or says the same."""
        async with self._database.writing() as connection:
            if not await conversations.edit(connection, source, message, said, time.time()):
                return None
            return await conversations.by_message(connection, source, message)

    async def rewritten(self, turn_id: int, said: str, stands_on: Sequence[EvidenceRow]) -> None:
        """Darkroom's turn says something else now."""
        async with self._database.writing() as connection:
            await conversations.rewrite(connection, turn_id, said, await _still_there(connection, stands_on))

    async def deleted(self, source: str, messages: Sequence[str]) -> list[str]:
        """Follow the deletion of messages; returns the messages of the answers that went with them."""
        async with self._database.writing() as connection:
            return await conversations.remove_messages(connection, source, messages)

    # --- recalling -----------------------------------------------------------------------------

    async def turn(self, turn_id: int) -> TurnRow | None:
        """The turn, unless it was deleted. Whoever asks for it by id must have been handed that id."""
        async with self._database.reading() as connection:
            return await conversations.get(connection, turn_id)

    async def is_speaker(self, turn: TurnRow, person: Owner) -> bool:
        """Whether the person said that."""
        async with self._database.reading() as connection:
            found = await people.find(connection, person.source, person.external_id)
        return found is not None and found.id == turn.person_id

    async def spoken_to(self, viewer: Viewer, *, thread: bool, before: int) -> bool:
        """Whether people have written to Darkroom on this server (`thread`: in this thread) before that turn."""
        async with self._database.reading() as connection:
            channel = viewer.channels[0] if thread else None
            return await conversations.spoken_to(
                connection, viewer.source, guild=viewer.guild, channel=channel, before=before
            )

    async def stands_on(self, turn_id: int) -> list[EvidenceRow]:
        """What a turn stands on. Whoever asks for it by id must have been handed that id."""
        async with self._database.reading() as connection:
            return (await conversations.evidence_of(connection, [turn_id])).get(turn_id, [])

    async def last_offer(self, viewer: Viewer) -> Trial | None:
        """The experiment that Darkroom offered in what it said last here."""
        async with self._database.reading() as connection:
            latest = await conversations.recent(connection, viewer, limit=LATELY)
            said = [row for row in latest if row.person_id is None]
            if not said:
                return None
            return trial_in((await conversations.evidence_of(connection, [said[-1].id])).get(said[-1].id, []))

    async def answer_to(self, turn_id: int) -> TurnRow | None:
        """What Darkroom said to a turn last."""
        async with self._database.reading() as connection:
            return await conversations.answer_to(connection, turn_id)

    async def picture_of_message(self, source: str, message: str) -> int | None:
        """The picture that a message is about, by what its turn stands on."""
        async with self._database.reading() as connection:
            turn = await conversations.by_message(connection, source, message)
            if turn is None:
                return None
            asked_for = await pictures.of_turn(connection, turn.id)
            if asked_for is not None:
                return asked_for.id
            stands_on = (await conversations.evidence_of(connection, [turn.id])).get(turn.id, [])
        return next((row.picture_id for row in stands_on if row.picture_id is not None), None)

    async def about(self, turn_id: int) -> int | None:
        """The picture that a turn is about."""
        async with self._database.reading() as connection:
            stands_on = (await conversations.evidence_of(connection, [turn_id])).get(turn_id, [])
        return next((row.picture_id for row in stands_on if row.picture_id is not None), None)

    async def entries(self, viewer: Viewer, *, limit: int, words: str = "") -> list[Entry]:
        """The latest turns here that the viewer may be told of, the oldest of them first.

        With `words`: the best matches of all that they may be told of.
        """
        async with self._database.reading() as connection:
            if words.strip():
                found = await find_turns(connection, words, viewer, limit=limit)
            else:
                found = await conversations.recent(connection, viewer, limit=limit)
            evidence = await conversations.evidence_of(connection, [turn.id for turn in found])
        seen = await self._studio.seen(viewer, limit=limit * 2)
        async with self._database.reading() as connection:
            asked = await pictures.asked_in(connection, [picture.id for picture in seen])
        made = {asked[picture.id]: picture for picture in seen if picture.id in asked}
        return [
            Entry(turn=turn, evidence=tuple(evidence.get(turn.id, ())), picture=made.get(turn.id)) for turn in found
        ]

    async def looked_into(self, picture_ids: Sequence[int]) -> dict[int, float]:
        """When (seconds since 1970) it was first looked where the words of these pictures went, by picture."""
        async with self._database.reading() as connection:
            made = await studies.of_pictures(connection, picture_ids)
        return {study.picture_id: study.created_at for study in reversed(made) if study.change == "words"}

    # --- what is kept of a person --------------------------------------------------------------

    async def forget(self, person: Owner, place: forgetting.Place | None) -> tuple[int, list[str]] | None:
        """Delete everything of a person there (None: everywhere).

        Returns:
            how many pictures went, and the front end's places of their messages as JSON; None: nothing was kept.
        """
        async with self._database.reading() as connection:
            found = await people.find(connection, person.source, person.external_id)
            places = [] if found is None else await forgetting.places_of(connection, found, place)
        gone = await self._studio.forget(person, place)
        if gone is None:
            return None
        return gone.rows.get("jobs", 0), [msgspec.json.encode(item).decode() for item in places]

    async def own_data(self, person: Owner, limit: int) -> tuple[list[bytes], list[str]]:
        """Everything that is kept of a person, as zip files of at most `limit` bytes each.

        Returns:
            the files, and the names of what is too large for any.
        """
        async with self._database.reading() as connection:
            found = await people.find(connection, person.source, person.external_id)
            rows = {} if found is None else await forgetting.rows_of(connection, found)
            files = set() if found is None else await forgetting.files_of(connection, found)
        return await asyncio.to_thread(self._packed, rows, sorted(files), limit)

    def _packed(self, rows: object, files: Sequence[tuple[str, str]], limit: int) -> tuple[list[bytes], list[str]]:
        left_out: list[str] = []

        def contents() -> Iterator[tuple[str, bytes]]:
            yield "README.txt", OWN_DATA_README.encode()
            yield "data.json", msgspec.json.format(msgspec.json.encode(rows), indent=1)
            for name, suffix in files:
                content = self._files.get(name, suffix)
                if content is not None:
                    folder = FOLDERS.get(suffix, "pictures")
                    yield f"{folder}/{name[:16]}{suffix}", content

        packed: list[bytes] = []
        buffer = io.BytesIO()
        archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED)
        for path, content in contents():
            if len(content) > limit * 9 // 10:
                left_out.append(path)
                continue
            if buffer.tell() + len(content) > limit * 9 // 10 and archive.namelist():
                archive.close()
                packed.append(buffer.getvalue())
                buffer = io.BytesIO()
                archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED)
            archive.writestr(path, content)
        archive.close()
        return [*packed, buffer.getvalue()], left_out


def evidence_rows(answer: Answer) -> list[EvidenceRow]:
    """What an answer stands on, as the store keeps it; numbers in a reference become links."""
    rows = []
    for item in answer.evidence:
        picture, turn = _PICTURE_REF.search(item.ref), _TURN_REF.search(item.ref)
        rows.append(
            EvidenceRow(
                kind=item.kind,
                ref=item.ref[:REF_LIMIT],
                quote=item.quote,
                picture_id=int(picture[1]) if picture else None,
                heard_id=int(turn[1]) if turn and item.kind == "turn" else None,
            )
        )
    if answer.offer is not None:
        rows.append(offer_row(answer.offer))
    if answer.picture is not None and answer.picture not in {row.picture_id for row in rows}:
        rows.append(EvidenceRow(kind=ABOUT, ref=f"picture {answer.picture}", quote="", picture_id=answer.picture))
    return rows


async def _still_there(connection: Transaction, rows: Sequence[EvidenceRow]) -> list[EvidenceRow]:
    """The rows, without links to what was deleted meanwhile."""
    kept = []
    for row in rows:
        values = asdict(row)
        if row.picture_id is not None and await pictures.get(connection, row.picture_id) is None:
            values["picture_id"] = None
        if row.heard_id is not None and await conversations.get(connection, row.heard_id) is None:
            values["heard_id"] = None
        kept.append(EvidenceRow(**values))
    return kept
