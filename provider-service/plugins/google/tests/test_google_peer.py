"""The peer speaks the wire that the vendor's own library understands."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
import pytest
from google import genai
from google.genai import errors, types
from parley_provider_sdk.testing import Peer, words
from parley_tests.google_peer import FAILURES

pytestmark = pytest.mark.unit

KEY = "AIza-secret-of-the-tests"
MODEL = "gemini-3-flash-peer"
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="add", description="Adds.", parameters_json_schema={"type": "object"}
        )
    ]
)


@asynccontextmanager
async def connected(base_url: str, key: str = KEY) -> AsyncIterator[genai.client.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        options = types.HttpOptions(
            base_url=base_url, api_version="v1beta", httpx_async_client=http
        )
        with genai.Client(enterprise=False, api_key=key, http_options=options) as client:
            yield client.aio


@pytest.fixture
async def client(wire: Peer) -> AsyncIterator[genai.client.AsyncClient]:
    async with connected(wire.base_url) as made:
        yield made


async def streamed(client: genai.client.AsyncClient, contents: Any = "Hi", **config: Any) -> Any:
    stream = await client.models.generate_content_stream(
        model=MODEL, contents=contents, config=types.GenerateContentConfig(**config)
    )
    return [chunk async for chunk in stream]


async def test_a_whole_reply(client: genai.client.AsyncClient) -> None:
    reply = await client.models.generate_content(model=MODEL, contents="Hi 世界")
    assert "".join(words("Hi 世界")) == reply.text
    assert reply.candidates is not None
    assert types.FinishReason.STOP is reply.candidates[0].finish_reason
    assert reply.usage_metadata is not None
    assert (5, 64, 69) == (
        reply.usage_metadata.prompt_token_count,
        reply.usage_metadata.candidates_token_count,
        reply.usage_metadata.total_token_count,
    )


async def test_a_streamed_reply_whose_counts_grow(client: genai.client.AsyncClient) -> None:
    chunks = await streamed(client)
    assert "".join(words("Hi")) == "".join(chunk.text or "" for chunk in chunks)
    counts = [chunk.usage_metadata.candidates_token_count for chunk in chunks]
    assert [*range(65), 64] == counts
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert [None] * 65 + [types.FinishReason.STOP] == reasons
    assert {"peer-response"} == {chunk.response_id for chunk in chunks}


async def test_thoughts_and_their_signatures(client: genai.client.AsyncClient, wire: Peer) -> None:
    wire.script(reasoning=("Hm, ", "well."), texts=("Yes.",))
    chat = client.chats.create(model=MODEL)
    first: list[Any] = [part async for part in await chat.send_message_stream("Why?")]
    thoughts = [
        part.text for one in first for part in one.candidates[0].content.parts if part.thought
    ]
    assert ["Hm, ", "well."] == thoughts
    assert first[-1].usage_metadata.thoughts_token_count == 2
    # The library sends the whole turn back, and the peer finds nothing changed in it.
    again = await chat.send_message("And why?")
    assert "Yes." == again.text
    sent = [part for turn in wire.requests[-1].body["contents"] for part in turn["parts"]]
    assert 2 == len([part for part in sent if "thoughtSignature" in part])


async def test_a_chat_with_tools(client: genai.client.AsyncClient, wire: Peer) -> None:
    wire.script(texts=(), calls=({"tool_call_id": "c1", "name": "add", "arguments": '{"a": 1}'},))
    config = types.GenerateContentConfig(tools=[TOOL])
    chat = client.chats.create(model=MODEL, config=config)
    asked = await chat.send_message("What is 1 + 1?")
    assert asked.function_calls is not None
    assert [("c1", "add", {"a": 1})] == [(c.id, c.name, c.args) for c in asked.function_calls]
    wire.script(texts=("2",))
    response = types.FunctionResponse(id="c1", name="add", response={"output": "2"})
    answer = await chat.send_message(types.Part(function_response=response))
    assert "2" == answer.text


async def test_a_blocked_prompt(client: genai.client.AsyncClient, wire: Peer) -> None:
    wire.script(finish_reason="PROMPT_BLOCKED")
    whole: Any = await client.models.generate_content(model=MODEL, contents="Hi")
    (chunk,) = await streamed(client)
    for reply in (whole, chunk):
        assert reply.candidates is None
        assert types.BlockedReason.SAFETY is reply.prompt_feedback.block_reason


async def test_models_have_pages(client: genai.client.AsyncClient, wire: Peer) -> None:
    pager = await client.models.list()
    found = [(model.name, model.thinking, model.supported_actions) async for model in pager]
    makes = ["generateContent", "countTokens"]
    assert found == [
        ("models/gemini-3-flash-peer", True, makes),
        ("models/gemini-2.5-flash-peer", True, makes),
        ("models/gemini-2.0-flash-peer", None, makes),
        ("models/gemini-embedding-peer", None, ["embedContent"]),
    ]
    assert 2 == len(wire.requests)
    assert "models/gemini-3-flash-peer" == (await client.models.get(model=MODEL)).name


async def test_tokens_are_counted(client: genai.client.AsyncClient) -> None:
    counted = await client.models.count_tokens(model=MODEL, contents="Twelve chars")
    assert 7 == counted.total_tokens


@pytest.mark.parametrize("stream", [True, False])
async def test_failures(client: genai.client.AsyncClient, wire: Peer, stream: bool) -> None:
    for name, failure in FAILURES.items():
        wire.script(error=name)
        asked = (
            streamed(client)
            if stream
            else client.models.generate_content(model=MODEL, contents="Hi")
        )
        with pytest.raises(errors.APIError) as caught:
            await asked
        assert (failure.code, failure.status) == (caught.value.code, caught.value.status)


async def test_an_error_within_a_stream(client: genai.client.AsyncClient, wire: Peer) -> None:
    wire.script(error="overloaded", error_after=3)
    with pytest.raises(errors.ServerError, match="UNAVAILABLE"):
        await streamed(client)


async def test_a_wrong_key(wire: Peer) -> None:
    async with connected(wire.base_url, "AIza-wrong") as client:
        with pytest.raises(errors.ClientError, match="API key not valid") as caught:
            await client.models.list()
    assert "API_KEY_INVALID" == caught.value.details["error"]["details"][0]["reason"]


async def test_an_unknown_model(client: genai.client.AsyncClient) -> None:
    for asked in (
        client.models.generate_content(model="gemini-none", contents="Hi"),
        client.models.count_tokens(model="gemini-none", contents="Hi"),
        client.models.get(model="gemini-none"),
    ):
        with pytest.raises(errors.ClientError, match="NOT_FOUND"):
            await asked


def turn(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


CALL = {"functionCall": {"name": "add", "args": {}}, "thoughtSignature": "c2tpcA=="}
SKIP = {**CALL, "thoughtSignature": "skip_thought_signature_validator"}
RESULT = {"functionResponse": {"name": "add", "response": {"output": "2"}}}
HI = turn("user", {"text": "Hi"})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "Invalid JSON"),
        ({"contents": [HI], "odd": 1}, 'Unknown name "odd"'),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [turn("assistant", {"text": "Hi"})]}, "valid role"),
        ({"contents": [turn("user")]}, "parts must not be empty"),
        ({"contents": [turn("user", {"text": "a", "odd": 1})]}, 'Unknown name "odd"'),
        ({"contents": [turn("user", {"thought": True})]}, "oneof field 'data'"),
        ({"contents": [turn("user", {"text": "a", **RESULT})]}, "oneof field 'data'"),
        ({"contents": [HI, turn("user", RESULT)]}, "immediately after"),
        ({"contents": [HI, turn("model", SKIP), HI]}, "equal to the number"),
        ({"contents": [turn("model", SKIP), turn("user", RESULT, RESULT)]}, "equal to the number"),
        (
            {
                "contents": [
                    turn("model", {**SKIP, "functionCall": {"name": "sub"}}),
                    turn("user", RESULT),
                ]
            },
            "parts match",
        ),
        ({"contents": [HI, turn("model", CALL)]}, "Corrupted thought signature"),
        (
            {"contents": [HI, turn("model", {"functionCall": {"name": "add"}})]},
            "missing a thought_signature",
        ),
        ({"contents": [HI], "generationConfig": {"odd": 1}}, "generation_config"),
        ({"contents": [HI], "generationConfig": {"temperature": 3}}, "temperature"),
        ({"contents": [HI], "generationConfig": {"responseJsonSchema": {}}}, "mime type"),
        (
            {
                "contents": [HI],
                "generationConfig": {
                    "thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}
                },
            },
            "only one of",
        ),
        (
            {"contents": [HI], "generationConfig": {"thinkingConfig": {"thinkingLevel": "MUCH"}}},
            "thinking_level",
        ),
        (
            {"contents": [HI], "tools": [{"functionDeclarations": [{"odd": 1}]}]},
            "function_declarations",
        ),
        (
            {
                "contents": [HI],
                "tools": [{"functionDeclarations": [{"parameters": 1, "parametersJsonSchema": 1}]}],
            },
            "mutually exclusive",
        ),
        (
            {"contents": [HI], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
            "without function_declarations",
        ),
        (
            {
                "contents": [HI],
                "tools": [{"functionDeclarations": [{"name": "add"}]}],
                "toolConfig": {
                    "functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["add"]}
                },
            },
            "only be set when mode is ANY",
        ),
        (
            {
                "contents": [HI],
                "tools": [{"functionDeclarations": [{"name": "add"}]}],
                "toolConfig": {
                    "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["sub"]}
                },
            },
            "subset",
        ),
        (
            {
                "contents": [HI],
                "tools": [{"functionDeclarations": [{"name": "add"}]}],
                "toolConfig": {"functionCallingConfig": {"mode": "SOME"}},
            },
            "Invalid value",
        ),
    ],
)
async def test_what_the_vendor_refuses(wire: Peer, body: Any, words: str) -> None:
    url = f"{wire.base_url}/v1beta/models/{MODEL}:generateContent"
    async with (
        aiohttp.ClientSession(headers={"x-goog-api-key": KEY}) as session,
        session.post(url, json=body) as answer,
    ):
        error = (await answer.json())["error"]
    assert (400, "INVALID_ARGUMENT") == (answer.status, error["status"])
    with pytest.raises(ValueError, match=words):
        raise ValueError(error["message"])


@pytest.fixture
async def process() -> AsyncIterator[asyncio.subprocess.Process]:
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley_tests.google_peer", "--tokens", "3"),
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
    async with connected(base_url, "any") as client, aiohttp.ClientSession() as session:
        reply = await client.models.generate_content(model=MODEL, contents="Hi")
        async with session.post(f"{base_url}/_script", json={"count": 1}) as log:
            asked = (await log.json())["requests"][0]["body"]
        shorter = await client.models.generate_content(model=MODEL, contents="Hi")
    process.send_signal(signal.SIGTERM)
    assert 0 == await asyncio.wait_for(process.wait(), 10)
    assert ("".join(words("Hi", 3)), "".join(words("Hi", 1))) == (reply.text, shorter.text)
    assert "Hi" == asked["contents"][0]["parts"][0]["text"]
