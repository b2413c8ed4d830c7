"""What a reply holds of its caller's allowances: before it, before each further try, after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.allowances import Allowance, Meter
from parley_provider_service.core.cover import Terms, UnknownPrices
from parley_provider_service.core.demand import (
    TOKENS_PER_FILE,
    Demand,
    demand_of,
    input_tokens_of,
    may_last,
)
from parley_provider_service.core.generation import Limits
from parley_provider_service.core.model import Ask, Facts, ModelChoice, Price
from parley_rpc.faults import Fault, reason_of

from .books import MemoryLedger
from .conftest import NewAsk
from .fakes import DONE, KnownPrices
from .scene import PRICE, Scene
from .town import Town

pytestmark = pytest.mark.unit

BUDGET = Allowance("user:ada", Meter.DAILY_COST, 1_000)
TOKENS = Allowance("user:ada", Meter.TOKENS_PER_MINUTE, 10_000)
TURNS = Allowance("key:one", Meter.CONCURRENT_TURNS, 1)
# What `new_ask` says, and what its answer takes: 10 tokens at 1, and 20 at 2.
HELLO = 2 * 8 + 2
COST = 50


def limited(ask: Ask, *allowances: Allowance) -> Ask:
    return replace(ask, allowances=allowances)


def spending(limit: int) -> Allowance:
    return replace(BUDGET, limit=limit)


async def left(ledger: MemoryLedger, *allowances: Allowance) -> Sequence[tuple[int, int]]:
    return [(one.used, one.held) for one in await ledger.balances(allowances)]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  (asked, not told)
            await asyncio.sleep(0.005)


async def stop_here() -> None:
    """Take longer than anybody waits."""
    await asyncio.sleep(60)


def watching(scene: Scene) -> list[tuple[int, int]]:
    """Note what is used and held of the budget each time the vendor is asked."""
    seen: list[tuple[int, int]] = []

    async def look() -> None:
        seen.extend(await left(scene.ledger, BUDGET))

    scene.provider.script = [look, *scene.provider.script]
    return seen


async def test_the_longest_reply_is_held_and_the_real_one_counted(new_ask: NewAsk) -> None:
    scene = Scene(sdk.TextDelta("Hi."), DONE)
    seen = watching(scene)

    _, failure = await scene.hear(limited(new_ask(max_tokens=100), BUDGET))

    assert failure is None
    assert [(0, HELLO + 2 * 100)] == seen
    assert [(COST, 0)] == await left(scene.ledger, BUDGET)


async def test_a_budget_that_is_too_small_refuses_before_anybody_is_asked(new_ask: NewAsk) -> None:
    scene = Scene(DONE)

    _, failure = await scene.hear(limited(new_ask(max_tokens=600), BUDGET))

    assert isinstance(failure, Fault)
    assert "budget_exceeded" == reason_of(failure)
    told = failure.metadata
    assert ("user", "day", "0.000001", "0.000001", "0") == tuple(
        told[name] for name in ("scope", "period", "limit", "left", "used")
    )
    assert told["resets_at"].endswith("T00:00:00Z")
    assert failure.retry_after is None
    assert [] == scene.provider.asked
    assert [(0, 0)] == await left(scene.ledger, BUDGET)


async def test_a_reply_without_a_length_is_kept_to_what_is_held_for_it(new_ask: NewAsk) -> None:
    roomy, tight = Scene(DONE), Scene(DONE)

    await roomy.hear(limited(new_ask(), spending(10**9)))
    await tight.hear(limited(new_ask(), BUDGET))
    unlimited = Scene(DONE)
    await unlimited.hear(limited(new_ask(), TURNS))

    assert [8_192] == [one.max_tokens for one in roomy.provider.asked]
    assert [(1_000 - HELLO) // 2] == [one.max_tokens for one in tight.provider.asked]
    assert [None] == [one.max_tokens for one in unlimited.provider.asked]


async def test_a_reply_that_could_say_next_to_nothing_is_refused(new_ask: NewAsk) -> None:
    scene = Scene(DONE)

    _, failure = await scene.hear(limited(new_ask(), spending(2 * 255 + HELLO)))
    _, enough = await scene.hear(limited(new_ask(), spending(2 * 256 + HELLO)))

    assert failure is not None
    assert "budget_exceeded" == reason_of(failure)
    assert enough is None


async def test_a_model_that_takes_no_length_is_held_for_at_the_longest(new_ask: NewAsk) -> None:
    scene = Scene(DONE)
    scene.entry.unsupported["small"] = frozenset({"max_tokens"})

    _, refused = await scene.hear(limited(new_ask(), BUDGET))
    _, failure = await scene.hear(limited(new_ask(), spending(2 * 8_192 + HELLO)))

    assert refused is not None
    assert failure is None
    assert [None] == [one.max_tokens for one in scene.provider.asked]


async def test_tokens_refuse_until_the_minute_is_over(new_ask: NewAsk) -> None:
    gate = asyncio.Event()
    scene = Scene(gate.wait, DONE)
    running = asyncio.create_task(scene.hear(limited(new_ask(max_tokens=8_000), TOKENS)))
    await until(lambda: scene.provider.asked)

    _, refused = await scene.hear(limited(new_ask(max_tokens=8_000), TOKENS))
    gate.set()
    _, failure = await running
    _, after = await scene.hear(limited(new_ask(max_tokens=8_000), TOKENS))

    assert refused is not None
    assert ("limit_exceeded", "tokens_per_minute", "10000", str(2_000 - HELLO)) == (
        reason_of(refused),
        *(refused.metadata[name] for name in ("meter", "limit", "left")),
    )
    assert 0 < (refused.retry_after or 0) <= 60
    assert (None, None) == (failure, after)
    assert [(60, 0)] == await left(scene.ledger, TOKENS)


async def test_more_than_the_whole_limit_of_tokens_goes_through_alone(new_ask: NewAsk) -> None:
    scene = Scene(DONE)

    _, failure = await scene.hear(limited(new_ask(max_tokens=50_000), TOKENS))

    assert failure is None
    assert [(30, 0)] == await left(scene.ledger, TOKENS)


async def test_replies_at_once_are_counted_while_they_run(new_ask: NewAsk) -> None:
    gate = asyncio.Event()
    scene = Scene(gate.wait, DONE)
    running = asyncio.create_task(scene.hear(limited(new_ask(), TURNS)))
    await until(lambda: scene.provider.asked)

    _, refused = await scene.hear(limited(new_ask(), TURNS))
    gate.set()
    await running
    _, after = await scene.hear(limited(new_ask(), TURNS))

    assert refused is not None
    assert ("limit_exceeded", "concurrent_turns", "key", 1.0) == (
        reason_of(refused),
        refused.metadata["meter"],
        refused.metadata["scope"],
        refused.retry_after,
    )
    assert after is None


@pytest.mark.parametrize("script", [[RuntimeError("bug")], [sdk.Overloaded("Busy.")], [stop_here]])
async def test_however_a_reply_ends_nothing_stays_held(
    new_ask: NewAsk, script: Sequence[object]
) -> None:
    scene = Scene(sdk.TextDelta("Hi."), *script)
    ask = limited(new_ask(seconds=1.0), spending(10**9), TURNS)

    await scene.hear(ask)

    settled = scene.settled(ask)
    assert settled
    cost = settled[2]
    assert cost
    assert [(cost.nano_usd, 0), (0, 0)] == await left(scene.ledger, BUDGET, TURNS)


async def test_an_unknown_price_is_allowed_or_refused_as_is_set(new_ask: NewAsk) -> None:
    refusing = Scene(DONE, limits=Limits(terms=Terms(unknown_prices=UnknownPrices.REFUSE)))
    allowing = Scene(DONE)

    ask = limited(new_ask(model="large"), BUDGET, TOKENS)
    _, allowed = await allowing.hear(ask)
    _, refused = await refusing.hear(limited(new_ask(model="large"), BUDGET))
    _, without = await refusing.hear(limited(new_ask(model="large"), TOKENS))

    assert allowed is None
    assert [(0, 0), (30, 0)] == await left(allowing.ledger, BUDGET, TOKENS)
    settled = allowing.settled(ask)
    assert settled
    assert settled[2] is None
    assert refused is not None
    assert ("price_unknown", "large") == (reason_of(refused), refused.metadata["model"])
    assert without is None


async def test_more_is_held_before_a_dearer_provider_is_asked(new_ask: NewAsk) -> None:
    town = dear_town()
    ask = limited(new_ask(fallbacks=[DEAR], max_tokens=10), spending(10_000))
    seen: list[tuple[int, int]] = []

    async def look() -> None:
        seen.extend(await left(town.ledger, BUDGET))

    town.providers["beta"].scripts = [[look, DONE]]
    _, failure = await town.hear(ask)

    assert failure is None
    assert [(0, 100 * (HELLO + 2 * 10))] == seen
    assert [(100 * COST, 0)] == await left(town.ledger, BUDGET)


async def test_nobody_is_asked_whom_the_caller_cannot_pay(new_ask: NewAsk) -> None:
    town = dear_town()
    ask = limited(new_ask(fallbacks=[DEAR], max_tokens=10), spending(3_000))

    _, failure = await town.hear(ask)

    assert failure is not None
    assert "overloaded" == reason_of(failure)
    assert {"acme": 1, "beta": 0} == town.calls()
    assert [(0, 0)] == await left(town.ledger, BUDGET)


DEAR = ModelChoice("beta", "dear")


def dear_town() -> Town:
    """Acme fails, and beta's model costs a hundred times as much."""
    town = Town(acme=[[sdk.Overloaded("Busy.", retry_after=99.0)]], beta=[[DONE]])
    town.providers["beta"].listed = (sdk.ModelInfo("dear"),)
    dear = Price(100 * PRICE.input, 100 * PRICE.output, None, "list 1")
    town.catalog.prices = KnownPrices({"small": Facts(0, PRICE), "dear": Facts(0, dear)})
    return town


