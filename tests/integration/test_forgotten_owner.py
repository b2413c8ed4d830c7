"""A service that forgets whose rows it asks for shows and changes nobody else's all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from parley_tests.database import fresh_database
from parley_tests.platform import Platform, running_platform
from psycopg import sql

pytestmark = pytest.mark.integration

# Stands in everything that is Ann's.
MARK = "only-ann-may-know"
ISOLATED = """
select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relrowsecurity and n.nspname in ('chat', 'gateway', 'prompt', 'provider') order by 1"""
SHARED = "select * from prompt.system_prompts where owner_id is null order by prompt_id"


@dataclass(frozen=True)
class Site:
    """Services that forget, what Ann has, and a key of Ben's."""

    platform: Platform
    ann: dict[str, str]
    ben: str

    @property
    def database_url(self) -> str:
        return self.platform.environment["DATABASE_URL"]

    def kept(self) -> dict[str, list[Any]]:
        """Return every row that is Ann's, and the prompts that are everybody's."""
        with psycopg.connect(self.database_url) as owner:
            found = {"shared": owner.execute(SHARED).fetchall()}
            for (table,) in owner.execute(ISOLATED).fetchall():
                query = sql.SQL("select t::text from {} t where t::text like %s order by 1")
                named = query.format(sql.Identifier(*table.split(".")))
                found[table] = owner.execute(named, [f"%{self.ann['user_id']}%"]).fetchall()
        return found


async def furnish(platform: Platform) -> tuple[dict[str, str], str]:
    """Let both users have a bit of everything; return Ann's ids, and Ben's key."""
    keys = {name: await platform.new_user(name) for name in ("ann", "ben")}
    ids: dict[str, str] = {}
    for name, mark in (("ben", "ben's"), ("ann", MARK)):
        async with platform.client(keys[name]) as client:
            body = {"message": f"/echo {mark}", "chat_id": mark if mark == MARK else "ben"}
            sent = await ok(client.post("/chat", json=body))
            prompt = await ok(client.post("/system-prompts", json={"name": mark, "content": mark}))
            if mark == MARK:
                await ok(client.post(f"/system-prompts/{prompt['prompt_id']}/activate"))
            key = await ok(client.post("/keys", json={"name": mark}))
            me = await ok(client.get("/me"))
            ids = {"user_id": me["user_id"], "key_id": key["key_id"]}
            ids |= {name: sent[name] for name in ("chat_id", "message_id")}
            ids |= {"prompt_id": prompt["prompt_id"]}
    return ids, keys["ben"]


async def ok(answer: Any) -> Any:
    response = await answer
    assert response.is_success, response.text
    return response.json()


@pytest.fixture
def site(database_server: str, tmp_path: Path) -> Iterator[Site]:
    with (
        fresh_database(database_server) as url,
        running_platform(url, tmp_path) as platform,
    ):
        ann, ben = asyncio.run(furnish(platform))
        platform.stop()
        platform.build = ["parley_tests.forgetful"]
        platform.start()
        yield Site(platform, ann, ben)


READS = (
    "GET /chat/history",
    "GET /chat/history/{chat_id}",
    "GET /chats/{chat_id}/messages/{message_id}/stream",
    "GET /system-prompt",
    "GET /system-prompts",
    "GET /system-prompts/{prompt_id}",
    "GET /usage?group_by=user,key",
    "GET /usage/records",
    "GET /keys",
)
CHANGES = (
    "POST /chats/{chat_id}/messages/{message_id}/stop",
    "PUT /system-prompts/{prompt_id}",
    "PUT /system-prompts/default",
    "DELETE /system-prompts/default",
    "POST /system-prompts/{prompt_id}/activate",
    "DELETE /chat/delete/{chat_id}",
    "DELETE /system-prompts/{prompt_id}",
    "DELETE /keys/{key_id}",
)


async def told(site: Site, routes: tuple[str, ...]) -> dict[str, httpx.Response]:
    """Ask as Ben for what is Ann's."""
    answers = {}
    async with site.platform.client(site.ben) as client:
        for route in routes:
            method, path = route.split(" ")
            body = {"content": "Ben was here."} if method == "PUT" else None
            answers[route] = await client.request(method, path.format(**site.ann), json=body)
    return answers


def tells(site: Site, answer: httpx.Response) -> bool:
    """Whether an answer tells of Ann what was not in the question."""
    question = str(answer.request.url)
    secrets = {MARK, site.ann["user_id"], site.ann["key_id"], site.ann["message_id"]}
    return any(secret in answer.text for secret in secrets if secret not in question)


def leaks(site: Site, answers: dict[str, httpx.Response]) -> set[str]:
    """Return the routes that told something, or found what was named by an id of Ann's."""
    return {
        route
        for route, answer in answers.items()
        if tells(site, answer) or ("{" in route and answer.status_code != httpx.codes.NOT_FOUND)
    }


@contextmanager
def without_policies(site: Site) -> Iterator[None]:
    """Take row-level security away for the length of a block."""
    with psycopg.connect(site.database_url, autocommit=True) as owner:
        tables = [table for (table,) in owner.execute(ISOLATED).fetchall()]
        for table in tables:
            owner.execute(f"alter table {table} disable row level security".encode())
        yield
        for table in tables:
            owner.execute(f"alter table {table} enable row level security".encode())


def test_nothing_foreign_is_read_or_changed(site: Site) -> None:
    """And without the policies it is: the services do forget, and this test can fail."""
    before = site.kept()
    assert set() == leaks(site, asyncio.run(told(site, READS)))
    assert set() == leaks(site, asyncio.run(told(site, CHANGES)))
    assert before == site.kept()

    with without_policies(site):
        assert set(READS) == leaks(site, asyncio.run(told(site, READS)))
        asyncio.run(told(site, CHANGES))
    after = site.kept()
    changed = {"chat.chats", "prompt.system_prompts", "gateway.api_keys"}
    assert changed <= {name for name in before if before[name] != after[name]}
