"""The typed messages between the bot process and the reader process.

What the asker may see travels in the question (`Question.pictures`, `.turns`), so the reader knows no store, no Discord
and nobody's secrets: it can only answer from what it was handed. Frames and pipe are those of `generation.frames`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from generation.experiments import Change
from generation.frames import Message
from generation.request import RunFacts

EvidenceKind = Literal["run", "turn", "passage", "experiment", "missing"]
FigureKind = Literal[
    "strip", "noisy strip", "timelapse", "word map", "schedule", "picture", "pictures", "nearest", "experiment"
]
Route = Literal["run", "knowledge", "both", "no record", "small talk"]
Intent = Literal["create", "revise", "ask", "chat"]
VoiceName = Literal["record", "transformers", "openai"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what travels inside the messages."""


# --- what the asker may see ----------------------------------------------------------------------


class Nearest(Record, frozen=True, kw_only=True):
    """A training picture of the pocket model that is like a person's picture."""

    name: str  # of the thing it shows, with its colour where it was trained in another than its own
    distance: float  # root mean square difference in grey levels of 255; 0: the same
    views: int = 0  # training scenes that held it


class SeenExperiment(Record, frozen=True, kw_only=True):
    """A finished experiment: replays that differ from a picture's run in one thing."""

    id: int
    job: int  # that made it
    change: Change
    value: str  # what it was changed to; empty: chosen when it was made
    summary: str  # what changed in numbers, in one sentence


class SeenPicture(Record, frozen=True, kw_only=True):
    """A picture of this conversation that the asker may see, with the record of its run."""

    id: int
    run: RunFacts
    mine: bool  # the asker's own
    owner: str  # name, as last seen
    created_at: float  # seconds since 1970
    has_steps: bool  # whether the run's steps were kept, so that strips can be drawn
    parent: int | None = None  # id of the picture that it was made from
    method: str | None = None  # how it goes on from its parent: words, again, seed, image, mask
    word_masses: dict[str, float] = {}  # attention mass by word; empty: no word map was made
    nearest: tuple[Nearest, ...] = ()  # most telling first, once it was compared with its model's training set
    compared: int | None = None  # training pictures it was compared with; 0: they are not at hand; None: not looked up
    experiments: tuple[SeenExperiment, ...] = ()


class SeenTurn(Record, frozen=True, kw_only=True):
    """One message of this conversation."""

    id: int
    speaker: str | None  # a person's name; None: Darkroom
    mine: bool  # said by the asker
    said: str
    created_at: float  # seconds since 1970
    picture: int | None = None  # id of the picture that it asked for or was about


# --- the answer ----------------------------------------------------------------------------------


class Evidence(Record, frozen=True, kw_only=True):
    """One thing that an answer stands on."""

    kind: EvidenceKind
    ref: str  # "picture 12: seed", "turn 40", a passage's id, "experiment 3"
    quote: str  # the words or the value, as recorded


class Source(Record, frozen=True, kw_only=True):
    """A passage that an answer uses; the whole of it is `explainer.passages.load_passages` by id."""

    passage: str  # id
    title: str
    citations: tuple[str, ...]  # "Ho, Jain and Abbeel (2020): ..."; empty: facts about this program


class Figure(Record, frozen=True, kw_only=True):
    """A picture that would explain the answer; whoever shows the answer draws it."""

    kind: FigureKind
    picture: int  # id of the picture that it is about
    other: int | None = None  # of the second one, where two are compared
    word: str | None = None  # for a word map
    job: int | None = None  # for an experiment: the job that made it


class Offer(Record, frozen=True, kw_only=True):
    """An experiment that would answer further: replays of one run that differ in one thing. Run only if accepted."""

    picture: int  # id of the picture whose run is replayed
    change: Change
    value: str | None  # the word left out, the number; None: chosen when it runs (another seed)
    pictures: int  # how many will be made
    seconds: float | None  # estimate from the run's own record; None: not known
    text: str  # the question to put to the person: "Shall I try it without “hat”? ..."


class Want(Record, frozen=True, kw_only=True):
    """What should be looked up before the question is answered for good; whoever asked hands it in with the question again."""

    kind: Literal["nearest"]
    picture: int


class Answer(Record, frozen=True, kw_only=True):
    """What is said, and what it stands on."""

    text: str  # plain text with Markdown emphasis at most
    route: Route
    evidence: tuple[Evidence, ...] = ()
    sources: tuple[Source, ...] = ()
    figure: Figure | None = None
    offer: Offer | None = None
    picture: int | None = None  # id of the picture that was understood to be meant
    voice: VoiceName = "record"  # whose words these are
    wants: Want | None = None  # the answer would be better with this; it stands for now, in the record's words


