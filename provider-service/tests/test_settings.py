"""What the environment says."""

from __future__ import annotations

import pytest
from parley_provider_service.settings import Settings
from parley_provider_service.settings import environment as frozen_environment
from pydantic import ValidationError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_the_defaults_are_those_of_a_local_set_up() -> None:
    settings = Settings()

    assert ("127.0.0.1", 9103) == (settings.grpc_host, settings.provider_port)
    assert "host=127.0.0.1 port=5432 dbname=parley user=parley" == settings.conninfo


def test_a_url_comes_before_the_single_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DB_HOST", "elsewhere")
    environment.setenv("DATABASE_URL", "postgresql://ada@db/parley")

    assert "postgresql://ada@db/parley" == Settings().conninfo


def test_the_password_is_used_and_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DB_PASSWORD", "it's secret")

    settings = Settings()

    assert r"password='it\'s secret'" in settings.conninfo
    assert "secret'" not in repr(settings)


def test_nonsense_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PROVIDER_PORT", "many")

    with pytest.raises(ValidationError, match="provider_port"):
        Settings()


def test_the_environment_is_copied_once_and_cannot_be_changed(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("ACME_API_KEY", "key")

    copy = frozen_environment()
    environment.delenv("ACME_API_KEY")

    assert "key" == copy["ACME_API_KEY"]
    with pytest.raises(TypeError):
        copy["ACME_API_KEY"] = "other"  # type: ignore[index]
