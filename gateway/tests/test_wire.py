"""What comes as bytes and never becomes a request: refused in our words, and bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from parley_gateway.api import server

from .conftest import ADMIN_KEY

pytestmark = pytest.mark.unit

Listen = Callable[[], Awaitable[httpx.AsyncClient]]
Ask = Callable[..., Awaitable[list[tuple[int, str]]]]
KEY = b"authorization: Bearer " + ADMIN_KEY.encode() + b"\r\n"
GET = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
POST = b"POST /users HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + KEY
BODY = b'{"name":"ada"}'
CHUNKED = b"e\r\n" + BODY + b"\r\n0\r\n\r\n"
SMUGGLED = b"0\r\n\r\nGET /me HTTP/1.1\r\nhost: x\r\n" + KEY + b"\r\n"
BAD, LARGE = (400, "malformed_request"), (431, "head_too_large")


@pytest.fixture
def ask(listen: Listen) -> Ask:
    """Sends bytes, and returns status and reason of each answer that came back."""

    async def asked(*parts: bytes) -> list[tuple[int, str]]:
        client = await listen()
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(10):
            received = await reader.read()
        writer.close()
        return [outcome(answer) for answer in received.split(b"HTTP/1.1 ")[1:]]

    return asked


def outcome(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"problem+json" not in head:
        return int(answer[:3]), ""
    assert b"nosniff" in head
    problem = json.loads(body)
    assert problem["status"] == int(answer[:3])
    assert problem["instance"].encode() in head
    return int(answer[:3]), problem["reason"]


@pytest.mark.parametrize(
    "request_",
    {
        "two kinds of length": POST
        + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
        + SMUGGLED,
        "and the other way round": POST
        + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n"
        + SMUGGLED,
        "two lengths": POST + b"content-length: 14\r\ncontent-length: 14\r\n\r\n" + BODY,
        "a list of lengths": POST + b"content-length: 14, 14\r\n\r\n" + BODY,
        "a signed length": POST + b"content-length: +14\r\n\r\n" + BODY,
        "a negative length": POST + b"content-length: -14\r\n\r\n" + BODY,
        "an endless length": POST + b"content-length: 99999999999999999999999\r\n\r\n" + BODY,
        "another coding": POST + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKED,
        "an odd coding": POST + b"transfer-encoding: xchunked\r\n\r\n" + CHUNKED,
        "two codings": POST + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n" + CHUNKED,
        "a space before the colon": POST + b"transfer-encoding : chunked\r\n\r\n" + CHUNKED,
        "a chunk without a length": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n" + BODY,
        "a negative chunk": POST + b"transfer-encoding: chunked\r\n\r\n-e\r\n" + BODY,
        "bare line feeds": POST + b"transfer-encoding: chunked\r\n\r\ne\n" + BODY + b"\n0\n\n",
        "a folded header": GET + b"x: a\r\n b\r\n\r\n",
        "no host": b"GET /livez HTTP/1.1\r\n\r\n",
        "two hosts": GET + b"host: y\r\n\r\n",
        "a method of nobody": b"FOO / HTTP/1.1\r\nhost: x\r\n\r\n",
        "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        "a path of bytes": b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    }.items(),
    ids=lambda pair: pair[0],
)
async def test_what_is_not_right_is_refused_and_nothing_behind_it_is_read(
    ask: Ask, request_: tuple[str, bytes]
) -> None:
    assert [BAD] == await ask(request_[1])


async def test_a_body_in_chunks_is_taken(ask: Ask) -> None:
    chunked = POST + b"transfer-encoding: chunked\r\n\r\n"

    assert [(201, "")] == await ask(chunked, CHUNKED)


async def test_too_many_headers_are_refused(ask: Ask) -> None:
    headers = b"".join(b"x-%d: y\r\n" % number for number in range(server.MOST_HEADERS))

    assert [LARGE] == await ask(GET + headers + b"\r\n")


async def test_what_stands_behind_it_is_not_obeyed(listen: Listen) -> None:
    client = await listen()
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    kept = GET.replace(b"close", b"keep-alive")
    headers = b"".join(b"x-%d: y\r\n" % number for number in range(server.MOST_HEADERS))
    writer.write(kept + b"\r\n")
    await reader.readuntil(b"}")

    writer.write(kept + headers + b"\r\n" + POST + b"content-length: 14\r\n\r\n" + BODY)
    async with asyncio.timeout(10):
        answers = await reader.read()

    writer.close()
    assert 1 == answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 431 ")
    users = (await client.get("/users")).json()["users"]
    assert ["admin"] == [user["name"] for user in users]


@pytest.mark.parametrize("start", [GET + b"x: ", b"GET /"], ids=["header", "path"])
async def test_a_head_without_an_end_is_refused(ask: Ask, start: bytes) -> None:
    assert [LARGE] == await ask(start, *[b"y" * 200_000] * 12)


async def test_a_key_of_a_megabyte_is_just_wrong(ask: Ask) -> None:
    token = b"authorization: Bearer " + b"k" * 1_000_000

    assert [(401, "unauthenticated")] == await ask(
        b"GET /me HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + token + b"\r\n\r\n"
    )


@pytest.mark.parametrize("start", [b"", b"GET /livez HTTP/1.1\r\nhost: "])
async def test_a_head_is_not_waited_for_for_ever(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(server, "HEAD_WITHIN_SECONDS", 0.2)

    assert [] == await ask(start)


async def test_nor_is_the_head_of_a_second_request(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_WITHIN_SECONDS", 0.2)
    first = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"

    assert [(200, "")] == await ask(first + b"GET /livez HTTP/1.1\r\nhost: ")


async def test_a_body_that_is_asked_for_permission_is_not_asked_for(ask: Ask) -> None:
    asking = b"expect: 100-continue\r\ncontent-length: 10000000\r\n\r\n"

    assert [(413, "body_too_large")] == await ask(POST + asking)


async def test_permission_is_given_to_who_was_let_in(ask: Ask) -> None:
    asking = b"expect: 100-continue\r\ncontent-length: 14\r\n\r\n"

    assert [(100, ""), (201, "")] == await ask(POST + asking, BODY)
    stranger = (POST + asking).replace(KEY, b"")
    assert [(401, "unauthenticated")] == await ask(stranger)
