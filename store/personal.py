"""How each table declares what becomes of its rows when a person wants to be forgotten.

A table says so in its `info`; `store.forgetting` carries it out, and `store.own_data` hands out by the same
rule what is kept of a person. A column that names files (`store.files`) says so in its own `info`. Knows no table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RULE, FILE = "forgotten", "file"  # keys of `Table.info` and `Column.info`
FORGOTTEN = "forgotten"  # what stands in place of a name


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """Rows that name the person are deleted.

    Args:
        by: columns that may hold the person's id, as `people` has it.
        external: columns that may hold the id by which their front end knows them; where the table has a `source`,
            that must be theirs too.
        named: columns that may hold source and id in one, as `source:id`.
        here: the column that says where the row belongs (`conversation_id`, `turn_id` or `guild`); None: the row
            belongs to no place, and goes when the person is forgotten everywhere.
    """

    by: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    here: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cleared(Deleted):
    """Rows that name the person stay, but those columns say `FORGOTTEN` instead, and what `also` lists with them."""

    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by the column that names the person


@dataclass(frozen=True, kw_only=True)
class Along:
    """Rows belong to a row of another table and go with it, by a foreign key in the column `by` that cascades."""

    table: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Nothing in the table is about a person."""

    because: str


Rule = Deleted | Along | Kept


@dataclass(frozen=True, kw_only=True)
class File:
    """A column that holds content hashes of files: with this suffix, or that in another column, or inside JSON."""

    suffix: str | None = None
    suffix_column: str | None = None
    key: str | None = None  # where in the JSON the hash stands


def when_forgotten(rule: Rule) -> dict[str, Any]:
    """For `Table(..., info=...)`."""
    return {RULE: rule}


def names_file(*files: File) -> dict[str, Any]:
    """For `Column(..., info=...)`."""
    return {FILE: files}