# --- orders: bot -> reader -----------------------------------------------------------------------


class VoiceSettings(Record, frozen=True, kw_only=True):
    """Who puts evidence into words, and where a language model for it is."""

    name: VoiceName = "record"
    tone: Literal["plain", "wry"] = "plain"
    model: str = ""  # transformers: a folder, a hub id or a .gguf file; openai: the name the server knows it by
    url: str = ""  # openai: "http://127.0.0.1:11434/v1"
    key: str = ""  # openai: where the server wants one
    timeout: float = 20.0  # seconds; after that the record's words stand


class Configure(Message, frozen=True, kw_only=True):
    """The first order a reader gets, once. `Ready` follows."""

    cache: str  # folder for what is computed once, under the data folder
    voice: VoiceSettings = VoiceSettings()
    threads: int = 1


class Question(Message, frozen=True, kw_only=True):
    """Answer this from what is handed along. `query` comes back in `Answered` or `AskFailed`."""

    query: int = 0  # the link numbers its questions
    text: str
    asker: str  # name
    about: int | None = None  # id of the picture that the question was asked under or in reply to
    gone: bool = False  # it replies to a picture that is deleted, or not there yet
    pictures: tuple[SeenPicture, ...] = ()  # oldest first
    turns: tuple[SeenTurn, ...] = ()  # oldest first, without this question


class Inspect(Message, frozen=True, kw_only=True):
    """Tell how the reader is (answered by `Status`)."""

    query: int = 0


class Stop(Message, frozen=True, kw_only=True):
    """Leave."""


class Interpret(Message, frozen=True, kw_only=True):
    """Say what the message in `question` wants (answered by `Interpreted`)."""

    query: int = 0
    question: Question
    wanted: Intent | None = None  # what its author has said that it wants, where they were asked back


Order = Configure | Question | Interpret | Inspect | Stop

# --- events: reader -> bot -----------------------------------------------------------------------


class Ready(Message, frozen=True, kw_only=True):
    """The reader takes questions now."""

    passages: int
    questions: int  # example questions
    seconds: float  # that loading took


class Unusable(Message, frozen=True, kw_only=True):
    """The reader cannot be loaded, and leaves."""

    sentence: str  # says what is missing or damaged


class Answered(Message, frozen=True, kw_only=True):
    """Answer to `Question`."""

    query: int
    answer: Answer
    seconds: float


class Changed(Record, frozen=True, kw_only=True):
    """A picture's prompt after the change that a message asks for."""

    prompt: str
    negative_prompt: str
    kinds: tuple[str, ...]  # of the changes, as `explainer.revise.ChangeKind`
    whats: tuple[str, ...]  # what each is about
    local: bool  # every change has a place in the picture, so that a masked edit could make it
    shape: Literal["wide", "tall", "square"] | None = None  # of the picture, where another is asked for
    back: Literal["one", "first"] | None = None  # an earlier picture is wanted instead of a new one
    again: bool = False  # the same prompt, other noise
    other_way: bool = False  # the same change as before, by another method
    conflict: tuple[str, str] | None = None  # two of the changes, where they contradict each other
    nothing_left: bool = False  # what is to go is all that there is
    reworded: bool = False  # the prompt is a language model's proposal, which was checked


class Interpreted(Message, frozen=True, kw_only=True):
    """Answer to `Interpret`."""

    query: int = 0
    intent: Intent
    second: Intent  # the next likely; ask back between the two unless `sure`
    sure: bool
    picture: int | None = None  # id of the picture that is meant
    named: bool = False  # what was said tells that it is this one; else it is only meant by default
    prompt: str = ""  # what is to be drawn, should a picture be wanted; empty: it does not say what
    changed: Changed | None = None  # should a change be wanted
    nothing_there: bool = False  # it would change a picture, and there is none


class AskFailed(Message, frozen=True, kw_only=True):
    """A question could not be answered for a fault of ours."""

    query: int
    sentence: str  # for the person who asked
    reference: str  # the same id stands in the log


class Status(Message, frozen=True, kw_only=True):
    """Answer to `Inspect`."""

    query: int
    resident_mb: float
    answered: int
    voice: VoiceName


Event = Ready | Unusable | Answered | Interpreted | AskFailed | Status

_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_events: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def unpack_order(body: bytes) -> Order:
    """The order in a frame's body.

    Raises:
        msgspec.ValidationError: the bytes are no order.
    """
    return _orders.decode(body)


def unpack_event(body: bytes) -> Event:
    """The event in a frame's body.

    Raises:
        msgspec.ValidationError: the bytes are no event.
    """
    return _events.decode(body)
