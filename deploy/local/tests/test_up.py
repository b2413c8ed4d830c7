"""`parley up`, run as a person runs it, with stand-ins for the services and a real PostgreSQL."""

import base64
import os
import signal
import socket
import stat
import sys

import pytest
from parley_local.identity import KEYS, SETTINGS
from parley_tests.up import SERVICES, Up

pytestmark = pytest.mark.integration


def stopped(up: Up) -> list[str]:
    """The names of the services that said farewell, in order."""
    return (up.root / "stopped").read_text().split()


@pytest.fixture
def whole(up: Up) -> Up:
    """One that brings its own PostgreSQL along."""
    del up.environment["DATABASE_URL"]
    return up


def test_starts_everything_and_stops_it_in_order(whole: Up) -> None:
    up = whole
    up.start().wait_until_ready()
    pids = up.pids()
    assert list(up.processes()) == ["postgres", *SERVICES]
    assert up.stop() == 0
    assert stopped(up) == ["ui", "gateway", "chat", "provider", "prompt"]
    assert up.all_gone(pids)
    assert up.state() == {}


def test_ctrl_c_reaches_the_supervisor_only(up: Up) -> None:
    up.start().wait_until_ready()
    os.killpg(up.process.pid, signal.SIGINT)
    assert up.wait() == 0
    assert stopped(up) == ["ui", "gateway", "chat", "provider", "prompt"]


def test_says_where_it_is_and_the_key_only_when_it_makes_one(up: Up) -> None:
    assert up.start().wait_until_ready().stop() == 0
    first, up.said = up.said, ""
    assert up.start().wait_until_ready().stop() == 0
    key = (up.home / "admin.key").read_text().strip()
    assert first.count(key) == 1
    assert up.said.count(key) == 0
    assert f"http://127.0.0.1:{up.ports['gateway']}" in up.said
    assert f"http://127.0.0.1:{up.ports['ui']}" in up.said


def test_secrets_are_its_owners_alone_and_each_service_knows_what_it_must(up: Up) -> None:
    up.start().wait_until_ready()
    known = {name: up.get(name) for name in SERVICES}
    key, pepper = ((up.home / name).read_text().strip() for name in ("admin.key", "key.pepper"))
    secrets = ("admin.key", "key.pepper", "master.keys")
    assert {stat.S_IMODE((up.home / name).stat().st_mode) for name in secrets} == {0o600}
    assert {n: e.get("API_KEY") for n, e in known.items() if "API_KEY" in e} == {
        "gateway": key,
        "ui": key,
    }
    assert {n: e["KEY_PEPPER"] for n, e in known.items() if "KEY_PEPPER" in e} == {
        "gateway": pepper
    }
    assert {n: e["MASTER_KEY_FILE"] for n, e in known.items() if "MASTER_KEY_FILE" in e} == {
        "provider": str(up.home / "master.keys")
    }
    assert [n for n, e in known.items() if "DATABASE_URL" not in e] == ["ui"]
    assert known["ui"]["API_URL"] == f"http://127.0.0.1:{up.ports['gateway']}"


def test_each_service_is_told_of_its_own_keys_alone_and_they_are_kept(up: Up) -> None:
    up.environment |= dict.fromkeys(("SERVICE_KEY", "CONTEXT_KEY_FILE", "TRUSTED_KEYS"), "given")
    up.start().wait_until_ready()
    known = {name: {n: v for n, v in up.get(name).items() if n in SETTINGS} for name in SERVICES}
    folder = up.home / "identity"
    made = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    assert known == {
        name: {setting: str(folder / file) for setting, file in KEYS.get(name, {}).items()}
        for name in SERVICES
    }
    private = [path for path in folder.iterdir() if path.suffix == ".key"]
    assert len(private) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert up.stop() == 0
    assert up.start("--no-ui").wait_until_ready().stop() == 0
    assert made == {path.name: path.read_bytes() for path in folder.glob("*.*")}


def test_without_page_a_given_key_is_passed_on_and_neither_kept_nor_shown(up: Up) -> None:
    up.environment["API_KEY"] = "given"
    up.start("--no-ui").wait_until_ready()
    assert up.get("gateway")["API_KEY"] == "given"
    assert list(up.processes()) == ["prompt", "provider", "chat", "gateway"]
    assert list(up.state()["urls"]) == ["gateway"]
    assert up.stop() == 0
    assert not (up.home / "admin.key").exists()
    assert "given" not in up.said


@pytest.mark.parametrize("name", ["MASTER_KEY", "MASTER_KEY_FILE"])
def test_given_master_keys_are_the_provider_services_alone_and_none_are_made(
    up: Up, name: str
) -> None:
    up.environment[name] = "given"
    up.start().wait_until_ready()
    known = {service: up.get(service) for service in SERVICES}
    assert {n: e[name] for n, e in known.items() if name in e} == {"provider": "given"}
    assert up.stop() == 0
    assert not (up.home / "master.keys").exists()


