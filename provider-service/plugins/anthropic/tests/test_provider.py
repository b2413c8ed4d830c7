"""The provider against a vendor on a real socket that does what vendors do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from parley_provider_anthropic.provider import AnthropicProvider
from parley_provider_anthropic.settings import AnthropicSettings
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendUnreachable,
    BadRequest,
    BadResponse,
    Effort,
    Finished,
    FinishReason,
    ImagePart,
    Limits,
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
    ToolChoice,
    ToolMode,
    ToolResultPart,
    UnsupportedParameter,
    UsageSource,
)
from parley_provider_sdk.testing import Peer, Reply, fold, words
from parley_tests.anthropic_peer import MODELS, REDACTED, AnthropicDialect

pytestmark = pytest.mark.unit

MODEL = "claude-sonnet-5-5"
KEY = "sk-ant-secret-of-the-tests"
HI = Message(Role.USER, [TextPart("Hi")])
CALLS = [
    {"tool_call_id": "toolu_1", "name": "add", "arguments": '{"a":1,"b":"世界"}'},
    {"tool_call_id": "toolu_2", "name": "now", "arguments": ""},
]


def ask(*messages: Message, **changes: Any) -> ReplyRequest:
    return ReplyRequest(changes.pop("model", MODEL), messages or [HI], **changes)


async def failure(provider: AnthropicProvider, request: ReplyRequest) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await fold(provider.chat_completion(request))
    return caught.value


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[AnthropicProvider]:
    """A provider whose vendor answers any request with these bytes and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = AnthropicProvider(AnthropicSettings(KEY, f"http://127.0.0.1:{port}"))
    yield provider
    await provider.aclose()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("script", [{}, {"split": True}, {"compress": True}, {"pace": 2000}])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_text_is_the_vendors(
    provider: AnthropicProvider, wire: Peer, script: dict[str, Any], stream: bool
) -> None:
    wire.script(**script)
    reply = await fold(provider.chat_completion(ask(stream=stream)))
    assert "".join(words("Hi")) == reply.text
    assert (64, 0, UsageSource.REPORTED) == (
        reply.usage.output_tokens,
        reply.usage.cached_input_tokens,
        reply.usage.source,
    )


@pytest.mark.parametrize("stream", [True, False])
async def test_calls_and_thinking_make_the_round_trip(
    provider: AnthropicProvider, wire: Peer, stream: bool
) -> None:
    wire.script(
        reasoning=("Let me ", "think. ", f"{REDACTED}hidden", "Done."), texts=("So: ",), calls=CALLS
    )
    tools = [Tool("add"), Tool("now")]
    reply = await fold(provider.chat_completion(ask(stream=stream, tools=tools)))
    assert FinishReason.TOOL == reply.reason
    assert [
        ToolCallPart("toolu_1", "add", '{"a":1,"b":"世界"}'),
        ToolCallPart("toolu_2", "now", "{}"),
    ] == list(reply.tool_calls)
    # The peer refuses thinking whose text, order or signature is not as it was.
    wire.script()
    results = Message(Role.TOOL, [ToolResultPart("toolu_1", "2"), ToolResultPart("toolu_2", "now")])
    said = Message(Role.ASSISTANT, reply.parts)
    await fold(provider.chat_completion(ask(HI, said, results, tools=tools)))
    received = wire.requests[-1].body["messages"][1]["content"]
    assert [
        ("thinking", "Let me think. "),
        ("redacted_thinking", None),
        ("thinking", "Done."),
        ("text", None),
        ("tool_use", None),
        ("tool_use", None),
    ] == [(one["type"], one.get("thinking")) for one in received]


@pytest.mark.parametrize("counts", [True, False])
async def test_a_history_of_calls_is_taken_without_tools(
    provider: AnthropicProvider, wire: Peer, counts: bool
) -> None:
    called = Message(Role.ASSISTANT, [ToolCallPart("toolu_1", "add", "{}")])
    request = ask(HI, called, Message(Role.TOOL, [ToolResultPart("toolu_1", "2")]))
    if counts:
        assert await provider.count_tokens(request)
    else:
        assert FinishReason.STOP == (await fold(provider.chat_completion(request))).reason
    assert {"type": "none"} == wire.requests[-1].body["tool_choice"]


