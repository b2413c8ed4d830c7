"""`/v1/messages` over scripted services: with Anthropic's own client, and on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic import AsyncAnthropic
from fastapi import FastAPI
from parley_gateway.core.streams import Streams
from parley_rpc.faults import (
    BadGateway,
    FailedPrecondition,
    Fault,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    Origin,
    RemoteFault,
    Unavailable,
)
from parley_rpc.status import to_status

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import (
    CountTokensResponse,
    Finished,
    GenerateReplyResponse,
    ModelChoice,
    ToolCallDelta,
    Usage,
)
from parley.provider.v1.usage_pb2 import GetAllowancesResponse

from .conftest import ADMIN_KEY, MOST_TURNS
from .fakes import FakeServices, Script
from .test_sse import read

pytestmark = pytest.mark.unit

Listen = Callable[[], Awaitable[httpx.AsyncClient]]
Event = GenerateReplyResponse
WITHIN = 5.0
MESSAGES = "/v1/messages"
ASKED: dict[str, Any] = {
    "model": "fast",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "How long is a day on the moon?"}],
}
STREAMED = ASKED | {"stream": True}
ANSWERER = Event(answerer=ModelChoice(provider="demo", model="demo-1"))
END = Event(
    finished=Finished(
        reason=reply_pb2.FINISH_REASON_STOP,
        usage=Usage(input_tokens=7, output_tokens=3),
        provider="demo",
        model="demo-1",
    )
)
REPLY = [ANSWERER, Event(text="A day "), Event(text="🌙"), END]


def remote(kind: type[Fault], reason: str, **more: Any) -> RemoteFault:
    return RemoteFault("It failed.", Origin(kind, reason, "provider.parley"), **more)


@pytest.fixture
async def claude(app: FastAPI) -> AsyncIterator[AsyncAnthropic]:
    """The vendor's client, which shows the administrator's key."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with AsyncAnthropic(
        api_key=ADMIN_KEY,
        base_url="http://gateway",
        http_client=httpx2.AsyncClient(transport=transport),
        max_retries=0,
    ) as client:
        yield client


