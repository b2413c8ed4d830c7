"""Every kind of bad input gets its documented status and a problem document, never a 500."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from parley_gateway.api import bodies
from parley_gateway.core.faults import MalformedBody, SlowBody

from .fakes import Script

pytestmark = pytest.mark.unit

BODIES = {
    "not json": (b"{", 400, "malformed_body"),
    "truncated": (b'{"message": "Hel', 400, "malformed_body"),
    "empty": (b"", 400, "malformed_body"),
    "not utf-8": (b'{"message": "\xff"}', 400, "malformed_body"),
    "overlong utf-8": (b'{"message": "\xc0\xaf"}', 400, "malformed_body"),
    "utf-16": ('{"message": "Hi"}'.encode("utf-16"), 400, "malformed_body"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(100), 400, "malformed_body"),
    "deep": (b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "malformed_body"),
    "deep in an unknown field": (
        b'{"message": "Hi", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        400,
        "malformed_body",
    ),
    "NaN": (b'{"message": "Hi", "temperature": NaN}', 400, "malformed_body"),
    "Infinity": (b'{"message": "Hi", "temperature": Infinity}', 400, "malformed_body"),
    "1e400": (b'{"message": "Hi", "temperature": 1e400}', 422, "/temperature"),
    "cold": (b'{"message": "Hi", "temperature": -1}', 422, "/temperature"),
    "hot": (b'{"message": "Hi", "temperature": 3}', 422, "/temperature"),
    "warm text": (b'{"message": "Hi", "temperature": "1"}', 422, "/temperature"),
    "true": (b'{"message": "Hi", "temperature": true}', 422, "/temperature"),
    "a list": (b"[]", 422, ""),
    "null": (b"null", 422, ""),
    "no message": (b"{}", 422, "/message"),
    "message a number": (b'{"message": 7}', 422, "/message"),
    "message null": (b'{"message": null}', 422, "/message"),
    "blank": (b'{"message": " \\n "}', 422, "/message"),
    "NUL": (b'{"message": "a\\u0000b"}', 422, "/message"),
    "lone surrogate": (b'{"message": "\\ud800"}', 422, "/message"),
    "surrogate name": (b'{"message": "Hi", "\\ud800": 1}', 422, ""),
    "unknown field": (b'{"message": "Hi", "is_admin": true}', 422, "/is_admin"),
    "odd name": (b'{"message": "Hi", "a/b~c": true}', 422, "/a~1b~0c"),
    "no tokens": (b'{"message": "Hi", "max_tokens": 0}', 422, "/max_tokens"),
    "half a token": (b'{"message": "Hi", "max_tokens": 0.5}', 422, "/max_tokens"),
    "too many tokens": (b'{"message": "Hi", "max_tokens": 99999999999}', 422, "/max_tokens"),
    "id with a space": (b'{"message": "Hi", "chat_id": "a b"}', 422, "/chat_id"),
    "id with a newline": (b'{"message": "Hi", "chat_id": "a\\n"}', 422, "/chat_id"),
    "long id": (b'{"message": "Hi", "chat_id": "' + b"x" * 51 + b'"}', 422, "/chat_id"),
    "empty model": (b'{"message": "Hi", "model": ""}', 422, "/model"),
    "bad base64": (
        b'{"message": "Hi", "attachments": [{"media_type": "image/png", "data": "!"}]}',
        422,
        "/attachments/0/data",
    ),
    "no choice": (b'{"message": "Hi", "fallbacks": ["acme/"]}', 422, "/fallbacks/0"),
    "a choice null": (b'{"message": "Hi", "fallbacks": ["a", null]}', 422, "/fallbacks/1"),
    "choices as text": (b'{"message": "Hi", "fallbacks": "acme"}', 422, "/fallbacks"),
    "nine choices": (
        b'{"message": "Hi", "fallbacks": [%s]}' % b",".join([b'"a"'] * 9),
        422,
        "/fallbacks",
    ),
    "a million fields": (
        b'{"message": "Hi", %s}' % b",".join(b'"%d": 1' % i for i in range(200_000)),
        422,
        "",
    ),
    "10 MB": (b'{"message": "' + b"x" * 10_000_000 + b'"}', 413, "body_too_large"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused(client: httpx.AsyncClient, script: Script, name: str) -> None:
    body, status, expected = BODIES[name]
    began = time.process_time()

    answer = await client.post("/chat", content=body)

    problem = answer.json()
    reason = "invalid_argument" if status == 422 else expected
    assert (status, reason) == (answer.status_code, problem["reason"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert problem["instance"] == answer.headers["x-request-id"]
    if status == 422:
        assert expected == problem["errors"][0]["pointer"]
    assert [] == script.received
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "one", "message": "two"}',
        b'{"message": "one", "m\\u0065ssage": "two"}',
        b'{"message": "Hi", "attachments": [{"media_type": "a/b", "data": "", "data": ""}]}',
    ],
    ids=["plain", "escaped", "inside"],
)
async def test_a_name_given_twice_is_refused(
    client: httpx.AsyncClient, script: Script, body: bytes
) -> None:
    for path in ("/chat", "/system-prompts"):
        answer = await client.post(path, content=body)

        assert 422 == answer.status_code
        assert "twice" in answer.json()["errors"][0]["detail"]
    assert [] == script.received


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_compressed_body_is_not_unpacked(client: httpx.AsyncClient, encoding: str) -> None:
    bomb = gzip.compress(bytes(1_000_000))

    answer = await client.post("/users", content=bomb, headers={"Content-Encoding": encoding})

    assert (415, "encoded_body") == (answer.status_code, answer.json()["reason"])


async def test_a_body_as_it_is_may_be_called_so(client: httpx.AsyncClient) -> None:
    headers = {"Content-Encoding": "identity"}

    answer = await client.post("/users", json={"name": "ada"}, headers=headers)

    assert 201 == answer.status_code


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/system-prompts"), ("PUT", "/system-prompts/x")]
)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"[" * 100_000, 400),
        (b'{"name": "\xff", "content": "x"}', 400),
        (b'{"name": "\\ud800", "content": "x"}', 422),
        (b'{"name": "a\\u0000", "content": "x"}', 422),
        (b'{"name": "a", "content": " "}', 422),
        (b'{"name": "a", "content": "x", "shared": true}', 422),
        (b'{"name": NaN, "content": "x"}', 400),
        (b'{"name": {%s}, "content": "x"}' % b",".join(b'"%d": 1' % i for i in range(999)), 422),
        (b'{"name": "' + b"x" * 101 + b'", "content": "x"}', 422),
        (b'{"name": "a", "content": "' + b"x" * 9_000_000 + b'"}', 413),
    ],
    ids=range(12),
)
async def test_other_routes_refuse_likewise(
    client: httpx.AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    answer = await client.request(method, path, content=body)

    assert (status, "application/problem+json") == (
        answer.status_code,
        answer.headers["content-type"],
    )


@pytest.mark.parametrize("named", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_is_json_whatever_it_is_called(client: httpx.AsyncClient, named: str) -> None:
    headers = {"Content-Type": named}
    body = b'{"name": "ada"}'

    answer = await client.post("/users", content=body, headers=headers)

    assert 201 == answer.status_code


@pytest.mark.parametrize(
    "query",
    ["page_size=0", "page_size=-1", "page_size=1000000000", "page_size=x", "page_size=101"],
)
async def test_a_page_has_a_size(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/chat/history?{query}")

    assert (422, "/page_size") == (answer.status_code, answer.json()["errors"][0]["pointer"])


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nothing/here", 404, "route_not_found"),
        ("GET", "/chat/", 404, "route_not_found"),
        ("PATCH", "/chat", 405, "method_not_allowed"),
        ("DELETE", "/", 405, "method_not_allowed"),
        ("GET", "/docs/assets/nothing", 404, "route_not_found"),
        ("GET", "/docs/problems/nothing", 404, "route_not_found"),
    ],
)
async def test_what_is_not_there_is_said_so(
    client: httpx.AsyncClient, method: str, path: str, status: int, reason: str
) -> None:
    answer = await client.request(method, path)

    assert (status, reason) == (answer.status_code, answer.json()["reason"])
    if status == 405:
        assert answer.headers["allow"]


async def test_what_a_path_takes_is_told_for_all_of_its_routes(client: httpx.AsyncClient) -> None:
    answer = await client.options("/system-prompts/{any}")

    assert (405, "DELETE, GET, PUT") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize("chat_id", ["%00", "%ed%a0%80", "..%2f", "x" * 10_000, "a b", "A"])
async def test_an_odd_name_in_a_path_is_no_fault_of_ours(
    client: httpx.AsyncClient, chat_id: str
) -> None:
    answer = await client.get(f"/chat/history/{chat_id}")

    assert answer.status_code < 500


async def chunks(count: int, pause: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * 100_000
        await asyncio.sleep(pause)


Listen = Callable[[], Awaitable[httpx.AsyncClient]]


async def test_a_body_without_a_length_is_bounded_too(listen: Listen) -> None:
    client = await listen()

    answer = await client.post("/chat", content=chunks(100))

    assert (413, "body_too_large") == (answer.status_code, answer.json()["reason"])
    assert "close" == answer.headers["connection"]


async def test_a_body_with_a_length_is_refused_and_the_client_hears_it(listen: Listen) -> None:
    client = await listen()

    answer = await client.post("/chat", content=b" " * 10_000_000)

    assert 413 == answer.status_code


async def test_a_slow_body_is_not_waited_for() -> None:
    async def receive() -> Any:
        await asyncio.sleep(3600)

    reading = bodies.read_body({"headers": [], "parley.exchange": FakeExchange()}, receive, 0.01)
    with pytest.raises(SlowBody):
        await reading


async def test_a_body_that_dribbles_is_not_waited_for() -> None:
    async def receive() -> Any:
        await asyncio.sleep(0.002)
        return {"type": "http.request", "body": b" ", "more_body": True}

    reading = bodies.read_body({"headers": [], "parley.exchange": FakeExchange()}, receive, 0.05)
    with pytest.raises(SlowBody):
        await reading


class FakeExchange:
    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []


async def test_a_body_that_breaks_off_is_refused() -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(MalformedBody):
        await bodies.read_body({"headers": [], "parley.exchange": FakeExchange()}, receive)
