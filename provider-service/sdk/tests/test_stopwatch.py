"""What is measured is the provider's: neither its peer's nor the machine's."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from parley_provider_sdk import Finished, FinishReason, ReplyStream, TextDelta, Usage
from parley_provider_sdk.testing.clock import Clock
from parley_provider_sdk.testing.stopwatch import grown, longest_step

pytestmark = pytest.mark.unit

END = Finished(FinishReason.STOP, Usage(1, 1))


@asynccontextmanager
async def a_peer_that_blocks() -> AsyncIterator[None]:
    async def block() -> None:
        while True:
            time.sleep(0.1)  # noqa: ASYNC251  (that is what it is for)
            await asyncio.sleep(0)

    task = asyncio.create_task(block())
    yield
    task.cancel()


async def reply(seconds: float) -> ReplyStream:
    await asyncio.sleep(0)
    time.sleep(seconds)  # noqa: ASYNC251  (that is what is measured)
    yield TextDelta("a ")
    await asyncio.sleep(0.05)
    yield END


async def test_a_step_of_the_reply_is_measured() -> None:
    assert 0.1 <= await longest_step(reply(0.1), patience=5) < 0.2


async def test_a_step_of_the_peers_is_not() -> None:
    async with a_peer_that_blocks():
        assert await longest_step(reply(0), patience=5) < 0.05


async def test_the_loop_makes_its_own_tasks_afterwards() -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    await longest_step(reply(0), patience=5)
    assert loop.get_task_factory() is before


async def test_waiting_for_a_processor_does_not_count() -> None:
    clock = Clock()
    others = [threading.Thread(target=sum, args=[range(2_000_000)]) for _ in range(2)]
    for other in others:
        other.start()
    began = clock()
    time.sleep(0.05)  # noqa: ASYNC251  (that is what is measured)
    slept = clock() - began
    for other in others:
        other.join()
    clock.close()
    clock.close()
    assert slept >= 0.04


async def test_patience_ends_between_two_events() -> None:
    async def endless() -> ReplyStream:
        while True:
            await asyncio.sleep(0.01)
            yield TextDelta("a ")

    begin = time.monotonic()
    await longest_step(endless(), patience=0.1)
    assert time.monotonic() - begin < 1


async def test_what_is_kept_is_measured() -> None:
    kept = []

    async def hoard() -> ReplyStream:
        for number in range(1000):
            kept.append(bytes(1024))
            yield TextDelta(f"{number} ")
        yield END

    growth, peak = await grown(hoard(), 1000)
    assert 300 << 10 < growth < 500 << 10
    assert peak > 800 << 10


async def test_words_that_do_not_come_are_missed() -> None:
    with pytest.raises(AssertionError, match="50 words were sent, 1 came"):
        await grown(reply(0), 50)


async def test_a_reply_that_comes_at_once_cannot_be_measured() -> None:
    async def whole() -> ReplyStream:
        yield TextDelta("a " * 50)
        yield END

    with pytest.raises(AssertionError, match="came at once"):
        await grown(whole(), 50)
