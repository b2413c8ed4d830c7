"""The database away: everybody is told within three seconds, and all comes back by itself."""

from __future__ import annotations

import asyncio
import importlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from parley_tests.breakable import BreakablePostgres, Wire
from parley_tests.faults import FAULTS, Site
from parley_tests.outage import Load, Logs, Verdict, lost
from parley_tests.platform import SERVICES, Platform, running_platform

pytestmark = pytest.mark.integration

FAULT_SECONDS = 2.5
TOLD_WITHIN_SECONDS = 3.0
BACK_WITHIN_SECONDS = 5.0
CONNECTIONS = 4
# With the few of the other role in three of them, two for running turns, and one for counting.
MOST_CONNECTIONS = len(SERVICES) * CONNECTIONS + 3 * 2 + 2 + 1
# A reply that goes on for longer than a fault.
WORDS = 150
# Lines that a service says in a second besides one for each request.
MOST_LINES_PER_SECOND = 3.0
PORTS = ["GATEWAY", "CHAT", "PROMPT", "PROVIDER"]
LISTENS_WITHIN_SECONDS = 30.0
AWAY = ["stopped", "killed", "frozen", "read-only", "full"]
LOCKED = ["chat.chats", "gateway.rate_limits", "provider.provider_usage"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    # Not in pytest's own folder, which every run closes to whom the server runs as.
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        postgres = BreakablePostgres(folder / "postgres")
        with postgres.running():
            wire = Wire(postgres.url)
            with wire.running():
                yield Site(postgres, wire)


@pytest.fixture(scope="module")
def platform(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    environment = {"DEMO_PACE": "40", "DB_CONNECTIONS": str(CONNECTIONS)}
    logs = tmp_path_factory.mktemp("away")
    with running_platform(site.wire.url, logs, environment) as platform:
        yield platform


@pytest.fixture(scope="module")
def key(platform: Platform) -> str:
    return asyncio.run(platform.new_user("ada"))


@dataclass
class Health:
    """What `/health` says of the database: when it was asked, in how long, and the word."""

    url: str
    told: list[tuple[float, float, str]] = field(default_factory=list)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Ask it again and again for the length of a block."""
        over = threading.Event()
        thread = threading.Thread(target=self._ask, args=[over])
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _ask(self, over: threading.Event) -> None:
        with httpx.Client(timeout=30) as client:
            while not over.wait(0.2):
                began = time.monotonic()
                answer = client.get(f"{self.url}/health").json()
                took = time.monotonic() - began
                self.told.append((began, took, answer["services"]["database"]))


def under(load: Load, fault: str, site: Site) -> Verdict:
    """Let a fault pass under load; return when requests have succeeded again."""
    with load.running(streams=2, words=WORDS):
        begin = time.monotonic()
        with FAULTS[fault](site):
            time.sleep(FAULT_SECONDS)
        end = time.monotonic()
        load.until_well(since=end, within=BACK_WITHIN_SECONDS)
    return Verdict(load.answers, begin, end)


def check(verdict: Verdict) -> None:
    figures = verdict.figures()
    assert not verdict.wrong, figures
    assert verdict.slowest < TOLD_WITHIN_SECONDS, figures
    assert verdict.recovery < BACK_WITHIN_SECONDS, figures


@pytest.mark.parametrize("fault", AWAY)
def test_all_are_told_in_time_and_nothing_is_lost(
    site: Site, platform: Platform, key: str, fault: str
) -> None:
    load, logs, health = Load(platform, key), Logs(platform), Health(platform.url)
    logs.mark()
    with health.watched():
        verdict = under(load, fault, site)

    check(verdict)
    # Once the keys and connections that were known are used up nothing succeeds any more.
    assert any(one.says_away for one in verdict.during)
    assert [] == asyncio.run(lost(platform, key, load))
    assert {"end", "turn_interrupted"} >= {stream.ending for stream in load.streams}
    assert [] == logs.tracebacks()
    most = MOST_LINES_PER_SECOND * (verdict.end - verdict.begin + BACK_WITHIN_SECONDS)
    assert max(len(logs.lines(name)) for name in SERVICES) < most
    assert site.connections() <= MOST_CONNECTIONS
    assert max(took for _, took, _ in health.told) < TOLD_WITHIN_SECONDS
    if fault != "read-only":
        during = [word for at, _, word in health.told if verdict.begin <= at < verdict.end]
        assert "unavailable" in during


@pytest.mark.parametrize("table", LOCKED)
def test_a_lock_is_told_in_time_and_blocks_nobody_for_long(
    site: Site, platform: Platform, key: str, table: str
) -> None:
    load, logs = Load(platform, key), Logs(platform)
    logs.mark()
    verdict = under(load, f"locked {table}", site)

    check(verdict)
    # The ledger is needed when a turn has begun, and such a turn waits.
    told = any(one.says_away for one in verdict.during)
    assert told or table == "provider.provider_usage"
    assert [] == asyncio.run(lost(platform, key, load))
    assert [] == logs.tracebacks()
    assert site.connections() <= MOST_CONNECTIONS


def test_connections_that_are_there_serve_when_no_other_is_to_be_had(
    site: Site, platform: Platform, key: str
) -> None:
    load = Load(platform, key, per_second=5)
    verdict = under(load, "crowded", site)

    check(verdict)
    assert any(one.status == 200 for one in verdict.during)


def test_what_is_started_without_a_database_serves_when_it_comes(
    site: Site, platform: Platform, key: str
) -> None:
    with FAULTS["stopped"](site):
        platform.stop()
        for name in SERVICES:
            platform.start_one(name)
        listens(platform)
        answer = httpx.get(f"{platform.url}/chat/history", headers=bearer(key))
        health = httpx.get(f"{platform.url}/health")
        assert (503, "database_unavailable") == (answer.status_code, answer.json()["reason"])
        assert (503, {"unavailable"}) == (
            health.status_code,
            set(health.json()["services"].values()),
        )
    began = time.monotonic()
    platform.wait_until_healthy()
    assert time.monotonic() - began < BACK_WITHIN_SECONDS
    sent = httpx.post(f"{platform.url}/chat", json={"message": "Hi"}, headers=bearer(key))
    assert httpx.codes.OK == sent.status_code
    assert all(process.poll() is None for process in platform.processes.values())


async def test_who_leaves_a_silent_database_is_not_held(site: Site, platform: Platform) -> None:
    async def leave(service: str) -> float:
        module = importlib.import_module(f"parley_{service}.adapters.database")
        database = module.Database(site.wire.url, connections=1)
        await database.open()
        try:
            async with database.connection() as connection:
                await connection.execute("select 1")
            waiting = asyncio.create_task(first(database))
            await asyncio.sleep(0.3)
            site.wire.fall_silent()
            await asyncio.sleep(0.2)
            left = time.monotonic()
            waiting.cancel()
            await asyncio.wait({waiting})
            return time.monotonic() - left
        finally:
            site.wire.speak()
            await database.aclose()

    took = await asyncio.gather(*map(leave, SERVICES))

    assert max(took) < TOLD_WITHIN_SECONDS


async def test_more_who_ask_in_vain_than_may_wait_keep_nobody_from_connecting(
    site: Site, platform: Platform
) -> None:
    async def ask(service: str) -> None:
        module = importlib.import_module(f"parley_{service}.adapters.database")
        database = module.Database(site.wire.url, connections=2)
        await database.open()
        try:
            with FAULTS["silent"](site):
                asking = (database.answers() for _ in range(module.MAX_WAITING + 100))
                assert not any(await asyncio.gather(*asking))
                # Longer than the pool goes on trying by itself.
                await asyncio.sleep(2 * module.RECONNECT_FOR_SECONDS + 1)
            back = time.monotonic()
            answers = False
            while not answers and time.monotonic() < back + BACK_WITHIN_SECONDS:
                answers = await database.answers()
            assert answers
        finally:
            await database.aclose()

    await asyncio.gather(*map(ask, SERVICES))


async def first(database: Any) -> None:
    async with database.connection() as connection:
        await connection.execute("select pg_sleep(1)")


def listens(platform: Platform) -> None:
    """Return when every service has got as far as to listen."""
    ports = [int(platform.environment[f"{name}_PORT"]) for name in PORTS]
    give_up = time.monotonic() + LISTENS_WITHIN_SECONDS
    while ports and time.monotonic() < give_up:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", ports[-1])) == 0:
                ports.pop()
            else:
                time.sleep(0.05)
    assert not ports


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
