"""SIGSTOP: who is neither dead nor alive is noticed within 10 s by all who deal with it."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from parley_tests.database import fresh_database
from parley_tests.fleet import Fleet, running_fleet
from parley_tests.platform import Platform, running_platform
from parley_tests.sse import Event, events

pytestmark = pytest.mark.integration

NOTICED_WITHIN_SECONDS = 10.0
BACK_WITHIN_SECONDS = 5.0
# Of our machines in tests, which have more to do.
SPARE_SECONDS = 1.0
HEALTH_WITHIN_SECONDS = 2.5
ENDLESS = "/long 100000"
READS = {
    "chat_service": "/chat/history",
    "prompt_service": "/system-prompt",
    "provider_service": "/providers",
}
# Who may still be listened to while another is frozen: prompts are needed to begin a turn only.
STREAMS = {"chat_service", "provider_service"}


@pytest.fixture(scope="module")
def platform(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("frozen")
    paced = {"DEMO_PACE": "50"}
    with fresh_database(database_server) as url, running_platform(url, logs, paced) as platform:
        yield platform


@asynccontextmanager
async def frozen(platform: Platform, name: str) -> AsyncIterator[None]:
    """Stop a process for the length of a block, without a word."""
    platform.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        platform.signal(name, signal.SIGCONT)


async def timed(call: Any) -> tuple[Any, float]:
    began = time.monotonic()
    return await call, time.monotonic() - began


async def listen(client: httpx.AsyncClient, message: str, started: asyncio.Event) -> Event:
    """Read a turn to its last event, and come back for it where there is no service yet.

    One that was frozen a moment ago may lose its lease once more.
    """
    body = {"message": message, "stream": True}
    while True:
        async with client.stream("POST", "/chat", json=body) as answer:
            if answer.status_code != 503:
                assert answer.is_success, await answer.aread()
                async for event in events(answer):
                    started.set()
                    last = event
                return last
        await asyncio.sleep(0.2)


async def back(client: httpx.AsyncClient, path: str) -> float:
    """Return after how many seconds reads and turns work again."""
    began = time.monotonic()
    while time.monotonic() < began + 30:
        read, turn = await client.get(path), await client.post("/chat", json={"message": "Hi"})
        if read.is_success and turn.is_success:
            break
    return time.monotonic() - began


@pytest.mark.parametrize("name", READS)
async def test_a_frozen_service_fails_what_needs_it_and_nothing_hangs(
    platform: Platform, name: str
) -> None:
    path = READS[name]
    async with platform.client() as client:
        (await client.get(path)).raise_for_status()
        started = asyncio.Event()
        stream = asyncio.create_task(listen(client, ENDLESS, started))
        await asyncio.wait_for(started.wait(), 10)
        async with frozen(platform, name):
            running = [timed(client.get(path)), timed(client.post("/chat", json={"message": "Hi"}))]
            asked = [asyncio.create_task(call) for call in running]
            health, health_took = await timed(client.get("/health"))
            failed = await asyncio.gather(*asked)
            if name in STREAMS:
                end = await asyncio.wait_for(stream, NOTICED_WITHIN_SECONDS + SPARE_SECONDS)
                assert "problem" == end.name
            later, later_took = await timed(client.get(path))
        stream.cancel()
        assert await back(client, path) < BACK_WITHIN_SECONDS

    assert (503, True) == (health.status_code, health_took < HEALTH_WITHIN_SECONDS)
    for answer, took in failed:
        assert answer.status_code in {503, 504}
        assert took < NOTICED_WITHIN_SECONDS + SPARE_SECONDS
    assert (503, True) == (later.status_code, later_took < 2.0 + SPARE_SECONDS)


def calls(platform: Platform, service: str, method: str) -> list[str]:
    """Return how the calls of a method ended, as the service's log has it."""
    lines = [json.loads(line) for line in platform.log(service).splitlines() if method in line]
    return [line["reason"] for line in lines if "reason" in line]


async def until_asked(client: httpx.AsyncClient) -> None:
    """Return when the provider service makes the reply: a turn begins before that."""
    async with asyncio.timeout(10):
        running = 0
        while not running:
            answer = await client.get("/providers")
            running = sum(one["running"] for one in answer.json()["providers"])


@pytest.mark.parametrize("command", [ENDLESS, "/slow 600"])
@pytest.mark.parametrize(
    ("name", "witness", "method"),
    [
        ("gateway", "chat_service", "SendMessage"),
        ("chat_service", "provider_service", "GenerateReply"),
    ],
)
async def test_whoever_serves_a_frozen_caller_lets_go(
    platform: Platform, name: str, witness: str, method: str, command: str
) -> None:
    async with platform.client() as client:
        started = asyncio.Event()
        stream = asyncio.create_task(listen(client, command, started))
        await asyncio.wait_for(started.wait(), 10)
        await until_asked(client)
        before = len(calls(platform, witness, method))
        async with frozen(platform, name):
            give_up = time.monotonic() + NOTICED_WITHIN_SECONDS + SPARE_SECONDS
            while len(calls(platform, witness, method)) == before:
                assert time.monotonic() < give_up
                await asyncio.sleep(0.1)
        stream.cancel()
        assert await back(client, "/chat/history") < BACK_WITHIN_SECONDS

    assert "cancelled" == calls(platform, witness, method)[before]


@pytest.fixture
def fleet(database_server: str, tmp_path: Path) -> Iterator[Fleet]:
    with fresh_database(database_server) as url, running_fleet(url, tmp_path, 2) as fleet:
        yield fleet


async def test_one_of_two_replicas_that_freezes_is_left_alone(fleet: Fleet) -> None:
    """Its share of the calls fails until it is noticed, and none does from then on."""
    async with fleet.platform.client(url=fleet.urls[0]) as client:
        for name in READS:
            fleet.processes[name, 0].send_signal(signal.SIGSTOP)
        frozen_at = time.monotonic()
        failed_at: list[float] = []

        async def keep_asking(path: str) -> None:
            while time.monotonic() < frozen_at + NOTICED_WITHIN_SECONDS + 5:
                began = time.monotonic()
                if not (await client.get(path)).is_success:
                    failed_at.append(began - frozen_at)

        await asyncio.gather(*[keep_asking(path) for path in READS.values() for _ in range(4)])
        turns = [await client.post("/chat", json={"message": "Hi"}) for _ in range(10)]

    assert max(failed_at, default=0) < NOTICED_WITHIN_SECONDS
    assert {200} == {turn.status_code for turn in turns}
