"""A voice of a chat model on this machine, through transformers: a folder, a hub id or a .gguf file.

Loaded in the reader process, which then holds torch and the model too. Small models are seldom right; the check decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from explainer.errors import VoiceError
from explainer.messages import VoiceName, VoiceSettings
from explainer.voices.base import ModelVoice

MOST_NEW_TOKENS: Final = 220
MOST_CONTEXT: Final = 1_500  # tokens


class LocalVoice(ModelVoice):
    """Greedy decoding, so that the same question gets the same words."""

    name: VoiceName = "transformers"

    def __init__(self, settings: VoiceSettings) -> None:
        """Load the model; raises `VoiceError` where it cannot be loaded."""
        super().__init__(settings)
        if not settings.model:
            raise VoiceError(
                "The voice “transformers” needs a chat model in DARKROOM_VOICE_MODEL: a folder, a hub id or a "
                ".gguf file."
            )
        source, options = _source(settings.model)
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source, **options)
            self._model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **options)
        except (OSError, ValueError, ImportError, KeyError) as error:
            raise VoiceError(f"The chat model {settings.model} cannot be loaded: {error}") from error
        self._model.eval()  # type: ignore[no-untyped-call]  # transformers leaves it untyped

    def complete(self, messages: Sequence[dict[str, str]]) -> str:
        """What the model says; raises `VoiceError`."""
        try:
            encoded = self._tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            length = encoded["input_ids"].shape[1]
            if length > MOST_CONTEXT:
                raise VoiceError("the answer is too long to be reworded")
            with torch.inference_mode():
                made = self._model.generate(
                    **encoded, max_new_tokens=MOST_NEW_TOKENS, do_sample=False, max_time=self._settings.timeout
                )
        except (RuntimeError, ValueError, TypeError) as error:
            raise VoiceError(f"the model failed: {error}") from error
        return str(self._tokenizer.decode(made[0, length:], skip_special_tokens=True))


def _source(model: str) -> tuple[str, dict[str, Any]]:
    """Folder or hub id, and the options that a GGUF file needs."""
    path = Path(model)
    return (str(path.parent), {"gguf_file": path.name}) if path.suffix == ".gguf" else (model, {})
