"""Many small questions as few large ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from parley_rpc.faults import DatabaseUnavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batches(Generic[Item, Answer]):
    """Gathers what is asked while one statement runs, and asks all of it in the next.

    Nothing waits when nothing runs. `run` answers a batch item by item; when it fails, everybody
    in the batch is told. When the database was waited for in vain, so is everybody who has waited
    meanwhile, instead of waiting for it once more.
    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], most: int = 500
    ) -> None:
        self._run = run
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Answer:
        """Return the answer for one item."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            run = self._run([item for item, _ in batch])
            [answers] = await asyncio.gather(run, return_exceptions=True)
            if isinstance(answers, DatabaseUnavailable):
                batch, self._waiting = [*batch, *self._waiting], []
            for number, (_, future) in enumerate(batch):
                if future.done():  # whoever asked has gone
                    continue
                if isinstance(answers, BaseException):
                    future.set_exception(answers)
                else:
                    future.set_result(answers[number])
        self._task = None
