"""The typed messages between the bot process and the worker process.

Orders go to the worker, events come back; both are msgspec structs, tagged by class name and
packed as MessagePack. Pictures and trajectories travel inside as bytes, so the same messages serve
a pipe and a network. The module knows neither torch nor asyncio.
"""

from __future__ import annotations

import msgspec

from generation.frames import Message
from generation.models import ModelInfo
from generation.request import GenerationRequest, RunFacts
from generation.word_maps import WordMaps

STARTING = "starting the worker"  # `Loading.what` of the first sign of life of every worker process

# --- orders: bot -> worker ---------------------------------------------------------------------


class Configure(Message, frozen=True, kw_only=True):
    """The first order a worker gets, once: what to load and on what. `Ready` follows."""

    models: tuple[ModelInfo, ...]  # the first is loaded at once, the others when a job names them
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    threads: int | None = None  # of torch on the CPU; None: measured at start
    memory: int | None = None  # bytes that models may take together; None: measured at start
    upscaler: str | None = None  # a safetensors file with a super-resolution model for final touches


class Generate(Message, frozen=True, kw_only=True):
    """Make this picture. `job` and `attempt` come back in every event about it."""

    job: int
    attempt: int
    request: GenerationRequest
    init_image: bytes | None = None  # the encoded picture that `request.init_image` names
    mask: bytes | None = None  # the one that `request.mask` names
    previews: bool = True  # send a small picture along with `Progress`
    trajectory: bool = True  # keep the latents and predicted clean latents of every step
    words: bool = False  # see where the words of the prompt are attended to; such a job shares no forward
    alone: bool = False  # share no forward, so that the same request makes the same bits
    # instead of `request`, make each of these; all of one model, and all from `init_image` where they name one
    cells: tuple[GenerationRequest, ...] = ()


class Cancel(Message, frozen=True, kw_only=True):
    """Stop this attempt at its next step."""

    job: int
    attempt: int


class DecodeFrames(Message, frozen=True, kw_only=True):
    """Decode chosen steps of a stored trajectory into pictures. Step 0 is the noise it began with."""

    query: int  # comes back in `Frames` or `QueryFailed`
    model: str
    trajectory: bytes
    steps: tuple[int, ...]  # 1-based step numbers
    noisy: bool = False  # also decode the noisy latents


class ReadPrompt(Message, frozen=True, kw_only=True):
    """Tell how the model reads a prompt (answered by `PromptRead`)."""

    query: int
    model: str
    prompt: str


class TouchUp(Message, frozen=True, kw_only=True):
    """Do these final touches to a picture (answered by `TouchedUp`)."""

    query: int
    picture: bytes  # PNG
    touches: tuple[str, ...]


class Inspect(Message, frozen=True, kw_only=True):
    """Tell what is loaded (answered by `Status`)."""

    query: int


class Stop(Message, frozen=True, kw_only=True):
    """Finish nothing more: cancel what runs and leave."""


Order = Configure | Generate | Cancel | DecodeFrames | ReadPrompt | TouchUp | Inspect | Stop

# --- events: worker -> bot ---------------------------------------------------------------------


class Loading(Message, frozen=True, kw_only=True):
    """Start-up or a model change: `done` of `total` parts of `what` are there."""

    what: str  # for people: "loading pocket", "warming up pocket"
    done: int
    total: int
    model: str = ""  # whose
    beside: bool = False  # jobs of other models go on meanwhile


class Ready(Message, frozen=True, kw_only=True):
    """The worker takes jobs now."""

    lanes: int  # jobs it will run at once
    models: tuple[str, ...]  # those that can be asked for
    device: str
    dtype: str
    threads: int
    weights_sha256: dict[str, str]  # by model name
    seconds_per_step: dict[str, float]  # by model name, measured at warm-up, one picture, guidance on
    versions: dict[str, str]
    sizes: dict[str, int] = msgspec.field(default_factory=dict)  # bytes of the weights in memory, by model name
    memory: int = 0  # bytes that models may take together
    unusable: dict[str, str] = msgspec.field(
        default_factory=dict
    )  # by model name: the sentence that says why it cannot be loaded
    # by model: jobs that share a forward with gain, and its seconds for each
    together: dict[str, tuple[int, float]] = msgspec.field(default_factory=dict)
    # by model name: whether its jobs share forwards, up to how many rows, or why not
    sharing: dict[str, str] = msgspec.field(default_factory=dict)


