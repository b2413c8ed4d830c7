"""What ends a completion before its time: a key that is revoked, a gateway that stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.core.users import Accounts
from starlette.types import Message

from .conftest import ADMIN_KEY
from .fakes import FakeServices, Script
from .replies import text, user

pytestmark = pytest.mark.unit

PATH = "/v1/chat/completions"
Listen = Callable[[], Awaitable[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def endless(script: Script) -> None:
    script.replies = [[text("A"), asyncio.Event()]]


async def end_keys(accounts: Accounts, key: str) -> None:
    """Revoke an ordinary user's key."""
    identity = await accounts.keyring.identify(key.encode())
    administrator = accounts.keyring.administrator
    assert administrator
    await accounts.revoke_key(administrator, identity.key_id)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_key_that_is_revoked_ends_what_it_asked_for(
    listen: Listen,
    services: FakeServices,
    accounts: Accounts,
    user_key: str,
    streamed: bool,
) -> None:
    client, said = await listen(), asyncio.Event()
    headers = {"x-api-key": user_key}

    async def ask() -> tuple[bool, str]:
        asked = client.stream("POST", PATH, json=user(stream=streamed), headers=headers)
        async with asked as answer:
            said.set()
            text = b"".join([part async for part in answer.aiter_bytes()]).decode()
            return answer.is_success, text

    asking = asyncio.create_task(ask())
    async with asyncio.timeout(10):
        await (said if streamed else services.script.asked).wait()
        await end_keys(accounts, user_key)
        is_success, text = await asking
        await services.provider.left.wait()

    lines = text.strip().split("\n")
    told = json.loads(lines[-1].removeprefix("data: "))["error"]
    assert ("invalid_api_key", streamed) == (told["code"], is_success)
    assert "[DONE]" not in text


async def test_a_gateway_that_stops_says_so_in_the_stream(
    app: FastAPI, services: FakeServices
) -> None:
    body, said, told = json.dumps(user(stream=True)).encode(), asyncio.Event(), list[bytes]()
    asked: list[Message] = [{"type": "http.request", "body": body}]

    async def receive() -> Message:
        return asked.pop() if asked else await asyncio.Future[Message]()

    async def send(message: Message) -> None:
        told.append(message.get("body", b""))
        if b'"content":"A"' in told[-1]:
            said.set()

    headers = [(b"x-api-key", ADMIN_KEY.encode()), (b"host", b"gateway")]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers}
    answering = asyncio.create_task(app(scope | {"query_string": b""}, receive, send))
    async with asyncio.timeout(10):
        await said.wait()
        answering.cancel()
        await answering
        await services.provider.left.wait()

    error = json.loads(told[-1].removeprefix(b"data: "))["error"]
    assert ("server_error", "unavailable") == (error["type"], error["code"])
