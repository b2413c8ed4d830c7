"""The settings: their names, and what has to be there before serving."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import pytest
from parley_gateway import __main__, bootstrap
from parley_gateway.settings import Settings
from pydantic import ValidationError

pytestmark = pytest.mark.unit

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)


def test_every_setting_stands_in_the_readme() -> None:
    table = README.partition("## Settings")[2].partition("## Alone")[0]
    written = set(re.findall(r"`([A-Z][A-Z_]+)`", table)) - {"DEBUG", "INFO", "WARNING", "ERROR"}

    assert {field.alias for field in Settings.model_fields.values()} == written


def test_the_parts_of_a_database_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "db", "NAME": "p", "USER": "u", "PASSWORD": "s p"}.items():
        monkeypatch.setenv(f"DB_{name}", value)

    assert "host=db port=5432 dbname=p user=u password='s p'" == " ".join(
        sorted(Settings().conninfo.split(" ", 4), key=lambda part: ORDER[part.split("=")[0]])
    )


ORDER = {"host": 0, "port": 1, "dbname": 2, "user": 3, "password": 4}


def test_one_url_stands_before_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_HOST", "db")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/p")

    assert "postgresql://elsewhere/p" == Settings().conninfo


def test_targets_are_on_this_machine_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_PORT", "1234")
    monkeypatch.setenv("PROMPT_TARGET", "dns:///prompt:9102")

    settings = Settings()

    assert ("127.0.0.1:1234", "dns:///prompt:9102", "127.0.0.1:9103") == (
        settings.chat_address,
        settings.prompt_address,
        settings.provider_address,
    )


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "KEY_PEPPER", "DB_PASSWORD"):
        monkeypatch.setenv(name, "a secret between us")

    assert "between" not in repr(Settings())


GOOD = "not to be guessed, 1"


@pytest.mark.parametrize(
    ("key", "pepper", "missing"),
    [
        ("", "", ["API_KEY", "KEY_PEPPER"]),
        ("secret", GOOD, ["API_KEY"]),
        ("letters", GOOD, ["API_KEY"]),
        ("Change-Me", GOOD, ["API_KEY"]),
        ("eight, or more", GOOD, []),
        ("your-secure-api-key-here", GOOD, ["API_KEY"]),
        ("Change-Me-Change-Me", GOOD, ["API_KEY"]),
        ("x" * 40, GOOD, ["API_KEY"]),
        ("abab" * 10, GOOD, ["API_KEY"]),
        (GOOD, "short", ["KEY_PEPPER"]),
        (GOOD, "0" * 64, ["KEY_PEPPER"]),
        (GOOD, GOOD, []),
        ("of any form: 'ü' ; -- ", GOOD, []),
    ],
)
def test_what_is_missing_or_weak_is_named(
    monkeypatch: pytest.MonkeyPatch, key: str, pepper: str, missing: list[str]
) -> None:
    monkeypatch.setenv("API_KEY", key)
    monkeypatch.setenv("KEY_PEPPER", pepper)

    told = Settings().missing

    assert missing == [text.partition(" ")[0] for text in told]
    for text in told:
        assert "openssl rand -hex 32" in text
        assert not key or key not in text


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("ALLOWED_HOSTS", "Parley.example.com, *.inner.example [::1]", "allowed_hosts"),
        ("CORS_ORIGINS", "https://a.example,http://localhost:3000", "cors_origins"),
        ("TRUSTED_PROXIES", "10.0.0.0/8 ::1", "trusted_proxies"),
    ],
)
def test_a_list_stands_with_commas(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, kept: str
) -> None:
    monkeypatch.setenv(name, value)

    assert {
        "allowed_hosts": "parley.example.com .inner.example [::1]",
        "cors_origins": "https://a.example http://localhost:3000",
        "trusted_proxies": "10.0.0.0/8 ::1/128",
    }[kept] == " ".join(map(str, getattr(Settings(), kept)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "https://a.example"),
        ("ALLOWED_HOSTS", "a.example:8000"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "a.example"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "https://*.example"),
        ("TRUSTED_PROXIES", "proxy"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("WRONG_KEYS", "0"),
        ("HSTS_SECONDS", "-1"),
    ],
)
def test_what_such_a_list_cannot_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name):
        Settings()


def test_without_its_secrets_it_does_not_serve(caplog: pytest.LogCaptureFixture) -> None:
    assert 1 == bootstrap.serve(Settings())
    assert "API_KEY" in caplog.records[-1].__dict__["fields"]["missing"][0]


def test_the_command_tells_that_it_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "argv", ["parley-gateway", "serve"])

    code = __main__.main()

    root.handlers[:] = handlers
    root.setLevel(level)
    assert 1 == code
    assert "KEY_PEPPER" in capsys.readouterr().out
