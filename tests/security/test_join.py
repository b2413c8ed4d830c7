"""One id leads from an answer to the line of every service that had a part in it: P40."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from parley_tests.platform import SERVICES, Platform

pytestmark = pytest.mark.api

TOLD_WITHIN_SECONDS = 10.0
ALL = {"gateway", "chat", "prompt", "provider"}


@pytest.fixture
def client(platform: Platform) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {platform.environment['API_KEY']}"}
    with httpx.Client(base_url=platform.url, headers=headers, timeout=30) as client:
        yield client


def lines(platform: Platform, request_id: str) -> list[dict[str, Any]]:
    """What all services logged of a request."""
    logs = "".join(platform.log(name) for name in SERVICES)
    return [json.loads(line) for line in logs.splitlines() if request_id in line]


def joined(platform: Platform, request_id: str, services: set[str]) -> list[dict[str, Any]]:
    """The same, once all of these have."""
    give_up = time.monotonic() + TOLD_WITHIN_SECONDS
    found: list[dict[str, Any]] = []
    while time.monotonic() < give_up and services != {line["service"] for line in found}:
        time.sleep(0.05)
        found = lines(platform, request_id)
    return found


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("message", ["Hello", "/error 503", "/break 500 Half"])
def test_a_turn_has_one_id_everywhere(
    platform: Platform, client: httpx.Client, message: str, stream: bool
) -> None:
    given = f"join.{int(stream)}-{len(message)}"
    body = {"message": message, "stream": stream, "provider": "demo"}

    answer = client.post("/chat", headers={"X-Request-Id": given}, json=body)

    assert given == answer.headers["x-request-id"]
    found = joined(platform, given, ALL)
    assert ALL == {line["service"] for line in found}
    assert {given} == {line["request_id"] for line in found}
    if message != "Hello":
        assert f'"instance":"{given}"' in answer.text


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/chat/history/nobody", "chat"),
        ("/system-prompts/nobody", "prompt"),
        ("/providers/nobody/health", "provider"),
    ],
)
def test_a_refusal_names_the_id_under_which_its_service_logged_it(
    platform: Platform, client: httpx.Client, path: str, service: str
) -> None:
    answer = client.get(path)

    made = answer.json()["instance"]
    assert made == answer.headers["x-request-id"]
    assert str(UUID(made)) == made
    services = {"gateway", service}
    assert services == {line["service"] for line in joined(platform, made, services)}


@pytest.mark.parametrize(
    ("path", "headers"), [("/me", {"Authorization": "Bearer wrong"}), ("/nothing", {})]
)
def test_what_the_gateway_refuses_itself_has_one_too(
    platform: Platform, client: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    answer = client.get(path, headers=headers)

    found = joined(platform, answer.json()["instance"], {"gateway"})
    assert [answer.status_code] == [line["status"] for line in found]


@pytest.mark.parametrize("given", ["a b", "x" * 101, "a/b", "{}", "é".encode().decode("latin-1")])
def test_an_id_that_could_confuse_a_log_is_not_taken(client: httpx.Client, given: str) -> None:
    headers = {"X-Request-Id": given.encode("latin-1")}
    answer = client.get("/livez", headers=headers)  # type: ignore[arg-type]

    assert str(UUID(answer.headers["x-request-id"])) == answer.headers["x-request-id"]
