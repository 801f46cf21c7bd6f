"""A model's files before anything is loaded: where they are, whether they are whole, what they hold, their fingerprint.

Only safetensors are ever read; a pickle can run code. The fingerprint is the SHA-256 of the text that
`sha256sum` prints for the safetensors files in the order of their paths, so that anybody can make it:
    find . -name '*.safetensors' | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | sha256sum
(for a model with a variant, such as fp16, over the files of that variant alone). Knows nothing of torch: the bot
looks at models with it, too.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from generation.errors import ModelError
from generation.models import ModelInfo

INDEX, MODULAR_INDEX = "model_index.json", "modular_model_index.json"
PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
TEXTS = frozenset({".json", ".txt", ".model", ".jinja", ".vocab"})  # configurations and tokenizers; nothing that runs
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
VARIANT = re.compile(r"\.(?P<variant>[A-Za-z]\w*)(-\d+-of-\d+)?\.safetensors$")
MAX_HEADER = 100 * 10**6  # bytes, as the format has it
ITEM_SIZES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
FLOATING = frozenset(  # what is turned into the number type that a model is run in
    {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
)

Header = Mapping[str, Any]


def is_hub_id(source: str) -> bool:
    """Whether `source` names a model of a hub and not a folder of this machine."""
    return HUB_ID.fullmatch(source) is not None and not Path(source).exists()


def locate(info: ModelInfo) -> Path | None:
    """The model's folder on this machine, be it in the hub's cache; None: it is still to be fetched."""
    if not is_hub_id(info.source):
        return Path(info.source)
    place = hub_cache() / f"models--{info.source.replace('/', '--')}"
    wanted = info.revision or "main"
    try:
        commit = (place / "refs" / wanted).read_text("utf-8").strip()
    except OSError:
        commit = wanted  # the commit itself
    folder = place / "snapshots" / commit
    return folder if folder.is_dir() else None


def hub_cache() -> Path:
    """Where the hub's client keeps what it has fetched."""
    if cache := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache).expanduser()
    home = os.environ.get("HF_HOME")
    if not home:
        home = str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(home).expanduser() / "hub"


def check_folder(info: ModelInfo, folder: Path) -> tuple[Path, ...]:
    """The safetensors files that the model will be loaded from, each with a sound header.

    Raises:
        ModelError: something is missing, damaged, or a pickle.
    """
    if not folder.is_dir():
        raise ModelError(f"The folder of the model “{info.name}” is not there: {folder}.")
    index = read_index(info, folder)
    places = [folder / part for part in parts_of(index)]
    names = [f"{place.name}/{file.name}" for place in places if place.is_dir() for file in place.iterdir()]
    chosen = choose_weights(info, index, names)
    for name in chosen:
        read_header(info, folder, name)
    return tuple(folder / name for name in sorted(chosen))


def fingerprint(folder: Path, files: Iterable[Path], report: Callable[[int], None] = lambda done: None) -> str:
    """SHA-256 over the files' own; `report` is told how many are done."""
    whole = hashlib.sha256()
    for done, file in enumerate(files, start=1):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{digest}  {file.relative_to(folder).as_posix()}\n".encode())
        report(done)
    return whole.hexdigest()


def parameter_bytes(
    info: ModelInfo, folder: Path, files: Iterable[Path], item_size: int, few_bits: Mapping[str, int]
) -> dict[str, int]:
    """How many bytes the weights take in memory, by part, where a number takes `item_size` bytes.

    `few_bits`: of the numbers in the matrices of those parts; what is no matrix is never quantised.

    Raises:
        ModelError: a file is damaged.
    """
    sizes: dict[str, int] = {}
    for file in files:
        name = file.relative_to(folder).as_posix()
        part = name.partition("/")[0]
        for tensor in read_header(info, folder, name).values():
            is_float = tensor["dtype"] in FLOATING
            bits = 8 * (item_size if is_float else ITEM_SIZES.get(tensor["dtype"], 1))
            if is_float and len(tensor["shape"]) == 2:
                bits = few_bits.get(part, bits)
            sizes[part] = sizes.get(part, 0) + math.prod(tensor["shape"]) * bits // 8
    return sizes


