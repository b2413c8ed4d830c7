"""The process: it starts without anybody, refuses in our words, and stops in peace."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from parley_tests.installation import Installation
from parley_tests.platform import free_port
from parley_tests.settings import inherited_environment

from .conftest import ADMIN_KEY, PEPPER
from .fakes import FakeServices
from .stores import migrated
from .turns import END, START, delta

pytestmark = pytest.mark.integration


class Running:
    """A gateway as a process."""

    def __init__(self, database_url: str, services: str, log: Path) -> None:
        self.port = free_port()
        self.log = log
        self.env = inherited_environment() | {
            **Installation().environment("gateway"),
            "DATABASE_URL": database_url,
            "GATEWAY_PORT": str(self.port),
            "API_KEY": ADMIN_KEY,
            "KEY_PEPPER": PEPPER,
            "GRACE_SECONDS": "1",
            **dict.fromkeys(("CHAT_TARGET", "PROMPT_TARGET", "PROVIDER_TARGET"), services),
        }
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "parley_gateway", "serve", env=self.env, stdout=log
            )

    async def until(self, path: str, status: int) -> None:
        async with self.client() as client:
            give_up = time.monotonic() + 20
            while time.monotonic() < give_up:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(path)).status_code == status:
                        return
                await asyncio.sleep(0.05)
        raise TimeoutError(self.log.read_text())

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        assert self.process
        began = time.monotonic()
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 15), time.monotonic() - began

    def client(self) -> httpx.AsyncClient:
        headers = {"x-api-key": ADMIN_KEY}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers)


@pytest.fixture
async def running(
    database_url: str, services: FakeServices, tmp_path: Path
) -> AsyncIterator[Running]:
    running = Running(database_url, services.address, tmp_path / "log")
    await running.start()
    yield running
    await running.stop()


async def test_it_waits_for_its_schema_and_then_lets_people_in(
    running: Running, database_url: str
) -> None:
    await running.until("/livez", 200)
    async with running.client() as client:
        assert 503 == (await client.get("/readyz")).status_code
        assert 503 == (await client.get("/me")).status_code
        await migrated(database_url)
        await running.until("/readyz", 200)
        assert "admin" == (await client.get("/me")).json()["name"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_quietly(running: Running, number: signal.Signals) -> None:
    await running.until("/livez", 200)

    code, took = await running.stop(number)

    assert (0, True) == (code, took < 10)
    assert "traceback" not in running.log.read_text()


async def test_a_turn_that_ends_in_time_ends_well(
    running: Running, database_url: str, services: FakeServices
) -> None:
    await migrated(database_url)
    await running.until("/readyz", 200)
    held = asyncio.Event()
    services.script.turn = [START, delta("A", "0.1"), held, delta("B", "0.2"), END]
    asked = {"message": "Hi", "stream": True}
    async with running.client() as client, client.stream("POST", "/chat", json=asked) as answer:
        chunks = answer.aiter_text()
        seen = await anext(chunks)
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0.3)
        held.set()
        seen += "".join([chunk async for chunk in chunks])

    assert "event: end" in seen
    assert 0 == (await stopping)[0]


async def test_a_turn_that_takes_longer_ends_with_a_problem(
    running: Running, database_url: str, services: FakeServices
) -> None:
    await migrated(database_url)
    await running.until("/readyz", 200)
    services.script.turn = [START, delta("A", "0.1"), asyncio.Event()]
    asked = {"message": "Hi", "stream": True}
    async with running.client() as client, client.stream("POST", "/chat", json=asked) as answer:
        chunks = answer.aiter_text()
        seen = await anext(chunks)
        whole = asyncio.create_task(client.post("/chat", json={"message": "Hi"}, timeout=10))
        await asyncio.sleep(0.2)
        stopping = asyncio.create_task(running.stop())
        seen += "".join([chunk async for chunk in chunks])
        assert 503 == (await whole).status_code

    code, took = await stopping
    assert (0, True) == (code, took < 10)
    assert '"reason":"unavailable"' in seen
    assert "traceback" not in running.log.read_text()


async def test_what_is_not_http_is_refused_in_our_words(running: Running) -> None:
    await running.until("/livez", 200)
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(b"GET / HTTP/1.1\r\nauthorization: Bearer a\0b\r\n\r\n")

    answer = await asyncio.wait_for(reader.read(), 5)

    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"reason":"malformed_request"' in answer
