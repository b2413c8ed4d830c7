"""A plugin on an event loop of its own, in a thread of its own: when it blocks, it blocks itself.

What it costs is a hop between two threads for what has come since the last one; the queue between
them is bounded, so a listener that is slow makes the plugin wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, aclosing, suppress
from functools import cache
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
# Anybody may name models, so what is known of them is not kept for ever.
MOST_MODELS = 1_000


class Hangs(TimeoutError):  # noqa: N818  (named for what it means, as all failures here)
    """The plugin does not come to an end of being made."""


class Blocked(sdk.BackendError):
    """The plugin does something for too long without letting anything else run."""

    def __init__(self) -> None:
        super().__init__("Its plugin blocks its own event loop, so nothing else of it can run.")


class Closed(sdk.BackendError):
    """The plugin was asked after it had been let go."""

    def __init__(self) -> None:
        super().__init__("The provider was configured anew or let go meanwhile.")


def isolated(
    name: str, create: Callable[[], sdk.Provider], seconds: float = MADE_WITHIN_SECONDS
) -> sdk.Provider:
    """Make a provider in a thread of its own; raise what its code raises, Hangs."""
    home = Home(name)
    with ExitStack() as undo:
        undo.callback(home.close)
        making = home.submit(_making(create))
        if wait([making], seconds).not_done:
            raise Hangs
        provider = making.result()
        undo.pop_all()
    kinds = (
        (sdk.Selective, SelectiveProvider),
        (sdk.TokenCounter, CountingProvider),
        (sdk.Embedder, EmbeddingProvider),
    )
    able = tuple(speaker for kind, speaker in kinds if isinstance(provider, kind))
    return speaker_of(able)(home, provider)


async def _making(create: Callable[[], Answer]) -> Answer:
    return create()


class Home:
    """A thread with an event loop in which one plugin runs, and nothing else."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_closing = False
        # Nothing more is taken in; guarded by the lock.
        self._is_closed = False
        # It does not keep the process alive: nobody can end a thread that hangs.
        self._thread = threading.Thread(target=self._run, name=f"plugin {name}", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        """Run something in there; Closed."""
        with self._lock:
            if not self._is_closed:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise Closed

    def call_soon(self, work: Callable[[], object]) -> bool:
        """Run something in there without waiting; False when it is closed."""
        with self._lock:
            if not self._is_closed:
                self._loop.call_soon_threadsafe(work)
            return not self._is_closed

    async def ask(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run something in there and wait for it; Blocked when nothing runs in there, Closed."""
        await self.check()
        return await asyncio.wrap_future(self.submit(_called(work)))

    async def check(self) -> None:
        """Return when the loop runs; Blocked when it does not, Closed."""
        alive = asyncio.wrap_future(self.submit(asyncio.sleep(0)))
        try:
            async with asyncio.timeout(ALIVE_WITHIN_SECONDS):
                await alive
        except TimeoutError:
            raise Blocked from None

    def close(self) -> None:
        """End the thread as soon as it can be ended."""
        self.call_soon(self._end)

    async def aclose(self) -> None:
        """End the thread and wait for that, unless it is blocked."""
        self.close()
        await asyncio.to_thread(self._thread.join, CLOSED_WITHIN_SECONDS)

    def _end(self) -> None:
        self._is_closing = True
        self._loop.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._is_closing:
                # A plugin that wants to end the process does not even end its thread: whoever
                # asked for what it did is told.
                with suppress(SystemExit, KeyboardInterrupt):
                    self._loop.run_forever()
        finally:
            with self._lock:
                self._is_closed = True
            with suppress(SystemExit, KeyboardInterrupt, TimeoutError):
                self._loop.run_until_complete(_cleared())
            self._loop.close()


async def _called(work: Callable[[], Awaitable[Answer]]) -> Answer:
    return await work()


async def _cleared() -> None:
    """Cancel what a plugin has left running; runs last in its loop."""
    await asyncio.sleep(0)  # what was taken in before becomes a task only now
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    async with asyncio.timeout(CLOSED_WITHIN_SECONDS):
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()


class IsolatedProvider:
    """Speaks for a provider that lives elsewhere."""

    def __init__(self, home: Home, provider: sdk.Provider) -> None:
        self.home = home
        self.provider = provider

    async def chat_completion(self, request: sdk.ReplyRequest) -> sdk.ReplyStream:
        await self.home.check()
        channel = Channel(self.home)
        channel.open(self.provider, request)
        try:
            while events := await channel.take():
                for event in events:
                    yield event
        finally:
            await channel.close(CLOSED_WITHIN_SECONDS)

    async def list_models(self) -> Sequence[sdk.ModelInfo]:
        return await self.home.ask(self.provider.list_models)

    async def health_check(self) -> sdk.Health:
        return await self.home.ask(self.provider.health_check)

    async def aclose(self) -> None:
        try:
            await self.home.ask(self.provider.aclose)
        finally:
            await self.home.aclose()


class SelectiveProvider(IsolatedProvider):
    """One some of whose models do not take every parameter."""

    def __init__(self, home: Home, provider: Any) -> None:
        super().__init__(home, provider)
        self._asked: dict[str, Future[frozenset[str]]] = {}
        # The last answer that was waited for.
        self._awaited: Future[frozenset[str]] | None = None

    def unsupported_parameters(self, model: str) -> frozenset[str]:
        """Ask once for each model, and not for long: what is not known now the vendor will say.

        While one answer is late no other is waited for, since all of the service waits with us.
        """
        asked = self._asked.get(model)
        if asked is None:
            if len(self._asked) >= MOST_MODELS:
                self._asked.clear()
            provider: Any = self.provider
            asked = self.home.submit(_making(lambda: provider.unsupported_parameters(model)))
            self._asked[model] = asked
            if self._awaited is None or self._awaited.done():
                self._awaited = asked
                wait([asked], KNOWN_WITHIN_SECONDS)
        return asked.result() if asked.done() else frozenset()


class CountingProvider(IsolatedProvider):
    """One that can count tokens."""

    async def count_tokens(self, request: sdk.ReplyRequest) -> int:
        """Ask in there."""
        provider: Any = self.provider
        return await self.home.ask(lambda: provider.count_tokens(request))


class EmbeddingProvider(IsolatedProvider):
    """One that can make vectors."""

    async def embed(self, request: sdk.EmbeddingRequest) -> sdk.Embeddings:
        """Ask in there; cancelling it cancels what runs there."""
        provider: Any = self.provider
        return await self.home.ask(lambda: provider.embed(request))


@cache
def speaker_of(able: tuple[type[IsolatedProvider], ...]) -> type[IsolatedProvider]:
    """Return what can do all of these together; the same one each time, so that none pile up."""
    return type("IsolatedProvider", able, {}) if able else IsolatedProvider


class Channel:
    """What a stream brings from its thread to ours; made in ours."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._events: deque[sdk.ReplyEvent] = deque()
        self._arrived = asyncio.Event()
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        # These belong to the other loop.
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_wanted = True

    def open(self, provider: sdk.Provider, request: sdk.ReplyRequest) -> None:
        """Begin to bring a stream; Closed."""
        if not self._home.call_soon(lambda: self._begin(provider, request)):
            raise Closed

    async def take(self) -> list[sdk.ReplyEvent]:
        """Return what has come; nothing at the end, unless it raises what the stream raised."""
        while not self._events and not self._ended.is_set():
            self._arrived.clear()
            if not self._events and not self._ended.is_set():
                await self._arrived.wait()
        events = [self._events.popleft() for _ in range(len(self._events))]
        if events:
            self._home.call_soon(self._room.set)
        elif self._failure is not None:
            raise self._failure
        return events

    async def close(self, seconds: float) -> None:
        """Return when the stream is closed; what takes longer is cancelled once more, and left."""
        if self._ended.is_set():
            return
        self._home.call_soon(self._stop)
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            self._home.call_soon(self._stop)

    def _begin(self, provider: sdk.Provider, request: sdk.ReplyRequest) -> None:
        self._task = asyncio.get_running_loop().create_task(self._fill(provider, request))
        self._task.add_done_callback(self._note_end)

    def _stop(self) -> None:
        self._is_wanted = False
        if self._task is not None:
            self._task.cancel()

    async def _fill(self, provider: sdk.Provider, request: sdk.ReplyRequest) -> None:
        stream: object = provider.chat_completion(request)
        if isinstance(stream, Coroutine):
            stream.close()
        if not isinstance(stream, AsyncGenerator):
            raise sdk.BadResponse(f"The plugin gave a {type(stream).__name__} instead of a stream.")
        async with aclosing(stream) as events:
            async for event in events:
                if not self._is_wanted:  # it went on in spite of being cancelled
                    return
                self._events.append(event)
                self._tell(self._arrived.set)
                if len(self._events) >= MOST_WAITING:
                    self._room.clear()
                    await self._room.wait()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._tell(self._finish)

    def _tell(self, work: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # our loop may have ended
            self._loop.call_soon_threadsafe(work)

    def _finish(self) -> None:
        self._ended.set()
        self._arrived.set()
