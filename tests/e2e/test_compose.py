"""`docker compose up`: the images are built, the platform comes up, a conversation is held."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from parley_client import Client
from parley_tests.platform import free_port
from parley_tests.settings import docker_environment

ROOT = Path(__file__).parents[2]
KEY = "the-key-of-the-administrator"
BUILD_SECONDS = 1500

Compose = Callable[..., str]


def has_engine() -> bool:
    if shutil.which("docker") is None:
        return False
    commands = [["docker", "info"], ["docker", "compose", "version"]]
    return all(
        subprocess.run(c, capture_output=True, check=False).returncode == 0 for c in commands
    )


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(BUILD_SECONDS),
    pytest.mark.skipif(not has_engine(), reason="needs a Docker engine with compose"),
]


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {"GATEWAY_PORT": free_port(), "UI_PORT": free_port()}


@pytest.fixture(scope="module")
def compose(ports: dict[str, int]) -> Compose:
    """Runs docker compose in a project of its own; returns what it prints."""
    settings = {"API_KEY": KEY, **{name: str(port) for name, port in ports.items()}}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "--project-name", f"parley-test-{os.getpid()}", *arguments],
            cwd=ROOT,
            env=docker_environment() | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run


@pytest.fixture(scope="module")
def platform(compose: Compose, ports: dict[str, int]) -> Iterator[Client]:
    try:
        compose("up", "--build", "--wait", "--quiet-pull")
        with Client(f"http://127.0.0.1:{ports['GATEWAY_PORT']}", KEY) as client:
            yield client
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "15")


def test_a_conversation_is_held(platform: Client) -> None:
    first = platform.chat("Hello")
    second = platform.chat("And again", chat_id=first.chat_id)
    messages = list(platform.all_messages(first.chat_id))
    assert (first.status, second.status) == ("complete", "complete")
    assert [message.role for message in messages] == ["user", "assistant"] * 2


def test_the_page_answers(platform: Client, ports: dict[str, int]) -> None:
    connection = HTTPConnection("127.0.0.1", ports["UI_PORT"], timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_only_gateway_and_page_are_published(platform: Client, compose: Compose) -> None:
    rows = [json.loads(line) for line in compose("ps", "--format", "json").splitlines()]
    published = {
        row["Service"] for row in rows if any(p["PublishedPort"] for p in row["Publishers"] or [])
    }
    assert published == {"gateway", "ui"}


def test_our_images_do_not_run_as_root(platform: Client, compose: Compose) -> None:
    names = ("prompt", "provider", "chat", "gateway", "ui")
    assert {compose("exec", "-T", name, "id", "-u") for name in names} == {"10001\n"}


def test_a_stored_key_outlives_its_service(platform: Client, compose: Compose) -> None:
    platform.create_provider("house", "openai", base_url="http://127.0.0.1:1234/v1")
    platform.set_credential("house", "sk-house-0123456789-wxyz")
    compose("up", "--detach", "--wait", "--force-recreate", "--no-deps", "provider")
    house = next(one for one in platform.list_providers() if one.name == "house")
    platform.delete_provider("house")
    credential = house.configuration.credential if house.configuration else None
    assert credential
    assert (credential.source, credential.last4) == ("stored", "wxyz")
