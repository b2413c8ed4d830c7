"""One reply that is kept nowhere: asked of the provider service, and gone with its client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from typing import Any, TypeVar

from google.rpc.status_pb2 import Status
from parley_rpc.faults import Internal
from parley_rpc.status import from_status
from starlette.types import Receive, Scope
from uuid_utils.compat import uuid7

from parley.provider.v1.reply_pb2 import GenerateReplyRequest, GenerateReplyResponse
from parley_gateway.api.dependencies import CALLER, IDENTITY, gateway_of
from parley_gateway.api.dialects import ownership
from parley_gateway.api.quota import preflight
from parley_gateway.api.sse import left
from parley_gateway.core.streams import Stream

# A stream whose model thinks for longer begins without it, and is kept alive from then on.
FIRST_EVENT_SECONDS = 5.0
NOT_ENDED = "The provider service did not end the reply."

Events = AsyncGenerator[GenerateReplyResponse, None]
Result = TypeVar("Result")


@contextlib.contextmanager
def under_way(scope: Scope) -> Iterator[Stream]:
    """Count a call as one that runs, and name it as its key's; TooBusy."""
    gateway = gateway_of(scope)
    with gateway.load.one_more(), gateway.streams.open(scope[IDENTITY]) as stream:
        yield stream


async def generate(scope: Scope, request: GenerateReplyRequest) -> Events:
    """Ask for a reply and return its events as they come; closing them stops the vendor.

    Faults of the preflight; those of the call come with the events. `usage_id` is set here.
    """
    gateway = gateway_of(scope)
    await refuse_used_up(scope)
    request.usage_id = str(uuid7())
    ownership.tell(request.messages)
    events = gateway.provider.stream(
        gateway.provider.stub.GenerateReply, request, scope[CALLER], gateway.turn_seconds
    )
    return whole(events, ownership.Owner(request.provider))


async def refuse_used_up(scope: Scope) -> None:
    """Refuse a call for which nothing is left; BudgetExceeded, LimitExceeded."""
    refusal = await preflight(scope)
    if refusal:
        raise from_status(Status.FromString(refusal))


async def whole(events: AsyncIterator[GenerateReplyResponse], owner: ownership.Owner) -> Events:
    """Yield the events of a reply, and fail when it breaks off without its end; Internal."""
    finished = False
    async for event in events:
        finished = event.HasField("finished")
        owner.mark(event)
        yield event
    if not finished:
        raise Internal(NOT_ENDED)


async def begun(events: Events, within: float = FIRST_EVENT_SECONDS) -> Events:
    """Wait a while for the first event, so that a failure before it still has a status line.

    Who answers is no such event: it may still fail. Return all events, the first included;
    whatever failure it was.
    """
    first = asyncio.ensure_future(opening(events))
    has_begun = False
    try:
        await asyncio.wait({first}, timeout=within)
        if first.done():
            first.result()  # raises the failure
        has_begun = True
    finally:
        if not has_begun:
            await closed(first, events)
    return rest(first, events)


async def opening(events: Events) -> list[GenerateReplyResponse]:
    """Return the first events of a reply, up to one that does more than say who answers."""
    opened: list[GenerateReplyResponse] = []
    async for event in events:
        opened.append(event)
        if not event.HasField("answerer"):
            break
    return opened


async def rest(first: asyncio.Future[list[GenerateReplyResponse]], events: Events) -> Events:
    """Yield first events that may still be coming, and those behind them."""
    try:
        for event in await first:
            yield event
        async for event in events:
            yield event
    finally:
        await closed(first, events)


async def closed(first: asyncio.Future[Any], events: Events) -> None:
    """Wait no longer, neither for first events nor for others."""
    first.cancel()
    await asyncio.wait({first})
    if not first.cancelled():
        first.exception()  # told elsewhere
    await events.aclose()


async def unless_left(work: Awaitable[Result], receive: Receive) -> Result | None:
    """Do some work for a client that waits for it; cancel it and return None when it leaves."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})
