"""Every exception becomes one sentence, in one place."""

import logging

import discord
import pytest
from discord import app_commands

from bot.errors import FAULT, MISTAKE, SettingsError, UserMistake, exit_status, explain
from generation.errors import ModelError, RequestError, UnknownModel, WorkerGone
from store.errors import DatabaseTooNew


class TooManyCooks(RequestError):
    """An error that the table does not name."""


@pytest.mark.parametrize("error", [RequestError("Do this."), UnknownModel("Do this."), TooManyCooks("Do this.")])
def test_a_known_error_and_its_descendants_speak_for_themselves(error: Exception) -> None:
    assert explain(error).sentence == "Do this." and explain(error).reference is None


def test_an_error_inside_a_command_is_unwrapped() -> None:
    @app_commands.command()
    async def anything(interaction: discord.Interaction) -> None:
        """Nothing."""

    wrapped = app_commands.CommandInvokeError(anything, RequestError("Do this."))
    assert explain(wrapped).sentence == "Do this."


def test_an_unknown_error_gets_a_reference_that_is_in_the_log_and_tells_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        explained = explain(ZeroDivisionError("secret detail"))
    assert explained.reference is not None and explained.reference in explained.sentence
    assert explained.reference in caplog.text and "ZeroDivisionError" in caplog.text
    assert "secret" not in explained.sentence


@pytest.mark.parametrize(
    "error, status",
    [
        (SettingsError("x"), MISTAKE),
        (UserMistake("x"), MISTAKE),
        (RequestError("x"), MISTAKE),
        (ModelError("x"), MISTAKE),
        (DatabaseTooNew("x"), MISTAKE),
        (WorkerGone("x"), FAULT),
        (ZeroDivisionError("x"), FAULT),
    ],
)
def test_the_exit_status_says_whose_fault_it_is(error: Exception, status: int) -> None:
    assert exit_status(error) == status
