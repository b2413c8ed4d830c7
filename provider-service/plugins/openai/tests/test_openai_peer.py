"""The peer speaks the wire that the vendor's own library understands."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from parley_tests.openai_peer import OpenAIPeer, prompt_tokens, reply_text

pytestmark = pytest.mark.unit

KEY = "sk-secret-of-the-tests"
ASKED: list[Any] = [{"role": "user", "content": "Hi 世界"}]


@pytest.fixture
async def client(wire: OpenAIPeer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=KEY, base_url=wire.base_url, max_retries=0) as client:
        yield client


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
    assert [model.id async for model in client.models.list()] == ["gpt-peer", "gpt-peer-mini"]


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
