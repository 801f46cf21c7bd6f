"""A conversation as one self-contained page (or as Markdown): prompts in boxes, answers and figures in place.

Reads nothing and sends nothing: it is handed what whoever asked may see. The page needs no network, and prints.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.changes import Mark, marked, method_words
from bot.memory import Entry
from generation.request import GenerationRequest, RunFacts
from generation.studio import Picture

BOLD, ITALIC = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")
WORD_MAP = "Where the words of picture {} were attended to"
STYLE = """
:root { --ink: #2b2523; --quiet: #75695f; --paper: #fbf8f4; --box: #fff; --line: #e4dbd0; --lamp: #b4472a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece5e2; --quiet: #a89d99; --paper: #1a1718; --box: #221e1f; --line: #3a3233; --lamp: #ff8a66; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 Georgia, "Iowan Old Style", "Times New Roman", serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.2rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
.when, .who, figcaption, footer, summary, .sources { color: var(--quiet); font: .82rem/1.5 system-ui, sans-serif; }
article { margin: 2rem 0; }
.who { margin: 0 0 .25rem; } .who b { color: var(--ink); }
.prompt { margin: 0; padding: .9rem 1.1rem; background: var(--box); border: 1px solid var(--line);
  border-left: 4px solid var(--lamp); border-radius: 8px; font: 1rem/1.5 ui-monospace, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.change { margin: 0 0 .6rem; font: 1rem/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
del { color: var(--quiet); } ins { color: var(--lamp); font-weight: 600; text-decoration: none; }
a { color: inherit; }
.said { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.answer { padding-left: 1.1rem; border-left: 2px solid var(--line); }
.sources { margin: .4rem 0 0; }
figure { margin: 1rem 0; } img { display: block; max-width: 100%; height: auto; border-radius: 8px; }
img.picture { width: min(100%, 30rem); }
figcaption { margin-top: .4rem; }
details { margin-top: .3rem; } table { border-collapse: collapse; font: .85rem/1.5 system-ui, sans-serif; }
th { text-align: left; font-weight: 500; color: var(--quiet); padding: .1rem 1.2rem .1rem 0; vertical-align: top; }
td { overflow-wrap: anywhere; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
@media print {
  :root { --ink: #000; --quiet: #444; --paper: #fff; --box: #fff; --line: #bbb; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; }
  article, figure { break-inside: avoid; } ins { text-decoration: underline; }
  details > * { display: block; } summary { display: none; }
}
"""


@dataclass(frozen=True, kw_only=True)
class WordMap:
    """Where the words of a picture (by its number) went, as PNG."""

    picture: int
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One turn with its figures as PNG."""

    entry: Entry
    picture: bytes | None = None
    strip: bytes | None = None
    before: GenerationRequest | None = None  # of the picture that this one is a change to
    word_maps: tuple[WordMap, ...] = ()  # made after this turn and before the next


def as_page(title: str, pieces: Sequence[Piece]) -> bytes:
    """The conversation as one HTML file, UTF-8."""
    body = "\n".join(_article(piece) for piece in pieces) or "<p>Nothing has been said here yet.</p>"
    safe = html.escape(title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{safe}</title><style>{STYLE}</style></head>
<body><main><h1>{safe}</h1><p class="when">{_period(pieces)}</p>
{body}
<footer>{html.escape(_credits(pieces))}</footer></main></body></html>
""".encode()


def as_markdown(title: str, pieces: Sequence[Piece]) -> bytes:
    """The conversation as Markdown, with its pictures inside as data addresses."""
    parts = [f"# {_plain(title)}", _period(pieces)]
    for piece in pieces:
        parts += _markdown_piece(piece)
    return ("\n\n".join([*parts, "---", _credits(pieces)]) + "\n").encode()


def _article(piece: Piece) -> str:
    turn = piece.entry.turn
    name = html.escape(turn.name or "Darkroom")
    when = f'<time datetime="{_moment(turn.created_at).isoformat()}">{_moment(turn.created_at):%d %B %Y, %H:%M}</time>'
    edited = " · edited" if turn.edited_at else ""
    words = _emphasised(turn.said) if turn.person_id is None else html.escape(turn.said)
    kind = "said answer" if turn.person_id is None else "prompt" if turn.intent in ("create", "revise") else "said"
    figures = _figures(piece) + "".join(_word_map(each) for each in piece.word_maps)
    sources = _sources(piece.entry)
    below = f'<p class="sources">{html.escape(sources)}</p>' if sources else ""
    return (
        f'<article><p class="who"><b>{name}</b> · {when}{edited}</p>'
        f'<p class="{kind}">{words}</p>{below}{figures}</article>'
    )


def _figures(piece: Piece) -> str:
    picture = piece.entry.picture
    if picture is None or piece.picture is None:
        return ""
    alt = html.escape(picture.run.request.prompt, quote=True)
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in _settings(picture.run)
    )
    strip = "" if piece.strip is None else f'<img src="{_data(piece.strip)}" alt="The steps to it, from noise">'
    return (
        f'<figure id="picture-{picture.id}">{_change(piece)}'
        f'<img class="picture" src="{_data(piece.picture)}" alt="{alt}">'
        f"<figcaption>Picture {picture.id}{_from(picture, _linked)}</figcaption>{strip}"
        f"<details><summary>How it was made</summary><table>{rows}</table></details></figure>"
    )


def _change(piece: Piece) -> str:
    """The words of a changed picture with the change marked, as the reply marked it."""
    lines = _marked_lines(
        piece,
        lambda gone: f"<del>{gone}</del>",
        lambda new: f"<ins>{new}</ins>",
        html.escape,
    )
    return "".join(f'<p class="change">{line}</p>' for line in lines)


def _word_map(each: WordMap) -> str:
    told = WORD_MAP.format(each.picture)
    return f'<figure><img src="{_data(each.content)}" alt="{told}"><figcaption>{told}</figcaption></figure>'


def _marked_lines(piece: Piece, gone: Mark, new: Mark, kept: Mark) -> list[str]:
    """Prompt and negative prompt of a changed picture, as far as they changed, with what went and what came marked."""
    picture, before = piece.entry.picture, piece.before
    if picture is None or before is None:
        return []
    after = picture.run.request
    lines = [marked(before.prompt, after.prompt, gone, new, kept)] if before.prompt != after.prompt else []
    if before.negative_prompt != after.negative_prompt:
        lines.append(f"Without: {marked(before.negative_prompt, after.negative_prompt, gone, new, kept)}")
    return lines


def _markdown_piece(piece: Piece) -> list[str]:
    turn, picture = piece.entry.turn, piece.entry.picture
    boxed = turn.person_id is not None and turn.intent in ("create", "revise")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", turn.said)), default=0))
    words = f"{fence}\n{turn.said}\n{fence}" if boxed else "\n".join(f"> {line}" for line in turn.said.splitlines())
    parts = [f"**{_plain(turn.name or 'Darkroom')}**, {_moment(turn.created_at):%d %B %Y, %H:%M}", words]
    if sources := _sources(piece.entry):
        parts.append(f"*{_plain(sources)}*")
    if picture is not None and piece.picture is not None:
        parts += _marked_lines(piece, lambda gone: f"~~{gone}~~", lambda new: f"**{new}**", _plain)
        parts.append(f"![Picture {picture.id}]({_data(piece.picture)})")
        parts.append(f"Picture {picture.id}{_from(picture, str)}")
        if piece.strip is not None:
            parts.append(f"![The steps to it, from noise]({_data(piece.strip)})")
        parts.append("\n".join(f"- {name}: {_plain(value)}" for name, value in _settings(picture.run)))
    parts += [f"![{WORD_MAP.format(each.picture)}]({_data(each.content)})" for each in piece.word_maps]
    return parts


def _settings(run: RunFacts) -> list[tuple[str, str]]:
    request = run.request
    rows = [
        ("Prompt", request.prompt),
        ("Without", request.negative_prompt),
        ("Model", run.model),
        ("Seed", str(request.seed)),
        ("Steps", f"{request.steps} ({run.scheduler})"),
        ("Guidance", f"{request.guidance_scale:g}"),
        ("Size", f"{run.width} x {run.height} pixels"),
        ("Began with", f"another picture, of which {request.strength:.0%} was redone" if request.init_image else ""),
        ("Afterwards", ", ".join(map(str, run.final_touches))),
        ("Time", f"{run.seconds:.1f} seconds"),
        ("Weights", run.weights_sha256[:16]),
    ]
    return [(name, value) for name, value in rows if value]


def _sources(entry: Entry) -> str:
    """What an answer stands on, in few words."""
    refs = dict.fromkeys(row.ref for row in entry.evidence if row.kind not in ("about", "offer") and row.ref)
    return f"From: {'; '.join(list(refs)[:6])}" if refs else ""


def _from(picture: Picture, named: Mark) -> str:
    """Which picture it goes on from, and how."""
    if picture.parent is None:
        return ""
    how = method_words(picture.method or "", picture.run.request)
    return f", from {named(f'picture {picture.parent}')}: {how}"


def _linked(picture: str) -> str:
    """A picture's name with the way to it on the page."""
    return f'<a href="#{picture.replace(" ", "-")}">{picture}</a>'


def _emphasised(text: str) -> str:
    """Text of ours with its emphasis as HTML."""
    return ITALIC.sub(r"<em>\1</em>", BOLD.sub(r"<strong>\1</strong>", html.escape(text)))


def _plain(text: str) -> str:
    """Text that stands in Markdown as it is."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(text.split()))


def _period(pieces: Sequence[Piece]) -> str:
    ends = [*pieces[:1], *pieces[-1:]]
    days = [f"{_moment(end.entry.turn.created_at):%d %B %Y}" for end in ends]
    return " to ".join(dict.fromkeys(days))


def _credits(pieces: Sequence[Piece]) -> str:
    models = sorted({piece.entry.picture.run.model for piece in pieces if piece.entry.picture is not None})
    painted = f" Pictures painted by {', '.join(models)}." if models else ""
    people = sorted({piece.entry.turn.name for piece in pieces if piece.entry.turn.name})
    said = f" In conversation: {', '.join(people)}." if people else ""
    return f"A conversation with Darkroom.{said}{painted} Times are UTC."


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _data(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg" if picture.startswith(b"\xff\xd8") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
