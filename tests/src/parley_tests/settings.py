"""What the tests read from the environment."""

import os
import re
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class TestSettings(BaseSettings):
    """A server for the tests to use, instead of one that they start."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)
    __test__ = False

    # A PostgreSQL whose owner may make databases and roles.
    database_url: SecretStr | None = Field(default=None, alias="PARLEY_TEST_DATABASE_URL")


def ports() -> range:
    """The ports that this worker of a run alone gives out, below the ephemeral ones."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")  # noqa: TID251  (settings.py)
    workers = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")  # noqa: TID251  (settings.py)
    return range(10_000 + int(worker.removeprefix("gw")), 32_000, int(workers))


def inherited_environment() -> dict[str, str]:
    """What a started service needs of this process's environment, and none of our settings.

    Compiled files may be written: without them every start would compile everything anew.
    """
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}  # noqa: TID251  (settings.py)


def whole_environment() -> dict[str, str]:
    """What `make` needs to install from a network: everything but our own settings."""
    example = Path(__file__).parents[3] / "deploy" / ".env.example"
    ours = {
        "VIRTUAL_ENV",
        *re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", example.read_text(), re.MULTILINE),
    }
    return {name: value for name, value in os.environ.items() if name not in ours}  # noqa: TID251  (settings.py)


def docker_environment() -> dict[str, str]:
    """What a Docker client needs of this process's environment, to find the same engine."""
    docker = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}  # noqa: TID251  (settings.py)
    return inherited_environment() | docker
