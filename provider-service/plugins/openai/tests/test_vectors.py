"""Texts become vectors over the vendor's wire, many texts in several requests."""

from typing import Any

import openai
import pytest
from parley_provider_openai import vectors
from parley_provider_openai.provider import OpenAIProvider
from parley_provider_sdk import (
    BadRequest,
    BadResponse,
    Embedder,
    EmbeddingRequest,
    Embeddings,
    ModelNotFound,
    ProviderError,
    QuotaExhausted,
    Usage,
)
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

FLOATS = '{"data":[{"index":1,"embedding":[0.5,1]},{"index":0,"embedding":[2,3]}]}'


def asked(*texts: str, model: str = "gpt-peer", dimensions: int | None = None) -> EmbeddingRequest:
    return EmbeddingRequest(model, texts, dimensions)


async def test_texts_become_vectors_in_their_order(provider: OpenAIProvider) -> None:
    assert isinstance(provider, Embedder)
    made = await provider.embed(asked("one", "two", "one"))
    one, two, again = made.vectors
    assert one == again != two
    assert made.usage == Usage(3, 0)


async def test_many_texts_are_asked_for_in_several_requests(
    chat: OpenAIProvider, wire: OpenAIPeer
) -> None:
    made = await chat.embed(asked(*(str(number) for number in range(130))))
    assert [len(request.body["input"]) for request in wire.requests] == [128, 2]
    assert made.usage == Usage(130, 0)
    assert list(made.vectors[-1:]) == list((await chat.embed(asked("129"))).vectors)


async def test_the_vendors_client_asks_the_same_and_reads_the_same(
    chat: OpenAIProvider, wire: OpenAIPeer, client: openai.AsyncOpenAI
) -> None:
    made = await chat.embed(asked("a", "世界", dimensions=5))
    theirs = await client.embeddings.create(model="gpt-peer", input=["a", "世界"], dimensions=5)
    assert [row.embedding for row in theirs.data] == made.vectors
    ours, request = wire.requests
    assert (ours.path, ours.body) == (request.path, request.body)


def test_numbers_that_come_as_json_are_read_too() -> None:
    assert vectors.read(FLOATS.encode()) == Embeddings([[2, 3], [0.5, 1]])


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"error": "insufficient_quota"}, QuotaExhausted),
        *(
            ({"raw": raw, "raw_type": "application/json"}, BadResponse)
            for raw in (
                "[]",
                '{"data":[]}',
                '{"data":[{"index":1,"embedding":[1]}]}',
                '{"data":[{"index":0,"embedding":["x"]}]}',
                '{"data":[{"index":0,"embedding":[]}]}',
                '{"data":[{"index":0,"embedding":"AAA"}]}',
                '{"data":[{"index":0,"embedding":"AAAA"}]}',
                '{"data":[{"index":0,"embedding":7}]}',
            )
        ),
    ],
)
async def test_vectors_may_fail(
    chat: OpenAIProvider, wire: OpenAIPeer, script: dict[str, Any], failure: type[ProviderError]
) -> None:
    wire.script(**script)
    with pytest.raises(failure):
        await chat.embed(asked("one"))


async def test_an_unknown_model_makes_no_vectors(chat: OpenAIProvider) -> None:
    with pytest.raises(ModelNotFound):
        await chat.embed(asked("one", model="gpt-none"))


async def test_what_is_not_unicode_is_refused(chat: OpenAIProvider) -> None:
    with pytest.raises(BadRequest):
        await chat.embed(asked("\ud800"))
