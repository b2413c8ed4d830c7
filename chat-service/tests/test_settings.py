"""What the environment says."""

from __future__ import annotations

import pytest
from parley_chat_service.settings import Settings
from pydantic import ValidationError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_the_defaults_are_those_of_a_local_set_up() -> None:
    settings = Settings()

    assert ("127.0.0.1", 9101) == (settings.grpc_host, settings.chat_port)
    assert "host=127.0.0.1 port=5432 dbname=parley user=parley" == settings.conninfo
    assert ("127.0.0.1:9102", "127.0.0.1:9103") == (
        settings.prompt_address,
        settings.provider_address,
    )


def test_a_url_comes_before_the_single_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DB_HOST", "elsewhere")
    environment.setenv("DATABASE_URL", "postgresql://ada@db/parley")

    assert "postgresql://ada@db/parley" == Settings().conninfo


def test_an_empty_url_is_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "")
    environment.setenv("DB_HOST", "elsewhere")

    assert "host=elsewhere" in Settings().conninfo


def test_targets_may_be_elsewhere(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PROMPT_PORT", "9902")
    environment.setenv("PROVIDER_TARGET", "dns:///providers:9103")

    settings = Settings()

    assert ("127.0.0.1:9902", "dns:///providers:9103") == (
        settings.prompt_address,
        settings.provider_address,
    )


def test_the_password_is_used_and_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DB_PASSWORD", "it's secret")

    settings = Settings()

    assert r"password='it\'s secret'" in settings.conninfo
    assert "secret'" not in repr(settings)


def test_limits_are_sane(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MAX_TURNS", "0")

    with pytest.raises(ValidationError):
        Settings()
