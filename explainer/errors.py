"""The sentences `explainer` says to people when it cannot do what was asked.

ExplainerError
├── ReaderError         a question could not be answered, for a fault of ours
│   ├── ReaderGone      the reader process could not be kept alive for it
│   └── EncoderMissing  the packages with the sentence encoder are not installed
├── VoiceError          a voice cannot be loaded, or said nothing; the record's words stand then
└── PassageError        a passage of the knowledge base is not written as the format asks; the text names file and cure
"""


class ExplainerError(Exception):
    """Base of every error of this package; `str(error)` is one sentence fit for a user."""


class PassageError(ExplainerError):
    """A passage that cannot be read; the sentence names the file and what to change."""


class ReaderError(ExplainerError):
    """A question could not be answered, for a fault of ours; the sentence names a reference that stands in the log."""


class ReaderGone(ReaderError):
    """The reader process could not be started, or died on the question each time."""


class EncoderMissing(ReaderError):
    """The sentence encoder is not installed; the sentence names the package."""


class VoiceError(ExplainerError):
    """A voice will not do, or said nothing in time."""
