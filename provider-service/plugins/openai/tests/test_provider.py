"""The provider against a vendor on a real socket that does what vendors do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from parley_provider_openai.provider import OpenAIProvider, create
from parley_provider_openai.settings import OpenAISettings
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadRequest,
    BadResponse,
    Finished,
    FinishReason,
    Limits,
    Message,
    ProviderError,
    ReasoningPart,
    ReplyEvent,
    ReplyRequest,
    Role,
    Selective,
    TextDelta,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    UnsupportedParameter,
    UsageSource,
)
from parley_provider_sdk.testing import fold
from parley_tests.openai_peer import OpenAIPeer, reply_text

pytestmark = pytest.mark.unit

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASKED = [{"role": "user", "content": "Hi"}]


def ask(text: str = "Hi", **changes: Any) -> ReplyRequest:
    return ReplyRequest("gpt-peer", [Message(Role.USER, [TextPart(text)])], **changes)


async def failure(provider: OpenAIProvider, request: ReplyRequest) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await fold(provider.chat_completion(request))
    return caught.value


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[OpenAIProvider]:
    """A provider whose vendor answers like this."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = OpenAIProvider(OpenAISettings(base_url=f"http://127.0.0.1:{port}/v1"))
    yield provider
    await provider.aclose()
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[OpenAIProvider]:
    """A provider whose vendor answers any request with these bytes and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    async with serving(answer) as provider:
        yield provider


@pytest.mark.parametrize("script", [{}, {"split": True}, {"compress": True}, {"pace": 2000}])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_text_is_the_vendors(
    provider: OpenAIProvider, wire: OpenAIPeer, script: dict[str, Any], stream: bool
) -> None:
    wire.script(**script)
    reply = await fold(provider.chat_completion(ask(stream=stream)))
    assert reply.text == reply_text(ASKED)
    assert (reply.usage.output_tokens, reply.usage.source) == (64, UsageSource.REPORTED)


async def test_usage_that_is_not_there_is_estimated(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    wire.script(usage=False)
    usage = (await fold(provider.chat_completion(ask()))).usage
    assert usage.source is UsageSource.ESTIMATED
    assert usage.output_tokens == -(-len(reply_text(ASKED).encode()) // 4)


async def test_one_connection_serves_many_replies(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    for stream in (True, False, True):
        await fold(provider.chat_completion(ask(stream=stream)))
    assert wire.connections == 1


async def test_an_answer_may_end_a_little_after_its_mark() -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        event = b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(2):
            await reader.readuntil(b"}}")
            writer.write(head + b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(0.05)
            writer.write(b"0\r\n\r\n")
        writer.close()

    async with serving(answer) as provider:
        for _ in range(2):
            await fold(provider.chat_completion(ReplyRequest("m", ())))
    assert connections == 1


async def test_a_cut_without_a_mark_is_no_end(provider: OpenAIProvider, wire: OpenAIPeer) -> None:
    wire.script(cut_after=5, cut_cleanly=True)
    assert isinstance(await failure(provider, ask()), BadResponse)


async def test_an_error_in_the_stream_keeps_what_came_before(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    wire.script(error="server_error", error_after=3)
    seen: list[ReplyEvent] = []

    async def listen() -> None:
        async for event in provider.chat_completion(ask()):
            seen.append(event)  # noqa: PERF401  (kept when the stream fails)

    with pytest.raises(BackendError):
        await listen()
    text = "".join(event.text for event in seen if isinstance(event, TextDelta))
    assert text == reply_text(ASKED, 3)
    assert not [event for event in seen if isinstance(event, Finished)]


@pytest.mark.parametrize(
    ("script", "limits"),
    [
        ({"delay": 30}, Limits(first_token=0.5, idle=9)),
        ({"hold_after": 0}, Limits(first_token=0.5, idle=9)),
        ({"hold_after": 1}, Limits(first_token=9, idle=0.2)),
        ({"pace": 0.5}, Limits(first_token=9, idle=0.2)),
    ],
)
async def test_silence_is_a_timeout(
    provider: OpenAIProvider, wire: OpenAIPeer, script: dict[str, Any], limits: Limits
) -> None:
    wire.script(**script)
    assert isinstance(await failure(provider, ask(limits=limits)), BackendTimeout)
    await asyncio.wait_for(wire.disconnected(), 1)


async def test_a_whole_reply_has_a_limit_of_its_own(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    wire.script(delay=0.3)
    limits = Limits(first_token=0.1, idle=0.1, whole=0.2)
    assert isinstance(await failure(provider, ask(stream=False, limits=limits)), BackendTimeout)
    limits = Limits(first_token=0.1, idle=0.1, whole=5)
    await fold(provider.chat_completion(ask(stream=False, limits=limits)))


async def test_a_slow_listener_is_not_the_vendors_silence(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    wire.script(count=3, pace=1000)
    async for _ in provider.chat_completion(ask(limits=Limits(idle=0.1))):
        await asyncio.sleep(0.15)


async def test_a_stream_may_live_longer_than_every_limit(
    provider: OpenAIProvider, wire: OpenAIPeer
) -> None:
    wire.script(count=10, pace=20)
    limits = Limits(first_token=0.3, idle=0.3)
    reply = await fold(provider.chat_completion(ask(limits=limits)))
    assert reply.text == reply_text(ASKED, 10)


async def test_a_vendor_that_is_away_is_unreachable() -> None:
    provider = OpenAIProvider(OpenAISettings(base_url="http://127.0.0.1:9/v1"))
    assert isinstance(await failure(provider, ask()), BackendUnreachable)
    assert not (await provider.health_check()).healthy
    await provider.aclose()


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Welcome to the hotel</html>",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{half",
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip at all",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
async def test_what_is_not_the_wire_is_a_bad_response(raw: bytes) -> None:
    async with answering(raw) as provider:
        error = await failure(provider, ask())
    assert type(error) is BadResponse
    # The errors of the HTTP client hold the request's headers, so none may be behind ours.
    assert (error.__cause__, error.__context__) == (None, None)


async def test_a_whole_reply_to_a_stream_is_taken() -> None:
    body = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    async with answering(head + body) as provider:
        assert (await fold(provider.chat_completion(ask()))).text == "Hi"


async def test_a_wrong_key_is_refused_and_not_shown(wire: OpenAIPeer) -> None:
    settings = OpenAISettings(api_key="sk-wrong", base_url=wire.base_url)
    provider = OpenAIProvider(settings)
    error = await failure(provider, ask())
    health = await provider.health_check()
    assert isinstance(error, AuthenticationFailed)
    assert not health.healthy
    assert "sk-wrong" not in f"{error!r} {error.__context__!r} {health} {settings}"
    await provider.aclose()


async def test_no_key_sends_no_credential() -> None:
    async with OpenAIPeer() as peer:
        provider = OpenAIProvider(OpenAISettings(base_url=peer.base_url))
        await fold(provider.chat_completion(ask()))
        assert "authorization" not in peer.requests[-1].headers
        await provider.aclose()


async def test_reasoning_comes_back_and_is_taken(
    responses: OpenAIProvider, wire: OpenAIPeer
) -> None:
    """The peer refuses reasoning that was changed, or that has lost what it led to."""
    wire.script(reasoning=["Hm, ", "well."], texts=["Yes."])
    reply = await fold(responses.chat_completion(ask()))
    kinds = [type(part) for part in reply.parts]
    assert kinds == [ReasoningPart, TextPart]
    wire.script()
    again = Message(Role.USER, [TextPart("And now?")])
    history = [*ask().messages, Message(Role.ASSISTANT, reply.parts), again]
    await fold(responses.chat_completion(ReplyRequest("gpt-peer", history)))
    given = wire.requests[-1].body["input"]
    assert [one.get("type") for one in given] == [None, "reasoning", "message", None]
    said = {"role": "assistant", "content": "Yes.", "phase": "final_answer"}
    assert given[2] == {"type": "message", **said}


async def test_reasoning_that_was_changed_is_a_bad_request(
    responses: OpenAIProvider, wire: OpenAIPeer
) -> None:
    wire.script(reasoning=["Hm."], texts=["Yes."])
    reply = await fold(responses.chat_completion(ask()))
    thought = reply.parts[0]
    changed = thought.provider_metadata.replace(b'"encrypted_content":"', b'"encrypted_content":"A')
    parts = [ReasoningPart("Hm.", changed), *reply.parts[1:]]
    history = [*ask().messages, Message(Role.ASSISTANT, parts), *ask().messages]
    error = await failure(responses, ReplyRequest("gpt-peer", history))
    assert type(error) is BadRequest
    assert "could not be verified" in error.message


async def test_tools_are_called_and_answered(provider: OpenAIProvider, wire: OpenAIPeer) -> None:
    call = {"tool_call_id": "c1", "name": "add", "arguments": '{"a": 1, "b": 1}'}
    wire.script(texts=[], calls=[call])
    reply = await fold(provider.chat_completion(ask(tools=[Tool("add")])))
    assert reply.tool_calls == (ToolCallPart("c1", "add", '{"a": 1, "b": 1}'),)
    assert reply.reason is FinishReason.TOOL
    wire.script(texts=["2"])
    result = Message(Role.TOOL, [ToolResultPart("c1", "2")])
    history = [*ask().messages, Message(Role.ASSISTANT, reply.parts), result]
    request = ReplyRequest("gpt-peer", history, tools=[Tool("add")])
    assert (await fold(provider.chat_completion(request))).text == "2"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_said_and_named(
    provider: OpenAIProvider, wire: OpenAIPeer, stream: bool
) -> None:
    wire.script(texts=["No."], finish_reason="refusal")
    reply = await fold(provider.chat_completion(ask(stream=stream)))
    assert (reply.text, reply.reason) == ("No.", FinishReason.REFUSAL)


async def test_a_parameter_that_a_model_does_not_take_is_named(provider: OpenAIProvider) -> None:
    messages = [Message(Role.USER, [TextPart("Hi")])]
    error = await failure(provider, ReplyRequest("o9-peer", messages, temperature=0.2))
    assert isinstance(error, UnsupportedParameter)
    assert error.parameter == "temperature"


OWN = "https://api.openai.com/v1"
# What `/responses` has no field for.
ON_CHAT = {
    "stop",
    "seed",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_tokens",
}


@pytest.mark.parametrize(
    ("wire_", "base_url", "model", "expected"),
    [
        ("auto", OWN, "o3", {*ON_CHAT, "temperature", "top_p", "top_logprobs"}),
        ("auto", OWN, "gpt-4o", {*ON_CHAT, "reasoning_effort"}),
        ("chat", OWN, "gpt-4o", {"reasoning_effort", "reasoning_tokens", "top_k"}),
        ("auto", "http://localhost:1/v1", "o3", {"reasoning_tokens"}),
        ("responses", "http://localhost:1/v1", "o3", ON_CHAT),
    ],
)
async def test_what_is_not_taken_is_known_of_openais_own_models(
    wire_: str, base_url: str, model: str, expected: set[str]
) -> None:
    provider = create(OpenAISettings(api_key="sk-1", base_url=base_url, wire=wire_))
    assert isinstance(provider, Selective)
    assert provider.unsupported_parameters(model) == expected
    await provider.aclose()
