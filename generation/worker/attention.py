"""Looks into a denoiser's attention while one job's forwards run, and sums up where each word was attended to.

No attention is computed anew by us from hidden states: while a watched forward runs, the very queries and keys that
the model hands to `scaled_dot_product_attention` are looked at, after all of its own norms, masks and position codes,
so this works for any family that uses it, and the picture is the same bit for bit. Hooks stand on the attention
modules for the length of that forward and are taken off again; nobody else's forwards are touched, since a watched
job shares none. Knows no request and no picture.

What counts as attention to words: cross-attention (keys are text only), and joint attention, where text and picture
are keys together (SD3, Flux). Sums run over forwards and layers, means over heads.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from greenlet import getcurrent  # type: ignore[import-untyped]  # it ships no types
from torch.overrides import TorchFunctionMode

from generation.errors import WorkerError
from generation.word_maps import WordMap, WordMaps, split_words
from generation.worker.collate import Call
from generation.worker.hub import StandIn

MOST_CELLS_A_SIDE = 32  # of a map; attention says nothing finer
SCORES_AT_ONCE = 2**24  # numbers; a large picture's attention is looked at in parts
TEXT_FIRST = frozenset({"FluxAttnProcessor", "QwenDoubleStreamAttnProcessor2_0", "AuraFlowAttnProcessor2_0"})
PICTURE_FIRST = frozenset({"JointAttnProcessor2_0"})
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
UNMAPPED = "This model's attention cannot be looked into, so there is no word map of its pictures."

Role = Literal["prompt", "negative"]


class AloneModule(StandIn):
    """Parks each call as one that shares with no other, so that equal input makes equal bits."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        hub = getcurrent().parent
        if hub is None:
            return self._run(*args, **kwargs)
        return hub.switch(Call(self._run, args, kwargs, max_rows=1))

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        return self._module(*args, **kwargs)


class WatchedModule(AloneModule):
    """As `AloneModule`, and the watch sees each forward."""

    def __init__(self, module: torch.nn.Module, watch: AttentionWatch) -> None:
        super().__init__(module)
        self.__dict__["_watch"] = watch

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        with self._watch.looking(self._module, args, kwargs):
            return self._module(*args, **kwargs)


