"""Waits for a vendor's bytes, but not for ever."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress

import aiohttp
from aiohttp.http import HttpProcessingError
from parley_provider_sdk import ProviderError

from parley_provider_openai import errors


class Patience:
    """Reads an answer against a deadline that moves.

    One timer looks now and then whether the deadline has passed while somebody waits. A timer for
    each read, as `asyncio.timeout` sets one, would cost more than the read.
    """

    def __init__(self, content: aiohttp.StreamReader, deadline: float) -> None:
        self._content = content
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf
        self._waiting = False

    def extend(self, seconds: float) -> None:
        """Moves the deadline to so many seconds from now."""
        self._deadline = self._loop.time() + seconds

    async def next(self) -> bytes:
        """Returns what has arrived; nothing at the end. Raises ProviderError."""
        if self._deadline < self._looks_at:
            self._set_timer()
        self._waiting = True
        try:
            return await self._content.readany()
        except TimeoutError as error:
            failure = errors.from_exception(error)
        except (aiohttp.ClientError, HttpProcessingError, OSError):
            failure = errors.broken_off()
        finally:
            self._waiting = False
        raise failure

    async def read(self, limit: int) -> bytes:
        """Returns all of the answer, or as much of it as the limit lets through."""
        chunks = bytearray()
        while len(chunks) < limit and (chunk := await self.next()):
            chunks += chunk
        return bytes(chunks)

    async def drain(self, seconds: float) -> None:
        """Reads what is left, if it comes soon, so that the connection can be used again."""
        self.extend(seconds)
        with suppress(ProviderError):
            while not self._content.at_eof():
                await self.next()

    def close(self) -> None:
        """Stops the timer."""
        if self._timer:
            self._timer.cancel()

    def _set_timer(self) -> None:
        self.close()
        self._looks_at = self._deadline
        self._timer = self._loop.call_at(self._looks_at, self._look)

    def _look(self) -> None:
        self._looks_at = math.inf
        if self._waiting and self._loop.time() < self._deadline:
            self._set_timer()
        elif self._waiting:
            self._content.set_exception(TimeoutError())
