"""Word maps are what the model's own attention says, for every family; and looking changes no bit of the picture."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    PixArtAlphaPipeline,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionXLPipeline,
)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

from generation.events import Finished, Generate
from generation.models import ModelInfo, pocket_model
from generation.request import GenerationRequest, make_request
from generation.word_maps import WordMaps, find_word, masses, split_words
from generation.worker import loading
from generation.worker.hub import Hub
from generation.worker.job import PictureJob
from generation.worker.machine import Machine
from generation.worker.pipelines import LoadedModel
from generation.worker.study import StudyJob
from tests.tiny_models import tiny_pipeline, tokenizer
from tests.worker.test_families import flux_transformer, pixart, sdxl, vae

PROMPT = "a red fox on a zebra, red"  # one word twice, one that no tokenizer here knows whole


def clip(*, projects: bool) -> Any:
    words = tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=16, projection_dim=32, bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config).eval()


def t5() -> tuple[Any, Any]:
    """An encoder, and a tokenizer that knows a few words and the letters."""
    known = ["<pad>", "</s>", "<unk>", "a", "red", "fox", "on", *"bcdefghijklmnopqrstuvwxyz,"]
    inner = Tokenizer(models.WordPiece({word: number for number, word in enumerate(known)}, unk_token="<unk>"))
    inner.model.continuing_subword_prefix = ""
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    words = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=32
    )
    config = T5Config(vocab_size=len(known), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4)
    return T5EncoderModel(config).eval(), words


def family_sdxl() -> Any:
    pipeline = sdxl()[0]
    unet = type(pipeline.unet).from_config({**pipeline.unet.config, "cross_attention_dim": 64}).eval()
    return StableDiffusionXLPipeline(
        vae=pipeline.vae, text_encoder=clip(projects=False), text_encoder_2=clip(projects=True),
        tokenizer=tokenizer(), tokenizer_2=tokenizer(), unet=unet,
        scheduler=DPMSolverMultistepScheduler(steps_offset=1),
    )  # fmt: skip


def family_sd3() -> Any:
    encoder, words = t5()
    transformer = SD3Transformer2DModel(
        sample_size=32, patch_size=2, in_channels=16, num_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=64, caption_projection_dim=32, pooled_projection_dim=64, out_channels=16,
    ).eval()  # fmt: skip
    config = T5Config(**{**encoder.config.to_dict(), "d_model": 64})
    return StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae(16),
        text_encoder=clip(projects=True), tokenizer=tokenizer(), text_encoder_2=clip(projects=True),
        tokenizer_2=tokenizer(), text_encoder_3=T5EncoderModel(config).eval(), tokenizer_3=words,
    )  # fmt: skip


def family_flux() -> Any:
    encoder, words = t5()
    return FluxPipeline(
        transformer=flux_transformer(), scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae(4),
        text_encoder=clip(projects=False), tokenizer=tokenizer(), text_encoder_2=encoder, tokenizer_2=words,
    )  # fmt: skip


class Unbinned(PixArtAlphaPipeline):  # type: ignore[misc]  # diffusers is typed in part
    """Makes the size that it is asked for; the usual bins are for pictures of 256 pixels and more."""

    @functools.wraps(PixArtAlphaPipeline.__call__)
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs, use_resolution_binning=False)


def family_pixart() -> Any:
    encoder, words = t5()
    plain = pixart()[0]
    return Unbinned(
        tokenizer=words, text_encoder=encoder, vae=plain.vae, transformer=plain.transformer, scheduler=plain.scheduler
    )


def loaded(pipeline: Any, **info: Any) -> LoadedModel:
    pipeline.set_progress_bar_config(disable=True)
    values: dict[str, Any] = {"name": "random", "source": "nowhere", "width": 64, "height": 64, "min_side": 16} | info
    return LoadedModel(ModelInfo(**values), pipeline, "0" * 64, torch.float32, "cpu", max_rows=16)


def make(model: LoadedModel, request: GenerationRequest, **order: Any) -> Finished:
    hub = Hub()
    wanted = Generate(job=1, attempt=1, request=request, previews=False, trajectory=False, **order)
    task = hub.spawn(PictureJob(wanted, model, lambda event: None).work)
    while hub.tasks:
        hub.step()
    if task.error is not None:
        raise task.error
    assert isinstance(task.result, Finished)
    return task.result


def request_of(model: LoadedModel, **wishes: Any) -> GenerationRequest:
    return make_request(model.info, **({"prompt": PROMPT, "seed": 3, "steps": 3, "guidance_scale": 4.0} | wishes))


def looked(model: LoadedModel, **wishes: Any) -> WordMaps:
    """The word maps of a request; the picture must be the one that nobody looked at, bit for bit."""
    request = request_of(model, **wishes)
    watched, plain = make(model, request, words=True), make(model, request, alone=True)
    assert watched.picture == plain.picture
    assert watched.unmapped is None and watched.words is not None
    return watched.words


FAMILIES: dict[str, tuple[Callable[[], Any], str]] = {
    "sdxl": (family_sdxl, "cross"),
    "pixart": (family_pixart, "cross"),
    "sd3": (family_sd3, "joint"),
    "flux": (family_flux, "joint"),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_tells_where_its_words_were_attended_to(name: str) -> None:
    torch.manual_seed(0)
    family, kind = FAMILIES[name]
    maps = looked(loaded(family()), width=96, height=48)
    assert (maps.kind, maps.steps) == (kind, 3)
    assert [word.word for word in maps.words] == ["a", "red", "fox", "on", "a", "zebra", "red"]
    assert list(masses(maps))[-3:] == ["a (2)", "zebra", "red (2)"]
    assert len(find_word(maps, "Zebra").tokens) > 1, "its pieces count as one word"
    for word in maps.words:
        assert word.rows * 2 == word.columns, "the map has the picture's proportions"
        assert len(word.values) == word.rows * word.columns
        assert word.mass > 0 and abs(sum(word.values) / len(word.values) - word.mass) < 1e-6
    assert abs(sum(word.share for word in maps.words) - 1) < 1e-6
    assert sum(word.mass for word in maps.words) < len(FAMILIES[name]), "of all attention, two encoders' at most"


def test_a_words_mass_is_the_mean_of_the_attention_that_diffusers_computes() -> None:
    pipeline = tiny_pipeline()
    model = loaded(pipeline, width=32, height=32)
    maps = looked(model, prompt="red fox", negative_prompt="blue star")
    seen: list[torch.Tensor] = []

    class Telling:
        """diffusers' first attention processor, which forms the softmax itself."""

        def __call__(self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, **_: Any) -> Any:
            shape = hidden_states.shape
            flat = (
                hidden_states.view(shape[0], shape[1], -1).transpose(1, 2) if hidden_states.ndim == 4 else hidden_states
            )
            text = flat if encoder_hidden_states is None else encoder_hidden_states
            query, key, value = (
                attn.head_to_batch_dim(part) for part in (attn.to_q(flat), attn.to_k(text), attn.to_v(text))
            )
            scores = attn.get_attention_scores(query, key)
            if encoder_hidden_states is not None:
                seen.append(scores.view(shape[0], -1, *scores.shape[1:]).mean((1, 2)))  # rows x tokens
            return attn.to_out[0](attn.batch_to_head_dim(torch.bmm(scores, value)))

    pipeline.unet.set_attn_processor(Telling())
    make(model, request_of(model, prompt="red fox", negative_prompt="blue star"), alone=True)
    mean = torch.stack(seen).mean(0)
    for row, words in ((1, maps.words), (0, maps.negative)):
        assert [word.tokens for word in words] == [(1,), (2,)], "after the token that begins the text"
        for word in words:
            assert abs(word.mass - float(mean[row, list(word.tokens)].sum())) < 1e-5


