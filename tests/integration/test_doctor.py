"""`parley doctor` on the users' own troubles, with real services, servers and keys."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.peers import KEY, RunningPeer, running_peer
from parley_tests.platform import ADMIN_KEY, Platform, free_port, running_platform

pytestmark = pytest.mark.integration

NO_MODELS = '{"version":"0.20.0","models":[]}'


@dataclass
class Sick:
    """A platform whose vendors each have another trouble."""

    platform: Platform
    folder: Path
    refusing: RunningPeer

    def doctor(self, **settings: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run the command as a person does; return its exit code and what it found."""
        own = {"API_URL": self.platform.url, "UI_PORT": "1", "PARLEY_HOME": str(self.folder)}
        done = subprocess.run(
            [sys.executable, "-m", "parley_local", "doctor", "--output", "json"],
            cwd=self.folder,
            env={**self.platform.environment, **own, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert KEY not in done.stdout + done.stderr
        assert ADMIN_KEY not in done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert found["ok"] == (done.returncode == 0)
        return done.returncode, {one["check"]: one for one in found["findings"]}


@pytest.fixture(scope="module")
def sick(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sick]:
    folder = tmp_path_factory.mktemp("doctor")
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(database_server))
        bare = stack.enter_context(running_peer("ollama"))
        bare.script(raw=NO_MODELS, raw_type="application/json")
        refusing = stack.enter_context(running_peer("openai"))
        settings = {
            **bare.settings,
            **refusing.settings,
            # Set, but not the one that the vendor knows.
            "OPENAI_API_KEY": f"{KEY}-of-yesterday",
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{free_port()}",
            "ANTHROPIC_API_KEY": KEY,
            "GOOGLE_API_KEY": "",
        }
        platform = stack.enter_context(running_platform(url, folder, settings))
        yield Sick(platform, folder, refusing)


def test_each_vendors_trouble_is_told_with_its_cure(sick: Sick) -> None:
    code, found = sick.doctor()

    assert 0 == code
    bare, refusing = found["provider ollama"], found["provider openai"]
    away, keyless = found["provider anthropic"], found["provider google"]
    assert ["warning"] * 4 == [one["verdict"] for one in (bare, refusing, away, keyless)]
    assert "lists none" in bare["detail"]
    assert "ollama pull" in bare["detail"]
    assert refusing["detail"].startswith("unhealthy: ")
    assert "key" in refusing["detail"].lower()
    assert "parley providers disable openai" in refusing["advice"]
    assert away["detail"].startswith("unhealthy: ")
    assert "reached" in away["detail"]
    assert "unconfigured: Set GOOGLE_API_KEY." == keyless["detail"]
    assert "parley providers key google" in keyless["advice"]
    assert "ok" == found["provider demo"]["verdict"]


def test_a_key_that_was_revoked_or_mistyped(sick: Sick) -> None:
    with httpx.Client(base_url=sick.platform.url, headers={"x-api-key": ADMIN_KEY}) as client:
        made = client.post("/keys", json={"name": "lost"}).raise_for_status().json()
        right = sick.doctor(API_KEY=made["key"])
        client.delete(f"/keys/{made['key_id']}").raise_for_status()
    mistyped = sick.doctor(API_KEY=made["key"][:-1])
    (sick.folder / "admin.key").write_text(ADMIN_KEY)
    other = sick.doctor(API_KEY="another key altogether")
    (sick.folder / "admin.key").unlink()
    # Until the gateway has asked anew; its answer lives three seconds.
    while (revoked := sick.doctor(API_KEY=made["key"]))[0] == 0:
        pass

    assert (0, "ok") == (right[0], right[1]["key"]["verdict"])
    for (code, found), words in (
        (mistyped, "mistyped"),
        (other, "admin.key"),
        (revoked, "revoked"),
    ):
        assert (1, "failure") == (code, found["key"]["verdict"])
        assert words in found["key"]["detail"]
        assert made["key"] not in str(found)


def test_the_page_and_the_command_look_in_the_wrong_place(sick: Sick) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    code, found = sick.doctor(API_URL=nowhere)

    assert 1 == code
    assert f"there is a gateway at {sick.platform.url}" in found["gateway"]["detail"]
    assert "API_URL is wrong" in found["gateway"]["advice"]
    assert "warning" == found["page"]["verdict"]


def test_a_service_that_is_away_is_named(sick: Sick) -> None:
    sick.platform.kill("prompt_service")
    try:
        code, found = sick.doctor()
    finally:
        sick.platform.start_one("prompt_service")
        sick.platform.wait_until_healthy()

    assert (1, "failure") == (code, found["service prompt"]["verdict"])
    assert "prompt.log" in found["service prompt"]["advice"]
