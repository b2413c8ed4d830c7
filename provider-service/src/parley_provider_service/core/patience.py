"""A time limit that moves with every event, and does not take no for an answer."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Patience:
    """Cancels the task that enters it when its time has come; TimeoutError comes out.

    Like `asyncio.timeout`, with two differences. Moving the limit away costs next to nothing,
    because the timer stays and looks when it fires. And what is still there `again` seconds after
    it was cancelled is cancelled again: the clean-up of foreign code may hang as well.
    """

    def __init__(self, until: float, again: float) -> None:
        self.until = until
        self.expired = False
        self._again = again
        self._cancels = 0

    def __enter__(self) -> Self:
        """Begin to watch the current task."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Patience watches tasks only.")
        self._task, self._cancelling = task, task.cancelling()
        self._loop = asyncio.get_running_loop()
        self._arm(self.until)
        return self

    def move(self, until: float) -> None:
        """Let the task run until another time, on the loop's clock."""
        self.until = until
        if until < self._armed:
            self._timer.cancel()
            self._arm(until)

    def end(self) -> None:
        """Let the time be over now."""
        self.move(self._loop.time())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Turn our own cancellations into a TimeoutError."""
        self._timer.cancel()
        left = self._task.cancelling()
        for _number in range(self._cancels):
            left = self._task.uncancel()
        if self._cancels and kind is asyncio.CancelledError and left <= self._cancelling:
            raise TimeoutError from error

    def _arm(self, moment: float) -> None:
        self._armed = moment
        self._timer = self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if now < self.until:
            self._arm(self.until)
            return
        self.expired = True
        self._cancels += 1
        self._task.cancel()
        self.until = now + self._again
        self._arm(self.until)
