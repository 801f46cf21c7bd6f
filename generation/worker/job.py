"""One job: from an order to a finished picture and the facts of its run. It runs inside a task of the hub.

Everything in the facts is taken from what really happened, not from what was asked for.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
import torch
from PIL import Image

from generation.errors import RequestError, WorkerError
from generation.events import Finished, Generate, JobEvent, Progress, Started
from generation.request import GenerationRequest, RunFacts
from generation.word_maps import WordMaps
from generation.worker import finish
from generation.worker.attention import AloneModule, AttentionWatch
from generation.worker.capture import Recorder, StepTaken, pack_trajectory
from generation.worker.loading import options_of
from generation.worker.machine import versions
from generation.worker.masking import keep_outside
from generation.worker.pipelines import DENOISERS, LoadedModel
from generation.worker.preview import Pace
from generation.worker.touch_up import touch_up
from generation.worker.upscaler import Upscaler

log = logging.getLogger(__name__)


class PictureJob:
    """Makes the picture of one order with a loaded model, and tells of it by `emit`."""

    def __init__(
        self,
        order: Generate,
        model: LoadedModel,
        emit: Callable[[JobEvent], None],
        upscaler: Upscaler | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._upscaler = upscaler
        self._order = order
        self._model = model
        self._emit = emit
        self._recorder: Recorder | None = None
        self._began = 0.0
        self._pace = pace or Pace(lambda: 1)
        self._next_preview = float("-inf")

    def remaining(self) -> float:
        """How much work is left, in steps x rows x megapixels: what the hub orders jobs by."""
        request = self._order.request
        steps = request.steps
        if self._recorder is not None and self._recorder.timesteps:
            steps = self._recorder.steps - len(self._recorder.timesteps)
        rows = 2 if request.guidance_scale > 1 else 1
        return steps * rows * request.width * request.height / 1e6

    def work(self) -> Finished:
        """Run the pipeline to its end.

        Raises:
            RequestError: the request cannot be carried out with this model.
            WorkerError: the model lost its numbers.
        """
        request = self._order.request
        image, mask = _init_image(self._order), _mask(self._order)
        self._emit(Started(job=self._order.job, attempt=self._order.attempt))
        self._began = time.perf_counter()
        pipeline = self._model.pipeline_for_job(
            request.scheduler or self._model.info.scheduler,
            from_image=image is not None,
            pixels=request.width * request.height,
        )
        if mask is not None:
            keep_outside(pipeline.scheduler, mask)
        recorder = Recorder(
            pipeline.scheduler, self._step_taken, keep=self._order.trajectory, clean=self._order.previews
        )
        self._recorder = recorder
        watch = self._set_apart(pipeline, from_image=image is not None)
        images = self._model.run(pipeline, self._arguments(request, image))
        picture = finish.to_image(images[0])
        seconds = time.perf_counter() - self._began
        trajectory = recorder.trajectory(*picture.size)
        facts = self._facts(pipeline, recorder, picture, seconds)
        encoded = finish.png(picture)
        untouched = None
        if request.touches:
            touched, lines = touch_up(picture, request.touches, self._upscaler)
            facts = msgspec.structs.replace(facts, final_touches=tuple(lines))
            untouched, encoded = encoded, finish.png(touched)
        words, unmapped = _words(watch, request)
        return Finished(
            job=self._order.job,
            attempt=self._order.attempt,
            facts=facts,
            picture=encoded,
            trajectory=None if trajectory is None else pack_trajectory(trajectory),
            untouched=untouched,
            words=words,
            unmapped=unmapped,
        )

    def _set_apart(self, pipeline: Any, *, from_image: bool) -> AttentionWatch | None:
        """Let the job share no forward where that was ordered, and watch its attention where that was."""
        request, plain = self._order.request, self._model.pipeline
        if not self._order.words and not self._order.alone:
            return None
        pipeline.__dict__["vae"] = plain.vae
        if not self._order.words:
            for name in DENOISERS:
                if isinstance(module := getattr(plain, name, None), torch.nn.Module):
                    pipeline.__dict__[name] = AloneModule(module)
            return None
        in_turn = self._model.guidance_argument(from_image=from_image) == "true_cfg_scale"
        watch = AttentionWatch(request.width, request.height, in_turn=in_turn and request.guidance_scale > 1)
        watch.attach(pipeline, DENOISERS, plain)
        return watch

    def _arguments(self, request: GenerationRequest, image: Image.Image | None) -> dict[str, Any]:
        """The pipeline's arguments, as far as this family of pipelines knows them."""
        wanted: dict[str, Any] = {
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "num_inference_steps": request.steps,
            self._model.guidance_argument(from_image=image is not None): request.guidance_scale,
            "width": request.width,
            "height": request.height,
            "generator": torch.Generator().manual_seed(request.seed),
            "output_type": "np",
        }
        if image is not None:
            wanted |= {"image": image, "strength": request.strength}
        return {
            name: value for name, value in wanted.items() if self._model.accepts(name, from_image=image is not None)
        }

    def _step_taken(self, step: StepTaken) -> None:
        elapsed = time.perf_counter() - self._began
        self._emit(
            Progress(
                job=self._order.job,
                attempt=self._order.attempt,
                step=step.step,
                steps=step.steps,
                seconds_left=elapsed / step.step * (step.steps - step.step),
                noise_level=step.noise_level,
                preview=self._preview(step),
            )
        )

    def _preview(self, step: StepTaken) -> bytes | None:
        now = time.perf_counter()
        if not self._order.previews or self._model.preview is None or step.clean is None or now < self._next_preview:
            return None
        request = self._order.request
        latents = finish.spatial(self._model.pipeline, step.clean, request.width, request.height)
        preview = self._model.preview.webp(latents, request.width, request.height)
        self._pace.took(time.perf_counter() - now)
        self._next_preview = now + self._pace.pause()
        return preview

    def _facts(self, pipeline: Any, recorder: Recorder, picture: Image.Image, seconds: float) -> RunFacts:
        request = self._order.request
        return RunFacts(
            request=request,
            tokens=prompt_tokens(pipeline, request.prompt),
            scheduler=type(pipeline.scheduler).__name__,
            scheduler_config=_plain(pipeline.scheduler.config),
            prediction_type=recorder.prediction_type,
            timesteps=tuple(recorder.timesteps),
            noise_levels=tuple(recorder.noise_levels),
            changes=tuple(recorder.changes),
            latent_shape=recorder.latent_shape,
            seconds=seconds,
            model=self._model.info.name,
            model_options=options_of(self._model.info),
            weights_sha256=self._model.weights_sha256,
            image_sha256=finish.image_sha256(picture),
            width=picture.width,
            height=picture.height,
            dtype=str(self._model.dtype).removeprefix("torch."),
            device=self._model.device,
            versions=dict(versions()),
        )


