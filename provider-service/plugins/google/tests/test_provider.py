"""The provider against a vendor on a real socket that does what vendors do."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from parley_provider_google.provider import GoogleProvider
from parley_provider_google.settings import GoogleSettings
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendUnreachable,
    BadResponse,
    ContentRefused,
    Effort,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    OutputFormat,
    Overloaded,
    Part,
    ProviderError,
    ReasoningPart,
    ReplyEvent,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    UnsupportedParameter,
    UsageSource,
    UsageUpdate,
)
from parley_provider_sdk.testing import Peer, fold, words
from parley_tests.google_peer import signature_of

pytestmark = pytest.mark.unit

KEY = "AIza-secret-of-the-tests"
MODEL = "gemini-3-flash-peer"
TOOL = Tool("add", "Adds.", '{"type":"object"}')
HI = Message(Role.USER, [TextPart("Hi")])


def ask(*messages: Message, **changes: Any) -> ReplyRequest:
    return ReplyRequest(**{"model": MODEL, "messages": messages or (HI,), **changes})


async def failure(provider: GoogleProvider, request: ReplyRequest) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await fold(provider.chat_completion(request))
    return caught.value


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[tuple[GoogleProvider, list[bytes]]]:
    """A provider whose vendor answers any request with these bytes and hangs up."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    provider = GoogleProvider(GoogleSettings(api_key=KEY, base_url=url))
    yield provider, asked
    await provider.aclose()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("script", [{}, {"split": True}, {"compress": True}, {"unknown": True}])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_text_is_the_vendors(
    provider: GoogleProvider, wire: Peer, script: dict[str, Any], stream: bool
) -> None:
    wire.script(**script)
    reply = await fold(provider.chat_completion(ask(stream=stream)))
    assert "".join(words("Hi")) == reply.text
    assert (64, UsageSource.REPORTED) == (reply.usage.output_tokens, reply.usage.source)


async def test_counts_arrive_while_the_reply_is_made(provider: GoogleProvider, wire: Peer) -> None:
    wire.script(count=8, pace=200)
    events = [event async for event in provider.chat_completion(ask())]
    counts = [event.usage.output_tokens for event in events if isinstance(event, UsageUpdate)]
    assert list(range(9)) == counts


async def test_one_connection_serves_many_replies(provider: GoogleProvider, wire: Peer) -> None:
    for stream in (True, False, True):
        await fold(provider.chat_completion(ask(stream=stream)))
    assert 1 == wire.connections


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("call_id", ["c1", ""])
async def test_tool_calls_and_their_signatures_survive_a_round_trip(
    provider: GoogleProvider, wire: Peer, stream: bool, call_id: str
) -> None:
    calls = [
        {"tool_call_id": call_id and f"{call_id}{n}", "name": "add", "arguments": f'{{"a":{n}}}'}
        for n in range(2)
    ]
    wire.script(texts=("Let me see.",), calls=calls)
    asked = await fold(provider.chat_completion(ask(tools=[TOOL], stream=stream)))
    assert FinishReason.TOOL is asked.reason
    assert (3, UsageSource.REPORTED) == (asked.usage.output_tokens, asked.usage.source)
    assert ['{"a":0}', '{"a":1}'] == [call.arguments for call in asked.tool_calls]
    assert 2 == len({call.tool_call_id for call in asked.tool_calls})
    wire.script(texts=("Done.",))
    results = [
        Message(Role.TOOL, [ToolResultPart(call.tool_call_id, "2")]) for call in asked.tool_calls
    ]
    history = (HI, Message(Role.ASSISTANT, asked.parts), *results)
    answer = await fold(provider.chat_completion(ask(*history, tools=[TOOL], stream=stream)))
    assert "Done." == answer.text
    turns = wire.requests[-1].body["contents"]
    assert ["user", "model", "user"] == [turn["role"] for turn in turns]
    said, first, second = turns[1]["parts"]
    assert {"text": "Let me see."} == said
    assert signature_of(first) == first["thoughtSignature"]
    assert "thoughtSignature" not in second
    assert [part["functionCall"].get("id") for part in (first, second)] == [
        part["functionResponse"].get("id") for part in turns[2]["parts"]
    ]
    assert ("c10" if call_id else None) == first["functionCall"].get("id")


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_and_their_signatures_survive_a_round_trip(
    provider: GoogleProvider, wire: Peer, stream: bool
) -> None:
    wire.script(reasoning=("Hm, ", "well."), texts=("Yes", "."))
    request = ask(reasoning_effort=Effort.HIGH, stream=stream)
    reply = await fold(provider.chat_completion(request))
    assert ("Hm, well.", "Yes.") == (reply.reasoning, reply.text)
    assert (4, 2) == (reply.usage.output_tokens, reply.usage.reasoning_tokens)
    history = (HI, Message(Role.ASSISTANT, reply.parts), HI)
    # The peer refuses a signature that was changed, or that came to another text.
    await fold(provider.chat_completion(ask(*history)))
    thought, text, end = wire.requests[-1].body["contents"][1]["parts"]
    assert {"text": "Yes."} == text
    assert [signature_of(thought), signature_of(end)] == [
        thought["thoughtSignature"],
        end["thoughtSignature"],
    ]
    assert {"thinkingLevel": "HIGH", "includeThoughts": True} == (
        wire.requests[0].body["generationConfig"]["thinkingConfig"]
    )


