"""How the platform is told to be: quickly, whatever is away."""

from __future__ import annotations

import time

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.api.dependencies import Gateway
from parley_rpc.server import NOT_SERVING

from parley.provider.v1.provider_pb2 import (
    PROVIDER_STATUS_READY,
    PROVIDER_STATUS_UNCONFIGURED,
    ListProvidersResponse,
    Provider,
)

from .fakes import FakeServices, Outage, Script

pytestmark = pytest.mark.unit

OK = dict.fromkeys(("chat", "prompt", "provider", "database"), "ok")


@pytest.fixture(autouse=True)
def providers(script: Script) -> None:
    demo = Provider(name="demo", status=PROVIDER_STATUS_READY)
    acme = Provider(name="acme", status=PROVIDER_STATUS_UNCONFIGURED)
    script.answers["ListProviders"] = ListProvidersResponse(providers=[demo, acme])


async def test_all_is_well(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/health")

    assert (200, "ok", OK) == (
        answer.status_code,
        answer.json()["status"],
        answer.json()["services"],
    )
    assert {"demo": "ready", "acme": "unconfigured"} == answer.json()["providers"]
    assert "0.1.0" == answer.json()["version"]


async def test_providers_are_remembered_for_a_moment(
    stranger: httpx.AsyncClient, script: Script
) -> None:
    for _ in range(3):
        await stranger.get("/health")

    assert ["ListProviders"] == [received.method for received in script.received]


async def test_a_service_that_is_away_is_503_and_quickly_told(
    stranger: httpx.AsyncClient, services: FakeServices
) -> None:
    await services.server.stop(0)
    began = time.monotonic()

    answer = await stranger.get("/health")

    assert time.monotonic() - began < 1.5
    assert 503 == answer.status_code
    away = dict.fromkeys(("chat", "prompt", "provider"), "unavailable")
    assert OK | away == answer.json()["services"]
    assert "application/json" == answer.headers["content-type"]


async def test_a_service_that_is_unwell_is_503(
    stranger: httpx.AsyncClient, services: FakeServices
) -> None:
    await services.server.health.set("", NOT_SERVING)

    assert 503 == (await stranger.get("/health")).status_code


async def test_a_database_that_is_away_is_503(stranger: httpx.AsyncClient, outage: Outage) -> None:
    outage.now = True

    answers = [await stranger.get(path) for path in ("/health", "/readyz", "/livez")]

    assert [503, 503, 200] == [answer.status_code for answer in answers]
    assert "unavailable" == answers[0].json()["services"]["database"]


async def test_before_keys_are_recognized_it_is_not_ready(
    stranger: httpx.AsyncClient, gateway: Gateway
) -> None:
    gateway.keyring.administrator = None

    answers = [await stranger.get(path) for path in ("/health", "/readyz")]

    assert [503, 503] == [answer.status_code for answer in answers]


async def test_it_is_ready(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/readyz")

    assert (200, {"status": "ok"}) == (answer.status_code, answer.json())


async def test_a_call_to_a_service_that_is_away_is_503_within_two_seconds(
    client: httpx.AsyncClient, services: FakeServices
) -> None:
    await services.server.stop(0)
    began = time.monotonic()

    answer = await client.post("/chat", json={"message": "Hi"})

    assert time.monotonic() - began < 2.0
    assert (503, "unavailable", {"service": "chat"}) == (
        answer.status_code,
        answer.json()["reason"],
        answer.json()["metadata"],
    )
    assert answer.headers["retry-after"]


async def test_a_gateway_that_stops_says_so_before_its_port_closes(
    app: FastAPI, stranger: httpx.AsyncClient
) -> None:
    app.state.monitor.stopping = True

    answers = [await stranger.get(path) for path in ("/readyz", "/health", "/livez")]

    assert [503, 503, 200] == [answer.status_code for answer in answers]
