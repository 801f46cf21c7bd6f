"""Reads the knowledge base: short passages with sources and example questions, one Markdown file each.

Knows the format (explainer/knowledge/README.md tells it to writers) and the closed list of topics.
Deliberately does not know how passages are searched, chosen or put into words, nor whether they are true.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from explainer.errors import PassageError

KNOWLEDGE: Final = Path(__file__).parent / "knowledge"
TOPICS: Final = frozenset(
    {
        # how image models work
        "noise", "diffusion", "prediction", "sampling", "flow", "seeds", "frames", "latents", "text", "attention",
        "guidance", "wordmaps", "architecture", "editing", "autoregressive", "finishing",
        # what they are made from, and what follows
        "training", "data", "learning", "originality", "failures", "cost", "provenance", "pocket",
        # people, and people beside machines
        "themes", "worlds",
        "creativity", "imagery", "memory", "perception", "development", "blindspots", "tests", "sameness", "goals",
        "meaning", "authorship",
    }
)  # fmt: skip
OURS: Final = "ours"  # in place of a list of sources: facts about this program, known first hand
FIELDS: Final = ("title", "topics", "sources", "questions")
SOURCE_FIELDS: Final = ("author", "year", "title")
FENCE: Final = "---"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A paper or book that says what a passage says."""

    author: str  # as one would say it: "Ho, Jain and Abbeel"; from four authors on "Rombach et al."
    year: int
    title: str

    def __str__(self) -> str:
        return f"{self.author} ({self.year}): {self.title}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """One thing worth knowing, understandable alone."""

    id: str  # folder and file name without suffix, "noise/what-noise-is"
    title: str
    topics: tuple[str, ...]  # from TOPICS; the first one is the folder's name
    sources: tuple[Source, ...]  # empty: facts about this program, known first hand
    questions: tuple[str, ...]  # how people may ask for it
    text: str  # Markdown; paragraphs are parted by an empty line


def load_passages(folder: Path = KNOWLEDGE) -> tuple[Passage, ...]:
    """All passages in `folder`, in the order of their ids; files directly in `folder` are not passages.

    Raises `PassageError` at the first file that is not written as the format asks.
    """
    return tuple(read_passage(path) for path in sorted(folder.glob("*/*.md")))


def read_passage(path: Path) -> Passage:
    """The passage in one file; raises `PassageError`."""
    name = f"{path.parent.name}/{path.stem}"
    try:
        return _parse(name, path.read_text(encoding="utf-8"))
    except ValueError as error:  # UnicodeDecodeError is one
        raise PassageError(f"The passage {name} cannot be read: {error}.") from error


def _parse(name: str, content: str) -> Passage:
    first, *lines = content.splitlines() or [""]
    if first != FENCE or FENCE not in lines:
        raise ValueError(f"it must begin with its fields between two lines {FENCE}")
    end = lines.index(FENCE)
    fields = _fields(lines[:end])
    passage = Passage(
        id=name,
        title=_word(fields, "title"),
        topics=_topics(name, _word(fields, "topics")),
        sources=_sources(fields["sources"]),
        questions=_items(fields, "questions"),
        text="\n".join(lines[end + 1 :]).strip(),
    )
    if not passage.text:
        raise ValueError("it has no text")
    return passage


def _fields(lines: list[str]) -> dict[str, list[str]]:
    """Each field's value: what stands behind the colon, or the indented lines below it. Values are taken literally."""
    fields: dict[str, list[str]] = {}
    for line in filter(str.strip, lines):
        if line[0] == " ":
            if not fields:
                raise ValueError(f"{line.strip()!r} belongs to no field")
            fields[next(reversed(fields))].append(line.strip())
            continue
        key, colon, value = line.partition(":")
        if not colon or key not in FIELDS or key in fields:
            raise ValueError(f"{line!r} is none of the fields {', '.join(FIELDS)}, or stands twice")
        fields[key] = [value.strip()] if value.strip() else []
    if tuple(fields) != FIELDS:
        raise ValueError(f"its fields must be {', '.join(FIELDS)}, in this order")
    return fields


def _word(fields: dict[str, list[str]], key: str) -> str:
    if len(fields[key]) != 1:
        raise ValueError(f"{key} must stand on one line")
    return fields[key][0]


def _topics(name: str, value: str) -> tuple[str, ...]:
    if not (value.startswith("[") and value.endswith("]")):
        raise ValueError("topics must be written as [one, another]")
    topics = tuple(topic.strip() for topic in value[1:-1].split(","))
    if unknown := [topic for topic in topics if topic not in TOPICS]:
        raise ValueError(f"{unknown[0]!r} is not in the list of topics")
    if topics[0] != name.partition("/")[0]:
        raise ValueError(f"its first topic, {topics[0]}, must be the name of its folder")
    return topics


def _items(fields: dict[str, list[str]], key: str) -> tuple[str, ...]:
    if not fields[key] or not all(line.startswith("- ") for line in fields[key]):
        raise ValueError(f"{key} must be lines that begin with a dash")
    return tuple(line[2:].strip() for line in fields[key])


def _sources(lines: list[str]) -> tuple[Source, ...]:
    if lines == [OURS]:
        return ()
    width = len(SOURCE_FIELDS)
    if not lines or len(lines) % width:
        raise ValueError(f"sources must be `{OURS}`, or a list of author, year and title each")
    return tuple(_source(lines[i : i + width]) for i in range(0, len(lines), width))


def _source(lines: list[str]) -> Source:
    values: list[str] = []
    for key, line in zip(SOURCE_FIELDS, lines, strict=True):
        beginning = f"- {key}: " if key == SOURCE_FIELDS[0] else f"{key}: "
        if not line.startswith(beginning):
            raise ValueError(f"{line!r} should begin with {beginning.strip()!r}")
        values.append(line.removeprefix(beginning).strip())
    author, year, title = values
    return Source(author=author, year=int(year), title=title)
