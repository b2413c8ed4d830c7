"""A plugin on an event loop of its own, in a thread of its own: when it blocks, it blocks itself.

What it costs is a hop between two threads for what has come since the last one; the queue between
them is bounded, so a listener that is slow makes the plugin wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, aclosing, suppress
from typing import Any, TypeVar

import parley_provider_sdk as sdk

Answer = TypeVar("Answer")

# A plugin that takes longer to be made hangs.
MADE_WITHIN_SECONDS = 5.0
# A loop that does nothing for so long is blocked.
ALIVE_WITHIN_SECONDS = 2.0
KNOWN_WITHIN_SECONDS = 0.05
CLOSED_WITHIN_SECONDS = 1.0
MOST_WAITING = 256


class Blocked(sdk.BackendError):
    """The plugin does something for too long without letting anything else run."""

    def __init__(self) -> None:
        super().__init__("Its plugin blocks its own event loop, so nothing else of it can run.")


def isolated(name: str, create: Callable[[], sdk.Provider]) -> sdk.Provider:
    """Make a provider in a thread of its own; raise what its code raises, TimeoutError."""
    home = Home(name)
    with ExitStack() as unless_made:
        unless_made.callback(home.close)
        provider = home.submit(_making(create)).result(MADE_WITHIN_SECONDS)
        unless_made.pop_all()
    kinds = (isinstance(provider, sdk.Selective), isinstance(provider, sdk.TokenCounter))
    match kinds:
        case True, True:
            return SelectiveCounter(home, provider)
        case True, False:
            return SelectiveProvider(home, provider)
        case False, True:
            return CountingProvider(home, provider)
    return IsolatedProvider(home, provider)


async def _making(create: Callable[[], Answer]) -> Answer:
    return create()


class Home:
    """A thread with an event loop in which one plugin runs, and nothing else."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        # It does not keep the process alive: nobody can end a thread that hangs.
        self._thread = threading.Thread(target=self._run, name=f"plugin {name}", daemon=True)
        self._thread.start()

    def submit(self, work: Awaitable[Answer]) -> Future[Answer]:
        """Run something in there."""
        return asyncio.run_coroutine_threadsafe(_awaited(work), self._loop)

    async def ask(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run something in there and wait for it; Blocked when nothing runs in there."""
        await self.check()
        return await asyncio.wrap_future(self.submit(_called(work)))

    async def check(self) -> None:
        """Return when the loop runs; Blocked when it does not."""
        alive = asyncio.wrap_future(self.submit(asyncio.sleep(0)))
        try:
            await asyncio.wait_for(alive, ALIVE_WITHIN_SECONDS)
        except TimeoutError:
            raise Blocked from None

    def call_soon(self, work: Callable[[], object]) -> None:
        """Run something in there without waiting."""
        self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """End the thread as soon as it can be ended."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


async def _awaited(work: Awaitable[Answer]) -> Answer:
    return await work


async def _called(work: Callable[[], Awaitable[Answer]]) -> Answer:
    return await work()


class IsolatedProvider:
    """Speaks for a provider that lives elsewhere."""

    def __init__(self, home: Home, provider: sdk.Provider) -> None:
        self.home = home
        self.provider = provider

    async def chat_completion(self, request: sdk.ReplyRequest) -> sdk.ReplyStream:
        await self.home.check()
        channel = Channel(self.home)
        making = self.home.submit(channel.fill(self.provider, request))
        making.add_done_callback(lambda _: channel.end())
        try:
            while events := await channel.take():
                for event in events:
                    yield event
            await asyncio.wrap_future(making)  # raises what the stream raised
        finally:
            making.cancel()
            await channel.ended(CLOSED_WITHIN_SECONDS)

    async def list_models(self) -> Sequence[sdk.ModelInfo]:
        return await self.home.ask(self.provider.list_models)

    async def health_check(self) -> sdk.Health:
        return await self.home.ask(self.provider.health_check)

    async def aclose(self) -> None:
        try:
            await self.home.ask(self.provider.aclose)
        finally:
            self.home.close()


class SelectiveProvider(IsolatedProvider):
    """One some of whose models do not take every parameter."""

    def __init__(self, home: Home, provider: Any) -> None:
        super().__init__(home, provider)
        self._unsupported: dict[str, frozenset[str]] = {}

    def unsupported_parameters(self, model: str) -> frozenset[str]:
        """Ask once for each model, and not for long: what is not known now the vendor will say."""
        if model not in self._unsupported:
            provider: Any = self.provider
            asked: Future[Any] = self.home.submit(
                _making(lambda: provider.unsupported_parameters(model))
            )
            try:
                self._unsupported[model] = frozenset(asked.result(KNOWN_WITHIN_SECONDS))
            except TimeoutError:
                return frozenset()
        return self._unsupported[model]


class CountingProvider(IsolatedProvider):
    """One that can count tokens."""

    async def count_tokens(self, request: sdk.ReplyRequest) -> int:
        """Ask in there."""
        provider: Any = self.provider
        return await self.home.ask(lambda: provider.count_tokens(request))


class SelectiveCounter(SelectiveProvider, CountingProvider):
    """Both."""


class Channel:
    """What a stream brings from its thread to ours; made in ours."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._events: deque[sdk.ReplyEvent] = deque()
        self._arrived = asyncio.Event()
        self._ended = asyncio.Event()
        # Belongs to the other loop.
        self._room = asyncio.Event()

    async def fill(self, provider: sdk.Provider, request: sdk.ReplyRequest) -> None:
        """Bring a whole stream; runs in the plugin's thread."""
        stream: object = provider.chat_completion(request)
        if not isinstance(stream, AsyncGenerator):
            raise sdk.BadResponse(f"The plugin gave a {type(stream).__name__} instead of a stream.")
        async with aclosing(stream) as events:
            async for event in events:
                self._events.append(event)
                self._loop.call_soon_threadsafe(self._arrived.set)
                if len(self._events) >= MOST_WAITING:
                    self._room.clear()
                    await self._room.wait()

    async def take(self) -> list[sdk.ReplyEvent]:
        """Return what has come; nothing at the end."""
        while not self._events and not self._ended.is_set():
            self._arrived.clear()
            if not self._events and not self._ended.is_set():
                await self._arrived.wait()
        events = [self._events.popleft() for _ in range(len(self._events))]
        if events:
            self._home.call_soon(self._room.set)
        return events

    def end(self) -> None:
        """Say that nothing more comes; runs in the plugin's thread."""
        self._loop.call_soon_threadsafe(self._finish)

    async def ended(self, seconds: float) -> None:
        """Return when nothing more comes, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)

    def _finish(self) -> None:
        self._ended.set()
        self._arrived.set()