@pytest.mark.parametrize("size", [(32, 64), (64, 32), (48, 32)])
def test_guidance_may_be_off_and_a_picture_of_any_shape(size: tuple[int, int]) -> None:
    width, height = size
    maps = looked(loaded(tiny_pipeline(), width=32, height=32), guidance_scale=1.0, width=width, height=height)
    assert maps.negative == ()
    assert maps.words[0].columns * height == maps.words[0].rows * width


def test_words_that_the_encoder_does_not_read_have_no_mass_and_one_word_has_all_of_it() -> None:
    model = loaded(tiny_pipeline(), width=32, height=32)
    maps = looked(model, prompt="fox " * 20 + "cat")
    assert maps.words[-1].tokens == () and maps.words[-1].mass == 0 and maps.words[0].mass > 0
    assert find_word(maps, "cat").centre == (0.5, 0.5)
    assert looked(model, prompt="fox").words[0].share == 1


def test_a_model_that_cannot_be_looked_into_still_makes_its_picture_and_says_why() -> None:
    pipeline = tiny_pipeline()
    slow = pipeline.tokenizer

    class Untold:
        """A tokenizer that does not tell where its tokens stand in the text."""

        def __call__(self, *args: Any, return_offsets_mapping: bool = False, **kwargs: Any) -> Any:
            if return_offsets_mapping:
                raise NotImplementedError
            return slow(*args, **kwargs)

        def __getattr__(self, name: str) -> Any:
            return getattr(slow, name)

    pipeline.tokenizer = Untold()
    model = loaded(pipeline, width=32, height=32)
    made = make(model, request_of(model, prompt="red fox"), words=True)
    assert made.words is None and "cannot be looked into" in (made.unmapped or "") and made.picture


def test_the_pocket_model_repeats_itself_bit_for_bit_and_tells_of_its_words(machine: Machine) -> None:
    model = loading.load(pocket_model(), machine, lambda what, done, total: None)
    request = make_request(model.info, prompt="a red fox wearing sunglasses", seed=7, steps=4)
    hub = Hub()
    original = make(model, request)
    order = Generate(job=1, attempt=1, request=request, words=True, alone=True, cells=(request, request.again(8)))
    told: list[Any] = []
    task = hub.spawn(StudyJob(order, model, told.append).work)
    while hub.tasks:
        hub.step()
    made = task.result
    assert [each.facts.request.seed for each in made.replicas] == [7, 8]
    assert made.replicas[0].picture == original.picture != made.replicas[1].picture
    steps = [event.step for event in told if hasattr(event, "step")]
    assert steps == list(range(1, 9)), "as one long run"
    assert list(masses(made.words)) == [word for word, _, _ in split_words(request.prompt)]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Finished) == made
