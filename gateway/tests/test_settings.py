"""The settings: their names, and what has to be there before serving."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import pytest
from parley_gateway import __main__, bootstrap
from parley_gateway.settings import Settings

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


@pytest.mark.parametrize(
    ("key", "pepper", "missing"),
    [
        ("", "", ["API_KEY", "KEY_PEPPER"]),
        ("k", "short", ["KEY_PEPPER"]),
        ("k", "a pepper for the tests", []),
    ],
)
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, key: str, pepper: str, missing: list[str]
) -> None:
    monkeypatch.setenv("API_KEY", key)
    monkeypatch.setenv("KEY_PEPPER", pepper)

    assert missing == [text.partition(":")[0] for text in Settings().missing]


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
