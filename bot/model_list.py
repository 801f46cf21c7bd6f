"""`darkroom models`: every configured model with its defaults, its limits and the words it knows.

Reads the models' vocabularies and takes the fingerprints of their files: no worker, no database, no hub.
"""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Sequence

import msgspec

from bot.errors import SUCCESS
from bot.known_words import thing_names, topics
from bot.settings import Settings
from generation import model_files
from generation.errors import ModelError
from generation.models import ModelInfo
from generation.vocabulary import Vocabulary, read_vocabulary

HELP = "list the models, what each can do and which words it knows"

GAP = 2  # spaces between columns
INDENT = "  "
HEADINGS = ("MODEL", "STEPS", "GUIDANCE", "SIZE", "LIMITS", "KNOWS", "WEIGHTS", "PAINTS")
FINGERPRINT_SHOWN = 12  # hexadecimal digits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `darkroom models`."""
    parser.add_argument("--json", action="store_true", help="the list as JSON, for other programs")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the list and return the exit status.

    Raises:
        ModelError: a model's vocabulary is damaged.
    """
    listed = [(model, read_vocabulary(model), look_at_weights(model)) for model in settings.models]
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode([_record(*one) for one in listed]), indent=2).decode())
        return SUCCESS
    print("\n".join(table([HEADINGS, *(_row(*one) for one in listed)])))
    width = shutil.get_terminal_size().columns
    for _, _, weights in listed:
        if weights.problem:
            print(f"\n{weights.problem}")
    for model, vocabulary, _ in listed:
        if vocabulary is not None:
            print("\n".join(("", f"{model.name} knows", *vocabulary_lines(vocabulary, width))))
    return SUCCESS


class Weights(msgspec.Struct, frozen=True):
    """What there is of a model's files."""

    sha256: str | None = None  # None: they are not here, or of no use
    problem: str | None = None  # a sentence


def look_at_weights(model: ModelInfo) -> Weights:
    """The fingerprint of the model's files, read whole; a model of a hub that is still to be fetched has none."""
    folder = model_files.locate(model)
    if folder is None:
        return Weights()
    try:
        return Weights(model_files.fingerprint(folder, model_files.check_folder(model, folder)))
    except ModelError as error:
        return Weights(problem=str(error))


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines whose columns stand under each other."""
    widths = [max(map(len, column)) + GAP for column in zip(*rows, strict=True)]
    return ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def vocabulary_lines(vocabulary: Vocabulary, width: int) -> list[str]:
    """Things in columns, the rest in wrapped paragraphs, within `width` characters."""
    names = thing_names(vocabulary)
    column = max(map(len, names)) + GAP
    columns = max(1, (width - len(INDENT)) // column)
    height = -(-len(names) // columns)  # read downwards, as `ls` has it
    rows = (names[start::height] for start in range(height))
    lines = [INDENT + "".join(name.ljust(column) for name in row).rstrip() for row in rows]
    for heading, text in topics(vocabulary):
        lines += textwrap.wrap(
            f"{heading}: {text}", max(40, width), initial_indent=INDENT, subsequent_indent=INDENT * 2
        )
    return lines


def _row(model: ModelInfo, vocabulary: Vocabulary | None, weights: Weights) -> tuple[str, ...]:
    sides = (
        f"only {model.min_side}x{model.min_side}"
        if model.min_side == model.max_side
        else f"sides {model.min_side}-{model.max_side} by {model.size_multiple}"
    )
    return (
        model.name,
        str(model.steps),
        f"{model.guidance_scale:g}",
        f"{model.width}x{model.height}",
        f"{sides}, {model.max_steps} steps",
        "any words" if vocabulary is None else f"{len(vocabulary.things)} things",
        weights.sha256[:FINGERPRINT_SHOWN] if weights.sha256 else "unusable" if weights.problem else "not fetched",
        model.title,
    )


def _record(model: ModelInfo, vocabulary: Vocabulary | None, weights: Weights) -> dict[str, object]:
    """`vocabulary` is null for a model that takes any words."""
    return {
        "name": model.name,
        "title": model.title,
        "source": model.source,
        "steps": model.steps,
        "max_steps": model.max_steps,
        "guidance": model.guidance_scale,
        "size": f"{model.width}x{model.height}",
        "min_side": model.min_side,
        "max_side": model.max_side,
        "size_multiple": model.size_multiple,
        "weights_sha256": weights.sha256,
        "problem": weights.problem,
        "vocabulary": vocabulary,
    }
