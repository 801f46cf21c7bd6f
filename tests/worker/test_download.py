"""Why a model cannot be had from its hub, in one sentence: the real client against a hub on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REFUSALS = {"gated": (403, "GatedRepo"), "missing": (401, "RepoNotFound"), "forbidden": (403, "")}
PROGRAM = """
import sys
from generation.errors import ModelError
from generation.models import ModelInfo
from generation.worker.download import download
for name in sys.argv[1:]:
    try:
        download(ModelInfo(name=name, source=f"somebody/{name}"))
    except ModelError as error:
        print(error)
"""


class Hub(BaseHTTPRequestHandler):
    """Refuses every model in the way that its name says."""

    def do_GET(self) -> None:
        status, code = next(answer for name, answer in REFUSALS.items() if name in self.path)
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        """Nothing: a test's output is for failures."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def sentences(folder: Path, *names: str, **environment: str) -> list[str]:
    """What is said of each model by a process with this environment: the client reads it when imported."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept |= {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "0"} | environment
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], env=kept, capture_output=True, text=True, timeout=100, check=True
    )
    return done.stdout.splitlines()


def test_a_gated_a_missing_and_a_forbidden_model_each_get_their_own_sentence(tmp_path: Path, hub: str) -> None:
    gated, missing, forbidden = sentences(tmp_path, "gated", "missing", "forbidden", HF_ENDPOINT=hub)
    assert "somebody/gated" in gated and "accept its terms" in gated
    assert "not on its hub" in missing
    assert "HF_TOKEN" in forbidden and "renew" in forbidden


def test_a_hub_that_cannot_be_reached_is_told_from_a_model_that_is_not_there(tmp_path: Path) -> None:
    (unreachable,) = sentences(tmp_path, "some", HF_ENDPOINT="http://127.0.0.1:9")
    assert "cannot be reached" in unreachable


def test_where_fetching_is_forbidden_the_sentence_names_what_forbids_it(tmp_path: Path) -> None:
    (offline,) = sentences(tmp_path, "some", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in offline
