"""What a key began ends with it, at every gateway: streams, waits, and turns nobody listens to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import Platform, running_platform
from parley_tests.sse import Event, events

pytestmark = pytest.mark.integration

# The promise is five seconds. These replies take minutes, and a machine may be busy.
WITHIN_SECONDS = 20.0
LONG = "/long 5000"


@dataclass
class Two:
    """Two gateways on one database."""

    platform: Platform
    other: str
    database_url: str


@pytest.fixture(scope="module")
def two(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    logs: Path = tmp_path_factory.mktemp("revocation")
    with (
        fresh_database(database_server) as url,
        running_platform(url, logs, {"DEMO_PACE": "20"}) as platform,
        platform.second_gateway() as other,
    ):
        yield Two(platform, other, url)


async def revoke(admin: httpx.AsyncClient, me: dict[str, Any]) -> None:
    (await admin.delete(f"/keys/{me['key']['key_id']}")).raise_for_status()


async def rotate(admin: httpx.AsyncClient, me: dict[str, Any]) -> None:
    body = {"overlap_seconds": 0}
    (await admin.post(f"/keys/{me['key']['key_id']}/rotate", json=body)).raise_for_status()


async def overlap(admin: httpx.AsyncClient, me: dict[str, Any]) -> None:
    """The old key expires in the middle."""
    body = {"overlap_seconds": 1}
    (await admin.post(f"/keys/{me['key']['key_id']}/rotate", json=body)).raise_for_status()


async def disable(admin: httpx.AsyncClient, me: dict[str, Any]) -> None:
    (await admin.patch(f"/users/{me['user_id']}", json={"disabled": True})).raise_for_status()


async def demote(admin: httpx.AsyncClient, me: dict[str, Any]) -> None:
    (await admin.patch(f"/users/{me['user_id']}", json={"role": "user"})).raise_for_status()


async def is_heard_of(client: httpx.AsyncClient, *, demoted: bool) -> bool:
    """Say whether a gateway refuses a key, or to do with it what administrators do."""
    if not demoted:
        return (await client.get("/me")).status_code == 401
    assert 200 == (await client.get("/me")).status_code
    return (await client.get("/users")).status_code == 403


async def listen(client: httpx.AsyncClient, speaks: asyncio.Event) -> list[Event]:
    told = []
    body = {"message": LONG, "stream": True, "chat_id": "stream"}
    async with client.stream("POST", "/chat", json=body) as answer:
        async for event in events(answer):
            told.append(event)
            if event.name == "delta":
                speaks.set()
    return told


async def follow(client: httpx.AsyncClient, start: Event, speaks: asyncio.Event) -> list[Event]:
    """Read along what another one began."""
    told = []
    path = f"/chats/{start.data['chat_id']}/messages/{start.data['message_id']}/stream"
    async with client.stream("GET", path) as answer:
        async for event in events(answer):
            told.append(event)
            speaks.set()
    return told


async def detach(client: httpx.AsyncClient) -> Event:
    """Begin a turn and leave it."""
    body = {"message": LONG, "stream": True, "chat_id": "detached"}
    async with client.stream("POST", "/chat", json=body) as answer:
        async for event in events(answer):
            return event
    raise AssertionError


async def running(url: str, user_id: str) -> int:
    async with await psycopg.AsyncConnection.connect(url) as owner:
        query = (
            "select count(*) from chat.messages where owner_id = %s::uuid and status = 'running'"
        )
        row = await (await owner.execute(query, [user_id])).fetchone()
    assert row
    return int(row[0])


async def until_run(count: int, url: str, user_id: str) -> None:
    """Return when so many turns of a user run."""
    while count != await running(url, user_id):  # noqa: ASYNC110  (another process's table)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("end", [revoke, rotate, overlap, disable, demote])
async def test_what_a_key_began_ends_with_it_at_every_gateway(
    two: Two,
    end: Callable[[httpx.AsyncClient, dict[str, Any]], Awaitable[None]],
) -> None:
    """F10 and CVE-2026-44553: the key is shown to one gateway, and ended at the other one."""
    key = await two.platform.new_user(end.__name__)
    speaks, follows = asyncio.Event(), asyncio.Event()
    async with (
        two.platform.client() as admin,
        two.platform.client(key) as here,
        two.platform.client(key, two.other) as there,
    ):
        me = (await there.get("/me")).json()
        (await admin.patch(f"/users/{me['user_id']}", json={"role": "admin"})).raise_for_status()
        await asyncio.sleep(3.5)  # until both have heard of it
        listening = asyncio.create_task(listen(there, speaks))
        waiting = asyncio.create_task(
            here.post("/chat", json={"message": "/slow 300", "chat_id": "whole"})
        )
        start = await detach(there)
        following = asyncio.create_task(follow(there, start, follows))
        async with asyncio.timeout(WITHIN_SECONDS):
            await asyncio.gather(speaks.wait(), follows.wait())
            await until_run(3, two.database_url, me["user_id"])

        await end(admin, me)
        async with asyncio.timeout(WITHIN_SECONDS):
            told, followed, whole, _ = await asyncio.gather(
                listening, following, waiting, until_run(0, two.database_url, me["user_id"])
            )

        async with asyncio.timeout(WITHIN_SECONDS):
            while not await is_heard_of(there, demoted=end is demote):  # noqa: ASYNC110  (by asking)
                await asyncio.sleep(0.1)
    expected = ("problem", "unauthenticated", 401)
    assert [expected] * 2 == [
        (last.name, last.data["reason"], last.data["status"]) for last in (told[-1], followed[-1])
    ]
    assert (401, "unauthenticated") == (whole.status_code, whole.json()["reason"])


async def test_a_key_that_expires_in_the_middle_ends_what_it_began(two: Two) -> None:
    """CVE-2026-12796; what goes on without its client ends, too, though nobody revokes anything."""
    expires_at = datetime.now(UTC) + timedelta(seconds=3)
    async with two.platform.client() as admin:
        user = (await admin.post("/users", json={"name": "short"})).json()
        body = {"name": "k", "user_id": user["user_id"], "expires_at": expires_at.isoformat()}
        key = (await admin.post("/keys", json=body)).json()["key"]
    async with two.platform.client(key, two.other) as there:
        await detach(there)
        assert 1 == await running(two.database_url, user["user_id"])
        async with asyncio.timeout(WITHIN_SECONDS):
            await until_run(0, two.database_url, user["user_id"])
        assert 401 == (await there.get("/me")).status_code
    assert datetime.now(UTC) >= expires_at


async def test_another_key_and_another_user_go_on(two: Two) -> None:
    speaks, key = asyncio.Event(), await two.platform.new_user("both")
    async with (
        two.platform.client() as admin,
        two.platform.client(key) as mine,
        two.platform.client(await two.platform.new_user("else")) as other,
    ):
        me = (await mine.get("/me")).json()
        second = (await mine.post("/keys", json={"name": "second"})).json()
        async with two.platform.client(second["key"], two.other) as client:
            listening = asyncio.create_task(listen(client, speaks))
            await detach(other)
            async with asyncio.timeout(WITHIN_SECONDS):
                await speaks.wait()
            await revoke(admin, me)
            await asyncio.sleep(5)

            assert not listening.done()
            listening.cancel()
        owner = (await other.get("/me")).json()["user_id"]
    assert 1 == await running(two.database_url, owner)
    assert 1 == await running(two.database_url, me["user_id"])
