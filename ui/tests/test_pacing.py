"""Events at an even pace."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from parley_ui.pacing import paced

pytestmark = pytest.mark.unit


def test_events_come_in_order_and_none_is_lost() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(100):
            yield number
            await asyncio.sleep(0.001)

    batches = list(paced(numbers(), 0.02))
    assert [number for batch in batches for number in batch] == list(range(100))
    assert len(batches) < 50


def test_silence_is_noticed() -> None:
    async def silent() -> AsyncGenerator[int, None]:
        await asyncio.sleep(0.1)
        yield 1

    assert [] in list(paced(silent(), 0.01))


def test_what_breaks_the_events_is_raised_after_what_came_before() -> None:
    async def broken() -> AsyncGenerator[int, None]:
        yield 1
        raise ConnectionError("gone")

    batches = paced(broken(), 0.01)
    assert next(batches) == [1]
    with pytest.raises(ConnectionError, match="gone"):
        next(batches)


def test_closing_closes_the_source() -> None:
    closed = []

    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.001)
        finally:
            closed.append(True)

    batches = paced(endless(), 0.01)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert closed == [True]
