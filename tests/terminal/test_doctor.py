"""`darkroom doctor` tells what is there and what is missing, changes nothing, and never shows a token."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.doctor import plausible_token
from bot.lock import hold_lock
from tests.terminal.conftest import Darkroom

TOKEN = f"{base64.urlsafe_b64encode(b'1234567890123456789').decode().rstrip('=')}.GhYkLm.{'s' * 38}"


def findings(darkroom: Darkroom, *options: str, **variables: str) -> dict[str, tuple[str, str]]:
    """Mark and sentence by subject."""
    done = darkroom("doctor", "--json", *options, **variables)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    found = {one["subject"]: (one["mark"], one["sentence"]) for one in report["findings"]}
    missing = any(mark == "missing" for mark, _ in found.values())
    assert (report["usable"], done.returncode) == (not missing, 1 if missing else 0)
    return found


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_fresh_machine_is_found_usable_and_stays_as_it_was(darkroom: Darkroom) -> None:
    found = findings(darkroom, DARKROOM_PLAYGROUND_PORT="0")
    assert found.keys() == {"python", "torch", "data", "lock", "database", "model", "token", "playground"}
    assert "runs on Python 3." in found["python"][1]
    assert "torch 2." in found["torch"][1]
    assert "is made on first start" in found["data"][1]
    assert "is made on first start" in found["database"][1]
    assert "and loads: fingerprint" in found["model"][1]
    assert "s a step" in found["model"][1]
    assert list(darkroom.folder.iterdir()) == []


def test_for_people_each_finding_is_one_marked_line(darkroom: Darkroom) -> None:
    done = darkroom("doctor", "--quick", DARKROOM_PLAYGROUND_PORT="0")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    assert all(line[0] in "✓•" and line.endswith(".") for line in lines)
    assert "whether it loads was not tried" in done.stdout


def test_after_a_migration_the_database_is_current(darkroom: Darkroom) -> None:
    migrated = darkroom("migrate")
    assert (migrated.returncode, migrated.stderr) == (0, "")
    mark, sentence = findings(darkroom, "--quick")["database"]
    assert (mark, "at the version" in sentence) == ("ok", True)


def test_what_is_no_database_is_missing_and_kept(darkroom: Darkroom) -> None:
    data = darkroom.folder / "data"
    data.mkdir()
    (data / "darkroom.sqlite3").write_bytes(b"not a database at all, only words" * 100)
    mark, sentence = findings(darkroom, "--quick")["database"]
    assert mark == "missing"
    assert "is not a database" in sentence
    assert (data / "darkroom.sqlite3").read_bytes().startswith(b"not a database")


def test_a_data_folder_that_takes_no_files_is_missing(darkroom: Darkroom) -> None:
    (darkroom.folder / "file").write_bytes(b"")
    assert findings(darkroom, "--quick", DARKROOM_DATA="/proc/self/data")["data"][0] == "missing"
    assert findings(darkroom, "--quick", DARKROOM_DATA=str(darkroom.folder / "file"))["data"][0] == "missing"


def test_a_running_darkroom_is_seen_and_its_model_not_loaded_twice(darkroom: Darkroom) -> None:
    with hold_lock(darkroom.folder / "data"):
        found = findings(darkroom)
    assert f"process {os.getpid()}" in found["lock"][1]
    assert "as a Darkroom is running" in found["model"][1]
    assert "playground" not in found, "its port is rightly taken"


def test_a_taken_port_is_missing(darkroom: Darkroom, taken_port: int) -> None:
    mark, sentence = findings(darkroom, "--quick", DARKROOM_PLAYGROUND_PORT=str(taken_port))["playground"]
    assert mark == "missing"
    assert "DARKROOM_PLAYGROUND_PORT" in sentence


def test_models_are_told_apart_by_what_is_wrong_with_them(darkroom: Darkroom, tmp_path: Path) -> None:
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "weights.bin").write_bytes(b"")
    for source, mark, words in (
        (str(tmp_path / "gone"), "missing", "is not there"),
        (str(tmp_path / "pickled"), "missing", "no safetensors"),
        ("someone/some-model", "advice", "fetched from its hub"),
    ):
        models = json.dumps([{"name": "m", "source": source}])
        found = findings(darkroom, DARKROOM_MODELS=models, DARKROOM_PLAYGROUND_PORT="0")["model"]
        assert found[0] == mark
        assert words in found[1]


def test_a_damaged_model_is_missing_with_the_workers_own_sentence(darkroom: Darkroom, tmp_path: Path) -> None:
    (tmp_path / "model" / "unet").mkdir(parents=True)
    (tmp_path / "model" / "model_index.json").write_text('{"unet": ["diffusers", "UNet2DConditionModel"]}')
    (tmp_path / "model" / "unet" / "model.safetensors").write_bytes(b"no weights")
    models = json.dumps([{"name": "broken", "source": str(tmp_path / "model")}])
    mark, sentence = findings(darkroom, DARKROOM_MODELS=models, DARKROOM_PLAYGROUND_PORT="0")["model"]
    assert mark == "missing"
    assert "damaged" in sentence


@pytest.mark.parametrize(("token", "mark"), [(TOKEN, "ok"), ("hunter2-secret-thing", "missing")])
def test_a_token_is_judged_by_its_shape_and_never_printed(darkroom: Darkroom, token: str, mark: str) -> None:
    found = findings(darkroom, "--quick", DISCORD_TOKEN=token)
    assert found["token"][0] == mark
    assert "Message Content Intent" in found["intents"][1]
    shown = darkroom("doctor", "--quick", DISCORD_TOKEN=token)
    assert token not in shown.stdout + shown.stderr + str(found)
    assert token[:12] not in shown.stdout + shown.stderr + str(found)


def test_only_a_bots_token_looks_like_one() -> None:
    assert plausible_token(TOKEN)
    for other in (
        "",
        TOKEN[:-20],
        f"Bot {TOKEN}",
        TOKEN.replace(".", "", 1),
        "x" * 26 + ".GhYkLm." + "s" * 38,
        f"{TOKEN}\n",
    ):
        assert not plausible_token(other), other
