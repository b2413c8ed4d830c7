"""CreateEmbeddings, through a real channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.api import embedding
from parley_provider_service.bootstrap import NAME, build_server
from parley_rpc.client import Peer
from parley_rpc.faults import Fault, reason_of
from parley_tests.believing import OpenToAnybody, new_caller
from uuid_utils.compat import uuid7

from parley.provider.v1 import embedding_pb2, reply_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

from .scene import Scene
from .test_embedding import REPORTED, TEXTS, Embedder, scene_of

pytestmark = pytest.mark.unit

HALVES = ([0.5, -0.25], [1.0, 2.0])


@pytest.fixture
def scene() -> Scene:
    return scene_of(sdk.Embeddings(HALVES, REPORTED))


@pytest.fixture
async def peer(scene: Scene) -> AsyncIterator[Peer]:
    server = build_server(scene.servicer, OpenToAnybody())
    await server.start("127.0.0.1:0", [NAME])
    peer = Peer("provider", f"127.0.0.1:{server.port}", None)
    yield peer
    await peer.aclose()
    await server.stop(0)
    await scene.generation.aclose(1)


def begun(peer: Peer, user: UUID, seconds: float = 5.0, **fields: Any) -> Any:
    values = {"usage_id": str(uuid7()), "provider": "acme", "model": "small", "texts": TEXTS}
    request = embedding_pb2.CreateEmbeddingsRequest(**{**values, **fields})
    shown = new_caller(str(user), "key", "request", valid_for=60).metadata
    stub: Any = ProviderServiceStub(peer.channel)
    return stub.CreateEmbeddings(request, timeout=seconds, metadata=shown)


async def test_vectors_are_made_and_paid_for(peer: Peer, scene: Scene, ada: UUID) -> None:
    usage_id = uuid7()

    made = await peer.unary(
        begun(peer, ada, provider="", model="acme/small", dimensions=2, usage_id=str(usage_id))
    )

    assert (
        embedding_pb2.CreateEmbeddingsResponse(
            embeddings=[embedding_pb2.Embedding(values=vector) for vector in HALVES],
            usage=reply_pb2.Usage(input_tokens=7, source=reply_pb2.USAGE_SOURCE_REPORTED),
            cost=reply_pb2.Cost(nano_usd=7, price_version="list 1"),
            provider="acme",
            model="small",
        )
        == made
    )
    assert isinstance(scene.provider, Embedder)
    assert [sdk.EmbeddingRequest("small", TEXTS, 2)] == scene.provider.wanted
    [record] = await scene.ledger.find(ada, [usage_id])
    assert (True, REPORTED, "key") == (record.settled, record.usage, record.key_id)


async def test_without_a_price_there_is_no_cost(peer: Peer, ada: UUID) -> None:
    made = await peer.unary(begun(peer, ada, model="large"))

    assert not made.HasField("cost")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"usage_id": "7"}, "invalid_argument"),
        ({"texts": []}, "invalid_argument"),
        ({"dimensions": 0}, "invalid_argument"),
        ({"provider": "acne"}, "provider_not_found"),
        ({"provider": "", "model": "tiny"}, "model_not_found"),
    ],
)
async def test_failures_have_reasons(
    peer: Peer, ada: UUID, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Fault) as caught:
        await peer.unary(begun(peer, ada, **fields))

    assert reason == reason_of(caught.value)


async def test_the_same_call_is_not_made_twice(peer: Peer, ada: UUID) -> None:
    usage_id = str(uuid7())
    await peer.unary(begun(peer, ada, usage_id=usage_id))

    with pytest.raises(Fault) as caught:
        await peer.unary(begun(peer, ada, usage_id=usage_id))

    assert "usage_exists" == reason_of(caught.value)


async def test_more_than_can_be_sent_is_said_to_be_so(
    peer: Peer, ada: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "MAX_MESSAGE_BYTES", embedding.SPARE_BYTES + 15)

    with pytest.raises(Fault, match="send fewer at once"):
        await peer.unary(begun(peer, ada))


async def test_who_hangs_up_stops_the_vendor_and_the_call_is_settled(
    peer: Peer, scene: Scene, ada: UUID
) -> None:
    asked = asyncio.Event()

    async def hang() -> None:
        asked.set()
        await asyncio.sleep(30)

    assert isinstance(scene.provider, Embedder)
    scene.provider.answers = (hang,)
    call = asyncio.ensure_future(peer.unary(begun(peer, ada)))
    async with asyncio.timeout(10):
        await asked.wait()
        call.cancel()
        while scene.generation.open:  # noqa: ASYNC110  (a fact to wait for, not an event)
            await asyncio.sleep(0.01)
        await scene.generation.aclose(5)

    assert 1 == scene.provider.left
    [row] = scene.ledger.books.rows.values()
    assert row.settlement is not None
    assert ("stopped", None) == (row.settlement.outcome, row.settlement.usage)


async def test_it_ends_with_its_deadline(peer: Peer, scene: Scene, ada: UUID) -> None:
    assert isinstance(scene.provider, Embedder)
    scene.provider.answers = (lambda: asyncio.sleep(30),)

    with pytest.raises(Fault) as caught:
        await peer.unary(begun(peer, ada, seconds=2.0))

    assert reason_of(caught.value) in {"timeout", "deadline_exceeded"}
