"""What is asked through the vendor's own library."""

import json
import subprocess
import sys
from typing import Any

import httpx2
import openai
import pytest
from parley_provider_openai.library import VendorLibrary
from parley_provider_openai.provider import CountingProvider, OpenAIProvider
from parley_provider_openai.settings import OpenAISettings
from parley_provider_sdk import (
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadRequest,
    BadResponse,
    Message,
    ModelInfo,
    ProviderError,
    RateLimited,
    ReplyRequest,
    Role,
    TextPart,
    TokenCounter,
    Tool,
)
from parley_provider_sdk.testing import fold
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

QUESTION = Message(Role.USER, [TextPart("What is 1 + 1? 世界")])


async def test_models_are_the_vendors(provider: OpenAIProvider) -> None:
    for _ in range(2):
        models = await provider.list_models()
        assert [model.name for model in models] == ["gpt-peer", "gpt-peer-mini", "o9-peer"]
        assert models[0] == ModelInfo("gpt-peer")


async def test_what_compatible_servers_say_of_a_model_is_kept(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    rows = [
        {"id": "a", "name": "A", "context_length": 8192},
        {"id": "b", "max_model_len": 4096},
        {"id": "c", "name": 7, "context_length": "many"},
    ]
    wire.script(raw=json.dumps({"object": "list", "data": rows}), raw_type="application/json")
    assert await provider.list_models() == [
        ModelInfo("a", "A", 8192),
        ModelInfo("b", context_window=4096),
        ModelInfo("c"),
    ]


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"error": "server_error"}, BackendError),
        ({"raw": "<html>", "raw_type": "text/html"}, BadResponse),
        ({"raw": "{half", "raw_type": "application/json"}, BadResponse),
        ({"raw": "[]", "raw_type": "application/json"}, BadResponse),
        ({"raw": '{"data":[7]}', "raw_type": "application/json"}, BadResponse),
        ({"raw": "", "status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, BadResponse),
    ],
)
async def test_a_failure_has_its_class_and_makes_it_unwell(
    provider: OpenAIProvider, wire: OpenAIPeer, script: dict[str, Any], failure: type[ProviderError]
) -> None:
    wire.script(**script)
    with pytest.raises(failure):
        await provider.list_models()
    assert not (await provider.health_check()).healthy


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (openai.APITimeoutError(httpx2.Request("GET", "http://x")), BackendTimeout),
        (
            openai.APIConnectionError(request=httpx2.Request("GET", "http://x")),
            BackendUnreachable,
        ),
        (openai.OpenAIError(), BadResponse),
    ],
)
async def test_the_librarys_errors_have_their_class(
    error: openai.OpenAIError, failure: type[ProviderError]
) -> None:
    library = VendorLibrary(OpenAISettings(base_url="http://127.0.0.1:9/v1"))
    assert type(library._failure(error)) is failure
    await library.aclose()


async def test_health_is_one_question_without_retries(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    wire.script(error="overloaded")
    await provider.health_check()
    assert [request.path for request in wire.requests] == ["/models"]


@pytest.mark.parametrize(
    "request_",
    [
        ReplyRequest("gpt-peer", [QUESTION]),
        ReplyRequest("gpt-peer", [QUESTION], system="Be brief.", temperature=1, max_tokens=9),
    ],
)
async def test_tokens_are_counted_as_they_will_be_charged(
    responses: CountingProvider, wire: OpenAIPeer, request_: ReplyRequest
) -> None:
    counted = await responses.count_tokens(request_)
    reply = await fold(responses.chat_completion(request_))
    assert counted == reply.usage.input_tokens > 0
    assert [request.path for request in wire.requests] == ["/responses/input_tokens", "/responses"]


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"error": "rate_limit_exceeded"}, RateLimited),
        ({"raw": '{"input_tokens":"many"}', "raw_type": "application/json"}, BadResponse),
        ({"raw": "<html>", "raw_type": "text/html"}, BadResponse),
    ],
)
async def test_counting_may_fail(
    responses: CountingProvider,
    wire: OpenAIPeer,
    script: dict[str, Any],
    failure: type[ProviderError],
) -> None:
    wire.script(**script)
    with pytest.raises(failure):
        await responses.count_tokens(ReplyRequest("gpt-peer", [QUESTION]))


async def test_only_where_responses_are_spoken_tokens_can_be_counted(
    chat: OpenAIProvider, responses: OpenAIProvider
) -> None:
    assert not isinstance(chat, TokenCounter)
    assert isinstance(responses, TokenCounter)


async def test_what_cannot_be_sent_is_refused(responses: CountingProvider) -> None:
    for request in (
        ReplyRequest("gpt-peer", [QUESTION], tools=[Tool("t", "", "{")]),
        ReplyRequest("gpt-peer", [Message(Role.USER, [TextPart("\ud800")])]),
    ):
        with pytest.raises(BadRequest):
            await responses.count_tokens(request)


LOADING = """
import asyncio, sys, time
from parley_provider_openai.provider import create
from parley_provider_openai.settings import OpenAISettings

async def main():
    provider = create(OpenAISettings(base_url="http://127.0.0.1:9/v1", wire="responses"))
    start = last = time.perf_counter()
    asked, waits = asyncio.create_task(provider.health_check()), []
    while not asked.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        waits.append(now - last)
        last = now
    assert "openai" in sys.modules
    await provider.aclose()
    sys.exit(max(waits) > (last - start) / 2)

asyncio.run(main())
"""


def test_others_go_on_while_the_library_is_loaded() -> None:
    """It takes seconds on a slow machine; were it loaded on the loop, the wait would be one."""
    assert subprocess.run([sys.executable, "-c", LOADING], check=False).returncode == 0
