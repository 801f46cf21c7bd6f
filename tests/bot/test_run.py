"""`darkroom run` as a person starts and stops it, with a real worker and a tiny model."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bot.errors import IntentRefused, TokenRefused, exit_status
from bot.playground import Playground
from bot.playground.gateway import Intent
from bot.run import run_bot
from tests.bot.conftest import Stage
from tests.darkroom_process import PATIENCE, environment
from tests.tiny_models import save_tiny_model

BOT_LIMIT = 150 * 2**20  # bytes of resident memory


def run(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """`darkroom run`, which is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "bot", "run"],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def is_one_sentence(text: str) -> bool:
    return text.startswith("darkroom: ") and text.count("\n") == 1 and "Traceback" not in text


@dataclasses.dataclass
class Running:
    """A `darkroom run` that takes jobs."""

    process: subprocess.Popen[str]
    folder: Path
    address: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("running")
    models = msgspec.json.encode([save_tiny_model(folder / "tiny")]).decode()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"],
        env=environment(folder, DARKROOM_MODELS=models),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    with process, process.stdout, process.stderr:
        try:
            first = process.stdout.readline()
            found = re.fullmatch(r"The playground is at (http://127\.0\.0\.1:\d+/\S+)\n", first)
            assert found, first
            assert "Ready: tiny on cpu" in process.stderr.readline()
            yield Running(process, folder, found[1])
        finally:
            process.kill()


def test_the_page_is_served_at_the_printed_address(running: Running) -> None:
    with urllib.request.urlopen(running.address) as page:
        assert page.status == 200 and b"<html" in page.read()


def test_the_bots_process_stays_light(running: Running) -> None:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]  # Linux always says it
    assert resident < BOT_LIMIT


def test_a_second_run_on_the_same_data_folder_is_refused_in_one_sentence(running: Running) -> None:
    second = run(running.folder)
    assert second.returncode == 2 and is_one_sentence(second.stderr)
    assert f"(process {running.process.pid}) already runs on the data folder" in second.stderr


def test_sigterm_ends_it_cleanly_and_its_worker_too(running: Running) -> None:
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    assert children, "there is a worker"
    running.process.send_signal(signal.SIGTERM)
    _, err = running.process.communicate(timeout=PATIENCE)
    assert running.process.returncode == 0 and err == "Darkroom has stopped.\n"
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(tmp_path, DARKROOM_PLAYGROUND_PORT=str(port))
    assert done.returncode == 2 and is_one_sentence(done.stderr)
    assert f"Port {port} on 127.0.0.1 is already in use" in done.stderr and "DARKROOM_PLAYGROUND_PORT" in done.stderr


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(tmp_path, DARKROOM_DATA=str(tmp_path / "file" / "data"))
    assert done.returncode == 2 and is_one_sentence(done.stderr) and "cannot be written to" in done.stderr


def test_a_setting_that_does_not_work_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, DARKROOM_PROGRESS_INTERVAL="fast")
    assert done.returncode == 2 and is_one_sentence(done.stderr) and "DARKROOM_PROGRESS_INTERVAL" in done.stderr


async def test_an_intent_that_is_not_switched_on_is_one_sentence(stage: Stage) -> None:
    await stage.open()
    settings = stage.settings.model_copy(update={"message_content": True})
    async with Playground(granted_intents=Intent(0)).connected() as playground:
        with pytest.raises(IntentRefused) as caught:
            await run_bot(settings, stage.parts, playground.bot_token, asyncio.Event())
    await stage.close()
    assert exit_status(caught.value) == 2 and "switch on “Message Content Intent”" in str(caught.value)


async def test_a_token_that_discord_refuses_is_one_sentence(stage: Stage) -> None:
    await stage.open()
    async with Playground().connected():
        with pytest.raises(TokenRefused) as caught:
            await run_bot(stage.settings, stage.parts, "no-such-token", asyncio.Event())
    await stage.close()
    assert exit_status(caught.value) == 2 and "Discord refused the token" in str(caught.value)
