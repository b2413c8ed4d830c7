"""How long a reply may take, how many run at once, and what becomes of one that is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.faults import ProviderTimeout
from parley_provider_service.core.generation import Limits
from parley_provider_service.core.model import Cost, Ended, Hold
from parley_rpc.faults import DeadlineExceeded, TooBusy, Unavailable
from typing_extensions import override

from .books import MemoryLedger
from .conftest import NewAsk
from .fakes import DONE, USAGE, wait
from .scene import Scene, text_of

pytestmark = pytest.mark.unit

HI = sdk.TextDelta("Hi there")
HI_USAGE = sdk.Usage(2, 2, source=sdk.UsageSource.ESTIMATED)
HI_COST = Cost(6, "list 1")


@pytest.mark.parametrize(
    ("script", "limits"),
    [
        ((wait(5), HI, DONE), Limits(first_token_seconds=0.1, grace_seconds=0)),
        ((HI, wait(5), DONE), Limits(idle_seconds=0.1, grace_seconds=0)),
    ],
)
async def test_a_silent_provider_is_not_waited_for(
    new_ask: NewAsk, script: tuple[object, ...], limits: Limits
) -> None:
    scene, ask, began = Scene(*script, limits=limits), new_ask(), time.monotonic()

    _, fault = await scene.hear(ask)

    assert isinstance(fault, ProviderTimeout)
    assert time.monotonic() - began < 4
    assert 1 == scene.provider.closed_streams
    assert (scene.settled(ask) or ("",))[0] == "timeout"


async def test_one_word_a_moment_ends_at_the_deadline_with_the_usage(new_ask: NewAsk) -> None:
    script = [step for _ in range(100) for step in (HI, wait(0.05))]
    scene, ask, began = Scene(*script), new_ask(seconds=1.5), time.monotonic()

    events, fault = await scene.hear(ask)

    assert isinstance(fault, ProviderTimeout)
    assert time.monotonic() - began < 4  # all of it would take five seconds
    assert isinstance(events[-1], sdk.UsageUpdate)
    assert len(text_of(events)) > 3 * len(HI.text)


async def test_a_reply_in_one_piece_may_be_silent_until_the_deadline(new_ask: NewAsk) -> None:
    limits = Limits(first_token_seconds=0.05, idle_seconds=0.05, grace_seconds=0)
    scene = Scene(wait(0.2), HI, wait(0.2), DONE, limits=limits)

    events, fault = await scene.hear(new_ask(stream=False))

    assert fault is None
    assert Ended(sdk.FinishReason.STOP, USAGE, Cost(50, "list 1"), "acme", "small") == events[-1]


async def test_no_reply_takes_longer_than_the_service_allows(new_ask: NewAsk) -> None:
    scene = Scene(wait(5), DONE, limits=Limits(total_seconds=0.35))

    _, fault = await scene.hear(new_ask(seconds=3600))

    assert isinstance(fault, ProviderTimeout)


async def test_a_vendor_is_not_asked_when_nothing_is_left_of_the_time(new_ask: NewAsk) -> None:
    class SlowLedger(MemoryLedger):
        @override
        async def hold(self, hold: Hold) -> bool:
            await asyncio.sleep(0.1)
            return await super().hold(hold)

    scene, ask = Scene(HI, DONE), new_ask(seconds=0.3)
    ledger = scene.ledger = scene.generation.ledger = SlowLedger()
    scene.generation.cover.ledger = ledger

    _, fault = await scene.hear(ask)

    assert isinstance(fault, DeadlineExceeded)
    assert [] == scene.provider.asked
    assert ("deadline_exceeded", None, None) == scene.settled(ask)


async def test_a_plugin_that_lingers_after_its_end_is_not_waited_for(new_ask: NewAsk) -> None:
    scene = Scene(HI, DONE, wait(30), limits=Limits(end_seconds=0.05))

    async with asyncio.timeout(5):
        events, fault = await scene.hear(new_ask())

    assert fault is None
    assert isinstance(events[-1], Ended)


async def test_a_plugin_that_does_not_let_go_is_not_waited_for(new_ask: NewAsk) -> None:
    async def stream(_: sdk.ReplyRequest) -> AsyncIterator[sdk.ReplyEvent]:
        try:
            yield HI
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(30)

    limits = Limits(idle_seconds=0.05, grace_seconds=0, close_seconds=0.05)
    scene, ask = Scene(limits=limits), new_ask()
    scene.provider.stream = stream
    async with asyncio.timeout(5):
        _, fault = await scene.hear(ask)

    assert isinstance(fault, ProviderTimeout)
    assert (scene.settled(ask) or ("",))[0] == "timeout"


async def test_a_reply_that_nobody_hears_any_more_is_closed_and_settled(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, wait(30), DONE), new_ask()
    begun = await scene.generation.begin(ask)
    await anext(scene.generation.events(begun))

    begun.stop()
    async with asyncio.timeout(5):
        await scene.generation.aclose(1)

    assert ("stopped", HI_USAGE, HI_COST) == scene.settled(ask)
    assert 1 == scene.provider.closed_streams
    assert {} == scene.generation.open


async def test_a_reply_stopped_before_it_began_asks_nobody(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, DONE), new_ask()
    begun = await scene.generation.begin(ask)

    begun.stop()
    await scene.generation.aclose(1)

    assert ("stopped", None, None) == scene.settled(ask)
    assert [] == scene.provider.asked


async def test_stopping_after_the_end_changes_nothing(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, DONE), new_ask()
    begun = await scene.generation.begin(ask)
    heard = [event async for event in scene.generation.events(begun)]

    begun.stop()

    assert isinstance(heard[-1], Ended)
    assert ("stop", USAGE, Cost(50, "list 1")) == scene.settled(ask)


async def test_a_service_that_ends_settles_what_it_made(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, wait(30), DONE), new_ask()
    hearing = asyncio.create_task(scene.hear(ask))
    await asyncio.sleep(0.05)

    await scene.generation.aclose(1)

    events, fault = await hearing
    assert isinstance(fault, Unavailable)
    assert [HI, sdk.UsageUpdate(HI_USAGE)] == list(events)
    assert ("stopped", HI_USAGE, HI_COST) == scene.settled(ask)


async def test_a_service_that_ends_stops_what_is_not_even_held_yet(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, DONE), new_ask()
    hearing = asyncio.create_task(scene.hear(ask))
    while not scene.entry.bulkhead.running:  # noqa: ASYNC110  (a fact, not an event)
        await asyncio.sleep(0)

    await scene.generation.aclose(1)

    assert isinstance((await hearing)[1], Unavailable)
    assert ("stopped", None, None) == scene.settled(ask)
    assert [] == scene.provider.asked


async def test_a_service_that_ends_takes_nothing_on(new_ask: NewAsk) -> None:
    scene, ask, waiting = Scene(HI, wait(30), DONE), new_ask(), new_ask()
    scene.entry.bulkhead.resize(1)
    hearing = [asyncio.create_task(scene.hear(one)) for one in (ask, waiting)]
    await asyncio.sleep(0.05)

    await scene.generation.aclose(1)
    late = await scene.hear(new_ask())

    faults = [fault for _, fault in [*await asyncio.gather(*hearing), late]]
    assert [Unavailable] * 3 == [type(fault) for fault in faults]
    assert [1.0] * 3 == [fault.retry_after for fault in faults if fault]
    assert [ask.usage_id] == list(scene.ledger.books.rows)
    assert 0 == scene.entry.bulkhead.running


async def test_one_more_than_a_provider_may_make_is_refused_after_a_moment(
    new_ask: NewAsk,
) -> None:
    gate = asyncio.Event()
    scene = Scene(HI, gate.wait, DONE, limits=Limits(patience_seconds=0.05))
    scene.entry.bulkhead.resize(2)
    running = [asyncio.create_task(scene.hear(new_ask())) for _ in range(2)]
    await asyncio.sleep(0.01)

    _, refused = await scene.hear(new_ask())
    gate.set()
    await asyncio.gather(*running)
    _, accepted = await scene.hear(new_ask())

    assert isinstance(refused, TooBusy)
    assert ("2", 1.0) == (refused.metadata["limit"], refused.retry_after)
    assert accepted is None


async def test_one_that_waits_takes_the_place_of_one_that_ends(new_ask: NewAsk) -> None:
    scene = Scene(HI, wait(0.1), DONE, limits=Limits(patience_seconds=5))
    scene.entry.bulkhead.resize(1)

    replies = await asyncio.gather(*(scene.hear(new_ask()) for _ in range(3)))

    assert [None] * 3 == [fault for _, fault in replies]


async def test_a_slow_listener_makes_the_provider_wait(new_ask: NewAsk) -> None:
    produced = 0

    async def stream(_: sdk.ReplyRequest) -> AsyncIterator[sdk.ReplyEvent]:
        nonlocal produced
        for _number in range(100):
            produced += 1
            yield sdk.TextDelta("x" * 100)
        yield DONE

    limits = Limits(idle_seconds=0.05, grace_seconds=0, most_characters_behind=1_000)
    scene = Scene(limits=limits)
    scene.provider.stream = stream
    begun = await scene.generation.begin(new_ask())
    await asyncio.sleep(0.3)
    behind = produced
    events = [event async for event in scene.generation.events(begun)]

    assert 11 == behind
    assert 10_000 == len(text_of(events))


async def test_a_listener_who_leaves_while_the_provider_waits_frees_it(new_ask: NewAsk) -> None:
    scene, ask = Scene(*[HI] * 100, DONE, limits=Limits(most_characters_behind=10)), new_ask()
    begun = await scene.generation.begin(ask)
    await asyncio.sleep(0.05)

    begun.stop()
    async with asyncio.timeout(5):
        await scene.generation.aclose(1)

    assert (scene.settled(ask) or ("",))[0] == "stopped"
