"""A worker that a test plays by hand: it takes orders like the real one and does what the test says, when it says.

It stands in for the GPU only. Its pictures are plain colours that depend on the seed; everything around it
is real.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator

from PIL import Image

from explainer.errors import ReaderGone
from explainer.messages import Answer, Evidence, Intent, Interpreted, Offer, Question, Source
from generation import events
from generation.dispatch.base import WorkerSeen
from generation.errors import WorkerGone
from generation.models import Models
from generation.request import GenerationRequest, RunFacts
from generation.word_maps import WordMap, WordMaps, split_words


def colour(request: GenerationRequest) -> tuple[int, int, int]:
    digest = hashlib.sha256(f"{request.prompt}/{request.seed}".encode()).digest()
    return digest[0], digest[1], digest[2]


def encoded(request: GenerationRequest, form: str, side: int | None = None) -> bytes:
    out = io.BytesIO()
    size = (side or request.width, side or request.height)
    Image.new("RGB", size, colour(request)).save(out, form)
    return out.getvalue()


def facts_of(request: GenerationRequest) -> RunFacts:
    steps = request.steps
    return RunFacts(
        request=request,
        tokens=tuple(request.prompt.split()),
        scheduler="DDIMScheduler",
        scheduler_config={},
        prediction_type="v_prediction",
        timesteps=tuple(1000.0 * (steps - i) / steps for i in range(steps)),
        noise_levels=tuple(1 - i / steps for i in range(steps)),
        seconds=1.25,
        model=request.model,
        weights_sha256="0" * 64,
        image_sha256=hashlib.sha256(bytes(colour(request))).hexdigest(),
        width=request.width,
        height=request.height,
        dtype="float32",
        device="cpu",
        versions={"darkroom": "0"},
    )


def maps_of(request: GenerationRequest) -> WordMaps:
    """Each word is seen a little further right than the one before, and a little less."""
    words = [word for word, _, _ in split_words(request.prompt)]
    weights = [0.08 / (1 + place) for place in range(len(words))]

    def map_of(place: int) -> WordMap:
        column = place * 4 // max(1, len(words))
        values = tuple(weights[place] * (13.0 if index % 4 == column else 1.0) / 4 for index in range(16))
        mass = sum(values) / 16
        return WordMap(
            word=words[place],
            tokens=(place + 1,),
            mass=mass,
            share=mass / sum(weights),
            rows=4,
            columns=4,
            values=values,
        )

    return WordMaps(words=tuple(map_of(place) for place in range(len(words))), kind="cross", steps=10, layers=3)


class ScriptedDispatcher:
    """See `generation.dispatch.base.Dispatcher`. With `by_itself` it makes each picture at once, in three steps."""

    def __init__(self, models: Models, *, lanes: int = 1, by_itself: bool = False) -> None:
        self.models = models
        self.lanes = lanes
        self.by_itself = by_itself
        self.running: dict[int, events.Generate] = {}
        self.orders: list[events.Generate] = []
        self.cancels: list[int] = []
        self.can_decode = True
        self.decoded: list[events.DecodeFrames] = []  # what it was asked to
        self.named: tuple[WorkerSeen, ...] = ()  # as workers of a network are
        self._events: asyncio.Queue[events.Event | None] = asyncio.Queue()

    @property
    def lanes_free(self) -> int:
        return self.lanes - len(self.running)

    def workers(self) -> tuple[WorkerSeen, ...]:
        return self.named

    async def start(self) -> None:
        self._events.put_nowait(
            events.Ready(
                lanes=self.lanes,
                models=self.models.names,
                device="cpu",
                dtype="float32",
                threads=1,
                weights_sha256=dict.fromkeys(self.models.names, "0" * 64),
                seconds_per_step=dict.fromkeys(self.models.names, 0.1),
                versions={},
            )
        )

    async def close(self) -> None:
        self._events.put_nowait(None)

    async def submit(self, order: events.Generate) -> None:
        self.orders.append(order)
        self.running[order.job] = order
        if self.by_itself:
            for step in (1, 2, 3):
                self.progress(order.job, step)
            self.finish(order.job)

    async def cancel(self, job: int, attempt: int) -> None:
        self.cancels.append(job)
        if self.running.pop(job, None):
            self._events.put_nowait(events.Cancelled(job=job, attempt=attempt))

    async def events(self) -> AsyncIterator[events.Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def frames(self, query: events.DecodeFrames) -> events.Frames:
        if not self.can_decode:
            raise WorkerGone("The worker ended before it answered.")
        self.decoded.append(query)
        out = io.BytesIO()
        Image.new("RGB", (32, 32), colour(self.orders[-1].request) if self.orders else (90, 90, 90)).save(out, "PNG")
        picture = out.getvalue()
        return events.Frames(
            query=query.query,
            frames=tuple(
                events.Frame(
                    step=step,
                    noise_level=1 / max(1, step),
                    picture=picture,
                    noisy=picture if query.noisy else None,
                )
                for step in query.steps
            ),
        )

    async def read_prompt(self, query: events.ReadPrompt) -> events.PromptRead:
        if not self.can_decode:
            raise WorkerGone("The worker ended before it answered.")
        words = tuple(query.prompt.split())
        apart = tuple(tuple(abs(a - b) / 10 for b in range(len(words))) for a in range(len(words)))
        numbers = tuple((0.1 * place, -0.2, 0.3) for place in range(len(words)))
        return events.PromptRead(
            query=query.query, words=words, tokens=(1,) * len(words), distances=apart, numbers=numbers, dimensions=3,
            encoders=1,
        )  # fmt: skip

    async def touch_up(self, query: events.TouchUp) -> events.TouchedUp:
        if not self.can_decode:
            raise WorkerGone("The worker ended before it answered.")
        out = io.BytesIO()
        with Image.open(io.BytesIO(query.picture)) as image:
            image.resize((image.width * 2, image.height * 2)).save(out, "PNG")
        return events.TouchedUp(
            query=query.query, picture=out.getvalue(), lines=tuple(f"{name}: done" for name in query.touches)
        )

    async def status(self) -> events.Status:
        raise WorkerGone("The scripted worker has no status.")

    # --- what a test does ----------------------------------------------------------------------

    def progress(self, job: int, step: int, *, seconds_left: float = 3.0, preview: bool = True) -> None:
        """The job finishes a step. `preview`: whether a glimpse comes along."""
        order = self.running[job]
        if step == 1:
            self._events.put_nowait(events.Started(job=job, attempt=order.attempt))
        self._events.put_nowait(
            events.Progress(
                job=job,
                attempt=order.attempt,
                step=step,
                steps=order.request.steps,
                seconds_left=seconds_left,
                noise_level=1 - step / order.request.steps,
                preview=encoded(order.request, "WEBP", side=32) if preview else None,
            )
        )

    def finish(self, job: int) -> None:
        """The job's picture is there."""
        order = self.running.pop(job)
        self._events.put_nowait(
            events.Finished(
                job=job,
                attempt=order.attempt,
                facts=facts_of(order.request),
                picture=encoded(order.request, "PNG"),
                trajectory=None if order.cells else b"the latents of every step",
                words=maps_of(order.request) if order.words else None,
                replicas=tuple(
                    events.Replica(facts=facts_of(cell), picture=encoded(cell, "PNG")) for cell in order.cells
                ),
            )
        )

    def fail(self, job: int, sentence: str, *, retry: bool = False) -> None:
        """The job ends without a picture."""
        order = self.running.pop(job)
        self._events.put_nowait(
            events.Failed(job=job, attempt=order.attempt, sentence=sentence, reference="abc123", retry=retry)
        )


