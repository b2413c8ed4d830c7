"""Several replies to one request: made at once, and all or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, TypeVar

from parley.provider.v1.reply_pb2 import GenerateReplyResponse
from parley_gateway.api.dialects.generation import Events

Result = TypeVar("Result")
Numbered = tuple[int, GenerateReplyResponse]


async def all_of(works: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Do all works at once; when one fails the others are cancelled, and it is that failure.

    What one has made already, and nobody will use, is closed.
    """
    if len(works) == 1:
        return [await works[0]]
    tasks = [asyncio.ensure_future(work) for work in works]
    succeeded = False
    try:
        results = list(await asyncio.gather(*tasks))
        succeeded = True
    finally:
        if not succeeded:
            await undone(tasks)
    return results


async def undone(tasks: Sequence[asyncio.Task[Result]]) -> None:
    """Cancel works, and close what those made that were done."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, AsyncGenerator):
            await result.aclose()


async def merged(sources: Sequence[Events]) -> AsyncGenerator[Numbered, None]:
    """Yield the events of several replies as they come, each with the number of its reply.

    Of each one event waits at most, so who reads slowly slows all of them down.
    """
    coming = {following(source): number for number, source in enumerate(sources)}
    try:
        while coming:
            come, _ = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
            for task in come:
                number, event = coming.pop(task), task.result()
                if event is not None:
                    yield number, event
                    coming[following(sources[number])] = number
    finally:
        for task in coming:
            task.cancel()
        if coming:
            await asyncio.wait(coming)
        for source in sources:
            await source.aclose()


def following(source: Events) -> asyncio.Task[GenerateReplyResponse | None]:
    """Wait for the next event of a reply; None at its end."""
    return asyncio.ensure_future(anext(source, None))
