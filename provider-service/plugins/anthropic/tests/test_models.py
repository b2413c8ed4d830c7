"""What is asked through the vendor's own library."""

import json
from typing import Any

import anthropic
import httpx2
import pytest
from parley_provider_anthropic.models import VendorLibrary
from parley_provider_anthropic.provider import AnthropicProvider
from parley_provider_anthropic.settings import AnthropicSettings
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadRequest,
    BadResponse,
    Message,
    ModelInfo,
    ModelNotFound,
    ProviderError,
    ReplyRequest,
    Role,
    Selective,
    TextPart,
    TokenCounter,
    Tool,
)
from parley_provider_sdk.testing import Peer, fold
from parley_tests.anthropic_peer import MODELS, prompt_tokens

pytestmark = pytest.mark.unit

CAPABLE = frozenset({"text", "images", "tools", "reasoning", "structured_output"})
HI = Message(Role.USER, [TextPart("Hi 世界")])


def ask(model: str = "claude-opus-4-6", **changes: Any) -> ReplyRequest:
    return ReplyRequest(model, [HI], **changes)


async def test_models_are_the_vendors_with_what_it_says_of_them(
    provider: AnthropicProvider,
) -> None:
    for _ in range(2):
        models = await provider.list_models()
        assert list(MODELS) == [one.name for one in models]
    assert (
        ModelInfo("claude-sonnet-5-5", "Claude Sonnet 5 5", 1_000_000, 128_000, CAPABLE)
        == models[0]
    )


async def test_models_come_page_after_page(
    provider: AnthropicProvider, wire: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley_provider_anthropic.models._PAGE", 2)
    assert list(MODELS) == [one.name for one in await provider.list_models()]
    assert [None, MODELS[1]] == [one.query.get("after_id") for one in wire.requests]


async def test_a_server_without_pages_is_asked_once_more_and_no_oftener(
    provider: AnthropicProvider, wire: Peer
) -> None:
    page = {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}
    wire.script(raw=json.dumps(page), raw_type="application/json")
    assert [ModelInfo("a")] == await provider.list_models()
    assert 2 == len(wire.requests)


async def test_what_compatible_servers_say_of_a_model_is_kept(
    provider: AnthropicProvider, wire: Peer
) -> None:
    supported, lacking = {"supported": True}, {"supported": False}
    rows = [
        {"id": "a", "object": "model", "display_name": "A", "max_input_tokens": 8192},
        {"id": "b", "display_name": 7, "max_input_tokens": "many"},
        {"id": "c", "capabilities": {"image_input": supported, "thinking": lacking}},
    ]
    wire.script(raw=json.dumps({"object": "list", "data": rows}), raw_type="application/json")
    assert [
        ModelInfo("a", "A", 8192),
        ModelInfo("b"),
        ModelInfo("c", capabilities=frozenset({"text", "tools", "images"})),
    ] == await provider.list_models()


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"error": "api_error"}, BackendError),
        ({"error": "permission"}, AuthenticationFailed),
        ({"raw": "Not Found", "raw_type": "text/html", "status": 404}, BadResponse),
        ({"raw": "<html>", "raw_type": "text/html"}, BadResponse),
        ({"raw": "{half", "raw_type": "application/json"}, BadResponse),
        ({"raw": "[]", "raw_type": "application/json"}, BadResponse),
        ({"raw": '{"data":[7]}', "raw_type": "application/json"}, BadResponse),
        ({"raw": '{"data":[{"id":7}]}', "raw_type": "application/json"}, BadResponse),
        ({"raw": "", "status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, BadResponse),
    ],
)
async def test_a_failure_has_its_class_and_makes_it_unwell(
    provider: AnthropicProvider, wire: Peer, script: dict[str, Any], failure: type[ProviderError]
) -> None:
    wire.script(**script)
    with pytest.raises(failure) as caught:
        await provider.list_models()
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    assert not (await provider.health_check()).healthy


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (anthropic.APITimeoutError(httpx2.Request("GET", "http://x")), BackendTimeout),
        (
            anthropic.APIConnectionError(request=httpx2.Request("GET", "http://x")),
            BackendUnreachable,
        ),
        (anthropic.AnthropicError(), BadResponse),
    ],
)
async def test_the_librarys_errors_have_their_class(
    error: anthropic.AnthropicError, failure: type[ProviderError]
) -> None:
    library = VendorLibrary(AnthropicSettings(base_url="http://127.0.0.1:9"))
    assert failure is type(library._failure(error))
    await library.aclose()


async def test_health_is_one_question_without_retries(
    provider: AnthropicProvider, wire: Peer
) -> None:
    wire.script(error="overloaded")
    await provider.health_check()
    assert ["/v1/models"] == [request.path for request in wire.requests]


async def test_nothing_is_taken_from_the_environment(
    wire: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "odd")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Odd: odd")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    settings = AnthropicSettings(api_key="sk-ant-secret-of-the-tests", base_url=wire.base_url)
    provider = AnthropicProvider(settings)
    await provider.list_models()
    await provider.aclose()
    assert "odd" not in wire.requests[-1].headers.values()


async def test_the_most_that_a_model_says_is_its_vendors(
    provider: AnthropicProvider, wire: Peer
) -> None:
    limits = []
    for _ in range(2):
        await fold(provider.chat_completion(ask("claude-sonnet-5-5")))
        limits.append(wire.requests[-1].body["max_tokens"])
        await provider.list_models()
    assert [64_000, 128_000] == limits


async def test_tokens_are_counted_by_the_vendor(provider: AnthropicProvider, wire: Peer) -> None:
    assert isinstance(provider, TokenCounter)
    schema = '{"type":"object","properties":{}}'
    request = ask(system="Be brief.", tools=[Tool("now", parameters=schema)], temperature=0.0)
    assert prompt_tokens({"messages": [{"content": "Hi 世界"}], "system": "Be brief."}) == (
        await provider.count_tokens(request)
    )
    assert {
        "model": "claude-opus-4-6",
        "messages": [{"role": "user", "content": "Hi 世界"}],
        "system": "Be brief.",
        "tools": [{"name": "now", "input_schema": {"type": "object", "properties": {}}}],
    } == wire.requests[-1].body


@pytest.mark.parametrize(
    ("script", "request_", "failure"),
    [
        ({}, ask("claude-none"), ModelNotFound),
        ({}, ask(system="\ud800"), BadRequest),
        ({"error": "prompt_too_long"}, ask(), BadRequest),
        ({"raw": "{}", "raw_type": "application/json"}, ask(), BadResponse),
        ({"raw": '{"input_tokens":"x"}', "raw_type": "application/json"}, ask(), BadResponse),
    ],
)
async def test_a_failure_to_count_has_its_class(
    provider: AnthropicProvider,
    wire: Peer,
    script: dict[str, Any],
    request_: ReplyRequest,
    failure: type[ProviderError],
) -> None:
    wire.script(**script)
    with pytest.raises(failure):
        await provider.count_tokens(request_)


async def test_the_provider_says_what_a_model_does_not_take(provider: AnthropicProvider) -> None:
    assert isinstance(provider, Selective)
    never = {"seed", "frequency_penalty", "presence_penalty", "top_logprobs", "reasoning_tokens"}
    sampling = {"temperature", "top_p", "top_k"}
    assert never | sampling == provider.unsupported_parameters("claude-opus-5-5")
    assert never == provider.unsupported_parameters("claude-opus-4-6")
