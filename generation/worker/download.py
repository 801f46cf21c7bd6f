"""Brings a model from its hub, and says in one sentence why it cannot be had."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from diffusers import DiffusionPipeline
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from generation.errors import ModelError
from generation.models import ModelInfo

log = logging.getLogger(__name__)


def download(info: ModelInfo) -> Path:
    """The folder that the model's files lie in now; what is there already is not fetched again.

    Raises:
        ModelError: it cannot be had; the sentence says whose turn it is to do something.
    """
    try:
        return Path(DiffusionPipeline.download(info.source, variant=info.variant, use_safetensors=True))
    except Exception as error:  # the hub's client raises errors of several libraries
        log.warning("the model %s cannot be fetched: %r", info.source, error)
        raise ModelError(sentence(info, error)) from error


def sentence(info: ModelInfo, error: BaseException) -> str:
    """What a person is told of an error of the hub's client; what counts is the first cause that is known."""
    model = f"The model “{info.name}” ({info.source})"
    for cause in _causes(error):
        match cause:
            case GatedRepoError():
                return (
                    f"{model} is gated: accept its terms on its page, and give Darkroom's environment a token of that "
                    "account as HF_TOKEN."
                )
            case RepositoryNotFoundError():
                return f"{model} is not on its hub, or is private; check its name, or set HF_TOKEN."
            case HfHubHTTPError() if cause.response.status_code in (401, 403):
                return f"{model} may not be read with the token in HF_TOKEN; renew it."
            case LocalEntryNotFoundError() | OfflineModeIsEnabled():
                continue  # said because of something else; the cause follows
            case EntryNotFoundError():
                return f"{model} lacks a file that it should have{_variant(info)}; check the model's settings."
            case OSError() if cause.errno == 28:
                return f"{model} does not fit on this machine's disk; make room, and start Darkroom again."
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in _causes(error)):
        return f"{model} is not on this machine, and HF_HUB_OFFLINE forbids fetching it."
    if any(_is_network_trouble(cause) for cause in _causes(error)):
        return f"{model} is not on this machine, and its hub cannot be reached; check the way to the internet."
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if info.variant and "variant" in str(error):
        return f"{model} has no variant “{info.variant}”; leave the variant out, or name one that it has."
    return f"{model} cannot be fetched from its hub: {lines[0][:300]}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_network_trouble(error: BaseException) -> bool:
    """By name: the client's library for HTTP is its own affair, and has changed before."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(
        names & {"ConnectionError", "ConnectError", "TransportError", "TimeoutError", "LocalEntryNotFoundError"}
    )


def _variant(info: ModelInfo) -> str:
    return f" in the variant “{info.variant}”" if info.variant else ""
