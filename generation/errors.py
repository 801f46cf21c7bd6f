"""The sentences `generation` says to people when it cannot do what was asked.

GenerationError
├── RequestError        the person asked for something that cannot be done; the text says what to do
│   └── UnknownModel
├── WorkerError         the worker process failed at its side
│   ├── ModelError      a model cannot be loaded (missing, damaged, too large)
│   └── WorkerGone      the worker process ended before it answered
├── NotAdmitted         an admin has set that this request is not taken
│   └── QueueFull       the queue takes no more jobs from this person for now
└── ActRefused          what an admin asked for has no effect, or would reach too far
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


class NotAdmitted(GenerationError):
    """The request goes beyond what an admin allows; the sentence says what would be taken."""


class QueueFull(NotAdmitted):
    """The person already has as many jobs waiting as the limits allow."""


class ActRefused(GenerationError):
    """An admin's act that changes nothing; the sentence says why."""
