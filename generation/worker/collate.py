"""Stacks calls of a module into one call over more rows, and splits what comes back.

A *row* is one picture's worth of input: the first axis of the module's first tensor. Which arguments are
per row and which are common to all is told by shape, with a few names as exceptions. That is a heuristic:
whether it is right for a model is checked when the model is loaded (`generation.worker.calibrate`).
Knows nothing of jobs, of greenlets or of any model family.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

TIME_ARGUMENTS = frozenset({"timestep", "timesteps", "t"})  # a number for all rows, or one number per row
COMMON_ARGUMENTS = frozenset({"img_ids", "txt_ids", "image_rotary_emb"})  # position codes, without a batch axis
PADDED_ROWS = (1, 2, 4, 8)  # of a compiled module, which is compiled anew for each number that it has not seen
UNUSED_ARGUMENTS = frozenset({"generator"})  # decoders take one and draw nothing from it


class NotCollatable(Exception):
    """The calls, or what they returned, cannot be told apart by rows; each must run alone."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of `function` that waits to be run, alone or stacked with others of equal `key`."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    max_rows: int  # more rows than this are not put into one forward
    rows: int = 1
    key: Hashable = None  # None: never stacked
    named: Mapping[str, Any] = field(default_factory=dict)  # the arguments by parameter name
    pad: bool = False  # fill forwards up to a number of rows in PADDED_ROWS
    stacked: Callable[..., Any] | None = None  # runs in place of `function` where calls are stacked

    def run(self) -> Any:
        """The call exactly as it was made."""
        return self.function(*self.args, **self.kwargs)


def make_call(
    function: Callable[..., Any],
    signature: inspect.Signature,
    identity: Hashable,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    max_rows: int,
    *,
    pad: bool = False,
    stacked: Callable[..., Any] | None = None,
) -> Call:
    """A call with its rows counted and its key worked out; `identity` tells one module from another."""
    named = _by_name(signature, args, kwargs)
    rows = _count_rows(named) if named else None
    if rows is None:
        return Call(function, args, kwargs, max_rows, pad=pad)
    form = tuple((name, _form(name, value, rows)) for name, value in sorted(named.items()))
    return Call(function, args, kwargs, max_rows, rows, (identity, form), named, pad, stacked)


def agree(one: Call, other: Call) -> bool:
    """Whether two calls of equal key also have equal values where all rows share one."""
    return all(_same_common(name, one.named[name], other.named[name], one.rows, other.rows) for name in one.named)


def run_stacked(calls: Sequence[Call]) -> list[Any]:
    """One forward for all `calls`, which have equal keys and agree; what each would have got, in order.

    Raises:
        NotCollatable: the rows cannot be told apart in what the module returned.
    """
    wanted = len(calls)
    calls = padded(calls)
    rows = [call.rows for call in calls]
    arguments = {
        name: _stack(name, [call.named[name] for call in calls], rows)
        for name in calls[0].named
        if name not in UNUSED_ARGUMENTS
    }
    function = calls[0].stacked or calls[0].function
    return split(function(**arguments), rows)[:wanted]


def padded(calls: Sequence[Call]) -> Sequence[Call]:
    """The calls, and where the module is compiled some of them again, so that the rows are of a number it knows."""
    missing = 0
    if calls[0].pad:
        rows = sum(call.rows for call in calls)
        missing = next((most for most in PADDED_ROWS if most >= rows), rows) - rows
    filled = list(calls)
    for call in sorted(calls, key=lambda call: call.rows, reverse=True):
        while call.rows <= missing:
            filled.append(call)
            missing -= call.rows
    return filled


def split(output: Any, rows: Sequence[int]) -> list[Any]:
    """`output` of a stacked call, cut back into one part per call.

    Raises:
        NotCollatable: something in it has another number of rows.
    """
    total = sum(rows)
    if isinstance(output, torch.Tensor):
        if output.ndim == 0 or output.shape[0] != total:
            raise NotCollatable(f"a tensor of shape {tuple(output.shape)} came back for {total} rows")
        return list(torch.split(output, list(rows)))
    if isinstance(output, Mapping):
        parts = {name: split(value, rows) for name, value in output.items()}
        return [type(output)(**{name: part[i] for name, part in parts.items()}) for i in range(len(rows))]
    if isinstance(output, list) and len(output) == total:  # one tensor per row
        starts = [sum(rows[:i]) for i in range(len(rows))]
        return [output[start : start + count] for start, count in zip(starts, rows, strict=True)]
    if isinstance(output, list | tuple):
        columns = [split(value, rows) for value in output]
        return [type(output)(column[i] for column in columns) for i in range(len(rows))]
    if output is None:
        return [None] * len(rows)
    raise NotCollatable(f"a {type(output).__name__} came back")


