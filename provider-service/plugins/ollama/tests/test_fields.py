"""Penalties, probabilities, images of tools, addresses: in this wire's words, or refused."""

from typing import Any

import ollama
import pytest
from parley_provider_ollama import context, translate
from parley_provider_ollama.provider import OllamaProvider
from parley_provider_ollama.settings import INFO
from parley_provider_sdk import (
    BadRequest,
    ImagePart,
    Message,
    ReplyRequest,
    Role,
    TextPart,
    TokenLogprob,
    ToolCallPart,
    ToolResultPart,
)
from parley_provider_sdk.testing import fold
from parley_tests.ollama_peer import OllamaPeer

pytestmark = pytest.mark.unit

KEY = "sk-secret-of-the-tests"
MODEL = "llama-peer:latest"
HI = Message(Role.USER, [TextPart("Hi")])
ADDRESS = ImagePart("", b"", url="https://example.com/a.png")


def drawn(image: ImagePart, model: str = MODEL) -> ReplyRequest:
    call = Message(Role.ASSISTANT, [ToolCallPart("c1", "draw", "{}")])
    result = Message(Role.TOOL, [ToolResultPart("c1", "Done.", images=[image])])
    return ReplyRequest(model, [HI, call, result])


def test_its_options_are_its_own_words() -> None:
    assert INFO.dialect == ""


def test_penalties_are_options_here() -> None:
    request = ReplyRequest(MODEL, [HI], frequency_penalty=0.0, presence_penalty=0.5, top_k=3)
    options = translate.body(request, num_ctx=1)["options"]
    assert {"frequency_penalty": 0.0, "presence_penalty": 0.5, "top_k": 3, "num_ctx": 1} == options


def test_images_of_tools_stand_in_their_results() -> None:
    request = drawn(ImagePart("image/png", b"\x89PNG"))
    result = translate.body(request, num_ctx=1)["messages"][-1]
    assert (result["role"], result["content"], result["images"]) == ("tool", "Done.", ["iVBORw=="])
    assert context.most_tokens(request) > context.most_tokens(ReplyRequest(MODEL, [HI] * 3)) + 1000


@pytest.mark.parametrize(
    "request_", [drawn(ADDRESS), ReplyRequest(MODEL, [Message(Role.USER, [ADDRESS])])]
)
def test_nothing_is_fetched(request_: ReplyRequest) -> None:
    with pytest.raises(BadRequest, match="fetches no images"):
        translate.body(request_, num_ctx=1)


async def test_images_of_tools_are_refused_where_none_are_seen(provider: OllamaProvider) -> None:
    with pytest.raises(BadRequest, match="takes no images"):
        await fold(provider.chat_completion(drawn(ImagePart("", b""), "llama-peer:modest")))


@pytest.mark.parametrize("stream", [True, False])
async def test_probabilities_are_read(
    provider: OllamaProvider, wire: OllamaPeer, stream: bool
) -> None:
    wire.script(texts=["Grüße", " 世界"], reasoning=["Hm."])
    request = ReplyRequest(MODEL, [HI], top_logprobs=1, stream=stream)
    first, second = (await fold(provider.chat_completion(request))).logprobs
    likeliest = TokenLogprob("Grüße", -0.25, "Grüße".encode())
    assert first == TokenLogprob("Grüße", -0.25, "Grüße".encode(), (likeliest,))
    assert second.token == " 世界"


async def test_the_vendors_client_asks_the_same_and_reads_the_same(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    wire.script(texts=["a", "b"])
    await fold(provider.chat_completion(ReplyRequest(MODEL, [HI], top_logprobs=2, stream=False)))
    asked: dict[str, Any] = wire.requests[-1].body
    headers = {"Authorization": f"Bearer {KEY}"}
    async with ollama.AsyncClient(wire.base_url, headers=headers) as client:
        answer = await client.chat(
            MODEL, [{"role": "user", "content": "Hi"}], logprobs=True, top_logprobs=2
        )
    theirs = wire.requests[-1].body
    for name in ("logprobs", "top_logprobs"):
        assert asked[name] == theirs[name]
    assert [(one.token, one.logprob) for one in answer.logprobs or ()] == [
        *(("a", -0.25), ("b", -0.25))
    ]
