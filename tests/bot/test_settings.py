"""Settings come from variables, `.env` and `darkroom.toml`; a bad one is one clear sentence."""

from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in tuple(os.environ):
        if name.startswith(("DARKROOM_", "DISCORD_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_with_nothing_set_the_pocket_model_and_a_database_in_the_data_folder_are_used() -> None:
    settings = load_settings()
    assert settings.known_models.names == ("pocket",)
    assert settings.database_url.startswith("sqlite+aiosqlite:///") and str(settings.data) in settings.database_url
    assert settings.discord_token is None


def test_a_variable_beats_dot_env_which_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("darkroom.toml").write_text("playground_port = 1111\nwaiting_limit = 5\nlog_level = 'debug'\n")
    Path(".env").write_text("DARKROOM_PLAYGROUND_PORT=2222\nDARKROOM_WAITING_LIMIT=6\nDISCORD_TOKEN=from-file\n")
    monkeypatch.setenv("DARKROOM_PLAYGROUND_PORT", "3333")
    settings = load_settings()
    assert (settings.playground_port, settings.waiting_limit, settings.log_level) == (3333, 6, "DEBUG")
    assert settings.discord_token is not None and settings.discord_token.get_secret_value() == "from-file"


def test_the_token_does_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    assert "very-secret" not in repr(load_settings())


def test_a_blank_token_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", " ")
    assert load_settings().discord_token is None


def test_models_are_listed_in_the_file_and_pocket_needs_only_its_name() -> None:
    Path("darkroom.toml").write_text(
        'models = ["pocket", {name = "big", source = "/models/big", width = 1024, height = 1024, steps = 30}]\n'
    )
    models = load_settings().known_models
    assert models.names == ("pocket", "big")
    assert (models.get("big").width, models.get("big").steps) == (1024, 30)


@pytest.mark.parametrize(
    "name, value, tells",
    [
        ("DARKROOM_PLAYGROUND_PORT", "abc", "“abc” does not work: it must be a valid integer"),
        ("DARKROOM_PLAYGROUND_PORT", "70000", "less than or equal to 65535"),
        ("DARKROOM_PLAYGROUND_HOST", "0.0.0.0", "this machine only"),
        ("DARKROOM_PROGRESS_INTERVAL", "0.2", "greater than or equal to 1.5"),
        ("DARKROOM_WAITING_LIMIT", "0", "greater than or equal to 1"),
        ("DARKROOM_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("DARKROOM_DATA", " ", "name a folder"),
        ("DARKROOM_MODELS", "pocket", "a list in JSON"),
        ("DARKROOM_MODELS", "[]", "at least one model"),
        ("DARKROOM_MODELS", '["pocket", "pocket"]', "two models are called “pocket”"),
        ("DARKROOM_MODELS", '[{"name": "x"}]', "missing required field `source`"),
        ("DARKROOM_MODELS", '[{"name": "x", "source": "y", "stpes": 3}]', "`stpes`"),
        ("DARKROOM_CONFIG", "nowhere.toml", "nowhere.toml cannot be read: No such file"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, tells: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    sentence = str(caught.value)
    assert tells in sentence and "\n" not in sentence
    assert name in sentence or name == "DARKROOM_CONFIG"


@pytest.mark.parametrize("text, tells", [("port = ", "not valid TOML"), ("prot = 1\n", "“prot”, which is no setting")])
def test_a_bad_file_is_one_sentence_that_names_it(text: str, tells: str) -> None:
    Path("darkroom.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"darkroom\.toml") as caught:
        load_settings()
    assert tells in str(caught.value)