async def test_what_was_used_in_vain_is_held_beside_the_next_try(new_ask: NewAsk) -> None:
    busy = [sdk.UsageUpdate(sdk.Usage(100, 100)), sdk.Overloaded("Busy.", retry_after=0.0)]
    paid, poor = (Town(acme=[busy, [DONE]]) for _ in range(2))
    need = HELLO + 2 * 200

    _, failure = await paid.hear(limited(new_ask(max_tokens=200), spending(need + 300)))
    _, refused = await poor.hear(limited(new_ask(max_tokens=200), spending(need + 299)))

    assert failure is None
    assert [(300 + COST, 0)] == await left(paid.ledger, BUDGET)
    assert refused is not None
    assert "overloaded" == reason_of(refused)
    assert [(300, 0)] == await left(poor.ledger, BUDGET)


def test_the_dearest_kind_of_input_counts() -> None:
    price = Price(2_000_000, 5_000_000, 3_000_000, "list 1")

    assert Demand(30, 10 * 3 + 20 * 5) == demand_of(10, 20, price, lasting=False)
    writes = replace(price, cache_write=4_000_000, long_cache_write=7_000_000)
    assert Demand(30, 10 * 4 + 20 * 5) == demand_of(10, 20, writes, lasting=False)
    assert Demand(30, 10 * 7 + 20 * 5) == demand_of(10, 20, writes, lasting=True)
    assert Demand(30, 0) == demand_of(10, 20, None, lasting=True)


