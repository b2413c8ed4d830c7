"""An administrator configures providers while Parley runs, and every process obeys."""

from __future__ import annotations

import asyncio
import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from parley_rpc.client import Peer
from parley_rpc.context import ADMIN
from parley_tests.database import fresh_database
from parley_tests.peers import KEY, RunningPeer, running_peer
from parley_tests.platform import Platform, free_port, running_platform

from parley.provider.v1.provider_pb2 import ListProvidersRequest
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

pytestmark = pytest.mark.integration

WITHIN_SECONDS = 5.0


def new_master_key() -> str:
    return urlsafe_b64encode(os.urandom(32)).decode()


def written(keys: Path, text: str) -> str:
    keys.write_text(text + "\n")
    return text


def with_a_new_one(keys: Path) -> tuple[str, str]:
    old = keys.read_text()
    return old, written(keys, f"{new_master_key()}\n{old}")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "master.keys"
    written(file, new_master_key())
    return file


@pytest.fixture
def vendors() -> Iterator[tuple[RunningPeer, RunningPeer]]:
    """Two servers that speak the same wire and know only the right key."""
    with running_peer("openai", "--tokens", "5") as one, running_peer("openai") as other:
        yield one, other


@pytest.fixture(scope="module")
def url(database_server: str) -> Iterator[str]:
    with fresh_database(database_server) as url:
        yield url


