"""One reply: what is told, what is written down, and what a plugin cannot break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.faults import (
    BadProviderResponse,
    ProviderFailed,
    ProviderNotFound,
    ProviderNotReady,
    UsageExists,
)
from parley_provider_service.core.model import Cost, Ended
from parley_rpc.faults import DatabaseUnavailable, InvalidArgument

from .conftest import NewAsk
from .fakes import DONE, USAGE, installed, wait
from .scene import Scene, text_of

pytestmark = pytest.mark.unit

COST = Cost(50, "list 1")


async def test_events_come_in_order_and_end_with_one_settled_end(new_ask: NewAsk) -> None:
    call = sdk.ToolCallDelta(0, "call-1", "search", '{"q": "x"}')
    count = sdk.UsageUpdate(sdk.Usage(10, 1))
    scene, ask = (
        Scene(sdk.ReasoningDelta("Hm."), sdk.TextDelta("Hi."), call, count, DONE),
        new_ask(),
    )

    events, fault = await scene.hear(ask)

    assert fault is None
    assert [
        sdk.ReasoningDelta("Hm."),
        sdk.TextDelta("Hi."),
        call,
        count,
        Ended(sdk.FinishReason.STOP, USAGE, COST, "acme", "small"),
    ] == list(events)
    assert ("stop", USAGE, COST) == scene.settled(ask)
    assert 1 == scene.provider.closed_streams


async def test_the_provider_is_given_the_request_with_the_limits(new_ask: NewAsk) -> None:
    scene = Scene(sdk.TextDelta("Hi."), DONE)
    ask = new_ask("Grüße!", system="Be brief.", temperature=0.0, seconds=20.0)

    await scene.hear(ask)

    [request] = scene.provider.asked
    assert (ask.request.messages, "Be brief.", 0.0) == (
        request.messages,
        request.system,
        request.temperature,
    )
    assert (60.0, 30.0) == (request.limits.first_token, request.limits.idle)
    assert 19 < request.limits.whole <= 19.75


async def test_the_row_is_there_before_the_provider_is_asked(new_ask: NewAsk) -> None:
    rows: list[int] = []

    async def look() -> None:
        rows.append(len(scene.ledger.books.rows))

    scene = Scene(look, DONE)
    await scene.hear(new_ask())

    assert [1] == rows


async def test_the_first_delta_does_not_wait_for_the_next(new_ask: NewAsk) -> None:
    gate = asyncio.Event()
    scene = Scene(sdk.TextDelta("first"), gate.wait, sdk.TextDelta("last"), DONE)
    events = scene.generation.events(await scene.generation.begin(new_ask()))

    async with asyncio.timeout(5):
        first = await anext(events)
    gate.set()

    assert sdk.TextDelta("first") == first
    assert "last" == text_of([event async for event in events])


async def test_what_came_together_is_told_together(new_ask: NewAsk) -> None:
    words = [sdk.TextDelta(f"{number} ") for number in range(1_000)]
    scene = Scene(*words, DONE)

    events, _ = await scene.hear(new_ask())

    assert "".join(word.text for word in words) == text_of(events)
    assert 2 == len(events)


async def test_many_replies_at_once_are_told_in_fewer_messages(new_ask: NewAsk) -> None:
    script = [step for number in range(20) for step in (sdk.TextDelta(f"{number} "), wait(0.002))]
    alone, crowd = Scene(*script, DONE), Scene(*script, DONE)

    events, _ = await alone.hear(new_ask())
    replies = await asyncio.gather(*(crowd.hear(new_ask()) for _ in range(60)))

    assert 21 == len(events)
    assert {text_of(events)} == {text_of(heard) for heard, _ in replies}
    assert all(len(heard) < 15 for heard, _ in replies)


async def test_a_used_id_is_refused_and_changes_nothing(new_ask: NewAsk) -> None:
    scene, ask = Scene(sdk.TextDelta("Hi."), DONE), new_ask()
    await scene.hear(ask)

    events, fault = await scene.hear(ask)

    assert ([], UsageExists) == (list(events), type(fault))
    assert 1 == len(scene.provider.asked)
    assert ("stop", USAGE, COST) == scene.settled(ask)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": ""}, "model"),
        ({"model": "x" * 201}, "model"),
        ({"model": "a\0b"}, "model"),
        ({"messages": []}, "messages"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"frequency_penalty": 2.1}, "frequency_penalty"),
        ({"presence_penalty": -2.1}, "presence_penalty"),
        ({"presence_penalty": float("nan")}, "presence_penalty"),
        ({"top_k": 0}, "top_k"),
        ({"top_logprobs": -1}, "top_logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"tools": [sdk.Tool("a", keep=sdk.Keep.SHORT)] * 5}, "keep"),
        ({"system": "ab", "system_marks": [sdk.SystemMark(3, sdk.Keep.SHORT)]}, "system_marks"),
        ({"system": "ab", "system_marks": [sdk.SystemMark(0, sdk.Keep.SHORT)]}, "system_marks"),
        ({"system": "ab", "system_marks": [sdk.SystemMark(1, sdk.Keep.LONG)] * 2}, "system_marks"),
        ({"reasoning_tokens": 0}, "reasoning_tokens"),
    ],
)
async def test_a_request_that_breaks_a_rule_is_refused(
    new_ask: NewAsk, change: dict[str, Any], field: str
) -> None:
    scene = Scene(DONE)

    _, fault = await scene.hear(new_ask(**change))

    assert isinstance(fault, InvalidArgument)
    assert [field] == [violation.field for violation in fault.violations]
    assert {} == scene.ledger.books.rows


async def test_unknown_and_unready_providers_are_refused(new_ask: NewAsk) -> None:
    scene = Scene(DONE)
    torn = replace(installed(), provider=None, broken=True, error="Torn.")

    _, unknown = await scene.hear(new_ask(provider="acne"))
    scene.roster.entries["acme"].installed = torn
    _, unready = await scene.hear(new_ask())

    assert isinstance(unknown, ProviderNotFound)
    assert {"provider": "acne", "near": "acme"} == unknown.metadata
    assert isinstance(unready, ProviderNotReady)
    assert {"provider": "acme", "status": "broken"} == unready.metadata


async def test_without_a_database_nobody_is_asked(new_ask: NewAsk) -> None:
    scene = Scene(DONE)
    scene.ledger.reachable.clear()

    events, fault = await scene.hear(new_ask())

    assert ([], DatabaseUnavailable, []) == (list(events), type(fault), scene.provider.asked)


async def test_the_end_waits_until_it_is_written_down(new_ask: NewAsk) -> None:
    async def cut_off() -> None:
        scene.ledger.reachable.clear()

    scene, ask = Scene(cut_off, sdk.TextDelta("Hi."), DONE), new_ask()
    hearing = asyncio.create_task(scene.hear(ask))
    await asyncio.sleep(0.05)
    early = hearing.done()
    scene.ledger.reachable.set()
    events, _ = await hearing

    assert not early
    assert Ended(sdk.FinishReason.STOP, USAGE, COST, "acme", "small") == events[-1]
    assert ("stop", USAGE, COST) == scene.settled(ask)


async def test_before_a_failure_the_usage_is_told(new_ask: NewAsk) -> None:
    failure = sdk.Overloaded("Too many ask.", retry_after=3)
    scene, ask = Scene(sdk.TextDelta("12345678"), failure), new_ask("1234")

    events, fault = await scene.hear(ask)

    usage = sdk.Usage(1, 2, source=sdk.UsageSource.ESTIMATED)
    assert [sdk.TextDelta("12345678"), sdk.UsageUpdate(usage)] == list(events)
    assert fault is not None
    assert ("overloaded", 3) == (fault.reason, fault.retry_after)
    assert ("overloaded", usage, Cost(5, "list 1")) == scene.settled(ask)


async def test_a_failure_before_anything_was_produced_costs_nothing(new_ask: NewAsk) -> None:
    scene, ask = Scene(sdk.AuthenticationFailed("Wrong key.")), new_ask()

    events, fault = await scene.hear(ask)

    assert [] == list(events)
    assert fault is not None
    assert ("provider_auth", {"provider": "acme", "model": "small"}) == (
        fault.reason,
        fault.metadata,
    )
    assert ("provider_auth", None, None) == scene.settled(ask)


async def test_what_the_vendor_counted_before_it_failed_is_what_counts(new_ask: NewAsk) -> None:
    counted = sdk.Usage(100, 7, cached_input_tokens=50)
    scene = Scene(sdk.TextDelta("Hi."), sdk.UsageUpdate(counted), sdk.BackendError("Oh."))
    ask = new_ask()

    await scene.hear(ask)

    assert ("provider_error", counted, Cost(114, "list 1")) == scene.settled(ask)


@pytest.mark.parametrize(
    "script",
    [
        (),
        (sdk.TextDelta("Hi."),),
        (sdk.TextDelta("Hi."), DONE, DONE),
        (DONE, sdk.TextDelta("Hi.")),
        ("just text",),
        (sdk.TextDelta(7),),  # type: ignore[arg-type]
        (sdk.TextDelta("half a \ud83d"),),
        (sdk.ReasoningDelta(None),),  # type: ignore[arg-type]
        (sdk.ToolCallDelta(0, arguments=b"{}"),),  # type: ignore[arg-type]
        (sdk.ToolCallDelta("0"),),  # type: ignore[arg-type]
        (sdk.ToolCallDelta(0, provider_metadata="{}"),),  # type: ignore[arg-type]
        (sdk.ToolCallDelta(0, name=None),),  # type: ignore[arg-type]
        (sdk.UsageUpdate(sdk.Usage(1, 1, source="x")),),  # type: ignore[arg-type]
        (sdk.UsageUpdate(sdk.Usage(-1, 0)),),
        (sdk.UsageUpdate(None),),  # type: ignore[arg-type]
        (sdk.Finished("stop", USAGE),),  # type: ignore[arg-type]
        (sdk.Finished(sdk.FinishReason.STOP, sdk.Usage(1.5, 2)),),  # type: ignore[arg-type]
    ],
)
async def test_a_stream_that_breaks_the_contract_is_a_bad_response(
    new_ask: NewAsk, script: tuple[Any, ...]
) -> None:
    scene, ask = Scene(*script), new_ask()

    _, fault = await scene.hear(ask)

    settled = scene.settled(ask)
    assert isinstance(fault, BadProviderResponse)
    assert settled is not None
    assert "bad_response" == settled[0]
    assert 1 == scene.provider.closed_streams


@pytest.mark.parametrize("answer", [None, [], "text", 7])
async def test_no_stream_at_all_is_a_bad_response(new_ask: NewAsk, answer: object) -> None:
    scene = Scene(DONE)
    scene.provider.stream = lambda _: answer

    _, fault = await scene.hear(new_ask())

    assert isinstance(fault, BadProviderResponse)


async def test_a_coroutine_in_place_of_a_stream_is_a_bad_response(new_ask: NewAsk) -> None:
    async def late(_: sdk.ReplyRequest) -> None:
        """Would have to be awaited first."""

    scene = Scene(DONE)
    scene.provider.stream = late

    _, fault = await scene.hear(new_ask())

    assert isinstance(fault, BadProviderResponse)


@pytest.mark.parametrize(
    "bug", [KeyError("the prompt"), TimeoutError(), SystemExit(3), asyncio.CancelledError()]
)
async def test_a_bug_of_a_plugin_is_logged_without_what_was_said(
    new_ask: NewAsk, bug: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    scene, ask = Scene(sdk.TextDelta("Hi. "), bug), new_ask("the prompt")

    with caplog.at_level(logging.ERROR):
        _, fault = await scene.hear(ask)

    assert isinstance(fault, ProviderFailed)
    assert fault.__cause__ is bug
    [log] = [vars(record)["fields"] for record in caplog.records]
    assert ("acme", type(bug).__name__) == (log["provider"], log["error"])
    assert "in _play" in log["traceback"]
    assert "the prompt" not in repr(log)
    settled = scene.settled(ask)
    assert settled is not None
    assert "provider_error" == settled[0]


async def test_a_plugin_that_fails_when_it_is_closed_spoils_nothing(new_ask: NewAsk) -> None:
    async def stream(_: sdk.ReplyRequest) -> AsyncIterator[sdk.ReplyEvent]:
        try:
            yield sdk.TextDelta("Hi.")
            yield "no event"  # type: ignore[misc]
        finally:
            raise ValueError("on the way out")

    scene, ask = Scene(), new_ask()
    scene.provider.stream = stream

    events, fault = await scene.hear(ask)

    assert isinstance(fault, BadProviderResponse)
    assert sdk.TextDelta("Hi.") == events[0]
    assert scene.settled(ask) is not None


async def test_nul_and_empty_texts_do_not_reach_anybody(new_ask: NewAsk) -> None:
    scene = Scene(sdk.TextDelta(""), sdk.TextDelta("a\0b"), sdk.ReasoningDelta(""), DONE)

    events, _ = await scene.hear(new_ask())

    assert [sdk.TextDelta("a\N{REPLACEMENT CHARACTER}b")] == list(events)[:-1]
    assert 2 == len(events)


async def test_counts_never_fall(new_ask: NewAsk) -> None:
    first, second = sdk.Usage(10, 5), sdk.Usage(3, 9)
    scene = Scene(sdk.UsageUpdate(first), wait(0), wait(0), sdk.UsageUpdate(second), DONE)

    events, _ = await scene.hear(new_ask())

    assert sdk.UsageUpdate(sdk.Usage(10, 9)) == events[-2]


async def test_tokens_of_a_free_provider_cost_nothing(new_ask: NewAsk) -> None:
    scene, ask = Scene(DONE, free=True), new_ask()

    await scene.hear(ask)

    assert ("stop", USAGE, Cost(0, "free")) == scene.settled(ask)


async def test_an_unknown_price_is_no_cost(new_ask: NewAsk) -> None:
    scene, ask = Scene(DONE), new_ask(model="unheard-of")

    events, _ = await scene.hear(ask)

    assert [Ended(sdk.FinishReason.STOP, USAGE, None, "acme", "unheard-of")] == list(events)
    assert ("stop", USAGE, None) == scene.settled(ask)
