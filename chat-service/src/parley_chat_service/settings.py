"""The settings of the chat service, read from the environment."""

from __future__ import annotations

from pathlib import Path

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
    # Connections that one process may hold, besides two for running turns and two for
    # whatever else spans users.
    db_connections: int = Field(default=8, ge=1)

    # Where to listen.
    grpc_host: str = "127.0.0.1"
    chat_port: int = 9101
    # Whether the server describes itself to tools such as grpcurl.
    grpc_reflection: bool = False

    # The public keys of services and of the gateway that are believed: a JWKS, or the file that
    # holds it and is read again when it changes. One of the two is needed to serve.
    trusted_keys: str = ""
    trusted_keys_file: Path | None = None
    # How far apart the clocks of two machines may be, in seconds.
    clock_leeway_seconds: float = Field(default=30.0, ge=0)
    # The private key by which other services know this one, or the file that holds it. One of
    # the two is needed to serve.
    service_key: SecretStr = SecretStr("")
    service_key_file: Path | None = None
    # Certificate, key and authorities of connections on which both sides show a certificate.
    # Without them connections are plain.
    grpc_tls_cert_file: Path | None = None
    grpc_tls_key_file: Path | None = None
    grpc_tls_ca_file: Path | None = None

    # Where the other services listen; a target that is not set is on this machine.
    prompt_port: int = 9102
    prompt_target: str = ""
    provider_port: int = 9103
    provider_target: str = ""

    # The longest message, in characters.
    max_message_chars: int = Field(default=200_000, ge=1)
    # Turns that one process runs at once; more wait up to a second, where that is likely to help.
    max_turns: int = Field(default=256, ge=1)
    # Of these, with one provider.
    max_replies_per_provider: int = Field(default=128, ge=1)
    # The longest that a turn may take, in seconds.
    turn_seconds: float = Field(default=600.0, gt=0)
    # How long a turn that has begun waits for a provider service that is away, in seconds.
    patience_seconds: float = Field(default=7.0, ge=0)
    # A reply that nobody has read for so many seconds is stopped; 0 lets it go on.
    unwatched_seconds: float = Field(default=0.0, ge=0)
    # What running turns are given to end when the service stops, in seconds.
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

    @property
    def prompt_address(self) -> str:
        """Where the prompt service listens."""
        return self.prompt_target or f"127.0.0.1:{self.prompt_port}"

    @property
    def provider_address(self) -> str:
        """Where the provider service listens."""
        return self.provider_target or f"127.0.0.1:{self.provider_port}"
