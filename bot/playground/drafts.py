"""What a message may contain: Discord's rules for the body of a create or an edit.

Only the rules; nothing is stored here. Source: https://docs.discord.com/developers/resources/message
and the component reference beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.playground.errors import DiscordError, Problem, invalid_form
from bot.playground.records import Json, MessageFlag

CONTENT_LENGTH = 2_000  # characters
EMBEDS = 10
EMBED_CHARACTERS = 6_000  # over all embeds of a message
ATTACHMENTS = 10
ROWS = 5
BUTTONS_IN_ROW = 5
OPTIONS_IN_SELECT = 25
COMPONENTS_V2 = 40  # nested ones included
TEXT_V2 = 4_000  # characters over all text displays

_EMBED_LENGTHS = {"title": 256, "description": 4096, "footer.text": 2048, "author.name": 256}
_FIELDS = 25
_FIELD_LENGTHS = {"name": 256, "value": 1024}
_BUTTON, _TEXT_DISPLAY = 2, 10
_SELECTS = frozenset({3, 5, 6, 7, 8})
_CHILDREN = ("components", "component", "accessory", "items")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a request, still in memory."""

    index: int  # n of `files[n]`
    filename: str
    data: bytes


def check_message(body: Mapping[str, Any], uploads: Sequence[Upload], *, flags: int) -> None:
    """Refuse what Discord refuses in a message's body; `flags` are those the message will have.

    Raises:
        DiscordError: 50035 with the path of the first wrong field.
    """
    _check_content(body.get("content"), "content")
    _check_embeds(body.get("embeds") or [])
    components = body.get("components") or []
    if flags & MessageFlag.COMPONENTS_V2:
        _check_v2(body, components)
    else:
        _check_rows(components)
    check_components(components)
    _check_attachments(body.get("attachments"), uploads)


def check_not_empty(body: Mapping[str, Any], uploads: Sequence[Upload]) -> None:
    """Refuse a new message with nothing in it.

    Raises:
        DiscordError: 50006.
    """
    kinds = ("embeds", "components", "sticker_ids", "poll", "attachments")
    if not (str(body.get("content") or "").strip() or uploads or any(body.get(kind) for kind in kinds)):
        raise DiscordError(Problem.EMPTY_MESSAGE)


def walk(components: Any) -> Iterator[Json]:
    """Every component, outermost first."""
    if isinstance(components, list):
        for component in components:
            yield from walk(component)
    elif isinstance(components, dict):
        yield components
        for name in _CHILDREN:
            yield from walk(components.get(name))


def check_components(components: Any) -> None:
    """Refuse repeated or missing ids and texts that are too long, in messages and modals alike.

    Raises:
        DiscordError: 50035.
    """
    seen: set[str] = set()
    for component in walk(components):
        custom_id = component.get("custom_id")
        if custom_id is not None:
            if not 1 <= len(custom_id) <= 100:
                raise invalid_form("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
            if custom_id in seen:
                raise invalid_form("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id duplicated")
            seen.add(custom_id)
        if component.get("type") == _BUTTON:
            _check_button(component)
        elif component.get("type") in _SELECTS:
            _check_select(component)


def _too_long(path: str, limit: int) -> DiscordError:
    return invalid_form(path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")


def _check_content(content: Any, path: str) -> None:
    if content is None:
        return
    if not isinstance(content, str):
        raise invalid_form(path, "STRING_TYPE_CONVERT", f'Could not interpret "{content}" as string.')
    if len(content) > CONTENT_LENGTH:
        raise _too_long(path, CONTENT_LENGTH)


def _check_embeds(embeds: Any) -> None:
    if len(embeds) > EMBEDS:
        raise _too_long("embeds", EMBEDS)
    total = 0
    for index, embed in enumerate(embeds):
        total += _check_embed(embed, f"embeds.{index}")
    if total > EMBED_CHARACTERS:
        raise invalid_form("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _check_embed(embed: Json, path: str) -> int:
    """The characters of one embed that count."""
    texts = {
        "title": embed.get("title"),
        "description": embed.get("description"),
        "footer.text": (embed.get("footer") or {}).get("text"),
        "author.name": (embed.get("author") or {}).get("name"),
    }
    total = 0
    for name, text in texts.items():
        if text and len(text) > _EMBED_LENGTHS[name]:
            raise _too_long(f"{path}.{name}", _EMBED_LENGTHS[name])
        total += len(text or "")
    fields = embed.get("fields") or []
    if len(fields) > _FIELDS:
        raise _too_long(f"{path}.fields", _FIELDS)
    for index, field in enumerate(fields):
        for name, limit in _FIELD_LENGTHS.items():
            text = field.get(name)
            if not text:
                raise invalid_form(f"{path}.fields.{index}.{name}", "BASE_TYPE_REQUIRED", "This field is required")
            if len(text) > limit:
                raise _too_long(f"{path}.fields.{index}.{name}", limit)
            total += len(text)
    return total


def _check_v2(body: Mapping[str, Any], components: Any) -> None:
    if body.get("content") or body.get("embeds"):
        raise invalid_form(
            "content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
            "The 'content' and 'embeds' fields cannot be used with MessageFlags.IS_COMPONENTS_V2",
        )  # fmt: skip
    every = list(walk(components))
    if len(every) > COMPONENTS_V2:
        raise _too_long("components", COMPONENTS_V2)
    if sum(len(component.get("content", "")) for component in every if component["type"] == _TEXT_DISPLAY) > TEXT_V2:
        raise invalid_form("components", "COMPONENT_MAX_TEXT_SIZE_EXCEEDED", f"Text exceeds {TEXT_V2} characters")


def _check_rows(components: Any) -> None:
    if len(components) > ROWS:
        raise _too_long("components", ROWS)
    for index, row in enumerate(components):
        if row.get("type") != 1:
            raise invalid_form(f"components.{index}", "UNION_TYPE_CHOICES", "Value of field 'type' must be 1.")
        if not 1 <= len(row.get("components") or []) <= BUTTONS_IN_ROW:
            raise invalid_form(
                f"components.{index}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length."
            )


def _check_button(button: Json) -> None:
    if len(button.get("label") or "") > 80:
        raise _too_long("components.label", 80)
    if not (button.get("label") or button.get("emoji") or button.get("sku_id")):
        raise invalid_form("components.label", "BUTTON_COMPONENT_INVALID", "A button needs a label or an emoji")
    if (button.get("style") == 5) != bool(button.get("url")):
        raise invalid_form("components.url", "BUTTON_COMPONENT_URL_REQUIRED", "Link buttons, and only they, have a url")


def _check_select(select: Json) -> None:
    options = select.get("options") or []
    if select["type"] == 3 and not 1 <= len(options) <= OPTIONS_IN_SELECT:
        raise invalid_form("components.options", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
    values = [option["value"] for option in options]
    if len(set(values)) != len(values):
        raise invalid_form("components.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "Value is duplicated")
    if any(len(option.get("label", "")) > 100 or len(str(option["value"])) > 100 for option in options):
        raise _too_long("components.options.label", 100)


def _check_attachments(listed: Any, uploads: Sequence[Upload]) -> None:
    if len(listed or uploads) > ATTACHMENTS:
        raise _too_long("attachments", ATTACHMENTS)
