"""`parley providers`, `models` and `usage`, as a person and as a program run them."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from parley_local.__main__ import app
from parley_local.home import hold
from parley_tests.fake_gateway import FakeGateway, fake_gateway, problem
from parley_tests.settings import inherited_environment
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
    for name in ("PARLEY_HOME", "MASTER_KEY", "MASTER_KEY_FILE", "GATEWAY_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    settings = {"API_URL": gateway.url, "API_KEY": gateway.key, "COLUMNS": "200"}

    def run(*arguments: str, stdin: str = "", **more: str) -> Result:
        for name, value in {**settings, **more}.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, arguments, input=stdin)

    return run


def as_json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def acme(gateway: FakeGateway) -> dict[str, Any]:
    return gateway.providers["acme"]


def test_providers_are_listed(run: Run) -> None:
    done = run("providers", "list")
    listed = done.stdout.splitlines()
    assert listed[0].split() == ["name", "status", "default", "model", "models", "key", "remark"]
    assert listed[1].split() == [
        "demo",
        "ready",
        "demo-fast",
        "2",
        "environment",
        "…7Qz0",
        "the",
        "default",
    ]
    providers = as_json(run("providers", "list", "--output", "json"))["providers"]
    assert [one["name"] for one in providers] == ["demo", "acme", "bare"]
    assert providers[0]["configuration"]["credential"]["last4"] == "7Qz0"


def test_one_provider_is_shown(run: Run, gateway: FakeGateway) -> None:
    acme(gateway)["configuration"]["fallbacks"] = ["demo/demo-fast"]
    shown = run("providers", "show", "acme").stdout
    for words in ("unhealthy", "Refused.", "https://acme.example/v1", "demo/demo-fast"):
        assert words in shown
    assert as_json(run("providers", "show", "acme", "--output", "json"))["circuit"] == "closed"


def test_a_provider_that_is_not_there_is_said_so_with_those_that_are(run: Run) -> None:
    done = run("providers", "show", "amce")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "There is no provider 'amce'. There are: demo, acme, bare.\n"


def test_a_provider_is_added_and_removed(run: Run, gateway: FakeGateway) -> None:
    made = run("providers", "add", "eu", "--plugin", "demo", "--base-url", "https://eu.example")
    assert (made.exit_code, made.stdout) == (0, "eu is there, and unconfigured.\n")
    assert gateway.received[-1].body == {
        "name": "eu",
        "plugin": "demo",
        "base_url": "https://eu.example",
    }
    assert run("providers", "remove", "eu").stdout == "eu is gone.\n"
    assert "eu" not in gateway.providers


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["enable", "acme"], {"enabled": True}),
        (["disable", "acme"], {"enabled": False}),
        (["default", "acme"], {"is_default": True}),
        (["default", "acme", "--model", "m"], {"is_default": True, "default_model": "m"}),
        (["set", "acme", "--base-url", "https://a.example"], {"base_url": "https://a.example"}),
        (
            ["set", "acme", "--base-url", "", "--default-model", ""],
            {"base_url": "", "default_model": ""},
        ),
        (
            ["set", "acme", "--priority", "0", "--max-replies", "5"],
            {"priority": 0, "max_replies": 5},
        ),
        (["set", "acme", "--fallbacks", "a/b, c/d:e"], {"fallbacks": ["a/b", "c/d:e"]}),
        (["set", "acme", "--fallbacks", ""], {"fallbacks": []}),
        (["set", "acme", "--retry-timeouts"], {"retry_timeouts": True}),
        (["set", "acme", "--no-retry-timeouts"], {"retry_timeouts": False}),
        (["set", "acme", "--display-name", "A"], {"display_name": "A"}),
    ],
)
def test_only_what_is_said_is_changed(
    run: Run, gateway: FakeGateway, arguments: list[str], body: Any
) -> None:
    changed = as_json(run("providers", *arguments, "--output", "json"))
    (sent,) = gateway.calls("PATCH", "/providers/acme")
    assert (changed["name"], sent.body) == ("acme", body)


def test_another_address_wants_its_key_again(run: Run) -> None:
    said = run("providers", "set", "bare", "--base-url", "https://elsewhere.example").stdout
    assert "`parley providers key bare`" in said
    assert "parley providers key" not in run("providers", "set", "bare", "--priority", "1").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["providers", "set", "acme"],
        ["providers", "set", "acme", "--priority", "high"],
        ["providers", "add", "eu"],
        ["providers", "key", "acme", "--from-env", "A", "--from-file", "/etc/hostname"],
        ["providers", "key", "acme", "--from-env", "NOT_SET_ANYWHERE"],
        ["providers", "key", "acme", "--from-file", "/no/such"],
        ["providers", "key", "acme", "sk-as-an-argument"],
        ["providers", "key", "acme"],
        ["models", "set", "demo", "m"],
        ["models", "set", "demo", "m", "--input-price", "1"],
        ["models", "set", "demo", "m", "--input-price", "x", "--output-price", "1"],
        ["models", "set", "demo", "m", "--input-price", "-1", "--output-price", "1"],
        ["models", "set", "demo", "m", "--input-price", "NaN", "--output-price", "1"],
        ["usage", "--group-by", "hour"],
        ["usage", "--from", "yesterday"],
        ["usage", "--from", "2026-11-23T12:00:00"],
        ["usage", "--output", "xlsx"],
    ],
)
def test_wrong_usage_is_2_and_asks_nobody(
    run: Run, gateway: FakeGateway, arguments: list[str]
) -> None:
    assert run(*arguments).exit_code == 2
    assert gateway.received == []


def test_a_refusal_is_1_with_the_gateways_sentence(run: Run, gateway: FakeGateway) -> None:
    done = run("providers", "remove", "acme")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "acme comes with its plugin; switch it off instead.\n"
    errors = [{"pointer": "/a", "detail": "A."}, {"pointer": "/b", "detail": "B."}]
    gateway.refusals["PATCH /providers/acme"] = problem(
        422, "invalid_argument", "Two.", errors=errors
    )
    assert run("providers", "enable", "acme").stderr == "Two.\na: A.\nb: B.\n"


def test_a_gateway_that_is_away_or_is_none_is_1(run: Run, gateway: FakeGateway) -> None:
    away = run("usage", API_URL="http://127.0.0.1:1")
    refused = run("usage", API_KEY="wrong", API_URL=gateway.url)
    assert (away.exit_code, refused.exit_code) == (1, 1)
    assert "make up" in away.stderr
    assert "Set API_KEY" in refused.stderr


def test_the_kept_key_of_the_administrator_is_shown(
    run: Run, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / ".parley").mkdir()
    (tmp_path / ".parley" / "admin.key").write_text(f"{gateway.key}\n")
    assert run("providers", "list", API_KEY="").exit_code == 0


def test_a_key_is_read_from_stdin_a_variable_or_a_file_and_never_shown(
    run: Run, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("sk-of-a-file\n")
    said = [
        run("providers", "key", "acme", stdin="sk-of-stdin\n"),
        run("providers", "key", "acme", "--from-env", "ACME", ACME="sk-of-a-variable"),
        run("providers", "key", "acme", "--from-file", "key"),
    ]
    sent = [one.body["api_key"] for one in gateway.calls("PUT", "/providers/acme/credentials")]
    assert sent == ["sk-of-stdin", "sk-of-a-variable", "sk-of-a-file"]
    assert said[0].stdout == "The key of acme is kept (stored …tdin). Refused.\n"
    assert all("sk-" not in done.output for done in said)


def test_a_key_is_asked_for_without_showing_it(gateway: FakeGateway, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    settings = {"API_URL": gateway.url, "API_KEY": gateway.key}
    process = subprocess.Popen(
        [sys.executable, "-m", "parley_local", "providers", "key", "acme"],
        cwd=tmp_path,
        env=inherited_environment() | settings,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    seen = b""
    while b"Key of acme: " not in seen:  # its last blank comes once the echo is off
        seen += os.read(ours, 1000)
    os.write(ours, b"sk-typed\n")
    assert process.wait(30) == 0
    seen += os.read(ours, 1000)
    os.close(theirs)
    os.close(ours)
    assert gateway.received[-1].body == {"api_key": "sk-typed"}
    assert b"sk-typed" not in seen


def test_a_key_is_forgotten(run: Run, gateway: FakeGateway) -> None:
    done = run("providers", "forget-key", "acme")
    assert done.stdout == "The stored key of acme is forgotten; it has now: none.\n"
    assert acme(gateway)["configuration"]["credential"] is None


def test_health_is_in_the_exit_code(run: Run) -> None:
    well, ill = run("providers", "health", "demo"), run("providers", "health", "acme")
    assert (well.exit_code, well.stdout) == (0, "demo is ready (12 ms).\n")
    assert (ill.exit_code, ill.stderr) == (1, "acme is unhealthy (12 ms). Refused.\n")
    told = run("providers", "health", "acme", "--output", "json")
    assert (told.exit_code, json.loads(told.stdout)["status"]) == (1, "unhealthy")


def test_models_are_refreshed(run: Run) -> None:
    assert run("providers", "refresh", "demo").stdout == "demo offers 2 models.\n"


def test_models_are_listed_of_one_or_of_all_that_can_be_asked(run: Run) -> None:
    (one,) = as_json(run("models", "acme", "--output", "json"))["providers"]
    everybody = as_json(run("models", "--output", "json"))["providers"]
    assert [model["name"] for model in one["models"]] == ["acme-large"]
    assert one["models"][0]["price"]["input"] == "1.25"
    assert [each["provider"] for each in everybody] == ["demo", "acme"]
    assert "1.25 / 10" in run("models", "list", "demo").stdout


def test_one_that_cannot_say_its_models_keeps_nobody_else_back(
    run: Run, gateway: FakeGateway
) -> None:
    gateway.refusals["GET /providers/demo/models"] = problem(502, "provider_error", "Not there.")
    done = run("models")
    assert (done.exit_code, done.stderr) == (0, "demo: Not there.\n")
    assert "acme-large" in done.stdout
    assert run("models", "demo").exit_code == 1


def test_a_model_is_priced_and_reset(run: Run, gateway: FakeGateway) -> None:
    prices = ["--input-price", "1.25", "--output-price", "1E1", "--cached-input-price", "0"]
    prices += ["--cache-write-price", "1.5", "--long-cache-write-price", "2"]
    done = run("models", "set", "demo", "org/m:free", *prices, "--capabilities", "text,tools")
    assert (done.exit_code, done.stdout) == (0, "org/m:free of demo is set.\n")
    assert gateway.received[-1].body == {
        "price": {"input": "1.25", "output": "10", "cached_input": "0"}
        | {"cache_write": "1.5", "long_cache_write": "2"},
        "capabilities": ["text", "tools"],
    }
    assert run("models", "reset", "demo", "org/m:free").exit_code == 0
    assert run("models", "reset", "demo", "org/m:free").exit_code == 1


def test_a_model_is_given_another_name(run: Run, gateway: FakeGateway) -> None:
    assert (
        run("models", "alias", "fast", "demo/org/m:free").stdout == "fast means demo/org/m:free.\n"
    )
    assert as_json(run("models", "alias", "any", "acme", "--output", "json"))["model"] is None
    assert [(one["provider"], one["model"]) for one in gateway.aliases.values()] == [
        ("demo", "org/m:free"),
        ("acme", None),
    ]
    rows = [line.split() for line in run("models", "aliases").stdout.splitlines()]
    assert rows[1:] == [["any", "acme", "its", "default"], ["fast", "demo", "org/m:free"]]
    listed = as_json(run("models", "aliases", "--output", "json"))["aliases"]
    assert [one["alias"] for one in listed] == ["any", "fast"]

    assert run("models", "unalias", "fast").exit_code == 0
    assert run("models", "unalias", "fast").exit_code == 1
    assert run("models", "alias", "fast", "nobody/m").exit_code == 1


@pytest.fixture
def spent(gateway: FakeGateway) -> FakeGateway:
    gateway.add_usage("2026-11-01", "demo", "small")
    gateway.add_usage("2026-11-02", "demo", "large", cost=None)
    return gateway


def test_usage_is_summed_for_people(run: Run, spent: FakeGateway) -> None:
    rows = [line.split() for line in run("usage").stdout.splitlines()]
    assert rows[0] == [
        "day",
        "model",
        "requests",
        "tokens",
        "in",
        "tokens",
        "out",
        "USD",
        "unpriced",
    ]
    assert rows[1] == ["2026-11-01", "small", "1", "1,000", "500", "0.000125"]
    assert rows[2] == ["2026-11-02", "large", "1", "1,000", "500", "0", "1"]
    assert rows[3] == ["all", "2", "2,000", "1,000", "0.000125", "1"]


def test_usage_is_summed_for_programs_and_spreadsheets(run: Run, spent: FakeGateway) -> None:
    asked = ["--group-by", "day", "--from", "2026-11-02", "--to", "2026-11-03T00:00:00Z"]
    document = as_json(run("usage", *asked, "--output", "json"))
    assert [(row["day"], row["requests"]) for row in document["rows"]] == [("2026-11-02", 1)]
    assert "model" not in document["rows"][0]
    assert document["total"]["unpriced_requests"] == 1
    table = run("usage", "--group-by", "day", "--output", "csv")
    assert table.stdout_bytes == b"day,requests\r\n2026-11-01,1\r\n2026-11-02,1\r\n"
    total = run("usage", "--group-by", "").stdout.splitlines()
    assert total[1].split() == ["2", "2,000", "1,000", "0.000125", "1"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The home of a `parley up` that runs."""
    with hold(tmp_path / ".parley"):
        (tmp_path / ".parley" / "master.keys").write_text("old\n")
        yield tmp_path / ".parley"