async def test_changed_thinking_is_refused_by_the_peer(
    provider: AnthropicProvider, wire: Peer
) -> None:
    wire.script(reasoning=("Hm.",))
    reply = await fold(provider.chat_completion(ask()))
    parts: list[Part] = [
        ReasoningPart("Oh.", one.provider_metadata) if isinstance(one, ReasoningPart) else one
        for one in reply.parts
    ]
    error = await failure(provider, ask(HI, Message(Role.ASSISTANT, parts), HI))
    assert BadRequest is type(error)
    assert "Invalid `signature`" in error.message


async def test_thinking_of_another_vendor_does_no_harm(provider: AnthropicProvider) -> None:
    parts: list[Part] = [
        ReasoningPart("Hm.", b'{"google":{}}'),
        ReasoningPart("Hm."),
        TextPart("Yes."),
    ]
    reply = await fold(provider.chat_completion(ask(HI, Message(Role.ASSISTANT, parts), HI)))
    assert FinishReason.STOP == reply.reason


async def test_reasoning_is_counted(provider: AnthropicProvider, wire: Peer) -> None:
    wire.script(reasoning=("a", "b"), texts=("c",))
    request = ask(reasoning_effort=Effort.HIGH)
    usage = (await fold(provider.chat_completion(request))).usage
    assert (3, 2) == (usage.output_tokens, usage.reasoning_tokens)


async def test_images_and_schemas_reach_the_vendor(provider: AnthropicProvider, wire: Peer) -> None:
    message = Message(Role.USER, [TextPart("What?"), ImagePart("image/png", b"\x89PNG")])
    request = ask(message, output=OutputFormat('{"type":"object","properties":{}}'))
    await fold(provider.chat_completion(request))
    body = wire.requests[-1].body
    assert "iVBORw==" == body["messages"][0]["content"][1]["source"]["data"]
    assert "json_schema" == body["output_config"]["format"]["type"]


@pytest.mark.parametrize("effort", [None, *Effort])
@pytest.mark.parametrize("model", MODELS)
async def test_every_model_takes_every_effort(
    provider: AnthropicProvider, model: str, effort: Effort | None
) -> None:
    request = ask(model=model, reasoning_effort=effort)
    assert FinishReason.STOP == (await fold(provider.chat_completion(request))).reason


@pytest.mark.parametrize("effort", [None, *Effort])
@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-haiku-4-5"])
async def test_a_call_that_must_be_made_goes_with_every_effort(
    provider: AnthropicProvider, model: str, effort: Effort | None
) -> None:
    choice = ToolChoice(ToolMode.NAMED, "add")
    request = ask(model=model, reasoning_effort=effort, tools=[Tool("add")], tool_choice=choice)
    assert FinishReason.STOP == (await fold(provider.chat_completion(request))).reason


async def test_a_call_that_a_model_cannot_be_made_to_make_is_named(
    provider: AnthropicProvider,
) -> None:
    choice = ToolChoice(ToolMode.REQUIRED)
    error = await failure(provider, ask(tools=[Tool("add")], tool_choice=choice))
    assert isinstance(error, UnsupportedParameter)
    assert "tool_choice" == error.parameter


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-haiku-4-5"])
@pytest.mark.parametrize("effort", [None, Effort.HIGH])
async def test_no_sampling_is_asked_for_that_the_vendor_refuses(
    provider: AnthropicProvider, model: str, effort: Effort | None
) -> None:
    request = ask(model=model, temperature=0.5, top_p=0.5, reasoning_effort=effort)
    assert FinishReason.STOP == (await fold(provider.chat_completion(request))).reason


async def test_sampling_is_taken_by_the_models_that_have_it(
    provider: AnthropicProvider, wire: Peer
) -> None:
    await fold(provider.chat_completion(ask(model="claude-opus-4-6", temperature=0.5)))
    assert 0.5 == wire.requests[-1].body["temperature"]
    error = await failure(provider, ask(temperature=0.5))
    assert isinstance(error, UnsupportedParameter)
    assert "temperature" == error.parameter


async def test_the_key_goes_where_either_kind_of_server_looks(
    provider: AnthropicProvider, wire: Peer
) -> None:
    await fold(provider.chat_completion(ask()))
    await provider.list_models()
    for request in wire.requests:
        assert (KEY, f"Bearer {KEY}") == (
            request.headers["x-api-key"],
            request.headers["authorization"],
        )


