"""64 clients at once: no error, no message lost or doubled, and the limit exact."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import Platform, running_platform
from parley_tests.sse import send, text_of

pytestmark = pytest.mark.integration

CLIENTS = 64
TURNS = 16
LIMIT = 150


async def converse(client: httpx.AsyncClient, chat: str) -> list[str]:
    """Hold a conversation, every other turn streamed; return what was said and answered."""
    said: list[str] = []
    for number in range(TURNS):
        message = f"/echo {chat} says {number} ✓"
        if number % 2:
            turn = await send(client, message=message, chat_id=chat)
            said += [message, text_of(turn)]
        else:
            body = {"message": message, "chat_id": chat}
            answer = (await client.post("/chat", json=body)).raise_for_status().json()
            said += [message, answer["response"]]
    return said


async def test_64_clients_with_16_turns_each_lose_and_double_nothing(platform: Platform) -> None:
    async with platform.client(await platform.new_user("many")) as client:
        chats = [f"client-{number}" for number in range(CLIENTS)]
        said = await asyncio.gather(*(converse(client, chat) for chat in chats))
        histories = [
            (await client.get(f"/chat/history/{chat}?page_size=100")).json() for chat in chats
        ]

    for chat, messages, history in zip(chats, said, histories, strict=True):
        assert messages == [message["content"] for message in history["messages"]], chat
        assert list(range(1, 2 * TURNS + 1)) == [m["seq"] for m in history["messages"]]
        assert {"complete"} == {m["status"] for m in history["messages"]}


async def test_the_limit_is_exact_over_two_gateways(database_server: str, tmp_path: Path) -> None:
    limit = {"RATE_LIMIT_PER_HOUR": str(LIMIT)}
    with (
        fresh_database(database_server) as url,
        running_platform(url, tmp_path, limit) as platform,
        platform.second_gateway() as other,
    ):
        key = await platform.new_user("eager")
        async with platform.client(key) as one, platform.client(key, other) as two:
            answers = await asyncio.gather(
                *((one, two)[n % 2].get("/chat/history") for n in range(LIMIT + 100))
            )

    assert Counter({200: LIMIT, 429: 100}) == Counter(a.status_code for a in answers)
    refused = next(a for a in answers if a.status_code == 429)
    assert ("limit_exceeded", "0") == (
        refused.json()["reason"],
        refused.headers["x-ratelimit-remaining-requests"],
    )
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
