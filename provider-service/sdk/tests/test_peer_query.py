"""A dialect sees the query of a request that has no body."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from parley_provider_sdk.testing import Answer, Dialect, Peer, Script
from typing_extensions import override

pytestmark = pytest.mark.unit


class Echo(Dialect):
    """Answers every path with what it was asked."""

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return ""

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        return None

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
        return b""

    @override
    def failure(self, name: str, **words: str) -> Answer:
        return Answer(500, b"")

    @override
    def error_event(self, name: str) -> bytes:
        return b""

    @override
    def other(self, method: str, path: str, body: Any) -> Answer | None:
        return Answer(200, repr(body).encode(), "text/plain")


async def test_a_list_can_have_pages() -> None:
    async with Peer(Echo()) as peer, aiohttp.ClientSession() as session:
        async with session.get(f"{peer.base_url}/models?page=2") as answer:
            assert "{'page': '2'}" == await answer.text()
        async with session.post(f"{peer.base_url}/count?page=2", json=["said"]) as answer:
            assert "['said']" == await answer.text()
        assert [None, ["said"]] == [one.body for one in peer.requests]
