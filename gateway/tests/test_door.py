"""Which hosts and origins are let through, and the documentation that can be switched off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import httpx
import pytest
from parley_gateway.api.app import build_app
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.door import Door

from .conftest import ADMIN_KEY

pytestmark = pytest.mark.unit

PAGE = "https://chat.example.com"
Through: TypeAlias = Callable[[Door], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def through(gateway: Gateway) -> Through:
    """Makes a client that comes through a door."""

    @asynccontextmanager
    async def open_door(door: Door) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(build_app(replace(gateway, door=door)))
        headers = {"x-api-key": ADMIN_KEY}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers=headers
        ) as client:
            yield client

    return open_door


@pytest.mark.parametrize(
    "host",
    [
        "gateway",
        "GATEWAY:8000",
        "127.0.0.1",
        "[::1]:8000",
        "a_b.example.com",
        "gateway.",
        "10.1.2.3:1",
    ],
)
async def test_any_well_formed_host_may_be_asked(stranger: httpx.AsyncClient, host: str) -> None:
    assert (await stranger.get("/livez", headers={"Host": host})).is_success


@pytest.mark.parametrize(
    "host",
    [
        "",
        "gateway/docs",
        "gateway/docs?x=",
        "gateway#",
        "gateway@other",
        "gateway:port",
        "gateway:123456",
        "gate way",
        "gateway,other",
        "[::1",
        "[x]",
        "a..b",
        "<script>",
        "x" * 64,
    ],
)
@pytest.mark.parametrize("path", ["/livez", "/me", "/nothing"])
async def test_an_odd_host_is_refused_everywhere(
    client: httpx.AsyncClient, host: str, path: str
) -> None:
    answer = await client.get(path, headers={"Host": host})

    assert (400, "malformed_request") == (answer.status_code, answer.json()["reason"])
    assert "nosniff" == answer.headers["x-content-type-options"]


async def test_two_hosts_are_none(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/livez", headers=[("Host", "gateway"), ("Host", "gateway")])

    assert 400 == answer.status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("parley.example.com", 200),
        ("PARLEY.example.com:8443", 200),
        ("parley.example.com.", 200),
        ("a.b.inner.example", 200),
        ("[::1]:8000", 200),
        ("inner.example", 400),
        ("badinner.example", 400),
        ("parley.example.com.evil.example", 400),
        ("evil-parley.example.com", 400),
        ("gateway", 400),
    ],
)
async def test_only_the_hosts_that_are_ours(through: Through, host: str, status: int) -> None:
    door = Door(hosts=("parley.example.com", ".inner.example", "[::1]"))
    async with through(door) as client:
        assert status == (await client.get("/livez", headers={"Host": host})).status_code


async def test_no_page_of_another_origin_may_ask(client: httpx.AsyncClient) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    answers = [
        await client.get("/me", headers={"Origin": PAGE}),
        await client.options("/chat", headers=asked),
    ]

    assert [200, 405] == [answer.status_code for answer in answers]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_page_of_an_origin_that_is_allowed_may_ask(through: Through) -> None:
    async with through(Door(origins=(PAGE,))) as client:
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
        before = await client.options("/chat", headers=asked)
        answers = [await client.get(path, headers={"Origin": PAGE}) for path in ("/me", "/nothing")]

    assert 204 == before.status_code
    assert "authorization" in before.headers["access-control-allow-headers"]
    assert "DELETE" in before.headers["access-control-allow-methods"]
    for answer in (before, *answers):
        assert PAGE == answer.headers["access-control-allow-origin"]
        assert "origin" == answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
        assert "x-request-id" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    "origin", ["https://other.example.com", "null", f"{PAGE}.evil.example", f"{PAGE}:1", "*"]
)
async def test_a_page_of_any_other_origin_may_not(through: Through, origin: str) -> None:
    async with through(Door(origins=(PAGE,))) as client:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        before = await client.options("/chat", headers=asked)
        answer = await client.get("/me", headers={"Origin": origin})

    assert [405, 200] == [before.status_code, answer.status_code]
    for headers in (before.headers, answer.headers):
        assert "access-control-allow-origin" not in headers
    assert "origin" == answer.headers["vary"]


async def test_the_documentation_can_be_switched_off(through: Through) -> None:
    async with through(Door(docs=False)) as client:
        for path in ("/docs", "/redoc", "/openapi.json", "/docs/assets/swagger-ui.css"):
            answer = await client.get(path)
            assert (404, "route_not_found") == (answer.status_code, answer.json()["reason"])
        assert {"health": "/health"} == (await client.get("/")).json()["links"]
        assert (await client.get("/docs/problems/internal")).is_success


async def test_browsers_are_told_to_come_by_tls_when_asked_to(through: Through) -> None:
    async with through(Door(hsts_seconds=3600)) as client:
        headers = (await client.get("/livez")).headers

    assert "max-age=3600" == headers["strict-transport-security"]
