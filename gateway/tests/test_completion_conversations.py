"""Completions within our chats: what is stored, what is told, and that they go on alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from parley.chat.v1.chat_pb2 import Message, SendMessageResponse, TurnEnd
from parley.provider.v1.model_pb2 import GetModelResponse, Model
from parley.provider.v1.reply_pb2 import FINISH_REASON_TOOL, ToolCall

from .fakes import Script
from .replies import chunks_of, deltas_of, user
from .turns import REPLY, START, delta, vendor_fault

pytestmark = pytest.mark.unit

PATH = "/v1/chat/completions"
ASKED = user(conversation="c1", model="fast")
NAMES = {"conversation": "c1", "message_id": "m2", "id": "chatcmpl-m2", "model": "demo/demo-1"}


@pytest.fixture(autouse=True)
def alias(script: Script) -> None:
    script.answers["GetModel"] = GetModelResponse(model=Model(provider="demo", name="demo-1"))


def ending(*calls: ToolCall) -> SendMessageResponse:
    """The end of a turn, with text or with calls."""
    reply = Message.FromString(REPLY.SerializeToString())
    del reply.tool_calls[:]
    if calls:
        reply.ClearField("content")
        reply.finish_reason = FINISH_REASON_TOOL
        reply.tool_calls.extend(calls)
    return SendMessageResponse(end=TurnEnd(message=reply))


END = ending()
WHOLE = [START, END]


def named(document: Any) -> Any:
    return {name: document[name] for name in NAMES}


async def test_a_turn_comes_back_whole(client: httpx.AsyncClient, script: Script) -> None:
    script.turn = [*WHOLE]

    answer = await client.post(PATH, json=ASKED)

    assert 200 == answer.status_code, answer.text
    told = answer.json()
    assert NAMES == named(told)
    [choice] = told["choices"]
    assert ("A day 🌙", "stop") == (choice["message"]["content"], choice["finish_reason"])
    assert (7, 3) == (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"])


async def test_a_turn_comes_as_chunks(client: httpx.AsyncClient, script: Script) -> None:
    script.turn = [START, delta("A", "1.1", reasoning="Hm"), delta(" day", "1.5"), END]

    asked = ASKED | {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = chunks_of(await client.post(PATH, json=asked))

    assert "[DONE]" == done
    assert [NAMES] * 6 == [named(chunk) for chunk in [*chunks, usage]]
    assert [
        {"role": "assistant", "content": None, "refusal": None},
        {"reasoning_content": "Hm"},
        {"content": "A"},
        {"content": " day"},
        {},
    ] == deltas_of(chunks)
    assert 10 == usage["usage"]["total_tokens"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_calls_come_whole_at_the_end(
    client: httpx.AsyncClient, script: Script, streamed: bool
) -> None:
    script.turn = [START, ending(ToolCall(tool_call_id="t1", name="weather", arguments="{}"))]

    answer = await client.post(PATH, json=ASKED | {"stream": streamed})

    if streamed:
        message = deltas_of(chunks_of(answer))[1]
        assert 0 == message["tool_calls"][0].pop("index")
    else:
        message = answer.json()["choices"][0]["message"]
    function = {"name": "weather", "arguments": "{}"}
    assert [{"id": "t1", "type": "function", "function": function}] == message["tool_calls"]


RICH = ASKED | {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "tool", "tool_call_id": "t1", "content": "Sunny"},
        {"role": "user", "content": "And tomorrow?"},
    ],
    "temperature": 0,
    "max_tokens": 5,
    "stop": ["END"],
    "tools": [{"type": "function", "function": {"name": "weather"}}],
    "verbosity": "low",
}


async def test_what_is_new_is_sent_on(client: httpx.AsyncClient, script: Script) -> None:
    script.turn = [*WHOLE]

    await client.post(PATH, json=RICH, headers={"Idempotency-Key": "once"})

    asked, sent = script.received
    assert ("GetModel", "fast") == (asked.method, asked.request.model)
    request = sent.request
    assert ("c1", "once", True, "") == (
        request.chat_id,
        request.idempotency_key,
        request.omit_deltas,
        request.content,
    )
    assert ["Sunny", ""] == [part.parts[0].tool_result.content for part in request.input]
    assert "And tomorrow?" == request.input[1].parts[0].text


async def test_how_it_is_asked_for_is_sent_on(client: httpx.AsyncClient, script: Script) -> None:
    """What stands beside the options does not stand in them."""
    script.turn = [*WHOLE]

    await client.post(PATH, json=RICH)

    request, options = script.last.request, script.last.request.options
    assert ("demo", "demo-1", 0.0, 5) == (
        request.provider,
        request.model,
        request.temperature,
        request.max_tokens,
    )
    assert ("Be brief.", ["END"], "weather", "openai") == (
        options.system,
        options.stop,
        options.tools[0].name,
        options.options_dialect,
    )
    assert ("", [], False) == (
        options.model,
        list(options.messages),
        options.HasField("temperature") or options.HasField("max_tokens"),
    )


async def test_a_chat_has_one_reply_to_a_message(client: httpx.AsyncClient, script: Script) -> None:
    answer = await client.post(PATH, json=ASKED | {"n": 2})

    assert (400, "n") == (answer.status_code, answer.json()["error"]["param"])
    assert [] == script.received


@pytest.mark.parametrize(
    ("turn", "status", "code"),
    [
        ([vendor_fault("chat_busy")], 409, "chat_busy"),
        ([START, vendor_fault("provider_error")], 502, "provider_error"),
        ([START], 500, "internal"),
    ],
)
async def test_a_turn_that_fails_has_a_status(
    client: httpx.AsyncClient, script: Script, turn: list[Any], status: int, code: str
) -> None:
    script.turn = turn

    answer = await client.post(PATH, json=ASKED)

    assert (status, code) == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("turn", [[START, vendor_fault("timeout")], [START, delta("A", "0.1")]])
async def test_a_turn_that_fails_in_its_stream_says_so_last(
    client: httpx.AsyncClient, script: Script, turn: list[Any]
) -> None:
    script.turn = turn

    *_, last = chunks_of(await client.post(PATH, json=ASKED | {"stream": True}))

    assert "server_error" == last["error"]["type"]
