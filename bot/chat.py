"""`darkroom chat`: the same conversation in the terminal, by hand or from a script.

A script is a file of JSON lines: `{"say": "..."}` or `{"imagine": {"prompt": ..., "seed": ..., ...}}`, with
`"user"` for another person. Lines run one after another; with `--json` each answer is one line of JSON on
stdout. What is said also takes `/explain`, `/history`, `/export FILE` and `/forget`.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from bot.changes import REWORDED, method_words, plain_change
from bot.conversation import Conversation, draw_study
from bot.errors import SUCCESS, UserMistake, explain
from bot.figures import answer_figure
from bot.held_log import held_log
from bot.known_words import unknown_sentence
from bot.lock import hold_lock
from bot.memory import Memory
from bot.output_files import check_targets, write_whole
from bot.parts import Parts, open_parts
from bot.recollection import Recollection
from bot.revising import Onward
from bot.routing import ReadingRouter, Wanted
from bot.settings import Settings
from bot.talk import Missing, Reply, Talk, Tone, Utterance
from bot.trials import Trial, plan_of, told
from generation.pictures.lineage import METHODS
from generation.pictures.starting import check_size, starting_picture
from generation.queue import Origin, Owner, Place
from generation.request import GenerationRequest
from generation.studio import Picture
from store.conversations import EvidenceRow
from store.jobs import DONE
from store.people import LOCAL
from store.visibility import Viewer

HELP = "talk with Darkroom in the terminal, or run a scripted conversation"

LOOK_INTERVAL = 0.1  # seconds between looks at a job
TURNS_SHOWN, PICTURES_SHOWN = 12, 24
NAME_LIMIT = 40  # characters of a person's name, as the store keeps ids
COMMANDS = "/explain QUESTION, /imagine PROMPT, /history [WORDS], /export FILE, /forget"
MEANINGS: dict[Wanted, str] = {
    "revise": "change the picture",
    "create": "make a picture",
    "ask": "answer it",
    "chat": "leave it at that",
}
SURE = (
    "This deletes everything that you asked for and said here and elsewhere in the terminal, with the pictures. "
    "Say yes to go on."
)


class Imagine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a script asks to be painted."""

    prompt: str
    negative: str | None = None
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    size: str | None = None
    model: str | None = None


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a script: either `say` or `imagine`."""

    say: str | None = None
    imagine: Imagine | None = None
    user: str | None = None
    about: int | None = None  # the picture that `say` replies to, by its number
    image: str | None = None  # path of a picture that is sent along, to start from


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that came of a line."""

    path: str
    run: int
    picture: int
    seed: int
    steps: int
    prompt: str
    method: str
    parent: int | None = None  # number of the picture that it goes on from
    negative: str = ""
    mask: str | None = None  # path of the mask of a picture of which one part was made anew


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer stands on."""

    kind: str
    ref: str
    quote: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a line."""

    intent: str  # create, revise, ask, chat, unsure, command, error
    text: str
    images: tuple[Image, ...] = ()
    evidence: tuple[Quote, ...] = ()
    figure: str | None = None  # path of the picture that explains the answer, where --figures says to draw it
    seconds: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `darkroom chat`."""
    parser.add_argument(
        "--script",
        type=Path,
        nargs="+",
        metavar="IN.jsonl",
        help="run these lines instead of reading yours; each file is a conversation of its own",
    )
    parser.add_argument("--json", action="store_true", help="write each answer as one line of JSON")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw the figures of answers into this folder")
    parser.add_argument("--user", metavar="NAME", help="who speaks (default: your user name)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Talk until the script or the input ends.

    Raises:
        UserMistake: a line of the script cannot be read, or the data folder is in use.
    """
    user = (arguments.user or _user_name())[:NAME_LIMIT]
    scripts = None if arguments.script is None else [read_script(path) for path in arguments.script]
    if arguments.figures is not None and not arguments.figures.is_dir():
        raise UserMistake(f"The folder {arguments.figures} for figures does not exist.")
    with hold_lock(settings.data), held_log(settings.log_level):
        asyncio.run(_serve(settings, user, scripts, as_json=arguments.json, figures=arguments.figures))
    return SUCCESS