async def test_a_message_comes_back_whole(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [[*REPLY]]

    answer = await client.post(MESSAGES, json=ASKED)

    usage_id = script.last.request.usage_id
    assert {
        "id": f"msg_{usage_id.replace('-', '')}",
        "type": "message",
        "role": "assistant",
        "model": "demo/demo-1",
        "content": [{"type": "text", "text": "A day 🌙"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 7,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 3,
        },
    } == answer.json()
    sent = script.last.request
    assert ("", "fast", 100, False) == (sent.provider, sent.model, sent.max_tokens, sent.stream)


async def test_an_answer_names_its_request_and_tells_the_limit(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.replies = [[*REPLY]]
    beta = {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b", "X-Request-Id": "mine"}

    for body in (ASKED, STREAMED):
        headers = (await client.post(f"{MESSAGES}?beta=true", json=body, headers=beta)).headers
        assert ["mine"] == headers.get_list("request-id") == headers.get_list("x-request-id")
        assert "1000" == headers["anthropic-ratelimit-requests-limit"]
        assert headers["anthropic-ratelimit-requests-remaining"] in {"999", "998"}
        assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")


async def test_a_message_comes_as_events(client: httpx.AsyncClient, script: Script) -> None:
    script.replies = [[*REPLY]]

    answer = await client.post(MESSAGES, json=STREAMED)

    events = read(answer.text)
    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    assert [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ] == [name for name, _, _ in events]
    assert all(name == data["type"] for name, _, data in events)
    assert script.last.request.stream


async def test_the_vendors_client_adds_it_up(claude: AsyncAnthropic, script: Script) -> None:
    script.replies = [
        [
            ANSWERER,
            Event(reasoning="Hm."),
            Event(reasoning_metadata=b'"signed"'),
            Event(text="I add."),
            Event(tool_call=ToolCallDelta(index=0, tool_call_id="c1", name="add")),
            Event(tool_call=ToolCallDelta(index=0, arguments='{"a": 1, ')),
            Event(
                tool_call=ToolCallDelta(index=0, arguments='"b": 2}', provider_metadata=b'"call"')
            ),
            END,
        ],
    ]

    whole = await claude.messages.create(**ASKED)
    async with claude.messages.stream(**ASKED) as stream:
        text = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()

    assert whole.content == [type(one).construct(**one.to_dict()) for one in whole.content]
    assert [one.to_dict() for one in whole.content] == [one.to_dict() for one in message.content]
    assert ["I add."] == text
    assert ("demo/demo-1", "end_turn", 7, 3) == (
        message.model,
        message.stop_reason,
        message.usage.input_tokens,
        message.usage.output_tokens,
    )
    await claude.messages.create(
        **ASKED
        | {"messages": [*ASKED["messages"], {"role": "assistant", "content": message.content}]}
    )
    assert [("reasoning", b'"signed"'), ("text", b""), ("tool_call", b'"call"')] == [
        (part.WhichOneof("kind"), part.provider_metadata)
        for part in script.last.request.messages[1].parts
    ]


async def test_tokens_are_counted(claude: AsyncAnthropic, script: Script) -> None:
    script.answers["CountTokens"] = CountTokensResponse(input_tokens=42)

    counted = await claude.messages.count_tokens(model="fast", messages=ASKED["messages"])

    assert 42 == counted.input_tokens
    assert ("CountTokens", "fast") == (script.last.method, script.last.request.request.model)


FAILURES: list[tuple[Fault, int, type[anthropic.APIStatusError]]] = [
    (remote(InvalidArgument, "invalid_argument"), 400, anthropic.BadRequestError),
    (remote(InvalidArgument, "context_length"), 400, anthropic.BadRequestError),
    (remote(BadGateway, "provider_quota"), 402, anthropic.PaymentRequiredError),
    (remote(NotFound, "model_not_found"), 404, anthropic.NotFoundError),
    (remote(BadGateway, "too_large"), 413, anthropic.RequestTooLargeError),
    (remote(LimitExceeded, "rate_limited", retry_after=7.0), 429, anthropic.RateLimitError),
    (remote(BadGateway, "provider_error"), 502, anthropic.InternalServerError),
    (Unavailable("It is away."), 503, anthropic.ServiceUnavailableError),
    (remote(BadGateway, "timeout"), 504, anthropic.DeadlineExceededError),
    (remote(BadGateway, "overloaded"), 529, anthropic.OverloadedError),
]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_is_the_one_that_clients_know(
    claude: AsyncAnthropic, script: Script, stream: bool
) -> None:
    for fault, status, kind in FAILURES:
        script.replies = [[fault]]

        with pytest.raises(anthropic.APIStatusError) as failed:
            await claude.messages.create(**ASKED, stream=stream)

        assert (kind, status) == (type(failed.value), failed.value.status_code)
        body: Any = failed.value.body
        assert ("error", fault.sentence) == (body["type"], body["error"]["message"])
        headers = failed.value.response.headers
        assert body["request_id"] == failed.value.request_id == headers["request-id"]
        assert ("7" == headers.get("retry-after")) == (status == 429)


REFUSED: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"{", {}, 400, "invalid_request_error"),
    (b"{}", {}, 400, "invalid_request_error"),
    (b"{}", {"Authorization": "Bearer wrong"}, 401, "authentication_error"),
    (b"{}", {"Content-Length": "99999999"}, 413, "request_too_large"),
]


@pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}/count_tokens"])
async def test_a_refusal_is_in_the_dialect(client: httpx.AsyncClient, path: str) -> None:
    for body, headers, status, kind in REFUSED:
        answer = await client.post(path, content=body, headers=headers)

        assert (status, "error", kind) == (
            answer.status_code,
            answer.json()["type"],
            answer.json()["error"]["type"],
        )
        assert answer.headers["request-id"] == answer.json()["request_id"]


async def test_what_is_no_route_is_refused_in_the_dialect(client: httpx.AsyncClient) -> None:
    answers = [await client.post(f"{MESSAGES}/batches", json={}), await client.get(MESSAGES)]

    assert [404, 405] == [answer.status_code for answer in answers]
    assert ["not_found_error", "invalid_request_error"] == [
        answer.json()["error"]["type"] for answer in answers
    ]


async def test_what_no_vendor_has_is_refused_in_words(
    claude: AsyncAnthropic, script: Script
) -> None:
    tool: Any = {"type": "web_search_20250305", "name": "web_search"}

    with pytest.raises(anthropic.BadRequestError, match=r"web_search_20250305.*README"):
        await claude.messages.create(**ASKED, tools=[tool])

    assert [] == script.received


async def test_a_thread_is_refused_so_that_clients_go_on_without(
    claude: AsyncAnthropic, script: Script
) -> None:
    with pytest.raises(anthropic.BadRequestError) as failed:
        await claude.messages.create(**ASKED, extra_body={"thread": {"type": "create"}})

    body: Any = failed.value.body
    assert {"error_code": "thread_unsupported_request"} == body["error"]["details"]
    assert [] == script.received


async def test_who_has_nothing_left_asks_nobody(
    client: httpx.AsyncClient, script: Script, user_key: str
) -> None:
    headers = {"Authorization": f"Bearer {user_key}"}
    me = (await client.get("/me", headers=headers)).json()
    await client.patch(f"/users/{me['user_id']}", json={"limits": {"tokens_per_minute": 5}})
    refusal = to_status(remote(FailedPrecondition, "budget_exceeded"), "provider.parley")
    script.answers["GetAllowances"] = GetAllowancesResponse(refusal=refusal.SerializeToString())

    answer = await client.post(MESSAGES, json=ASKED, headers=headers)

    assert (402, "billing_error") == (answer.status_code, answer.json()["error"]["type"])
    assert ["GetAllowances"] == [one.method for one in script.received]


@pytest.mark.parametrize("broken", [remote(BadGateway, "overloaded"), None])
async def test_a_failure_in_a_stream_is_its_last_event(
    claude: AsyncAnthropic, script: Script, broken: Fault | None
) -> None:
    script.replies = [[ANSWERER, Event(text="A"), *([broken] if broken else [])]]
    stream = await claude.messages.create(**ASKED, stream=True)
    seen = [(await anext(stream)).type for _ in range(3)]

    with pytest.raises(anthropic.APIStatusError) as failed:
        await anext(stream)

    assert ["message_start", "content_block_start", "content_block_delta"] == seen
    body: Any = failed.value.body
    assert ("overloaded_error" if broken else "api_error") == body["error"]["type"]
    assert failed.value.response.headers["request-id"] == body["request_id"]


@pytest.mark.parametrize("body", [ASKED, STREAMED], ids=["whole", "streamed"])
async def test_who_leaves_stops_the_vendor(
    listen: Listen, script: Script, services: FakeServices, body: dict[str, Any]
) -> None:
    script.replies = [[ANSWERER, Event(text="A"), asyncio.Event()]]
    client = await listen()

    async def ask() -> None:
        async with client.stream("POST", MESSAGES, json=body) as answer:
            await anext(answer.aiter_text())

    asking = asyncio.create_task(ask())
    await asyncio.wait_for(script.asked.wait(), WITHIN)
    if body is ASKED:
        asking.cancel()
    await asyncio.wait([asking])

    await asyncio.wait_for(services.provider.left.wait(), WITHIN)


@pytest.mark.parametrize("body", [ASKED, STREAMED], ids=["whole", "streamed"])
async def test_who_leaves_before_it_begins_stops_the_vendor(
    listen: Listen, script: Script, services: FakeServices, body: dict[str, Any]
) -> None:
    script.replies = [[asyncio.Event()]]
    client = await listen()

    asking = asyncio.create_task(client.post(MESSAGES, json=body))
    await asyncio.wait_for(script.asked.wait(), WITHIN)
    asking.cancel()

    await asyncio.wait_for(services.provider.left.wait(), WITHIN)


async def test_text_arrives_while_more_is_held_back(listen: Listen, script: Script) -> None:
    held = asyncio.Event()
    script.replies = [[ANSWERER, Event(text="first"), held, Event(text="second"), END]]
    client = await listen()

    async with client.stream("POST", MESSAGES, json=STREAMED) as answer:
        chunks = answer.aiter_text()
        seen = ""
        while "first" not in seen:
            seen += await asyncio.wait_for(anext(chunks), WITHIN)
        assert "second" not in seen
        held.set()
        rest = "".join([chunk async for chunk in chunks])

    assert ["content_block_delta", "content_block_stop"] == [one[0] for one in read(rest)][:2]


async def end_all(streams: Streams) -> None:
    [stream] = [one for open_ones in streams._open.values() for one in open_ones]
    await streams.end(stream.identity.user_id)


async def test_a_key_that_is_revoked_ends_the_wait_for_a_message(
    listen: Listen, script: Script, services: FakeServices, streams: Streams
) -> None:
    script.replies = [[ANSWERER, Event(text="A"), asyncio.Event()]]
    client = await listen()
    asking = asyncio.create_task(client.post(MESSAGES, json=ASKED))
    await asyncio.wait_for(script.asked.wait(), WITHIN)

    await end_all(streams)

    answer = await asyncio.wait_for(asking, WITHIN)
    assert (401, "authentication_error") == (answer.status_code, answer.json()["error"]["type"])
    await asyncio.wait_for(services.provider.left.wait(), WITHIN)


async def test_a_key_that_is_revoked_ends_its_stream(
    listen: Listen, script: Script, services: FakeServices, streams: Streams
) -> None:
    script.replies = [[ANSWERER, Event(text="first"), asyncio.Event()]]
    client = await listen()

    async with client.stream("POST", MESSAGES, json=STREAMED) as answer:
        chunks = answer.aiter_text()
        seen = ""
        while "first" not in seen:
            seen += await asyncio.wait_for(anext(chunks), WITHIN)
        await end_all(streams)
        rest = "".join([chunk async for chunk in chunks])

    [(name, _, last)] = read(rest)
    assert ("error", "authentication_error") == (name, last["error"]["type"])
    await asyncio.wait_for(services.provider.left.wait(), WITHIN)


async def test_too_many_at_once_are_refused(client: httpx.AsyncClient, script: Script) -> None:
    gate = asyncio.Event()
    script.replies = [[ANSWERER, gate, END]]
    running = [asyncio.create_task(client.post(MESSAGES, json=ASKED)) for _ in range(MOST_TURNS)]
    while len(script.received) < MOST_TURNS:  # noqa: ASYNC110  (the fake tells nobody)
        await asyncio.sleep(0.005)

    refused = await client.post(MESSAGES, json=ASKED)

    assert (529, "overloaded_error", "1", "true") == (
        refused.status_code,
        refused.json()["error"]["type"],
        refused.headers["retry-after"],
        refused.headers["x-should-retry"],
    )
    gate.set()
    assert {200} == {answer.status_code for answer in await asyncio.gather(*running)}


async def test_a_key_that_only_reads_may_count(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["CountTokens"] = CountTokensResponse(input_tokens=42)
    made = await client.post("/keys", json={"name": "reader", "scopes": ["read"]})
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    prompt = {name: ASKED[name] for name in ("model", "messages")}

    counted = await client.post(f"{MESSAGES}/count_tokens", json=prompt, headers=headers)
    refused = await client.post(MESSAGES, json=ASKED, headers=headers)

    assert (200, 403) == (counted.status_code, refused.status_code)
    assert "permission_error" == refused.json()["error"]["type"]
