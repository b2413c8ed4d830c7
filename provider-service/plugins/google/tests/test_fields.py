"""Addresses, images of tools, penalties, probabilities and vectors, in the vendor's words."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import types
from parley_provider_google import errors, translate, vectors
from parley_provider_google.provider import GoogleProvider
from parley_provider_google.settings import INFO
from parley_provider_sdk import (
    BadRequest,
    BadResponse,
    Embedder,
    EmbeddingRequest,
    FilePart,
    ImagePart,
    Message,
    ModelNotFound,
    ReplyRequest,
    Role,
    TextPart,
    TokenLogprob,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from parley_provider_sdk.testing import Peer, fold

pytestmark = pytest.mark.unit

KEY = "AIza-secret-of-the-tests"
URL = "https://example.com/a.png"
EMBEDDER = "gemini-embedding-peer"
HI = Message(Role.USER, [TextPart("Hi")])
PNG = {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}
BY_URL = {"fileData": {"fileUri": URL}}


def drawn(model: str) -> ReplyRequest:
    shown = [ImagePart("image/png", b"\x89PNG"), ImagePart("", b"", url=URL)]
    call = Message(Role.ASSISTANT, [ToolCallPart("c1", "draw", "{}")])
    return ReplyRequest(
        model, [HI, call, Message(Role.TOOL, [ToolResultPart("c1", "Done.", images=shown)])]
    )


@pytest.fixture
async def client(wire: Peer) -> AsyncIterator[genai.client.AsyncClient]:
    """The vendor's own client."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        options = types.HttpOptions(
            base_url=wire.base_url, api_version="v1beta", httpx_async_client=http
        )
        with genai.Client(enterprise=False, api_key=KEY, http_options=options) as made:
            yield made.aio


def test_its_options_are_its_own_words() -> None:
    assert INFO.dialect == ""


@pytest.mark.parametrize(
    ("part", "made"),
    [
        (ImagePart("", b"", url=URL), BY_URL),
        (
            FilePart("application/pdf", b"", url=URL),
            {"fileData": {"fileUri": URL, "mimeType": "application/pdf"}},
        ),
    ],
)
def test_what_has_an_address_goes_as_its_address(part: Any, made: dict[str, Any]) -> None:
    request = ReplyRequest("gemini-3-flash-peer", [Message(Role.USER, [part])])
    assert translate.body(request)["contents"][0]["parts"] == [made]


async def test_images_of_tools_stand_in_their_results(provider: GoogleProvider, wire: Peer) -> None:
    await fold(provider.chat_completion(drawn("gemini-3-flash-peer")))
    (part,) = wire.requests[-1].body["contents"][-1]["parts"]
    assert part["functionResponse"]["parts"] == [PNG, BY_URL]


async def test_older_models_are_shown_them_beside_their_results(
    provider: GoogleProvider, wire: Peer
) -> None:
    await fold(provider.chat_completion(drawn("gemini-2.5-flash-peer")))
    result, *shown = wire.requests[-1].body["contents"][-1]["parts"]
    assert "parts" not in result["functionResponse"]
    assert shown == [PNG, BY_URL]


def test_penalties_and_probabilities_have_their_names() -> None:
    request = ReplyRequest(
        "m", [HI], frequency_penalty=0.0, presence_penalty=0.5, top_k=3, top_logprobs=2
    )
    assert translate.body(request)["generationConfig"] == {
        "frequencyPenalty": 0.0,
        "presencePenalty": 0.5,
        "topK": 3,
        "responseLogprobs": True,
        "logprobs": 2,
    }
    none = ReplyRequest("m", [HI], top_logprobs=0)
    assert translate.body(none)["generationConfig"] == {"responseLogprobs": True}


def test_tokens_to_think_with() -> None:
    request = ReplyRequest("gemini-2.5-flash-peer", [HI], reasoning_tokens=2000)
    config = translate.body(request)["generationConfig"]
    assert config["thinkingConfig"] == {"thinkingBudget": 2000, "includeThoughts": True}


