"""The settings of the provider service, read from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from psycopg.conninfo import make_conninfo
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set, by the field's name in capitals; read once, in `__main__`."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    # PostgreSQL as one URL; the five below are read when it is not set.
    database_url: SecretStr | None = None
    db_host: str = "127.0.0.1"
    db_port: int = 5432
    db_name: str = "parley"
    db_user: str = "parley"
    db_password: SecretStr = SecretStr("")
    # Connections that one process may hold, besides two for what users ask about their own usage.
    db_connections: int = Field(default=8, ge=1)

    # Where to listen.
    grpc_host: str = "127.0.0.1"
    provider_port: int = 9103
    # Whether the server describes itself to tools such as grpcurl.
    grpc_reflection: bool = False

    # The public keys of services and of the gateway that are believed: a JWKS, or the file that
    # holds it and is read again when it changes. One of the two is needed to serve.
    trusted_keys: str = ""
    trusted_keys_file: Path | None = None
    # How far apart the clocks of two machines may be, in seconds.
    clock_leeway_seconds: float = Field(default=30.0, ge=0)
    # Certificate, key and authorities of connections on which both sides show a certificate.
    # Without them connections are plain.
    grpc_tls_cert_file: Path | None = None
    grpc_tls_key_file: Path | None = None
    grpc_tls_ca_file: Path | None = None

    # Who answers when nobody is named; when empty, the first that is configured.
    default_provider: str = ""
    # Replies of one provider that one process makes at once; more wait up to a second.
    max_replies_per_provider: int = Field(default=128, ge=1)
    # Keys that encrypt what is secret in the database, newest first: urlsafe base64 of 32 bytes
    # each, separated by commas. Or a file that holds them, a line each, read again on every use.
    master_key: SecretStr = SecretStr("")
    master_key_file: Path | None = None
    # Whether administrators may point providers to this machine and to private networks.
    private_addresses: bool = True
    # What becomes of a parameter that a model does not take: `drop` leaves it out where that is
    # harmless, `refuse` refuses the request.
    unsupported_parameters: Literal["drop", "refuse"] = "drop"
    # What becomes of a model whose price is unknown, for a caller who has a budget: `allow` lets it
    # answer and counts its tokens, `refuse` refuses it.
    unknown_prices: Literal["allow", "refuse"] = "allow"
    # For callers with a budget or a limit of tokens: the most tokens of a reply for which they ask
    # for no length. So much is held for it, and it is kept to that.
    limited_output_tokens: int = Field(default=8_192, ge=256)
    # How long a provider may take to begin a reply, and be silent in it, in seconds.
    first_token_seconds: float = Field(default=60.0, gt=0)
    idle_seconds: float = Field(default=30.0, gt=0)

    # What running calls are given to end when the service stops, in seconds.
    grace_seconds: float = Field(default=7.0, ge=0)
    # How much is logged: DEBUG, INFO, WARNING or ERROR.
    log_level: str = "INFO"

    @property
    def conninfo(self) -> str:
        """How to reach the database, in libpq's words."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return make_conninfo(
            host=self.db_host,
            port=self.db_port,
            dbname=self.db_name,
            user=self.db_user,
            password=self.db_password.get_secret_value() or None,
        )


def environment() -> Mapping[str, str]:
    """Return a frozen copy of the environment, in which plugins' settings are looked up."""
    return MappingProxyType(dict(os.environ))  # noqa: TID251  (this is the settings module)
