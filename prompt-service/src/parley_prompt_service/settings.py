"""The settings of the prompt service, read from the environment."""

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
    # Connections that one process may hold.
    db_connections: int = Field(default=8, ge=1)

    # Where to listen.
    grpc_host: str = "127.0.0.1"
    prompt_port: int = 9102
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
