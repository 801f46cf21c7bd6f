"""A voice behind any server that speaks OpenAI's chat completions: Ollama, vLLM, llama.cpp and others.

Sends the question and the record's answer, or a prompt and the change to it, nothing else of the record and nobody's name;
asks once, and waits no longer than the set time.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Final

from explainer.errors import VoiceError
from explainer.messages import VoiceName, VoiceSettings
from explainer.voices.base import ModelVoice

MOST_BYTES: Final = 2**20
MOST_TOKENS: Final = 300


class ServerVoice(ModelVoice):
    """One chat completion for each answer."""

    name: VoiceName = "openai"

    def __init__(self, settings: VoiceSettings) -> None:
        """Raises `VoiceError` where the address is none; the server is asked only when it is needed."""
        super().__init__(settings)
        if not settings.url.startswith(("http://", "https://")):
            raise VoiceError(
                "The voice “openai” needs the address of a server in DARKROOM_VOICE_URL, like "
                "http://127.0.0.1:11434/v1."
            )

    def complete(self, messages: Sequence[dict[str, str]]) -> str:
        """What the server's model says; raises `VoiceError`."""
        body = {
            "model": self._settings.model,
            "messages": list(messages),
            "temperature": 0.2,
            "max_tokens": MOST_TOKENS,
        }
        request = urllib.request.Request(
            f"{self._settings.url.rstrip('/')}/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {self._settings.key}"} if self._settings.key else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=self._settings.timeout) as response:
                return _text(json.loads(response.read(MOST_BYTES)))
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise VoiceError(f"the server did not answer as it should: {error}") from error


def _text(reply: Any) -> str:
    """The text of a chat completion; raises `ValueError`."""
    try:
        said = reply["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        said = None
    if not isinstance(said, str):
        raise ValueError("the reply is no chat completion")
    return said