async def test_another_vendors_history_is_taken(provider: GoogleProvider, wire: Peer) -> None:
    theirs: list[Part] = [
        ReasoningPart("secret thoughts", b'{"signature":"theirs"}'),
        TextPart("Let me see."),
        ToolCallPart("toolu_1", "add", "{}"),
    ]
    result = Message(Role.TOOL, [ToolResultPart("toolu_1", "2")])
    await fold(provider.chat_completion(ask(HI, Message(Role.ASSISTANT, theirs), result)))
    assert "secret thoughts" not in str(wire.requests[-1].body)


async def test_images_files_and_schemas_reach_the_vendor(
    provider: GoogleProvider, wire: Peer
) -> None:
    message = Message(
        Role.USER, [ImagePart("image/png", b"png"), FilePart("text/plain", b"txt", "a.txt")]
    )
    output = OutputFormat('{"type":"object"}')
    wire.script(texts=('{"a": 1}',))
    reply = await fold(provider.chat_completion(ask(message, output=output)))
    assert '{"a": 1}' == reply.text
    body = wire.requests[-1].body
    kinds = [part["inlineData"]["mimeType"] for part in body["contents"][0]["parts"]]
    assert ["image/png", "text/plain"] == kinds
    assert {"type": "object"} == body["generationConfig"]["responseJsonSchema"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_blocked_prompt_is_refused(
    provider: GoogleProvider, wire: Peer, stream: bool
) -> None:
    wire.script(finish_reason="PROMPT_BLOCKED")
    assert isinstance(await failure(provider, ask(stream=stream)), ContentRefused)


async def test_what_a_filter_stopped_keeps_what_came_before(
    provider: GoogleProvider, wire: Peer
) -> None:
    wire.script(texts=("Once ",), finish_reason="SAFETY")
    reply = await fold(provider.chat_completion(ask()))
    assert ("Once ", FinishReason.FILTERED) == (reply.text, reply.reason)


async def test_a_parameter_that_the_model_does_not_take_is_named(
    provider: GoogleProvider, wire: Peer
) -> None:
    wire.script(error="no_thinking")
    error = await failure(provider, ask(reasoning_effort=Effort.LOW))
    assert isinstance(error, UnsupportedParameter)
    assert "reasoning_effort" == error.parameter
    assert "reasoning_effort" in provider.unsupported_parameters("gemini-2.0-flash")


async def test_an_end_without_a_reason_is_no_end(provider: GoogleProvider, wire: Peer) -> None:
    wire.script(cut_after=5, cut_cleanly=True)
    assert BadResponse is type(await failure(provider, ask()))


async def test_a_reason_before_a_broken_connection_is_no_end() -> None:
    event = b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    async with answering(head + b"\r\n%x\r\n%s\r\n" % (len(event), event)) as (provider, _):
        assert BadResponse is type(await failure(provider, ask()))


async def test_an_error_in_the_stream_keeps_what_came_before(
    provider: GoogleProvider, wire: Peer
) -> None:
    wire.script(error="overloaded", error_after=3)
    seen: list[ReplyEvent] = []

    async def listen() -> None:
        async for event in provider.chat_completion(ask()):
            seen.append(event)  # noqa: PERF401  (kept when the stream fails)

    with pytest.raises(Overloaded):
        await listen()
    texts = [event.text for event in seen if isinstance(event, TextDelta)]
    assert "".join(words("Hi", 3)) == "".join(texts)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_key_is_in_a_header_and_never_in_the_address(stream: bool) -> None:
    body = b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    async with answering(head + body) as (provider, asked):
        # A whole reply to a stream is taken, too.
        assert "Hi" == (await fold(provider.chat_completion(ask(stream=stream)))).text
    line, _, headers = asked[0].partition(b"\r\n")
    method = b"streamGenerateContent?alt=sse" if stream else b"generateContent"
    assert b"POST /v1beta/models/gemini-3-flash-peer:%s HTTP/1.1" % method == line
    assert b"x-goog-api-key: %s" % KEY.encode() in headers


async def test_a_model_cannot_lead_to_another_path() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    async with answering(head) as (provider, asked):
        await failure(provider, ask(model="../../v1/x?a#b", stream=False))
    assert asked[0].startswith(b"POST /v1beta/models/..%2F..%2Fv1%2Fx%3Fa%23b:generateContent ")


async def test_a_wrong_key_is_refused_and_shown_nowhere(
    wire: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = GoogleSettings(api_key="AIza-wrong", base_url=wire.base_url)
    provider = GoogleProvider(settings)
    error = await failure(provider, ask())
    health = await provider.health_check()
    await provider.aclose()
    assert isinstance(error, AuthenticationFailed)
    assert not health.healthy
    shown = f"{error!r} {error.__context__!r} {health} {settings} {provider!r} {vars(error)}"
    assert "AIza-wrong" not in shown + caplog.text


async def test_a_vendor_that_is_away_is_unreachable() -> None:
    provider = GoogleProvider(GoogleSettings(api_key=KEY, base_url="http://127.0.0.1:9"))
    assert isinstance(await failure(provider, ask()), BackendUnreachable)
    assert not (await provider.health_check()).healthy
    await provider.aclose()
