"""Measures what is promised of turns: stops, overload, the first token, and what a crash leaves.

    python tests/bench/figures.py [stops] [overload] [first-token] [orphans]

Four services as processes, a vendor in this one, everything on loopback. Times are of this run
and this machine; what is promised stands beside them.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from parley_provider_sdk.testing import Peer
from parley_tests.database import fresh_database, server
from parley_tests.openai_peer import OpenAIDialect
from parley_tests.platform import ADMIN_KEY, Platform, running_platform

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
KEY = "sk-a-vendors-key"
STOPS = 200
CAPACITY, STEP_SECONDS, HELD_SECONDS = 40, 10.0, 2.0
ORPHANS = 20


def quantiles(seconds: Sequence[float]) -> str:
    """Say p50, p99 and the largest, in milliseconds."""
    ranked = sorted(seconds)
    p50, p99 = statistics.median(ranked), ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
    return f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, max {ranked[-1] * 1000:.0f} ms"


class Client:
    """A thin client of the gateway."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    @asynccontextmanager
    async def stream(self, message: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Stream a turn in a new chat; yields the data of its events."""
        body = {"message": message, "stream": True}
        async with self.session.post(f"{self.url}/chat", json=body) as answer:
            answer.raise_for_status()
            yield data_of(answer)

    async def send(self, message: str) -> tuple[int, float]:
        """Send a message; return the status and the seconds that it took."""
        began = time.perf_counter()
        async with self.session.post(f"{self.url}/chat", json={"message": message}) as answer:
            await answer.read()
            return answer.status, time.perf_counter() - began


async def data_of(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Yield the data of server-sent events."""
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def stops(client: Client, peer: Peer, _: Platform) -> None:
    """From the request to stop to the vendor's connection closed."""
    closed = []
    for number in range(STOPS):
        peer.script(texts=["word "] * 4000, pace=50)
        async with client.stream(f"Talk {number}") as events:
            start = await anext(events)
            await anext(events)
            where = f"/chats/{start['chat_id']}/messages/{start['message_id']}/stop"
            began = time.perf_counter()
            stop = asyncio.create_task(client.session.post(client.url + where))
            await peer.disconnected()
            closed.append(time.perf_counter() - began)
            (await stop).release()
    told(f"stop → vendor's connection closed, {STOPS} stops (≤ 1 s)", quantiles(closed))


async def overload(client: Client, peer: Peer, _: Platform) -> None:
    """Five times as many turns a second as there are places for."""
    peer.script(texts=["word "], delay=HELD_SECONDS)
    rate = 5 * CAPACITY / HELD_SECONDS
    tasks = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(int(rate * STEP_SECONDS)):
        await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
        tasks.append(asyncio.create_task(client.send(f"Step {number}")))
    answers = await asyncio.gather(*tasks)
    refused = [seconds for status, seconds in answers if status == 503]
    served = [seconds for status, seconds in answers if status == 200]
    others = len(answers) - len(refused) - len(served)
    told(
        f"overload, {rate:.0f} turns/s on {CAPACITY} places of {HELD_SECONDS:.0f} s (≤ 100 ms)",
        f"{len(refused)} refused: {quantiles(refused)}; {len(served)} served: {quantiles(served)};"
        f" {others} others",
    )


async def first_token(client: Client, peer: Peer, _: Platform) -> None:
    """What Parley adds before the first token, one client at a time."""
    peer.script(texts=["word "])
    body = {"model": "gpt-peer", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    headers = {"Authorization": f"Bearer {KEY}"}
    through, direct = [], []
    for number in range(220):
        began = time.perf_counter()
        async with client.stream(f"Hi {number}") as events:
            await anext(events)
            await anext(events)
            through.append(time.perf_counter() - began)
        began = time.perf_counter()
        where = f"{peer.base_url}/chat/completions"
        async with client.session.post(where, json=body, headers=headers) as answer:
            await anext(data_of(answer))
            direct.append(time.perf_counter() - began)
    told("first token through Parley (added: p50 ≤ 10 ms, p99 ≤ 40 ms)", quantiles(through[20:]))
    told("first token of the vendor alone", quantiles(direct[20:]))


async def orphans(client: Client, peer: Peer, platform: Platform) -> None:
    """From kill -9 of the chat service to its replies being closed."""
    closed = []
    for number in range(ORPHANS):
        peer.script(texts=["word "] * 4000, pace=50)
        async with client.stream("Talk") as events:
            start = await anext(events)
            await anext(events)
            # Anywhere between two renewals of its lease.
            await asyncio.sleep(2.0 * number / ORPHANS)
            began = time.perf_counter()
            await asyncio.to_thread(platform.kill, "chat_service")
        platform.start_one("chat_service")
        where = f"{client.url}/chat/history/{start['chat_id']}"
        status = "running"
        while status == "running":
            await asyncio.sleep(0.1)
            async with client.session.get(where) as answer:
                if answer.ok:
                    status = (await answer.json())["messages"][-1]["status"]
        closed.append(time.perf_counter() - began)
    told(f"kill -9 → reply closed, {ORPHANS} kills (≤ 30 s, p50 ≤ 10 s)", quantiles(closed))


def told(what: str, figures: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{what}: {figures}\n")
    sys.stdout.flush()


Measure = Callable[[Client, Peer, Platform], Awaitable[None]]
MEASURES: dict[str, tuple[Measure, dict[str, str]]] = {
    "stops": (stops, {}),
    "overload": (overload, {"MAX_REPLIES_PER_PROVIDER": str(CAPACITY)}),
    "first-token": (first_token, {}),
    "orphans": (orphans, {}),
}


async def measure(name: str, database_url: str) -> None:
    """Bring everything up, and measure one thing."""
    run, settings = MEASURES[name]
    logs = Path(tempfile.mkdtemp(prefix="parley-figures-"))
    async with Peer(OpenAIDialect(), key=KEY, record=False) as peer:
        vendor = {
            "OPENAI_BASE_URL": peer.base_url,
            "OPENAI_API_KEY": KEY,
            "DEFAULT_PROVIDER": "openai",
        }
        context = running_platform(database_url, logs, vendor | settings)
        platform = await asyncio.to_thread(context.__enter__)
        try:
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:
                client = Client(session, platform.url)
                await client.send("Warm up.")
                await run(client, peer, platform)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)


def main() -> None:
    """Measure what is named, or everything."""
    for name in sys.argv[1:] or MEASURES:
        with server(durable=True) as database_server, fresh_database(database_server) as url:
            asyncio.run(measure(name, url))


if __name__ == "__main__":
    main()