def read_script(path: Path) -> tuple[Line, ...]:
    """The lines of a script, each known to make sense.

    Raises:
        UserMistake: with the number of the line that does not.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserMistake(f"The script {path} cannot be read: {error.strerror or error}.") from error
    lines = []
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserMistake(f"Line {number} of {path} cannot be used: {error}.") from error
        if (line.say is None) == (line.imagine is None):
            raise UserMistake(f"Line {number} of {path} needs either “say” or “imagine”.")
        lines.append(line)
    return tuple(lines)


class Session:
    """One conversation in the terminal, in which several people may speak."""

    def __init__(
        self, parts: Parts, channel: str, *, several: bool, figures: Path | None = None, tone: Tone = "plain"
    ) -> None:
        """`several`: more than one person speaks, so that nobody is alone. `figures`: the folder to draw them into."""
        self._studio = parts.studio
        self._conversation = Conversation(parts.studio)
        self._memory = Memory(parts.database, parts.files, parts.studio)
        self._talk = Talk(self._conversation, self._memory, parts.desk, router=ReadingRouter(parts.desk), tone=tone)
        self._open: dict[str, tuple[int, tuple[Wanted, ...]]] = {}  # by user: the turn that is asked back about
        self._recollection = Recollection(self._conversation, self._memory)
        self._channel = channel
        self._several = several
        self._figures = figures
        self._drawn = 0
        self._unconfirmed: set[str] = set()  # who was asked whether to be forgotten

    async def take(self, line: Line, user: str) -> Answered:
        """Do what a line says. An error becomes an answer too."""
        began = time.monotonic()
        try:
            if line.say is not None:
                answered = await self._say(line.say, user, line.about, line.image)
            else:
                answered = await self._imagine(line.imagine, user)
        except Exception as error:  # noqa: BLE001  # an edge: the conversation goes on
            answered = Answered(intent="error", text=explain(error).sentence)
        return msgspec.structs.replace(answered, seconds=round(time.monotonic() - began, 3))

    async def _say(self, said: str, user: str, about: int | None = None, image: str | None = None) -> Answered:
        if user in self._unconfirmed:
            self._unconfirmed.discard(user)
            if said.strip().rstrip(".!").casefold() in ("yes", "y"):
                return await self._forget(user)
        if said.startswith("/"):
            return await self._command(said, user)
        turn, choices = self._open.pop(user, (0, ()))
        if said.strip().isdecimal() and 0 < int(said) <= len(choices):
            reply = await self._talk.settle(turn, choices[int(said) - 1], _owner(user), self._viewer(user))
            return await self._shown(reply, user)
        gone: Missing | None = "deleted" if about is not None and await self._studio.picture(about) is None else None
        utterance = Utterance(
            person=_owner(user),
            viewer=self._viewer(user),
            text=said,
            about=None if gone else about,
            missing=gone,
            start=None if image is None else await asyncio.to_thread(_read_start, Path(image)),
        )
        return await self._shown(await self._talk.hear(utterance), user)

    async def _command(self, said: str, user: str) -> Answered:
        name, _, rest = said[1:].partition(" ")
        rest = rest.strip()
        match name:
            case "explain" if rest:
                utterance = Utterance(person=_owner(user), viewer=self._viewer(user), text=rest)
                return await self._shown(await self._talk.ask(utterance), user)
            case "imagine" if rest:
                return await self._imagine(Imagine(prompt=rest), user)
            case "history":
                return Answered(intent="command", text=await self._history(user, rest))
            case "export" if rest:
                return await self._export(Path(rest), user)
            case "forget":
                self._unconfirmed.add(user)
                return Answered(intent="command", text=SURE)
        raise UserMistake(f"I do not know “{said[:60]}”; there are {COMMANDS}.")

    # --- pictures ------------------------------------------------------------------------------

    async def _imagine(self, wish: Imagine | None, user: str) -> Answered:
        assert wish is not None  # a line has one or the other
        request = self._conversation.imagine_request(
            wish.prompt,
            negative_prompt=wish.negative,
            seed=wish.seed,
            steps=wish.steps,
            guidance_scale=wish.guidance,
            size=wish.size,
            model=wish.model,
        )
        return await self._paint(request, user, Origin(method="words"))

    async def _tried(self, trial: Trial, turn: int, user: str) -> Answered:
        """Make an experiment that was agreed to, and answer from what came of it."""
        picture = await self._conversation.seen(self._viewer(user), trial.picture)
        study = await self._conversation.laboratory.run(
            plan_of(trial, picture, self._conversation.laboratory), _owner(user)
        )
        text = told(study)
        stands_on = EvidenceRow(
            kind="experiment", ref=f"experiment on picture {picture.id}", quote=study.summary(), picture_id=picture.id
        )
        await self._memory.answered(_owner(user), self._viewer(user), text, [stands_on], reply_to=turn)
        quote = Quote(kind="experiment", ref=stands_on.ref, quote=stands_on.quote)
        figure = None
        if self._figures is not None:
            figure = await self._write(f"{study.change}.png", await asyncio.to_thread(draw_study, study))
        return Answered(intent="ask", text=text, evidence=(quote,), figure=figure)

    async def _shown(self, reply: Reply, user: str) -> Answered:
        if reply.trial is not None:
            return await self._tried(reply.trial, reply.turn, user)
        if reply.request is not None:
            return await self._paint(reply.request, user, reply.origin, reply.onward)
        evidence = () if reply.answer is None else reply.answer.evidence
        text = reply.text
        if reply.intent == "unsure":
            choices = tuple(intent for intent in MEANINGS if intent in reply.between)
            self._open[user] = (reply.turn, choices)
            ways = " or ".join(f"{number} to {MEANINGS[intent]}" for number, intent in enumerate(choices, 1))
            text = f"{text} Say {ways}."
        quotes = tuple(Quote(kind=item.kind, ref=item.ref, quote=item.quote) for item in evidence)
        images = () if reply.shown is None else (_image(reply.shown),)
        figure = await self._figure(reply)
        return Answered(intent=reply.intent, text=text, evidence=quotes, images=images, figure=figure)

    async def _figure(self, reply: Reply) -> str | None:
        """Draw what explains the answer, where that is wanted."""
        if reply.answer is None or self._figures is None:
            return None
        figure = await answer_figure(reply.answer, self._conversation)
        if figure is None:
            return None
        return await self._write(figure.name, figure.content)

    async def _write(self, name: str, content: bytes) -> str:
        assert self._figures is not None  # asked by the caller
        self._drawn += 1
        path = self._figures / f"{self._drawn:03d}-{name}"
        await asyncio.to_thread(write_whole, path, content)
        return str(path)

    async def _paint(
        self, request: GenerationRequest, user: str, origin: Origin, onward: Onward | None = None
    ) -> Answered:
        place = Place(channel=self._channel)
        job = await self._conversation.submit(request, _owner(user), place, origin)
        while not job.ended:
            await asyncio.sleep(LOOK_INTERVAL)
            found = await self._studio.job(job.id)
            if found is None:
                return Answered(intent="create", text="It was deleted before it was painted.")
            job = found
        await self._studio.mark_delivered(job.id)
        picture = await self._studio.picture_of(job.id) if job.state == DONE else None
        if picture is None:
            return Answered(intent="error", text=job.reason or "No picture came of it.")
        intent = "create" if onward is None else "revise"
        return Answered(intent=intent, text=self._made(picture, onward), images=(_image(picture),))

    def _made(self, picture: Picture, onward: Onward | None) -> str:
        request = picture.run.request
        made = f"Picture {picture.id}: seed {request.seed}, {request.steps} steps, {picture.run.seconds:.1f} s."
        if onward is not None:
            before = onward.parent.run.request
            parts = [] if onward.method == "again" else [plain_change(before.prompt, request.prompt)]
            if request.negative_prompt != before.negative_prompt:
                parts.append(f"without {plain_change(before.negative_prompt, request.negative_prompt)}")
            how = method_words(onward.method, request)
            made = f"Picture {picture.id} from picture {onward.parent.id}, {how}"
            made += f": {'; '.join(parts)}" if parts else "."
            made += f" ({REWORDED})" if onward.reworded else ""
        lexicon, unknown = self._conversation.lexicon(request.model), self._conversation.unknown_words(request)
        if lexicon is None or not unknown:
            return made
        return f"{made} {unknown_sentence(request.model, lexicon, unknown, '“{}”'.format)}"

    # --- looking back --------------------------------------------------------------------------

    async def _history(self, user: str, words: str) -> str:
        viewer = self._viewer(user)
        entries = await self._memory.entries(viewer, limit=TURNS_SHOWN, words=words)
        lines = [f"{entry.turn.name or 'Darkroom'}: {entry.turn.said}" for entry in entries]
        if not words:
            pictures = await self._conversation.pictures(viewer, limit=PICTURES_SHOWN)
            lines += [_tree_line(picture) for picture in reversed(pictures)]
        return "\n".join(lines) or "Nothing was said here yet."

    async def _export(self, path: Path, user: str) -> Answered:
        markdown = path.suffix.lower() == ".md"
        check_targets([("/export", path, ".md" if markdown else ".html")])
        content = await self._recollection.export(self._viewer(user), "A conversation", markdown=markdown)
        await asyncio.to_thread(write_whole, path, content)
        return Answered(intent="command", text=f"The conversation is in {path}.")

    async def _forget(self, user: str) -> Answered:
        gone = await self._memory.forget(_owner(user), None)
        if gone is not None:
            self._conversation.losses.note(_owner(user))
        text = "I kept nothing of you." if gone is None else "Everything of yours is deleted."
        return Answered(intent="command", text=text)

    def _viewer(self, user: str) -> Viewer:
        return Viewer(source=LOCAL, person=user, guild=None, channels=(self._channel,), alone=not self._several)


async def _serve(
    settings: Settings, user: str, scripts: Sequence[Sequence[Line]] | None, *, as_json: bool, figures: Path | None
) -> None:
    async with open_parts(settings) as parts:
        if scripts is None:
            session = Session(
                parts, f"chat-{user}"[:NAME_LIMIT], several=False, figures=figures, tone=settings.voice_tone
            )
            await _converse(session, _typed(), user, as_json=as_json)
        for lines in scripts or ():
            several = len({line.user or user for line in lines}) > 1
            session = Session(
                parts, f"script-{secrets.token_hex(8)}", several=several, figures=figures, tone=settings.voice_tone
            )
            await _converse(session, _each(lines), user, as_json=as_json)


async def _converse(session: Session, lines: AsyncIterator[Line], user: str, *, as_json: bool) -> None:
    console = Console(stderr=True)
    async for line in lines:
        with console.status("…"):
            answered = await session.take(line, line.user or user)
        print(msgspec.json.encode(answered).decode() if as_json else _plain(answered), flush=True)


async def _each(lines: Sequence[Line]) -> AsyncIterator[Line]:
    for line in lines:
        yield line


async def _typed() -> AsyncIterator[Line]:
    """What a person types, until the input ends."""
    interactive = sys.stdin.isatty()
    if interactive:
        print(f"Ask, or write “draw …”; there are also {COMMANDS}. Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            text = await asyncio.to_thread(input, "> " if interactive else "")
        except EOFError:
            return
        if text.strip():
            yield Line(say=text)


def _plain(answered: Answered) -> str:
    figure = (answered.figure,) if answered.figure else ()
    return "\n".join((answered.text, *(image.path for image in answered.images), *figure))


def _image(picture: Picture) -> Image:
    request = picture.run.request
    return Image(
        path=str(picture.path),
        run=picture.run_id,
        picture=picture.id,
        seed=request.seed,
        steps=request.steps,
        prompt=request.prompt,
        method=picture.method or "words",
        parent=picture.parent,
        negative=request.negative_prompt,
        mask=None if picture.mask is None else str(picture.mask),
    )


def _tree_line(picture: Picture) -> str:
    how = METHODS.get(picture.method or "", "")
    parent = f" from #{picture.parent} ({how})" if picture.parent is not None else ""
    return f"#{picture.id}{parent}: {picture.run.request.prompt}"


def _read_start(path: Path) -> bytes:
    try:
        check_size(path.stat().st_size)
        return starting_picture(path.read_bytes())
    except OSError as error:
        raise UserMistake(f"The picture {path} cannot be read: {error.strerror or error}.") from error


def _owner(user: str) -> Owner:
    return Owner(source=LOCAL, external_id=user, name=user)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user on this machine
        return "you"
