"""The loads that are measured: turns in a closed loop, and streams at a steady pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from parley_tests.platform import ADMIN_KEY

T = TypeVar("T")

CALLERS = 16
HISTORY = 20
VENDOR_CALL = {
    "model": "gpt-peer",
    "messages": [
        {"role": role, "content": "And then? " * 8}
        for role in ("user", "assistant") * (HISTORY // 2)
    ],
}
# The same through us, kept nowhere.
STATELESS_CALL = {**VENDOR_CALL, "model": "openai/gpt-peer"}
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}


class Gateway:
    """A thin client, so that the load costs the machine little."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def turn(self, chat: str) -> float:
        """Hold one turn without streaming; return its seconds."""
        return await self.post("/chat", {"chat_id": chat, "message": "And then?"})

    async def call(self) -> float:
        """Send what a vendor is sent with a chat of 20 messages; return the seconds."""
        return await self.post("/chat", VENDOR_CALL)

    async def stateless(self) -> float:
        """Send the same as a call that is kept nowhere; return the seconds."""
        return await self.post("/v1/chat/completions", STATELESS_CALL)

    async def post(self, route: str, body: Mapping[str, object]) -> float:
        """Send one body; return the seconds to the end of its answer."""
        began = time.perf_counter()
        async with self.session.post(f"{self.url}{route}", json=body) as answer:
            told = await answer.read()
            if not answer.ok:
                raise RuntimeError(told.decode())
        return time.perf_counter() - began

    async def stream(self, message: str, **options: str) -> tuple[float, int]:
        """Stream one turn in a new chat; return the seconds to its first delta, and its bytes."""
        body = {"message": message, "stream": True} | options
        return await self.listen("/chat", body, b"event: delta", b"event: end")

    async def stream_stateless(self) -> float:
        """Stream a call that is kept nowhere; return the seconds to its first token."""
        body = STATELESS_CALL | {"stream": True}
        first, _ = await self.listen("/v1/chat/completions", body, b'"content":"', b"data: [DONE]")
        return first

    async def listen(
        self, route: str, body: Mapping[str, object], token: bytes, end: bytes
    ) -> tuple[float, int]:
        """Read a stream to its end; return the seconds to its first token, and its bytes."""
        began = time.perf_counter()
        first, size, last = 0.0, 0, b""
        async with self.session.post(f"{self.url}{route}", json=body) as answer:
            answer.raise_for_status()
            async for chunk in answer.content.iter_any():
                if not first and token in chunk:
                    first = time.perf_counter() - began
                size += len(chunk)
                last = (last + chunk)[-4096:]
        if end not in last:
            raise RuntimeError(last.decode())
        return first, size

    async def until_up(self) -> None:
        """Return when somebody listens, after ten seconds at most."""
        for _ in range(200):
            try:
                async with self.session.get(self.url):
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def gateway(url: str) -> AsyncIterator[Gateway]:
    """Open a client without a limit on connections."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(
        connector=connector, headers=HEADERS, timeout=timeout
    ) as session:
        yield Gateway(session, url)


async def prepare_chats(client: Gateway, count: int, messages: int) -> list[str]:
    """Make chats with so many messages each."""
    chats = [f"bench-{messages}-{number}" for number in range(count)]

    async def fill(chat: str) -> None:
        for _ in range(messages // 2):
            await client.turn(chat)

    await in_parallel([fill(chat) for chat in chats])
    return chats


async def turns(client: Gateway, chats: list[str]) -> list[float]:
    """Hold one turn in each chat, 16 at a time; return their seconds, sorted."""
    return sorted(await in_parallel([client.turn(chat) for chat in chats]))


async def calls(client: Gateway, count: int) -> list[float]:
    """Send so many calls to what passes them through."""
    return await in_parallel([client.call() for _ in range(count)])


async def stateless_calls(client: Gateway, count: int) -> list[float]:
    """Send so many calls that are kept nowhere; return their seconds, sorted."""
    return sorted(await in_parallel([client.stateless() for _ in range(count)]))


async def streams(client: Gateway, count: int) -> list[float]:
    """Hold so many streams at once; return the seconds to their first deltas."""
    work = [client.stream("Tell me a long story") for _ in range(count)]
    return [first for first, _ in await asyncio.gather(*work)]


async def stateless_streams(client: Gateway, count: int) -> list[float]:
    """Hold so many streams of calls that are kept nowhere; return the same."""
    return await asyncio.gather(*[client.stream_stateless() for _ in range(count)])


async def in_parallel(work: Sequence[Coroutine[None, None, T]]) -> list[T]:
    """Do all of it, `CALLERS` at a time."""
    gate = asyncio.Semaphore(CALLERS)

    async def one(item: Coroutine[None, None, T]) -> T:
        async with gate:
            return await item

    return await asyncio.gather(*map(one, work))
