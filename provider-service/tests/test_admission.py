"""Who is let through to a vendor, in order and exactly as many as may be."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_provider_service.core.admission import (
    FAILURES_TO_OPEN,
    OPEN_SECONDS,
    Breaker,
    Bulkhead,
    Circuit,
    RetryBudget,
)

pytestmark = pytest.mark.unit


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(bulkhead: Bulkhead, count: int, order: list[int]) -> list[asyncio.Task[bool]]:
    """Let so many wait for a place, one after the other; they note when they got it."""

    async def enter(number: int) -> bool:
        entered = await bulkhead.enter(60)
        order.append(number)
        return entered

    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(enter(number)))
        await settled()
    return tasks


async def test_places_are_given_out_in_the_order_in_which_they_were_asked_for() -> None:
    bulkhead, order = Bulkhead(1), list[int]()
    assert await bulkhead.enter(0)
    tasks = await waiting(bulkhead, 5, order)

    for number in range(5):
        bulkhead.leave()
        await settled()
        assert list(range(number + 1)) == order
        assert 1 == bulkhead.running

    assert [True] * 5 == await asyncio.gather(*tasks)


async def test_nobody_overtakes_those_who_wait() -> None:
    bulkhead, order = Bulkhead(1), list[int]()
    assert await bulkhead.enter(0)
    [task] = await waiting(bulkhead, 1, order)

    bulkhead.leave()

    assert not await bulkhead.enter(0)
    assert await task


async def test_who_does_not_want_to_wait_is_told_at_once() -> None:
    bulkhead = Bulkhead(1)

    assert [True, False, False] == [await bulkhead.enter(wait) for wait in (0, 0, -1)]
    assert 1 == bulkhead.running


async def test_who_waits_in_vain_takes_no_place() -> None:
    bulkhead = Bulkhead(1)
    assert await bulkhead.enter(0)

    assert not await bulkhead.enter(0.01)
    bulkhead.leave()

    assert 0 == bulkhead.running
    assert await bulkhead.enter(0)


async def test_a_higher_limit_lets_in_who_waits_and_a_lower_one_lets_those_finish_who_run() -> None:
    bulkhead, order = Bulkhead(1), list[int]()
    assert await bulkhead.enter(0)
    tasks = await waiting(bulkhead, 4, order)

    bulkhead.resize(3)
    await settled()
    assert ([0, 1], 3) == (order, bulkhead.running)

    bulkhead.resize(1)
    for running in (2, 1):
        bulkhead.leave()
        await settled()
        assert ([0, 1], running) == (order, bulkhead.running)
    bulkhead.leave()
    await settled()
    assert ([0, 1, 2], 1) == (order, bulkhead.running)
    bulkhead.leave()
    await asyncio.gather(*tasks)


async def test_a_cancellation_in_the_moment_of_admission_gives_the_place_back() -> None:
    bulkhead = Bulkhead(1)
    for turns in range(4):
        assert await bulkhead.enter(0)
        task = asyncio.create_task(bulkhead.enter(60))
        await settled()
        bulkhead.leave()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        [outcome] = await asyncio.gather(task, return_exceptions=True)
        if outcome is True:
            bulkhead.leave()
        else:
            assert isinstance(outcome, asyncio.CancelledError)
        assert 0 == bulkhead.running


async def test_a_cancellation_is_never_swallowed() -> None:
    """Whoever has the place already and was cancelled before it knew must end all the same."""
    bulkhead, ended = Bulkhead(1), []

    async def enter() -> None:
        try:
            await bulkhead.enter(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("went on")

    assert await bulkhead.enter(0)
    task = asyncio.create_task(enter())
    await settled()
    bulkhead.leave()
    asyncio.get_running_loop().call_soon(task.cancel)
    await asyncio.gather(task, return_exceptions=True)

    assert (["cancelled"], 0) == (ended, bulkhead.running)


@dataclass
class Crowd:
    """Many who come, wait, get in, are cancelled, time out and leave, by chance."""

    bulkhead: Bulkhead
    chance: random.Random
    inside: int = 0
    most: int = 0
    entered: int = 0

    async def come(self) -> None:
        patience = self.chance.choice([0.0, 0.0005, 0.001, 0.002, 60.0])
        if not await self.bulkhead.enter(patience):
            return
        self.entered += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.0005, 0.001]))
        finally:
            self.inside -= 1
            self.bulkhead.leave()

    async def run(self, people: int, *, resizing: bool) -> None:
        """Let them come; in the end the limit is such that all get in."""
        tasks = []
        for _ in range(people):
            tasks.append(asyncio.create_task(self.come()))
            if self.chance.random() < 0.3:
                self.chance.choice(tasks).cancel()
            if resizing and self.chance.random() < 0.05:
                self.bulkhead.resize(self.chance.randint(1, 6))
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.choice([0.0, 0.0005]))
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("resizing", [False, True])
@pytest.mark.parametrize("seed", range(5))
async def test_no_place_is_lost_or_given_twice_in_a_crowd(seed: int, resizing: bool) -> None:
    crowd = Crowd(Bulkhead(3), random.Random(seed))  # noqa: S311  (a test's dice)

    await crowd.run(400, resizing=resizing)

    assert (0, 0) == (crowd.bulkhead.running, crowd.inside)
    assert 30 < crowd.entered
    assert crowd.most == 3 or resizing
    crowd.bulkhead.resize(2)
    assert [True, True, False] == [await crowd.bulkhead.enter(0) for _ in range(3)]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000.0)


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def opened(breaker: Breaker) -> None:
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.admit()
        breaker.fail()
    assert Circuit.OPEN == breaker.circuit


def test_five_failures_in_a_row_open_it_for_ten_seconds(breaker: Breaker, clock: Clock) -> None:
    for _ in range(4):
        breaker.fail()
    assert (Circuit.CLOSED, 0.0, True) == (breaker.circuit, breaker.wait, breaker.admit())

    breaker.fail()
    assert (Circuit.OPEN, 10.0, False) == (breaker.circuit, breaker.wait, breaker.admit())
    clock.now += OPEN_SECONDS - 0.001
    assert not breaker.admit()
    clock.now += 0.001
    assert (Circuit.HALF_OPEN, 0.0) == (breaker.circuit, breaker.wait)


def test_a_success_between_failures_begins_the_row_anew(breaker: Breaker) -> None:
    for _ in range(10):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.fail()
        breaker.succeed()

    assert Circuit.CLOSED == breaker.circuit


def test_what_says_nothing_about_the_vendor_neither_opens_nor_heals(breaker: Breaker) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.fail()
        breaker.abstain()
    before = breaker.circuit
    breaker.fail()

    assert (Circuit.CLOSED, Circuit.OPEN) == (before, breaker.circuit)


def test_exactly_one_call_tries_a_vendor_that_was_left_alone(
    breaker: Breaker, clock: Clock
) -> None:
    opened(breaker)
    clock.now += OPEN_SECONDS

    assert [True, False, False] == [breaker.admit() for _ in range(3)]
    clock.now += 1_000
    assert not breaker.admit()


def test_its_success_closes_it(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += OPEN_SECONDS
    assert breaker.admit()
    breaker.succeed()

    assert (Circuit.CLOSED, True, True) == (breaker.circuit, breaker.admit(), breaker.admit())
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.fail()
    assert Circuit.CLOSED == breaker.circuit


def test_its_failure_opens_it_for_ten_seconds_more(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    for _ in range(3):
        clock.now += OPEN_SECONDS
        assert breaker.admit()
        clock.now += 3
        breaker.fail()
        assert (Circuit.OPEN, 10.0, False) == (breaker.circuit, breaker.wait, breaker.admit())


def test_one_that_says_nothing_lets_another_try(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += OPEN_SECONDS
    assert breaker.admit()
    breaker.abstain()

    assert [True, False] == [breaker.admit(), breaker.admit()]


def test_late_failures_of_calls_that_began_before_do_not_keep_it_open_longer(
    breaker: Breaker, clock: Clock
) -> None:
    opened(breaker)
    clock.now += 9
    breaker.fail()

    assert 1.0 == breaker.wait


@given(st.lists(st.booleans(), max_size=400))
@settings(deadline=None)
def test_at_most_one_of_any_twelve_requests_is_asked_again(
    wishes: list[bool],
) -> None:
    budget, spent = RetryBudget(), [0]
    for wish in wishes:
        budget.note_request()
        spent.append(spent[-1] + (wish and budget.spend()))

    for begin in range(len(spent)):
        for end in range(begin + 1, len(spent)):
            assert spent[end] - spent[begin] <= 1 + (end - begin - 1) // 12


@pytest.mark.parametrize("quiet", [0, 1, 10_000])
def test_never_more_than_a_tenth_of_fifty_requests_or_more(quiet: int) -> None:
    budget, spent = RetryBudget(), 0
    for _ in range(quiet):
        budget.note_request()
    for requests in range(1, 120_001):
        budget.note_request()
        spent += budget.spend()
        assert requests < 50 or 10 * spent <= requests

    assert 10_000 == spent


def test_only_one_is_saved_up_and_it_is_there_from_the_beginning() -> None:
    fresh, quiet = RetryBudget(), RetryBudget()
    for _ in range(10_000):
        quiet.note_request()

    for budget in (fresh, quiet):
        assert 1 == sum(budget.spend() for _ in range(100))
