"""So many at once, and who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from parley_chat_service.core.places import Places

pytestmark = pytest.mark.unit


async def filled(most: int) -> tuple[Places, Sequence[int]]:
    """Places that are all taken, with the tickets; nobody has left yet."""
    places = Places(most)
    tickets = [await places.enter() for _ in range(most)]
    return places, [ticket for ticket in tickets if ticket is not None]


async def used(most: int, stay: float) -> tuple[Places, Sequence[int]]:
    """Places that are all taken, after one who stayed for so long."""
    places = Places(most)
    ticket = await places.enter()
    assert ticket is not None
    await asyncio.sleep(stay)
    places.leave(ticket)
    tickets = [await places.enter() for _ in range(most)]
    return places, [ticket for ticket in tickets if ticket is not None]


async def waiting(places: Places) -> asyncio.Task[int | None]:
    """Wait for a place."""
    task = asyncio.create_task(places.enter())
    await asyncio.sleep(0)
    return task


async def test_nobody_waits_where_others_stay_long() -> None:
    places, _ = await used(2, stay=1.0)

    asked = [await waiting(places) for _ in range(3)]

    assert [None] * 3 == [task.result() for task in asked]


async def test_who_may_expect_a_place_waits_for_it_in_turn() -> None:
    places, tickets = await used(2, stay=0.1)

    first, second = [await waiting(places) for _ in range(2)]

    assert await places.enter() is None  # no more than two can become free
    places.leave(tickets[0])
    await asyncio.sleep(0.01)
    assert (True, False) == (first.done(), second.done())
    places.leave(tickets[1])
    assert None not in (await first, await second)
    assert 2 == places.taken


async def test_who_stays_longer_than_others_did_is_not_waited_for() -> None:
    places, _ = await used(1, stay=0.01)
    await asyncio.sleep(0.1)
    began = asyncio.get_running_loop().time()

    assert await places.enter() is None
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_before_anybody_has_left_one_waits_and_not_for_ever() -> None:
    places, _ = await filled(1)

    first = await waiting(places)

    assert await places.enter() is None
    assert await first is None
    assert 1 == places.taken


async def test_who_leaves_the_queue_takes_no_place() -> None:
    places, tickets = await filled(1)
    task = await waiting(places)
    task.cancel()
    await asyncio.wait({task})

    places.leave(tickets[0])

    assert 0 == places.taken
    assert await places.enter() is not None


async def test_a_place_that_comes_with_the_cancellation_is_given_back() -> None:
    places, tickets = await filled(1)
    task = await waiting(places)
    places.leave(tickets[0])
    task.cancel()
    await asyncio.wait({task})

    assert (True, 0) == (task.cancelled(), places.taken)
