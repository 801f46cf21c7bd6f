"""Text that people typed has no power over the message that shows it."""

import re

import discord
import pytest

from bot import cards, wording
from generation.models import pocket_model
from generation.request import MAX_PROMPT, GenerationRequest, make_request


@pytest.mark.parametrize("typed", ["@everyone look", "@here", "<@123456789>", "<@&123456789>", "a@b <@!42>"])
def test_a_mention_is_shown_but_is_none(typed: str) -> None:
    shown = wording.shown(typed)
    assert "@everyone" not in shown and "@here" not in shown
    assert not re.search(r"<@[!&]?\d", shown)
    assert discord.utils.escape_mentions(shown) == shown, "discord.py would still find a mention"


@pytest.mark.parametrize(
    "typed, shown",
    [
        ("*bold* and __under__", r"\*bold\* and \_\_under\_\_"),
        ("`code` ||secret||", r"\`code\` \|\|secret\|\|"),
        ("[text](target)", r"\[text\](target)"),
        ("# heading", r"\# heading"),
        ("-# small", r"\-# small"),
        ("1. first", r"\1. first"),
        ("> quote", r"\> quote"),
        ("back\\slash", r"back\\slash"),
        ("<t:0:R>", r"\<t:0:R\>"),
    ],
)
def test_markdown_is_shown_as_it_was_typed(typed: str, shown: str) -> None:
    assert wording.escaped(typed) == shown


def test_an_address_is_no_link() -> None:
    assert "https://" not in wording.escaped("see https://example.org")


def test_right_to_left_text_and_direction_marks_stay_inside_their_own_place() -> None:
    shown = wording.shown("שלום \u202eevil\u202c")
    assert shown.startswith("\u2068") and shown.endswith("\u2069")
    assert "\u202e" not in shown and "שלום" in shown


def test_emoji_sequences_are_left_whole() -> None:
    family = "👩‍👩‍👧🏽"
    assert family in wording.shown(family)


def test_what_is_longer_than_the_limit_ends_in_an_ellipsis() -> None:
    assert wording.shortened("abcdef", 4) == "abc…"
    assert wording.shortened("abcd", 4) == "abcd"


@pytest.mark.parametrize(
    "seconds, words", [(0, "1 s"), (5.4, "5 s"), (89, "89 s"), (120, "2 min"), (5_000, "83 min"), (7_200, "2 h")]
)
def test_a_wait_is_said_in_words(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_the_bar_is_full_only_when_all_is_done() -> None:
    bars = [wording.bar(step, 20) for step in range(21)]
    assert [bar.count("▱") == 0 for bar in bars] == [False] * 20 + [True]
    assert {len(bar) for bar in bars} == {wording.BAR_CELLS}


def longest_request() -> GenerationRequest:
    return make_request(pocket_model(), prompt="*" * (MAX_PROMPT - 1) + "a", negative_prompt="_" * MAX_PROMPT)


def test_every_card_of_the_longest_request_fits_discords_limits() -> None:
    request = longest_request()
    all_cards = [
        cards.asked(request),
        cards.waiting(request, 1_000, 86_400, "loading pocket"),
        cards.preparing(request),
        cards.developing(request, step=1, steps=20, seconds_left=5, preview="step-1.webp"),
        cards.failed(request, "*" * 5_000, "abc123"),
        cards.ended(request, "Cancelled."),
    ]
    for card in all_cards:
        assert card.description is not None and len(card.description) <= 4_096
        assert len(card) <= 6_000


def test_the_waiting_card_says_how_many_go_first_and_when_it_will_be_ready() -> None:
    request = make_request(pocket_model(), prompt="a fox")
    assert "2 pictures first · ready <t:40:R>" in str(cards.waiting(request, 2, 40).description)
    assert "1 picture first" in str(cards.waiting(request, 1, None).description)
    assert "next in line" in str(cards.waiting(request, 0, 5).description)
