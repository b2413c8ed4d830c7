"""Events at an even pace."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

T = TypeVar("T")


def paced(events: AsyncGenerator[T, None], seconds: float) -> Iterator[list[T]]:
    """Yields what came in each span of so many seconds, an empty list when nothing did.

    So a page that draws a reply draws it often enough and not once per word, and notices that its
    reader has clicked elsewhere while the model is still thinking. Closing this closes `events`.
    """
    arrived: list[T] = []

    async def read() -> None:
        async for event in events:
            arrived.append(event)

    with asyncio.Runner() as runner:
        reading = runner.get_loop().create_task(read())
        while not reading.done():
            runner.run(asyncio.wait({reading}, timeout=seconds))
            batch, arrived = arrived, []
            yield batch
        reading.result()
