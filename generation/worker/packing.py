"""Convolutions whose weights are laid out once, for shared forwards on a CPU.

At every call torch lays the weights of a convolution out anew, as oneDNN wants them. Here that is done once, when
a model is loaded; it is also what torch.compile does, without a compiler. The layout leads oneDNN to another order of
summation, so results differ in their last bits: packed weights serve stacked calls only, and a call that runs alone
gives the very bytes of a plain module. Whether packing pays and is right is measured (`generation.worker.calibrate`).
Knows nothing of jobs or models.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

from generation.worker.machine import free_bytes

MOST_OF_FREE_MEMORY = 0.25  # that packed weights may take


class Packing:
    """The convolutions inside a module. While it is on, those that are packed compute from their packed weights."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._packed: list[torch.nn.Conv2d] = []
        self._on = False
        self.enabled = True
        self.bytes = 0  # of main memory

    def pack(self, run: Callable[[], object]) -> bool:
        """Pack the convolutions that `run` makes use of, for the sizes it uses them with. False: there are none."""
        if not _can_pack() or self._module._compiled_call_impl is not None:
            return False  # the compiler lays weights out by itself
        shapes = _input_shapes(self._module, run)
        worth = {conv: shape for conv, shape in shapes.items() if _worth_packing(conv)}
        need = sum(conv.weight.numel() * conv.weight.element_size() for conv in worth)
        if need > MOST_OF_FREE_MEMORY * free_bytes("cpu"):
            return False
        for conv, shape in worth.items():
            self._pack_one(conv, shape)
        self.bytes = need
        return bool(self._packed)

    def drop(self) -> None:
        """Let go of the packed weights."""
        for conv in self._packed:
            del conv.__dict__["_conv_forward"]
        self._packed.clear()
        self.bytes = 0

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Compute from packed weights, unless packing is not enabled."""
        before, self._on = self._on, self.enabled
        try:
            yield
        finally:
            self._on = before

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with packing on."""

        @functools.wraps(function, updated=())  # the dictionary of a module is no dictionary of a function
        def packed(*args: Any, **kwargs: Any) -> Any:
            with self.on():
                return function(*args, **kwargs)

        return packed

    def _pack_one(self, conv: torch.nn.Conv2d, shape: tuple[int, ...]) -> None:
        weight = conv.weight
        form = (conv.padding, conv.stride, conv.dilation, conv.groups)
        laid_out = torch.ops.mkldnn._reorder_convolution_weight(weight.detach(), *form, list(shape))
        packed_from = weight._version, weight.data_ptr()
        plain = conv._conv_forward

        def forward(sample: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
            # weights may be changed in place or moved after they were packed; then the packed ones are out of date
            if not self._on or (weight._version, weight.data_ptr()) != packed_from or sample.dtype != torch.float32:
                unpacked: torch.Tensor = plain(sample, weight, bias)
                return unpacked
            result: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
                sample, laid_out, bias, *form, "none", [], ""
            )
            return result

        conv.__dict__["_conv_forward"] = forward
        self._packed.append(conv)


def _can_pack() -> bool:
    # since it may be built without oneDNN, and as these are no public names
    has_onednn: bool = torch._C._has_mkldnn
    return has_onednn and all(
        hasattr(torch.ops.mkldnn, name) for name in ("_reorder_convolution_weight", "_convolution_pointwise")
    )


def _worth_packing(conv: torch.nn.Conv2d) -> bool:
    """Where a kernel is one pixel large, torch lays nothing out."""
    return (
        max(conv.kernel_size) > 1
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and conv.weight.dtype == torch.float32
        and conv.weight.device.type == "cpu"
    )


def _input_shapes(module: torch.nn.Module, run: Callable[[], object]) -> dict[torch.nn.Conv2d, tuple[int, ...]]:
    shapes: dict[torch.nn.Conv2d, tuple[int, ...]] = {}

    def note(conv: torch.nn.Module, inputs: tuple[Any, ...], _: object) -> None:
        assert isinstance(conv, torch.nn.Conv2d)  # hooked to no other
        shapes[conv] = tuple(inputs[0].shape)

    convolutions = [part for part in module.modules() if type(part) is torch.nn.Conv2d]
    hooks = [conv.register_forward_hook(note) for conv in convolutions]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return shapes
