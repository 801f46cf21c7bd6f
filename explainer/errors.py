"""The sentences `explainer` says to people when it cannot do what was asked.

ExplainerError
└── PassageError        a passage of the knowledge base is not written as the format asks; the text names file and cure
"""


class ExplainerError(Exception):
    """Base of every error of this package; `str(error)` is one sentence fit for a user."""


class PassageError(ExplainerError):
    """A passage that cannot be read; the sentence names the file and what to change."""