class ListenedTokenizer(StandIn):
    """Remembers what the pipeline had it read, and how."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer)
        self.__dict__["_calls"] = []

    def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        result = self._module(text, *args, **kwargs)
        texts = [text] if isinstance(text, str) else list(text)
        ids = result["input_ids"]
        length = len(ids) if isinstance(text, str) and not isinstance(ids, torch.Tensor) else len(ids[0])
        self._calls.append((str(texts[0]), kwargs, length))
        return result


@dataclass(frozen=True)
class _Where:
    """The attention module that is at work."""

    text: int | None  # length of the text that it was handed apart from the picture
    length: int  # of the sequence that it was handed as the picture
    processor: str


@dataclass
class _Sum:
    """Attention to each token by place of the picture, of layers with one grid."""

    total: torch.Tensor  # places x tokens
    count: int = 0


@dataclass
class _Seen:
    sums: dict[tuple[Role, int], _Sum] = field(default_factory=dict)  # by role and number of places
    layers: int = 0


class AttentionWatch:
    """Watches one run of one pipeline."""

    def __init__(self, width: int, height: int, *, in_turn: bool = False) -> None:
        """`width` and `height` of the picture. `in_turn`: prompt and negative prompt come in calls of their own."""
        self._width = width
        self._height = height
        self._in_turn = in_turn
        self._seen = _Seen()
        self._forwards = 0
        self._text = 0  # tokens that the denoiser is given
        self._joint = False
        self._order: str | None = None  # of the sequence in joint attention
        self._where: list[_Where] = []
        self._tokenizers: dict[str, ListenedTokenizer] = {}

    def attach(self, pipeline: Any, denoisers: Sequence[str], modules: Any) -> None:
        """Watch a job's own copy of a pipeline; `modules` is the original one with the plain parts."""
        state = pipeline.__dict__
        for name in denoisers:
            module = getattr(modules, name, None)
            if isinstance(module, torch.nn.Module):
                state[name] = WatchedModule(module, self)
        for name in TOKENIZERS:
            if getattr(modules, name, None) is not None:
                state[name] = self._tokenizers[name] = ListenedTokenizer(getattr(modules, name))

    # --- watching ------------------------------------------------------------------------------

    @contextmanager
    def looking(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
        """For the length of one forward of the denoiser."""
        named = inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments
        text = named.get("encoder_hidden_states")
        if not isinstance(text, torch.Tensor) or text.ndim != 3:
            yield
            return
        self._text = int(text.shape[1])
        before = self._seen.layers
        handles = [
            handle
            for part in module.modules()
            if hasattr(part, "to_q") and hasattr(part, "processor")
            for handle in (
                part.register_forward_pre_hook(self._enter, with_kwargs=True),
                part.register_forward_hook(self._leave, always_call=True),
            )
        ]
        try:
            with _Listener(self):
                yield
        finally:
            self._where.clear()
            for handle in handles:
                handle.remove()
        self._forwards += self._seen.layers > before

    def _enter(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        text = kwargs.get("encoder_hidden_states", args[1] if len(args) > 1 else None)
        length = math.prod(hidden.shape[2:]) if hidden.ndim == 4 else int(hidden.shape[1])
        self._where.append(
            _Where(
                text=int(text.shape[1]) if isinstance(text, torch.Tensor) else None,
                length=length,
                processor=type(module.processor).__name__,
            )
        )

    def _leave(self, module: Any, args: Any, output: Any) -> None:
        if self._where:
            self._where.pop()

    def hear(self, query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, scale: float | None) -> None:
        """Attention is about to be computed: rows x heads x places x numbers."""
        if not self._where or query.ndim != 4:
            return
        where, text = self._where[-1], self._text
        places, keys = int(query.shape[2]), int(key.shape[2])
        if where.text == text and keys == text and places == where.length:
            self._add(query, key, mask, scale, slice(0, text))
            return
        order = self._order
        if where.text == text and places == keys == where.length + text:
            order = self._order = _order_of(where.processor)
        elif where.text is not None or places != keys or where.length != keys or keys <= text:
            return  # the picture's attention to itself
        if order is not None:
            self._joint = True
            text_first = order == "text"
            picture = slice(text, None) if text_first else slice(0, keys - text)
            self._add(
                query[:, :, picture], key, mask, scale, slice(0, text) if text_first else slice(keys - text, keys)
            )

    def _add(
        self, query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, scale: float | None, text: slice
    ) -> None:
        for row, role in self._roles(int(query.shape[0])):
            attention = _attention(query[row], key[row], _of_row(mask, row), scale, text)
            places = int(attention.shape[0])
            kept = self._seen.sums.get((role, places))
            if kept is None:
                kept = self._seen.sums[role, places] = _Sum(torch.zeros_like(attention))
            kept.total += attention
            kept.count += 1
        self._seen.layers += 1

    def _roles(self, rows: int) -> list[tuple[int, Role]]:
        """Which row is whose; pipelines put the negative prompt first, or call the model twice, the prompt first."""
        if rows > 1:
            return [(0, "negative"), (rows - 1, "prompt")]
        return [(0, "negative" if self._in_turn and self._forwards % 2 else "prompt")]

    # --- summing up ----------------------------------------------------------------------------

    def maps(self, prompt: str, negative: str) -> WordMaps:
        """What was seen.

        Raises:
            WorkerError: it cannot be told which token is which word.
        """
        if not self._forwards:
            raise WorkerError(UNMAPPED)
        roles = {role for role, _ in self._seen.sums}
        return WordMaps(
            words=self._words("prompt", prompt),
            negative=self._words("negative", negative) if negative and "negative" in roles else (),
            kind="joint" if self._joint else "cross",
            steps=self._forwards,
            layers=self._seen.layers // self._forwards,
        )

    def _words(self, role: Role, text: str) -> tuple[WordMap, ...]:
        each, grid = self._mean(role)
        words = list(self._tokens_of(text))
        values = [each[list(tokens)].sum(0) if tokens else torch.zeros(grid) for _, tokens in words]
        masses = [float(value.mean()) for value in values]
        together = sum(masses)
        return tuple(
            WordMap(
                word=word,
                tokens=tokens,
                mass=mass,
                share=mass / together if together else 0.0,
                rows=grid[0],
                columns=grid[1],
                values=tuple(value.flatten().tolist()),
            )
            for (word, tokens), value, mass in zip(words, values, masses, strict=True)
        )

    def _mean(self, role: Role) -> tuple[torch.Tensor, tuple[int, int]]:
        """Tokens x rows x columns, the mean over layers and forwards."""
        sums = {
            grid_of(places, self._width, self._height): kept
            for (own, places), kept in self._seen.sums.items()
            if own == role
        }
        finest = max(sums, key=lambda grid: grid[0] * grid[1])
        shrink = min(1.0, MOST_CELLS_A_SIDE / max(finest))
        grid = (max(1, round(finest[0] * shrink)), max(1, round(finest[1] * shrink)))
        count = sum(kept.count for kept in sums.values())
        mean = sum(_at(kept.total.cpu(), own, grid) for own, kept in sums.items()) / count
        assert isinstance(mean, torch.Tensor)  # there is at least one
        return mean, grid

    def _tokens_of(self, text: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Each word with the places of its tokens in the denoiser's text, of all encoders whose tokens stand there."""
        read = self._readings(text)
        found: dict[int, list[int]] = {}
        words: list[tuple[str, int, int]] = []
        for offset, tokenizer, said, options in read:
            words = words or split_words(said)
            spans = _offsets(tokenizer, said, options)
            for index, (_, begin, end) in enumerate(split_words(said)):
                tokens = found.setdefault(index, [])
                tokens += [offset + place for place, (a, b) in enumerate(spans) if max(a, begin) < min(b, end)]
        own = split_words(text)
        for index, (word, _, _) in enumerate(words):
            yield own[index][0] if len(own) == len(words) else word, tuple(found.get(index, ()))

    def _readings(self, text: str) -> list[tuple[int, Any, str, dict[str, Any]]]:
        """Which tokenizers' sequences make up the denoiser's text: where each begins, and what it was given to read."""
        heard = []
        for tokenizer in self._tokenizers.values():
            calls = [call for call in tokenizer._calls if _same(call[0], text)]
            if calls:
                said, options, length = next(
                    (call for call in calls if call[1].get("padding") == "max_length"), calls[0]
                )
                heard.append((tokenizer._module, said, options, length))
        for tokenizer, said, options, length in heard:
            if length == self._text:
                return [(0, tokenizer, said, options)]
        for first, *_, last in [heard[i:j] for i in range(len(heard)) for j in range(i + 2, len(heard) + 1)]:
            if first[3] + last[3] == self._text:  # SD3: what CLIP reads, then what T5 reads
                return [(0, *first[:3]), (first[3], *last[:3])]
        raise WorkerError(UNMAPPED)


class _Listener(TorchFunctionMode):
    """Tells the watch of each attention that is computed, and lets it be computed as it was asked for."""

    def __init__(self, watch: AttentionWatch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            named = dict(zip(("query", "key", "value", "attn_mask"), args, strict=False)) | kwargs
            self._watch.hear(named["query"], named["key"], named.get("attn_mask"), named.get("scale"))
        return func(*args, **kwargs)


def grid_of(places: int, width: int, height: int) -> tuple[int, int]:
    """Rows and columns of so many places of a picture: the division that comes nearest to its proportions."""
    wanted = math.log(height / width)
    divisors = [rows for rows in range(1, places + 1) if places % rows == 0]
    rows = min(divisors, key=lambda rows: abs(math.log(rows * rows / places) - wanted))
    return rows, places // rows


def _order_of(processor: str) -> str | None:
    if processor in TEXT_FIRST:
        return "text"
    return "picture" if processor in PICTURE_FIRST else None


def _attention(
    query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, scale: float | None, text: slice
) -> torch.Tensor:
    """How much each place attends to each token of the text, mean over heads: places x tokens, float32.

    `query` and `key` are heads x places x numbers, of one row.
    """
    with torch.inference_mode():
        factor = query.shape[-1] ** -0.5 if scale is None else scale
        heads, keys = int(query.shape[0]), int(key.shape[1])
        if int(key.shape[0]) != heads:
            key = key.repeat_interleave(heads // int(key.shape[0]), 0)
        columns = key.float().transpose(1, 2)
        parts = []
        for some in torch.split(query, max(1, SCORES_AT_ONCE // (heads * keys)), dim=1):
            scores = some.float() @ columns * factor
            if mask is not None:
                scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask.float()
            parts.append(scores.softmax(-1)[..., text].mean(0))
        return torch.cat(parts)


def _at(total: torch.Tensor, own: tuple[int, int], grid: tuple[int, int]) -> torch.Tensor:
    """Places x tokens of one grid as tokens x rows x columns of another; the mean of each token stays what it was."""
    plane = total.T.reshape(1, -1, *own)
    if own[0] > grid[0] or own[1] > grid[1]:
        return torch.nn.functional.adaptive_avg_pool2d(plane, grid)[0]
    enlarged = torch.nn.functional.interpolate(plane, grid, mode="bilinear", align_corners=False)
    before, after = plane.mean((2, 3), keepdim=True), enlarged.mean((2, 3), keepdim=True)
    return (enlarged * (before / after.clamp_min(1e-12)))[0]


def _of_row(mask: torch.Tensor | None, row: int) -> torch.Tensor | None:
    if mask is None:
        return None
    own = mask[row] if mask.ndim == 4 and mask.shape[0] > 1 else mask[0] if mask.ndim == 4 else mask
    return own[..., :1, :] if own.shape[-2] > 1 else own


def _offsets(tokenizer: Any, said: str, options: dict[str, Any]) -> list[tuple[int, int]]:
    """Where each token of the sequence stands in the text, in characters.

    Raises:
        WorkerError: this kind of tokenizer does not tell.
    """
    plain = {name: value for name, value in options.items() if name != "return_tensors"}
    try:
        return [tuple(span) for span in tokenizer(said, **plain, return_offsets_mapping=True)["offset_mapping"]]
    except NotImplementedError as error:
        raise WorkerError(UNMAPPED) from error


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
