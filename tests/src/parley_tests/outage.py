"""A steady load of reads and sends beside running streams, and what became of each of them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from parley_tests.platform import SERVICES, Platform
from parley_tests.sse import events

READS = ("/chat/history", "/system-prompt", "/usage", "/providers")
# Every so many requests is a send, which touches all four services.
SEND_EVERY = 2
GIVEN_UP_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """One request: when it was asked, in the monotonic clock, and what came."""

    kind: str
    asked_at: float
    seconds: float
    status: int
    reason: str = ""
    retry_after: int = 0
    chat_id: str = ""
    text: str = ""
    # Whether it is a turn that had begun: its caller waits until its ending is stored.
    begun: bool = False

    @property
    def says_away(self) -> bool:
        """Whether it is the one refusal that a fault of the database may cause."""
        reasons = {"database_unavailable"} | ({"turn_interrupted"} if self.begun else set())
        return self.status == 503 and self.reason in reasons and self.retry_after >= 1


@dataclass
class Streamed:
    """A stream: its message, the text that was shown, and the reason or name of its end."""

    chat_id: str
    message_id: str = ""
    shown: str = ""
    ending: str = ""


@dataclass
class Load:
    """Asks at a fixed rate, in a thread of its own, whether or not answers come."""

    platform: Platform
    key: str
    per_second: float = 20.0
    answers: list[Answer] = field(default_factory=list)
    streams: list[Streamed] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, streams: int = 0, words: int = 400) -> Iterator[Load]:
        """Ask for the length of a block; return when every answer has come."""
        self._stopping.clear()
        self.streams = [Streamed(f"stream-{time.monotonic_ns()}-{n}") for n in range(streams)]
        thread = threading.Thread(target=lambda: asyncio.run(self._run(words)))
        thread.start()
        try:
            give_up = time.monotonic() + GIVEN_UP_SECONDS
            while time.monotonic() < give_up and not all(one.shown for one in self.streams):
                time.sleep(0.02)
            yield self
        finally:
            self._stopping.set()
            thread.join()

    def until_well(self, since: float, within: float) -> None:
        """Return once whatever was asked for a second succeeds; fail when it does not in time."""
        give_up = since + within
        while time.monotonic() < give_up + 1:
            now = time.monotonic()
            last = [one for one in list(self.answers) if one.asked_at > max(since, now - 1)]
            if now > since + 1 and last and all(one.status == httpx.codes.OK for one in last):
                return
            time.sleep(0.05)
        raise TimeoutError(f"not well {within} s after the fault: {last[-3:]}")

    async def _run(self, words: int) -> None:
        async with self.platform.client(self.key) as client, asyncio.TaskGroup() as tasks:
            for one in self.streams:
                tasks.create_task(self._listen(client, one, words))
            number = 0
            while not self._stopping.is_set():
                tasks.create_task(self._ask(client, number))
                number += 1
                await asyncio.sleep(1 / self.per_second)

    async def _ask(self, client: httpx.AsyncClient, number: int) -> None:
        asked_at = time.monotonic()
        chat = text = ""
        try:
            if number % SEND_EVERY == 0:
                kind = "/chat"
                chat = f"send-{time.monotonic_ns()}"
                answer = await client.post(kind, json={"message": chat, "chat_id": chat})
                if answer.is_success:
                    text = answer.json()["response"]
            else:
                kind = READS[number // 2 % len(READS)]
                answer = await client.get(kind)
        except httpx.HTTPError as error:
            took = time.monotonic() - asked_at
            self.answers.append(Answer("lost", asked_at, took, 0, repr(error)))
            return
        took = time.monotonic() - asked_at
        reason, begun = ("", bool(chat)) if answer.is_success else problem_of(answer)
        after = int(answer.headers.get("retry-after", 0))
        self.answers.append(
            Answer(kind, asked_at, took, answer.status_code, reason, after, chat, text, begun)
        )

    async def _listen(self, client: httpx.AsyncClient, one: Streamed, words: int) -> None:
        body = {"message": f"/long {words}", "chat_id": one.chat_id, "stream": True}
        async with client.stream("POST", "/chat", json=body, timeout=60) as answer:
            async for event in events(answer):
                if event.name == "start":
                    one.message_id = event.data["message_id"]
                elif event.name == "delta":
                    one.shown += event.data["text"]
                one.ending = event.data.get("reason", event.name)


def problem_of(answer: httpx.Response) -> tuple[str, bool]:
    """Return the reason of a problem document, and whether it names a turn that had begun."""
    if answer.headers.get("content-type") != "application/problem+json":
        return f"not a problem: {answer.text[:100]}", False
    problem = json.loads(answer.content)
    return problem["reason"], "message_id" in problem["metadata"]


@dataclass(frozen=True)
class Verdict:
    """What a load says of a fault that lasted from `begin` to `end`, in the monotonic clock."""

    answers: Sequence[Answer]
    begin: float
    end: float

    @property
    def during(self) -> Sequence[Answer]:
        """What was asked while the fault lasted."""
        return [one for one in self.answers if self.begin <= one.asked_at < self.end]

    @property
    def wrong(self) -> Sequence[Answer]:
        """What was neither answered nor refused as it should be."""
        return [one for one in self.answers if one.status != 200 and not one.says_away]

    @property
    def slowest(self) -> float:
        """The longest that anybody waited, in seconds, beside the callers of turns under way."""
        return max((one.seconds for one in self.during if not one.begun), default=0.0)

    @property
    def recovery(self) -> float:
        """The seconds from the end of the fault until the last request that failed was asked."""
        failed = [one.asked_at for one in self.answers if one.status != 200]
        return max((at - self.end for at in failed), default=0.0)

    def percentile(self, share: float) -> float:
        """Return the time below which a share of the requests during the fault were answered."""
        took = sorted(one.seconds for one in self.during)
        return took[min(int(len(took) * share), len(took) - 1)] if took else 0.0

    def figures(self) -> str:
        """Say it in a line."""
        told = Counter(f"{one.status} {one.reason}".strip() for one in self.during)
        return (
            f"{len(self.during)} requests in {self.end - self.begin:.1f} s: "
            f"p50 {self.percentile(0.5):.3f} p99 {self.percentile(0.99):.3f} "
            f"max {self.slowest:.3f} s, back after {self.recovery:.2f} s; {dict(told)}"
        )


async def lost(platform: Platform, key: str, load: Load) -> list[str]:
    """Name what was acknowledged or shown and is not stored."""
    missing: list[str] = []
    async with platform.client(key) as client:
        for one in load.answers:
            if one.begun:
                stored = await history(client, one.chat_id)
                told = [one.chat_id, one.text] if one.status == httpx.codes.OK else [one.chat_id]
                if told != [message["content"] for message in stored][: len(told)]:
                    missing.append(f"{one.chat_id}: {stored}")
        for stream in load.streams:
            stored = await history(client, stream.chat_id)
            reply = stored[-1] if stored else {"content": "", "message_id": ""}
            whole = reply["content"].startswith(stream.shown)
            if stream.message_id != reply["message_id"] or not whole:
                missing.append(f"{stream.chat_id}: {len(stream.shown)} characters were shown")
    return missing


async def history(client: httpx.AsyncClient, chat: str) -> list[dict[str, Any]]:
    """Return the messages of a chat, none when there is no such chat."""
    answer = await client.get(f"/chat/history/{chat}", params={"page_size": 100})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return []
    messages: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
    return messages


@dataclass
class Logs:
    """What the services print, from a moment on."""

    platform: Platform
    begins: dict[str, int] = field(default_factory=dict)

    def mark(self) -> None:
        """Begin anew."""
        self.begins = {name: len(self.platform.log(name)) for name in SERVICES}

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a service, without the one that every request has."""
        text = self.platform.log(name)[self.begins.get(name, 0) :]
        said = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in said if line["event"] not in {"request", "call"}]

    def tracebacks(self) -> list[str]:
        """Return every line that carries a traceback, or that is no line of ours at all."""
        found = []
        for name in SERVICES:
            text = self.platform.log(name)[self.begins.get(name, 0) :]
            strange = [line for line in text.splitlines() if not line.startswith("{")]
            found += [f"{name}: {line}" for line in strange]
            found += [f"{name}: {one}" for one in self.lines(name) if "traceback" in one]
        return found
