"""What `parley doctor` finds, against real servers in every state it knows."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from parley_client.checksums import checksum
from parley_local.__main__ import app
from parley_local.doctor.database import SCHEMAS, check_database, check_password
from parley_local.doctor.finding import Finding, Verdict
from parley_local.doctor.gateway import check_gateway
from parley_local.doctor.machine import check_home, check_python
from parley_local.postgres import EmbeddedPostgres
from parley_tests.fake_gateway import FakeGateway, fake_gateway, problem
from parley_tests.platform import free_port
from typer.testing import CliRunner, Result
from typing_extensions import override

pytestmark = pytest.mark.integration

NOWHERE = "postgresql://parley:secret@127.0.0.1:1/parley"
Run = Callable[..., Result]
HEALTH = {"status": "unavailable", "version": "0.1.0", "providers": {}}


@contextmanager
def peer(status: int, body: bytes) -> Iterator[int]:
    """Answers every GET alike."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


def examine(fake: FakeGateway, key: str | None) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_gateway(fake.url, key)}


def verdicts(findings: Iterable[Finding]) -> list[tuple[str, Verdict]]:
    return [(finding.check, finding.verdict) for finding in findings]


def test_a_database_that_is_away() -> None:
    (found,) = check_database(NOWHERE, embedded=False)
    assert found.verdict is Verdict.FAILURE
    assert found.detail == "Nothing takes connections at 127.0.0.1:1, database parley."
    assert "DB_HOST" in found.advice


def test_an_embedded_database_that_was_never_started(home: Path) -> None:
    (found,) = check_database("postgresql://parley@/parley?host=/nowhere", embedded=True)
    assert found.detail == "The embedded PostgreSQL is not running."
    assert not home.exists()


def test_a_url_that_is_none() -> None:
    (found,) = check_database("postgresql://[", embedded=False)
    assert found.detail.startswith("DATABASE_URL is not a URL")


def test_wrong_credentials_are_told_from_a_missing_database(server: EmbeddedPostgres) -> None:
    url = psycopg.conninfo.make_conninfo(server.url, password="wrong")
    (refused,) = check_database(url, embedded=False)
    (missing,) = check_database(server.url.replace("/parley?", "/nowhere?"), embedded=False)
    assert refused.detail.startswith("PostgreSQL does not let 'parley' in")
    assert "DB_PASSWORD" in refused.advice
    assert missing.detail == "There is no database 'nowhere' that 'parley' may enter."
    assert "createdb --owner parley nowhere" in missing.advice


