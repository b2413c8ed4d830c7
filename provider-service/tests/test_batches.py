"""Many small questions as few large ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from parley_provider_service.adapters.batches import Batches
from parley_rpc.faults import DatabaseUnavailable

pytestmark = pytest.mark.unit


class Doubling:
    """Doubles numbers, and remembers in which batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failure: Exception | None = None

    async def run(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await asyncio.sleep(0.01)
        if self.failure:
            raise self.failure
        return [2 * number for number in numbers]


async def test_what_comes_while_one_runs_goes_into_the_next() -> None:
    doubling = Doubling()
    batches = Batches(doubling.run)
    first = asyncio.create_task(batches.ask(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    answers = await asyncio.gather(first, *(batches.ask(number) for number in range(1, 6)))

    assert [0, 2, 4, 6, 8, 10] == answers
    assert [[0], [1, 2, 3, 4, 5]] == doubling.batches


async def test_a_batch_is_not_larger_than_it_may_be() -> None:
    doubling = Doubling()
    batches = Batches(doubling.run, most=2)

    await asyncio.gather(*(batches.ask(number) for number in range(5)))

    assert [2, 2, 1] == [len(batch) for batch in doubling.batches]


async def test_a_failure_is_told_to_all_in_the_batch_and_to_no_other() -> None:
    doubling = Doubling()
    batches = Batches(doubling.run)
    doubling.failure = OSError("gone")

    answers = await asyncio.gather(batches.ask(1), batches.ask(2), return_exceptions=True)
    doubling.failure = None

    assert ["gone", "gone"] == [str(answer) for answer in answers]
    assert 6 == await batches.ask(3)


async def test_who_has_waited_does_not_wait_for_a_database_that_is_away_again() -> None:
    doubling = Doubling()
    batches = Batches(doubling.run)
    doubling.failure = DatabaseUnavailable()
    asking = [asyncio.create_task(batches.ask(0))]
    await asyncio.sleep(0.005)
    asking += [asyncio.create_task(batches.ask(number)) for number in (1, 2)]

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert [DatabaseUnavailable] * 3 == [type(answer) for answer in answers]
    assert [[0]] == doubling.batches
    doubling.failure = None
    assert 6 == await batches.ask(3)


async def test_whoever_leaves_does_not_take_the_others_along() -> None:
    doubling = Doubling()
    batches = Batches(doubling.run)
    leaving, staying = asyncio.create_task(batches.ask(1)), asyncio.create_task(batches.ask(2))
    await asyncio.sleep(0.005)

    leaving.cancel()

    assert 4 == await staying
    assert [[1, 2]] == doubling.batches
