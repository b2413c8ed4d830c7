"""The settings of the gateway, read from the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from psycopg.conninfo import make_conninfo
from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from parley_gateway.core.strength import SHORTEST_KEY, SHORTEST_PEPPER, weakness


def listed(text: object) -> object:
    """Take a list as the environment can hold it, with commas."""
    return [one for one in re.split(r"[\s,]+", text) if one] if isinstance(text, str) else text


# A name without a port; `.example.com` and `*.example.com` mean all names below it.
HostName = Annotated[
    str,
    BeforeValidator(lambda text: str(text).lower().removeprefix("*")),
    StringConstraints(pattern=r"^(\.?([a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])$"),
]
# Exactly as browsers write it: no path, no slash at the end, and no `*`.
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9._\[\]:-]+$")]
List = (NoDecode, BeforeValidator(listed))


class Settings(BaseSettings):
    """Everything that can be set; read once, in `__main__`."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    # PostgreSQL as one URL; the five below are read when it is not set.
    database_url: SecretStr | None = Field(default=None, alias="DATABASE_URL")
    db_host: str = Field(default="127.0.0.1", alias="DB_HOST")
    db_port: int = Field(default=5432, alias="DB_PORT")
    db_name: str = Field(default="parley", alias="DB_NAME")
    db_user: str = Field(default="parley", alias="DB_USER")
    db_password: SecretStr = Field(default=SecretStr(""), alias="DB_PASSWORD")
    # Connections that one process may hold; one more counts requests, two more are for what users
    # do with their own keys.
    db_connections: int = Field(default=8, alias="DB_CONNECTIONS", ge=1)

    # Where to listen.
    gateway_host: str = Field(default="127.0.0.1", alias="GATEWAY_HOST")
    gateway_port: int = Field(default=8000, alias="GATEWAY_PORT")

    # Where the services listen; a target that is not set is on this machine.
    chat_port: int = Field(default=9101, alias="CHAT_PORT")
    chat_target: str = Field(default="", alias="CHAT_TARGET")
    prompt_port: int = Field(default=9102, alias="PROMPT_PORT")
    prompt_target: str = Field(default="", alias="PROMPT_TARGET")
    provider_port: int = Field(default=9103, alias="PROVIDER_PORT")
    provider_target: str = Field(default="", alias="PROVIDER_TARGET")

    # The private key by which the services know the gateway, and the one that signs user contexts,
    # or the files that hold them. One of each two is needed to serve.
    service_key: SecretStr = Field(default=SecretStr(""), alias="SERVICE_KEY")
    service_key_file: Path | None = Field(default=None, alias="SERVICE_KEY_FILE")
    context_key: SecretStr = Field(default=SecretStr(""), alias="CONTEXT_KEY")
    context_key_file: Path | None = Field(default=None, alias="CONTEXT_KEY_FILE")
    # How long other services may begin something with a context that they were given, in seconds.
    context_fresh_seconds: float = Field(default=2.0, alias="CONTEXT_FRESH_SECONDS", gt=0)
    # Certificate, key and authorities of connections on which both sides show a certificate.
    # Without them connections are plain.
    grpc_tls_cert_file: Path | None = Field(default=None, alias="GRPC_TLS_CERT_FILE")
    grpc_tls_key_file: Path | None = Field(default=None, alias="GRPC_TLS_KEY_FILE")
    grpc_tls_ca_file: Path | None = Field(default=None, alias="GRPC_TLS_CA_FILE")

    # Names by which the gateway may be asked, with commas; `.example.com` means all below it. Any,
    # when it is not set.
    allowed_hosts: Annotated[tuple[HostName, ...], *List] = Field(default=(), alias="ALLOWED_HOSTS")
    # Origins whose pages may ask from a browser, with commas: `https://chat.example.com`.
    cors_origins: Annotated[tuple[Origin, ...], *List] = Field(default=(), alias="CORS_ORIGINS")
    # Proxies, as addresses or networks, that are believed when they name their client.
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], *List] = Field(
        default=(), alias="TRUSTED_PROXIES"
    )
    # Whether `/docs`, `/redoc` and `/openapi.json` are there.
    docs: bool = Field(default=True, alias="DOCS")
    # For how many seconds browsers shall come by TLS only; 0 says nothing of it.
    hsts_seconds: int = Field(default=0, alias="HSTS_SECONDS", ge=0)

    # The administrator's first key, of any form, at least 8 characters. Needed to serve.
    api_key: SecretStr = Field(default=SecretStr(""), alias="API_KEY")
    # What keys are hashed with: random, at least 16 characters, never changed. Needed to serve.
    key_pepper: SecretStr = Field(default=SecretStr(""), alias="KEY_PEPPER")
    # Different wrong keys that an address may show in five minutes before it is told to wait.
    wrong_keys: int = Field(default=100, alias="WRONG_KEYS", ge=1)
    # Requests of one user in an hour, over all routes and gateways together.
    rate_limit_per_hour: int = Field(
        default=1000, alias="RATE_LIMIT_PER_HOUR", ge=1, le=1_000_000_000
    )

    # The longest message, in characters.
    max_message_chars: int = Field(default=200_000, alias="MAX_MESSAGE_CHARS", ge=1)
    # Turns that one chat service runs at once; a gateway lets as many more wait for it.
    max_turns: int = Field(default=256, alias="MAX_TURNS", ge=1)
    # The longest that a turn may take, in seconds.
    turn_seconds: float = Field(default=600.0, alias="TURN_SECONDS", gt=0)
    # What running requests are given to end when the gateway stops, in seconds.
    grace_seconds: float = Field(default=7.0, alias="GRACE_SECONDS", ge=0)
    # How much is logged: DEBUG, INFO, WARNING or ERROR.
    log_level: str = Field(default="INFO", alias="LOG_LEVEL")

    @property
    def conninfo(self) -> str:
        """How to reach the database, in libpq's words."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return make_conninfo(
            host=self.db_host,
            port=self.db_port,
            dbname=self.db_name,
            user=self.db_user,
            password=self.db_password.get_secret_value() or None,
        )

    @property
    def chat_address(self) -> str:
        """Where the chat service listens."""
        return self.chat_target or f"127.0.0.1:{self.chat_port}"

    @property
    def prompt_address(self) -> str:
        """Where the prompt service listens."""
        return self.prompt_target or f"127.0.0.1:{self.prompt_port}"

    @property
    def provider_address(self) -> str:
        """Where the provider service listens."""
        return self.provider_target or f"127.0.0.1:{self.provider_port}"

    @property
    def missing(self) -> list[str]:
        """What has to be set, or set better, before the gateway may serve."""
        key, pepper = self.api_key.get_secret_value(), self.key_pepper.get_secret_value()
        found = {
            "API_KEY {}. It is the administrator's first key, of any form": (key, SHORTEST_KEY),
            "KEY_PEPPER {}. Keys are hashed with it; never change it": (pepper, SHORTEST_PEPPER),
        }
        return [
            f"{sentence.format(fault)}: at least {shortest} characters that nobody can guess. "
            "`openssl rand -hex 32` makes such; so do `make up` and the container when it is unset."
            for sentence, (secret, shortest) in found.items()
            if (fault := weakness(secret, shortest))
        ]
