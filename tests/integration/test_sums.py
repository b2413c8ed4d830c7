"""However turns end: a chat costs what its messages cost, and these what the ledger says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from parley_tests.database import fresh_database
from parley_tests.peers import RunningPeer, running_peer
from parley_tests.platform import Platform, running_platform
from parley_tests.sse import events

pytestmark = pytest.mark.integration

MODEL = "gpt-peer-mini"
ENDINGS: Mapping[str, Mapping[str, Any]] = {
    "complete": {},
    "without counts": {"usage": False},
    "cut": {"cut_after": 20},
    "failed": {"error": "server_error", "error_after": 20},
    "refused": {"error": "invalid_api_key"},
    "stopped": {"hold_after": 20},
}
NOBODY_WAITS_SECONDS = 20.0


@pytest.fixture(scope="module")
def vendor() -> Iterator[RunningPeer]:
    with running_peer("openai", "--tokens", "40") as vendor:
        yield vendor


@pytest.fixture(scope="module")
def url(database_server: str) -> Iterator[str]:
    with fresh_database(database_server) as url:
        yield url


@pytest.fixture(scope="module")
def platform(
    url: str, tmp_path_factory: pytest.TempPathFactory, vendor: RunningPeer
) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("sums")
    with running_platform(url, logs, vendor.settings | {"DEFAULT_PROVIDER": "openai"}) as platform:
        with httpx.Client(base_url=platform.url, headers=platform.client().headers) as admin:
            price = {"price": {"input": "3", "output": "15"}}
            admin.patch(f"/providers/openai/models/{MODEL}", json=price).raise_for_status()
        yield platform


@given(
    endings=st.lists(st.sampled_from([*ENDINGS, "killed"]), min_size=2, max_size=6).filter(
        lambda endings: endings.count("killed") <= 1
    )
)
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_a_chat_costs_what_its_messages_and_the_ledger_say(
    platform: Platform, vendor: RunningPeer, url: str, endings: list[str]
) -> None:
    async with platform.client() as client:
        chat_id = f"sum-{time.monotonic_ns()}"
        for ending in endings:
            vendor.script(**ENDINGS.get(ending, ENDINGS["stopped"]))
            await turn(platform, client, chat_id, ending)
            vendor.release()
        chat = await settled(client, chat_id)

    replies = [one for one in chat["messages"] if one["role"] == "assistant"]
    costs = [Decimal(one["cost"]["amount"]) for one in replies if one["cost"]]
    tokens = [one["usage"]["output_tokens"] for one in replies if one["usage"]]
    assert len(endings) == len(replies)
    assert sum(costs) == Decimal(chat["cost"]["amount"])
    assert sum(tokens) == chat["usage"]["output_tokens"]
    assert 0 == chat["unpriced_messages"]
    # A reply that says anything was charged for.
    assert all(one["cost"] for one in replies if one["content"])
    assert_ledger(url, [one["message_id"] for one in replies], sum(costs, Decimal(0)))


async def turn(platform: Platform, client: httpx.AsyncClient, chat_id: str, ending: str) -> None:
    """Hold a turn that ends like this."""
    body = {"message": "Hi", "chat_id": chat_id, "provider": "openai", "model": MODEL}
    async with client.stream("POST", "/chat", json={**body, "stream": True}) as answer:
        async for event in events(answer):
            if event.name == "start":
                reply = f"/chats/{chat_id}/messages/{event.data['message_id']}"
            elif event.name == "delta" and ending == "stopped":
                (await client.post(f"{reply}/stop")).raise_for_status()
            elif event.name == "delta" and ending == "killed":
                platform.kill("provider_service")
                platform.start_one("provider_service")
                ending = "interrupted"
    platform.wait_until_healthy()


async def settled(client: httpx.AsyncClient, chat_id: str) -> Any:
    """Return a chat as soon as the ledger has settled all of it."""
    async with asyncio.timeout(NOBODY_WAITS_SECONDS):
        while True:
            answer = await client.get(f"/chat/history/{chat_id}?page_size=100")
            chat = answer.raise_for_status().json()
            if not chat["unsettled_messages"]:
                return chat
            await asyncio.sleep(0.2)


def assert_ledger(url: str, usage_ids: list[str], cost: Decimal) -> None:
    """Each reply has one row at the most, and the roll-ups are the sums of all rows."""
    with psycopg.connect(url) as owner:
        rows = owner.execute(
            "select coalesce(sum(cost_nano_usd), 0), bool_and(status = 'settled')"
            " from provider.provider_usage where usage_id = any(%s::uuid[])",
            [usage_ids],
        ).fetchall()
        sums = owner.execute(
            "select (select coalesce(sum(cost_nano_usd), 0) from provider.provider_usage)"
            " = (select coalesce(sum(cost_nano_usd), 0) from provider.usage_days)"
        ).fetchall()
    assert [(cost * 10**9, True)] == rows
    assert [(True,)] == sums
