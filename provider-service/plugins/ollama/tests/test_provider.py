"""The provider against a vendor on a real socket that does what vendors do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from parley_provider_ollama.provider import OllamaProvider
from parley_provider_ollama.settings import OllamaSettings
from parley_provider_ollama.translate import OWN
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadRequest,
    BadResponse,
    ContextTooLong,
    Effort,
    EmbeddingRequest,
    Finished,
    FinishReason,
    ImagePart,
    Limits,
    Message,
    ModelNotFound,
    OutputFormat,
    ProviderError,
    ReasoningPart,
    ReplyEvent,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
    Tool,
    ToolResultPart,
    UnsupportedParameter,
    UsageSource,
)
from parley_provider_sdk.testing import fold
from parley_tests.ollama_peer import OllamaPeer, reply_text

pytestmark = pytest.mark.unit

MODEL = "llama-peer:latest"
TOOL = Tool("add", "Adds.", '{"type":"object","properties":{"a":{"type":"integer"}}}')


def ask(text: str = "Hi", model: str = MODEL, **changes: Any) -> ReplyRequest:
    return ReplyRequest(model, [Message(Role.USER, [TextPart(text)])], **changes)


async def failure(provider: OllamaProvider, request: ReplyRequest) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await fold(provider.chat_completion(request))
    return caught.value


def chats(wire: OllamaPeer) -> list[Any]:
    """Returns the bodies of the replies that were asked for."""
    return [one.body for one in wire.requests if one.path == "/api/chat"]


@asynccontextmanager
async def talking_to(wire: OllamaPeer, **settings: Any) -> AsyncIterator[OllamaProvider]:
    provider = OllamaProvider(OllamaSettings(base_url=wire.base_url, **settings))
    yield provider
    await provider.aclose()


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[OllamaProvider]:
    """A provider whose vendor answers any request with these bytes and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = OllamaProvider(OllamaSettings(base_url=f"http://127.0.0.1:{port}"))
    yield provider
    await provider.aclose()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "script", [{}, {"split": True}, {"compress": True}, {"pace": 2000}, {"unknown": True}]
)
@pytest.mark.parametrize("stream", [True, False])
async def test_the_text_is_the_vendors(
    provider: OllamaProvider, wire: OllamaPeer, script: dict[str, Any], stream: bool
) -> None:
    wire.script(**script)
    reply = await fold(provider.chat_completion(ask(stream=stream)))
    assert reply_text("Hi") == reply.text
    assert (64, UsageSource.REPORTED) == (reply.usage.output_tokens, reply.usage.source)


