"""Providers in threads of their own, and what is left of them."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import parley_provider_sdk as sdk
from parley_provider_service.adapters.isolation import IsolatedProvider, isolated

ASK = sdk.ReplyRequest("small", [sdk.Message(sdk.Role.USER, [sdk.TextPart("Hi")])])
Isolate = Callable[..., IsolatedProvider]


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name == "plugin apart"}


@asynccontextmanager
async def isolating() -> AsyncIterator[Isolate]:
    """Isolate providers; at the end no thread may be left, and no loop unclosed."""
    made: list[IsolatedProvider] = []

    def isolate(provider: Any) -> IsolatedProvider:
        here = isolated("apart", lambda: provider)
        assert isinstance(here, IsolatedProvider)
        made.append(here)
        return here

    yield isolate
    for here in made:
        await here.home.aclose()
    assert set() == threads()
    gc.collect()


async def texts(provider: sdk.Provider) -> list[str]:
    async with aclosing(provider.chat_completion(ASK)) as stream:
        return [event.text async for event in stream if isinstance(event, sdk.TextDelta)]


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (another thread makes it true)
            await asyncio.sleep(0.005)


async def tasks_of(here: IsolatedProvider) -> int:
    """Count the tasks in the plugin's loop, the one that counts aside."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return await here.home.ask(count)


async def becomes_idle(here: IsolatedProvider) -> None:
    async with asyncio.timeout(10):
        while await tasks_of(here):  # noqa: ASYNC110  (another thread ends them)
            await asyncio.sleep(0.005)
