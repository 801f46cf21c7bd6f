"""One tiny model on disk for the worker processes of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from generation.models import ModelInfo
from tests.tiny_models import save_tiny_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    return save_tiny_model(Path(tmp_path_factory.mktemp("models")) / "tiny")
