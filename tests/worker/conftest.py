"""One thread for torch, and one tiny model for all tests of the worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from generation.models import ModelInfo
from generation.worker import loading
from generation.worker.machine import Machine
from generation.worker.pipelines import LoadedModel
from tests.tiny_models import save_tiny_model


def pytest_configure(config: pytest.Config) -> None:
    # diffusers' schedulers turn tensors into arrays in a way that NumPy 2.4 warns of and torch 2.13 does not know yet
    config.addinivalue_line("filterwarnings", "ignore:__array__ implementation doesn't accept a copy keyword")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def machine() -> Machine:
    return Machine(device="cpu", auto_dtype=torch.float32, threads=1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    """The tiny model on disk."""
    return save_tiny_model(Path(tmp_path_factory.mktemp("models")) / "tiny")


@pytest.fixture(scope="session")
def loaded(tiny: ModelInfo, machine: Machine) -> LoadedModel:
    """The tiny model in memory, set to share up to 16 rows."""
    model = loading.load(tiny, machine, lambda what, done, total: None)
    model.max_rows = 16
    return model
