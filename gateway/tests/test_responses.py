"""`POST /v1/responses` over fakes: what is asked of whom, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from parley_rpc.faults import InvalidArgument, NotFound, Origin, RemoteFault
from pydantic import TypeAdapter

from parley.chat.v1 import chat_pb2
from parley.provider.v1 import model_pb2, reply_pb2
from parley.provider.v1.reply_pb2 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL,
    Finished,
    GenerateReplyResponse,
    ModelChoice,
    ToolCall,
    ToolCallDelta,
    Usage,
)

from .fakes import FakeServices, Script
from .turns import AT, delta, vendor_fault

pytestmark = pytest.mark.unit

# What the vendor's own client makes of events, here as strictly as it can be read.
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
REPLY_ID = "01990000-0000-7000-8000-0000000000a2"
SAID_ID = "01990000-0000-7000-8000-0000000000a1"
RESPONSE_ID = "resp_019900000000700080000000000000a2"
ASKED = {"model": "demo/demo", "input": "Hello"}
STATELESS = ASKED | {"store": False}
USED = Usage(input_tokens=7, output_tokens=3, cached_input_tokens=2, reasoning_tokens=1)
ANSWERER = GenerateReplyResponse(answerer=ModelChoice(provider="demo", model="demo-1"))


def finished(reason: Any = FINISH_REASON_STOP) -> GenerateReplyResponse:
    return GenerateReplyResponse(
        finished=Finished(reason=reason, usage=USED, provider="demo", model="demo-1")
    )


def told(text: str) -> GenerateReplyResponse:
    return GenerateReplyResponse(text=text)


def reply(**fields: Any) -> chat_pb2.Message:
    return chat_pb2.Message(
        **{
            "message_id": REPLY_ID,
            "parent_id": SAID_ID,
            "role": reply_pb2.ROLE_ASSISTANT,
            "content": "A day.",
            "status": chat_pb2.MESSAGE_STATUS_COMPLETE,
            "finish_reason": FINISH_REASON_STOP,
            "provider": "demo",
            "model": "demo-1",
            "usage": USED,
            "created_at": AT,
            **fields,
        }
    )


def turn(*deltas: Any, **fields: Any) -> list[Any]:
    start = chat_pb2.TurnStart(
        chat_id="c1", user_message_id=SAID_ID, message_id=REPLY_ID, provider="demo", model="demo-1"
    )
    end = chat_pb2.TurnEnd(message=reply(**fields))
    return [
        chat_pb2.SendMessageResponse(start=start),
        *deltas,
        chat_pb2.SendMessageResponse(end=end),
    ]


def events(text: str) -> list[dict[str, Any]]:
    """The data of events, whose names and numbers are as they must be."""
    found = []
    for frame in filter(None, text.split("\n\n")):
        name, data = frame.split("\n")
        found.append(orjson.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
        EVENTS.validate_python(found[-1])
    assert list(range(len(found))) == [one["sequence_number"] for one in found]
    return found


def missing() -> RemoteFault:
    return RemoteFault("There is none.", Origin(NotFound, "message_not_found", "chat.parley"))


async def test_a_response_that_is_not_stored_is_asked_of_the_provider(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [[ANSWERER, told("A "), told("day."), finished()]]

    answer = await client.post("/v1/responses", json=STATELESS)

    response = answer.json()
    Response.model_validate(response)
    sent = script.last
    assert ("GenerateReply", "demo/demo", "") == (
        sent.method,
        sent.request.model,
        sent.request.provider,
    )
    assert ["Hello"] == [part.text for part in sent.request.messages[0].parts]
    of = sent.request.usage_id.replace("-", "")
    assert (f"resp_{of}", "completed", "demo/demo-1", False) == (
        response["id"],
        response["status"],
        response["model"],
        response["store"],
    )
    [item] = response["output"]
    assert (f"msg_{of}0000", "completed", "A day.") == (
        item["id"],
        item["status"],
        item["content"][0]["text"],
    )
    assert {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 10,
    } == response["usage"]


async def test_a_response_is_stored_unless_told_otherwise(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = turn()
    body = ASKED | {
        "instructions": "Be brief.",
        "temperature": 0,
        "max_output_tokens": 9,
        "top_p": 0.5,
        "metadata": {"a": "b"},
    }

    answer = await client.post("/v1/responses", json=body, headers={"Idempotency-Key": "once"})

    assert "SendMessage" == script.last.method
    sent = script.last.request
    assert ("once", True, "", "") == (
        sent.idempotency_key,
        sent.omit_deltas,
        sent.chat_id,
        sent.content,
    )
    assert (0, 9, 0.5) == (sent.temperature, sent.max_tokens, sent.options.top_p)
    assert ("Be brief.", []) == (sent.options.system, list(sent.options.messages))
    assert ["Hello"] == [part.text for part in sent.input[0].parts]
    response = answer.json()
    assert (RESPONSE_ID, "completed", {"a": "b"}, "Be brief.", True) == (
        response["id"],
        response["status"],
        response["metadata"],
        response["instructions"],
        response["store"],
    )
    assert "A day." == response["output"][0]["content"][0]["text"]


@pytest.mark.parametrize("store", [True, False])
async def test_text_is_told_as_it_comes(
    client: httpx.AsyncClient, script: Script, store: bool
) -> None:
    script.turn = turn(delta("A ", "0.2"), delta("day.", "0.6"))
    script.replies = [[ANSWERER, told("A "), told("day."), finished()]]

    answer = await client.post("/v1/responses", json=ASKED | {"store": store, "stream": True})

    found = events(answer.text)
    assert [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ] == [one["type"] for one in found]
    assert ["A ", "day."] == [one["delta"] for one in found if "delta" in one]
    [item] = found[-1]["response"]["output"]
    assert item == found[-2]["item"]
    assert "A day." == item["content"][0]["text"] == found[6]["text"]
    assert "demo/demo-1" == found[0]["response"]["model"]
    assert answer.headers["content-type"].startswith("text/event-stream")


CALLS = [ToolCall(tool_call_id=f"call_{n}", name="weather", arguments='{"a":1}') for n in range(2)]
PARTS_OF_CALLS = [
    ToolCallDelta(index=0, tool_call_id="call_0", name="weather", arguments='{"a"'),
    ToolCallDelta(index=0, arguments=":1}"),
    ToolCallDelta(index=1, tool_call_id="call_1", name="weather", arguments='{"a":1}'),
]


@pytest.mark.parametrize("store", [True, False])
async def test_reasoning_and_calls_are_told_in_their_order(
    client: httpx.AsyncClient, script: Script, store: bool
) -> None:
    called = {"tool_calls": CALLS, "finish_reason": FINISH_REASON_TOOL, "content": ""}
    script.turn = turn(delta("", "3.0", reasoning="Hm."), reasoning="Hm.", **called)
    script.replies = [
        [
            GenerateReplyResponse(reasoning="Hm."),
            GenerateReplyResponse(reasoning_metadata=b'{"s":1}'),
            *(GenerateReplyResponse(tool_call=part) for part in PARTS_OF_CALLS),
            finished(FINISH_REASON_TOOL),
        ]
    ]

    answer = await client.post("/v1/responses", json=ASKED | {"store": store, "stream": True})

    found = events(answer.text)
    output = found[-1]["response"]["output"]
    assert ["reasoning", "function_call", "function_call"] == [one["type"] for one in output]
    assert [{"type": "summary_text", "text": "Hm."}] == output[0]["summary"]
    assert (not store) == bool(output[0]["encrypted_content"])
    assert ["call_0", "call_1"] == [one["call_id"] for one in output[1:]]
    assert ['{"a":1}'] * 2 == [one["arguments"] for one in output[1:]]
    done = [one["item"] for one in found if one["type"] == "response.output_item.done"]
    assert output == done
    heard = [one["type"].removeprefix("response.") for one in found]
    assert 1 == heard.count("reasoning_summary_text.done")
    assert 2 == heard.count("function_call_arguments.done")
    whole = await client.post("/v1/responses", json=ASKED | {"store": store})
    named = [[one[name] for name in one if name != "id"] for one in whole.json()["output"]]
    assert [[one[name] for name in one if name != "id"] for one in output] == named


async def test_the_limit_of_tokens_makes_it_incomplete(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = turn(finish_reason=FINISH_REASON_LENGTH)
    script.replies = [[told("A"), finished(FINISH_REASON_LENGTH)]]

    for store in (True, False):
        body = ASKED | {"store": store}
        response = (await client.post("/v1/responses", json=body)).json()
        last = events((await client.post("/v1/responses", json=body | {"stream": True})).text)[-1]

        assert ("incomplete", {"reason": "max_output_tokens"}, "incomplete") == (
            response["status"],
            response["incomplete_details"],
            response["output"][0]["status"],
        )
        assert ("response.incomplete", "incomplete") == (last["type"], last["response"]["status"])


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [("rate_limited", 429, "rate_limit_exceeded"), ("provider_error", 502, "provider_error")],
)
async def test_a_failure_has_a_status_or_ends_the_stream(
    client: httpx.AsyncClient, script: Script, store: bool, reason: str, status: int, code: str
) -> None:
    start = turn()[0]
    script.turn = [start, delta("A ", "0.2"), vendor_fault(reason)]
    script.replies = [[told("A "), vendor_fault(reason)]]
    body = ASKED | {"store": store}

    answer = await client.post("/v1/responses", json=body)
    streamed = events((await client.post("/v1/responses", json=body | {"stream": True})).text)

    assert (status, code) == (answer.status_code, answer.json()["error"]["code"])
    last = streamed[-1]
    assert ("response.failed", "failed") == (last["type"], last["response"]["status"])
    assert last["response"]["error"]["message"]
    assert "A " == last["response"]["output"][0]["content"][0]["text"]


async def test_a_failure_before_anything_has_a_status(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [InvalidArgument.of("content", "It is too long.")]
    script.replies = [[vendor_fault("overloaded")]]

    stored = await client.post("/v1/responses", json=ASKED | {"stream": True})
    kept_nowhere = await client.post("/v1/responses", json=STATELESS | {"stream": True})

    assert (400, "input") == (stored.status_code, stored.json()["error"]["param"])
    assert 503 == kept_nowhere.status_code


async def test_a_client_that_leaves_stops_what_is_kept_nowhere(
    listen: Callable[[], Awaitable[httpx.AsyncClient]], script: Script, services: FakeServices
) -> None:
    script.replies = [[told("A "), asyncio.Event()]]
    served = await listen()
    asking = asyncio.create_task(served.post("/v1/responses", json=STATELESS))
    await script.asked.wait()

    asking.cancel()

    async with asyncio.timeout(10):
        await services.provider.left.wait()


async def test_in_the_background_it_is_answered_at_once(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [turn()[0], asyncio.Event()]

    async with asyncio.timeout(5):
        answer = await client.post("/v1/responses", json=ASKED | {"background": True})

    response = answer.json()
    assert (RESPONSE_ID, "in_progress", True, []) == (
        response["id"],
        response["status"],
        response["background"],
        response["output"],
    )


async def test_it_follows_another_in_its_chat(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["GetMessage"] = chat_pb2.GetMessageResponse(
        message=reply(), chat=chat_pb2.Chat(chat_id="c1")
    )
    script.answers["GetModel"] = model_pb2.GetModelResponse(
        model=model_pb2.Model(provider="demo", name="demo-1")
    )
    script.turn = turn()

    body = ASKED | {"previous_response_id": RESPONSE_ID}
    answer = await client.post("/v1/responses", json=body)

    sent = script.last.request
    assert ("c1", REPLY_ID) == (sent.chat_id, sent.parent_id)
    # A chat remembers whom it asked last: that one is not asked by a name that says another.
    assert ("demo", "demo-1") == (sent.provider, sent.model)
    assert [REPLY_ID] == [
        one.request.message_id for one in script.received if one.method == "GetMessage"
    ]
    assert RESPONSE_ID == answer.json()["previous_response_id"]


@pytest.mark.parametrize("name", ["resp_1", RESPONSE_ID])
async def test_it_cannot_follow_what_is_not_there(
    client: httpx.AsyncClient, script: Script, name: str
) -> None:
    script.answers["GetMessage"] = missing()

    answer = await client.post("/v1/responses", json=ASKED | {"previous_response_id": name})

    error = answer.json()["error"]
    assert 400 == answer.status_code
    assert error == {
        "message": f"Previous response with id '{name}' not found.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
async def test_it_belongs_to_a_conversation(
    client: httpx.AsyncClient, script: Script, conversation: object
) -> None:
    script.turn = turn()

    answer = await client.post("/v1/responses", json=ASKED | {"conversation": conversation})

    assert ("conv_1", "") == (script.last.request.chat_id, script.last.request.parent_id)
    assert {"id": "conv_1"} == answer.json()["conversation"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"conversation": "c", "previous_response_id": "resp_1"}, "conversation"),
        ({"store": False, "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": False, "background": True}, "background"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["everything"]}, "include[0]"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0]"),
        ({"temperature": 3}, "temperature"),
        ({"tools": [{"type": "custom", "name": "a"}]}, "tools[0].type"),
    ],
)
async def test_what_does_not_go_is_refused_by_name(
    client: httpx.AsyncClient, script: Script, more: dict[str, Any], param: str
) -> None:
    answer = await client.post("/v1/responses", json=ASKED | more)

    error = answer.json()["error"]
    assert (400, "invalid_request_error", param) == (
        answer.status_code,
        error["type"],
        error["param"],
    )
    assert [] == script.received


async def test_the_input_is_counted(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["CountTokens"] = reply_pb2.CountTokensResponse(input_tokens=11)

    answer = await client.post("/v1/responses/input_tokens", json=ASKED)

    assert {"object": "response.input_tokens", "input_tokens": 11} == answer.json()
    assert "demo/demo" == script.last.request.request.model
    refused = await client.post("/v1/responses/input_tokens", json=ASKED | {"conversation": "c"})
    assert (400, "conversation") == (refused.status_code, refused.json()["error"]["param"])
