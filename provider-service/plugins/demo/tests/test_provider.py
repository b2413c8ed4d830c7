"""The demo says what it is asked to say, at its pace, and fails as it is asked to."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

import parley_provider_demo
import pytest
from parley_provider_demo.answers import HELP
from parley_provider_demo.commands import FAILURES
from parley_provider_demo.provider import DemoProvider
from parley_provider_demo.settings import DemoSettings
from parley_provider_sdk import (
    BackendTimeout,
    BadResponse,
    FinishReason,
    ImagePart,
    Limits,
    Message,
    ModelNotFound,
    Overloaded,
    ProviderError,
    RateLimited,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
    UsageSource,
    collect,
    fill_settings,
    missing_settings,
)
from parley_provider_sdk.testing import Reply, fold

pytestmark = pytest.mark.unit
# Timers count whole milliseconds, from a clock that the loop reads once in a round.
ROUNDING = 0.005

FAST = DemoProvider(DemoSettings(pace=0))


def ask(text: str, **changes: Any) -> ReplyRequest:
    messages = [Message(Role.USER, [TextPart(text)])]
    return ReplyRequest(**{"model": "demo", "messages": messages, **changes})


async def told(text: str, **changes: Any) -> Reply:
    return await fold(FAST.chat_completion(ask(text, **changes)))


async def deltas(provider: DemoProvider, request: ReplyRequest) -> list[str]:
    events = [event async for event in provider.chat_completion(request)]
    return [event.text for event in events if isinstance(event, TextDelta)]


def test_it_needs_nothing_and_costs_nothing() -> None:
    (registration,) = collect(parley_provider_demo)
    settings: object = fill_settings(registration.info.settings, {})
    assert registration.info.free
    assert missing_settings(settings) == ()
    assert isinstance(registration.create(settings), DemoProvider)


async def test_the_plain_answer_has_a_table_and_code_and_is_always_the_same() -> None:
    reply = await told("How are you?")
    assert "> How are you?" in reply.text
    assert "| --- |" in reply.text
    assert "```python" in reply.text
    assert reply == await told("How are you?")


async def test_the_table_counts_what_arrived() -> None:
    messages = [
        Message(Role.USER, [TextPart("one two"), ImagePart("image/png", b"")]),
        Message(Role.ASSISTANT, [TextPart("three")]),
        Message(Role.USER, [TextPart("four")]),
    ]
    reply = await fold(FAST.chat_completion(ReplyRequest("demo", messages, system="Be kind.")))
    rows = [line.split("|")[2].strip() for line in reply.text.splitlines() if line.startswith("| ")]
    assert rows[2:] == ["3", "4", "1", "yes"]
    assert reply.usage.input_tokens == 6


async def test_a_long_question_is_quoted_in_part() -> None:
    assert "> " + "x" * 80 + "…\n" in (await told("x" * 100)).text


@pytest.mark.parametrize("text", ["a  b\n\n c ", " \t", "Grüße 世界 👩‍🚀\r\n", "/error 429", ""])
async def test_an_echo_is_exact(text: str) -> None:
    assert (await told(f"/echo {text}")).text == text


async def test_a_conversation_without_a_question_is_answered_too() -> None:
    messages = [Message(Role.ASSISTANT, [TextPart("/echo no")])]
    assert (await told("", messages=messages)).text.startswith("## Hello")


async def test_long_has_so_many_words_and_counts_them() -> None:
    reply = await told("/long 5000")
    assert len(reply.text.split()) == 5000
    assert reply.usage == Usage(2, 5000, source=UsageSource.COUNTED)


async def test_the_limit_of_tokens_is_kept() -> None:
    reply = await told("/long 10", max_tokens=3)
    assert (len(reply.text.split()), reply.reason) == (3, FinishReason.LENGTH)


async def test_reasoning_comes_first() -> None:
    reply = await told("Hi", model="demo-reasoning")
    assert reply.reasoning.startswith("The last message has 1 words.")
    assert 0 < reply.usage.reasoning_tokens < reply.usage.output_tokens


async def test_it_thinks_the_first_line_and_says_the_others() -> None:
    reply = await told("/think They want it added.\nIt is\n42.")
    assert (reply.reasoning, reply.text) == ("They want it added.", "It is\n42.")
    assert reply.usage == Usage(8, 7, reasoning_tokens=4, source=UsageSource.COUNTED)


async def test_it_calls_tools_and_answers_plainly_once_they_have() -> None:
    asked = Message(Role.USER, [TextPart('/call add {"a": 1}\nnow')])
    reply = await told("", messages=[asked])
    calls = (ToolCallPart("call-1", "add", '{"a": 1}'), ToolCallPart("call-2", "now", "{}"))
    assert (reply.tool_calls, reply.reason) == (calls, FinishReason.TOOL)
    assert reply.usage.output_tokens == 5
    results = [ToolResultPart(call.tool_call_id, "42") for call in calls]
    messages = [asked, Message(Role.ASSISTANT, reply.parts), Message(Role.TOOL, results)]
    assert (await told("", messages=messages)).text.startswith("## Hello")


async def test_it_fails_after_its_words() -> None:
    reply = FAST.chat_completion(ask("/break 503 one two"))
    assert [await anext(reply), await anext(reply)] == [TextDelta("one "), TextDelta("two")]
    with pytest.raises(Overloaded):
        await anext(reply)


@pytest.mark.parametrize(("name", "failure"), FAILURES.items())
async def test_it_fails_on_request(name: str, failure: type[ProviderError]) -> None:
    with pytest.raises(failure, match=failure.reason):
        await told(f"/error {name}")


@pytest.mark.parametrize(("text", "wait"), [("/error 429", 1.0), ("/error rate_limited 7", 7.0)])
async def test_a_rate_limit_says_how_long(text: str, wait: float) -> None:
    with pytest.raises(RateLimited) as caught:
        await told(text)
    assert caught.value.retry_after == wait


@pytest.mark.parametrize("text", ["/help", "/error", "/error 999", "/call", "/break nothing"])
async def test_help_lists_what_it_does(text: str) -> None:
    assert (await told(text)).text == HELP


@pytest.mark.parametrize("text", ["/etc/hosts is odd", "/unknown", "say /error 429"])
async def test_anything_else_gets_the_plain_answer(text: str) -> None:
    assert (await told(text)).text.startswith("## Hello")


async def test_a_cut_comes_after_so_many_words() -> None:
    seen: list[str] = []

    async def listen() -> None:
        async for event in FAST.chat_completion(ask("/cut 20")):
            assert isinstance(event, TextDelta)
            seen.append(event.text)

    with pytest.raises(BadResponse):
        await listen()
    assert len(seen) == 20


async def test_overload_is_one_failure_under_two_names() -> None:
    for name in ("503", "529"):
        with pytest.raises(Overloaded):
            await told(f"/error {name}")


async def test_slow_waits_before_the_first_word() -> None:
    begin = time.monotonic()
    async with aclosing(FAST.chat_completion(ask("/slow 0.2"))) as reply:
        await anext(reply)
    assert time.monotonic() - begin >= 0.2 - ROUNDING


async def test_hold_waits_after_the_first_word() -> None:
    reply = FAST.chat_completion(ask("/hold 0.2"))
    assert await asyncio.wait_for(anext(reply), 0.15) == TextDelta("Holding … ")
    begin = time.monotonic()
    assert await anext(reply) == TextDelta("released.")
    assert time.monotonic() - begin >= 0.15 - ROUNDING
    await reply.aclose()


async def test_patience_ends() -> None:
    with pytest.raises(BackendTimeout):
        await told("/slow 9", limits=Limits(first_token=0.05))
    with pytest.raises(BackendTimeout):
        await told("/slow 9", limits=Limits(whole=0.05), stream=False)


async def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(ModelNotFound, match="demo and demo-reasoning"):
        await told("Hi", model="gpt")


async def test_words_come_at_the_pace() -> None:
    begin = time.monotonic()
    reply = DemoProvider(DemoSettings(pace=100)).chat_completion(ask("/long 31"))
    await anext(reply)
    first = time.monotonic() - begin
    rest = [event async for event in reply]
    assert first < 0.1
    assert len(rest) == 31
    assert time.monotonic() - begin >= 0.3 - ROUNDING


async def test_nobody_watching_gets_it_at_once() -> None:
    provider = DemoProvider(DemoSettings(pace=1))
    assert await deltas(provider, ask("/echo one two three", stream=False)) == ["one two three"]


async def test_a_reply_without_pace_lets_others_run() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await told("/long 1000")
    ticking.cancel()
    assert ticks > 10
