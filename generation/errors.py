"""The sentences `generation` says to people when it cannot do what was asked.

GenerationError
├── RequestError        the person asked for something that cannot be done; the text says what to do
│   └── UnknownModel
├── WorkerError         the worker process failed at its side
│   ├── ModelError      a model cannot be loaded (missing, damaged, too large)
│   └── WorkerGone      the worker process ended before it answered
└── QueueFull           the queue takes no more jobs from this person for now
"""


class GenerationError(Exception):
    """Base of every error of this package; `str(error)` is one sentence fit for a user."""


class RequestError(GenerationError):
    """A request that cannot be carried out as asked; the sentence says what to change."""


class UnknownModel(RequestError):
    """The named model is not configured."""


class WorkerError(GenerationError):
    """The worker process could not do its part."""


class ModelError(WorkerError):
    """A model cannot be loaded; the sentence names the model and the cure."""


class WorkerGone(WorkerError):
    """The worker process ended before it answered."""


class QueueFull(GenerationError):
    """The person already has as many jobs waiting as the limits allow."""
