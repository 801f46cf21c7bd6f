"""Packed convolutions compute what plain ones do, and only where they are asked to."""

from __future__ import annotations

import pytest
import torch

from generation.worker.hub import Hub, SharedModule
from generation.worker.packing import Packing


class Block(torch.nn.Module):
    """Two convolutions, one of them with a stride, and one of one pixel, which is not packed."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(8, 16, 3, padding=1)
        self.second = torch.nn.Conv2d(16, 8, 3, stride=2, padding=1, bias=False)
        self.last = torch.nn.Conv2d(8, 8, 1)

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.second(self.first(sample)))
        return result


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    return Block().eval().requires_grad_(False)


def packed(block: Block) -> Packing:
    packing = Packing(block)
    with torch.inference_mode():
        assert packing.pack(lambda: block(torch.randn(4, 8, 16, 16)))
    return packing


def test_packed_convolutions_agree_with_plain_ones_at_any_number_of_rows(block: Block) -> None:
    packing = packed(block)
    assert packing.bytes == 4 * (block.first.weight.numel() + block.second.weight.numel())
    with torch.inference_mode():
        for rows in (1, 3, 8):
            sample = torch.randn(rows, 8, 16, 16)
            plain = block(sample)
            with packing.on():
                torch.testing.assert_close(block(sample), plain, rtol=1e-5, atol=1e-5)


def test_off_and_dropped_the_module_gives_the_bytes_that_it_always_gave(block: Block) -> None:
    sample = torch.randn(2, 8, 16, 16)
    with torch.inference_mode():
        before = block(sample)
        packing = packed(block)
        assert torch.equal(block(sample), before)
        packing.drop()
        with packing.on():
            assert torch.equal(block(sample), before)
    assert packing.bytes == 0


def test_weights_that_were_changed_after_packing_are_not_computed_from_stale_copies(block: Block) -> None:
    packing = packed(block)
    sample = torch.randn(2, 8, 16, 16)
    block.first.weight.mul_(2.0)  # as when an adapter is merged into the weights
    block.second.weight.data = torch.randn_like(block.second.weight)  # as when a module is moved
    with torch.inference_mode():
        plain = block(sample)
        with packing.on():
            assert torch.equal(block(sample), plain)


def test_a_call_alone_is_plain_and_stacked_calls_are_packed(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    packing = packed(block)
    uses: list[int] = []
    real = torch.ops.mkldnn._convolution_pointwise

    def counted(sample: torch.Tensor, *rest: object) -> torch.Tensor:
        uses.append(len(sample))
        result: torch.Tensor = real(sample, *rest)
        return result

    monkeypatch.setattr(torch.ops.mkldnn, "_convolution_pointwise", counted)
    shared = SharedModule(block, 8, ("forward",), packing=packing)
    hub = Hub()
    sample = torch.randn(1, 8, 16, 16)
    alone = hub.spawn(lambda: shared(sample))
    hub.step()
    assert torch.equal(alone.result, block(sample))
    assert uses == []
    together = [hub.spawn(lambda: shared(sample)) for _ in range(3)]
    hub.step()
    assert uses == [3, 3]
    for task in together:
        torch.testing.assert_close(task.result, alone.result, rtol=1e-5, atol=1e-5)


def test_a_module_without_convolutions_is_not_packed() -> None:
    linear = torch.nn.Linear(4, 4)
    packing = Packing(linear)
    assert not packing.pack(lambda: linear(torch.ones(1, 4)))
