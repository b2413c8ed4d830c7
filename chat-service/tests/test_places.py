"""So many at once, and who waits."""

from __future__ import annotations

import asyncio

import pytest
from parley_chat_service.core.places import Places

pytestmark = pytest.mark.unit


async def filled(most: int) -> Places:
    places = Places(most)
    assert [True] * most == [await places.enter() for _ in range(most)]
    return places


async def test_nobody_waits_where_nothing_becomes_free() -> None:
    places = await filled(2)
    loop = asyncio.get_running_loop()
    began = loop.time()

    assert [False] * 3 == [await places.enter() for _ in range(3)]
    assert loop.time() - began < 0.1


async def test_who_may_expect_a_place_waits_for_it_in_turn() -> None:
    places = await filled(4)
    for _ in range(4):
        places.leave()
    for _ in range(4):
        await places.enter()

    first, second = (asyncio.create_task(places.enter()) for _ in range(2))
    await asyncio.sleep(0)
    assert not await places.enter()  # two of four that became free of late are promised
    places.leave()
    await asyncio.sleep(0)
    assert (True, False) == (first.done(), second.done())
    places.leave()
    assert (True, True) == (await first, await second)
    assert 4 == places.taken


async def test_a_wait_in_vain_ends_after_a_second() -> None:
    places = await filled(1)
    places.leave()
    await places.enter()

    assert not await places.enter()
    assert 1 == places.taken


async def test_who_leaves_the_queue_takes_no_place() -> None:
    places = await filled(1)
    places.leave()
    await places.enter()
    waiting = asyncio.create_task(places.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})

    places.leave()

    assert 0 == places.taken
    assert await places.enter()


async def test_a_place_that_comes_with_the_cancellation_is_given_back() -> None:
    places = await filled(1)
    places.leave()
    await places.enter()
    waiting = asyncio.create_task(places.enter())
    await asyncio.sleep(0)
    places.leave()
    waiting.cancel()
    await asyncio.wait({waiting})

    assert (True, 0) == (waiting.cancelled(), places.taken)
