"""What this machine can do: device, number type, threads, versions. Measured where a flag could mislead."""

from __future__ import annotations

import functools
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import psutil  # type: ignore[import-untyped]  # it ships no types
import torch

from generation.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PROBE_REPEATS = 7
CGROUP = Path("/sys/fs/cgroup")
ALLOCATORS_WORDS = ("can't allocate memory", "out of memory", "not enough memory")  # of RuntimeErrors
WORTH_IT = 0.9  # more threads, or a shorter number type, must take less than this share of the time


@dataclass(frozen=True)
class Machine:
    """Where models are run."""

    device: str
    auto_dtype: torch.dtype
    threads: int

    def dtype(self, wanted: str, model: str) -> torch.dtype:
        """The number type for a model that asks for `wanted` ("auto" among others).

        Raises:
            ModelError: there is no such type, or it is of no use on this device.
        """
        if wanted == "auto":
            return self.auto_dtype
        if wanted not in DTYPES:
            raise ModelError(f"The model “{model}” asks for dtype “{wanted}”; choose auto, {', '.join(DTYPES)}.")
        if wanted == "float16" and self.device == "cpu":
            raise ModelError(
                f"The model “{model}” asks for float16, which is many times slower than float32 on a CPU; "
                "set its dtype to auto."
            )
        return DTYPES[wanted]


def look_at_machine(device: str, threads: int | None) -> Machine:
    """Choose a device and a number type, and set torch's threads.

    Raises:
        ModelError: the device that was asked for is not there.
    """
    name = _device(device)
    count = threads or _measured_threads()
    torch.set_num_threads(count)
    return Machine(name, _auto_dtype(name), count)


@functools.cache  # reading them takes as long as a denoising step
def versions() -> Mapping[str, str]:
    """Of everything that has a say in a picture's pixels."""
    packages = {name: metadata.version(name) for name in ("darkroom", "torch", "diffusers", "transformers")}
    return MappingProxyType(packages | {"python": platform.python_version()})


def resident_mb() -> float:
    """Main memory that this process holds, in MB (2**20 bytes); 0.0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - a pseudo file
            pages = int(statm.read().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_bytes(device: str) -> int:
    """Bytes that are free now on the device (in main memory for a CPU)."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    available = int(psutil.virtual_memory().available)
    try:  # in a container the machine's free memory is not ours
        limit = int((CGROUP / "memory.max").read_text("ascii"))
        used = int((CGROUP / "memory.current").read_text("ascii"))
    except (OSError, ValueError):
        return available
    return min(available, max(0, limit - used))


def ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether that is what the error says. Only CUDA has a class for it; a CPU's allocator raises a RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in ALLOCATORS_WORDS)


def _device(wanted: str) -> str:
    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise ModelError(f"The device “{wanted}” is not there; set the device to auto or cpu.") from error
    return wanted


def _auto_dtype(device: str) -> torch.dtype:
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device == "mps":
        return torch.float16
    return torch.bfloat16 if _cpu_gains_from_bfloat16() else torch.float32


def _cpu_gains_from_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16 and is faster for it; without them it is emulated, slowly."""
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return False
    return _seconds(_convolution(torch.bfloat16)) < WORTH_IT * _seconds(_convolution(torch.float32))


def _measured_threads() -> int:
    """The fewest threads that are about as fast as any: on a busy machine more can be many times slower."""
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    best, best_seconds = 1, float("inf")
    count = 1
    while count <= cores:
        torch.set_num_threads(count)
        seconds = _seconds(_convolution(torch.float32))
        if seconds < WORTH_IT * best_seconds:
            best, best_seconds = count, seconds
        count = cores if count < cores < 2 * count else 2 * count
    return best


def _convolution(dtype: torch.dtype) -> Callable[[], object]:
    """A piece of work like a denoiser's: one 3 x 3 convolution, some 0.3 GFLOP."""
    picture = torch.zeros(1, 128, 32, 32, dtype=dtype)
    kernel = torch.zeros(128, 128, 3, 3, dtype=dtype)
    return lambda: torch.nn.functional.conv2d(picture, kernel, padding=1)


def _seconds(work: Callable[[], object]) -> float:
    """The median of a few runs, after one to warm up: a busy moment does not decide, a busy machine does."""
    with torch.inference_mode():
        work()
        times = []
        for _ in range(PROBE_REPEATS):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
    return statistics.median(times)
