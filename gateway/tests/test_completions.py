"""`POST /v1/chat/completions`: what is answered, whole and as chunks, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from parley_gateway.api.dependencies import Gateway

from parley.provider.v1.reply_pb2 import (
    FINISH_REASON_FILTERED,
    FINISH_REASON_LENGTH,
    FINISH_REASON_OTHER,
    FINISH_REASON_PAUSED,
    FINISH_REASON_REFUSAL,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL,
)

from .fakes import FakeServices, Script
from .replies import (
    ANSWERER,
    call,
    chunks_of,
    deltas_of,
    end,
    likely,
    said,
    text,
    thought,
    user,
)
from .turns import vendor_fault

pytestmark = pytest.mark.unit

PROMPT_DETAILS = {"cached_tokens": 2, "cache_write_tokens": 0, "audio_tokens": 0}

PATH = "/v1/chat/completions"
FUNCTION = {"name": "weather", "parameters": {"type": "object"}}


async def test_a_reply_comes_back_whole(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [said("A day", " 🌙")]

    answer = await client.post(PATH, json=user())

    assert 200 == answer.status_code, answer.text
    told = answer.json()
    asked = script.last.request
    assert f"chatcmpl-{asked.usage_id.replace('-', '')}" == told.pop("id")
    assert told.pop("created") > 1_700_000_000
    assert {
        "object": "chat.completion",
        "model": "acme/large",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "A day 🌙",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": PROMPT_DETAILS,
            "completion_tokens_details": {
                "reasoning_tokens": 1,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    } == told


async def test_a_reply_comes_as_chunks(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [said('A "day"', " 🌙")]

    answer = await client.post(PATH, json=user(stream=True))

    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    *chunks, done = chunks_of(answer)
    assert "[DONE]" == done
    assert {frozenset({"id", "object", "created", "model", "system_fingerprint", "choices"})} == {
        frozenset(chunk) for chunk in chunks
    }
    assert 1 == len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks})
    assert [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": 'A "day"'},
        {"content": " 🌙"},
        {},
    ] == deltas_of(chunks)
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert [None, None, None, "stop"] == reasons
    assert script.last.request.stream


async def test_usage_is_told_in_a_chunk_without_choices(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [said("A day")]

    asked = user(stream=True, stream_options={"include_usage": True})
    *chunks, last, _ = chunks_of(await client.post(PATH, json=asked))

    assert {None} == {chunk["usage"] for chunk in chunks}
    assert ([], 10) == (last["choices"], last["usage"]["total_tokens"])
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (FINISH_REASON_STOP, "stop"),
        (FINISH_REASON_LENGTH, "length"),
        (FINISH_REASON_TOOL, "tool_calls"),
        (FINISH_REASON_FILTERED, "content_filter"),
        (FINISH_REASON_PAUSED, "length"),
        (FINISH_REASON_OTHER, "stop"),
    ],
)
async def test_every_end_has_a_word(
    client: httpx.AsyncClient, script: Script, reason: Any, told: str
) -> None:
    script.replies = [[text("A"), end(reason)]]

    whole = (await client.post(PATH, json=user())).json()
    chunks = chunks_of(await client.post(PATH, json=user(stream=True)))

    assert told == whole["choices"][0]["finish_reason"]
    assert told == chunks[-2]["choices"][0]["finish_reason"]


async def test_a_refusal_is_no_answer(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [[text("I will"), text(" not."), end(FINISH_REASON_REFUSAL)]]

    whole = (await client.post(PATH, json=user())).json()["choices"][0]
    deltas = deltas_of(chunks_of(await client.post(PATH, json=user(stream=True))))

    told = whole["message"]
    assert (None, "I will not.", "stop") == (
        told["content"],
        told["refusal"],
        whole["finish_reason"],
    )
    assert {"refusal": "I will not."} in deltas


async def test_a_refusal_without_words_is_the_filters(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [[end(FINISH_REASON_REFUSAL)]]

    told = (await client.post(PATH, json=user())).json()

    assert "content_filter" == told["choices"][0]["finish_reason"]


async def test_calls_come_whole(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [
        [
            call(0, "weather", '{"city":'),
            call(0, "", '"Bern"}', b'{"sign":1}'),
            call(1, "clock", "{}"),
            end(FINISH_REASON_TOOL),
        ]
    ]

    tools = [{"type": "function", "function": FUNCTION}]
    told = (await client.post(PATH, json=user(tools=tools))).json()["choices"][0]

    assert ("tool_calls", None) == (told["finish_reason"], told["message"]["content"])
    first, second = told["message"]["tool_calls"]
    assert first.pop("extra_content")["parley"].startswith("parley1.")
    function = {"name": "weather", "arguments": '{"city":"Bern"}'}
    assert {"id": "call_0", "type": "function", "function": function} == first
    assert {
        "id": "call_1",
        "type": "function",
        "function": {"name": "clock", "arguments": "{}"},
    } == second


async def test_calls_come_in_parts_by_their_number(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [
        [
            call(0, "weather", '{"city":'),
            call(0, "", '"Bern"}', b'{"sign":1}'),
            call(1, "clock", "{}"),
            end(FINISH_REASON_TOOL),
        ]
    ]

    deltas = deltas_of(chunks_of(await client.post(PATH, json=user(stream=True))))

    role, *parts, _ = deltas
    assert {"role": "assistant", "content": None, "refusal": None} == role
    first, more, second = (part["tool_calls"][0] for part in parts)
    begun = {"name": "weather", "arguments": '{"city":'}
    assert {"index": 0, "id": "call_0", "type": "function", "function": begun} == first
    assert more.pop("extra_content")["parley"].startswith("parley1.")
    assert {"index": 0, "function": {"arguments": '"Bern"}'}} == more
    assert (1, "clock") == (second["index"], second["function"]["name"])


async def test_calls_have_their_old_form_for_who_asks_in_it(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [[call(0, "weather", "{}"), end(FINISH_REASON_TOOL)]]
    asked = user(functions=[FUNCTION], function_call={"name": "weather"})

    whole = (await client.post(PATH, json=asked)).json()["choices"][0]
    deltas = deltas_of(chunks_of(await client.post(PATH, json=asked | {"stream": True})))

    called = {"name": "weather", "arguments": "{}"}
    assert ("function_call", called) == (
        whole["finish_reason"],
        whole["message"]["function_call"],
    )
    assert "tool_calls" not in whole["message"]
    assert [{"function_call": called}, {}] == deltas[1:]
    request = script.last.request
    assert ("weather", False) == (request.tool_choice.name, request.parallel_tool_calls)


async def test_reasoning_stands_beside_the_text(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [[ANSWERER, thought("Well"), thought("…"), text("A day"), end()]]

    whole = (await client.post(PATH, json=user())).json()["choices"][0]["message"]
    deltas = deltas_of(chunks_of(await client.post(PATH, json=user(stream=True))))

    assert ("Well…", "A day") == (whole["reasoning_content"], whole["content"])
    assert "reasoning_details" not in whole
    assert [{"reasoning_content": "Well"}, {"reasoning_content": "…"}, {"content": "A day"}] == (
        deltas[1:4]
    )


async def test_probabilities_come_with_their_text(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [
        [text("A"), likely("A", -0.5, ("A", -0.5), ("B", -1.5)), text("b"), text("c"), end()]
    ]
    asked = user(logprobs=True, top_logprobs=2)

    whole = (await client.post(PATH, json=asked)).json()["choices"][0]
    chunks = chunks_of(await client.post(PATH, json=asked | {"stream": True}))

    top = [
        {"token": "A", "logprob": -0.5, "bytes": None},
        {"token": "B", "logprob": -1.5, "bytes": None},
    ]
    told = {"token": "A", "logprob": -0.5, "bytes": [65], "top_logprobs": top}
    assert {"content": [told], "refusal": None} == whole["logprobs"]
    assert 2 == script.last.request.top_logprobs
    choices = [chunk["choices"][0] for chunk in chunks[1:-1]]
    assert ["A", "b", "c", None] == [one["delta"].get("content") for one in choices]
    assert [[told], None, None, None] == [
        one["logprobs"] and one["logprobs"]["content"] for one in choices
    ]


async def test_several_choices_are_as_many_calls(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [said("A"), said("B"), said("C")]

    told = (await client.post(PATH, json=user(n=3))).json()

    assert [0, 1, 2] == [choice["index"] for choice in told["choices"]]
    assert {"A", "B", "C"} == {choice["message"]["content"] for choice in told["choices"]}
    assert (21, 9) == (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"])
    assert 3 == len({received.request.usage_id for received in script.received})


async def test_several_choices_are_streamed_side_by_side(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [said("A", "a"), said("B", "b")]

    asked = user(n=2, stream=True, stream_options={"include_usage": True})
    *chunks, usage, _ = chunks_of(await client.post(PATH, json=asked))

    assert [0, 1] == [chunk["choices"][0]["index"] for chunk in chunks[:2]]
    assert {"role", "content", "refusal"} == set(chunks[1]["choices"][0]["delta"])
    texts = {
        "".join(delta.get("content") or "" for delta in deltas_of(chunks, index))
        for index in range(2)
    }
    assert {"Aa", "Bb"} == texts
    assert 20 == usage["usage"]["total_tokens"]
    assert 1 == len({chunk["id"] for chunk in chunks})


@pytest.mark.parametrize("streamed", [False, True])
async def test_one_failure_ends_all_choices(
    client: httpx.AsyncClient,
    script: Script,
    services: FakeServices,
    gateway: Gateway,
    streamed: bool,
) -> None:
    script.replies = [[asyncio.Event()], [vendor_fault("overloaded")]]

    answer = await client.post(PATH, json=user(n=2, stream=streamed))

    assert (503, "server_is_overloaded") == (answer.status_code, answer.json()["error"]["code"])
    async with asyncio.timeout(5):
        await services.provider.left.wait()
    assert 0 == gateway.load.running


async def test_more_choices_than_there_is_room_for_are_refused(
    client: httpx.AsyncClient, script: Script, gateway: Gateway
) -> None:
    answer = await client.post(PATH, json=user(n=4))

    assert (503, "too_busy") == (answer.status_code, answer.json()["error"]["code"])
    assert ([], 0) == (script.received, gateway.load.running)


async def test_a_failure_within_a_stream_is_its_last_event(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [[ANSWERER, text("A"), vendor_fault("provider_error")]]

    answer = await client.post(PATH, json=user(stream=True))

    *_, last = chunks_of(answer)
    assert 200 == answer.status_code
    assert ("server_error", "provider_error") == (last["error"]["type"], last["error"]["code"])


async def test_a_failure_after_the_answerers_name_still_has_a_status(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [[ANSWERER, vendor_fault("rate_limited", 7.0)]]

    answer = await client.post(PATH, json=user(stream=True))

    assert (429, "7") == (answer.status_code, answer.headers["retry-after"])


async def test_a_reply_that_breaks_off_has_failed(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [[text("A")]]

    whole = await client.post(PATH, json=user())
    *_, last = chunks_of(await client.post(PATH, json=user(stream=True)))

    assert (500, "internal") == (whole.status_code, last["error"]["code"])


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_leaves_stops_the_vendor(
    listen: Callable[[], Awaitable[httpx.AsyncClient]],
    script: Script,
    services: FakeServices,
    gateway: Gateway,
    streamed: bool,
) -> None:
    script.replies = [[text("A"), asyncio.Event()]]
    client = await listen()

    asking = asyncio.create_task(client.post(PATH, json=user(stream=streamed)))
    async with asyncio.timeout(10):
        await script.asked.wait()
        await asyncio.sleep(0.05)
        asking.cancel()
        await services.provider.left.wait()
        while gateway.load.running:  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.01)