def rotate(run: Run, gateway: FakeGateway, **settings: str) -> Result:
    """Runs the command where the gateway is this machine's own."""
    port = gateway.url.rpartition(":")[2]
    own = {"API_URL": "", "GATEWAY_PORT": port, **settings}
    return run("providers", "rotate-master-key", "--output", "json", **own)


def test_master_keys_are_rotated(run: Run, gateway: FakeGateway, home: Path) -> None:
    run("providers", "key", "acme", stdin="sk-a")
    document = as_json(rotate(run, gateway))
    (newest,) = (home / "master.keys").read_text().splitlines()
    assert newest != "old"
    assert document == {"rotated": 1, "unreadable": [], "master_keys": str(home / "master.keys")}
    assert newest not in json.dumps(document)


def test_old_master_keys_stay_while_something_cannot_be_opened(
    run: Run, gateway: FakeGateway, home: Path
) -> None:
    gateway.unreadable = ["bare"]
    done = rotate(run, gateway)
    assert (done.exit_code, "stored key of bare" in done.stderr) == (1, True)
    assert (home / "master.keys").read_text().splitlines()[1:] == ["old"]


def test_old_master_keys_stay_when_the_rotation_fails(
    run: Run, gateway: FakeGateway, home: Path
) -> None:
    gateway.refusals["POST /providers/credentials/rotate"] = problem(503, "unavailable", "Away.")
    done = rotate(run, gateway)
    assert (done.exit_code, done.stderr) == (1, "Away.\n")
    assert (home / "master.keys").read_text().splitlines()[1:] == ["old"]


@pytest.mark.parametrize("elsewhere", ["MASTER_KEY", "MASTER_KEY_FILE", "API_URL", "PARLEY_HOME"])
def test_master_keys_that_are_not_this_machines_are_left_alone(
    run: Run, gateway: FakeGateway, home: Path, elsewhere: str
) -> None:
    own = gateway.url.replace("127.0.0.1", "localhost")
    done = rotate(run, gateway, **{elsewhere: own if elsewhere == "API_URL" else "other"})
    assert as_json(done)["master_keys"] is None
    assert (home / "master.keys").read_text() == "old\n"


def test_a_home_that_nothing_runs_on_is_not_asked(
    run: Run, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / ".parley").mkdir()
    (tmp_path / ".parley" / "master.keys").write_text("old\n")
    assert as_json(rotate(run, gateway))["master_keys"] is None
    assert (tmp_path / ".parley" / "master.keys").read_text() == "old\n"
