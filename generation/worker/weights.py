"""A model's files before anything is loaded: where they are, whether they are whole, and their fingerprint.

Only safetensors are ever read; a pickle can run code. The fingerprint is the SHA-256 of the text that
`sha256sum` prints for the safetensors files in the order of their paths, so that anybody can make it:
    find . -name '*.safetensors' | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | sha256sum
(for a model with a variant, such as fp16, over the files of that variant alone).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from generation.errors import ModelError
from generation.models import ModelInfo

PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
VARIANT = re.compile(r"\.(?P<variant>[A-Za-z]\w*)(-\d+-of-\d+)?\.safetensors$")


def is_hub_id(source: str) -> bool:
    """Whether `source` names a model of a hub and not a folder of this machine."""
    return HUB_ID.fullmatch(source) is not None and not Path(source).exists()


def check_folder(info: ModelInfo, folder: Path) -> tuple[Path, ...]:
    """The safetensors files that the model will be loaded from, each with a sound header.

    Raises:
        ModelError: something is missing, damaged, or a pickle.
    """
    if not folder.is_dir():
        raise ModelError(f"The folder of the model “{info.name}” is not there: {folder}.")
    index = _model_index(info, folder)
    files: list[Path] = []
    for part, kind in sorted(index.items()):
        if not part.startswith("_") and isinstance(kind, list) and kind and kind[0] is not None:
            files += _files_of_part(info, folder, part)
    for file in files:
        _check_header(info, folder, file)
    return tuple(sorted(files, key=lambda file: file.relative_to(folder).as_posix()))


def fingerprint(folder: Path, files: tuple[Path, ...], report: Callable[[int], None]) -> str:
    """SHA-256 over the files' own; `report` is told how many are done."""
    whole = hashlib.sha256()
    for done, file in enumerate(files, start=1):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{digest}  {file.relative_to(folder).as_posix()}\n".encode())
        report(done)
    return whole.hexdigest()


def _model_index(info: ModelInfo, folder: Path) -> dict[str, object]:
    file = folder / "model_index.json"
    try:
        index = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"The folder of the model “{info.name}” has no model_index.json, so it is no diffusers model: {folder}."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"The file model_index.json of the model “{info.name}” cannot be read: {error}.") from error
    if not isinstance(index, dict):
        raise ModelError(f"The file model_index.json of the model “{info.name}” is no list of parts.")
    return index


def _files_of_part(info: ModelInfo, folder: Path, part: str) -> list[Path]:
    """The weights of one part (`unet`, `vae`, ...); none for a tokenizer or a scheduler."""
    place = folder / part
    if not place.is_dir():
        raise ModelError(f"The part “{part}” of the model “{info.name}” is missing: {place}.")
    weights = sorted(place.glob("*.safetensors"))
    if not weights:
        pickles = sorted(file.name for file in place.iterdir() if file.suffix in PICKLED)
        if pickles:
            raise ModelError(
                f"The part “{part}” of the model “{info.name}” comes as a pickle ({pickles[0]}), which could run code "
                "here; only safetensors are loaded, so please convert it."
            )
        if (place / "config.json").exists():  # networks have one; tokenizers and schedulers have others
            raise ModelError(f"The part “{part}” of the model “{info.name}” has no safetensors weights in {place}.")
        return []
    plain = [file for file in weights if VARIANT.search(file.name) is None]
    wanted = [file for file in weights if info.variant and f".{info.variant}" in file.name] or plain
    if not wanted:
        raise ModelError(
            f"The part “{part}” of the model “{info.name}” comes only as a variant ({weights[0].name}); "
            "set the model's variant."
        )
    return wanted


def _check_header(info: ModelInfo, folder: Path, file: Path) -> None:
    try:
        with safe_open(str(file), framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        name = file.relative_to(folder).as_posix()
        raise ModelError(
            f"The weights file {name} of the model “{info.name}” is damaged or incomplete; fetch it again ({error})."
        ) from error
