"""A model hub on this machine, for the real client: serves folders as repositories, refuses the rest by their names."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

REFUSALS = {"gated": (403, "GatedRepo"), "missing": (401, "RepoNotFound"), "forbidden": (403, "")}
COMMIT = "c0ffee" * 6 + "c0ff"


class ModelHub(ThreadingHTTPServer):
    """Serves `folders` by model id, each of one commit. `pause`: seconds before each file of weights."""

    daemon_threads = True

    def __init__(self, folders: dict[str, Path], pause: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.folders = folders
        self.pause = pause
        self.asked: list[str] = []  # paths of files that were fetched

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    server: ModelHub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        for name, refusal in REFUSALS.items():
            if name in path:
                return self._say(refusal[0], b"", {"X-Error-Code": refusal[1]} if refusal[1] else {})
        for source, folder in self.server.folders.items():
            if path == f"/api/models/{source}" or path.startswith(f"/api/models/{source}/revision/"):
                return self._json({"id": source, "sha": COMMIT, "siblings": list(_siblings(folder))})
            if path.startswith(f"/api/models/{source}/tree/"):
                return self._json([_entry(folder, file) for file in _files(folder)])
            if path.startswith(f"/{source}/resolve/"):
                return self._file(folder, path.removeprefix(f"/{source}/resolve/").partition("/")[2])
        return self._say(404, b"", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def _file(self, folder: Path, name: str) -> None:
        if not (folder / name).is_file():
            return self._say(404, b"", {"X-Error-Code": "EntryNotFound"})
        content = (folder / name).read_bytes()
        if self.command == "GET":
            self.server.asked.append(name)
            if name.endswith(".safetensors"):
                time.sleep(self.server.pause)
        return self._say(200, content, {"ETag": f'"{_digest(content)}"', "X-Repo-Commit": COMMIT})

    def _json(self, value: object) -> None:
        self._say(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing: a test's output is for failures."""


@contextlib.contextmanager
def model_hub(folders: dict[str, Path], pause: float = 0.0) -> Iterator[ModelHub]:
    hub = ModelHub(folders, pause)
    thread = threading.Thread(target=hub.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _siblings(folder: Path) -> Iterator[dict[str, object]]:
    for file in _files(folder):
        yield {"rfilename": file.relative_to(folder).as_posix(), "size": file.stat().st_size, "blobId": "0" * 40}


def _entry(folder: Path, file: Path) -> dict[str, object]:
    digest = _digest(file.read_bytes())
    return {"type": "file", "path": file.relative_to(folder).as_posix(), "size": file.stat().st_size, "oid": digest}


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
