"""The peer speaks the wire that the vendor's own client understands."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import ollama
import pytest
from parley_tests.ollama_peer import OllamaPeer, prompt_tokens, reply_text

pytestmark = pytest.mark.unit

KEY = "sk-secret-of-the-tests"
MODEL = "llama-peer"
ASKED: list[Any] = [{"role": "user", "content": "Hi 世界"}]
TOOL = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}


def client_of(wire: OllamaPeer, key: str = KEY) -> ollama.AsyncClient:
    return ollama.AsyncClient(host=wire.base_url, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
async def client(wire: OllamaPeer) -> AsyncIterator[ollama.AsyncClient]:
    async with client_of(wire) as made:
        yield made


async def refused(client: ollama.AsyncClient, **asked: Any) -> ollama.ResponseError:
    with pytest.raises(ollama.ResponseError) as caught:
        await client.chat(**{"model": MODEL, "messages": ASKED, **asked})
    return caught.value


async def test_a_whole_reply(client: ollama.AsyncClient) -> None:
    reply = await client.chat(model=MODEL, messages=ASKED)
    assert reply_text("Hi 世界") == reply.message.content
    assert (MODEL, True, "stop") == (reply.model, reply.done, reply.done_reason)
    assert (prompt_tokens(ASKED), 64) == (reply.prompt_eval_count, reply.eval_count)
    assert reply.total_duration


async def test_a_streamed_reply_counts_in_its_last_line(client: ollama.AsyncClient) -> None:
    stream = await client.chat(model=MODEL, messages=ASKED, stream=True)
    *lines, last = [line async for line in stream]
    assert reply_text("Hi 世界") == "".join(line.message.content or "" for line in lines)
    assert {(False, None, None)} == {(one.done, one.done_reason, one.eval_count) for one in lines}
    assert (True, "stop", 64) == (last.done, last.done_reason, last.eval_count)


async def test_thinking(client: ollama.AsyncClient, wire: OllamaPeer) -> None:
    wire.script(texts=("4",), reasoning=("Hm, ", "so."))
    reply = await client.chat(model=MODEL, messages=ASKED, think="high")
    assert ("Hm, so.", "4") == (reply.message.thinking, reply.message.content)
    stream = await client.chat(model=MODEL, messages=ASKED, think=True, stream=True)
    said = [(line.message.thinking, line.message.content) async for line in stream]
    assert [(None, ""), ("Hm, ", ""), ("so.", ""), (None, "4"), (None, "")] == said


async def test_tools(client: ollama.AsyncClient, wire: OllamaPeer) -> None:
    call = {"tool_call_id": "call_1", "name": "add", "arguments": '{"a":"<1>"}'}
    wire.script(texts=(), calls=(call, call))
    reply = await client.chat(model=MODEL, messages=ASKED, tools=[TOOL])
    stream = await client.chat(model=MODEL, messages=ASKED, tools=[TOOL], stream=True)
    lines = [line async for line in stream]
    streamed = [one for line in lines for one in line.message.tool_calls or ()]
    for calls in (reply.message.tool_calls or (), streamed):
        functions = [one.function for one in calls]
        assert [("add", {"a": "<1>"})] * 2 == [(one.name, one.arguments) for one in functions]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as plain:
        asked = {"model": MODEL, "messages": ASKED, "stream": False}
        raw = await plain.post(f"{wire.base_url}/api/chat", json=asked)
    assert ["call_1", "call_1"] == [one["id"] for one in raw.json()["message"]["tool_calls"]]
    assert r"\u003c1\u003e" in raw.text


async def test_format_and_options_reach_it(client: ollama.AsyncClient, wire: OllamaPeer) -> None:
    await client.chat(model=MODEL, messages=ASKED, format="json", options={"num_ctx": 4096})
    body = wire.requests[-1].body
    assert ("json", {"num_ctx": 4096}) == (body["format"], body["options"])


async def test_models_and_their_details(client: ollama.AsyncClient) -> None:
    models = (await client.list()).models
    assert [
        "llama-peer:latest",
        "llama-peer:1b",
        "llama-peer:modest",
        "embed-peer:latest",
    ] == [one.model for one in models]
    assert 4 == len({one.digest for one in models})
    shown = await client.show(MODEL)
    assert ["completion", "vision", "tools", "thinking"] == shown.capabilities
    assert shown.modelinfo
    assert 131072 == shown.modelinfo["llama.context_length"]
    with pytest.raises(ollama.ResponseError, match="model 'nobody' not found"):
        await client.show("nobody")


async def test_vectors(client: ollama.AsyncClient) -> None:
    assert 2 == len((await client.embed("embed-peer", ["a", "b"])).embeddings)
    assert 1 == len((await client.embed("embed-peer", "a")).embeddings)
    with pytest.raises(ollama.ResponseError, match="does not support embeddings"):
        await client.embed(MODEL, "a")
    with pytest.raises(ollama.ResponseError, match="exceeds the context length"):
        await client.embed("embed-peer", "x" * 4000, truncate=False)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"model": "nobody"}, 404, "model 'nobody' not found"),
        ({"model": "embed-peer"}, 400, '"embed-peer" does not support chat'),
        (
            {"model": "llama-peer:1b", "tools": [TOOL]},
            400,
            "registry.ollama.ai/library/llama-peer:1b does not support tools",
        ),
        ({"model": "llama-peer:1b", "think": True}, 400, "does not support thinking"),
        ({"think": "odd"}, 400, "invalid think value"),
    ],
)
async def test_what_it_refuses(
    client: ollama.AsyncClient, asked: dict[str, Any], status: int, said: str
) -> None:
    for stream in (True, False):
        if stream:
            with pytest.raises(ollama.ResponseError) as caught:
                [_ async for _ in await client.chat(**{"model": MODEL, **asked}, stream=True)]
            error = caught.value
        else:
            error = await refused(client, **asked)
        assert status == error.status_code
        assert said in error.error


async def test_failures_that_are_scripted(client: ollama.AsyncClient, wire: OllamaPeer) -> None:
    wire.script(error="server_busy")
    error = await refused(client)
    assert (503, True) == (error.status_code, "server busy, please try again." in error.error)


async def test_an_error_within_a_stream(client: ollama.AsyncClient, wire: OllamaPeer) -> None:
    wire.script(error="midway", error_after=2)
    texts: list[str] = []

    async def listen() -> None:
        async for line in await client.chat(model=MODEL, messages=ASKED, stream=True):
            texts.append(line.message.content or "")  # noqa: PERF401  (kept when it fails)

    with pytest.raises(ollama.ResponseError, match="an error was encountered"):
        await listen()
    assert reply_text("Hi 世界", 2) == "".join(texts)


async def test_a_wrong_key(wire: OllamaPeer) -> None:
    async with client_of(wire, "sk-wrong") as client:
        assert 401 == (await refused(client)).status_code


async def test_what_is_too_long_is_cut_unless_forbidden(
    client: ollama.AsyncClient, wire: OllamaPeer
) -> None:
    long: list[Any] = [{"role": "user", "content": "x" * 40_000}]
    reply = await client.chat(model=MODEL, messages=long, options={"num_ctx": 2048})
    assert 2048 == reply.prompt_eval_count
    asked = {"model": MODEL, "messages": long, "truncate": False, "stream": False}
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as plain:
        answer = await plain.post(f"{wire.base_url}/api/chat", json=asked)
    assert 400 == answer.status_code
    assert "exceeds the available context size" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/api/chat", None, 400, "missing request body"),
        ("/api/chat", {"messages": []}, 400, "model is required"),
        ("/api/show", {"model": ""}, 404, "model '' not found"),
        ("/api/nothing", {}, 404, "Not Found"),
    ],
)
async def test_what_no_client_would_ask(
    wire: OllamaPeer, path: str, body: object, status: int, said: str
) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as plain:
        answer = await plain.post(wire.base_url + path, content=content)
    assert (status, True) == (answer.status_code, said in answer.text)


@pytest.fixture
async def process() -> AsyncIterator[asyncio.subprocess.Process]:
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley_tests.ollama_peer", "--tokens", "3"),
        stdout=asyncio.subprocess.PIPE,
    )
    yield made
    if made.returncode is None:
        made.kill()
        await made.wait()


async def test_as_a_process_it_says_where_it_is_and_ends_on_sigterm(
    process: asyncio.subprocess.Process,
) -> None:
    assert process.stdout is not None
    base_url = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))["base_url"]
    async with ollama.AsyncClient(host=base_url) as client, httpx.AsyncClient() as plain:
        reply = await client.chat(model=MODEL, messages=ASKED)
        version = (await plain.get(f"{base_url}/api/version")).json()
    process.send_signal(signal.SIGTERM)
    assert 0 == await asyncio.wait_for(process.wait(), 10)
    assert reply_text("Hi 世界", 3) == reply.message.content
    assert ["version"] == list(version)
