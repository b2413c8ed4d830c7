"""Streams from threads of their own: in order, as fast as they are heard, and ended when left."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.adapters.isolation import MOST_WAITING, Blocked

from .fakes import DONE, ScriptedProvider
from .threads import ASK, Isolate, becomes_idle, isolating, tasks_of, texts

pytestmark = pytest.mark.unit


@pytest.fixture
async def isolate() -> AsyncIterator[Isolate]:
    async with isolating() as isolate:
        yield isolate


async def test_a_stream_comes_in_order_and_whole_from_another_thread(isolate: Isolate) -> None:
    where = set()

    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        for number in range(5_000):
            where.add(threading.current_thread().name)
            yield sdk.TextDelta(str(number))
            if number % 97 == 0:
                await asyncio.sleep(0)
        yield DONE

    here = isolate(ScriptedProvider(stream=stream))

    assert [str(number) for number in range(5_000)] == await texts(here)
    assert {"plugin apart"} == where
    assert 0 == await tasks_of(here)


async def test_many_streams_run_at_once(isolate: Isolate) -> None:
    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        for number in range(300):
            yield sdk.TextDelta(str(number))
            await asyncio.sleep(0)

    here = isolate(ScriptedProvider(stream=stream))

    replies = await asyncio.gather(*(texts(here) for _ in range(30)))

    assert [[str(number) for number in range(300)]] * 30 == replies


async def test_an_empty_stream_is_empty(isolate: Isolate) -> None:
    assert [] == await texts(isolate(ScriptedProvider([])))


async def test_a_slow_listener_makes_the_plugin_wait(isolate: Isolate) -> None:
    produced = 0

    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        nonlocal produced
        for number in range(20 * MOST_WAITING):
            produced += 1
            yield sdk.TextDelta(str(number))

    heard = []
    async with aclosing(isolate(ScriptedProvider(stream=stream)).chat_completion(ASK)) as events:
        async for event in events:
            heard.append(event)
            if len(heard) % 1_000 == 1:
                await asyncio.sleep(0.05)
                # What was taken but not heard yet, and what waits.
                assert produced - len(heard) <= 2 * MOST_WAITING + 1

    assert 20 * MOST_WAITING == len(heard)


@pytest.mark.parametrize(
    "failure",
    [
        sdk.RateLimited("Slow down.", retry_after=3),
        sdk.UnsupportedParameter("No.", "seed"),
        ValueError("x"),
        TimeoutError(),
        SystemExit(3),
        asyncio.CancelledError(),
    ],
)
async def test_what_a_stream_raises_arrives_after_what_it_said(
    isolate: Isolate, failure: BaseException
) -> None:
    here = isolate(ScriptedProvider([sdk.TextDelta("Hi"), failure]))
    stream = here.chat_completion(ASK)

    assert sdk.TextDelta("Hi") == await anext(stream)
    with pytest.raises(type(failure)) as caught:
        await anext(stream)

    assert vars(failure) == vars(caught.value)
    # The thread lives on.
    assert (await here.health_check()).healthy


def lingering(ended: list[str]) -> Callable[[Any], Any]:
    """Speaks once and then waits for ever; notes its end."""

    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        try:
            yield sdk.TextDelta("Hi")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)  # it takes a moment to let go
            ended.append(threading.current_thread().name)

    return stream


async def test_closing_the_stream_ends_the_plugins_before_it_returns(isolate: Isolate) -> None:
    ended: list[str] = []
    here = isolate(ScriptedProvider(stream=lingering(ended)))
    stream = here.chat_completion(ASK)
    await anext(stream)

    await stream.aclose()

    assert ["plugin apart"] == ended
    assert 0 == await tasks_of(here)


async def test_cancelling_the_listener_ends_the_plugins_stream(isolate: Isolate) -> None:
    ended: list[str] = []
    here = isolate(ScriptedProvider(stream=lingering(ended)))
    stream = here.chat_completion(ASK)
    await anext(stream)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ["plugin apart"] == ended
    assert 0 == await tasks_of(here)


async def test_a_listener_who_leaves_while_the_plugin_waits_for_it_frees_it(
    isolate: Isolate,
) -> None:
    closed = []

    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        try:
            while True:
                yield sdk.TextDelta("x")
        finally:
            closed.append(True)

    here = isolate(ScriptedProvider(stream=stream))
    events = here.chat_completion(ASK)
    await anext(events)
    await asyncio.sleep(0.05)
    await events.aclose()

    assert ([True], 0) == (closed, await tasks_of(here))


async def test_a_stream_that_goes_on_in_spite_of_being_cancelled_is_closed(
    isolate: Isolate,
) -> None:
    closed = []

    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        try:
            while True:
                yield sdk.TextDelta("x")
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    continue
        finally:
            closed.append(True)

    here = isolate(ScriptedProvider(stream=stream))
    events = here.chat_completion(ASK)
    await anext(events)
    await events.aclose()

    assert ([True], 0) == (closed, await tasks_of(here))


async def test_a_stream_whose_clean_up_hangs_is_left_after_a_second_and_cancelled_again(
    isolate: Isolate,
) -> None:
    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        try:
            yield sdk.TextDelta("x")
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    here = isolate(ScriptedProvider(stream=stream))
    events = here.chat_completion(ASK)
    await anext(events)
    began = time.monotonic()
    await events.aclose()

    assert time.monotonic() - began < 3
    assert 0 == await tasks_of(here)


def coroutine(_: Any) -> Awaitable[list[str]]:
    async def answer() -> list[str]:
        return ["Hi"]

    return answer()


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (coroutine, "coroutine"),
        (lambda _: (text for text in "Hi"), "generator"),
        (lambda _: None, "NoneType"),
        (lambda _: [sdk.TextDelta("Hi"), DONE], "list"),
    ],
)
async def test_what_is_no_stream_is_named(isolate: Isolate, stream: Any, kind: str) -> None:
    here = isolate(ScriptedProvider(stream=stream))

    with pytest.raises(sdk.BadResponse, match=f"gave a {kind} instead of a stream"):
        await texts(here)
    gc.collect()  # a coroutine that nobody awaits would warn now


def blocking(gate: threading.Event) -> Callable[[Any], Any]:
    """Blocks its loop until the gate opens, as a plugin that calls `requests` would."""

    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        yield sdk.TextDelta("Hi")
        gate.wait(30)
        yield sdk.TextDelta("there")

    return stream


async def test_a_plugin_that_blocks_is_told_and_blocks_nobody_else(isolate: Isolate) -> None:
    gate = threading.Event()
    blocked, other = isolate(ScriptedProvider(stream=blocking(gate))), isolate(ScriptedProvider())
    stream = blocked.chat_completion(ASK)
    assert sdk.TextDelta("Hi") == await anext(stream)
    asking = asyncio.create_task(texts(blocked))
    checking = asyncio.create_task(blocked.health_check())
    rounds = 0
    while not (asking.done() and checking.done()):
        assert ["Hi."] == await texts(other)
        rounds += 1
    gate.set()

    assert rounds > 10
    for task in (asking, checking):
        with pytest.raises(Blocked, match="blocks its own event loop"):
            await task
    assert sdk.TextDelta("there") == await anext(stream)
    await stream.aclose()
    assert ["Hi", "there"] == await texts(blocked)


async def test_a_stream_that_blocks_is_left_within_two_seconds(isolate: Isolate) -> None:
    gate = threading.Event()
    here = isolate(ScriptedProvider(stream=blocking(gate)))
    stream = here.chat_completion(ASK)
    await anext(stream)
    began = time.monotonic()
    await stream.aclose()
    took = time.monotonic() - began
    gate.set()

    assert took < 2
    await becomes_idle(here)


async def test_a_stream_that_never_gives_its_loop_back_is_bounded(isolate: Isolate) -> None:
    """Only the queue makes it wait; with nobody to hear it, it waits for ever and blocks nobody."""

    async def stream(request: sdk.ReplyRequest) -> AsyncIterator[Any]:
        while True:
            yield sdk.TextDelta("x")

    here = isolate(ScriptedProvider(stream=stream))
    events = here.chat_completion(ASK)
    await anext(events)

    assert (await here.health_check()).healthy
    await events.aclose()
    assert 0 == await tasks_of(here)
