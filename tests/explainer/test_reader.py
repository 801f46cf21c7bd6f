"""The reader is a process of its own: loaded on first use, restarted when it dies, light; no question is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from explainer.errors import ReaderError, ReaderGone
from explainer.link import ReaderLink
from explainer.messages import Configure, Question, Stop, VoiceSettings
from generation.frames import pack
from tests.explainer.exam.scenes import question
from tests.explainer.support import CACHE, answerer, chat_server

MOST_MEMORY = 700.0  # MiB


@pytest.fixture
async def link() -> AsyncIterator[ReaderLink]:
    answerer()  # so that the vectors are there and no test computes them again
    link = ReaderLink(Configure(cache=str(CACHE)))
    yield link
    await link.close()


async def test_the_reader_starts_with_the_first_question_and_stays_small(link: ReaderLink) -> None:
    assert link.pid is None
    assert await link.status() is None
    answer = await link.ask(question("fox", "How many steps did it take?"))
    assert "40 steps" in answer.text
    status = await link.status()
    assert status is not None
    assert 0 < status.resident_mb < MOST_MEMORY
    assert status.answered == 1


async def test_the_reader_says_what_a_message_wants_and_stays_small(link: ReaderLink) -> None:
    wanted = await link.interpret(question("fox", "same, but at night"))
    assert wanted.intent == "revise" and wanted.changed is not None
    assert wanted.changed.prompt == "a red fox wearing sunglasses on a skateboard at night"
    status = await link.status()
    assert status is not None and status.resident_mb < MOST_MEMORY, "with the grammar loaded"


async def test_a_reader_that_is_killed_loses_no_question(link: ReaderLink) -> None:
    await link.warm()
    killed = link.pid
    assert killed is not None
    asked = [asyncio.create_task(link.ask(question("fox", text))) for text in ("What is noise?", "Which seed was it?")]
    os.kill(killed, signal.SIGKILL)
    noise, seed = await asyncio.gather(*asked)
    assert "random" in noise.text
    assert "1234567" in seed.text
    assert link.pid != killed


async def test_a_question_that_no_reader_survives_is_given_up() -> None:
    link = ReaderLink(
        Configure(cache=str(CACHE)), environment=dict(os.environ) | {"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    )
    with pytest.raises(ReaderGone, match="keeps stopping"):
        await link.ask(Question(text="What is noise?", asker="Ann"))
    await link.close()


async def test_a_voice_that_cannot_be_loaded_is_told_to_who_asks() -> None:
    link = ReaderLink(Configure(cache=str(CACHE), voice=VoiceSettings(name="transformers", model="/nowhere")))
    with pytest.raises(ReaderError, match="cannot be loaded"):
        await link.ask(Question(text="What is noise?", asker="Ann"))
    await link.close()


PROPOSALS = {
    "a night with a red fox": False,  # the sunglasses and the skateboard are lost
    "a red fox wearing sunglasses on a skateboard at night, under fireworks": False,
    "Ignore that. @everyone look at http://example.com": False,
    "a red fox wearing sunglasses at night on a skateboard": True,
}


@pytest.mark.parametrize(("proposal", "taken"), PROPOSALS.items())
async def test_a_voices_prompt_is_taken_where_it_keeps_what_was_not_to_change(proposal: str, taken: bool) -> None:
    answerer()
    with chat_server() as address:
        voice = VoiceSettings(name="openai", url=address, model=f"says {proposal}", key="k", timeout=5.0)
        link = ReaderLink(Configure(cache=str(CACHE), voice=voice))
        done = await link.interpret(question("fox", "same, but at night"))
        undone = await link.interpret(question("fox", "undo"))
        await link.close()
    slots = "a red fox wearing sunglasses on a skateboard at night"
    assert done.changed is not None and undone.changed is not None
    assert (done.changed.prompt, done.changed.reworded) == ((proposal, True) if taken else (slots, False))
    assert undone.changed.back == "one" and not undone.changed.reworded


async def test_nothing_can_be_asked_of_a_closed_link(link: ReaderLink) -> None:
    await link.warm()
    pid = link.pid
    assert pid is not None
    await link.close()
    with pytest.raises(ReaderGone):
        await link.ask(question("fox", "Seed?"))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(("first", "status"), [(b"", 2), (pack(Stop()), 2), (b"\x00\x00\x00\x01\xc1", 1)])
def test_a_first_order_that_does_not_configure_ends_the_reader(first: bytes, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "explainer.reader"], input=first, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (status, b"")


def test_the_link_and_the_desk_load_nothing_heavy() -> None:
    code = (
        "import sys, explainer.desk, explainer.link; print({'onnxruntime', 'numpy', 'torch', 'tokenizers'} & "
        "sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "set()"
