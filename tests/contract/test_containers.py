"""What a container of each part gets to know of the keys by which services know each other."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PARTS = {
    "gateway": {
        "SERVICE_KEY_FILE": "gateway/gateway.key",
        "CONTEXT_KEY_FILE": "gateway/context.key",
    },
    "chat-service": {"SERVICE_KEY_FILE": "chat/chat.key"},
    "prompt-service": {},
    "provider-service": {},
}


def mounts(service: str) -> dict[str, str]:
    """Return the volumes of a service, and where they are in it."""
    volumes = COMPOSE["services"][service].get("volumes", [])
    return dict(volume.split(":", 1) for volume in volumes)


def test_each_private_key_is_in_the_container_of_its_service_alone() -> None:
    seen = {
        volume: {name for name in COMPOSE["services"] if volume in mounts(name)}
        for volume in ("gateway-keys", "chat-keys", "trusted-keys")
    }

    assert {"identity", "gateway"} == seen["gateway-keys"]
    assert {"identity", "chat"} == seen["chat-keys"]
    assert {"identity", "chat", "prompt", "provider"} == seen["trusted-keys"]


def test_nobody_but_who_makes_them_may_change_them_or_gets_one_by_the_environment() -> None:
    for name in ("gateway", "chat", "prompt", "provider"):
        service = COMPOSE["services"][name]
        keys = [place for volume, place in mounts(name).items() if volume.endswith("-keys")]
        assert keys
        assert all(place.endswith(":ro") for place in keys)
        assert "" == service["environment"]["SERVICE_KEY"] == service["environment"]["CONTEXT_KEY"]
        assert "identity" in service["depends_on"]


def test_the_database_has_no_password_that_stands_in_a_file_of_ours() -> None:
    database = COMPOSE["services"]["postgres"]

    assert "/keys/database/password" == database["environment"]["POSTGRES_PASSWORD_FILE"]
    assert "POSTGRES_PASSWORD" not in database["environment"]
    for name in ("gateway", "chat", "prompt", "provider", "migrate-chat", "postgres"):
        assert "/keys/database:ro" == mounts(name)["database-keys"]
    assert "/keys/database" == mounts("identity")["database-keys"]


@pytest.fixture
def container(tmp_path: Path) -> dict[str, str]:
    """What is in an image: a part that prints what it is told, and our Python."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "parley-part").write_text("#!/bin/sh\nexec env\n")
    (programs / "parley-part").chmod(0o755)
    for name in ("keys/trusted", "keys/gateway", "keys/chat", "keys/database", "home"):
        (tmp_path / name).mkdir(parents=True)
    home, keys = tmp_path / "home", tmp_path / "keys"
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.defpath])
    return {"PATH": path, "PARLEY_HOME": str(home), "PARLEY_KEYS": str(keys)}


def entered(container: dict[str, str], part: str, *words: str, **more: str) -> dict[str, str]:
    """Run the entrypoint of a part; return what the part is told."""
    script = ROOT / "deploy/container/entrypoint.sh"
    env = {**container, "PARLEY_PART": part, **more}
    done = subprocess.run([script, *words], env=env, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_told_where_its_own_keys_are(container: dict[str, str], part: str) -> None:
    entered(container, "gateway", "identity")

    told = entered(container, part, "serve")

    keys = Path(container["PARLEY_KEYS"])
    found = {name: told[name] for name in ("SERVICE_KEY_FILE", "CONTEXT_KEY_FILE") if name in told}
    assert {name: str(keys / file) for name, file in PARTS[part].items()} == found
    for file in found.values():
        assert 0o600 == stat.S_IMODE(Path(file).stat().st_mode)
    assert Path(told["TRUSTED_KEYS_FILE"]).is_file()


def test_what_is_set_counts(container: dict[str, str]) -> None:
    told = entered(container, "chat-service", "serve", SERVICE_KEY="{}", TRUSTED_KEYS_FILE="/other")

    assert "SERVICE_KEY_FILE" not in told
    assert "/other" == told["TRUSTED_KEYS_FILE"]


def test_the_databases_password_is_made_once(container: dict[str, str]) -> None:
    entered(container, "gateway", "identity")
    password = Path(container["PARLEY_KEYS"], "database", "password")
    made = password.read_text().strip()
    entered(container, "gateway", "identity")

    assert (made, 48) == (password.read_text().strip(), len(made))
    assert 0o644 == stat.S_IMODE(password.stat().st_mode)
    for part in PARTS:
        assert made == entered(container, part, "migrate")["DB_PASSWORD"]


def test_a_password_that_is_set_is_the_databases(container: dict[str, str]) -> None:
    entered(container, "gateway", "identity")
    entered(container, "gateway", "identity", DB_PASSWORD="one of mine")

    assert "one of mine" == entered(container, "chat-service", "serve")["DB_PASSWORD"]
    url = entered(container, "chat-service", "serve", DATABASE_URL="postgresql://elsewhere/p")
    assert "DB_PASSWORD" not in url
