"""What a process does every two seconds."""

from __future__ import annotations

import asyncio

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.housekeeping import Housekeeping
from parley_provider_service.core.model import Settlement
from parley_rpc.faults import DatabaseUnavailable, Unavailable

from .books import MemoryLedger
from .conftest import NewAsk
from .fakes import DONE, wait
from .scene import Scene

pytestmark = pytest.mark.unit

HI = sdk.TextDelta("Hi there")


def housekeeping_of(scene: Scene) -> Housekeeping:
    return Housekeeping(scene.catalog, scene.generation, scene.ledger)


async def test_what_open_calls_have_produced_is_written_down(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, wait(30), DONE), new_ask()
    hearing = asyncio.create_task(scene.hear(ask))
    await asyncio.sleep(0.01)

    await housekeeping_of(scene).once()

    assert scene.catalog.loaded
    assert len(HI.text) == scene.ledger.books.rows[ask.usage_id].progress.output_chars
    assert scene.ledger.worker_id in scene.ledger.books.leases
    await scene.generation.aclose(1)
    await hearing


async def test_the_calls_of_a_dead_process_are_settled(new_ask: NewAsk) -> None:
    scene, living, ask = Scene(HI, wait(30), DONE), Scene(), new_ask()
    living.ledger = MemoryLedger(scene.ledger.books, lease_seconds=0.05)
    scene.ledger.lease_seconds = 0.05
    hearing = asyncio.create_task(scene.hear(ask))
    await asyncio.sleep(0.01)
    await housekeeping_of(scene).once()
    await asyncio.sleep(0.1)

    await housekeeping_of(living).once()

    usage = sdk.Usage(2, 2, source=sdk.UsageSource.ESTIMATED)
    assert ("interrupted", usage) == (scene.settled(ask) or ())[:2]
    await scene.generation.aclose(1)
    await hearing


async def test_a_call_that_another_process_settled_is_ended(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, wait(30), DONE), new_ask()
    hearing = asyncio.create_task(scene.hear(ask))
    await asyncio.sleep(0.01)
    await scene.ledger.settle(Settlement(ask.usage_id, "interrupted", None, None, 0))

    await housekeeping_of(scene).once()

    async with asyncio.timeout(5):
        _, fault = await hearing
    assert isinstance(fault, Unavailable)
    assert 1 == scene.provider.closed_streams
    assert ("interrupted", None, None) == scene.settled(ask)


async def test_a_call_that_another_process_took_over_ends_without_figures(new_ask: NewAsk) -> None:
    """They would be those of a charge that nobody makes."""
    taken: list[bool] = []

    async def take_over() -> None:
        books = scene.ledger.books
        taken.append(await MemoryLedger(books).hold(books.rows[ask.usage_id].hold))

    scene, ask = Scene(take_over, HI, DONE), new_ask()

    events, fault = await scene.hear(ask)

    assert isinstance(fault, Unavailable)
    assert ([True], [HI], None) == (taken, list(events), scene.settled(ask))


async def test_a_database_that_is_away_is_waited_for() -> None:
    scene = Scene()
    scene.ledger.reachable.clear()
    with pytest.raises(DatabaseUnavailable):
        await housekeeping_of(scene).once()

    keeping = asyncio.create_task(housekeeping_of(scene).run())
    await asyncio.sleep(0.01)

    assert not keeping.done()
    keeping.cancel()
