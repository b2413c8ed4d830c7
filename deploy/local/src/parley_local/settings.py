"""What `parley` itself reads of the settings; the services read theirs from what it passes on."""

import os
from pathlib import Path

from dotenv import dotenv_values
from psycopg.conninfo import make_conninfo
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_FILE = ".env"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses to translate, none to bind


class Settings(BaseSettings):
    """Read from the environment, else from `.env` in the current folder."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    # The data of the embedded set-up: database, key, logs.
    home: Path = Field(default=Path(".parley"), alias="PARLEY_HOME")
    # The administrator's first key; made and kept in the home when it is not set.
    api_key: SecretStr | None = Field(default=None, alias="API_KEY")
    # What the gateway mixes into the hashes of keys; made and kept likewise.
    key_pepper: SecretStr | None = Field(default=None, alias="KEY_PEPPER")
    # What the provider service encrypts vendors' keys with, or the file that holds it; a file of
    # the home is made when neither is set.
    master_key: SecretStr | None = Field(default=None, alias="MASTER_KEY")
    master_key_file: Path | None = Field(default=None, alias="MASTER_KEY_FILE")
    # An outside PostgreSQL, as one URL …
    database_url: SecretStr | None = Field(default=None, alias="DATABASE_URL")
    # … or in parts.
    db_host: str | None = Field(default=None, alias="DB_HOST")
    db_port: int = Field(default=5432, alias="DB_PORT")
    db_name: str = Field(default="parley", alias="DB_NAME")
    db_user: str = Field(default="parley", alias="DB_USER")
    db_password: SecretStr = Field(default=SecretStr(""), alias="DB_PASSWORD")
    # Where the gateway listens, and where others find it.
    gateway_host: str = Field(default="127.0.0.1", alias="GATEWAY_HOST")
    gateway_port: int = Field(default=8000, alias="GATEWAY_PORT")
    api_url: str | None = Field(default=None, alias="API_URL")
    # Where the page listens.
    ui_host: str = Field(default="127.0.0.1", alias="UI_HOST")
    ui_port: int = Field(default=8501, alias="UI_PORT")
    # Where the services listen for each other and for the gateway.
    grpc_host: str = Field(default="127.0.0.1", alias="GRPC_HOST")
    chat_port: int = Field(default=9101, alias="CHAT_PORT")
    prompt_port: int = Field(default=9102, alias="PROMPT_PORT")
    provider_port: int = Field(default=9103, alias="PROVIDER_PORT")

    @property
    def gateway_url(self) -> str:
        """Where the gateway is found."""
        return self.api_url or self.local_gateway_url

    @property
    def local_gateway_url(self) -> str:
        """Where the gateway that `parley up` starts is found."""
        return f"http://{reachable(self.gateway_host)}:{self.gateway_port}"

    @property
    def ui_url(self) -> str:
        """Where the page is found."""
        return f"http://{reachable(self.ui_host)}:{self.ui_port}"

    @property
    def has_master_key(self) -> bool:
        """Whether somebody else takes care of the master keys."""
        return self.master_key is not None or self.master_key_file is not None

    @property
    def outside_database(self) -> str | None:
        """The configured PostgreSQL, in libpq's words; None when the embedded one is to be used."""
        if self.database_url:
            return self.database_url.get_secret_value()
        if self.db_host is None:
            return None
        return make_conninfo(
            host=self.db_host,
            port=self.db_port,
            dbname=self.db_name,
            user=self.db_user,
            password=self.db_password.get_secret_value() or None,
        )


def reachable(host: str) -> str:
    """Where a listener on `host` is found from this machine."""
    return EVERYWHERE.get(host, host)


def environment_variable(name: str) -> str | None:
    """What an environment variable holds that a person has named, for a secret of theirs."""
    return os.environ.get(name)  # noqa: TID251 - this is settings.py


def read_environment() -> dict[str, str]:
    """What the services are started with: the environment, and `.env` where that is silent.

    Compiled files may be written: without them every start would compile everything anew.
    """
    file = {name: value for name, value in dotenv_values(ENV_FILE).items() if value}
    environment = file | {name: value for name, value in os.environ.items() if value}  # noqa: TID251 - this is settings.py
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
