"""`POST /chat`: what is sent on, what comes back whole, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_gateway.api.schemas.chats import ChatBody
from parley_gateway.api.turns import decode
from parley_rpc.faults import Fault, InvalidArgument, Unavailable
from pydantic import ValidationError

from .fakes import Script
from .turns import REPLY, START, WHOLE, vendor_fault

pytestmark = pytest.mark.unit


async def test_a_turn_comes_back_whole(client: httpx.AsyncClient, script: Script) -> None:
    script.turn = [*WHOLE]

    answer = await client.post("/chat", json={"message": "Hello"})

    assert 200 == answer.status_code
    assert {
        "chat_id": "c1",
        "message_id": "m2",
        "response": "A day 🌙",
        "provider": "demo",
        "model": "demo-1",
        "status": "complete",
        "finish_reason": "stop",
        "usage": {
            "input_tokens": 7,
            "output_tokens": 3,
            "cached_input_tokens": 0,
            "reasoning_tokens": 0,
            "source": "reported",
        },
        "cost": {"amount": "0.00042", "currency": "USD", "price_version": "prices 1"},
        "created_at": "2026-11-23T12:00:00.250000Z",
    } == answer.json()


async def test_everything_that_is_said_is_sent_on(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [*WHOLE]
    body = {
        "message": "Look",
        "chat_id": "moon",
        "provider": "demo",
        "model": "demo-1",
        "temperature": 0,
        "max_tokens": 5,
        "system_prompt_id": "pirate",
        "attachments": [{"media_type": "image/png", "data": base64.b64encode(b"png").decode()}],
        "fallbacks": ["acme/org/large:free", "bare"],
    }

    headers = {"Idempotency-Key": "once", "X-Request-Id": "mine"}
    await client.post("/chat", json=body, headers=headers)

    sent = script.last.request
    assert ("Look", "moon", "demo", "demo-1") == (
        sent.content,
        sent.chat_id,
        sent.provider,
        sent.model,
    )
    assert (True, 0.0, 5) == (sent.HasField("temperature"), sent.temperature, sent.max_tokens)
    assert ("pirate", "once", True) == (
        sent.system_prompt_id,
        sent.idempotency_key,
        sent.omit_deltas,
    )
    assert [("image/png", b"png")] == [(a.media_type, a.data) for a in sent.attachments]
    assert [("acme", "org/large:free"), ("bare", "")] == [
        (choice.provider, choice.model) for choice in sent.fallbacks
    ]
    assert "mine" == script.last.request_id


async def test_what_is_not_said_is_not_sent_on(client: httpx.AsyncClient, script: Script) -> None:
    script.turn = [*WHOLE]

    await client.post("/chat", json={"message": "Hi", "temperature": None, "chat_id": None})

    sent = script.last.request
    assert (False, False) == (sent.HasField("temperature"), sent.HasField("max_tokens"))
    assert ("", "") == (sent.chat_id, sent.idempotency_key)


async def test_an_unknown_price_is_null(client: httpx.AsyncClient, script: Script) -> None:
    script.turn = [*WHOLE]
    free = type(REPLY).FromString(REPLY.SerializeToString())
    free.ClearField("cost")
    script.turn[1].end.message.CopyFrom(free)  # type: ignore[union-attr]

    answer = await client.post("/chat", json={"message": "Hello"})

    assert answer.json()["cost"] is None


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("provider_auth", 502),
        ("provider_quota", 402),
        ("rate_limited", 429),
        ("overloaded", 503),
        ("provider_error", 502),
        ("timeout", 504),
        ("context_length", 422),
        ("too_large", 413),
        ("content_filtered", 422),
        ("bad_request", 422),
        ("unreachable", 502),
        ("bad_response", 502),
    ],
)
async def test_a_vendors_failure_has_its_status_and_says_which_turn_it_was(
    client: httpx.AsyncClient, script: Script, reason: str, status: int
) -> None:
    script.turn = [START, vendor_fault(reason, retry_after=6.2)]

    answer = await client.post("/chat", json={"message": "Hello"})

    assert (status, reason) == (answer.status_code, answer.json()["reason"])
    assert {"provider": "acme", "chat_id": "c1", "message_id": "m2"} == answer.json()["metadata"]
    if status in {429, 503}:
        assert "7" == answer.headers["retry-after"]


async def test_a_failure_before_the_start_names_no_turn(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [InvalidArgument.of("content", "It is too long.")]

    answer = await client.post("/chat", json={"message": "Hello"})

    assert 422 == answer.status_code
    assert [{"pointer": "/message", "detail": "It is too long."}] == answer.json()["errors"]
    assert "message_id" not in answer.json()["metadata"]


@pytest.mark.parametrize("turn", [[], [START]])
async def test_a_turn_that_just_stops_is_our_own_fault(
    client: httpx.AsyncClient, script: Script, turn: list[Any]
) -> None:
    script.turn = turn

    answer = await client.post("/chat", json={"message": "Hello"})

    assert (500, "internal") == (answer.status_code, answer.json()["reason"])


async def test_a_busy_service_says_when_to_come_back(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [Unavailable("Too many.", retry_after=3)]

    answer = await client.post("/chat", json={"message": "Hello"})

    assert (503, "3") == (answer.status_code, answer.headers["retry-after"])


async def test_a_message_over_the_limit_is_refused(
    client: httpx.AsyncClient, script: Script
) -> None:
    answer = await client.post("/chat", json={"message": "x" * 200_001})

    assert 422 == answer.status_code
    assert "/message" == answer.json()["errors"][0]["pointer"]
    assert [] == script.received


@pytest.mark.parametrize("field", ["fallbacks[1].provider", "fallbacks[1]"])
async def test_a_choice_that_the_service_refuses_is_blamed_as_it_was_sent(
    client: httpx.AsyncClient, script: Script, field: str
) -> None:
    script.turn = [InvalidArgument.of(field, "There is none.")]

    answer = await client.post("/chat", json={"message": "Hi", "fallbacks": ["a", "b/c"]})

    assert (422, "/fallbacks/1") == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_a_long_idempotency_key_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k" * 256}
    answer = await client.post("/chat", json={"message": "Hi"}, headers=headers)

    assert (422, "/Idempotency-Key") == (
        answer.status_code,
        answer.json()["errors"][0]["pointer"],
    )


NOT_IT = st.sampled_from([True, -1, 0, 3, 1.5, "", " ", "a\0", "x" * 201, [], [1], {}, {"a": 1}])
TEXT = st.text(max_size=3)
CHOICE = st.sampled_from(
    [
        "a",
        "a-1/b",
        "a/b/c:d",
        "a/",
        "/b",
        "A/b",
        "a b",
        "-a",
        "a\n",
        "a/\n",
        "a/b\0",
        "a/" + "x" * 200,
        "a/" + "x" * 201,
        "x" * 50 + "/a",
        "x" * 51,
    ]
)
ENCODED = st.text(alphabet="AQg+/=-_ \n", max_size=9)
FILE = st.fixed_dictionaries(
    {
        "media_type": st.sampled_from(["image/png", "image/tiff"]) | NOT_IT,
        "data": st.sampled_from(["", "YQ==", "YR==", "é"]) | ENCODED | NOT_IT,
    },
    optional={"name": TEXT | NOT_IT | st.none()},
)
BODIES = st.fixed_dictionaries(
    {"message": TEXT | NOT_IT},
    optional={
        "chat_id": st.sampled_from(["a", "A-_9", "a b", "a\n", "x" * 50, "x" * 51, None]),
        "provider": TEXT | NOT_IT | st.none(),
        "model": TEXT | NOT_IT | st.none(),
        "temperature": st.floats(allow_nan=False) | NOT_IT | st.none(),
        "max_tokens": st.integers() | NOT_IT | st.none(),
        "system_prompt_id": TEXT | NOT_IT | st.none(),
        "attachments": st.lists(FILE, max_size=11) | NOT_IT | st.none(),
        "fallbacks": st.lists(CHOICE | NOT_IT, max_size=2)
        | st.sampled_from([["a"] * 8, ["a"] * 9])
        | NOT_IT
        | st.none(),
        "stream": st.booleans() | NOT_IT | st.none(),
        "unknown": TEXT,
    },
)


@given(BODIES)
@settings(deadline=None, max_examples=500)
def test_the_fast_decoder_takes_exactly_what_the_schema_takes(value: dict[str, Any]) -> None:
    try:
        ChatBody.model_validate(value)
        taken = True
    except ValidationError:
        taken = False

    assert taken == is_taken(json.dumps(value).encode())


def is_taken(body: bytes) -> bool:
    try:
        decode(body)
    except Fault:
        return False
    return True
