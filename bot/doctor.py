"""`darkroom doctor`: what is there and what is missing, in plain sentences, one a line.

Looks and changes nothing: makes no folder, migrates no database, fetches no model. Models are tried in
a worker process, as everything that needs torch. Never prints a token.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import enum
import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from bot.errors import FAULT, SUCCESS
from bot.held_log import held_log
from bot.lock import lock_holder
from bot.parts import local_dispatcher
from bot.settings import Settings
from generation.dispatch.local import LocalDispatcher
from generation.dispatch.patience import patient_events
from generation.errors import WorkerGone
from generation.events import Ready
from generation.models import ModelInfo, Models
from store.errors import StoreError
from store.schema import schema_version

HELP = "tell what is there and what is missing"

INVENTORY_TIMEOUT = 120.0  # seconds; importing torch from a slow disk takes its time
LOADING_TIMEOUT = 600.0  # seconds for one model
LITTLE_SPACE, NO_SPACE = 2_000_000_000, 200_000_000  # bytes free: where advice begins, where it gets impossible
TOKEN = re.compile(r"[\w-]{18,}\.[\w-]{6,}\.[\w-]{27,}")  # bot's id in base64, time, signature


class Mark(enum.StrEnum):
    """How a finding stands. Only `MISSING` makes Darkroom unusable."""

    OK = "ok"
    ADVICE = "advice"
    MISSING = "missing"


SIGNS = {Mark.OK: ("✓", "green"), Mark.ADVICE: ("•", "yellow"), Mark.MISSING: ("✗", "red")}


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    subject: str  # python, torch, model, data, database, lock, token, intents, playground
    mark: Mark
    sentence: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `darkroom doctor`."""
    parser.add_argument("--json", action="store_true", help="one JSON object instead of sentences")
    parser.add_argument("--quick", action="store_true", help="do not try to load the models")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the findings; the exit status is 0 where Darkroom can be used, else 1."""
    with held_log(settings.log_level):
        findings = asyncio.run(_report(settings, load_models=not arguments.quick, as_json=arguments.json))
    usable = all(finding.mark is not Mark.MISSING for finding in findings)
    if arguments.json:
        print(msgspec.json.encode({"usable": usable, "findings": findings}).decode())
    return SUCCESS if usable else FAULT


async def examine(settings: Settings, *, load_models: bool = True) -> AsyncIterator[Finding]:
    """Every finding, as soon as it is known."""
    yield look_at_python()
    yield await look_at_torch()
    yield look_at_data(settings.data)
    holder = lock_holder(settings.data)
    yield look_at_lock(settings.data, holder)
    yield await look_at_database(settings.database_url)
    for model in settings.models:
        yield await look_at_model(model, settings, load=load_models, holder=holder)
    for finding in look_at_discord(settings):
        yield finding
    if settings.discord_token is None and holder is None:
        yield look_at_playground(settings.playground_host, settings.playground_port)


async def _report(settings: Settings, *, load_models: bool, as_json: bool) -> list[Finding]:
    """Collect the findings and, for people, print each when it comes."""
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    async for finding in examine(settings, load_models=load_models):
        findings.append(finding)
        if not as_json:
            sign, colour = SIGNS[finding.mark]
            console.print(Text.assemble((sign, colour), f" {finding.sentence}"))
    return findings


def look_at_python() -> Finding:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in ("discord.py", "SQLAlchemy", "Pillow"))
    version = metadata.version("darkroom")
    return Finding(
        "python", Mark.OK, f"Darkroom {version} runs on Python {platform.python_version()} with {libraries}."
    )


async def look_at_torch() -> Finding:
    """torch and its devices, asked of a process that may import it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "generation.worker.inventory",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), INVENTORY_TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
        return Finding("torch", Mark.MISSING, f"torch did not answer within {INVENTORY_TIMEOUT:.0f} s.")
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"status {process.returncode}"
        return Finding("torch", Mark.MISSING, f"torch cannot be used; run `make run` to install it again. ({reason})")
    found = msgspec.json.decode(out)
    devices = ", ".join(found["devices"]) or "no GPU, so pictures are made on the CPU"
    bfloat16 = "" if found["devices"] or not found["cpu_bfloat16"] else ", which calculates in bfloat16"
    return Finding("torch", Mark.OK, f"torch {found['torch']} finds {devices}{bfloat16}.")