async def test_usage_that_is_not_there_is_estimated(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    wire.script(usage=False)
    usage = (await fold(provider.chat_completion(ask()))).usage
    assert UsageSource.ESTIMATED is usage.source
    assert -(-len(reply_text("Hi").encode()) // 4) == usage.output_tokens


async def test_one_connection_serves_many_replies_and_details_are_asked_once(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    for stream in (True, False, True):
        await fold(provider.chat_completion(ask(stream=stream)))
    assert 1 == wire.connections
    paths = [one.path for one in wire.requests]
    assert ["/api/show", "/api/chat", "/api/chat", "/api/chat"] == paths


@pytest.mark.parametrize("stream", [True, False])
async def test_tool_calls_and_their_results_make_the_round(
    provider: OllamaProvider, wire: OllamaPeer, stream: bool
) -> None:
    call = {"tool_call_id": "call_1", "name": "add", "arguments": '{"a":1,"note":"<ü>"}'}
    wire.script(texts=("Let me see.",), reasoning=("Hm, ", "so."), calls=(call,))
    request = ask("1 + 1?", tools=[TOOL], reasoning_effort=Effort.HIGH, stream=stream)
    reply = await fold(provider.chat_completion(request))
    assert FinishReason.TOOL is reply.reason
    (made,) = reply.tool_calls
    assert ("call_1", "add", '{"a":1,"note":"<ü>"}') == (
        made.tool_call_id,
        made.name,
        made.arguments,
    )
    assert ReasoningPart("Hm, so.", OWN) == reply.parts[0]
    wire.script()
    answer = Message(Role.ASSISTANT, reply.parts)
    result = Message(Role.TOOL, [ToolResultPart("call_1", "2")])
    await fold(provider.chat_completion(ReplyRequest(MODEL, [*request.messages, answer, result])))
    function = {"name": "add", "arguments": {"a": 1, "note": "<ü>"}}
    assert [
        {
            "role": "assistant",
            "content": "Let me see.",
            "thinking": "Hm, so.",
            "tool_calls": [{"id": "call_1", "function": function}],
        },
        {"role": "tool", "content": "2", "tool_name": "add", "tool_call_id": "call_1"},
    ] == chats(wire)[-1]["messages"][1:]


async def test_thinking_can_be_forbidden(provider: OllamaProvider, wire: OllamaPeer) -> None:
    wire.script(texts=("4",), reasoning=("Hm.",))
    assert "Hm." == (await fold(provider.chat_completion(ask()))).reasoning
    quiet = await fold(provider.chat_completion(ask(reasoning_effort=Effort.NONE)))
    assert ("", "4") == (quiet.reasoning, quiet.text)


async def test_structured_output_is_asked_for(provider: OllamaProvider, wire: OllamaPeer) -> None:
    await fold(provider.chat_completion(ask(output=OutputFormat('{"type":"object"}'))))
    assert {"type": "object"} == chats(wire)[-1]["format"]


async def test_images_go_to_models_that_see(provider: OllamaProvider, wire: OllamaPeer) -> None:
    messages = [Message(Role.USER, [TextPart("What is it?"), ImagePart("image/png", b"\x89PNG")])]
    await fold(provider.chat_completion(ReplyRequest(MODEL, messages)))
    assert ["iVBORw=="] == chats(wire)[-1]["messages"][0]["images"]
    error = await failure(provider, ReplyRequest("llama-peer:1b", messages))
    assert BadRequest is type(error)
    assert "llama-peer:1b takes no images" in error.message
    assert 1 == len(chats(wire))


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [({"tools": [TOOL]}, "tools"), ({"reasoning_effort": Effort.LOW}, "reasoning_effort")],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_model_cannot_do_is_named(
    provider: OllamaProvider, changes: dict[str, Any], parameter: str, stream: bool
) -> None:
    error = await failure(provider, ask(model="llama-peer:1b", stream=stream, **changes))
    assert isinstance(error, UnsupportedParameter)
    assert parameter == error.parameter


async def test_a_model_that_is_not_there_can_be_pulled(provider: OllamaProvider) -> None:
    error = await failure(provider, ask(model="qwen3:8b"))
    assert ModelNotFound is type(error)
    assert "`ollama pull qwen3:8b`" in error.message


@pytest.mark.parametrize(
    ("model", "settings", "size"),
    [
        (MODEL, {}, 8192),
        (MODEL, {"num_ctx": 3000}, 3000),
        ("llama-peer:1b", {"num_ctx": 3000}, 2048),
        ("llama-peer:modest", {}, 4096),
    ],
)
async def test_every_request_names_its_context(
    model: str, settings: dict[str, Any], size: int
) -> None:
    async with OllamaPeer() as wire, talking_to(wire, **settings) as provider:
        await fold(provider.chat_completion(ask(model=model)))
        body = chats(wire)[-1]
    assert (size, False, False) == (body["options"]["num_ctx"], body["truncate"], body["shift"])


async def test_what_surely_does_not_fit_is_not_even_sent(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    error = await failure(provider, ask("word " * 3000, model="llama-peer:1b"))
    assert ContextTooLong is type(error)
    assert "2500 tokens or more" in error.message
    assert "holds 2048" in error.message
    assert [] == chats(wire)


async def test_what_the_server_counts_longer_than_we_do_it_refuses(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    error = await failure(provider, ask("x" * 9000, model="llama-peer:1b"))
    assert ContextTooLong is type(error)
    assert not error.retryable
    assert 1 == len(chats(wire))


async def test_a_server_that_cuts_all_the_same_is_found_out() -> None:
    async with OllamaPeer(cuts=True) as wire, talking_to(wire) as provider:
        error = await failure(provider, ask("x" * 9000, model="llama-peer:1b"))
    assert ContextTooLong is type(error)


async def test_a_refusal_widens_the_context_for_the_next_try(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    wire.script(error="context_size")
    error = await failure(provider, ask())
    assert (ContextTooLong, True) == (type(error), error.retryable)
    wire.script()
    await fold(provider.chat_completion(ask()))
    assert [8192, 32768] == [body["options"]["num_ctx"] for body in chats(wire)]


async def test_a_model_stays_loaded_as_long_as_is_set() -> None:
    async with OllamaPeer() as wire, talking_to(wire, keep_alive="1h") as provider:
        await fold(provider.chat_completion(ask()))
        await provider.embed(EmbeddingRequest("embed-peer", ["a"]))
        assert ["1h", "1h"] == [
            one.body["keep_alive"] for one in wire.requests if one.path != "/api/show"
        ]


async def test_a_server_that_shows_no_details_still_replies() -> None:
    whole = b'{"message":{"content":"Hi"},"done":true,"done_reason":"stop"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    async with answering(head + whole) as provider:
        for stream in (True, False):
            assert "Hi" == (await fold(provider.chat_completion(ask(stream=stream)))).text


async def test_lines_of_another_type_are_streamed_all_the_same() -> None:
    line = b'{"message":{"content":"Hi"},"done":false}\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    async with answering(head + line + line + b'{"done":true}\n') as provider:
        for stream in (True, False):
            assert "HiHi" == (await fold(provider.chat_completion(ask(stream=stream)))).text


async def test_lines_of_another_type_come_as_they_are_sent(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    wire.dialect.stream_type = "application/json"
    wire.script(texts=("Hi",), hold_after=1)
    limits = Limits(first_token=2, idle=2)
    async with aclosing(provider.chat_completion(ask(limits=limits))) as reply:
        assert TextDelta("Hi") == await anext(reply)


async def test_a_cut_without_a_mark_is_no_end(provider: OllamaProvider, wire: OllamaPeer) -> None:
    wire.script(cut_after=5, cut_cleanly=True)
    assert BadResponse is type(await failure(provider, ask()))


async def test_an_error_in_the_stream_keeps_what_came_before(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    wire.script(error="midway", error_after=3)
    seen: list[ReplyEvent] = []

    async def listen() -> None:
        async for event in provider.chat_completion(ask()):
            seen.append(event)  # noqa: PERF401  (kept when the stream fails)

    with pytest.raises(BackendError):
        await listen()
    text = "".join(event.text for event in seen if isinstance(event, TextDelta))
    assert reply_text("Hi", 3) == text
    assert not [event for event in seen if isinstance(event, Finished)]


@pytest.mark.parametrize(
    ("script", "limits"),
    [
        ({"delay": 30}, Limits(first_token=0.2, idle=9)),
        ({"hold_after": 0}, Limits(first_token=0.2, idle=9)),
        ({"hold_after": 1}, Limits(first_token=9, idle=0.2)),
        ({"dribble": 40}, Limits(first_token=0.3, idle=9)),
    ],
)
async def test_silence_is_a_timeout(
    provider: OllamaProvider, wire: OllamaPeer, script: dict[str, Any], limits: Limits
) -> None:
    wire.script(**script)
    assert BackendTimeout is type(await failure(provider, ask(limits=limits)))
    await asyncio.wait_for(wire.disconnected(), 1)


async def test_hanging_up_reaches_the_server(provider: OllamaProvider, wire: OllamaPeer) -> None:
    wire.script(hold_after=1)
    async with aclosing(provider.chat_completion(ask())) as reply:
        await asyncio.wait_for(anext(reply), 5)
    await asyncio.wait_for(wire.disconnected(), 1)


async def test_a_server_that_is_away_can_be_started() -> None:
    provider = OllamaProvider(OllamaSettings(base_url="http://127.0.0.1:9"))
    error = await failure(provider, ask())
    assert BackendUnreachable is type(error)
    assert "Start Ollama with `ollama serve`" in error.message
    health = await provider.health_check()
    assert (False, error.message) == (health.healthy, health.detail)
    await provider.aclose()


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Welcome to the hotel</html>",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{half",
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_not_the_wire_is_a_bad_response(raw: bytes, stream: bool) -> None:
    async with answering(raw) as provider:
        error = await failure(provider, ask(stream=stream))
        assert not (await provider.health_check()).healthy
    assert BadResponse is type(error)
    # The errors of the HTTP client hold the request's headers, so none may be behind ours.
    assert (None, None) == (error.__cause__, error.__context__)


async def test_a_wrong_key_is_refused_and_not_shown(wire: OllamaPeer) -> None:
    async with talking_to(wire, api_key="sk-wrong") as provider:
        error = await failure(provider, ask())
        health = await provider.health_check()
        assert AuthenticationFailed is type(error)
        assert not health.healthy
        assert "sk-wrong" not in f"{error!r} {error.__context__!r} {health} {provider!r}"
        assert "sk-wrong" not in repr(OllamaSettings(api_key="sk-wrong"))


async def test_no_key_sends_no_credential() -> None:
    async with OllamaPeer() as wire, talking_to(wire) as provider:
        await fold(provider.chat_completion(ask()))
        assert "authorization" not in wire.requests[-1].headers


@pytest.mark.parametrize(
    ("version", "is_warned"),
    [
        ('"0.17.0"', True),
        ('"0.5.13-rc1"', True),
        ('"v0.9.6"', True),
        ('"0.17.1"', False),
        ('"0.17.1-rc0"', False),
        ('"1.0.0"', False),
        ('"nightly"', False),
        ("null", False),
        ("7", False),
    ],
)
async def test_health_warns_of_servers_that_are_too_old(
    provider: OllamaProvider, wire: OllamaPeer, version: str, is_warned: bool
) -> None:
    wire.script(raw=f'{{"version":{version}}}', raw_type="application/json")
    health = await provider.health_check()
    assert health.healthy
    assert is_warned == ("CVE-2026-7482" in health.detail)
    assert ["/api/version", "/api/tags"] == [one.path for one in wire.requests]


async def test_health_tells_how_to_get_a_first_model(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    assert "ollama pull" not in (await provider.health_check()).detail
    wire.script(raw='{"version":"0.20.0","models":[]}', raw_type="application/json")
    health = await provider.health_check()
    assert health.healthy
    assert health.detail.endswith("It has no model yet: get one with `ollama pull <model>`.")