def test_schemas_that_are_missing_and_that_are_there(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("create schema chat")
    reached, some = check_database(database_url, embedded=False)
    assert (reached.verdict, some.verdict) == (Verdict.OK, Verdict.FAILURE)
    assert some.detail == "Not migrated: gateway, prompt, provider."
    with psycopg.connect(database_url) as connection:
        for name in SCHEMAS[1:]:
            connection.execute(f"create schema {name}")
    assert check_database(database_url, embedded=False)[1].verdict is Verdict.OK


def test_no_finding_shows_a_password(server: EmbeddedPostgres) -> None:
    url = psycopg.conninfo.make_conninfo(server.url, password="hush-hush")
    assert "hush-hush" not in str(check_database(url, embedded=False))


@pytest.mark.parametrize(
    ("place", "warned"),
    [
        ("parley:parley@db.example/parley", True),
        ("parley:short@10.0.0.7/parley", True),
        ("somebody-else:Somebody-Else@db.example/parley", True),
        ("parley:not-to-be-guessed@db.example/parley", False),
        ("parley@db.example/parley", False),
        ("parley:parley@127.0.0.1/parley", False),
        ("parley:parley@/parley?host=/tmp", False),
    ],
)
def test_a_password_that_anybody_would_try(place: str, warned: bool) -> None:
    found = check_password(psycopg.conninfo.make_conninfo(f"postgresql://{place}"))
    assert warned == bool(found)
    assert "Somebody-Else" not in str(found)


def test_a_gateway_in_good_health(gateway: FakeGateway) -> None:
    found = examine(gateway, gateway.key)
    assert found["key"].detail == "accepted, for admin (admin)"
    assert found["provider demo"].verdict is Verdict.OK
    assert [c for c in found if c.startswith("service ")] == [
        f"service {name}" for name in ("chat", "prompt", "provider", "database")
    ]


def test_a_provider_is_judged_by_its_own_words(gateway: FakeGateway) -> None:
    found = examine(gateway, gateway.key)["provider acme"]
    assert (found.verdict, found.detail) == (Verdict.WARNING, "unhealthy: Refused.")


def test_providers_that_cannot_be_listed_or_are_not_there(gateway: FakeGateway) -> None:
    gateway.refusals["GET /providers"] = problem(503, "unavailable", "Away.")
    away = examine(gateway, gateway.key)["providers"]
    gateway.refusals.clear()
    gateway.providers.clear()
    none = examine(gateway, gateway.key)["providers"]
    assert (away.verdict, "Away." in away.detail) == (Verdict.FAILURE, True)
    assert none.detail == "No plugin is installed."


def judged(fake: FakeGateway, **state: object) -> Finding:
    """What is found of a provider in this state."""
    fake.providers["acme"] |= {"status": "ready", "error": None, **state}
    return examine(fake, fake.key)["provider acme"]


def test_a_broken_plugin_is_named_with_its_package(gateway: FakeGateway) -> None:
    plugin = {"package": "parley-provider-acme", "version": "1.2.3"}
    found = judged(gateway, status="broken", error="It wants a newer SDK.", plugin=plugin)
    assert found.detail == (
        "broken: its plugin (parley-provider-acme 1.2.3) cannot be used. It wants a newer SDK."
    )
    assert "`pip install --upgrade parley-provider-acme`" in found.advice
    assert "`pip uninstall parley-provider-acme`" in found.advice


def test_a_provider_without_its_settings_is_told_how_to_get_them(gateway: FakeGateway) -> None:
    found = judged(gateway, status="unconfigured", error="Set ACME_API_KEY.")
    assert (found.verdict, found.detail) == (Verdict.WARNING, "unconfigured: Set ACME_API_KEY.")
    assert "parley providers key acme" in found.advice


def test_a_key_that_no_master_key_opens_is_the_root_of_the_trouble(gateway: FakeGateway) -> None:
    gateway.providers["acme"]["configuration"]["credential"] = {"source": "unreadable"}
    found = judged(gateway, status="unconfigured", error="Set ACME_API_KEY.")
    assert found.detail.startswith("locked: no master key opens its stored key.")
    assert "MASTER_KEY_FILE" in found.advice


def test_a_provider_that_is_left_alone(gateway: FakeGateway) -> None:
    found = judged(gateway, circuit="open")
    assert found.detail == "left alone for a while: it failed too often in a row."
    assert "parley providers health acme" in found.advice


def test_a_provider_that_is_switched_off_or_tried_again_is_fine(gateway: FakeGateway) -> None:
    off = judged(gateway, status="disabled", error="Set ACME_API_KEY.")
    tried = judged(gateway, circuit="half_open")
    assert (off.verdict, off.detail, tried.verdict) == (Verdict.OK, "switched off", Verdict.OK)


def test_a_provider_is_asked_how_it_is_now(gateway: FakeGateway) -> None:
    gateway.refusals["GET /providers/acme/health"] = problem(503, "unavailable", "It is away.")
    found = judged(gateway)
    assert (found.verdict, "It is away." in found.detail) == (Verdict.WARNING, True)


def test_a_server_without_models_is_told_to_get_one(gateway: FakeGateway) -> None:
    found = judged(gateway, models=[], error="Get one with `fetch`.")
    assert (found.verdict, found.detail) == (
        Verdict.WARNING,
        "without a model: it lists none. Get one with `fetch`.",
    )
    assert "parley providers refresh acme" in found.advice


def test_a_default_model_that_is_not_there(gateway: FakeGateway) -> None:
    found = judged(gateway, default_model="acme-gone")
    assert found.detail.startswith("without its default model: acme-gone is not among")
    assert "parley models acme" in found.advice


@pytest.mark.parametrize("outcome", ["provider_auth", "provider_quota", "rate_limited"])
def test_what_a_vendor_makes_of_an_account_shows_in_the_last_call(
    gateway: FakeGateway, outcome: str
) -> None:
    gateway.add_usage(f"{datetime.now(UTC):%Y-%m-%d}", "acme", "acme-large", outcome=outcome)
    refused = judged(gateway)
    gateway.add_usage(f"{datetime.now(UTC):%Y-%m-%d}", "acme", "acme-large")
    gateway.usage[-1]["started_at"] = gateway.usage[-1]["started_at"].replace("T12", "T13")
    mended = judged(gateway)
    assert (refused.verdict, mended.verdict) == (Verdict.WARNING, Verdict.OK)
    assert "acme" in refused.advice


ISSUED = f"parley_key_{'a' * 12}_{'b' * 43}"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("wrong", "(401)."),
        (ISSUED + checksum(ISSUED), "revoked"),
        (ISSUED.upper() + checksum(ISSUED), "(401)."),
        (ISSUED + checksum("another"), "mistyped"),
        (ISSUED[:-3] + checksum(ISSUED), "mistyped"),
        (ISSUED, "mistyped"),
    ],
)
def test_a_key_that_is_refused(gateway: FakeGateway, key: str, words: str) -> None:
    found = examine(gateway, key)
    assert found["key"].verdict is Verdict.FAILURE
    assert words in found["key"].detail
    assert "API_KEY" in found["key"].advice
    assert key not in str(found)
    assert found["providers"].verdict is Verdict.SKIPPED


