"""How much memory models may take here, how much each takes, and which of them are kept.

The budget is in bytes: what the operator says, else a share of what is free when the worker starts. Weights are counted
as they lie in memory, once where two parts share them. Knows nothing of jobs, beyond which models are in use.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Collection, Iterator
from typing import Any

import torch

from generation.worker.machine import free_bytes
from generation.worker.pipelines import LoadedModel

log = logging.getLogger(__name__)

SHARE_FOR_WEIGHTS = 0.8  # of what is free; the rest is for what forwards need in passing


def budget(device: str, wanted: int | None) -> int:
    """Bytes that models may take on `device` together; `wanted` is the operator's own figure."""
    return wanted if wanted is not None else int(free_bytes(device) * SHARE_FOR_WEIGHTS)


def held_bytes(pipeline: Any) -> int:
    """Bytes of all parameters and buffers of a pipeline."""
    seen: dict[int, int] = {}
    for tensor in _tensors(pipeline):
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
    return sum(seen.values())


def as_text(count: int) -> str:
    """Bytes as people read them, in powers of ten."""
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{max(count, 1) / 1e6:.1f} MB"


class Shelf:
    """The models in memory, within a budget; the one that was used longest ago makes room first."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._models: dict[str, LoadedModel] = {}  # the one used last is last

    def __iter__(self) -> Iterator[LoadedModel]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    @property
    def held(self) -> int:
        """Bytes that the models here take."""
        return sum(model.size for model in self)

    def take(self, name: str) -> LoadedModel | None:
        """The model, which counts as used now; None where it is not in memory."""
        model = self._models.pop(name, None)
        if model is not None:
            self._models[name] = model
        return model

    def put(self, model: LoadedModel) -> None:
        """Keep the model, as the one used last."""
        self._models[model.info.name] = model

    def make_room(self, needed: int, in_use: Collection[str]) -> bool:
        """Unload until `needed` bytes more fit; False, and nothing is unloaded, where models in use take too much."""
        idle = [model for model in self if model.info.name not in in_use]
        if self.held - sum(model.size for model in idle) + needed > self.budget:
            return False
        for model in idle:
            if self.held + needed <= self.budget:
                break
            self.unload(model.info.name)
        del idle
        release()
        return True

    def unload(self, name: str) -> None:
        """Let go of a model. Its memory is free after `release`."""
        log.info("unloading %s (%s)", name, as_text(self._models.pop(name).size))

    def unload_idle(self, in_use: Collection[str]) -> bool:
        """Let go of every model that no job runs on; whether there was any."""
        idle = [model.info.name for model in self if model.info.name not in in_use]
        for name in idle:
            self.unload(name)
        release()
        return bool(idle)


def release() -> None:
    """Give memory of what was let go of back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _tensors(pipeline: Any) -> Iterator[torch.Tensor]:
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            for tensor in (*part.parameters(), *part.buffers()):
                yield from _plain(tensor)


def _plain(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensors that a quantised weight consists of, or the tensor itself."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is None:
        yield tensor
        return
    for name in flatten()[0]:
        yield from _plain(getattr(tensor, name))
