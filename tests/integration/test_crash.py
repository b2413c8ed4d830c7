"""kill -9 of any service: a 503 in under two seconds while it is away, nothing stored is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import Platform, running_platform

pytestmark = pytest.mark.integration

UPSTREAM = ["prompt_service", "provider_service", "chat_service"]


@pytest.fixture(scope="module")
def crashing(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("crash")
    # A long reply is in the middle for as long as it has to be, on a busy machine too.
    paced = {"DEMO_PACE": "500"}
    with fresh_database(database_server) as url, running_platform(url, logs, paced) as platform:
        yield platform


async def stored(client: httpx.AsyncClient, chat: str) -> list[str]:
    answer = await client.get(f"/chat/history/{chat}", params={"page_size": 100})
    return [message["content"] for message in answer.raise_for_status().json()["messages"]]


@pytest.mark.parametrize("service", UPSTREAM)
async def test_a_killed_service_is_missed_quickly_and_comes_back(
    crashing: Platform, service: str
) -> None:
    async with crashing.client() as client:
        first = await client.post("/chat", json={"message": "one", "chat_id": service})
        before = await stored(client, service)
        crashing.kill(service)

        began = time.monotonic()
        away = await client.post("/chat", json={"message": "lost", "chat_id": service})
        took = time.monotonic() - began

        crashing.start_one(service)
        await asyncio.to_thread(crashing.wait_until_healthy)
        again = await client.post("/chat", json={"message": "two", "chat_id": service})
        after = await stored(client, service)

    assert (200, 503, 200) == (first.status_code, away.status_code, again.status_code)
    assert "application/problem+json" == away.headers["content-type"]
    assert int(away.headers["retry-after"]) >= 1
    assert took < 2.0
    assert before == after[: len(before)]
    assert ["two", again.json()["response"]] == after[-2:]


async def test_a_killed_gateway_comes_back(crashing: Platform) -> None:
    async with crashing.client() as client:
        await client.post("/chat", json={"message": "one", "chat_id": "gateway"})
        before = await stored(client, "gateway")
    crashing.kill("gateway")
    crashing.start_one("gateway")
    await asyncio.to_thread(crashing.wait_until_healthy)

    async with crashing.client() as client:
        again = await client.post("/chat", json={"message": "two", "chat_id": "gateway"})
        after = await stored(client, "gateway")

    assert 200 == again.status_code
    assert before == after[: len(before)]


async def test_the_request_after_a_restart_waits_for_the_service(crashing: Platform) -> None:
    """Nobody has to poll /health: a service that is starting is waited for."""
    async with crashing.client() as client:
        crashing.kill("prompt_service")
        crashing.start_one("prompt_service")
        statuses = {503}
        give_up = time.monotonic() + 10
        while statuses == {503} and time.monotonic() < give_up:
            statuses = {(await client.get("/system-prompt")).status_code}

    assert {200} == statuses


async def test_a_turn_of_a_killed_chat_service_is_interrupted_with_all_that_was_shown(
    crashing: Platform,
) -> None:
    shown = ""
    async with crashing.client() as client:
        body = {"message": "/long 20000", "chat_id": "cut", "stream": True}
        async with client.stream("POST", "/chat", json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data:") and '"text"' in line:
                    shown += httpx.Response(200, content=line[5:]).json()["text"]
                if len(shown) > 200:
                    crashing.kill("chat_service")
                    break
        crashing.start_one("chat_service")
        await asyncio.to_thread(crashing.wait_until_healthy)
        message = await ended(client, "cut")

    assert "interrupted" == message["status"]
    assert message["content"].startswith(shown)


async def ended(client: httpx.AsyncClient, chat: str) -> dict[str, str]:
    give_up = time.monotonic() + 30
    message: dict[str, str] = {"status": "running"}
    while message["status"] == "running" and time.monotonic() < give_up:
        await asyncio.sleep(0.5)
        history = (await client.get(f"/chat/history/{chat}")).json()
        message = history["messages"][-1]
    return message
