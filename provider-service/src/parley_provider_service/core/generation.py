"""One reply: a row in the ledger, the provider's stream within its limits, and the settlement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from uuid import UUID

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault, Internal, TooBusy, Unavailable

from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.faults import ProviderTimeout, UsageExists
from parley_provider_service.core.guard import ask as ask_plugin
from parley_provider_service.core.guard import guarded
from parley_provider_service.core.model import Ask, Event, Settlement
from parley_provider_service.core.patience import Patience
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.reply import Reply
from parley_provider_service.core.rules import check

# Before the caller's own deadline, so that what is known of the usage still reaches it.
MARGIN_SECONDS = 0.25
# Below so many replies at once everything is sent as it comes; above, what comes within a tick is
# sent together, because a message costs more than what is in it.
QUIET_REPLIES = 8
SECONDS_PER_REPLY = 0.0005
LONGEST_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a provider may be silent, and how much it is asked at once."""

    first_token_seconds: float = 60.0
    idle_seconds: float = 30.0
    # The longest reply, whatever the caller allows.
    total_seconds: float = 600.0
    # What a plugin, which obeys the same limits, is given to tell us first what it waited for.
    grace_seconds: float = 1.0
    # What it is given after its last event, and to let go of its vendor.
    end_seconds: float = 1.0
    close_seconds: float = 2.0
    # A listener so far behind makes the provider wait.
    most_characters_behind: int = 256 * 1024
    # Replies of one provider at once, and how long one more waits for its turn.
    at_once: int = 128
    patience_seconds: float = 1.0


class Generation:
    """Makes replies. What is begun is settled by tasks of its own, whoever hangs up."""

    def __init__(self, catalog: Catalog, ledger: Ledger, limits: Limits) -> None:
        self.catalog = catalog
        self.ledger = ledger
        self.limits = limits
        # The calls that the ledger holds and that produce.
        self.open: dict[UUID, Reply] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots: dict[str, asyncio.Semaphore] = {}

    async def begin(self, ask: Ask) -> Reply:
        """Begin a reply; its events tell the rest.

        InvalidArgument, ProviderNotFound, ProviderNotReady, TooBusy.
        """
        check(ask)
        provider, price = await self.catalog.target(ask.provider, ask.request.model)
        seconds = min(ask.seconds, self.limits.total_seconds) - MARGIN_SECONDS
        deadline = asyncio.get_running_loop().time() + seconds
        limits = sdk.Limits(
            first_token=self.limits.first_token_seconds,
            idle=self.limits.idle_seconds,
            whole=max(seconds, 0.0),
        )
        await self._slot(ask.provider)
        request = replace(ask.request, limits=limits)
        reply = Reply(replace(ask, request=request), provider, price)
        task = asyncio.create_task(self._make(reply, deadline))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return reply

    def events(self, reply: Reply) -> AsyncIterator[Event]:
        """Yield a reply's events, together where many replies are made at once."""
        return reply.events(self._pause)

    async def aclose(self, seconds: float) -> None:
        """Stop what is produced and wait until it is settled, at most `seconds`."""
        stopping = Unavailable("The provider service is stopping.", service="provider")
        for reply in self.open.values():
            reply.stop(stopping)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _pause(self) -> float:
        crowd = len(self.open) - QUIET_REPLIES
        return min(max(crowd, 0) * SECONDS_PER_REPLY, LONGEST_PAUSE_SECONDS)

    async def _slot(self, provider: str) -> None:
        if provider not in self._slots:
            self._slots[provider] = asyncio.Semaphore(self.limits.at_once)
        slots = self._slots[provider]
        if not slots.locked():
            await slots.acquire()
            return
        try:
            async with asyncio.timeout(self.limits.patience_seconds):
                await slots.acquire()
        except TimeoutError:
            limit = self.limits.at_once
            sentence = f"The provider '{provider}' is making {limit} replies already."
            raise TooBusy(sentence, retry_after=1.0, provider=provider, limit=limit) from None

    async def _make(self, reply: Reply, deadline: float) -> None:
        settlement: Settlement | None = None
        failure: Fault | None = Internal("Parley failed.")
        try:
            if not await self.ledger.hold(reply.hold):
                raise UsageExists(reply.ask.usage_id)
            failure = await self._produce(reply, deadline)
            settlement = reply.settlement(failure)
            await self.ledger.settle(settlement)
        except Fault as fault:
            failure = fault
        finally:
            self._slots[reply.ask.provider].release()
            reply.end(settlement, failure)

    async def _produce(self, reply: Reply, deadline: float) -> Fault | None:
        self.open[reply.ask.usage_id] = reply
        try:
            with guarded(reply.ask.provider, reply.ask.request.model):
                await self._listen(reply, deadline)
        except Fault as fault:
            return fault
        finally:
            del self.open[reply.ask.usage_id]
        return None if reply.finished else reply.stopped_by

    async def _listen(self, reply: Reply, deadline: float) -> None:
        """Take in the provider's stream until it ends, is stopped, or takes too long."""
        if reply.stopped:
            return
        stream = opened(reply)
        patience = Patience(self._until(reply, deadline), self.limits.close_seconds)
        try:
            with patience:
                reply.patience = patience
                await self._take_all(reply, stream, patience, deadline)
        except TimeoutError:
            if not patience.expired:
                raise
        finally:
            reply.patience = None
            await close(reply.ask.provider, stream, self.limits.close_seconds)
        if reply.finished is None and not reply.stopped:
            raise too_slow(reply) if patience.expired else reply.broken("broke off without an end")

    async def _take_all(
        self, reply: Reply, stream: sdk.ReplyStream, patience: Patience, deadline: float
    ) -> None:
        async for event in stream:
            reply.take(event)
            if reply.chars_behind > self.limits.most_characters_behind:
                patience.move(deadline)
                await reply.heard()
            if reply.stopped:
                return
            patience.move(self._until(reply, deadline))

    def _until(self, reply: Reply, deadline: float) -> float:
        """Return when the next event must have come."""
        now = asyncio.get_running_loop().time()
        if reply.finished is not None:
            return now + self.limits.end_seconds
        if not reply.ask.request.stream:
            return deadline
        limits = self.limits
        patience = limits.idle_seconds if reply.has_begun else limits.first_token_seconds
        return min(deadline, now + patience + limits.grace_seconds)


def opened(reply: Reply) -> sdk.ReplyStream:
    """Begin the provider's stream; BadProviderResponse when it gives none."""
    stream: object = reply.provider.chat_completion(reply.ask.request)
    if isinstance(stream, AsyncGenerator):
        return stream
    if isinstance(stream, Coroutine):
        stream.close()
    raise reply.broken(f"gave a {type(stream).__name__} instead of a stream")


async def close(provider: str, stream: sdk.ReplyStream, seconds: float) -> None:
    """Let the provider let go of its vendor; what fails in that is logged and changes nothing."""
    if getattr(stream, "ag_frame", stream) is None:  # it has ended by itself
        return
    with contextlib.suppress(Fault):
        await ask_plugin(provider, stream.aclose, seconds)


def too_slow(reply: Reply) -> Fault:
    """Return the fault of a provider that was waited for in vain."""
    provider, model = reply.ask.provider, reply.ask.request.model
    what = "finish" if reply.has_begun else "begin"
    sentence = f"The provider '{provider}' did not {what} its reply in time."
    return ProviderTimeout(sentence, provider=provider, model=model)