def look_at_data(folder: Path) -> Finding:
    """Whether pictures can be kept: the folder, or the nearest one above it, takes files and has room."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        cure = "name another with DARKROOM_DATA, or change its permissions"
        reason = error.strerror or error
        return Finding("data", Mark.MISSING, f"The data folder {folder} cannot be written to ({reason}); {cure}.")
    state = "can be written to" if nearest == folder else "is made on first start"
    sentence = f"The data folder {folder} {state}; {_size(free)} are free on its disk"
    if free < NO_SPACE:
        return Finding("data", Mark.MISSING, f"{sentence}, which is too little: make room, or set DARKROOM_DATA.")
    if free < LITTLE_SPACE:
        return Finding("data", Mark.ADVICE, f"{sentence}, which will not last long.")
    return Finding("data", Mark.OK, f"{sentence}.")


def look_at_lock(folder: Path, holder: str | None) -> Finding:
    if holder is None:
        return Finding("lock", Mark.OK, "No Darkroom is running on the data folder.")
    return Finding("lock", Mark.OK, f"A Darkroom is running on {folder} (process {holder}).")


async def look_at_database(url: str) -> Finding:
    """Whether the database opens, and whether it has this program's version."""
    try:
        version = await schema_version(url)
    except StoreError as error:
        return Finding("database", Mark.MISSING, str(error))
    if version.current is None:
        return Finding("database", Mark.OK, "There is no database yet; it is made on first start.")
    if version.is_too_new:
        sentence = f"The database has version {version.current}, written by a later Darkroom; run that one."
        return Finding("database", Mark.MISSING, sentence)
    if not version.is_newest:
        sentence = f"The database opens and has version {version.current}; the next start takes it to {version.newest}."
        return Finding("database", Mark.OK, sentence)
    return Finding("database", Mark.OK, f"The database opens and is at the version of this program, {version.newest}.")


def look_at_model_files(model: ModelInfo) -> Finding:
    """Whether the model's folder is there, with weights in it; a model of a hub is not asked for."""
    source = Path(model.source)
    if not source.exists():
        if source.is_absolute() or model.source.count("/") != 1 or model.source.startswith("."):
            return Finding("model", Mark.MISSING, f"The folder of the model {model.name} is not there: {source}.")
        sentence = f"The model {model.name} is no folder here; it is fetched from its hub as {model.source} when used."
        return Finding("model", Mark.ADVICE, sentence)
    weights = list(source.rglob("*.safetensors"))
    if not weights:
        return Finding("model", Mark.MISSING, f"The model {model.name} has no safetensors weights in {source}.")
    size = _size(sum(file.stat().st_size for file in weights))
    return Finding("model", Mark.OK, f"The model {model.name} is there with {size} of safetensors")


async def look_at_model(model: ModelInfo, settings: Settings, *, load: bool, holder: str | None) -> Finding:
    """The model's files and, unless a running Darkroom has it in memory, whether it loads."""
    files = look_at_model_files(model)
    if files.mark is not Mark.OK:
        return files
    there = files.sentence
    if holder is not None:
        return Finding("model", Mark.OK, f"{there}; it was not loaded here, as a Darkroom is running.")
    if not load:
        return Finding("model", Mark.OK, f"{there}; whether it loads was not tried.")
    try:
        ready = await _ready(local_dispatcher(settings, Models(all=(model,))))
    except WorkerGone as error:
        return Finding("model", Mark.MISSING, f"{there}, but does not load: {error}")
    if model.name in ready.unusable:
        return Finding("model", Mark.MISSING, ready.unusable[model.name])
    return Finding("model", Mark.OK, f"{there} and loads: {_loaded(model, ready)}.")


