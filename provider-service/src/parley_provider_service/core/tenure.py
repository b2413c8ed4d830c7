"""A provider in office: it is let go when it has been replaced and its last reply is made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault

from parley_provider_service.core.guard import ask

CLOSE_SECONDS = 5.0


class Tenure:
    """Counts the replies that a provider makes, and closes it after the last when it is retired."""

    def __init__(
        self, name: str, provider: sdk.Provider, *, close_seconds: float = CLOSE_SECONDS
    ) -> None:
        self.name = name
        self.provider = provider
        self.closing: asyncio.Task[None] | None = None
        self._close_seconds = close_seconds
        self._running = 0
        self._retired = False

    @contextlib.contextmanager
    def serving(self) -> Iterator[sdk.Provider]:
        """Lend the provider for a reply."""
        self._running += 1
        try:
            yield self.provider
        finally:
            self._running -= 1
            self._close_when_idle()

    def retire(self) -> None:
        """Take no further reply; call it in a running loop."""
        self._retired = True
        self._close_when_idle()

    def _close_when_idle(self) -> None:
        if self._retired and not self._running and self.closing is None:
            self.closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        with contextlib.suppress(Fault):
            await ask(self.name, self.provider.aclose, self._close_seconds)
