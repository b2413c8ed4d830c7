"""A client that keeps sending and obeys: it waits as it is told, and repeats with the same key."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import httpx

from parley_tests.platform import ADMIN_KEY
from parley_tests.sse import events

GIVE_UP_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 2.0


@dataclass
class Sent:
    """One message that a client sent, and what it was told of it."""

    text: str
    key: str
    streamed: bool
    # When it was first told that the turn exists, which is from then on a promise.
    message_id: str = ""
    # `end`, or the reason of the last failure.
    outcome: str = ""
    failure_after_start: str = ""


class Sender:
    """Sends messages into one chat, one after the other, through each gateway in turn.

    Every second message is streamed. `told` counts the failures that it was told of and mended by
    repeating.
    """

    def __init__(self, urls: Sequence[str], chat_id: str, command: str) -> None:
        self.chat_id = chat_id
        self.command = command
        self.sent: list[Sent] = []
        self.told: Counter[str] = Counter()
        self.stopping = False
        self._clients = [
            httpx.AsyncClient(base_url=url, headers={"x-api-key": ADMIN_KEY}, timeout=30)
            for url in urls
        ]
        self._turn = 0

    async def run(self) -> None:
        """Send until `stopping`; what was begun is brought to its end."""
        try:
            while not self.stopping:
                text = f"{self.command} {len(self.sent)}"
                sent = Sent(text, str(uuid4()), streamed=len(self.sent) % 2 == 0)
                self.sent.append(sent)
                await self._insist(sent)
        finally:
            for client in self._clients:
                await client.aclose()

    async def _insist(self, sent: Sent) -> None:
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < give_up:
            wait = await self._try(sent)
            if sent.outcome == "end":
                return
            self.told[sent.outcome] += 1
            if wait < 0:
                return
            await asyncio.sleep(wait)

    async def _try(self, sent: Sent) -> float:
        """Send once; return how long to wait, less than 0 when repeating does not help."""
        self._turn += 1
        client = self._clients[self._turn % len(self._clients)]
        body = {"message": sent.text, "chat_id": self.chat_id, "stream": sent.streamed}
        request = client.build_request(
            "POST", "/chat", json=body, headers={"Idempotency-Key": sent.key}
        )
        try:
            answer = await client.send(request, stream=True)
            try:
                return await self._read(sent, answer)
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            sent.outcome = type(error).__name__
            return 0.05

    async def _read(self, sent: Sent, answer: httpx.Response) -> float:
        if answer.is_success and sent.streamed:
            return await self._follow(sent, answer)
        document = httpx.Response(200, content=await answer.aread()).json()
        if answer.is_success:
            sent.message_id, sent.outcome = document["message_id"], "end"
            return 0.0
        return self._refused(sent, document, answer.headers.get("retry-after", "1"))

    async def _follow(self, sent: Sent, answer: httpx.Response) -> float:
        sent.outcome = "cut"
        async for event in events(answer):
            if event.name == "start":
                sent.message_id = event.data["message_id"]
            elif event.name == "end":
                sent.outcome = "end"
            elif event.name == "problem":
                return self._refused(sent, event.data, "1")
        return 0.05

    def _refused(self, sent: Sent, document: dict[str, object], retry_after: str) -> float:
        sent.outcome = str(document["reason"])
        if sent.message_id:
            sent.failure_after_start = sent.outcome
        retryable = document["retryable"] or sent.outcome == "unavailable"
        return min(float(retry_after), LONGEST_WAIT_SECONDS) if retryable else -1.0
