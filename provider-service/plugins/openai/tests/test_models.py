"""What is asked through the vendor's own library."""

import json
from typing import Any

import httpx2
import openai
import pytest
from parley_provider_openai.models import VendorLibrary
from parley_provider_openai.provider import OpenAIProvider
from parley_provider_openai.settings import OpenAISettings
from parley_provider_sdk import (
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadResponse,
    Message,
    ModelInfo,
    ProviderError,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from parley_provider_sdk.testing import fold
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

QUESTION = Message(Role.USER, [TextPart("What is 1 + 1? 世界")])
CALL = Message(Role.ASSISTANT, [ToolCallPart("c1", "add", '{"a":1,"b":1}')])
RESULT = Message(Role.TOOL, [ToolResultPart("c1", "2")])
TOOL = Tool("add", "Adds.", '{"type":"object","properties":{"a":{"type":"integer"}}}')


async def test_models_are_the_vendors(provider: OpenAIProvider) -> None:
    for _ in range(2):
        models = await provider.list_models()
        assert models == [ModelInfo("gpt-peer"), ModelInfo("gpt-peer-mini")]


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
    assert [request.path for request in wire.requests] == ["/v1/models"]


@pytest.mark.parametrize("stream", [True, False])
async def test_our_body_is_the_one_that_the_vendors_library_sends(
    provider: OpenAIProvider, wire: OpenAIPeer, stream: bool
) -> None:
    request = ReplyRequest(
        "gpt-peer",
        [QUESTION, CALL, RESULT],
        system="Be brief.",
        temperature=0.0,
        max_tokens=9,
        stream=stream,
        tools=[TOOL],
    )
    await fold(provider.chat_completion(request))
    await _ask_through_the_library(wire, stream=stream)
    ours, theirs = wire.requests
    assert ours.body == theirs.body
    assert ours.headers["Content-Type"] == theirs.headers["Content-Type"]
    assert ours.headers["Authorization"] == theirs.headers["Authorization"]


async def _ask_through_the_library(wire: OpenAIPeer, *, stream: bool) -> None:
    function = {"name": "add", "arguments": '{"a":1,"b":1}'}
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    arguments: dict[str, Any] = {
        "model": "gpt-peer",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is 1 + 1? 世界"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
        ],
        "temperature": 0.0,
        "max_tokens": 9,
        "tools": [
            {
                "type": "function",
                "function": {"name": "add", "description": "Adds.", "parameters": schema},
            }
        ],
    }
    if stream:
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
    async with openai.AsyncOpenAI(
        api_key="sk-secret-of-the-tests", base_url=wire.base_url, max_retries=0
    ) as client:
        answer = await client.chat.completions.create(**arguments)
        if stream:
            [chunk async for chunk in answer]
