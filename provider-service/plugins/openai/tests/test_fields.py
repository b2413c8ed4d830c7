"""Addresses of images, images of tools, penalties, probabilities: on both wires, or refused."""

from typing import Any

import openai
import pytest
from parley_provider_openai import chat, responses
from parley_provider_openai.chat.reading import CompletionReading
from parley_provider_openai.provider import OpenAIProvider
from parley_provider_sdk import (
    BadRequest,
    FilePart,
    Finished,
    FinishReason,
    ImagePart,
    Message,
    ReplyRequest,
    Role,
    TextPart,
    TokenLogprob,
    ToolCallPart,
    ToolResultPart,
    UnsupportedParameter,
    Usage,
)
from parley_provider_sdk.testing import fold
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

URL = "https://example.com/a.png"
PNG = "data:image/png;base64,iVA="
SHOWN = ImagePart("image/png", b"\x89P")
CALLS = [ToolCallPart("c1", "draw", "{}"), ToolCallPart("c2", "draw", "{}")]
# Each tool has answered in a message of its own; then the user goes on.
DRAWN = [
    Message(Role.USER, [TextPart("Draw.")]),
    Message(Role.ASSISTANT, CALLS),
    Message(Role.TOOL, [ToolResultPart("c1", "done", images=[SHOWN])]),
    Message(Role.TOOL, [ToolResultPart("c2", "", images=[ImagePart("", b"", url=URL)])]),
    Message(Role.USER, [TextPart("Thanks.")]),
]


def user(*parts: Any) -> ReplyRequest:
    return ReplyRequest("m", [Message(Role.USER, parts)])


def test_an_image_by_address_goes_as_its_address() -> None:
    request = user(ImagePart("", b"", url=URL))
    on_chat = chat.translate.body(request, own=True)["messages"][0]["content"]
    assert on_chat == [{"type": "image_url", "image_url": {"url": URL}}]
    on_responses = responses.translate.body(request)["input"][0]["content"]
    assert on_responses == [{"type": "input_image", "image_url": URL, "detail": "auto"}]


def test_a_file_by_address_goes_to_responses_alone() -> None:
    request = user(FilePart("application/pdf", b"", "a.pdf", url="https://example.com/a.pdf"))
    item = {"type": "input_file", "file_url": "https://example.com/a.pdf"}
    assert responses.translate.body(request)["input"][0]["content"] == [item]
    with pytest.raises(BadRequest, match="by address"):
        chat.translate.body(request, own=False)


def test_images_of_tools_follow_all_results_on_chats() -> None:
    messages = chat.translate.body(ReplyRequest("m", DRAWN), own=True)["messages"]
    assert [one["role"] for one in messages] == [
        *("user", "assistant", "tool", "tool", "user", "user"),
    ]
    assert [one["content"] for one in messages[2:4]] == ["done", ""]
    assert messages[4]["content"] == [
        {"type": "text", "text": "The tool call c1 returned:"},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "text", "text": "The tool call c2 returned:"},
        {"type": "image_url", "image_url": {"url": URL}},
    ]
    # They come too when nobody says anything after them.
    assert chat.translate.body(ReplyRequest("m", DRAWN[:-1]), own=True)["messages"] == messages[:-1]


def test_images_of_tools_stand_in_their_results_on_responses() -> None:
    items = responses.translate.body(ReplyRequest("m", DRAWN))["input"]
    outputs = [one["output"] for one in items if one.get("type") == "function_call_output"]
    assert outputs == [
        [
            {"type": "input_text", "text": "done"},
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
        ],
        [{"type": "input_image", "image_url": URL, "detail": "auto"}],
    ]


async def test_the_vendor_takes_images_of_tools(provider: OpenAIProvider) -> None:
    await fold(provider.chat_completion(ReplyRequest("gpt-peer", DRAWN)))


def test_penalties_are_said_on_chats() -> None:
    request = ReplyRequest(
        "m", (), frequency_penalty=0.5, presence_penalty=-1.0, top_k=3, top_logprobs=0
    )
    made = chat.translate.body(request, own=False)
    named = ("frequency_penalty", "presence_penalty", "top_k", "logprobs", "top_logprobs")
    assert [made[name] for name in named] == [0.5, -1.0, 3, True, 0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.0),
        ("presence_penalty", 0.0),
        ("top_k", 1),
        ("reasoning_tokens", 1),
        ("stop", ("a",)),
        ("seed", 0),
    ],
)
def test_what_a_wire_has_no_word_for_is_refused(name: str, value: Any) -> None:
    request = ReplyRequest("m", (), **{name: value})
    with pytest.raises(UnsupportedParameter) as caught:
        responses.translate.body(request)
    assert caught.value.parameter == name
    if name in ("top_k", "reasoning_tokens"):
        with pytest.raises(UnsupportedParameter):
            chat.translate.body(request, own=True)


@pytest.mark.parametrize("stream", [True, False])
async def test_probabilities_are_read(
    provider: OpenAIProvider, wire: OpenAIPeer, stream: bool
) -> None:
    wire.script(texts=["Grüße", " 世界"])
    messages = [Message(Role.USER, [TextPart("Hi")])]
    request = ReplyRequest("gpt-peer", messages, top_logprobs=1, stream=stream)
    first, second = (await fold(provider.chat_completion(request))).logprobs
    # The events of responses do not hold the bytes.
    spelling = b"" if stream and wire.requests[-1].path == "/responses" else "Grüße".encode()
    likeliest = TokenLogprob("Grüße", -0.25, spelling)
    assert first == TokenLogprob("Grüße", -0.25, spelling, (likeliest,))
    assert second.token == " 世界"


async def test_the_vendors_client_reads_the_same_probabilities(
    client: openai.AsyncOpenAI, wire: OpenAIPeer
) -> None:
    wire.script(texts=["a", "b"])
    answer = await client.chat.completions.create(
        model="gpt-peer",
        messages=[{"role": "user", "content": "Hi"}],
        logprobs=True,
        top_logprobs=2,
    )
    told = answer.choices[0].logprobs
    assert told
    assert [(one.token, len(one.top_logprobs)) for one in told.content or ()] == [
        *(("a", 2), ("b", 2))
    ]
    async with client.responses.stream(
        model="gpt-peer", input="Hi", include=["message.output_text.logprobs"], top_logprobs=1
    ) as events:
        deltas = [event async for event in events if event.type == "response.output_text.delta"]
        response = await events.get_final_response()
    assert [one.token for event in deltas for one in event.logprobs] == ["a", "b"]
    message: Any = response.output[0]
    assert [one.token for one in message.content[0].logprobs] == ["a", "b"]


def test_a_server_may_say_which_stop_it_was() -> None:
    reading = CompletionReading(ReplyRequest("m", (), stop=("\n", "END")), "")
    reading.feed_whole(
        b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop","stop_reason":"END"}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    )
    assert reading.end() == Finished(FinishReason.STOP, Usage(1, 1), "END")