def prompt_tokens(pipeline: Any, prompt: str) -> tuple[str, ...]:
    """The prompt as the pipeline's first tokenizer splits it, cut where the text encoder stops reading."""
    tokenizer = getattr(pipeline, "tokenizer", None) or getattr(pipeline, "tokenizer_2", None)
    if tokenizer is None:
        return ()
    ids = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids
    special = set(tokenizer.all_special_ids)
    return tuple(tokenizer.convert_ids_to_tokens([token for token in ids if token not in special]))


def _words(watch: AttentionWatch | None, request: GenerationRequest) -> tuple[WordMaps | None, str | None]:
    """The word maps, or the sentence that says why there are none; a picture is not lost for want of them."""
    if watch is None:
        return None, None
    try:
        return watch.maps(request.prompt, request.negative_prompt), None
    except WorkerError as error:
        return None, str(error)


def _init_image(order: Generate) -> Image.Image | None:
    request = order.request
    if request.init_image is None:
        return None
    if order.init_image is None:
        raise RequestError("The picture to start from is not there any more.")
    return finish.open_init_image(order.init_image, request.width, request.height)


def _mask(order: Generate) -> Image.Image | None:
    request = order.request
    if request.mask is None:
        return None
    if order.mask is None:
        raise RequestError("The mask that says which part to make anew is not there any more.")
    return finish.open_own(order.mask).convert("L").resize((request.width, request.height))


def _plain(config: Any) -> dict[str, object]:
    """A scheduler's configuration as JSON has it, without diffusers' private entries."""
    public = {name: value for name, value in dict(config).items() if not name.startswith("_")}
    plain: dict[str, object] = json.loads(json.dumps(public, default=str))
    return plain
