"""How long a provider keeps the event loop to itself, and how much it hoards: measured fairly.

The scripted vendor of a test runs in the same loop and the same process, and the machine may be
busy with other things; neither is the provider's fault.
"""

# ruff: noqa: S101  (these are parts of tests)

from __future__ import annotations

import asyncio
import gc
import math
import tracemalloc
from collections.abc import Coroutine, Generator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar, copy_context
from time import perf_counter
from typing import Any

from typing_extensions import override

from parley_provider_sdk.testing.clock import Clock
from parley_provider_sdk.types import ReplyStream, TextDelta

__all__ = ["grown", "longest_step"]

_is_watched: ContextVar[bool] = ContextVar("is_watched", default=False)


class _Stepped(Coroutine[Any, Any, Any]):
    """A coroutine that measures its steps: what it does from one waiting to the next."""

    def __init__(self, inner: Any, watch: _Watch) -> None:
        self._inner = inner
        self._watch = watch

    @override
    def send(self, value: Any) -> Any:
        with self._watch.step():
            return self._inner.send(value)

    @override
    def throw(self, *raised: Any) -> Any:
        with self._watch.step():
            return self._inner.throw(*raised)

    @override
    def close(self) -> None:
        self._inner.close()

    @override
    def __await__(self) -> Generator[Any, Any, Any]:
        wait: Generator[Any, Any, Any] = self._inner.__await__()
        return wait


class _Watch:
    """Watches the tasks of a provider, and of nobody else."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._clock = Clock()

    @contextmanager
    def step(self) -> Iterator[None]:
        began = self._clock()
        try:
            yield
        finally:
            self.longest = max(self.longest, self._clock() - began)

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **more: Any,
    ) -> asyncio.Task[Any]:
        """Makes a task; measures it when it is made by what is watched."""
        inner = _Stepped(work, self) if _is_watched.get() else work
        return asyncio.Task(inner, loop=loop, **more)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Has the loop's tasks made here, and no garbage collected: that takes time of its own."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(self._task)
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            loop.set_task_factory(before)
            self._clock.close()


async def longest_step(events: ReplyStream, *, patience: float) -> float:
    """Returns the longest time, in seconds, for which a reply lets nobody else run.

    Counted are the steps of the task that listens, and of every task that is started on its
    behalf. Listens for so many seconds at most, measured between two events.
    """
    watch = _Watch()
    give_up = perf_counter() + patience

    async def listen() -> None:
        async with aclosing(events):
            async for _ in events:
                if perf_counter() > give_up:
                    break

    context = copy_context()
    context.run(_is_watched.set, True)
    with watch.watching():
        await context.run(asyncio.create_task, listen())
    return watch.longest


async def grown(events: ReplyStream, words: int) -> tuple[int, int]:
    """Listens to a reply of so many words, and watches the memory of the process meanwhile.

    Returns by how many bytes what is kept has grown from the third and fourth tenth of it to the
    seventh and eighth, and the most that was kept at once. Only what is made after the first tenth
    counts: the scripted vendor has made all of its reply by then. Of each stretch the least
    counts, because buffers fill and empty. Fails when the words do not all come.
    """
    said = peak = 0
    early = late = math.inf
    try:
        async for event in events:
            if isinstance(event, TextDelta):
                said += event.text.count(" ")
            if said >= words // 10 and not tracemalloc.is_tracing():
                gc.collect()
                tracemalloc.start()
            kept, peak = tracemalloc.get_traced_memory()
            if 2 <= said * 10 // words < 4:
                early = min(early, kept)
            elif 6 <= said * 10 // words < 8:
                late = min(late, kept)
    finally:
        tracemalloc.stop()
    assert said >= words - 1, f"{words} words were sent, {said} came."
    assert max(early, late) < math.inf, "The reply came at once instead of as it was made."
    return int(late - early), peak
