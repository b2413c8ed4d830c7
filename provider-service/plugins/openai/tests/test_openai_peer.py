"""The peer speaks `/chat/completions` as the vendor's own library understands it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from parley_tests.openai_peer import OpenAIPeer, prompt_tokens, reply_text
from pydantic import BaseModel

pytestmark = pytest.mark.unit

ASKED: list[Any] = [{"role": "user", "content": "Hi 世界"}]


async def test_a_whole_reply(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="gpt-peer", messages=ASKED)
    assert reply.choices[0].message.content == reply_text(ASKED)
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == prompt_tokens(ASKED)
    assert reply.usage.completion_tokens == 64


async def test_a_streamed_reply_with_usage_in_its_last_chunk(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="gpt-peer", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == reply_text(ASKED)
    assert [chunk.usage for chunk in chunks] == [None] * 66
    assert (last.choices, last.usage and last.usage.completion_tokens) == ([], 64)


async def test_a_streamed_reply_without_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="gpt-peer", messages=ASKED, stream=True)
    assert [chunk.choices[0].finish_reason for chunk in [one async for one in stream]][-1] == "stop"


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == [
        "gpt-peer",
        "gpt-peer-mini",
        "o9-peer",
    ]


async def test_a_wrong_key(wire: OpenAIPeer) -> None:
    async with openai.AsyncOpenAI(api_key="sk-wrong", base_url=wire.base_url) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.models.list()
    assert caught.value.code == "invalid_api_key"


async def test_a_rate_limit(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(error="rate_limit_exceeded", headers={"retry-after": "7"})
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model="gpt-peer", messages=ASKED)
    assert caught.value.response.headers["retry-after"] == "7"


async def test_an_unknown_model(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="gpt-none", messages=ASKED)
    assert caught.value.code == "model_not_found"


async def test_a_message_may_script_its_own_reply(client: openai.AsyncOpenAI) -> None:
    asked: list[Any] = [{"role": "user", "content": '#peer {"count": 2}\nHi'}]
    reply = await client.chat.completions.create(model="gpt-peer", messages=asked)
    assert reply.choices[0].message.content == reply_text(asked, 2)
    again = await client.chat.completions.create(model="gpt-peer", messages=ASKED)
    assert again.choices[0].message.content == reply_text(ASKED, 64)


async def test_an_unknown_script_is_refused(wire: OpenAIPeer) -> None:
    with pytest.raises(ValueError, match="speed"):
        wire.script(speed=3)


CALLS = [
    {"tool_call_id": "c1", "name": "add", "arguments": '{"a": 1, "b": 1}'},
    {"tool_call_id": "c2", "name": "now", "arguments": "{}"},
]
TOOLS: list[Any] = [{"type": "function", "function": {"name": one["name"]}} for one in CALLS]


class Sum(BaseModel):
    result: int


@pytest.mark.parametrize("unknown", [False, True])
async def test_the_librarys_stream_adds_up_to_the_whole_reply(
    client: openai.AsyncOpenAI, wire: OpenAIPeer, unknown: bool
) -> None:
    wire.script(reasoning=["Hm, ", "well."], texts=["Let ", "me."], calls=CALLS, unknown=unknown)
    whole = await client.chat.completions.create(model="gpt-peer", messages=ASKED, tools=TOOLS)
    async with client.chat.completions.stream(
        model="gpt-peer", messages=ASKED, tools=TOOLS, stream_options={"include_usage": True}
    ) as stream:
        final = await stream.get_final_completion()
    message = final.choices[0].message
    calls = [
        (one.id, one.function.name, one.function.arguments) for one in message.tool_calls or ()
    ]
    assert calls == [tuple(one.values()) for one in CALLS]
    assert (message.content, final.choices[0].finish_reason) == ("Let me.", "tool_calls")
    assert message.model_extra is not None
    assert message.model_extra["reasoning_content"] == "Hm, well."
    assert whole.choices[0].message.content == message.content
    assert [one.to_dict() for one in whole.choices[0].message.tool_calls or ()] == [
        {"id": i, "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, name, arguments in calls
    ]
    assert whole.usage == final.usage


async def test_structured_output_is_parsed(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(texts=['{"result"', ":2}"])
    reply = await client.chat.completions.parse(
        model="gpt-peer", messages=ASKED, response_format=Sum
    )
    assert reply.choices[0].message.parsed == Sum(result=2)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_has_a_field_of_its_own(
    client: openai.AsyncOpenAI, wire: OpenAIPeer, stream: bool
) -> None:
    wire.script(texts=["No."], finish_reason="refusal")
    if stream:
        async with client.chat.completions.stream(model="gpt-peer", messages=ASKED) as events:
            reply: Any = await events.get_final_completion()
    else:
        reply = await client.chat.completions.create(model="gpt-peer", messages=ASKED)
    assert (reply.choices[0].message.refusal, reply.choices[0].finish_reason) == ("No.", "stop")


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_may_be_left_out_and_the_reason_be_another(
    client: openai.AsyncOpenAI, wire: OpenAIPeer, stream: bool
) -> None:
    wire.script(texts=["Yes"], usage=False, finish_reason="length")
    if stream:
        async with client.chat.completions.stream(
            model="gpt-peer", messages=ASKED, stream_options={"include_usage": True}
        ) as events:
            chunks: Any = [event.chunk async for event in events if event.type == "chunk"]
        assert [chunk.usage for chunk in chunks] == [None] * 3
        reason = chunks[-1].choices[0].finish_reason
    else:
        reply = await client.chat.completions.create(model="gpt-peer", messages=ASKED)
        assert reply.usage is None
        reason = reply.choices[0].finish_reason
    assert reason == "length"


async def test_calls_alone_make_no_content(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(texts=[], calls=CALLS)
    reply = await client.chat.completions.create(model="gpt-peer", messages=ASKED)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (
        None,
        "tool_calls",
    )


async def test_a_failure_within_the_stream(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(error="rate_limit_exceeded", error_after=1)
    stream = await client.chat.completions.create(model="gpt-peer", messages=ASKED, stream=True)
    with pytest.raises(openai.APIError, match="Rate limit") as caught:
        [chunk async for chunk in stream]
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_vectors(client: openai.AsyncOpenAI, encoding: Any) -> None:
    answer = await client.embeddings.create(
        model="gpt-peer", input=["a", "b"], encoding_format=encoding
    )
    plain = await client.embeddings.create(model="gpt-peer", input="a")
    assert [row.index for row in answer.data] == [0, 1]
    if encoding == "float":
        assert plain.data[0].embedding == answer.data[0].embedding
    assert answer.data[0].embedding != answer.data[1].embedding
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="gpt-none", input="a")


async def test_no_other_path_is_there(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-peer")


async def test_a_held_reply_goes_on_when_released(
    client: openai.AsyncOpenAI, wire: OpenAIPeer
) -> None:
    wire.script(count=3, hold_after=1)
    stream = await client.chat.completions.create(model="gpt-peer", messages=ASKED, stream=True)
    texts = []
    async for chunk in stream:
        texts.append(chunk.choices[0].delta.content or "")
        if len(texts) == 2:
            wire.release()
    assert "".join(texts) == reply_text(ASKED, 3)


@pytest.fixture
async def process() -> AsyncIterator[asyncio.subprocess.Process]:
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley_tests.openai_peer", "--tokens", "3"),
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
    async with openai.AsyncOpenAI(api_key="any", base_url=base_url) as client:
        reply = await client.chat.completions.create(model="gpt-peer", messages=ASKED)
        script = f"{base_url.removesuffix('v1')}_script"
        log: Any = await client.post(script, body={"count": 1}, cast_to=object)
        shorter = await client.chat.completions.create(model="gpt-peer", messages=ASKED)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert reply.choices[0].message.content == reply_text(ASKED, 3)
    assert shorter.choices[0].message.content == reply_text(ASKED, 1)
    assert log["requests"][0]["body"]["messages"] == ASKED
