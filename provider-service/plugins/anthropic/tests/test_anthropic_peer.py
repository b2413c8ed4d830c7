"""The peer speaks the wire that the vendor's own library understands."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest
from parley_provider_sdk.testing import Peer, words
from parley_tests.anthropic_peer import ERRORS, MODELS, REDACTED, prompt_tokens

pytestmark = pytest.mark.unit

KEY = "sk-ant-secret-of-the-tests"
MODEL = "claude-sonnet-5-5"
HI: Any = {"role": "user", "content": "Hi 世界"}
ADD: Any = {"name": "add", "input_schema": {"type": "object"}}
ASKED: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": [HI]}
CALL = {"tool_call_id": "toolu_1", "name": "add", "arguments": '{"a":1,"b":"世界"}'}


@pytest.fixture
async def client(wire: Peer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        api_key=KEY, base_url=wire.base_url, max_retries=0
    ) as client:
        yield client


async def test_a_whole_reply(client: anthropic.AsyncAnthropic) -> None:
    reply = await client.messages.create(**ASKED)
    assert ["text"] == [block.type for block in reply.content]
    assert "end_turn" == reply.stop_reason
    assert (prompt_tokens(ASKED), 64, 0) == (
        reply.usage.input_tokens,
        reply.usage.output_tokens,
        reply.usage.cache_read_input_tokens,
    )


async def test_the_events_of_a_stream(client: anthropic.AsyncAnthropic, wire: Peer) -> None:
    wire.script(reasoning=("hm",), texts=("a", "b"), calls=[CALL])
    events = [event async for event in await client.messages.create(**ASKED, stream=True)]
    kinds = [getattr(getattr(event, "delta", None), "type", event.type) for event in events]
    assert [
        *("message_start", "content_block_start", "thinking_delta", "signature_delta"),
        *("content_block_stop", "content_block_start", "text_delta", "text_delta"),
        *("content_block_stop", "content_block_start"),
        *["input_json_delta"] * 4,
        *("content_block_stop", "message_delta", "message_stop"),
    ] == kinds


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("unknown", [True, False])
async def test_thinking_text_and_calls(
    client: anthropic.AsyncAnthropic, wire: Peer, stream: bool, unknown: bool
) -> None:
    reasoning = ("Let me ", "think.", f"{REDACTED}hidden")
    wire.script(reasoning=reasoning, texts=("a", "b"), calls=[CALL], unknown=unknown)
    if stream:
        async with client.messages.stream(**ASKED) as helper:
            reply = await helper.get_final_message()
    else:
        reply = await client.messages.create(**ASKED)
    assert ["thinking", "redacted_thinking", "text", "tool_use"] == [
        block.type for block in reply.content
    ]
    thinking, _, text, call = reply.content
    assert "thinking" == thinking.type
    assert "Let me think." == thinking.thinking
    assert "text" == text.type
    assert "ab" == text.text
    assert "tool_use" == call.type
    assert {"a": 1, "b": "世界"} == call.input
    assert ("tool_use", 6) == (reply.stop_reason, reply.usage.output_tokens)
    # What came back unchanged is taken again.
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "2"}
    again: list[Any] = [HI, reply.to_param(), {"role": "user", "content": [result]}]
    asked = {**ASKED, "messages": again, "tools": [ADD]}
    wire.script()
    assert "end_turn" == (await client.messages.create(**asked)).stop_reason


async def test_a_stream_without_usage(client: anthropic.AsyncAnthropic, wire: Peer) -> None:
    wire.script(usage=False)
    events = [event async for event in await client.messages.create(**ASKED, stream=True)]
    assert "message_stop" == events[-1].type


async def test_models_and_their_pages(client: anthropic.AsyncAnthropic) -> None:
    assert list(MODELS) == [one.id async for one in client.models.list(limit=3)]
    first = await client.models.list(limit=1)
    assert (True, MODELS[0], MODELS[0]) == (first.has_more, first.first_id, first.last_id)
    capabilities = first.data[0].capabilities
    assert capabilities is not None
    assert capabilities.thinking.types.between_tools.supported


async def test_counting(client: anthropic.AsyncAnthropic) -> None:
    count = await client.messages.count_tokens(model=MODEL, messages=[HI], system="Be brief.")
    assert prompt_tokens({**ASKED, "system": "Be brief."}) == count.input_tokens
    with pytest.raises(anthropic.NotFoundError):
        await client.messages.count_tokens(model="claude-none", messages=[HI])


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("authentication", anthropic.AuthenticationError),
        ("permission", anthropic.PermissionDeniedError),
        ("prompt_too_long", anthropic.BadRequestError),
        ("billing", anthropic.PaymentRequiredError),
        ("rate_limit", anthropic.RateLimitError),
        ("enforced_spend_limit", anthropic.RateLimitError),
        ("conflict", anthropic.ConflictError),
        ("too_large", anthropic.ContentTooLargeError),
        ("api_error", anthropic.InternalServerError),
        ("timeout", anthropic.GatewayTimeoutError),
        ("overloaded", anthropic.OverloadedError),
    ],
)
async def test_failures(
    client: anthropic.AsyncAnthropic, wire: Peer, name: str, failure: type[Exception]
) -> None:
    wire.script(error=name, headers={"retry-after": "7"})
    with pytest.raises(failure) as caught:
        await client.messages.create(**ASKED)
    assert isinstance(caught.value, anthropic.APIStatusError)
    error = ERRORS[name]
    assert (error.type, error.code or None) == (caught.value.type, caught.value.error_code)
    assert "7" == caught.value.response.headers["retry-after"]


async def test_a_failure_in_a_stream(client: anthropic.AsyncAnthropic, wire: Peer) -> None:
    wire.script(error="overloaded", error_after=1)
    with pytest.raises(anthropic.APIStatusError) as caught:
        [event async for event in await client.messages.create(**ASKED, stream=True)]
    assert "overloaded_error" == caught.value.type


async def test_an_unknown_model_and_a_wrong_key(wire: Peer) -> None:
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=wire.base_url) as client:
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.create(**{**ASKED, "model": "claude-none"})
    async with anthropic.AsyncAnthropic(api_key="sk-wrong", base_url=wire.base_url) as client:
        with pytest.raises(anthropic.AuthenticationError):
            await client.models.list()


SHORT = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}
KEPT: dict[str, Any] = {"type": "text", "text": "Keep this.", "cache_control": SHORT}


def says(*blocks: Any) -> Any:
    return {"role": "user", "content": list(blocks)}


async def test_what_is_marked_is_written_once_and_read_then(
    client: anthropic.AsyncAnthropic,
) -> None:
    asked = {**ASKED, "system": [KEPT | {"cache_control": LONG}], "messages": [says(KEPT, KEPT)]}
    first, again = [(await client.messages.create(**asked)).usage for _ in range(2)]
    more = (await client.messages.create(**asked | {"messages": [says(KEPT, KEPT, KEPT)]})).usage
    whole = prompt_tokens(asked)
    assert (0, whole, 0) == counted(first)
    assert first.cache_creation is not None
    assert whole // 3 == first.cache_creation.ephemeral_1h_input_tokens
    assert (0, 0, whole) == counted(again)
    assert more.cache_creation_input_tokens
    assert more.cache_read_input_tokens


def counted(usage: Any) -> tuple[int, int, int]:
    written, read = usage.cache_creation_input_tokens, usage.cache_read_input_tokens
    return usage.input_tokens, written, read


USE = {"type": "tool_use", "id": "t1", "name": "add", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "2"}
BUDGET = {"type": "enabled", "budget_tokens": 1000}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"model": None}, "model: Field required"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, 'must use the "user" role'),
        ({"messages": [HI, {"role": "tool", "content": "Hi"}]}, "messages.1.role"),
        ({"messages": [{"role": "user", "content": [RESULT]}]}, "unexpected `tool_use_id`"),
        ({"messages": [HI, {"role": "assistant", "content": [USE]}, HI]}, "without `tool_result`"),
        ({"messages": [HI, {"role": "assistant", "content": [USE]}]}, "without `tool_result`"),
        (
            {
                "messages": [
                    HI,
                    {"role": "assistant", "content": [USE]},
                    {"role": "user", "content": [RESULT]},
                ]
            },
            "must define tools",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]}, "non-white"),
        ({"temperature": 1.0}, "temperature: Extra inputs"),
        ({"model": "claude-haiku-4-5", "thinking": BUDGET}, "greater than or equal to 1024"),
        (
            {"model": "claude-haiku-4-5", "thinking": {**BUDGET, "budget_tokens": 5000}},
            "must be greater than",
        ),
        ({"thinking": BUDGET}, '"thinking.type.enabled" is not supported'),
        ({"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
        ({"model": "claude-haiku-4-5", "output_config": {"effort": "low"}}, "the effort parameter"),
        ({"model": "claude-opus-4-6", "output_config": {"effort": "xhigh"}}, "'xhigh'"),
        (
            {
                "model": "claude-opus-4-6",
                "thinking": {"type": "adaptive"},
                "tool_choice": {"type": "tool", "name": "add"},
            },
            "Thinking may not be enabled",
        ),
        ({"tool_choice": {"type": "any"}}, 'type "tool" and "any" are not supported'),
        ({"messages": [says(*[KEPT] * 5)]}, "A maximum of 4 blocks with cache_control"),
        ({"messages": [says(*[KEPT] * 4)], "cache_control": SHORT}, "Found 5."),
        ({"messages": [says(KEPT | {"text": ""})]}, "for empty text blocks"),
        ({"messages": [says(KEPT, KEPT | {"cache_control": LONG})]}, "must not come after"),
        ({"system": [KEPT | {"cache_control": {**LONG, "ttl": "2h"}}]}, "its ttl"),
    ],
)
async def test_what_the_vendor_refuses(wire: Peer, changes: dict[str, Any], said: str) -> None:
    body = {name: one for name, one in {**ASKED, **changes}.items() if one is not None}
    answer = await post(wire, body)
    assert 400 == answer.status_code
    assert "invalid_request_error" == answer.json()["error"]["type"]
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature": 0.5, "top_p": 0.5}, "cannot both be specified"),
        ({"temperature": 0.5, "thinking": {"type": "adaptive"}}, "may only be set to 1"),
        ({"top_p": 0.5, "thinking": {"type": "adaptive"}}, "or equal to 0.95"),
    ],
)
async def test_what_does_not_go_together(wire: Peer, changes: dict[str, Any], said: str) -> None:
    answer = await post(wire, {**ASKED, "model": "claude-opus-4-6", **changes}, "2023-06-01")
    assert 400 == answer.status_code
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (None, "header is required"),
        ("1999-01-01", "not a valid version"),
        ("2023-06-01", "`temperature` is deprecated for this model."),
    ],
)
async def test_the_version_is_minded(wire: Peer, version: str | None, said: str) -> None:
    answer = await post(wire, {**ASKED, "temperature": 0.5}, version)
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "Hm.", "signature": "forged"},
        {"type": "thinking", "thinking": "Hm."},
        {"type": "redacted_thinking", "data": "forged"},
    ],
)
async def test_forged_thinking_is_refused(wire: Peer, block: dict[str, Any]) -> None:
    said = {"role": "assistant", "content": [block, {"type": "text", "text": "a"}]}
    answer = await post(wire, {**ASKED, "messages": [HI, said, HI]})
    assert "messages.1.content.0: Invalid" in answer.json()["error"]["message"]


async def test_results_stand_first(wire: Peer) -> None:
    late = [{"type": "text", "text": "a"}, RESULT]
    messages = [HI, {"role": "assistant", "content": [USE]}, {"role": "user", "content": late}]
    answer = await post(wire, {**ASKED, "messages": messages})
    assert "immediately after" in answer.json()["error"]["message"]


async def post(wire: Peer, body: Any, version: str | None = "2026-10-21") -> httpx2.Response:
    headers = {"x-api-key": KEY, **({"anthropic-version": version} if version else {})}
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.post(f"{wire.base_url}/v1/messages", json=body, headers=headers)


@pytest.fixture
async def process() -> AsyncIterator[asyncio.subprocess.Process]:
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley_tests.anthropic_peer", "--tokens", "3", "--key", "k"),
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
    async with anthropic.AsyncAnthropic(api_key="k", base_url=base_url) as client:
        reply = await client.messages.create(**ASKED)
        log: Any = await client.post("/_log", body={}, cast_to=object)
    process.send_signal(signal.SIGTERM)
    assert 0 == await asyncio.wait_for(process.wait(), 10)
    assert "text" == reply.content[0].type
    assert "".join(words("Hi 世界", 3)) == reply.content[0].text
    assert [HI] == log["requests"][0]["body"]["messages"]
