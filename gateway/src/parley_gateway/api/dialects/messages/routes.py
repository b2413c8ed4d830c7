"""`POST /v1/messages`, whole and streamed, and the count of its tokens."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import orjson
from fastapi import APIRouter
from parley_rpc.faults import Fault, InvalidArgument
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.provider.v1.reply_pb2 import CountTokensRequest
from parley_gateway.api import sse
from parley_gateway.api.dependencies import (
    BODY,
    CALLER,
    VERDICT,
    answered_by,
    gateway_of,
    guarded,
)
from parley_gateway.api.dialects import ownership
from parley_gateway.api.dialects.bodies import decode
from parley_gateway.api.dialects.documentation import refusals
from parley_gateway.api.dialects.failures import Dialect, document_of
from parley_gateway.api.dialects.generation import Events, begun, generate, under_way, unless_left
from parley_gateway.api.dialects.messages import documentation
from parley_gateway.api.dialects.messages.body import AnthropicBody, AnthropicPrompt
from parley_gateway.api.dialects.messages.frames import Frames, frame, frames
from parley_gateway.api.dialects.messages.message import Whole
from parley_gateway.api.dialects.messages.request import request_of
from parley_gateway.api.middleware import exchange_of
from parley_gateway.api.openapi import BODY_REFUSALS, PROMPT_REFUSALS, REPLY_REFUSALS
from parley_gateway.core import model
from parley_gateway.core.model import Verdict
from parley_gateway.core.streams import Stream

# A vendor may be asked, which takes longer than our own tables.
COUNT_SECONDS = 30.0
Body = TypeVar("Body", bound=AnthropicPrompt)

Route = guarded(reading=frozenset({model.Scope.CHAT}), changing=frozenset({model.Scope.CHAT}))
CountRoute = guarded(
    reading=frozenset({model.Scope.READ, model.Scope.CHAT}),
    changing=frozenset({model.Scope.READ, model.Scope.CHAT}),
)
router = APIRouter(tags=["Anthropic"])


async def create_message() -> None:
    """Answer as Anthropic's Messages API does, whole or as it comes, with any provider's model.

    The model is `provider/model`, an alias, or a name that one provider has. Nothing is kept but
    what was used. Fields that are not listed here go to the provider, which refuses them unless
    it speaks this dialect.
    """
    raise NotImplementedError  # `post_message` answers; this documents


async def count_message_tokens() -> None:
    """Count the tokens that a message would have; estimated where its vendor does not count."""
    raise NotImplementedError  # `post_count` answers; this documents


async def post_message(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    tell_limits(scope)
    body, unknown = read(scope[BODY], AnthropicBody)
    request = request_of(body, unknown)
    with under_way(scope) as stream:
        events = await generate(scope, request)
        message_id = f"msg_{UUID(request.usage_id).hex}"
        if body.stream:
            written = Frames(message_id, request.model)
            await tell(stream, events, written, (scope, receive, send))
            return
        whole = Whole(request.model)
        async with stream.waiting():
            # Nobody is there to be answered when the client has left.
            if await unless_left(collect(events, whole), receive) is None:
                return
        await answer(whole.message(message_id), scope, receive, send)


async def collect(events: Events, whole: Whole) -> Whole:
    """Take in all of a reply."""
    async with contextlib.aclosing(events):
        async for event in events:
            whole.take(event)
    return whole


async def tell(
    stream: Stream, events: Events, written: Frames, asgi: tuple[Scope, Receive, Send]
) -> None:
    """Send a reply as it comes, as long as the key is valid."""
    scope, receive, send = asgi
    request_id = exchange_of(scope).request_id

    def problem(fault: Fault) -> bytes:
        return frame(b"error", document_of(fault, Dialect.ANTHROPIC, request_id))

    async with stream.waiting():
        # Until it has begun a failure still has a status line.
        started = await unless_left(begun(events), receive)
    if started is None:
        return
    name_request(scope)
    await sse.stream(
        frames(started, written, problem), receive, send, problem=problem, cut=stream.cut
    )


async def post_count(scope: Scope, receive: Receive, send: Send) -> None:
    """Count the tokens of a request of somebody who was admitted."""
    tell_limits(scope)
    body, unknown = read(scope[BODY], AnthropicPrompt)
    gateway, asked = gateway_of(scope), request_of(body, unknown)
    ownership.tell(asked.messages)
    counted = await gateway.provider.unary(
        gateway.provider.stub.CountTokens,
        CountTokensRequest(request=asked),
        scope[CALLER],
        COUNT_SECONDS,
    )
    await answer({"input_tokens": counted.input_tokens}, scope, receive, send)


def read(body: bytes, struct: type[Body]) -> tuple[Body, dict[str, object]]:
    """Read a body; MalformedBody, InvalidArgument, which says what is not taken here at all."""
    try:
        return decode(body, struct)
    except InvalidArgument as fault:
        if fault.violations and fault.violations[0].field.endswith(".type"):
            fault.sentence += ". Parley takes what every vendor has: see its README."
        raise


async def answer(data: dict[str, object], scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with JSON."""
    name_request(scope)
    await Response(orjson.dumps(data), media_type="application/json")(scope, receive, send)


def name_request(scope: Scope) -> None:
    """Name the request where clients of the dialect look; failures do so themselves."""
    exchange = exchange_of(scope)
    exchange.headers.append((b"request-id", exchange.request_id.encode()))


def tell_limits(scope: Scope) -> None:
    """Tell what is left of the hour, in the words of the dialect."""
    verdict: Verdict = scope[VERDICT]
    tightest = verdict.tightest
    resets_at = datetime.now(UTC) + timedelta(seconds=tightest.seconds_left)
    exchange_of(scope).headers += [
        (b"anthropic-ratelimit-requests-limit", b"%d" % tightest.limit),
        (b"anthropic-ratelimit-requests-remaining", b"%d" % tightest.remaining),
        (b"anthropic-ratelimit-requests-reset", f"{resets_at:%Y-%m-%dT%H:%M:%SZ}".encode()),
    ]


router.add_api_route(
    "/v1/messages",
    create_message,
    methods=["POST"],
    summary="Create a message",
    operation_id="create_message",
    openapi_extra=documentation.MESSAGE_EXTRA,
    responses=documentation.MESSAGE_ANSWER
    | refusals(Dialect.ANTHROPIC, *BODY_REFUSALS, *REPLY_REFUSALS),
    response_class=Response,
    route_class_override=answered_by(post_message, Route),
)
router.add_api_route(
    "/v1/messages/count_tokens",
    count_message_tokens,
    methods=["POST"],
    summary="Count the tokens of a message",
    operation_id="count_message_tokens",
    openapi_extra=documentation.COUNT_EXTRA,
    responses=documentation.COUNT_ANSWER
    | refusals(Dialect.ANTHROPIC, *BODY_REFUSALS, *PROMPT_REFUSALS),
    response_class=Response,
    route_class_override=answered_by(post_count, CountRoute),
)