async def test_usage_that_is_not_there_is_estimated(
    provider: AnthropicProvider, wire: Peer
) -> None:
    wire.script(usage=False)
    usage = (await fold(provider.chat_completion(ask()))).usage
    assert UsageSource.ESTIMATED == usage.source
    assert -(-len("".join(words("Hi")).encode()) // 4) == usage.output_tokens


async def test_one_connection_serves_many_replies(provider: AnthropicProvider, wire: Peer) -> None:
    for stream in (True, False, True):
        await fold(provider.chat_completion(ask(stream=stream)))
    assert 1 == wire.connections


async def test_a_cut_without_a_mark_is_no_end(provider: AnthropicProvider, wire: Peer) -> None:
    wire.script(cut_after=5, cut_cleanly=True)
    assert isinstance(await failure(provider, ask()), BadResponse)


async def test_an_error_in_the_stream_keeps_what_came_before(
    provider: AnthropicProvider, wire: Peer
) -> None:
    wire.script(error="overloaded", error_after=3)
    seen: list[ReplyEvent] = []

    async def listen() -> None:
        async for event in provider.chat_completion(ask()):
            seen.append(event)  # noqa: PERF401  (kept when the stream fails)

    with pytest.raises(Overloaded):
        await listen()
    assert "".join(words("Hi", 3)) == "".join(
        event.text for event in seen if isinstance(event, TextDelta)
    )
    assert not [event for event in seen if isinstance(event, Finished)]


async def test_leaving_hangs_up(provider: AnthropicProvider, wire: Peer) -> None:
    wire.script(hold_after=1)
    stream = provider.chat_completion(ask())
    await anext(stream)
    await stream.aclose()
    await asyncio.wait_for(wire.disconnected(), 1)
    assert 1 == wire.disconnects


async def test_shown_thinking_is_a_sign_of_life(provider: AnthropicProvider, wire: Peer) -> None:
    wire.script(reasoning=("a", "b", "c", "d"), texts=("e",), pace=10)
    reply = await fold(provider.chat_completion(ask(limits=Limits(first_token=0.3, idle=0.3))))
    assert ("abcd", "e") == (reply.reasoning, reply.text)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("max_tokens", FinishReason.LENGTH),
        ("refusal", FinishReason.REFUSAL),
        ("pause_turn", FinishReason.PAUSED),
        ("novel", FinishReason.OTHER),
    ],
)
async def test_why_it_stopped(
    provider: AnthropicProvider, wire: Peer, word: str, reason: FinishReason
) -> None:
    wire.script(finish_reason=word)
    assert reason == (await fold(provider.chat_completion(ask()))).reason


async def test_a_vendor_that_is_away_is_unreachable() -> None:
    provider = AnthropicProvider(AnthropicSettings(KEY, "http://127.0.0.1:9"))
    assert isinstance(await failure(provider, ask()), BackendUnreachable)
    assert not (await provider.health_check()).healthy
    await provider.aclose()


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Welcome to the hotel</html>",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{half",
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_what_is_not_the_wire_is_a_bad_response(raw: bytes) -> None:
    async with answering(raw) as provider:
        error = await failure(provider, ask())
    assert BadResponse is type(error)
    assert (None, None) == (error.__cause__, error.__context__)


async def test_a_compatible_servers_reply_is_read() -> None:
    events = (
        b'data: {"type":"message_start","message":{"content":[]}}\n\n'
        b'data: {"type":"content_block_start","content_block":{"type":"text"}}\n\n'
        b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
        b"data: [DONE]\n\n"
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    async with answering(head + events) as provider:
        reply: Reply = await fold(provider.chat_completion(ask()))
    assert ("Hi", UsageSource.ESTIMATED) == (reply.text, reply.usage.source)


async def test_a_wrong_key_is_refused_and_shown_nowhere(wire: Peer) -> None:
    settings = AnthropicSettings("sk-ant-wrong", wire.base_url)
    provider = AnthropicProvider(settings)
    error = await failure(provider, ask())
    health = await provider.health_check()
    assert isinstance(error, AuthenticationFailed)
    assert not health.healthy
    shown = f"{error!r} {vars(error)} {error.__context__!r} {health} {settings} {provider!r}"
    assert "sk-ant-wrong" not in shown
    await provider.aclose()


async def test_a_server_may_want_no_key() -> None:
    async with Peer(AnthropicDialect()) as peer:
        provider = AnthropicProvider(AnthropicSettings("any", f"{peer.base_url}/v1/"))
        assert (await provider.health_check()).healthy
        await fold(provider.chat_completion(ask()))
        await provider.aclose()
