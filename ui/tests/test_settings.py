"""What the environment says."""

from pathlib import Path

import pytest
from parley_ui.settings import Settings

pytestmark = pytest.mark.unit


def test_the_defaults_are_a_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UI_HOST", "UI_PORT", "API_URL", "API_KEY", "PARLEY_HOME", "UI_SIGN_IN"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8501)
    key_file = str(Path.cwd() / ".parley" / "admin.key")
    assert settings.for_the_page() == {
        "api_url": "http://127.0.0.1:8000",
        "api_key": "",
        "key_file": key_file,
        "sign_in": False,
    }


def test_the_environment_counts_and_the_key_stays_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"UI_PORT": "1234", "API_KEY": "hidden", "API_URL": ""}.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.port, settings.api_url) == (1234, "http://127.0.0.1:8000")
    assert settings.for_the_page()["api_key"] == "hidden"
    assert "hidden" not in repr(settings)


def test_a_page_where_everybody_signs_in_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"UI_SIGN_IN": "true", "API_KEY": "hidden"}.items():
        monkeypatch.setenv(name, value)
    known = Settings().for_the_page()
    assert (known["sign_in"], known["api_key"], known["key_file"]) == (True, "", "")