@pytest.fixture(scope="module")
def parley(url: str, tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("logs")
    with running_platform(url, logs, {"MASTER_KEY_FILE": str(keys)}) as platform:
        yield platform


@pytest.fixture
async def admin(parley: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator; what they have decided is taken back after the test."""
    async with parley.client() as client:
        yield client
        await ok(client.patch("/providers/demo", json={"enabled": True, "is_default": True}))
        for one in (await ok(client.get("/providers")))["providers"]:
            if one["kind"] != one["name"]:
                await ok(client.delete(f"/providers/{one['name']}"))


@pytest.fixture
async def ada(parley: Platform, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody new, whose usage is all that they see."""
    async with parley.client(await parley.new_user(request.node.name)) as client:
        yield client


async def ok(answer: Any) -> Any:
    response = await answer
    assert response.is_success, response.text
    return response.json() if response.content else None


async def configured(admin: httpx.AsyncClient, name: str, vendor: RunningPeer) -> Any:
    """Add a configuration of the plugin, with its key."""
    body = {"name": name, "plugin": "openai", "base_url": vendor.base_url}
    await ok(admin.post("/providers", json=body))
    return await ok(admin.put(f"/providers/{name}/credentials", json={"api_key": KEY}))


async def ask(client: httpx.AsyncClient, **body: Any) -> Any:
    return await ok(client.post("/chat", json={"message": "Hi", **body}))


async def test_two_configurations_of_one_plugin_reach_two_servers(
    admin: httpx.AsyncClient, vendors: tuple[RunningPeer, RunningPeer]
) -> None:
    shown = await configured(admin, "house", vendors[0])
    await configured(admin, "cellar", vendors[1])

    one = await ask(admin, provider="house", model="gpt-peer")
    other = await ask(admin, provider="cellar", model="gpt-peer")

    assert (5, 64) == (one["usage"]["output_tokens"], other["usage"]["output_tokens"])
    assert {"source": "stored", "last4": KEY[-4:]} == shown["configuration"]["credential"]
    await ok(admin.put("/aliases/quick", json={"provider": "cellar", "model": "gpt-peer"}))
    named = [await ask(admin, model=name) for name in ("quick", "house/gpt-peer")]
    assert [("cellar", "gpt-peer"), ("house", "gpt-peer")] == [
        (reply["provider"], reply["model"]) for reply in named
    ]
    for vendor in vendors:
        asked = [one["headers"]["authorization"] for one in vendor.asked()]
        assert [f"Bearer {KEY}"] * 2 == asked


async def test_what_is_decided_holds_in_every_process_within_five_seconds(
    parley: Platform, admin: httpx.AsyncClient, vendors: tuple[RunningPeer, RunningPeer]
) -> None:
    port = free_port()
    second = parley.start_another("provider_service", PROVIDER_PORT=str(port))
    peer = Peer("provider", f"127.0.0.1:{port}", parley.keys.credential("chat"))
    caller = parley.keys.caller("0198a000-0000-7000-8000-00000000000a", ADMIN)
    stub: Any = ProviderServiceStub(peer.channel)

    async def seen() -> dict[str, tuple[bool, str, bool]]:
        answer = await stub.ListProviders(
            ListProvidersRequest(),
            metadata=peer.metadata(caller.metadata),
            wait_for_ready=True,
            timeout=30,
        )
        return {
            one.name: (one.enabled, one.configuration.credential_last4, one.is_default)
            for one in answer.providers
        }

    try:
        assert "house" not in await seen()
        await configured(admin, "house", vendors[0])
        await ok(admin.patch("/providers/house", json={"is_default": True}))
        await ok(admin.patch("/providers/demo", json={"enabled": False}))
        began = time.monotonic()
        expected = {"house": (True, KEY[-4:], True), "demo": (False, "", False)}
        while expected.items() - (await seen()).items():
            assert time.monotonic() - began < WITHIN_SECONDS
            await asyncio.sleep(0.1)
        refused = await admin.post("/chat", json={"message": "Hi", "provider": "demo"})
        assert (409, "provider_not_ready") == (refused.status_code, refused.json()["reason"])
    finally:
        await peer.aclose()
        second.terminate()
        second.wait(15)


async def test_keys_stand_nowhere_and_survive_a_new_master_key(
    parley: Platform,
    admin: httpx.AsyncClient,
    vendors: tuple[RunningPeer, RunningPeer],
    keys: Path,
    url: str,
) -> None:
    await configured(admin, "house", vendors[0])
    old, both = with_a_new_one(keys)

    rotated = await ok(admin.post("/providers/credentials/rotate"))
    written(keys, both.splitlines()[0])
    await asyncio.sleep(2.5)
    answer = await ask(admin, provider="house", model="gpt-peer")
    listed = await ok(admin.get("/providers"))
    written(keys, old)
    await asyncio.sleep(2.5)
    lost = {one["name"]: one for one in (await ok(admin.get("/providers")))["providers"]}

    assert {"rotated": 1, "unreadable": []} == rotated
    assert "complete" == answer["status"]
    assert KEY not in json.dumps(listed)
    assert "unreadable" == lost["house"]["configuration"]["credential"]["source"]
    assert "master key" in lost["house"]["error"]
    assert "ready" == lost["demo"]["status"]
    with psycopg.connect(url) as connection:
        query = "select provider_configs::text from provider.provider_configs"
        rows = "".join(str(row) for row in connection.execute(query))
    assert KEY not in rows
    assert KEY.encode().hex() not in rows
    logs = "".join(parley.log(name) for name in parley.processes)
    assert KEY not in logs


async def test_a_failing_vendor_costs_no_request_where_another_is_named(
    admin: httpx.AsyncClient,
    ada: httpx.AsyncClient,
    vendors: tuple[RunningPeer, RunningPeer],
) -> None:
    bad, good = vendors
    await configured(admin, "bad", bad)
    await configured(admin, "good", good)
    bad.script(error="server_error")

    named = await asyncio.gather(
        *(
            ask(ada, provider="bad", model="gpt-peer", fallbacks=["good/gpt-peer"])
            for _ in range(20)
        )
    )
    await ok(admin.patch("/providers/bad", json={"fallbacks": ["good/gpt-peer-mini"]}))
    policy = await ask(ada, provider="bad", model="gpt-peer")

    assert {("good", "gpt-peer")} == {(one["provider"], one["model"]) for one in named}
    assert ("good", "gpt-peer-mini") == (policy["provider"], policy["model"])
    records = (await ok(ada.get("/usage/records")))["records"]
    attempts = [[one["provider"] for one in record["attempts"]] for record in records]
    assert [] in attempts or ["bad", "good"] in attempts
    assert {"good"} == {record["provider"] for record in records}


async def test_usage_is_the_sum_of_the_messages(
    admin: httpx.AsyncClient,
    ada: httpx.AsyncClient,
    vendors: tuple[RunningPeer, RunningPeer],
) -> None:
    await configured(admin, "house", vendors[0])
    price = {"input": "1", "output": "2.5"}
    await ok(admin.patch("/providers/house/models/gpt-peer", json={"price": price}))

    answers = [await ask(ada, provider="house", model="gpt-peer") for _ in range(3)]
    usage = await ok(ada.get("/usage", params={"group_by": "provider,model"}))

    [row] = usage["rows"]
    tokens = [one["usage"]["output_tokens"] for one in answers]
    assert ("house", "gpt-peer", 3, sum(tokens)) == (
        row["provider"],
        row["model"],
        row["requests"],
        row["output_tokens"],
    )
    nano = sum(round(float(one["cost"]["amount"]) * 1e9) for one in answers)
    assert nano == round(float(usage["total"]["cost"]["amount"]) * 1e9) > 0
