"""More turns than there are places for: told at once, while those inside go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import Platform, running_platform

pytestmark = pytest.mark.integration

PLACES = 3


@pytest.fixture(scope="module")
def small(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("small")
    settings = {"MAX_REPLIES_PER_PROVIDER": str(PLACES), "DEMO_PACE": "40"}
    with fresh_database(database_server) as url, running_platform(url, logs, settings) as platform:
        yield platform


async def begun(client: httpx.AsyncClient, number: int) -> tuple[asyncio.Event, asyncio.Task[str]]:
    """Begin a long turn; return what tells that it began, and its stream to its end."""
    started = asyncio.Event()

    async def stream() -> str:
        body = {"message": "/long 120", "chat_id": f"long-{number}", "stream": True}
        told = ""
        async with client.stream("POST", "/chat", json=body) as answer:
            async for line in answer.aiter_lines():
                started.set()
                told += line + "\n"
        return told

    return started, asyncio.create_task(stream())


async def test_who_finds_no_place_is_told_and_nobody_else_notices(small: Platform) -> None:
    async with small.client() as client:
        turns = [await begun(client, number) for number in range(PLACES)]
        for started, _ in turns:
            await started.wait()

        sends = [client.post("/chat", json={"message": f"Late {n}"}) for n in range(10)]
        refused = await asyncio.gather(*sends)

        told = [(answer.status_code, answer.json().get("reason")) for answer in refused]
        assert {(503, "too_busy")} == set(told)
        assert {"1"} == {answer.headers["retry-after"] for answer in refused}
        assert {"demo"} == {answer.json()["metadata"]["provider"] for answer in refused}
        for _, stream in turns:
            assert '"status":"complete"' in await stream
        chats = (await client.get("/chat/history", params={"page_size": 100})).json()["chats"]
        assert {f"long-{number}" for number in range(PLACES)} == {one["chat_id"] for one in chats}
        assert 200 == (await client.post("/chat", json={"message": "Now"})).status_code
