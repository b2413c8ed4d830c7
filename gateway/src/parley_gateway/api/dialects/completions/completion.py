"""`POST /v1/chat/completions`: replies that are kept nowhere, whole or as a stream of chunks.

Written against ASGI itself: no path is hotter.
"""

from __future__ import annotations

import contextlib

import orjson
from parley_rpc.faults import InvalidArgument
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.provider.v1.reply_pb2 import GenerateReplyRequest
from parley_gateway.api import sse
from parley_gateway.api.dependencies import BODY, gateway_of
from parley_gateway.api.dialects import generation
from parley_gateway.api.dialects.bodies import decode
from parley_gateway.api.dialects.completions import conversation
from parley_gateway.api.dialects.completions.body import CompletionBody
from parley_gateway.api.dialects.completions.choices import all_of
from parley_gateway.api.dialects.completions.reply import Reply
from parley_gateway.api.dialects.completions.telling import Telling, completion
from parley_gateway.api.dialects.completions.translate import Asked, asked, naming
from parley_gateway.api.middleware import exchange_of
from parley_gateway.api.turns import idempotency_key
from parley_gateway.core.streams import Stream


async def post_completion(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    body, unknown = decode(scope[BODY], CompletionBody)
    ask = asked(body, unknown)
    key = idempotency_key(scope)
    if body.conversation is not None:
        if ask.choices > 1:
            raise InvalidArgument.of("n", "A chat has one reply to a message.")
        chat = conversation.Chat(body.conversation, key)
        await conversation.answer(chat, ask, scope, receive, send)
        return
    load = gateway_of(scope).load
    with generation.under_way(scope) as stream, contextlib.ExitStack() as others:
        for _ in range(1, ask.choices):
            others.enter_context(load.one_more())
        if ask.is_streamed:
            await answer_streamed(ask, stream, scope, receive, send)
        else:
            await answer_whole(ask, stream, scope, receive, send)


async def answer_whole(
    ask: Asked, stream: Stream, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer with all choices when the last of them has ended."""
    requests = copies(ask)
    async with stream.waiting():
        with naming():
            works = [collected(scope, ask, request) for request in requests]
            replies = await generation.unless_left(all_of(works), receive)
    if replies is not None:
        document = completion(ask, requests[0].usage_id, replies)
        answer = Response(orjson.dumps(document), media_type="application/json")
        await answer(scope, receive, send)


async def collected(scope: Scope, ask: Asked, request: GenerateReplyRequest) -> Reply:
    """Return one reply when it has ended."""
    reply = Reply(request.model, is_legacy=ask.is_legacy)
    events = await generation.generate(scope, request)
    async with contextlib.aclosing(events):
        async for event in events:
            reply.add(event)
    return reply


async def answer_streamed(
    ask: Asked, stream: Stream, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer with chunks as they come."""
    requests = copies(ask)
    async with stream.waiting():
        with naming():
            works = [begun(scope, request) for request in requests]
            sources = await generation.unless_left(all_of(works), receive)
    if sources is None:
        return
    telling = Telling(ask, requests[0].usage_id, exchange_of(scope).request_id)
    frames = telling.one(sources[0]) if len(sources) == 1 else telling.several(sources)
    await sse.stream(frames, receive, send, problem=telling.problem, cut=stream.cut)


async def begun(scope: Scope, request: GenerateReplyRequest) -> generation.Events:
    """Return the events of a reply once it has begun."""
    return await generation.begun(await generation.generate(scope, request))


def copies(ask: Asked) -> list[GenerateReplyRequest]:
    """Return a request for each choice."""
    requests = [ask.request]
    for _ in range(1, ask.choices):
        requests.append(copy := GenerateReplyRequest())
        copy.CopyFrom(ask.request)
    return requests
