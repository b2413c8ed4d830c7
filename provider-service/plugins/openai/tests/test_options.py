"""Options in the words of either wire reach the one that is spoken, or are refused by name."""

from collections.abc import Mapping
from typing import Any

import openai
import pytest
from parley_provider_openai import chat, options, responses
from parley_provider_openai.options import on_chat, on_responses
from parley_provider_openai.provider import OpenAIProvider
from parley_provider_openai.settings import INFO
from parley_provider_sdk import (
    BadRequest,
    Message,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    UnsupportedParameter,
)
from parley_provider_sdk.testing import fold
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

BOTH: Mapping[str, Any] = {
    "metadata": {"a": "b"},
    "user": "ada",
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "novel": {"deep": [1]},
}
SEARCH = {"type": "web_search"}


def test_its_options_are_in_openais_words() -> None:
    assert INFO.dialect == "openai"


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (BOTH, BOTH),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"verbosity": "low", "text": {"x": 1}}, {"text": {"x": 1, "verbosity": "low"}}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"logprobs": True}, {"include": ["message.output_text.logprobs"]}),
        ({"logprobs": False}, {}),
        ({"stream_options": {"include_usage": True}}, {}),
        (
            {"stream_options": {"include_usage": True, "include_obfuscation": False}},
            {"stream_options": {"include_obfuscation": False}},
        ),
        ({"logit_bias": None, "n": 1, "truncation": "auto"}, {"n": 1, "truncation": "auto"}),
        ({"max_tool_calls": 3}, {"max_tool_calls": 3}),
    ],
)
def test_the_words_of_chats_become_those_of_responses(
    given: dict[str, Any], made: dict[str, Any]
) -> None:
    assert on_responses(given) == made


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (BOTH, BOTH),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"reasoning": None, "text": None, "include": None}, {}),
        ({"truncation": "disabled"}, {}),
        (
            {"include": ["message.output_text.logprobs", "reasoning.encrypted_content"]},
            {"logprobs": True},
        ),
        ({"logit_bias": {"1": 2}, "prediction": {}}, {"logit_bias": {"1": 2}, "prediction": {}}),
        ({"stream_options": None}, {"stream_options": None}),
    ],
)
def test_the_words_of_responses_become_those_of_chats(
    given: dict[str, Any], made: dict[str, Any]
) -> None:
    assert on_chat(given, own=True) == made


def test_other_servers_have_words_of_their_own() -> None:
    theirs = {"reasoning": {"max_tokens": 5, "effort": "low"}, "repetition_penalty": 1.1}
    assert on_chat(theirs, own=False) == theirs
    with pytest.raises(UnsupportedParameter, match=r"reasoning\.max_tokens"):
        on_chat(theirs, own=True)


@pytest.mark.parametrize(
    "name",
    [
        *("logit_bias", "web_search_options", "prediction", "modalities", "audio"),
        *("functions", "function_call", "seed", "stop", "n"),
    ],
)
def test_what_responses_have_no_place_for_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedParameter, match=f"'{name}'") as caught:
        responses.translate.body(ReplyRequest("m", (), provider_options={name: [2]}))
    assert caught.value.parameter == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        *(({name: "x"}, name) for name in ("previous_response_id", "conversation", "prompt")),
        *(({name: 1}, name) for name in ("background", "max_tool_calls", "context_management")),
        ({"truncation": "auto"}, "truncation"),
        ({"text": {"format": {}}}, "text.format"),
        ({"include": ["file_search_call.results"]}, "include: file_search_call.results"),
        ({"n": 2}, "n"),
    ],
)
def test_what_chats_have_no_place_for_is_refused(given: dict[str, Any], name: str) -> None:
    with pytest.raises(UnsupportedParameter, match=f"'{name}'") as caught:
        chat.translate.body(ReplyRequest("m", (), provider_options=given), own=False)
    assert caught.value.parameter == name


@pytest.mark.parametrize("name", ["text", "reasoning", "stream_options", "include", "tools"])
def test_what_is_of_another_kind_is_refused(name: str) -> None:
    request = ReplyRequest("m", (), provider_options={name: 7, "verbosity": "low", "logprobs": 1})
    with pytest.raises(BadRequest, match=name):
        chat.translate.body(request, own=True)
    if name != "reasoning":
        with pytest.raises(BadRequest, match=name):
            responses.translate.body(request)
    with pytest.raises(BadRequest, match="reasoning"):
        options.on_responses({"reasoning": 7, "reasoning_effort": "low"})


def test_the_vendors_own_tools_stand_beside_ours() -> None:
    request = ReplyRequest("m", (), tools=[Tool("now")], provider_options={"tools": [SEARCH]})
    for made in (chat.translate.body(request, own=True), responses.translate.body(request)):
        assert [tool["type"] for tool in made["tools"]] == ["web_search", "function"]


@pytest.mark.parametrize("kind", ["custom", "computer", "local_shell"])
def test_tools_whose_calls_nobody_would_see_are_refused(kind: str) -> None:
    said = {"tools": [SEARCH, {"type": kind}]}
    for worded in (on_responses, lambda given: on_chat(given, own=False)):
        with pytest.raises(UnsupportedParameter, match=f"'{kind}'") as caught:
            worded(said)
        assert caught.value.parameter not in ReplyRequest.__dataclass_fields__


async def test_they_arrive_as_the_vendors_client_sends_them(
    provider: OpenAIProvider, wire: OpenAIPeer, client: openai.AsyncOpenAI
) -> None:
    said = {"verbosity": "low", "metadata": {"a": "b"}}
    messages = [Message(Role.USER, [TextPart("Hi")])]
    request = ReplyRequest("gpt-peer-mini", messages, stream=False, provider_options=said)
    await fold(provider.chat_completion(request))
    ours = wire.requests[-1]
    if ours.path == "/responses":
        await client.responses.create(
            model="gpt-peer-mini",
            input=[{"role": "user", "content": "Hi"}],
            text={"verbosity": "low"},
            metadata={"a": "b"},
            store=False,
            include=["reasoning.encrypted_content"],
        )
    else:
        await client.chat.completions.create(
            model="gpt-peer-mini",
            messages=[{"role": "user", "content": "Hi"}],
            verbosity="low",
            metadata={"a": "b"},
        )
    assert ours.body == wire.requests[-1].body
