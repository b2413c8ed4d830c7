"""SIGTERM: what runs ends or is told why, the exit code is 0, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from asyncio import FIRST_COMPLETED
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import SERVICES, Platform, running_platform
from parley_tests.sse import Event, events

pytestmark = pytest.mark.integration

GRACE_SECONDS = 2.0


@pytest.fixture(scope="module")
def long_lived(
    database_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("drain")
    settings = {"DEMO_PACE": "50", "GRACE_SECONDS": str(GRACE_SECONDS)}
    with fresh_database(database_server) as url, running_platform(url, logs, settings) as platform:
        yield platform


@pytest.fixture
def platform(long_lived: Platform) -> Platform:
    """A platform of which everything runs, whatever the test before has stopped."""
    for name, process in long_lived.processes.items():
        if process.poll() is not None:
            long_lived.start_one(name)
    long_lived.wait_until_healthy()
    return long_lived


async def stopped(platform: Platform, name: str) -> tuple[int, float]:
    """Stop a service; return its exit code, and how many seconds that took."""
    began = time.monotonic()
    platform.signal(name, signal.SIGTERM)
    code = await asyncio.to_thread(platform.processes[name].wait, 15)
    return code, time.monotonic() - began


class Listening:
    """Reads a turn in a task of its own."""

    def __init__(self, client: httpx.AsyncClient, message: str, key: str = "") -> None:
        self.client = client
        self.body = {"message": message, "stream": True}
        self.headers = {"Idempotency-Key": key or str(uuid4())}
        self.events: list[Event] = []
        self.speaks = asyncio.Event()
        self.task = asyncio.create_task(self._read())

    async def until_it_speaks(self) -> None:
        speaking = asyncio.create_task(self.speaks.wait())
        await asyncio.wait({speaking, self.task}, timeout=10, return_when=FIRST_COMPLETED)
        assert self.speaks.is_set(), self.task

    async def to_the_end(self) -> Event:
        await asyncio.wait_for(self.task, 20)
        return self.events[-1]

    async def _read(self) -> None:
        async with self.client.stream(
            "POST", "/chat", json=self.body, headers=self.headers
        ) as answer:
            assert 200 == answer.status_code, await answer.aread()
            async for event in events(answer):
                self.events.append(event)
                if event.name == "delta":
                    self.speaks.set()


async def reply(client: httpx.AsyncClient, start: Event) -> dict[str, Any]:
    """Return the reply of a turn once it runs no more."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        history = (
            (await client.get(f"/chat/history/{start.data['chat_id']}")).raise_for_status().json()
        )
        message: dict[str, Any] = history["messages"][-1]
        if message["status"] != "running":
            return message
        await asyncio.sleep(0.1)
    raise TimeoutError


def no_traceback(platform: Platform) -> bool:
    return not any("traceback" in platform.log(name).lower() for name in SERVICES)


async def test_who_has_nothing_to_do_stops_at_once(platform: Platform) -> None:
    async with platform.client() as client:  # whose connection stays open
        (await client.post("/chat", json={"message": "Hi"})).raise_for_status()
        for name in reversed(SERVICES):
            code, took = await stopped(platform, name)
            assert (0, True) == (code, took < GRACE_SECONDS), (name, took)

    assert no_traceback(platform)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_turn_that_ends_within_the_grace_ends_well(platform: Platform, name: str) -> None:
    async with platform.client() as client:
        listening = Listening(client, "/hold 1")
        await listening.until_it_speaks()

        code, _ = await stopped(platform, name)
        end = await listening.to_the_end()

    assert (0, "end", "complete") == (code, end.name, end.data.get("status"))
    assert no_traceback(platform)


@pytest.mark.parametrize("name", ["chat_service", "provider_service"])
async def test_a_turn_that_takes_longer_is_interrupted_with_its_text(
    platform: Platform, name: str
) -> None:
    async with platform.client() as client:
        listening = Listening(client, "/long 5000")
        await listening.until_it_speaks()

        code, took = await stopped(platform, name)
        end = await listening.to_the_end()
        platform.start_one(name)
        await asyncio.to_thread(platform.wait_until_healthy)
        stored = await reply(client, listening.events[0])

    told = "".join(event.data["text"] for event in listening.events if event.name == "delta")
    assert (0, True) == (code, took < GRACE_SECONDS + 4)
    assert "problem" == end.name
    assert ("interrupted", True) == (stored["status"], stored["content"].startswith(told))
    assert no_traceback(platform)


async def test_a_stream_of_a_gateway_that_stops_goes_on_at_another(platform: Platform) -> None:
    with platform.second_gateway() as url:
        async with platform.client() as client, platform.client(url=url) as other:
            listening = Listening(client, "/hold 4", key="the-same")
            await listening.until_it_speaks()

            code, took = await stopped(platform, "gateway")
            end = await listening.to_the_end()
            again = Listening(other, "/hold 4", key="the-same")
            ended = await again.to_the_end()
            stored = await reply(other, listening.events[0])

    assert (0, True) == (code, took < GRACE_SECONDS + 2)
    assert ("problem", "unavailable") == (end.name, end.data["reason"])
    assert ("end", "complete") == (ended.name, stored["status"])
    assert listening.events[0].data["message_id"] == again.events[0].data["message_id"]
    assert no_traceback(platform)


async def test_busy_connections_are_told_to_close_and_lose_nothing(platform: Platform) -> None:
    """Nobody who keeps a connection busy runs into one that has just been closed."""
    ends: list[str] = []

    async def ask_until_it_has_gone() -> None:
        async with platform.client() as client:
            while True:
                try:
                    answer = await client.get("/livez")
                except httpx.ConnectError:
                    return
                except httpx.TransportError as error:
                    ends.append(repr(error))
                    return
                if answer.headers.get("connection") == "close":
                    ends.append("told")
                    return

    asking = [asyncio.create_task(ask_until_it_has_gone()) for _ in range(16)]
    await asyncio.sleep(0.5)
    code, _ = await stopped(platform, "gateway")
    await asyncio.gather(*asking)

    assert (0, {"told"}) == (code, set(ends))


async def test_output_that_cannot_be_written_stops_nobody(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    for name in SERVICES:
        (tmp_path / "logs" / f"{name}.log").symlink_to("/dev/full")
    with running_platform(database_url, tmp_path / "logs") as platform:
        async with platform.client() as client:
            answers = [await client.post("/chat", json={"message": "Hi"}) for _ in range(20)]
        codes = [(await stopped(platform, name))[0] for name in reversed(SERVICES)]

    assert {200} == {answer.status_code for answer in answers}
    assert {0} == set(codes)