@pytest.mark.parametrize(
    ("fields", "lasting"),
    [
        ({}, False),
        ({"tools": [sdk.Tool("a", keep=sdk.Keep.SHORT)]}, False),
        ({"tools": [sdk.Tool("a", keep=sdk.Keep.LONG)]}, True),
        ({"system": "a", "system_marks": [sdk.SystemMark(1, sdk.Keep.LONG)]}, True),
        ({"messages": [sdk.Message(sdk.Role.USER, [sdk.TextPart("a", keep=sdk.Keep.LONG)])]}, True),
        ({"provider_options": {"a": 1}}, True),
    ],
)
def test_a_vendor_keeps_long_only_what_it_is_told_to(fields: Any, lasting: bool) -> None:
    assert lasting == may_last(sdk.ReplyRequest(**{"model": "small", "messages": (), **fields}))


def test_all_that_a_model_is_given_counts() -> None:
    image = sdk.ImagePart("image/png", b"cat")
    parts: list[sdk.Part] = [sdk.TextPart("日本語"), image, sdk.ToolResultPart("1", "abc")]
    tool = sdk.Tool("t", "how", "{}")
    request = sdk.ReplyRequest(
        "small", [sdk.Message(sdk.Role.USER, parts)], system="Be kind", tools=[tool]
    )

    size = 9 + 3 + len("thow{}") + len("Be kind")

    assert 16 + TOKENS_PER_FILE + -(-size // 3) == input_tokens_of(request)


async def test_a_service_that_does_not_know_its_prices_yet_makes_no_reply(
    new_ask: NewAsk,
) -> None:
    scene = Scene(DONE)
    scene.catalog.loaded = False

    _, early = await scene.hear(limited(new_ask(), spending(10**9)))
    await scene.catalog.refresh()
    _, failure = await scene.hear(limited(new_ask(), spending(10**9)))
    await scene.catalog.aclose()

    assert early is not None
    assert ("unavailable", 1.0) == (reason_of(early), early.retry_after)
    assert failure is None
