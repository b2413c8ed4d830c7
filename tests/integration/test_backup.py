"""A backup made while Parley runs, restored elsewhere, is the same Parley: checksum by checksum."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from parley_tests.database import fresh_database
from parley_tests.migrating import objects, prepared, schema_of, version
from parley_tests.peers import KEY, RunningPeer, running_peer
from parley_tests.platform import SERVICES, Platform, running_platform
from parley_tests.sse import Event, events, send
from psycopg import sql

pytestmark = pytest.mark.integration

USERS = ("ann", "ben", "cleo")
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
WORDS = (
    "Zażółć gęślą jaźń 🌙 \u202e\u05e2\u05d1\u202c \U0001f469\u200d\U0001f680 \\x00 '; -- \r\n\ttab"
)
INTERRUPTED_WITHIN_SECONDS = 45.0


# What goes on changing while Parley runs, beside the text of the reply that is being made.
RESTLESS = [
    "chat.reply_events", "chat.workers", "provider.workers", "gateway.rate_limits",
    "gateway.api_keys", "gateway.audit_log", "provider.provider_models",
]  # fmt: skip
TABLES = """
select schemaname || '.' || tablename from pg_tables
 where schemaname in ('chat', 'gateway', 'prompt', 'provider')
   and schemaname || '.' || tablename <> all(%s) order by 1"""


@dataclass(frozen=True)
class World:
    """What there is once: a vendor, the keys of the users, and what was seen of the source."""

    source: Platform
    source_url: str
    peer: RunningPeer
    folder: Path
    keys: dict[str, str]
    tables: dict[str, str]
    seen: dict[str, dict[str, str]]
    shown: str

    @property
    def file(self) -> Path:
        return self.folder / "parley.backup"


@dataclass(frozen=True)
class Copy:
    """The source, and the platform that was made of its backup, as they were at its start."""

    world: World
    restored: Platform
    restored_url: str
    tables: dict[str, str]
    seen: dict[str, dict[str, str]]


def parley(folder: Path, environment: dict[str, str], *arguments: str) -> Any:
    """Run a command of `parley` as a person does; return what it says to programs."""
    done = subprocess.run(
        [sys.executable, "-m", "parley_local", *arguments, "--output", "json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


async def ok(answer: Any) -> Any:
    response = await answer
    assert response.is_success, response.text
    return response.json() if response.content else None


async def paged(client: httpx.AsyncClient, path: str, name: str) -> list[Any]:
    """Return all of a list that comes in pages."""
    found: list[Any] = []
    token = ""
    while True:
        query = {"page_size": "3"} | ({"page_token": token} if token else {})
        page = await ok(client.get(path, params=query))
        found += page[name]
        token = page.get("next_page_token") or ""
        if not token:
            return found


async def visible(client: httpx.AsyncClient) -> dict[str, Any]:
    """Everything that a user sees of what is stored, by the route that shows it."""
    me = await ok(client.get("/me"))
    chats = await paged(client, "/chat/history", "chats")
    seen = {
        "/me": {name: me[name] for name in ("user_id", "name", "role")}
        | {"key": me["key"]["name"]},
        "/chat/history": chats,
        "/system-prompt": await ok(client.get("/system-prompt")),
        "/system-prompts": await paged(client, "/system-prompts", "prompts"),
        "/usage": await ok(client.get("/usage", params={"group_by": "day,provider,model,key"})),
        "/usage/records": await paged(client, "/usage/records", "records"),
    }
    for chat in chats:
        path = f"/chat/history/{chat['chat_id']}"
        seen[path] = await paged(client, path, "messages")
    return seen


async def checksums(client: httpx.AsyncClient) -> dict[str, str]:
    seen = await visible(client)
    texts = {path: json.dumps(shown, sort_keys=True) for path, shown in seen.items()}
    return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}


async def configure(admin: httpx.AsyncClient, peer: RunningPeer) -> None:
    """Add a provider with a key of its own, a price, and another default than before."""
    body = {"name": "house", "plugin": "openai", "base_url": peer.base_url}
    await ok(admin.post("/providers", json=body))
    await ok(admin.put("/providers/house/credentials", json={"api_key": KEY}))
    price = {"input": "1.25", "output": "2.5"}
    await ok(admin.patch("/providers/house/models/gpt-peer", json={"price": price}))
    await ok(admin.patch("/providers/demo", json={"is_default": True}))
    await ok(admin.patch("/providers/house", json={"fallbacks": ["demo/demo"]}))


async def stopped(client: httpx.AsyncClient, chat: str) -> None:
    body = {"message": "/hold 60", "chat_id": chat, "stream": True}
    async with client.stream("POST", "/chat", json=body) as answer:
        stream = events(answer)
        start = await anext(stream)
        assert "delta" == (await anext(stream)).name
        message = start.data["message_id"]
        await ok(client.post(f"/chats/{chat}/messages/{message}/stop"))
        assert "end" == [event async for event in stream][-1].name


async def live(client: httpx.AsyncClient) -> None:
    """Hold conversations of every kind and ending, and write prompts."""
    ask = {"chat_id": "moon", "message": f"/echo {WORDS}"}
    await ok(client.post("/chat", json=ask))
    await send(client, chat_id="moon", message="/think Hm\nWell", model="demo-reasoning")
    await send(client, chat_id="moon", message="Look", provider="house", model="gpt-peer")
    picture = {"media_type": "image/png", "data": PNG, "name": "ą.png"}
    look = {"chat_id": "picture", "message": "What is it?", "provider": "house"}
    await ok(client.post("/chat", json=look | {"model": "gpt-peer", "attachments": [picture]}))
    await stopped(client, "stopped")
    assert (
        429
        == (await client.post("/chat", json={"message": "/error 429", "chat_id": "f"})).status_code
    )
    assert "problem" == (await send(client, message="/break 503 half", chat_id="f"))[-1].name
    await send(client, message="/long 500", chat_id="long")
    await ok(client.post("/chat", json={"message": "/echo gone", "chat_id": "gone"}))
    await ok(client.delete("/chat/delete/gone"))
    await ok(client.post("/chat", json={"message": "/echo back", "chat_id": "gone"}))
    prompt = await ok(client.post("/system-prompts", json={"name": "Poet", "content": WORDS}))
    path = f"/system-prompts/{prompt['prompt_id']}"
    await ok(client.put(path, json={"content": "Rhyme.", "description": "ü"}))
    await ok(client.post(f"{path}/activate"))
    await ok(client.post("/chat", json={"message": "Hi", "chat_id": "rhymes"}))


@asynccontextmanager
async def running_reply(client: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[Event]]:
    """A reply that is being made, with its events."""
    body = {"message": "/long 100000", "chat_id": "running", "stream": True}
    async with client.stream("POST", "/chat", json=body) as answer:
        yield events(answer)


async def text_until(stream: AsyncIterator[Event], size: int) -> str:
    text = ""
    async for event in stream:
        text += event.data["text"] if event.name == "delta" else ""
        if len(text) > size:
            return text
    raise AssertionError("the reply ended")


async def filled(
    source: Platform, url: str, peer: RunningPeer, folder: Path, environment: dict[str, str]
) -> World:
    """Fill a platform, and back it up in the middle of a reply."""
    keys = {name: await source.new_user(name) for name in USERS}
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(source.client())
        ann, ben, cleo = [
            await stack.enter_async_context(source.client(key)) for key in keys.values()
        ]
        await configure(admin, peer)
        await asyncio.gather(live(ann), live(ben))
        seen = {"ann": await checksums(ann), "ben": await checksums(ben)}
        stream = await stack.enter_async_context(running_reply(cleo))
        shown = await text_until(stream, 500)
        tables = await asyncio.to_thread(table_sums, url)
        world = World(source, url, peer, folder, keys, tables, seen, shown)
        told = await asyncio.to_thread(parley, folder, environment, "backup", str(world.file))
        assert await text_until(stream, 500)
    assert (str(world.file), world.file.stat().st_size) == (told["file"], told["bytes"])
    return world


async def seen_in(platform: Platform, keys: dict[str, str]) -> dict[str, dict[str, str]]:
    seen = {}
    for name in ("ann", "ben"):
        async with platform.client(keys[name]) as client:
            seen[name] = await checksums(client)
    return seen


def table_sums(url: str) -> dict[str, str]:
    """Return a checksum of each table that rests."""
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(TABLES, [RESTLESS])]
        return {name: sum_of(connection, name) for name in tables}


def sum_of(connection: psycopg.Connection, table: str) -> str:
    query = "select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {} t{}"
    # The call of the reply that is being made is counted on.
    only = " where status = 'settled'" if table.startswith("provider.provider_usage") else ""
    names = sql.Identifier(*table.split("."))
    row = connection.execute(sql.SQL(query).format(names, sql.SQL(only))).fetchone()
    return str(row and row[0])


@pytest.fixture(scope="module")
def copied(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder = tmp_path_factory.mktemp("backup")
    for name in ("source", "restored"):
        (folder / name).mkdir()
    (folder / "master.keys").write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())
    paced = {"DEMO_PACE": "500", "MASTER_KEY_FILE": str(folder / "master.keys")}
    with ExitStack() as stack:
        peer = stack.enter_context(running_peer("openai", "--tokens", "7"))
        url = stack.enter_context(fresh_database(database_server))
        source = stack.enter_context(running_platform(url, folder / "source", paced))
        environment = source.environment | {"PARLEY_HOME": str(folder / "home")}
        world = asyncio.run(filled(source, url, peer, folder, environment))
        other = stack.enter_context(fresh_database(database_server))
        target = environment | {"DATABASE_URL": other}
        parley(folder, target, "restore", str(world.file))
        tables = table_sums(other)
        restored = stack.enter_context(running_platform(other, folder / "restored", paced))
        seen = asyncio.run(seen_in(restored, world.keys))
        yield Copy(world, restored, other, tables, seen)


def test_every_user_sees_the_same_at_every_route(copied: Copy) -> None:
    assert copied.world.seen == copied.seen
    assert min(len(paths) for paths in copied.seen.values()) >= 6 + 6


def test_every_table_holds_the_same(copied: Copy) -> None:
    assert copied.world.tables == copied.tables
    empty = hashlib.md5(b"", usedforsecurity=False).hexdigest()
    filled = {name for name, checksum in copied.tables.items() if checksum != empty}
    assert {
        "chat.attachments", "gateway.users", "prompt.active_prompts",
        "prompt.system_prompt_versions", "provider.provider_configs", "provider.usage_days",
    } <= filled  # fmt: skip


async def test_the_reply_that_was_being_made_is_interrupted_with_all_that_was_shown(
    copied: Copy,
) -> None:
    async with copied.restored.client(copied.world.keys["cleo"]) as cleo:
        async with asyncio.timeout(INTERRUPTED_WITHIN_SECONDS):
            while True:
                message = (await paged(cleo, "/chat/history/running", "messages"))[-1]
                if message["status"] != "running":
                    break
                await asyncio.sleep(0.2)

    assert "interrupted" == message["status"]
    assert message["content"].startswith(copied.world.shown)


def test_the_ledger_is_the_same_and_agrees_with_the_messages(copied: Copy) -> None:
    query = sql.SQL(
        "select sum(cost_nano_usd)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint"
        " from {} where owner_id in (select user_id from gateway.users where name <> 'cleo')"
    )
    sums = []
    for url in (copied.world.source_url, copied.restored_url):
        with psycopg.connect(url) as connection:
            for table in ("messages", "provider_usage", "usage_days"):
                schema = "chat" if table == "messages" else "provider"
                name = sql.Identifier(schema, table)
                sums.append(connection.execute(query.format(name)).fetchone())

    assert [sums[0]] * 6 == sums
    assert all(sums[0] or ())


async def test_providers_are_configured_as_before(copied: Copy) -> None:
    found = []
    for platform in (copied.world.source, copied.restored):
        async with platform.client() as admin:
            providers = (await ok(admin.get("/providers")))["providers"]
            models = (await ok(admin.get("/providers/house/models")))["models"]
        configured = {one["name"]: (one["configuration"], one["enabled"]) for one in providers}
        found.append((configured, models))

    assert found[0] == found[1]
    assert "house" in found[1][0]


async def test_an_old_chat_goes_on(copied: Copy) -> None:
    """With the users' keys and with the vendor's, which only the master key opens."""
    async with copied.restored.client(copied.world.keys["ann"]) as ann:
        before = await paged(ann, "/chat/history/moon", "messages")
        body = {"message": "And then?", "chat_id": "moon", "provider": "house"}
        answer = await ok(ann.post("/chat", json=body | {"model": "gpt-peer"}))
        after = await paged(ann, "/chat/history/moon", "messages")

    assert ("complete", "house") == (answer["status"], answer["provider"])
    assert before == after[: len(before)]
    assert ["And then?", answer["response"]] == [m["content"] for m in after[len(before) :]]
    request = copied.world.peer.asked()[-1]
    assert f"Bearer {KEY}" == request["headers"]["authorization"]
    sent = json.dumps(request["body"])
    assert all(json.dumps(text) in sent for text in (WORDS, "Look", "And then?"))


def test_a_backup_of_an_older_release_is_brought_up_to_date(
    database_server: str, tmp_path: Path
) -> None:
    schemas = [schema_of(service) for service in SERVICES]
    with fresh_database(database_server) as old, fresh_database(database_server) as new:
        environment = Platform(old, tmp_path, {}).environment | {"PARLEY_HOME": str(tmp_path / "h")}
        for service in SERVICES:
            prepared(old, service, "0002" if service == "chat_service" else "head")
        parley(tmp_path, environment, "backup", "a backup")
        told = parley(tmp_path, environment | {"DATABASE_URL": new}, "restore", "a backup")
        assert "0002" == told["schemas"]["chat"]
        prepared(old, "chat_service")

        assert [objects(old, schema) for schema in schemas] == [
            objects(new, schema) for schema in schemas
        ]
        assert [version(old, schema) for schema in schemas] == [
            version(new, schema) for schema in schemas
        ]
