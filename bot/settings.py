"""What can be set, read once at start from `DARKROOM_*` variables, `.env` and `darkroom.toml`.

In that order: a variable beats `.env`, which beats the file. `DISCORD_TOKEN` goes by its plain name.
A value that does not work becomes one sentence (`SettingsError`). Opens and creates nothing.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from bot.errors import SettingsError
from explainer.messages import Configure, VoiceSettings
from generation.few_steps import with_fitting_defaults
from generation.models import POCKET_NAME, ModelInfo, Models, pocket_model

MIN_PROGRESS_INTERVAL = 1.5  # seconds; Discord allows about five edits of a message in five seconds
DATABASE_NAME = "darkroom.sqlite3"
SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>B|kB|MB|GB|TB|)", re.IGNORECASE)
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}  # bytes
CONFIG_NAME = "darkroom.toml"  # in the working folder; DARKROOM_CONFIG names another file


def _models(value: object) -> tuple[ModelInfo, ...]:
    """Models as `darkroom.toml` or a JSON text lists them; the bare name "pocket" is the shipped model."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError("it must be a list in JSON") from error
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("give at least one model, as a list")
    models = tuple(_model(entry) for entry in value)
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two models are called “{name}”")
    return models


def _model(entry: object) -> ModelInfo:
    if isinstance(entry, ModelInfo):
        return entry
    if entry == POCKET_NAME:
        return pocket_model()
    try:
        info = msgspec.convert(entry, ModelInfo, strict=False)
        return with_fitting_defaults(info, frozenset(entry) if isinstance(entry, dict) else frozenset())
    except msgspec.ValidationError as error:
        raise ValueError(f"a model is described wrongly: {error}") from error


def _bytes(value: object) -> object:
    """`8GB`, `750 MB` or a bare number of bytes."""
    if isinstance(value, str) and (match := SIZE.fullmatch(value.strip())):
        return int(float(match["number"]) * UNITS[match["unit"].upper()])
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("it must be a size like 8GB or 750MB")


class Settings(BaseSettings):
    """Every setting with its final value. `load_settings` makes one; tests may name values directly."""

    model_config = SettingsConfigDict(env_prefix="DARKROOM_", env_file=".env", extra="ignore", frozen=True)

    discord_token: SecretStr | None = Field(default=None, validation_alias="DISCORD_TOKEN")
    data: Path = Field(default_factory=lambda: platformdirs.user_data_path("darkroom", appauthor=False))
    database: str | None = None  # an SQLAlchemy address; None: SQLite in the data folder
    nats: SecretStr | None = None  # address of a NATS server whose workers make the pictures; None: this machine does
    models: Annotated[tuple[ModelInfo, ...], NoDecode, BeforeValidator(_models)] = Field(
        default_factory=lambda: (pocket_model(),)
    )
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    memory: Annotated[int | None, BeforeValidator(_bytes)] = None  # for models, like 8GB; None: as measured at start
    playground_host: str = "127.0.0.1"
    playground_port: int = Field(default=8017, ge=0, le=65535)  # 0: any free port
    open_browser: bool = True
    progress_interval: float = Field(default=1.5, ge=MIN_PROGRESS_INTERVAL, le=60)  # seconds between edits
    message_content: bool | None = None  # the privileged intent, for whole threads; None: in the playground only
    home_server: int | None = None  # whose admins manage the whole installation; None: the only server there is
    waiting_limit: int = Field(default=20, ge=1, le=10_000)  # jobs that one person may have waiting
    keep_steps_days: float = Field(default=90.0, gt=0)  # after which a run's steps are deleted; its picture stays
    upscaler: Path | None = None  # a super-resolution model for final touches, as safetensors
    credentials_certificate: Path | None = None  # PEM chain that signs content credentials; None: there are none
    credentials_key: Path | None = None  # PEM key of that certificate
    credentials_timestamps: str | None = None  # address of an RFC 3161 server that vouches for the time
    voice: Literal["record", "transformers", "openai"] = "record"  # who puts answers into words
    voice_tone: Literal["plain", "wry"] = "plain"
    voice_model: str = ""  # transformers: a folder, a hub id or a .gguf file; openai: the server's name for it
    voice_url: str = ""  # openai: where the server is, like http://127.0.0.1:11434/v1
    voice_key: SecretStr | None = None  # openai: where the server wants one
    voice_timeout: float = Field(default=20.0, ge=1, le=300)  # seconds; then the record's own words stand
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("discord_token", mode="before")
    @classmethod
    def _no_blank_token(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("data", mode="before")
    @classmethod
    def _whole_path(cls, value: object) -> object:
        if not isinstance(value, (str, Path)) or not str(value).strip():
            raise ValueError("name a folder")
        return Path(value).expanduser().absolute()

    @field_validator("playground_host")
    @classmethod
    def _loopback_only(cls, value: str) -> str:
        if value not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError("the playground listens on this machine only: 127.0.0.1, ::1 or localhost")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def database_url(self) -> str:
        """The SQLAlchemy address of the database."""
        return self.database or f"sqlite+aiosqlite:///{self.data / DATABASE_NAME}"

    @property
    def hears_everything(self) -> bool:
        """Whether the bot asks for the message-content intent, which the developer portal has to grant."""
        return self.discord_token is None if self.message_content is None else self.message_content

    @property
    def known_models(self) -> Models:
        """The configured models; the first is the default."""
        return Models(all=self.models)

    @property
    def reader(self) -> Configure:
        """What the reader process is to load."""
        key = "" if self.voice_key is None else self.voice_key.get_secret_value()
        voice = VoiceSettings(
            name=self.voice,
            tone=self.voice_tone,
            model=self.voice_model,
            url=self.voice_url,
            key=key,
            timeout=self.voice_timeout,
        )
        return Configure(cache=str(self.data / "reader"), voice=voice)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """In falling order: arguments, variables, `.env`, `darkroom.toml`."""
        return init_settings, env_settings, dotenv_settings, _FileValues(settings_cls)


class _FileValues(PydanticBaseSettingsSource):
    """Values of `darkroom.toml`. A key that no setting has is a mistake worth a sentence."""

    def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False  # unused: __call__ gives all values at once

    def __call__(self) -> dict[str, Any]:
        path = Path(os.environ.get("DARKROOM_CONFIG") or CONFIG_NAME)
        if "DARKROOM_CONFIG" not in os.environ and not path.is_file():
            return {}
        values = read_config(path)
        known = set(self.settings_cls.model_fields) - {"discord_token"}
        for key in values:
            if key not in known:
                raise SettingsError(f"{path} sets “{key}”, which is no setting; there are: {', '.join(sorted(known))}.")
        return values


def read_config(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises:
        SettingsError: the file cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error


def load_settings(**values: object) -> Settings:
    """The settings of this process; `values` beat every other source.

    Raises:
        SettingsError: with one sentence that names the setting, its value and what is wrong with it.
    """
    try:
        return Settings(**values)  # type: ignore[arg-type]  # checked by pydantic, value by value
    except ValidationError as error:
        raise SettingsError(_sentence(error.errors()[0])) from error


def _sentence(problem: Mapping[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    variable = name if name.isupper() else f"DARKROOM_{name.upper()}"
    reason = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    given = "" if name == "models" or "TOKEN" in variable else f"“{str(problem['input'])[:60]}” "
    wanted = reason if problem["type"] == "value_error" else f"it must be {reason}"
    return f"The setting {variable} {given}does not work: {wanted}."
