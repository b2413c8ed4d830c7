"""`parley users`, `keys` and `audit`, as a person and as a program run them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from parley_local.__main__ import app
from parley_tests.fake_gateway import FakeGateway, fake_gateway
from typer.testing import CliRunner, Result

pytestmark = pytest.mark.unit

Run = Callable[..., Result]


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gateway: FakeGateway) -> Run:
    """Runs the command in a folder of its own, against the fake gateway."""
    monkeypatch.delenv("PARLEY_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    settings = {"API_URL": gateway.url, "API_KEY": gateway.key, "COLUMNS": "200"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def as_json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_users_are_added_listed_and_shown(run: Run) -> None:
    said = run("users", "add", "ada")
    assert (said.exit_code, said.stdout.split(".")[0]) == (0, "ada is there, as user")
    bob = as_json(run("users", "add", "bob", "--role", "admin", "--output", "json"))

    header, *rows = run("users", "list").stdout.splitlines()
    assert header.split() == ["name", "role", "limits", "remark", "id"]
    assert [row.split()[:2] for row in rows] == [["ada", "user"], ["bob", "admin"]]
    assert len(as_json(run("users", "list", "--output", "json"))["users"]) == 2
    assert bob == as_json(run("users", "show", bob["user_id"], "--output", "json"))
    shown = run("users", "show", "bob").stdout
    assert "the platform's" in shown
    assert bob["user_id"] in shown


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["disable", "ada"], {"disabled": True}),
        (["enable", "ada"], {"disabled": False}),
        (["set", "ada", "--name", "eve"], {"name": "eve"}),
        (["set", "ada", "--role", "admin"], {"role": "admin"}),
        (
            ["set", "ada", "--requests-per-hour", "5", "--concurrent-turns", ""],
            {"limits": {"requests_per_hour": 5, "concurrent_turns": None}},
        ),
        (
            ["set", "ada", "--daily-budget", "1.50", "--monthly-budget", ""],
            {"budgets": {"daily": "1.50", "monthly": None}},
        ),
        (["set", "ada", "--tokens-per-minute", "9"], {"limits": {"tokens_per_minute": 9}}),
    ],
)
def test_only_what_is_said_is_changed(
    run: Run, gateway: FakeGateway, arguments: list[str], body: Any
) -> None:
    run("users", "add", "ada")
    assert run("users", *arguments).exit_code == 0
    assert gateway.received[-1].body == body


def test_limits_are_told(run: Run) -> None:
    run("users", "add", "ada")
    run("users", "set", "ada", "--requests-per-hour", "5000", "--daily-budget", "0.10")
    assert "5,000 requests/h, 0.10 USD/day" in run("users", "list").stdout
    run("users", "disable", "ada")
    assert "disabled" in run("users", "show", "ada").stdout


def test_a_new_key_is_alone_on_stdout(run: Run, gateway: FakeGateway) -> None:
    run("users", "add", "ada")
    made = run(
        "keys", "add", "laptop", "--user", "ada", "--scopes", "read, chat",
        "--expires", "2099-01-01", "--concurrent-turns", "2", "--daily-budget", "1",
    )  # fmt: skip
    (key,) = gateway.keys.values()

    assert (made.exit_code, made.stdout) == (0, "parley_secret_wxyz\n")
    assert made.stderr == f"This is the key {key['key_id']}. It is shown this once.\n"
    assert gateway.received[-1].body == {
        "name": "laptop",
        "user_id": gateway.users[0]["user_id"],
        "scopes": ["read", "chat"],
        "expires_at": "2099-01-01T00:00:00+00:00",
        "limits": {"concurrent_turns": 2},
        "budgets": {"daily": "1"},
    }
    rotated = run("keys", "rotate", key["key_id"], "--overlap", "60")
    assert rotated.stdout == "parley_secret_wxyz\n"
    assert gateway.received[-1].body == {"overlap_seconds": 60}
    document = as_json(run("keys", "add", "other", "--output", "json"))
    assert (document["name"], document["key"]) == ("other", "parley_secret_wxyz")


def test_keys_are_listed_and_revoked(run: Run, gateway: FakeGateway) -> None:
    run("keys", "add", "laptop", "--scopes", "chat")
    (key_id,) = gateway.keys

    listed = run("keys", "list").stdout
    assert all(word in listed for word in (key_id, "laptop", "wxyz", "chat", "never"))
    assert "secret" not in listed + run("keys", "list", "--output", "json").stdout
    run("users", "add", "ada")
    assert [] == as_json(run("keys", "list", "--user", "ada", "--output", "json"))["keys"]
    assert run("keys", "revoke", key_id).stdout == f"{key_id} is revoked.\n"
    again = run("keys", "revoke", key_id)
    assert (again.exit_code, gateway.keys) == (1, {})


def test_the_log_is_shown(run: Run, gateway: FakeGateway) -> None:
    whence = {"ip": "192.0.2.7", "request_id": "r-1", "key_id": "k1", "actor": None}
    entry: dict[str, Any] = {
        "at": "2026-11-23T12:00:00Z",
        "outcome": "done",
        "details": {},
        **whence,
    }
    gateway.audit = [
        {**entry, "action": "login", "target": "k1"},
        {**entry, "action": "create_key", "target": "k2"},
    ]

    shown = run("audit", "--from", "2026-11-01", "--action", "login").stdout
    assert "2026-11-23 12:00:00" in shown
    assert gateway.received[-1].query == {
        "page_size": "50",
        "action": "login",
        "from": "2026-11-01",
    }
    assert "k2" not in shown
    entries = as_json(run("audit", "--most", "1", "--output", "json"))["entries"]
    assert [one["target"] for one in entries] == ["k1"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["users", "set", "ada"],
        ["users", "set", "ada", "--role", "root"],
        ["users", "set", "ada", "--requests-per-hour", "0"],
        ["users", "set", "ada", "--requests-per-hour", "many"],
        ["users", "set", "ada", "--daily-budget", "NaN"],
        ["users", "set", "ada", "--daily-budget", "-1"],
        ["keys", "add"],
        ["keys", "add", "k", "--expires", "soon"],
        ["keys", "rotate", "k", "--overlap", "-1"],
        ["audit", "--from", "yesterday"],
        ["audit", "--most", "0"],
    ],
)
def test_wrong_usage_is_2_and_asks_nobody(
    run: Run, gateway: FakeGateway, arguments: list[str]
) -> None:
    assert run(*arguments).exit_code == 2
    assert gateway.received == []


def test_a_user_who_is_not_there_is_1(run: Run) -> None:
    done = run("users", "disable", "nobody")
    assert (done.exit_code, done.stderr) == (1, "There is no user 'nobody'.\n")