def test_master_keys_are_kept_from_one_start_to_the_next(up: Up) -> None:
    assert up.start("--no-ui").wait_until_ready().stop() == 0
    (key,) = (up.home / "master.keys").read_text().splitlines()
    assert up.start("--no-ui").wait_until_ready().stop() == 0
    assert (up.home / "master.keys").read_text() == f"{key}\n"
    assert (len(base64.urlsafe_b64decode(key)), key in up.said) == (32, False)


def test_the_file_is_read_and_the_environment_wins(up: Up) -> None:
    (up.root / ".env").write_text("FROM_FILE=file\nFROM_BOTH=file\nAPI_KEY=\n")
    up.environment |= {"FROM_BOTH": "environment", "PYTHONDONTWRITEBYTECODE": "1"}
    up.start("--no-ui").wait_until_ready()
    known = up.get("chat")
    assert (known["FROM_FILE"], known["FROM_BOTH"]) == ("file", "environment")
    assert "PYTHONDONTWRITEBYTECODE" not in known
    assert up.get("gateway")["API_KEY"]


def test_a_second_one_on_the_same_home_says_who_holds_it(up: Up) -> None:
    up.start("--no-ui").wait_until_ready()
    second = type(up)(up.root, up.environment).start("--no-ui")
    assert second.wait() == 1
    assert f"already runs on {up.home} (process {up.process.pid})" in second.said


def test_a_taken_port_is_named_with_its_setting(up: Up) -> None:
    with socket.create_server(("127.0.0.1", up.ports["chat"])):
        assert up.start().wait() == 1
    assert f"Port {up.ports['chat']} on 127.0.0.1, for chat, is in use" in up.said
    assert "CHAT_PORT" in up.said


def test_a_failing_migration_is_told_in_its_own_words_and_nothing_is_left(up: Up) -> None:
    up.environment["STAND_IN_FAILS"] = "provider"
    assert up.start().wait() == 1
    assert "The migration of provider failed:\nprovider was told to fail" in up.said
    assert up.state() == {}


def test_what_ended_is_started_again_and_the_others_stay(up: Up) -> None:
    up.start().wait_until_ready()
    before = up.processes()
    os.kill(before["chat"]["pid"], signal.SIGKILL)
    up.wait_for(lambda: up.processes()["chat"]["starts"] == 2)
    up.wait_for(lambda: up.answers("chat"))
    after = up.processes()
    assert after["chat"]["pid"] != before["chat"]["pid"]
    assert all(after[name] == before[name] for name in before if name != "chat")


def test_postgres_is_started_again(whole: Up) -> None:
    up = whole
    up.start("--no-ui").wait_until_ready()
    os.kill(up.processes()["postgres"]["pid"], signal.SIGKILL)
    up.wait_for(lambda: up.processes()["postgres"]["starts"] == 2)
    assert up.stop() == 0


def test_what_is_migrated_is_not_migrated_again_until_a_service_changes(whole: Up) -> None:
    up, log = whole, whole.home / "logs" / "migrate-chat.log"
    assert up.start("--no-ui").wait_until_ready().stop() == 0
    first = log.stat().st_mtime_ns
    assert up.start("--no-ui").wait_until_ready().stop() == 0
    assert log.stat().st_mtime_ns == first
    (up.root / "stand ins" / "parley_chat_service" / "new.py").touch()
    assert up.start("--no-ui").wait_until_ready().stop() == 0
    assert log.stat().st_mtime_ns > first


def test_a_wrong_setting_is_named(up: Up) -> None:
    up.environment["GATEWAY_PORT"] = "eighty"
    assert up.start().wait() == 1
    assert up.said.startswith("GATEWAY_PORT: Input should be a valid integer")


def test_a_start_after_a_kill_begins_anew(whole: Up) -> None:
    up = whole
    up.start("--no-ui").wait_until_ready()
    pids = up.pids()
    up.process.kill()
    up.wait()
    if sys.platform == "linux":
        up.wait_for(lambda: up.all_gone(pids))
    stale = up.state()["pid"]
    up.start("--no-ui")
    up.wait_for(lambda: up.state().get("pid") != stale)
    up.wait_until_ready()
    assert up.state()["pid"] == up.process.pid


def test_an_outside_database_is_used(up: Up, database_url: str) -> None:
    up.environment["DATABASE_URL"] = database_url
    up.start("--no-ui").wait_until_ready()
    assert "postgres" not in up.processes()
    assert up.get("chat")["DATABASE_URL"] == database_url
