"""So many at once, and who waits."""

from __future__ import annotations

import asyncio

import pytest
from parley_chat_service.core.places import Places

pytestmark = pytest.mark.unit


async def filled(most: int, stay: float = 0.0) -> tuple[Places, float]:
    """Places that are all taken; those who were there before stayed for so long, if anybody was."""
    places = Places(most)
    now = asyncio.get_running_loop().time()
    if stay:
        assert await places.enter() is not None
        places.leave(now - stay)
    for _ in range(most):
        assert await places.enter() is not None
    return places, now


async def waiting(places: Places) -> asyncio.Task[float | None]:
    """Wait for a place."""
    task = asyncio.create_task(places.enter())
    await asyncio.sleep(0)
    return task


async def test_nobody_waits_where_others_stay_long() -> None:
    places, began = await filled(2, stay=30)

    assert [None] * 3 == [await places.enter() for _ in range(3)]
    assert asyncio.get_running_loop().time() - began < 0.1


async def test_as_many_wait_as_may_expect_a_place_and_get_it_in_turn() -> None:
    places, began = await filled(4, stay=1)

    first, second = [await waiting(places) for _ in range(2)]

    assert await places.enter() is None  # two of four become free in half a second
    places.leave(began)
    await asyncio.sleep(0)
    assert (True, False) == (first.done(), second.done())
    places.leave(began)
    assert None not in (await first, await second)
    assert 4 == places.taken


async def test_before_anybody_has_left_one_waits_and_not_for_ever() -> None:
    places, _ = await filled(1)

    first = await waiting(places)

    assert await places.enter() is None
    assert await first is None
    assert 1 == places.taken


async def test_who_leaves_the_queue_takes_no_place() -> None:
    places, began = await filled(1)
    task = await waiting(places)
    task.cancel()
    await asyncio.wait({task})

    places.leave(began)

    assert 0 == places.taken
    assert await places.enter() is not None


async def test_a_place_that_comes_with_the_cancellation_is_given_back() -> None:
    places, began = await filled(1)
    task = await waiting(places)
    places.leave(began)
    task.cancel()
    await asyncio.wait({task})

    assert (True, 0) == (task.cancelled(), places.taken)
