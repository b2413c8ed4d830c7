"""The gateways over HTTP, as lean as a client can be: hundreds of them share the machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp

# What says that an answer is lost, and nothing of what became of the request.
LOST = (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError, ValueError)
REFUSED = aiohttp.ClientConnectorError
ANSWER_SECONDS = 20.0


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    id: str
    data: dict[str, Any]


class Api:
    """Calls any of several gateways as any of several users."""

    def __init__(self, gateways: Sequence[str], keys: Sequence[str]) -> None:
        self.gateways = gateways
        self.headers = [{"Authorization": f"Bearer {key}"} for key in keys]
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        # `total` bounds an answer that is not streamed; `sock_read` is the silence of a stream.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=ANSWER_SECONDS)
        self.session = aiohttp.ClientSession(connector=connector, timeout=timeout)

    @asynccontextmanager
    async def call(
        self,
        method: str,
        path: str,
        *,
        user: int,
        gateway: int,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Call a gateway and give the answer, whose body is not read yet; LOST."""
        url = self.gateways[gateway % len(self.gateways)] + path
        sent = self.headers[user] | (headers or {})
        async with self.session.request(method, url, headers=sent, json=body) as answer:
            yield answer

    async def ask(
        self, method: str, path: str, *, user: int, gateway: int
    ) -> tuple[int, dict[str, Any]]:
        """Call a gateway and return status and document; LOST."""
        async with self.call(method, path, user=user, gateway=gateway) as answer:
            return answer.status, await document(answer)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.session.close()


async def document(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Read a JSON body; empty when there is none; LOST."""
    text = await answer.read()
    read = json.loads(text) if text else {}
    return read if isinstance(read, dict) else {}


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """Yield server-sent events as they come; LOST."""
    waiting = b""
    async for chunk in answer.content.iter_any():
        *frames, waiting = (waiting + chunk).split(b"\n\n")
        for frame in frames:
            if event := parsed(frame.decode()):
                yield event


def parsed(frame: str) -> Event | None:
    """Read one frame; None when it is a comment."""
    lines = [line.partition(":") for line in frame.splitlines()]
    fields = {name: value.removeprefix(" ") for name, _, value in lines if name}
    if "data" not in fields:
        return None
    return Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
