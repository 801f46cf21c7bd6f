"""`darkroom models`: every configured model with its defaults, its limits and the words it knows.

Reads the models' vocabularies and nothing else of them: no weights, no worker, no database.
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
from generation.models import ModelInfo
from generation.vocabulary import Vocabulary, read_vocabulary

HELP = "list the models, what each can do and which words it knows"

GAP = 2  # spaces between columns
INDENT = "  "
HEADINGS = ("MODEL", "STEPS", "GUIDANCE", "SIZE", "LIMITS", "KNOWS", "PAINTS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `darkroom models`."""
    parser.add_argument("--json", action="store_true", help="the list as JSON, for other programs")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the list and return the exit status.

    Raises:
        ModelError: a model's vocabulary is damaged.
    """
    listed = [(model, read_vocabulary(model)) for model in settings.models]
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode([_record(*one) for one in listed]), indent=2).decode())
        return SUCCESS
    print("\n".join(table([HEADINGS, *(_row(*one) for one in listed)])))
    width = shutil.get_terminal_size().columns
    for model, vocabulary in listed:
        if vocabulary is not None:
            print("\n".join(("", f"{model.name} knows", *vocabulary_lines(vocabulary, width))))
    return SUCCESS


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


def _row(model: ModelInfo, vocabulary: Vocabulary | None) -> tuple[str, ...]:
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
        model.title,
    )


def _record(model: ModelInfo, vocabulary: Vocabulary | None) -> dict[str, object]:
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
        "vocabulary": vocabulary,
    }
