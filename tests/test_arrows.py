"""Imports run one way, and the bot's process stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {  # package -> packages of ours that it may import
    "bot": {"bot", "explainer", "generation", "store"},
    "explainer": {"explainer", "generation", "store"},
    "generation": {"generation", "store"},
    "store": {"store"},
    "migrations": {"migrations", "store"},
}
HEAVY = {"torch", "diffusers", "transformers", "onnxruntime", "spacy", "accelerate", "safetensors", "tokenizers"}
MODULES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that the module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.lineno, node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_its_own_layer_and_those_below(path: Path) -> None:
    allowed = ALLOWED[path.relative_to(ROOT).parts[0]]
    for line, name in imported(path):
        top = name.partition(".")[0]
        assert top not in ALLOWED or top in allowed, f"line {line} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_stands_only_in_the_store(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] not in {"store", "migrations"}:
        assert not [name for _, name in imported(path) if name.partition(".")[0] in {"sqlalchemy", "aiosqlite"}]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_and_its_kin_are_named_only_in_the_worker_the_reader_and_the_training(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    if parts[:2] not in {("generation", "worker"), ("generation", "training")} and parts[0] != "explainer":
        assert not [name for _, name in imported(path) if name.partition(".")[0] in HEAVY]


@pytest.mark.parametrize("module", ["bot.client", "bot.__main__", "bot.run", "bot.playground"])
def test_importing_the_bot_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(sorted({sorted(HEAVY)!r} & sys.modules.keys()))"
    code = code.replace(repr(sorted(HEAVY)), f"set({sorted(HEAVY)!r})")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
