"""Who puts evidence into words: the record itself (the default), a local chat model, or a server's; each is checked."""

from __future__ import annotations

from explainer.messages import VoiceSettings
from explainer.voices.base import RecordVoice, Voice

__all__ = ["RecordVoice", "Voice", "make_voice"]


def make_voice(settings: VoiceSettings) -> Voice:
    """The voice that is configured, loaded.

    Raises:
        VoiceError: its model or address will not do; the sentence says why.
    """
    # only here, so that nobody loads torch who does not want it
    match settings.name:
        case "transformers":
            from explainer.voices.local import LocalVoice

            return LocalVoice(settings)
        case "openai":
            from explainer.voices.openai import ServerVoice

            return ServerVoice(settings)
        case _:
            return RecordVoice(settings.tone)