class ScriptedReader:
    """A reader that a test sees through: its answer names what it was handed, and quotes the last turn and picture."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.offer: Offer | None = None  # that each answer makes
        self.heard: list[Question] = []
        self.understood: dict[str, Interpreted] = {}  # by message; any other is left to the plain rules

    async def interpret(self, question: Question, wanted: Intent | None = None) -> Interpreted:
        self.heard.append(question)
        if question.text not in self.understood:
            raise ReaderGone("The scripted reader does not understand that.")
        return self.understood[question.text]

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        evidence = [Evidence(kind="passage", ref="seeds/what-a-seed-is", quote="A seed is a number.")]
        picture = question.about or (question.pictures[-1].id if question.pictures else None)
        if picture is not None:
            seen = next(item for item in question.pictures if item.id == picture)
            evidence.append(Evidence(kind="run", ref=f"picture {picture}: prompt", quote=seen.run.request.prompt))
        if question.turns:
            last = question.turns[-1]
            evidence.append(Evidence(kind="turn", ref=f"turn {last.id}", quote=last.said))
        return Answer(
            text=f"An answer to {question.text!r}.",
            route="both",
            evidence=tuple(evidence),
            sources=(Source(passage="seeds/what-a-seed-is", title="What a seed is", citations=()),),
            picture=picture,
            offer=self.offer,
        )
