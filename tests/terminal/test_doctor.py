"""`darkroom doctor` tells what is there and what is missing, changes nothing, and never shows a token."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import doctor
from bot.lock import hold_lock
from bot.settings import load_settings
from generation.models import ModelInfo
from store.database import Database
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


def test_for_people_each_finding_is_one_marked_line_and_a_migrated_database_is_current(darkroom: Darkroom) -> None:
    migrated = darkroom("migrate")
    assert (migrated.returncode, migrated.stdout, migrated.stderr) == (0, "The database is up to date.\n", "")
    done = darkroom("doctor", "--quick", DARKROOM_PLAYGROUND_PORT="0")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    assert all(line[0] in "✓•" and line.endswith(".") for line in lines)
    assert "is at the version of this program" in done.stdout
    assert "whether it loads was not tried" in done.stdout


def test_a_running_darkroom_is_seen_and_its_model_not_loaded_twice(darkroom: Darkroom) -> None:
    with hold_lock(darkroom.folder / "data"):
        found = findings(darkroom)
    assert f"process {os.getpid()}" in found["lock"][1]
    assert "as a Darkroom is running" in found["model"][1]
    assert "playground" not in found, "its port is rightly taken"


def test_a_damaged_model_is_missing_with_the_workers_own_sentence(darkroom: Darkroom, tmp_path: Path) -> None:
    (tmp_path / "model" / "unet").mkdir(parents=True)
    (tmp_path / "model" / "model_index.json").write_text('{"unet": ["diffusers", "UNet2DConditionModel"]}')
    (tmp_path / "model" / "unet" / "model.safetensors").write_bytes(b"no weights")
    models = json.dumps([{"name": "broken", "source": str(tmp_path / "model")}])
    mark, sentence = findings(darkroom, DARKROOM_MODELS=models, DARKROOM_PLAYGROUND_PORT="0")["model"]
    assert mark == "missing"
    assert "damaged" in sentence


@pytest.mark.parametrize("token", [TOKEN, "hunter2-secret-thing"])
def test_a_token_is_never_printed(darkroom: Darkroom, token: str) -> None:
    shown = darkroom("doctor", "--quick", DISCORD_TOKEN=token)
    assert "DISCORD_TOKEN is set" in shown.stdout
    assert token[:12] not in shown.stdout + shown.stderr


@pytest.mark.parametrize(("token", "mark"), [(TOKEN, doctor.Mark.OK), ("hunter2-secret-thing", doctor.Mark.MISSING)])
def test_a_token_is_judged_by_its_shape(token: str, mark: doctor.Mark) -> None:
    found, intents = doctor.look_at_discord(load_settings(discord_token=token))
    assert found.mark is mark
    assert "Message Content Intent" in intents.sentence


@pytest.mark.parametrize(
    ("told", "mark", "words"),
    [
        (None, doctor.Mark.ADVICE, "and nothing else; if it is to follow whole threads, switch on"),
        (False, doctor.Mark.ADVICE, "set DARKROOM_MESSAGE_CONTENT=true"),
        (True, doctor.Mark.OK, "and all of the threads that it opens; for these switch on"),
    ],
)
def test_which_messages_the_bot_reads_is_told_by_what_is_set(told: bool | None, mark: doctor.Mark, words: str) -> None:
    _, intents = doctor.look_at_discord(load_settings(discord_token=TOKEN, message_content=told))
    assert intents.mark is mark and words in intents.sentence
    assert "direct messages, messages that mention it, and replies to its own that ping it" in intents.sentence


async def test_what_is_no_database_is_missing_and_kept(tmp_path: Path) -> None:
    (tmp_path / "d.sqlite3").write_bytes(b"not a database at all, only words" * 100)
    found = await doctor.look_at_database(f"sqlite+aiosqlite:///{tmp_path}/d.sqlite3")
    assert found.mark is doctor.Mark.MISSING
    assert "is not a database" in found.sentence
    assert (tmp_path / "d.sqlite3").read_bytes().startswith(b"not a database")


async def test_a_database_of_a_later_darkroom_is_missing_here(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/d.sqlite3"
    database = Database(url)
    await database.open()
    await database.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "d.sqlite3")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    found = await doctor.look_at_database(url)
    assert found.mark is doctor.Mark.MISSING
    assert "version 9999, written by a later Darkroom" in found.sentence


@pytest.mark.parametrize("url", ["nonsense", "mystery://host/name", "sqlite:///file.db"])
async def test_an_address_of_no_database_is_said(url: str) -> None:
    found = await doctor.look_at_database(url)
    assert found.mark is doctor.Mark.MISSING
    assert "address of the database does not work" in found.sentence


def test_a_data_folder_that_takes_no_files_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (Path("/proc/self/data"), tmp_path / "file", tmp_path / "file" / "data"):
        found = doctor.look_at_data(place)
        assert found.mark is doctor.Mark.MISSING
        assert "cannot be written to" in found.sentence


def test_a_disk_with_no_room_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NO_SPACE", 10**30)
    assert doctor.look_at_data(tmp_path).mark is doctor.Mark.MISSING
    assert "too little" in doctor.look_at_data(tmp_path).sentence


def test_a_taken_port_is_missing(taken_port: int) -> None:
    found = doctor.look_at_playground("127.0.0.1", taken_port)
    assert found.mark is doctor.Mark.MISSING
    assert "DARKROOM_PLAYGROUND_PORT" in found.sentence


@pytest.mark.parametrize(
    ("source", "mark", "words"),
    [
        ("{folder}/gone", doctor.Mark.MISSING, "is not there"),
        ("./gone", doctor.Mark.MISSING, "is not there"),
        ("{folder}", doctor.Mark.MISSING, "no safetensors"),
        ("someone/some-model", doctor.Mark.ADVICE, "fetched from its hub"),
    ],
)
def test_models_are_told_apart_by_what_is_wrong_with_them(
    tmp_path: Path, source: str, mark: doctor.Mark, words: str
) -> None:
    (tmp_path / "weights.bin").write_bytes(b"")
    found = doctor.look_at_model_files(ModelInfo(name="m", source=source.format(folder=tmp_path)))
    assert found.mark is mark
    assert words in found.sentence


def test_only_a_bots_token_looks_like_one() -> None:
    assert doctor.plausible_token(TOKEN)
    for other in (
        "",
        TOKEN[:-20],
        f"Bot {TOKEN}",
        TOKEN.replace(".", "", 1),
        "x" * 26 + ".GhYkLm." + "s" * 38,
        f"{TOKEN}\n",
    ):
        assert not doctor.plausible_token(other), other
