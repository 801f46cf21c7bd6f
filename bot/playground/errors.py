"""What the playground says when something cannot be done, to a bot or to a person.

PlaygroundError
├── PortInUse           another program listens on the wanted port
├── NotLoopback         the wanted address could be reached from other machines
├── ActionError         a person tried what Discord's own client would not let them do
└── DiscordError        the REST API refuses; carries Discord's status, code and message
"""

from __future__ import annotations

from enum import Enum
from typing import Any


class PlaygroundError(Exception):
    """Base of every error of this package; `str(error)` is one sentence fit for a user."""


class PortInUse(PlaygroundError):
    """Another program listens on the wanted port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Port {port} on {host} is already in use: stop the other program (perhaps another Darkroom) "
            "or choose another port."
        )
        self.host = host
        self.port = port


class NotLoopback(PlaygroundError):
    """The wanted address could be reached from other machines."""

    def __init__(self, host: str) -> None:
        super().__init__(f"The playground listens on this machine only; {host!r} is not a loopback address.")


class ActionError(PlaygroundError):
    """A person tried what Discord's own client would not let them do; the sentence says what to change."""


class Problem(Enum):
    """Discord's documented refusals: (HTTP status, JSON code, message)."""

    UNAUTHORIZED = (401, 0, "401: Unauthorized")
    NOT_FOUND = (404, 0, "404: Not Found")
    METHOD_NOT_ALLOWED = (405, 0, "405: Method Not Allowed")
    BAD_JSON = (400, 50109, "The request body contains invalid JSON.")
    UNKNOWN_CHANNEL = (404, 10003, "Unknown Channel")
    UNKNOWN_GUILD = (404, 10004, "Unknown Guild")
    UNKNOWN_MEMBER = (404, 10007, "Unknown Member")
    UNKNOWN_MESSAGE = (404, 10008, "Unknown Message")
    UNKNOWN_USER = (404, 10013, "Unknown User")
    UNKNOWN_EMOJI = (400, 10014, "Unknown Emoji")
    UNKNOWN_WEBHOOK = (404, 10015, "Unknown Webhook")
    UNKNOWN_INTERACTION = (404, 10062, "Unknown interaction")
    UNKNOWN_COMMAND = (404, 10063, "Unknown application command")
    TOO_LARGE = (413, 40005, "Request entity too large")
    ALREADY_ACKNOWLEDGED = (400, 40060, "Interaction has already been acknowledged.")
    MISSING_ACCESS = (403, 50001, "Missing Access")
    CANNOT_EDIT_OTHERS = (403, 50005, "Cannot edit a message authored by another user")
    EMPTY_MESSAGE = (400, 50006, "Cannot send an empty message")
    CANNOT_DM = (403, 50007, "Cannot send messages to this user")
    MISSING_PERMISSIONS = (403, 50013, "Missing Permissions")
    INVALID_WEBHOOK_TOKEN = (401, 50027, "Invalid Webhook Token")
    INVALID_FORM = (400, 50035, "Invalid Form Body")
    ARCHIVED_THREAD = (400, 50083, "Thread is archived")
    THREAD_EXISTS = (400, 160004, "A thread has already been created for this message")
    NOT_IMPLEMENTED = (501, 0, "The playground does not know this endpoint")


class DiscordError(PlaygroundError):
    """The REST API refuses, in Discord's own words."""

    def __init__(self, problem: Problem, *, detail: str = "", errors: dict[str, Any] | None = None) -> None:
        self.status, self.code, message = problem.value
        self.problem = problem
        self.message = f"{message}: {detail}" if detail else message
        self.errors = errors
        super().__init__(self.message)

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        return body | {"errors": self.errors} if self.errors else body


def invalid_form(path: str, code: str, message: str) -> DiscordError:
    """Discord's error 50035 for one field; `path` is dotted, e.g. `embeds.0.title`."""
    tree: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".")):
        tree = {part: tree}
    return DiscordError(Problem.INVALID_FORM, errors=tree)
