"""Brings a model from its hub, and says in one sentence why it cannot be had.

Which files are fetched is chosen here (`generation.model_files`): safetensors, configurations, tokenizers; never a
pickle, never code. So what is wrong with a model is known before gigabytes of it have come.
"""

from __future__ import annotations

import io
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm import tqdm  # type: ignore[import-untyped]  # it ships no types

from generation import model_files
from generation.errors import ModelError
from generation.models import Lora, ModelInfo

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # bytes that have come, of how many


class Fetch:
    """A model's files on their way, in a thread of their own."""

    def __init__(self, info: ModelInfo) -> None:
        self.done, self.total = 0, 0  # bytes
        self._info = info
        self._folder: Path | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"fetching {info.name}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Until it has ended, but no longer than that."""
        self._thread.join(seconds)

    def folder(self) -> Path:
        """Where the files lie, once it has ended.

        Raises:
            ModelError: they cannot be had.
        """
        if self._error is not None:
            raise self._error
        assert self._folder is not None
        return self._folder

    def _run(self) -> None:
        try:
            self._folder = download(self._info, self._progress)
            for lora in self._info.loras:
                lora_file(self._info, lora)
        except Exception as error:  # noqa: BLE001 - the edge of this thread; it is raised in the other
            self._error = error

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total


def download(info: ModelInfo, progress: Progress = lambda done, total: None) -> Path:
    """The folder that the model's files lie in now; what is there already is not fetched again.

    `progress` may be called from several threads.

    Raises:
        ModelError: it cannot be had; the sentence says whose turn it is to do something.
    """
    try:
        return _download(info, progress)
    except ModelError:
        raise
    except Exception as error:  # the hub's client raises errors of several libraries
        if (folder := _whole_copy(info)) is not None:
            log.warning("the hub cannot be asked for %s, so the copy on this machine is used: %r", info.source, error)
            return folder
        log.warning("the model %s cannot be fetched: %r", info.source, error)
        raise ModelError(sentence(info, error)) from error


def lora_file(info: ModelInfo, lora: Lora) -> Path:
    """The LoRA's file on this machine, fetched from its hub if need be.

    Raises:
        ModelError: it is not there, is no safetensors file, or it is not told which of several.
    """
    source = Path(lora.source)
    if source.is_file():
        return _safe_lora(info, source)
    if source.is_dir():
        names = [file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()]
        return source / _lora_name(info, lora, names)
    if not model_files.is_hub_id(lora.source):
        raise ModelError(f"The LoRA {lora.source} of the model “{info.name}” is not there.")
    try:
        name = lora.file or _lora_name(info, lora, HfApi().list_repo_files(lora.source))
        return _safe_lora(info, Path(hf_hub_download(lora.source, name)))
    except ModelError:
        raise
    except Exception as error:  # as above
        raise ModelError(sentence(info, error, lora.source)) from error


def sentence(info: ModelInfo, error: BaseException, source: str | None = None) -> str:
    """What a person is told of an error of the hub's client; what counts is the first cause that is known."""
    model = f"The model “{info.name}” ({source or info.source})"
    for cause in _causes(error):
        match cause:
            case GatedRepoError():
                return (
                    f"{model} is gated: accept its terms on its page, and give Darkroom's environment a token of that "
                    "account as HF_TOKEN."
                )
            case RevisionNotFoundError():
                return f"{model} has no revision “{info.revision}” on its hub; check the model's settings."
            case RepositoryNotFoundError():
                return f"{model} is not on its hub, or is private; check its name, or set HF_TOKEN."
            case HfHubHTTPError() if cause.response.status_code in (401, 403):
                return f"{model} may not be read with the token in HF_TOKEN; renew it."
            case LocalEntryNotFoundError() | OfflineModeIsEnabled():
                continue  # said because of something else; the cause follows
            case EntryNotFoundError():
                return f"{model} lacks a file that it should have; check the model's settings."
            case OSError() if cause.errno == 28:
                return f"{model} does not fit on this machine's disk; make room, and start Darkroom again."
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in _causes(error)):
        return f"{model} is not on this machine, and HF_HUB_OFFLINE forbids fetching it."
    if any(_is_network_trouble(cause) for cause in _causes(error)):
        return f"{model} is not on this machine, and its hub cannot be reached; check the way to the internet."
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{model} cannot be fetched from its hub: {lines[0][:300]}"


def _download(info: ModelInfo, progress: Progress) -> Path:
    revision = info.revision or "main"
    listing = HfApi().model_info(info.source, revision=revision, files_metadata=True)
    sizes = {each.rfilename: each.size or 0 for each in listing.siblings or ()}
    index = next((name for name in (model_files.INDEX, model_files.MODULAR_INDEX) if name in sizes), None)
    if index is None:
        raise ModelError(
            f"The model “{info.name}” ({info.source}) has no {model_files.INDEX} on its hub, so it is no diffusers "
            "model."
        )
    folder = Path(hf_hub_download(info.source, index, revision=revision)).parent
    wanted = model_files.choose_files(info, model_files.read_index(info, folder), sizes)
    missing = sum(sizes[name] for name in wanted if not (folder / name).exists())
    total = sum(sizes[name] for name in wanted)
    _check_disk(info, missing)
    progress(total - missing, total)
    bar = _bar(lambda done: progress(min(total, total - missing + done), total))
    whole = snapshot_download(info.source, revision=revision, allow_patterns=wanted, tqdm_class=bar)
    progress(total, total)
    return Path(whole)


def _check_disk(info: ModelInfo, missing: int) -> None:
    cache = model_files.hub_cache()
    place = next(each for each in (cache, *cache.parents) if each.exists())
    free = shutil.disk_usage(place).free
    if missing > free:
        raise ModelError(
            f"The model “{info.name}” ({info.source}) does not fit on this machine's disk: {missing / 1e9:.1f} GB are "
            f"to be fetched and {free / 1e9:.1f} GB are free in {place}."
        )


def _whole_copy(info: ModelInfo) -> Path | None:
    """What an earlier start has fetched, if that is the whole model."""
    folder = model_files.locate(info)
    if folder is None:
        return None
    try:
        model_files.check_folder(info, folder)
    except ModelError:
        return None
    return folder


def _lora_name(info: ModelInfo, lora: Lora, names: list[str]) -> str:
    found = sorted(name for name in names if name.endswith(".safetensors"))
    if lora.file is not None:
        found = [name for name in found if name == lora.file]
    if len(found) == 1:
        return found[0]
    if lora.file is None and found:
        cure = f"it has several files; name one of {', '.join(found[:5])}"
    else:
        cure = f"it has no {lora.file or 'safetensors file'}"
    raise ModelError(f"The LoRA {lora.source} of the model “{info.name}” cannot be used: {cure}.")


def _safe_lora(info: ModelInfo, file: Path) -> Path:
    if file.suffix != ".safetensors":
        raise ModelError(
            f"The LoRA {file.name} of the model “{info.name}” is no safetensors file, and no other is loaded, as it "
            "could run code here."
        )
    return file


class _Nowhere(io.StringIO):
    """Where bars are drawn."""

    def write(self, text: str) -> int:
        return len(text)


def _bar(counted: Callable[[int], None]) -> type[Any]:
    """A progress bar for the hub's client that shows nothing and counts bytes."""

    class Bar(tqdm):  # type: ignore[misc]  # untyped, as said at its import
        monitor_interval = 0  # no thread that watches it

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"file": _Nowhere(), "mininterval": 1e9}))

        def update(self, n: float | None = 1) -> Any:
            answer = super().update(n)
            if self.unit == "B":
                counted(int(self.n))
            return answer

    return Bar


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
