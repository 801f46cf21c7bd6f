"""The `darkroom` command as a person runs it: a process of its own, with a tiny model and its own data folder."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from generation.models import ModelInfo
from tests.tiny_models import save_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@dataclasses.dataclass(frozen=True)
class Darkroom:
    """Runs `darkroom` in `folder`, with exactly this environment."""

    folder: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "bot", *arguments]

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )


@pytest.fixture
def darkroom(tmp_path: Path, tiny_model: ModelInfo) -> Darkroom:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DARKROOM_", "DISCORD_"))}
    return Darkroom(
        tmp_path,
        kept
        | {
            "DARKROOM_MODELS": msgspec.json.encode([tiny_model]).decode(),
            "DARKROOM_DATA": str(tmp_path / "data"),
            "OMP_NUM_THREADS": "1",
        },
    )
