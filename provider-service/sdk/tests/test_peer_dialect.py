"""A dialect may look at the whole of a request, and refuse one that its vendor would not take."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from parley_provider_sdk.testing import Answer, Dialect, Peer, Received, Script
from typing_extensions import override

pytestmark = pytest.mark.unit


class Strict(Dialect):
    """Wants a version with each request, and pages through its models."""

    models = ("strict-1",)

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return ""

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        return str(body["model"]) if path == "/reply" else None

    @override
    def is_streamed(self, path: str, body: Any) -> bool:
        return False

    @override
    def last_text(self, body: Any) -> str:
        return ""

    @override
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        return []

    @override
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        return b"{}"

    @override
    def failure(self, name: str, **words: str) -> Answer:
        return Answer(500, b"{}")

    @override
    def error_event(self, name: str) -> bytes:
        return b""

    @override
    def other(self, method: str, path: str, body: Any) -> Answer | None:
        return Answer(200, b"{}") if path == "/health" else None

    @override
    def answer(self, asked: Received) -> Answer | None:
        if asked.path != "/models":
            return super().answer(asked)
        return Answer(200, json.dumps(dict(asked.query)).encode())

    @override
    def refuse(self, asked: Received) -> Answer | None:
        return None if "version" in asked.headers else Answer(400, b'{"error":"version"}')


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer(Strict()) as made:
        yield made


async def status_of(peer: Peer, path: str, **asked: Any) -> tuple[int, Any]:
    method = "POST" if "json" in asked else "GET"
    url = peer.base_url + path
    async with aiohttp.ClientSession() as session, session.request(method, url, **asked) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_request_that_the_vendor_refuses_is_refused(peer: Peer) -> None:
    asked = {"model": "strict-1"}
    assert (400, {"error": "version"}) == await status_of(peer, "/reply", json=asked)
    sent = {"Version": "1"}
    assert (200, {}) == await status_of(peer, "/reply", json=asked, headers=sent)


async def test_an_answer_may_depend_on_the_query(peer: Peer) -> None:
    sent = {"version": "1"}
    assert (200, {"after": "a"}) == await status_of(peer, "/models?after=a", headers=sent)
    assert (200, {}) == await status_of(peer, "/health", headers=sent)
    assert [{"after": "a"}, {}] == [one.query for one in peer.requests]


async def test_a_dialect_refuses_nothing_by_itself(peer: Peer) -> None:
    assert Dialect.refuse(peer.dialect, Received("GET", "/", {}, None)) is None
