"""What every answer says, and what the log says of it."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.dialects import failures
from parley_gateway.api.door import Door
from parley_gateway.api.middleware import SCOPE_KEY, Exchanges
from starlette.types import Message, Receive, Scope, Send

from .conftest import ADMIN_KEY
from .fakes import Script
from .turns import WHOLE

pytestmark = pytest.mark.unit

SECRET = "a secret between us"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    found = [r for r in caplog.records if r.name == "parley.access" and r.message == "request"]
    return [record.__dict__["fields"] for record in found]


async def test_every_answer_is_named_and_kept_private(stranger: httpx.AsyncClient) -> None:
    for path in ("/", "/livez", "/me", "/nothing", "/docs", "/openapi.json"):
        headers = (await stranger.get(path)).headers

        assert UUID(headers["x-request-id"]).version == 7
        assert "nosniff" == headers["x-content-type-options"]
        assert "no-referrer" == headers["referrer-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert ("DENY", "same-origin", "same-origin") == (
            headers["x-frame-options"],
            headers["cross-origin-opener-policy"],
            headers["cross-origin-resource-policy"],
        )
        assert "camera=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("abc-1.2_3", True),
        ("x" * 100, True),
        ("x" * 101, False),
        ("a b", False),
        ('"><script>', False),
        ("", False),
    ],
)
async def test_a_sane_request_id_is_taken(
    stranger: httpx.AsyncClient, given: str, taken: bool
) -> None:
    answer = await stranger.get("/livez", headers={"X-Request-Id": given})

    assert taken == (given == answer.headers["x-request-id"])


async def test_a_request_is_one_line_without_secrets(
    client: httpx.AsyncClient,
    script: Script,
    gateway: Gateway,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    script.turn = [*WHOLE]

    await client.post(f"/chat?q={SECRET}", json={"message": SECRET})

    assert gateway.keyring.administrator
    (line,) = lines(caplog)
    assert ("POST", "/chat", 200, str(gateway.keyring.administrator.user_id)) == (
        line["method"],
        line["route"],
        line["status"],
        line["user_id"],
    )
    told = "".join(f"{record.message} {record.__dict__.get('fields')}" for record in caplog.records)
    for secret in (SECRET, ADMIN_KEY, "A day"):
        assert secret not in told


async def test_the_line_names_the_template_of_the_route(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    await client.get(f"/chat/history/{SECRET}")
    await client.get(f"/{SECRET}")

    assert ["/chat/history/{chat_id}", ""] == [line["route"] for line in lines(caplog)]


async def test_a_mistake_of_ours_is_500_without_details_and_logged(
    client: httpx.AsyncClient, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    app.state.gateway = None

    answer = await client.get("/me")

    assert (500, "internal") == (answer.status_code, answer.json()["reason"])
    assert "NoneType" not in answer.text
    (record,) = [r for r in caplog.records if r.message == "failed"]
    assert answer.headers["x-request-id"] == record.__dict__["fields"]["request_id"]
    assert record.exc_info


async def test_a_request_that_is_cut_hears_why() -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3600)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope: Scope = {"type": "http", "method": "GET", "path": "/me", "headers": []}
    running = asyncio.create_task(Exchanges(never, Door(), failures.response)(scope, receive, send))
    await asyncio.sleep(0)
    running.cancel()
    await running

    assert 503 == sent[0]["status"] == scope[SCOPE_KEY].status
