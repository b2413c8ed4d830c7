"""Who is asked when somebody fails: the same one again within a budget, then somebody else."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.admission import FAILURES_TO_OPEN, Breaker
from parley_provider_service.core.faults import (
    CircuitOpen,
    Overloaded,
    ProviderNotFound,
    ProviderNotReady,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestRefused,
)
from parley_provider_service.core.generation import Limits
from parley_provider_service.core.model import Answerer, Cost, Ended, Model, ModelChoice, Settlement
from parley_provider_service.core.roster import Entry
from parley_provider_service.core.routing import Admission
from parley_rpc.faults import InvalidArgument, TooBusy

from .conftest import NewAsk
from .fakes import DONE, USAGE, installed, wait
from .town import Town

pytestmark = pytest.mark.unit

HI = sdk.TextDelta("Hi there")
GOOD = (HI, DONE)
AWAY = (sdk.BackendUnreachable("Nobody answers."),)
FULL = (sdk.Overloaded("Too many ask."),)
BETA = ModelChoice("beta", "small")


def asking(new_ask: NewAsk, *fallbacks: ModelChoice, **more: Any) -> Any:
    return new_ask(fallbacks=fallbacks, **more)


def named(error: sdk.ProviderError) -> str:
    return f"{error.reason}-{error.retry_after}"


RETRIED = [
    sdk.BackendUnreachable("Away."),
    sdk.RateLimited("Slowly.", retry_after=0.01),
    sdk.Overloaded("Full."),
    sdk.BackendError("Odd."),
    sdk.BadResponse("What?"),
]
NOT_RETRIED = [
    sdk.AuthenticationFailed("No."),
    sdk.QuotaExhausted("Empty."),
    sdk.BadRequest("No."),
    sdk.ContextTooLong("Long."),
    sdk.TooLarge("Large."),
    sdk.ContentRefused("No."),
    sdk.ModelNotFound("No."),
    sdk.BackendTimeout("Late."),
    sdk.RateLimited("Not for an hour.", retry_after=3600),
]


@pytest.mark.parametrize("failure", RETRIED, ids=named)
async def test_what_says_that_nothing_was_generated_is_tried_again(
    new_ask: NewAsk, failure: sdk.ProviderError
) -> None:
    town, ask = Town(acme=[(failure,), GOOD]), new_ask()

    events, fault = await town.hear(ask)

    assert fault is None
    assert [HI, Ended(sdk.FinishReason.STOP, USAGE, Cost(50, "list 1"), "acme", "small")] == events
    assert {"acme": 2} == town.calls()
    assert [("acme", failure.reason), ("acme", "stop")] == town.attempts(ask)


@pytest.mark.parametrize("failure", NOT_RETRIED, ids=named)
async def test_what_may_bill_twice_or_is_an_answer_is_not_tried_again(
    new_ask: NewAsk, failure: sdk.ProviderError
) -> None:
    town = Town(acme=[(failure,), GOOD])

    _, fault = await town.hear(new_ask())

    assert fault is not None
    assert {"acme": 1} == town.calls()


async def test_nothing_is_tried_again_after_the_first_token(new_ask: NewAsk) -> None:
    for begun in (HI, sdk.ReasoningDelta("Hm"), sdk.ToolCallDelta(0, "c", "f")):
        town = Town(acme=[(begun, *FULL), GOOD], beta=[GOOD])

        events, fault = await town.hear(asking(new_ask, BETA))

        assert isinstance(fault, Overloaded)
        assert {"acme": 1, "beta": 0} == town.calls()
        assert begun == events[0]


async def test_a_count_of_tokens_is_no_first_token_but_is_paid_for(new_ask: NewAsk) -> None:
    count = sdk.UsageUpdate(sdk.Usage(5, 0))
    town, ask = Town(acme=[(count, *FULL), GOOD]), new_ask()

    events, _ = await town.hear(ask)

    total = sdk.Usage(15, 20)
    assert Ended(sdk.FinishReason.STOP, total, Cost(55, "list 1"), "acme", "small") == events[-1]
    assert total == town.settlement(ask).usage


async def test_a_vendor_that_asks_to_wait_is_obeyed(new_ask: NewAsk) -> None:
    limited = sdk.RateLimited("Slowly.", retry_after=0.3)
    town, began = Town(acme=[(limited,), GOOD]), time.monotonic()

    _, fault = await town.hear(new_ask())

    assert fault is None
    assert time.monotonic() - began >= 0.29


async def test_a_wait_beyond_the_deadline_is_passed_on(new_ask: NewAsk) -> None:
    limited = sdk.RateLimited("Slowly.", retry_after=3)
    town = Town(acme=[(limited,), GOOD])

    _, fault = await town.hear(new_ask(seconds=2.0))

    assert isinstance(fault, RateLimited)
    assert 3 == fault.retry_after
    assert {"acme": 1} == town.calls()


async def test_a_timeout_is_tried_again_only_where_an_administrator_allows_it(
    new_ask: NewAsk,
) -> None:
    town = Town(acme=[(sdk.BackendTimeout("Late."),), GOOD])
    town.decide("acme", retry_timeouts=True)

    _, fault = await town.hear(new_ask())

    assert fault is None
    assert {"acme": 2} == town.calls()


async def test_calls_beyond_one_per_request_are_a_tenth(new_ask: NewAsk) -> None:
    limited = sdk.RateLimited("Slowly.", retry_after=0.001)
    town = Town(acme=[(limited,)])

    for _ in range(100):
        await town.hear(new_ask())

    assert 108 < town.calls()["acme"] <= 110


async def test_who_is_named_is_asked_instead(new_ask: NewAsk) -> None:
    town, ask = Town(acme=[(sdk.AuthenticationFailed("No."),)], beta=[GOOD]), None
    ask = asking(new_ask, BETA)

    events, fault = await town.hear(ask)

    assert fault is None
    assert [
        Answerer("beta", "small"),
        HI,
        Ended(sdk.FinishReason.STOP, USAGE, Cost(50, "list 1"), "beta", "small"),
    ] == events
    assert [("acme", "provider_auth"), ("beta", "stop")] == town.attempts(ask)


FALLEN = [*RETRIED, *NOT_RETRIED]
FINAL = (sdk.BadRequest, sdk.ContentRefused, sdk.TooLarge)


@pytest.mark.parametrize("failure", FALLEN, ids=named)
async def test_every_failure_but_that_of_the_request_falls_back(
    new_ask: NewAsk, failure: sdk.ProviderError
) -> None:
    town = Town(acme=[(failure,)], beta=[GOOD])

    _, fault = await town.hear(asking(new_ask, BETA))

    is_final = type(failure) in FINAL
    assert is_final == (fault is not None)
    assert int(not is_final) == town.calls()["beta"]


async def test_an_administrators_list_counts_when_nobody_is_named(new_ask: NewAsk) -> None:
    town = Town(acme=[AWAY], beta=[AWAY], gamma=[GOOD])
    town.decide("acme", fallbacks=("beta/small", "gamma"))

    events, fault = await town.hear(new_ask())

    assert fault is None
    assert [Answerer("beta", "small"), Answerer("gamma", "small")] == events[:2]


async def test_who_is_named_counts_instead_of_the_administrators_list(new_ask: NewAsk) -> None:
    town = Town(acme=[AWAY], beta=[GOOD], gamma=[GOOD])
    town.decide("acme", fallbacks=("gamma",))

    await town.hear(asking(new_ask, BETA))

    assert (1, 0) == (town.calls()["beta"], town.calls()["gamma"])


async def test_one_that_cannot_be_used_is_passed_over_before_anything_is_written(
    new_ask: NewAsk,
) -> None:
    town = Town(acme=[GOOD], beta=[GOOD])
    town.decide("acme", enabled=False)
    ask = asking(new_ask, BETA)

    events, fault = await town.hear(ask)

    assert fault is None
    assert Answerer("beta", "small") == events[0]
    assert [("beta", "stop")] == town.attempts(ask)


async def test_when_nobody_can_be_used_the_first_one_says_why(new_ask: NewAsk) -> None:
    town = Town(acme=[GOOD], beta=[GOOD])
    for name in ("acme", "beta"):
        town.decide(name, enabled=False)
    ask = asking(new_ask, BETA)

    _, fault = await town.hear(ask)

    assert isinstance(fault, ProviderNotReady)
    assert "acme" == fault.metadata["provider"]
    assert ask.usage_id not in town.ledger.books.rows


async def test_a_fallback_that_is_not_there_is_an_error_of_the_request(new_ask: NewAsk) -> None:
    town = Town(acme=[GOOD])

    _, fault = await town.hear(asking(new_ask, ModelChoice("bteta")))

    assert isinstance(fault, ProviderNotFound)
    _, fault = await town.hear(asking(new_ask, *[ModelChoice("acme")] * 9))
    assert isinstance(fault, InvalidArgument)


async def test_the_last_failure_is_told_when_all_fail(new_ask: NewAsk) -> None:
    town, ask = Town(acme=[FULL], beta=[AWAY]), None
    ask = asking(new_ask, BETA)

    _, fault = await town.hear(ask)

    assert isinstance(fault, ProviderUnreachable)
    assert {"acme": 2, "beta": 2} == town.calls()
    assert "unreachable" == town.settlement(ask).outcome


async def test_a_silent_one_falls_back_after_its_patience(new_ask: NewAsk) -> None:
    limits = Limits(first_token_seconds=0.05, grace_seconds=0)
    town = Town(limits=limits, acme=[(wait(5), *GOOD)], beta=[GOOD])

    _, fault = await town.hear(asking(new_ask, BETA))

    assert fault is None
    assert {"acme": 1, "beta": 1} == town.calls()


async def test_after_five_failures_in_a_row_it_is_left_alone(new_ask: NewAsk) -> None:
    town = Town(acme=[AWAY], beta=[GOOD])
    for _ in range(FAILURES_TO_OPEN - 1):  # the first one is tried again
        await town.hear(new_ask())
    asked = town.calls()["acme"]

    _, alone = await town.hear(new_ask())
    _, fallen = await town.hear(asking(new_ask, BETA))

    assert isinstance(alone, CircuitOpen)
    assert alone.retry_after is not None
    assert 0 < alone.retry_after <= 10
    assert fallen is None
    assert asked == town.calls()["acme"] == FAILURES_TO_OPEN
    assert "open" == next(one.circuit for one in town.roster.listings())


def test_what_comes_late_neither_frees_nor_decides_the_call_that_tries() -> None:
    now = [0.0]
    entry, model = Entry(installed("acme")), Model("acme", "small", "small")
    entry.breaker = Breaker(lambda: now[0])
    early, *failing = [Admission.to(entry, model) for _ in range(FAILURES_TO_OPEN + 1)]
    for one in failing:
        one.judge(ProviderUnreachable("Away."), spoke=False)
    now[0] = 11
    probe = Admission.to(entry, model)

    for spoke, fault in ((True, None), (False, None), (False, ProviderUnreachable("Away."))):
        early.judge(fault, spoke=spoke)
        with pytest.raises(CircuitOpen):
            Admission.to(entry, model)
    early.dismiss()
    probe.judge(None, spoke=True)

    assert "closed" == entry.breaker.circuit
    assert entry is Admission.to(entry, model).entry


async def test_answers_of_a_vendor_do_not_open_the_breaker(new_ask: NewAsk) -> None:
    town = Town(acme=[(sdk.AuthenticationFailed("No."),)])

    for _ in range(FAILURES_TO_OPEN + 2):
        await town.hear(new_ask())

    assert FAILURES_TO_OPEN + 2 == town.calls()["acme"]


async def test_a_full_one_is_passed_over_without_waiting(new_ask: NewAsk) -> None:
    gate = asyncio.Event()
    town = Town(limits=Limits(patience_seconds=30), acme=[(gate.wait, *GOOD)], beta=[GOOD])
    town.entry("acme").bulkhead.resize(1)
    running = asyncio.create_task(town.hear(new_ask()))
    await asyncio.sleep(0.01)

    async with asyncio.timeout(5):
        _, fault = await town.hear(asking(new_ask, BETA))
    gate.set()
    await running

    assert fault is None
    assert {"acme": 1, "beta": 1} == town.calls()


async def test_every_place_is_given_back_however_it_ends(new_ask: NewAsk) -> None:
    scripts: list[Any] = [GOOD, AWAY, FULL, (HI, *AWAY), (HI,), (None,), (sdk.BadRequest("No."),)]
    town = Town(acme=scripts, beta=[AWAY])
    town.entry("acme").bulkhead.resize(1)

    for _ in range(len(scripts) * 2):
        await town.hear(asking(new_ask, BETA))
        town.entry("acme").breaker.succeed()
        town.entry("beta").breaker.succeed()
    stopped = await town.generation.begin(new_ask())
    stopped.stop()
    assert [] == [event async for event in town.generation.events(stopped)]

    assert (0, 0) == (town.entry("acme").bulkhead.running, town.entry("beta").bulkhead.running)
    refused = await town.hear(new_ask())
    assert not isinstance(refused[1], TooBusy)


async def test_a_stop_ends_the_wait_before_another_try(new_ask: NewAsk) -> None:
    limited = sdk.RateLimited("Slowly.", retry_after=4)
    town, ask = Town(acme=[(limited,), GOOD]), new_ask()
    reply = await town.generation.begin(ask)
    while not town.calls()["acme"]:  # noqa: ASYNC110  (a fact, not an event)
        await asyncio.sleep(0.01)

    reply.stop()
    async with asyncio.timeout(3):
        await town.generation.aclose(10)

    assert {"acme": 1} == town.calls()
    assert ("stopped", ("rate_limited",)) == outcomes(town.settlement(ask))


async def test_a_stop_reaches_the_one_who_was_asked_instead(new_ask: NewAsk) -> None:
    refusal = (sdk.AuthenticationFailed("No."),)
    town, ask = Town(acme=[refusal], beta=[(HI, wait(30), DONE)]), asking(new_ask, BETA)
    reply = await town.generation.begin(ask)
    while not reply.attempt.has_spoken:  # noqa: ASYNC110  (a fact, not an event)
        await asyncio.sleep(0.01)

    reply.stop()
    async with asyncio.timeout(3):
        await town.generation.aclose(10)

    assert ("stopped", ("provider_auth", "stopped")) == outcomes(town.settlement(ask))
    assert sdk.Usage(2, 2, source=sdk.UsageSource.ESTIMATED) == town.settlement(ask).usage
    assert 1 == town.providers["beta"].closed_streams


def outcomes(settlement: Settlement) -> tuple[str, tuple[str, ...]]:
    return settlement.outcome, tuple(one.outcome for one in settlement.attempts)


async def test_a_parameter_that_a_model_turns_out_not_to_take_is_left_out(new_ask: NewAsk) -> None:
    odd = sdk.UnsupportedParameter("No temperature here.", "temperature")
    town = Town(acme=[(odd,), GOOD])

    _, fault = await town.hear(new_ask(temperature=0.5))
    _, again = await town.hear(new_ask(temperature=0.5))

    assert (None, None) == (fault, again)
    temperatures = [request.temperature for request in town.providers["acme"].asked]
    assert [0.5, None, None] == temperatures


async def test_a_parameter_that_would_be_missed_is_refused(new_ask: NewAsk) -> None:
    odd = sdk.UnsupportedParameter("No tools here.", "tools")
    town = Town(acme=[(odd,)])

    _, fault = await town.hear(new_ask(tools=[sdk.Tool("f")]))

    assert isinstance(fault, InvalidArgument)
    assert "tools" == fault.metadata["field"]
    assert {"acme": 1} == town.calls()


async def test_a_plugin_that_has_made_room_is_asked_once_more(new_ask: NewAsk) -> None:
    grown = sdk.ContextTooLong("Now there is room.", retryable=True)
    town, never = Town(acme=[(grown,), GOOD]), Town(acme=[(grown,)])

    _, fault = await town.hear(new_ask())
    _, again = await never.hear(new_ask())

    assert fault is None
    assert again is not None
    assert {"acme": 2} == never.calls()


async def test_a_vendor_that_forbids_another_try_is_obeyed(new_ask: NewAsk) -> None:
    town = Town(acme=[(sdk.Overloaded("Full.", retryable=False),), GOOD])

    _, fault = await town.hear(new_ask())

    assert isinstance(fault, Overloaded)
    assert {"acme": 1} == town.calls()


async def test_without_a_parameter_that_is_not_ours_nobody_is_asked_again(new_ask: NewAsk) -> None:
    """Else a vendor that finds fault with something else each time would be asked for ever."""
    town = Town(acme=[(sdk.UnsupportedParameter("No.", name),) for name in ("colour", "taste")])

    _, fault = await town.hear(new_ask())

    assert isinstance(fault, RequestRefused)
    assert {"acme": 1} == town.calls()


async def test_a_model_that_the_vendor_does_not_know_any_more_is_looked_up(
    new_ask: NewAsk,
) -> None:
    town = Town(acme=[(sdk.ModelNotFound("Gone."),)])

    await town.hear(new_ask())
    await asyncio.sleep(0.01)

    assert 1 == town.providers["acme"].listings


async def test_costs_of_all_attempts_are_summed_and_none_is_guessed(new_ask: NewAsk) -> None:
    count = sdk.UsageUpdate(sdk.Usage(10, 0))
    town = Town(acme=[(count, sdk.BackendTimeout("Late."))], beta=[GOOD])
    priced, unpriced = asking(new_ask, BETA), asking(new_ask, ModelChoice("beta", "odd"))

    await town.hear(priced)
    await town.hear(unpriced)

    assert Cost(60, "list 1") == town.settlement(priced).cost
    assert town.settlement(unpriced).cost is None
    assert [Cost(10, "list 1"), None] == [one.cost for one in town.settlement(unpriced).attempts]


async def test_a_timeout_without_a_fallback_is_told(new_ask: NewAsk) -> None:
    limits = Limits(first_token_seconds=0.05, grace_seconds=0)
    town = Town(limits=limits, acme=[(wait(5), *GOOD)])

    _, fault = await town.hear(new_ask())

    assert isinstance(fault, ProviderTimeout)
