"""The scriptable vendor does what its script says."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from parley_provider_sdk.testing import Peer, PeerVendor

from .toy import FAILURES, KEY, ToyDialect

pytestmark = pytest.mark.unit


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer(ToyDialect(), key=KEY) as wire:
        yield wire


async def lines(peer: Peer, seconds: float) -> list[dict[str, Any]]:
    """What arrives within so many seconds, as far as it is whole."""
    body = {"model": "toy-1", "said": [{"bits": [{"say": "Hi"}]}], "stream": True}
    got = b""
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(headers={"X-Key": KEY}) as session,
            session.post(f"{peer.base_url}/talk", json=body) as answer,
        ):
            async for chunk in answer.content.iter_any():
                got += chunk
    except TimeoutError:
        pass
    return [json.loads(line) for line in got.split(b"\n")[:-1]]


async def test_it_dribbles_after_the_first_text(peer: Peer) -> None:
    PeerVendor(peer, FAILURES, midway="busy").dribbles(("one ", "two " * 99))
    begin = time.monotonic()
    assert await lines(peer, 0.5) == [{"open": True}, {"say": "one "}]
    assert time.monotonic() - begin >= 0.5


async def test_it_dribbles_from_the_beginning(peer: Peer) -> None:
    peer.script(texts=["one "], dribble=100)
    assert await lines(peer, 0.1) == []


async def test_it_counts_connections(peer: Peer) -> None:
    vendor = PeerVendor(peer, FAILURES, midway="busy")
    async with aiohttp.ClientSession() as session:
        await (await session.get(f"{peer.base_url}/_log")).read()
        assert vendor.connections == 1


async def test_an_unknown_word_in_a_script_is_refused(peer: Peer) -> None:
    with pytest.raises(ValueError, match=r"has no \['wings'\]"):
        peer.script(wings=2)


async def test_it_counts_what_its_log_no_longer_holds(peer: Peer) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(1001):
            async with session.get(f"{peer.base_url}/nothing") as answer:
                await answer.read()
        async with session.get(f"{peer.base_url}/_log") as answer:
            log = await answer.json()
    assert (log["received"], len(log["requests"])) == (1001, 1000)
