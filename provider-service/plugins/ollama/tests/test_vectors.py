"""Texts become vectors, none of them cut, many in several requests."""

import ollama
import pytest
from parley_provider_ollama import vectors
from parley_provider_ollama.provider import OllamaProvider
from parley_provider_sdk import (
    BackendError,
    BadRequest,
    BadResponse,
    ContextTooLong,
    Embedder,
    EmbeddingRequest,
    ModelNotFound,
    ProviderError,
    Usage,
)
from parley_tests.ollama_peer import OllamaPeer

pytestmark = pytest.mark.unit

KEY = "sk-secret-of-the-tests"


async def test_texts_become_vectors(provider: OllamaProvider, wire: OllamaPeer) -> None:
    assert isinstance(provider, Embedder)
    texts = [str(number) for number in range(130)]
    made = await provider.embed(EmbeddingRequest("embed-peer", texts))
    assert (len(made.vectors), made.usage) == (130, Usage(130, 0))
    assert [128, 2] == [len(one.body["input"]) for one in wire.requests]
    assert not any(one.body["truncate"] for one in wire.requests)


async def test_the_vendors_client_asks_the_same_and_reads_the_same(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    made = await provider.embed(EmbeddingRequest("embed-peer", ["a", "世界"], 5))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with ollama.AsyncClient(wire.base_url, headers=headers) as client:
        theirs = await client.embed("embed-peer", ["a", "世界"], truncate=False, dimensions=5)
    assert theirs.embeddings == made.vectors
    ours, request = wire.requests
    assert ours.body == request.body


def test_what_a_server_does_not_count_is_not_counted() -> None:
    assert vectors.read(b'{"embeddings":[[1,2]]}', None).usage is None


def test_a_server_that_does_not_know_dimensions_is_found_out() -> None:
    with pytest.raises(BadRequest, match="so many numbers"):
        vectors.read(b'{"embeddings":[[1,2]]}', 1)


@pytest.mark.parametrize(
    ("model", "text", "failed"),
    [
        ("embed-peer", "x" * 4000, ContextTooLong),
        ("embed-peer", "\ud800", BadRequest),
        ("nobody", "a", ModelNotFound),
        ("llama-peer:latest", "a", BackendError),
    ],
)
async def test_texts_that_become_none_have_their_failure(
    provider: OllamaProvider, model: str, text: str, failed: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as caught:
        await provider.embed(EmbeddingRequest(model, [text]))
    assert failed is type(caught.value)


@pytest.mark.parametrize(
    "answer", ["[]", "{}", '{"embeddings":[]}', '{"embeddings":[7]}', '{"embeddings":[[]]}']
)
async def test_vectors_that_are_none_are_a_bad_response(
    provider: OllamaProvider, wire: OllamaPeer, answer: str
) -> None:
    wire.script(raw=answer, raw_type="application/json")
    with pytest.raises(BadResponse):
        await provider.embed(EmbeddingRequest("embed-peer", ["a"]))
