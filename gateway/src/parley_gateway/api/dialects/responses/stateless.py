"""A response that is kept nowhere: a client that leaves stops its vendor."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from parley_rpc.faults import Fault
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley_gateway.api import sse
from parley_gateway.api.dialects.generation import Events, begun, generate, unless_left
from parley_gateway.api.dialects.responses.asked import Question
from parley_gateway.api.dialects.responses.making import Making
from parley_gateway.core.streams import Stream


async def answer(
    stream: Stream, question: Question, scope: Scope, receive: Receive, send: Send
) -> None:
    """Ask for a reply and tell what comes, as long as somebody waits for it."""
    events = await generate(scope, question.request)
    making = Making(question, question.request.usage_id, question.body.model)
    if not making.streamed:
        async with stream.waiting():
            answered = await unless_left(whole(events, making), receive)
        if answered is not None:
            await Response(answered, media_type="application/json")(scope, receive, send)
        return
    # Until the first event a failure still has a status line.
    async with stream.waiting():
        events = await begun(events)
    await sse.stream(frames(events, making), receive, send, problem=making.problem, cut=stream.cut)


async def whole(events: Events, making: Making) -> bytes:
    """Return a response when it has ended."""
    async with contextlib.aclosing(events):
        async for event in events:
            making.take(event)
    return making.written()


async def frames(events: Events, making: Making) -> AsyncGenerator[bytes, None]:
    """Yield a response as server-sent events, to its end or its failure."""
    is_told = False
    try:
        async with contextlib.aclosing(events):
            async for event in events:
                if not is_told and not event.HasField("answerer"):
                    making.begin()
                    is_told = True
                making.take(event)
                if told := making.events.taken():
                    yield told
    except Fault as fault:
        if not is_told:
            making.begin()
        yield making.fail(fault)