def _loaded(model: ModelInfo, ready: Ready) -> str:
    threads = "one thread" if ready.threads == 1 else f"{ready.threads} threads"
    fingerprint = ready.weights_sha256.get(model.name, "unknown")[:16]
    seconds = ready.seconds_per_step.get(model.name)
    pace = "" if seconds is None else f", {seconds:.2g} s a step"
    sharing = ready.sharing.get(model.name)
    shares = "" if sharing is None else f"; people's jobs: {sharing}"
    return f"fingerprint {fingerprint}, {ready.dtype} on {ready.device} with {threads}{pace}{shares}"


async def _ready(dispatcher: LocalDispatcher) -> Ready:
    """What a worker says that has loaded its model, or found that it cannot.

    Raises:
        WorkerGone: no worker gets that far.
    """
    try:
        async with asyncio.timeout(LOADING_TIMEOUT):
            await dispatcher.start()
            async for event in patient_events(dispatcher):
                if isinstance(event, Ready):
                    return event
        raise WorkerGone("The worker process ended.")
    except TimeoutError:
        raise WorkerGone(f"The worker process did not get ready within {LOADING_TIMEOUT:.0f} s.") from None
    finally:
        await dispatcher.close()


def look_at_discord(settings: Settings) -> list[Finding]:
    """The token, as far as can be told without asking Discord, and what it needs beside it."""
    if settings.discord_token is None:
        sentence = "DISCORD_TOKEN is not set, so `make run` opens the playground; set it to put Darkroom on Discord."
        return [Finding("token", Mark.ADVICE, sentence)]
    intents = look_at_intents(hears_everything=settings.hears_everything)
    if not plausible_token(settings.discord_token.get_secret_value()):
        cure = "copy the bot's token (not its client secret) from https://discord.com/developers/applications"
        return [
            Finding("token", Mark.MISSING, f"DISCORD_TOKEN is set but does not look like a token; {cure}."),
            intents,
        ]
    return [Finding("token", Mark.OK, "DISCORD_TOKEN is set and looks like a bot's token."), intents]


def look_at_intents(*, hears_everything: bool) -> Finding:
    """Which messages the bot can read."""
    where = "“Message Content Intent” for it at https://discord.com/developers/applications"
    always = "direct messages, messages that mention it, and replies to its own that ping it"
    if hears_everything:
        sentence = (
            f"The bot reads {always}, and all of the threads that it opens; for these switch on {where}, "
            "or Discord refuses its connection."
        )
        return Finding("intents", Mark.OK, sentence)
    sentence = (
        f"The bot reads {always}, and nothing else; if it is to follow whole threads, switch on {where} "
        "and set DARKROOM_MESSAGE_CONTENT=true."
    )
    return Finding("intents", Mark.ADVICE, sentence)


def plausible_token(token: str) -> bool:
    """Whether the text has the shape of a bot's token: three parts, of which the first is an id in base64."""
    if not TOKEN.fullmatch(token):
        return False
    head = token.partition(".")[0]
    try:
        return base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)).isdigit()
    except (binascii.Error, ValueError):
        return False


def look_at_playground(host: str, port: int) -> Finding:
    """Whether the playground's port is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            cure = "set DARKROOM_PLAYGROUND_PORT to another"
            sentence = f"The playground cannot listen on {host}, port {port} ({error.strerror}); {cure}."
            return Finding("playground", Mark.MISSING, sentence)
    where = f"{host}, port {port}" if port else f"any free port of {host}"
    return Finding("playground", Mark.OK, f"The playground can listen on {where}.")


def _size(count: int) -> str:
    """A number of bytes as people read it, in powers of ten."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if count >= unit:
            return f"{count / unit:.0f} {name}" if count >= 10 * unit else f"{count / unit:.1f} {name}"
    return f"{count / 1000:.0f} kB"