def _by_name(signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by parameter name; empty where the signature leaves that open."""
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in signature.parameters.values()):
        return {}
    try:
        named = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:
        return {}  # the module itself will say what is wrong with the call
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named.update(named.pop(parameter.name, {}))
    return named


def _count_rows(named: Mapping[str, Any]) -> int | None:
    first = next(iter(named.values()))
    if isinstance(first, torch.Tensor) and first.ndim > 1:
        return int(first.shape[0])
    if _is_row_list(first):
        return len(first)
    return None


def _is_row_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, torch.Tensor) for item in value)


def _is_per_row(name: str, tensor: torch.Tensor, rows: int) -> bool:
    return name not in COMMON_ARGUMENTS and tensor.ndim > 0 and tensor.shape[0] == rows


def _form(name: str, value: Any, rows: int) -> Hashable:
    """What must be equal for two values of one argument to be stacked."""
    if name in UNUSED_ARGUMENTS:
        return "unused"
    if name in TIME_ARGUMENTS and isinstance(value, torch.Tensor | int | float):
        return "time"
    if isinstance(value, torch.Tensor):
        if _is_per_row(name, value, rows):
            return "per row", tuple(value.shape[1:]), value.dtype, value.device
        return "common", tuple(value.shape), value.dtype, value.device
    if _is_row_list(value) and len(value) == rows:
        # their first axis may differ: a list is what a family uses whose prompts have different lengths
        shapes = {tuple(item.shape[1:]) for item in value}
        return "list", tuple(sorted(shapes)), value[0].dtype, value[0].device
    if isinstance(value, Mapping):
        return "mapping", tuple((key, _form(key, item, rows)) for key, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(_form(name, item, rows) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return "object", id(value)


def _same_common(name: str, one: Any, other: Any, one_rows: int, other_rows: int) -> bool:
    if name in TIME_ARGUMENTS or name in UNUSED_ARGUMENTS or one is other:
        return True
    if isinstance(one, torch.Tensor):
        return _is_per_row(name, one, one_rows) or torch.equal(one, other)
    if _is_row_list(one) and len(one) == one_rows:
        return True
    if isinstance(one, Mapping):
        return all(_same_common(key, one[key], other[key], one_rows, other_rows) for key in one)
    if isinstance(one, list | tuple):
        return all(_same_common(name, a, b, one_rows, other_rows) for a, b in zip(one, other, strict=True))
    return True  # the form held the value itself


def _stack(name: str, values: Sequence[Any], rows: Sequence[int]) -> Any:
    first = values[0]
    if name in TIME_ARGUMENTS and isinstance(first, torch.Tensor | int | float):
        return _stack_times(values, rows)
    if isinstance(first, torch.Tensor):
        return torch.cat(list(values)) if _is_per_row(name, first, rows[0]) else first
    if _is_row_list(first) and len(first) == rows[0]:
        return [item for value in values for item in value]
    if isinstance(first, Mapping):
        return {key: _stack(key, [value[key] for value in values], rows) for key in first}
    if isinstance(first, list | tuple):
        return type(first)(_stack(name, list(items), rows) for items in zip(*values, strict=True))
    return first


def _stack_times(values: Sequence[Any], rows: Sequence[int]) -> torch.Tensor:
    """One entry per row, whatever each scheduler gave: a number, a scalar tensor, or a tensor per row."""
    tensors = [torch.as_tensor(value).reshape(-1) for value in values]
    device = next((value.device for value in values if isinstance(value, torch.Tensor)), torch.device("cpu"))
    return torch.cat([t.to(device).expand(n) if t.numel() == 1 else t for t, n in zip(tensors, rows, strict=True)])