class Started(Message, frozen=True, kw_only=True):
    """The first forward of this attempt is about to run."""

    job: int
    attempt: int


class Progress(Message, frozen=True, kw_only=True):
    """Step `step` of `steps` is done. Previews may be lost, progress may be skipped."""

    job: int
    attempt: int
    step: int
    steps: int
    seconds_left: float  # estimate from this run's own steps
    noise_level: float  # share of noise left, 1 to 0
    preview: bytes | None = None  # WebP, the predicted clean picture, small


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One of an order's `cells`, made."""

    facts: RunFacts
    picture: bytes  # PNG


class Finished(Message, frozen=True, kw_only=True):
    """The picture and its record; of an order with `cells`, those of the first."""

    job: int
    attempt: int
    facts: RunFacts
    picture: bytes  # PNG
    trajectory: bytes | None = None  # safetensors, see generation.worker.capture
    untouched: bytes | None = None  # PNG, as diffusion left it, where `picture` was touched up since
    words: WordMaps | None = None  # of `request`, or of the first of `cells`
    unmapped: str | None = None  # where words were asked for but cannot be had: the sentence that says why
    replicas: tuple[Replica, ...] = ()  # one for each of the order's `cells`


class Failed(Message, frozen=True, kw_only=True):
    """This attempt made no picture. `retry` says whether running it again may help."""

    job: int
    attempt: int
    sentence: str  # for the person who asked
    reference: str  # the same id stands in the worker's log
    retry: bool = False
    returned: bool = False  # given back by a worker that was told to stop: it is not the job's fault


class Cancelled(Message, frozen=True, kw_only=True):
    """The attempt was stopped as asked."""

    job: int
    attempt: int


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded step."""

    step: int
    noise_level: float
    picture: bytes  # PNG or WebP, the predicted clean picture
    noisy: bytes | None = None  # PNG or WebP, the noisy latent decoded as it is


class Frames(Message, frozen=True, kw_only=True):
    """Answer to `DecodeFrames`."""

    query: int
    frames: tuple[Frame, ...]


class PromptRead(Message, frozen=True, kw_only=True):
    """Answer to `ReadPrompt`: the words of the prompt as the first text encoder reads them."""

    query: int
    words: tuple[str, ...]
    tokens: tuple[int, ...]  # how many each word was split into
    distances: tuple[tuple[float, ...], ...]  # between words: 1 - cosine, 0 to 2
    numbers: tuple[tuple[float, ...], ...]  # the first numbers of each word's vector
    dimensions: int  # how many numbers a vector has
    encoders: int  # how many text encoders the model has
    cut: int = 0  # tokens at the end of the prompt that the encoder does not read


class TouchedUp(Message, frozen=True, kw_only=True):
    """Answer to `TouchUp`."""

    query: int
    picture: bytes  # PNG
    lines: tuple[str, ...]  # one on each touch, as `name: how`


class Status(Message, frozen=True, kw_only=True):
    """Answer to `Inspect`."""

    query: int
    running: tuple[int, ...]  # job ids
    resident_mb: float
    ready: Ready


class QueryFailed(Message, frozen=True, kw_only=True):
    """A `DecodeFrames` or `Inspect` could not be answered."""

    query: int
    sentence: str
    reference: str


JobEvent = Started | Progress | Finished | Failed | Cancelled
Answer = Frames | PromptRead | TouchedUp | Status
Event = Loading | Ready | Started | Progress | Finished | Failed | Cancelled | Answer | QueryFailed

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
