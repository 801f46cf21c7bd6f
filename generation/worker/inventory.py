"""What torch finds on this machine, as one JSON line, for `darkroom doctor`: `python -m generation.worker.inventory`.

Runs in a process of its own, as the one that asks never imports torch. Loads no model and measures nothing.
"""

from __future__ import annotations

import json
import sys

import torch


def inventory() -> dict[str, object]:
    """torch's version, the devices it can use, best first, and whether the CPU calculates in bfloat16."""
    devices = [
        f"{properties.name} ({properties.total_memory / 2**30:.0f} GB)"
        for properties in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    ]
    if torch.backends.mps.is_available():
        devices.append("Apple GPU (mps)")
    return {
        "torch": torch.__version__,
        "devices": devices,
        "cpu_bfloat16": torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(inventory()) + "\n")