def read_index(info: ModelInfo, folder: Path) -> dict[str, object]:
    """The parts of the model, by name, as its index lists them.

    Raises:
        ModelError: there is no index, it cannot be read, or it wants code of its own to be run.
    """
    name = next((name for name in (INDEX, MODULAR_INDEX) if (folder / name).is_file()), None)
    if name is None:
        raise ModelError(
            f"The folder of the model “{info.name}” has no {INDEX}, so it is no diffusers model: {folder}."
        )
    try:
        index = json.loads((folder / name).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"The file {name} of the model “{info.name}” cannot be read: {error}.") from error
    if not isinstance(index, dict):
        raise ModelError(f"The file {name} of the model “{info.name}” is no list of parts.")
    if isinstance(index.get("_class_name"), list):
        raise ModelError(f"The model “{info.name}” brings program code of its own, which is never run here.")
    return index


def read_json(file: Path) -> dict[str, Any]:
    """A configuration; empty where there is none that can be read."""
    try:
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def parts_of(index: Mapping[str, object]) -> list[str]:
    """The names of the parts that have files of their own, by the alphabet."""
    return sorted(
        part
        for part, kind in index.items()
        if not part.startswith("_") and isinstance(kind, list) and kind and kind[0] is not None
    )


def choose_weights(info: ModelInfo, index: Mapping[str, object], names: Iterable[str]) -> list[str]:
    """Which of a model's files are its weights, in the wanted variant.

    Raises:
        ModelError: a part is missing, is a pickle, or there is no such variant.
    """
    by_part: dict[str, list[str]] = {}
    for name in sorted(names):
        by_part.setdefault(name.rpartition("/")[0], []).append(name)
    chosen: list[str] = []
    for part in parts_of(index):
        chosen += _weights_of_part(info, part, by_part.get(part), needed=_comes_along(index[part]))
    if info.variant and not any(f".{info.variant}" in name for name in chosen):
        there = {match["variant"] for name in by_part.values() for match in map(VARIANT.search, name) if match}
        cure = f"name one that it has ({', '.join(sorted(there))})" if there else "leave the variant out"
        raise ModelError(f"The model “{info.name}” has no variant “{info.variant}”; {cure}.")
    return chosen


def choose_files(info: ModelInfo, index: Mapping[str, object], names: Iterable[str]) -> list[str]:
    """What is to be fetched of a model: its weights, configurations and tokenizers, and nothing that could run.

    Raises:
        ModelError: as `choose_weights`.
    """
    names = list(names)
    parts = set(parts_of(index))
    texts = [
        name
        for name in names
        if name in {INDEX, MODULAR_INDEX} or (name.partition("/")[0] in parts and Path(name).suffix in TEXTS)
    ]
    return texts + choose_weights(info, index, names)


def read_header(info: ModelInfo, folder: Path, name: str) -> Header:
    """The tensors of a safetensors file by name, with `dtype` and `shape`.

    Raises:
        ModelError: the file is damaged or cut short.
    """
    file = folder / name
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER, size - 8):
                raise ValueError("its header has no sensible length")
            header = json.loads(stream.read(length))
        tensors = {key: value for key, value in header.items() if key != "__metadata__"}
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        if size != 8 + length + end:
            raise ValueError(f"it has {size:,} bytes and should have {8 + length + end:,}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The weights file {name} of the model “{info.name}” is damaged or incomplete; fetch it again ({error})."
        ) from error
    return tensors


def _comes_along(entry: object) -> bool:
    """Whether the part must have a folder here: a modular index also lists parts that come from elsewhere."""
    return isinstance(entry, list) and len(entry) == 2


def _weights_of_part(info: ModelInfo, part: str, names: list[str] | None, *, needed: bool) -> list[str]:
    """The weights of one part (`unet`, `vae`, ...); none for a tokenizer or a scheduler."""
    if names is None:
        if not needed:
            return []
        raise ModelError(f"The part “{part}” of the model “{info.name}” is missing.")
    weights = [name for name in names if name.endswith(".safetensors")]
    if not weights:
        pickles = [name for name in names if Path(name).suffix in PICKLED]
        if pickles:
            raise ModelError(
                f"The part “{part}” of the model “{info.name}” comes as a pickle ({Path(pickles[0]).name}), which "
                "could run code here; only safetensors are loaded, so please convert it."
            )
        if f"{part}/config.json" in names:  # networks have one; tokenizers and schedulers have others
            raise ModelError(f"The part “{part}” of the model “{info.name}” has no safetensors weights.")
        return []
    plain = [name for name in weights if VARIANT.search(name) is None]
    wanted = [name for name in weights if info.variant and f".{info.variant}" in name] or plain
    if not wanted:
        raise ModelError(
            f"The part “{part}” of the model “{info.name}” comes only as a variant ({Path(weights[0]).name}); "
            "set the model's variant."
        )
    return wanted
