"""Addresses, images of tools, tokens to think with, the stop that was met, the vendor's tools."""

from typing import Any

import anthropic
import pytest
from parley_provider_anthropic import translate
from parley_provider_anthropic.provider import AnthropicProvider
from parley_provider_anthropic.settings import INFO
from parley_provider_sdk import (
    BadRequest,
    Effort,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    ToolResultPart,
    UnsupportedParameter,
)
from parley_provider_sdk.testing import Peer, fold

pytestmark = pytest.mark.unit

KEY = "sk-ant-secret-of-the-tests"
URL = "https://example.com/a"
BY_URL = {"type": "url", "url": URL}
HI = Message(Role.USER, [TextPart("Hi")])
COUNTING = "claude-haiku-4-5"
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def body(model: str = COUNTING, *parts: Any, **changes: Any) -> dict[str, Any]:
    messages = [Message(Role.USER, parts)] if parts else [HI]
    return translate.body(ReplyRequest(model, messages, **changes), "here")


def test_its_options_are_in_anthropics_words() -> None:
    assert INFO.dialect == "anthropic"
    assert body(provider_options={"service_tier": "auto"})["service_tier"] == "auto"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (ImagePart("", b"", url=URL), {"type": "image", "source": BY_URL}),
        (FilePart("image/png", b"", url=URL), {"type": "image", "source": BY_URL}),
        (FilePart("", b"", url=URL), {"type": "document", "source": BY_URL}),
        (
            FilePart("application/pdf", b"", "a.pdf", url=URL),
            {"type": "document", "source": BY_URL, "title": "a.pdf"},
        ),
    ],
)
def test_what_has_an_address_goes_as_its_address(part: Any, block: dict[str, Any]) -> None:
    assert body(COUNTING, part)["messages"][0]["content"] == [block]


def test_a_text_by_address_is_refused() -> None:
    with pytest.raises(BadRequest, match="not as text/plain"):
        body(COUNTING, FilePart("text/plain", b"", url=URL))


async def test_images_of_tools_stand_in_their_results(
    provider: AnthropicProvider, wire: Peer
) -> None:
    call = Message(Role.ASSISTANT, [ToolCallPart("c1", "draw", "{}")])
    shown = [ImagePart("image/png", b"\x89PNG"), ImagePart("", b"", url=URL)]
    results = Message(Role.TOOL, [ToolResultPart("c1", "Done.", images=shown)])
    await fold(provider.chat_completion(ReplyRequest(COUNTING, [HI, call, results])))
    (result,) = wire.requests[-1].body["messages"][-1]["content"]
    assert result["content"] == [
        {"type": "text", "text": "Done."},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
        },
        {"type": "image", "source": BY_URL},
    ]


@pytest.mark.parametrize(
    ("changes", "budget"),
    [
        ({"reasoning_tokens": 5000}, 5000),
        ({"reasoning_tokens": 5000, "reasoning_effort": Effort.LOW}, 5000),
        ({"reasoning_tokens": 5000, "max_tokens": 4000}, 3999),
        ({"reasoning_tokens": 1}, 1024),
        ({"reasoning_tokens": 5000, "max_tokens": 1024}, None),
        ({"reasoning_tokens": 5000, "reasoning_effort": Effort.NONE}, None),
        ({"reasoning_tokens": 5000, "tool_choice": ToolChoice(ToolMode.REQUIRED)}, None),
    ],
)
def test_tokens_to_think_with(changes: dict[str, Any], budget: int | None) -> None:
    thinking = body(**changes).get("thinking") or {}
    assert thinking.get("budget_tokens") == budget
    is_left_out = "reasoning_tokens" in translate.left_out(ReplyRequest(COUNTING, [HI], **changes))
    assert is_left_out == (budget is None)


def test_models_that_think_as_they_see_fit_are_told_the_effort() -> None:
    made = body("claude-opus-4-6", reasoning_tokens=5000, reasoning_effort=Effort.LOW)
    assert made["thinking"]["type"] == "adaptive"
    assert made["output_config"] == {"effort": "low"}


def test_the_likeliest_tokens_are_not_for_those_who_think() -> None:
    assert body(top_k=5)["top_k"] == 5
    thinking = ReplyRequest(COUNTING, [HI], top_k=5, reasoning_effort=Effort.HIGH)
    assert "top_k" not in translate.body(thinking, "here")
    assert translate.left_out(thinking) == {"top_k"}


@pytest.mark.parametrize("name", ["frequency_penalty", "presence_penalty", "top_logprobs"])
def test_what_the_wire_has_no_word_for_is_refused(name: str) -> None:
    changes: dict[str, Any] = {name: 0}
    with pytest.raises(UnsupportedParameter) as caught:
        body(**changes)
    assert caught.value.parameter == name


def test_the_vendors_own_tools_stand_beside_ours() -> None:
    options = {"tools": [SEARCH]}
    choice = ToolChoice(ToolMode.NONE)
    made = body(tools=[Tool("now")], provider_options=options, tool_choice=choice)
    assert [tool["name"] for tool in made["tools"]] == ["web_search", "now"]
    alone = body(provider_options=options, tool_choice=choice)
    assert (alone["tools"], alone["tool_choice"]) == ([SEARCH], {"type": "none"})
    with pytest.raises(BadRequest, match="tools"):
        body(provider_options={"tools": 7})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("usage", [True, False])
async def test_the_stop_that_was_met_is_told(
    provider: AnthropicProvider, wire: Peer, stream: bool, usage: bool
) -> None:
    wire.script(texts=("Yes.",), finish_reason="stop_sequence", usage=usage)
    request = ReplyRequest(COUNTING, [HI], stop=("a", "END"), stream=stream)
    reply = await fold(provider.chat_completion(request))
    assert (reply.reason, reply.stop_sequence) == (FinishReason.STOP, "END")
    wire.script(texts=("Yes.",))
    assert (await fold(provider.chat_completion(request))).stop_sequence == ""


async def test_the_vendors_client_is_told_the_same(wire: Peer) -> None:
    wire.script(texts=("Yes.",), finish_reason="stop_sequence")
    asked: Any = {
        "model": COUNTING,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "image", "source": BY_URL}]}],
        "stop_sequences": ["END"],
    }
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=wire.base_url) as client:
        whole = await client.messages.create(**asked)
        async with client.messages.stream(**asked) as stream:
            streamed = await stream.get_final_message()
    for message in (whole, streamed):
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
