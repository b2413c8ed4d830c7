"""The ledger behind its port, over a real socket."""

from __future__ import annotations

from uuid import uuid4

import pytest
from parley_chat_service.adapters.usages import GrpcUsages
from parley_chat_service.core.model import Choice, Cost, Usage
from parley_chat_service.core.turn import Settled
from parley_rpc.client import Peer

from parley.provider.v1 import reply_pb2
from parley.provider.v1.usage_pb2 import UsageRecord

from .peers import PromptPeer, ProviderPeer, serving

pytestmark = pytest.mark.unit


async def test_what_is_settled_is_told_from_what_is_open_and_what_is_unknown() -> None:
    settled, free, still_open, unknown = (uuid4() for _ in range(4))
    peer = ProviderPeer()
    peer.ledger = {
        str(settled): UsageRecord(
            usage_id=str(settled),
            settled=True,
            usage=reply_pb2.Usage(
                input_tokens=3, output_tokens=2, source=reply_pb2.USAGE_SOURCE_ESTIMATED
            ),
            cost=reply_pb2.Cost(nano_usd=7, price_version="list"),
            provider="acme",
            model="large",
        ),
        str(free): UsageRecord(usage_id=str(free), settled=True, provider="acme", model="large"),
        str(still_open): UsageRecord(usage_id=str(still_open)),
    }
    async with serving(peer, PromptPeer()) as address:
        client = Peer("provider", address, None)
        found, waiting = await GrpcUsages(client).settled([settled, free, still_open, unknown])
        await client.aclose()

    assert {
        settled: Settled(Usage(3, 2, 0, 0, "estimated"), Cost(7, "list"), Choice("acme", "large")),
        free: Settled(None, None, Choice("acme", "large")),
    } == found
    assert {still_open} == waiting
