"""A time limit that moves, and does not take no for an answer."""

from __future__ import annotations

import asyncio
import time

import pytest
from parley_provider_service.core.patience import Patience

pytestmark = pytest.mark.unit


def in_seconds(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_takes_too_long_is_ended() -> None:
    patience = Patience(in_seconds(0.05), again=5)

    with pytest.raises(TimeoutError), patience:
        await asyncio.sleep(5)

    assert patience.expired


async def test_what_is_quick_enough_is_left_alone() -> None:
    with Patience(in_seconds(0.05), again=5) as patience:
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)

    assert not patience.expired


async def test_moving_the_limit_away_gives_more_time() -> None:
    with Patience(in_seconds(0.5), again=5) as patience:
        for _ in range(7):
            await asyncio.sleep(0.1)
            patience.move(in_seconds(0.5))


async def test_moving_the_limit_nearer_gives_less() -> None:
    async def watched() -> None:
        with Patience(in_seconds(5), again=5) as patience:
            patience.move(in_seconds(0.05))
            await asyncio.sleep(5)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await watched()

    assert time.monotonic() - began < 4


async def test_it_can_be_ended_from_outside() -> None:
    patience = Patience(in_seconds(5), again=5)
    asyncio.get_running_loop().call_later(0.05, patience.end)

    with pytest.raises(TimeoutError), patience:
        await asyncio.sleep(5)


async def test_what_hangs_in_its_clean_up_is_cancelled_again() -> None:
    async def stubborn() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(5)
            finally:
                await asyncio.sleep(5)

    began = time.monotonic()
    with pytest.raises(TimeoutError), Patience(in_seconds(0.05), again=0.05):
        await stubborn()

    assert time.monotonic() - began < 4
    task = asyncio.current_task()
    assert task is not None
    assert 0 == task.cancelling()


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def watched() -> None:
        with Patience(in_seconds(5), again=5):
            await asyncio.sleep(5)

    task = asyncio.create_task(watched())
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_failure_stays_what_it_is() -> None:
    async def turning() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise KeyError("x") from None

    with pytest.raises(KeyError), Patience(in_seconds(0.02), again=5):
        await turning()

    await asyncio.sleep(0)