def test_a_key_that_differs_from_the_one_that_was_made(gateway: FakeGateway) -> None:
    found = {f.check: f for f in check_gateway(gateway.url, "wrong", kept_key=gateway.key)}
    both = {f.check: f for f in check_gateway(gateway.url, "wrong", kept_key="wrong, too")}
    assert "it accepts the one in `$PARLEY_HOME/admin.key`" in found["key"].detail
    assert "differs" in found["key"].advice
    assert "admin.key" not in both["key"].detail
    assert gateway.key not in str(found)


def test_a_guesser_is_told_apart(gateway: FakeGateway) -> None:
    gateway.refusals["GET /me"] = problem(429, "too_many_attempts", "Too many.", retry_after=9)
    assert "too many wrong ones" in examine(gateway, "wrong")["key"].detail


def test_an_address_that_is_wrong_is_told_from_a_gateway_that_is_away(
    gateway: FakeGateway,
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    (wrong, *_) = check_gateway(nowhere, gateway.key, local_url=gateway.url)
    (away, *_) = check_gateway(nowhere, gateway.key, local_url=nowhere)
    assert f"there is a gateway at {gateway.url}" in wrong.detail
    assert "API_URL is wrong" in wrong.advice
    assert "make up" in away.advice


def test_no_key(gateway: FakeGateway) -> None:
    assert examine(gateway, None)["key"].detail == "There is none."


def test_a_key_that_cannot_be_checked(gateway: FakeGateway) -> None:
    gateway.refusals["GET /me"] = problem(503, "unavailable", "The database is away.")
    assert "The database is away." in examine(gateway, gateway.key)["key"].detail


def test_a_service_that_is_away() -> None:
    services = {"chat": "ok", "prompt": "unavailable", "provider": "ok", "database": "ok"}
    body = json.dumps({**HEALTH, "services": services}).encode()
    with peer(503, body) as port:
        found = list(check_gateway(f"http://127.0.0.1:{port}", None))
    assert ("service prompt", Verdict.FAILURE) in verdicts(found)
    assert ("service chat", Verdict.OK) in verdicts(found)


def test_nothing_where_the_gateway_should_be() -> None:
    found = list(check_gateway(f"http://127.0.0.1:{free_port()}", "key"))
    assert verdicts(found) == [
        ("gateway", Verdict.FAILURE),
        ("key", Verdict.SKIPPED),
        ("providers", Verdict.SKIPPED),
    ]
    assert "API_URL" in found[0].advice


def test_a_command_says_so_when_something_else_is_there(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.chdir(root)
    with peer(200, b"<html>hello</html>") as port:
        monkeypatch.setenv("API_URL", f"http://127.0.0.1:{port}")
        done = CliRunner().invoke(app, ["providers", "list"])
    assert (done.exit_code, "Set API_URL" in done.stderr) == (1, True)


def test_something_else_where_the_gateway_should_be() -> None:
    with peer(200, b"<html>hello</html>") as port:
        found = next(iter(check_gateway(f"http://127.0.0.1:{port}", "key")))
    assert "is no gateway" in found.detail


@pytest.mark.parametrize(("version", "verdict"), [("3.10.13", "failure"), ("3.11.0rc1", "ok")])
def test_the_interpreter(version: str, verdict: str) -> None:
    assert check_python(version).verdict == verdict


def test_a_home_that_cannot_be_written() -> None:
    assert check_home(Path("/proc/parley")).verdict is Verdict.FAILURE


def test_a_home_that_is_yet_to_be_made(home: Path) -> None:
    assert check_home(home).verdict is Verdict.OK
    assert not home.exists()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, root: Path, database_url: str) -> Run:
    """Runs the command in a folder of its own, with nothing but these settings."""
    for name in ("API_KEY", "API_URL", "DB_HOST", "PARLEY_HOME", "UI_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(root)

    def run(*arguments: str, **settings: str) -> Result:
        for name, value in {"DATABASE_URL": database_url, **settings}.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, ["doctor", *arguments])

    return run


def test_the_command_exits_with_1_for_a_failure_and_says_all_of_it_in_json(run: Run) -> None:
    done = run("--output", "json", API_URL="http://127.0.0.1:1", UI_PORT="1")
    document = json.loads(done.stdout)
    failed = [f["check"] for f in document["findings"] if f["verdict"] == "failure"]
    assert (done.exit_code, document["ok"], failed) == (1, False, ["schemas", "gateway"])


def test_the_command_exits_with_0_in_spite_of_warnings(
    run: Run, gateway: FakeGateway, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        for name in SCHEMAS:
            connection.execute(f"create schema {name}")
    done = run(API_URL=gateway.url, API_KEY=gateway.key, UI_PORT="1")
    assert (done.exit_code, done.exception) == (0, None), done.output
    assert "warning" in done.stdout