@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        ("Logprobs is not enabled for models/gemini-x", "top_logprobs"),
        ("Penalty is not enabled for models/gemini-x", "frequency_penalty"),
        ("Presence penalty is not supported", "presence_penalty"),
        ("top_k is not supported", "top_k"),
    ],
)
def test_what_a_model_does_not_take_is_named(said: str, parameter: str) -> None:
    assert errors.parameter_of({"message": said}) == parameter


@pytest.mark.parametrize("stream", [True, False])
async def test_probabilities_are_read(provider: GoogleProvider, wire: Peer, stream: bool) -> None:
    wire.script(texts=["Grüße", " 世界"])
    request = ReplyRequest("gemini-3-flash-peer", [HI], top_logprobs=1, stream=stream)
    first, second = (await fold(provider.chat_completion(request))).logprobs
    assert first == TokenLogprob("Grüße", -0.25, top=(TokenLogprob("Grüße", -0.25),))
    assert second.token == " 世界"
    alone = ReplyRequest("gemini-3-flash-peer", [HI], top_logprobs=0, stream=stream)
    told = (await fold(provider.chat_completion(alone))).logprobs
    assert [(one.token, one.top) for one in told] == [("Grüße", ()), (" 世界", ())]


async def test_the_vendors_client_reads_the_same_probabilities(
    wire: Peer, client: genai.client.AsyncClient
) -> None:
    wire.script(texts=["a", "b"])
    answer = await client.models.generate_content(
        model="gemini-3-flash-peer",
        contents="Hi",
        config=types.GenerateContentConfig(response_logprobs=True, logprobs=1),
    )
    assert answer.candidates
    candidate = answer.candidates[0]
    assert candidate.logprobs_result
    chosen = candidate.logprobs_result.chosen_candidates or ()
    assert [(one.token, one.log_probability) for one in chosen] == [("a", -0.25), ("b", -0.25)]


async def test_texts_become_vectors(provider: GoogleProvider, wire: Peer) -> None:
    assert isinstance(provider, Embedder)
    made = await provider.embed(EmbeddingRequest(EMBEDDER, [str(n) for n in range(101)]))
    assert (len(made.vectors), made.usage) == (101, Usage(101, 0))
    assert [len(one.body["requests"]) for one in wire.requests] == [100, 1]


async def test_the_vendors_client_asks_the_same_and_reads_the_same(
    provider: GoogleProvider, wire: Peer, client: genai.client.AsyncClient
) -> None:
    texts = ["a", "世界"]
    made = await provider.embed(EmbeddingRequest(EMBEDDER, texts, 5))
    contents: Any = [types.Content(parts=[types.Part(text=text)]) for text in texts]
    theirs = await client.models.embed_content(
        model=EMBEDDER,
        contents=contents,
        config=types.EmbedContentConfig(output_dimensionality=5),
    )
    assert [one.values for one in theirs.embeddings or ()] == made.vectors
    assert theirs.usage_metadata
    assert theirs.usage_metadata.prompt_token_count == 2
    ours, request = wire.requests
    assert (ours.path, ours.body) == (request.path, request.body)


async def test_vectors_may_fail(provider: GoogleProvider, wire: Peer) -> None:
    with pytest.raises(ModelNotFound):
        await provider.embed(EmbeddingRequest("gemini-3-flash-peer", ["a"]))
    with pytest.raises(BadRequest):
        await provider.embed(EmbeddingRequest(EMBEDDER, ["\ud800"]))
    wire.script(raw='{"embeddings":[]}', raw_type="application/json")
    with pytest.raises(BadResponse):
        await provider.embed(EmbeddingRequest(EMBEDDER, ["a"]))


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"embeddings":[7]}', b"<html>"])
def test_what_is_no_vector_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(BadResponse):
        vectors.read(body)
    assert vectors.read(b'{"embeddings":[{"values":[1]}]}').usage is None
